"""The judge is tested too: a sink that took everything would prove nothing. Run: python -m unittest discover tests/tools"""

import base64
import json
import pathlib
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import unittest

SINK = pathlib.Path(__file__).with_name("smtp_sink.py")
HEAD = b"From: a@example.com\r\nTo: b@example.com\r\nDate: Mon, 01 Jan 2024 00:00:00 +0000\r\nMessage-ID: <1@example.com>\r\n"
GOOD = HEAD + b"Subject: hello\r\n\r\nIt works.\r\n"


class Sink(unittest.TestCase):
    def start(self, *options, script=None):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        command = [sys.executable, SINK, "--while-stdin", "--ledger", self.folder / "ledger", *options]
        if script is not None:
            (self.folder / "script").write_text(json.dumps(script))
            command += ["--script", self.folder / "script"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait, 10)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stdin.close)
        word, self.port = process.stdout.readline().split()
        self.assertEqual(word, b"ready")

    def ledger(self):
        return [json.loads(line) for line in (self.folder / "ledger").read_bytes().splitlines()]

    def send(self, raw, to="b@example.com", options=()):
        """Speaks DATA by hand: smtplib would mend the line ends."""
        with smtplib.SMTP("127.0.0.1", int(self.port)) as client:
            client.ehlo("client.test")
            client.mail("a@example.com", options)
            code, text = client.rcpt(to)
            if code != 250:
                return code, text
            client.docmd("DATA")
            client.send(raw + b".\r\n")
            return client.getreply()

    def certificate(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        cert, key = pathlib.Path(folder.name, "cert"), pathlib.Path(folder.name, "key")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert],
            check=True, capture_output=True,
        )
        return cert, key

    def test_a_good_message_is_in_the_ledger_as_it_was_sent(self):
        self.start()
        self.assertEqual(self.send(GOOD)[0], 250)
        [record] = self.ledger()
        self.assertEqual(base64.b64decode(record["raw"]), GOOD)
        self.assertEqual((record["from"], record["rcpt"]), ("a@example.com", ["b@example.com"]))
        self.assertEqual((record["tls"], record["user"], record["utf8"]), (False, None, False))
        self.assertEqual([name for name, _ in record["headers"]], ["From", "To", "Date", "Message-ID", "Subject"])
        self.assertEqual((record["texts"], record["files"]), ({"plain": "It works.\n"}, []))

    def test_an_address_with_8_bit_octets_needs_smtputf8_and_passes_with_it(self):
        self.start()
        raw = GOOD.replace(b"To: b@example.com", "To: jürgen@example.com".encode())
        self.assertEqual(self.send(raw)[0], 554)
        self.assertEqual(self.send(raw, options=["SMTPUTF8", "BODY=8BITMIME"])[0], 250)
        [record] = self.ledger()
        self.assertIn(["To", "jürgen@example.com"], record["headers"])

    def test_what_a_person_sees_is_decoded(self):
        self.start()
        body = b"Content-Type: multipart/mixed; boundary=b\r\nMIME-Version: 1.0\r\nSubject: =?utf-8?b?R3LDvMOfZQ==?=\r\n\r\n"
        body += b"--b\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<p>=C3=BC\r\n"
        body += b"--b\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\nfile\r\n--b--\r\n"
        self.assertEqual(self.send(HEAD + body)[0], 250)
        [record] = self.ledger()
        self.assertIn(["Subject", "Grüße"], record["headers"])
        self.assertEqual((record["texts"], record["files"]), ({"html": "<p>ü"}, ["a.txt"]))

    def test_bad_messages_are_refused_and_not_kept(self):
        self.start()
        for name, raw in {
            "bare LF": HEAD + b"\r\none\ntwo\r\n",
            "bare CR": HEAD + b"\r\none\rtwo\r\n",
            "smuggled end": HEAD + b"\r\none\n.\nMAIL FROM:<x@example.com>\r\n",
            "NUL": HEAD + b"\r\none\0two\r\n",
            "long line": HEAD + b"\r\n" + b"x" * 999 + b"\r\n",
            "8-bit header": HEAD + "Subject: grüße\r\n\r\nx\r\n".encode(),
            "8-bit body unannounced": HEAD + "\r\ngrüße\r\n".encode(),
            "two subjects": HEAD + b"Subject: a\r\nSubject: b\r\n\r\nx\r\n",
            "no date": b"From: a@example.com\r\n\r\nx\r\n",
            "no colon": HEAD + b"nonsense\r\n\r\nx\r\n",
            "bad address": b"From: a b c@@\r\n" + HEAD.partition(b"\r\n")[2] + b"\r\nx\r\n",
            "bad base64": HEAD + b"MIME-Version: 1.0\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\nA\r\n",
            "unclosed multipart": HEAD + b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n",
        }.items():
            with self.subTest(name):
                self.assertIn(self.send(raw)[0], (500, 554))
        self.assertEqual(self.ledger(), [])

    def test_announced_8_bit_a_dot_line_and_998_octets_pass(self):
        self.start()
        self.assertEqual(self.send(HEAD + "\r\ngrüße\r\n".encode(), options=["BODY=8BITMIME"])[0], 250)
        self.assertEqual(self.send(HEAD + b"\r\n..dots\r\n" + b"x" * 998 + b"\r\n")[0], 250)
        self.assertIn(b"\r\n.dots\r\n", base64.b64decode(self.ledger()[1]["raw"]))

    def test_a_command_must_end_in_crlf(self):
        self.start()
        with socket.create_connection(("127.0.0.1", int(self.port))) as client:
            stream = client.makefile("rb")
            stream.readline()
            client.sendall(b"EHLO client.test\n")
            self.assertTrue(stream.readline().startswith(b"500"))
            stream.close()

    def test_the_script_answers_for_its_recipients(self):
        self.start(script={"gone": "550 5.1.1 no such user", "full": {"data": ["452 4.2.2 full"]}, "cut": {"data": "drop"}})
        self.assertEqual(self.send(GOOD, to="gone@example.com"), (550, b"5.1.1 no such user"))
        self.assertEqual(self.send(GOOD, to="full@example.com"), (452, b"4.2.2 full"))
        self.assertEqual(self.send(GOOD, to="full@example.com")[0], 250)
        with self.assertRaises((smtplib.SMTPServerDisconnected, ConnectionError)):
            self.send(GOOD, to="cut@example.com")
        self.assertEqual(len(self.ledger()), 1)

    def test_starttls_and_login_can_be_required(self):
        cert, key = self.certificate()
        self.start("--starttls", cert, key, "--require-tls", "--auth", "ada:secret")
        trust = ssl.create_default_context(cafile=cert)
        with smtplib.SMTP("localhost", int(self.port)) as client:
            self.assertEqual(client.docmd("MAIL FROM:<a@example.com>")[0], 530)
            client.starttls(context=trust)
            client.ehlo()
            self.assertEqual(client.docmd("MAIL FROM:<a@example.com>")[0], 530)
            with self.assertRaises(smtplib.SMTPAuthenticationError):
                client.login("ada", "wrong")
            client.login("ada", "secret")
            client.sendmail("a@example.com", ["b@example.com"], GOOD)
        [record] = self.ledger()
        self.assertEqual((record["tls"], record["user"]), (True, "ada"))

    def test_tls_from_the_first_octet(self):
        cert, key = self.certificate()
        self.start("--implicit-tls", cert, key, "--auth", "ada:secret")
        with smtplib.SMTP_SSL("localhost", int(self.port), context=ssl.create_default_context(cafile=cert)) as client:
            client.login("ada", "secret")
            client.sendmail("a@example.com", ["b@example.com"], GOOD)
        [record] = self.ledger()
        self.assertEqual((record["tls"], record["user"]), (True, "ada"))


if __name__ == "__main__":
    unittest.main()
