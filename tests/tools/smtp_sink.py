#!/usr/bin/env python3
"""A strict SMTP server for the tests, on aiosmtpd: mail is judged by a server and a parser that Carillon did not write.

What it accepts is on disk, one JSON line per message, before it answers 250. It refuses bare CR or LF, NUL, lines over 998
octets, 8-bit octets that were not announced, and every message in which Python's own parser finds a defect.
"""

import argparse
import asyncio
import base64
import email
import email.policy
import functools
import hmac
import json
import logging
import os
import re
import signal
import ssl
import sys
import warnings
from email.errors import NonASCIILocalPartDefect

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

# RFC 5322 section 3.6: how often each of these may stand in a message (least, most).
COUNTS = {
    "From": (1, 1),
    "Date": (1, 1),
    "Sender": (0, 1),
    "Reply-To": (0, 1),
    "To": (0, 1),
    "Cc": (0, 1),
    "Bcc": (0, 1),
    "Message-ID": (0, 1),
    "In-Reply-To": (0, 1),
    "References": (0, 1),
    "Subject": (0, 1),
    "MIME-Version": (0, 1),
    "Content-Type": (0, 1),
    "Content-Transfer-Encoding": (0, 1),
}
LONGEST_LINE = 998
BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")


@functools.lru_cache(4096)
def parsed(utf8, name, value):
    policy = email.policy.SMTPUTF8 if utf8 else email.policy.SMTP
    return policy.header_fetch_parse(name, value)


class Policy(email.policy.EmailPolicy):
    """Python's policy parses a header again each time it is looked at, which would be three quarters of this server's work."""

    def header_fetch_parse(self, name, value):
        return parsed(self.utf8, name, value)


def parse(raw, utf8):
    """The message; one that was announced with SMTPUTF8 is text, of which Python's parser of octets knows nothing."""
    policy = Policy(linesep="\r\n", utf8=utf8)
    try:
        return email.message_from_string(raw.decode(), policy=policy) if utf8 else email.message_from_bytes(raw, policy=policy)
    except UnicodeDecodeError:
        return email.message_from_bytes(raw, policy=policy)


def faults(raw, utf8, eight_bit, message):
    """What is wrong with a message, as a list of short texts; empty when it may pass."""
    found = []
    if BARE.search(raw):
        found.append("bare CR or LF")
    if b"\0" in raw:
        found.append("NUL")
    if any(len(line) > LONGEST_LINE for line in raw.split(b"\r\n")):
        found.append(f"line over {LONGEST_LINE} octets")
    head, _, body = raw.partition(b"\r\n\r\n")
    if not utf8 and not head.isascii():
        found.append("8-bit octets in a header without SMTPUTF8")
    if not eight_bit and not body.isascii():
        found.append("8-bit octets in the body without BODY=8BITMIME")
    return found or parser_faults(message, utf8)


def parser_faults(message, utf8):
    """The defects that Python's parser finds in headers, structure and encodings."""
    found = []
    for name, (least, most) in COUNTS.items():
        count = len(message.get_all(name, []))
        if not least <= count <= most:
            found.append(f"{count} times {name}")
    for part in message.walk():
        if not part.is_multipart():
            part.get_payload(decode=True)  # a broken base64 or charset becomes a defect of the part
        for name, value in part.items():
            found += [f"{name}: {defect}" for defect in value.defects if not (utf8 and isinstance(defect, NonASCIILocalPartDefect))]
        found += [str(defect) or type(defect).__name__ for defect in part.defects]
    return found


def read(message):
    """What a person's mail program shows: the decoded headers in their order, and the decoded texts and file names."""
    texts, files = {}, []
    for part in message.walk():
        if part.get_filename() is not None:
            files.append(part.get_filename())
        elif part.get_content_maintype() == "text":
            texts[part.get_content_subtype()] = part.get_content().replace("\r\n", "\n")
    return {"headers": [[name, str(value)] for name, value in message.items()], "texts": texts, "files": files}


class Ledger:
    """Appends lines; whoever awaits `append` goes on once its line is on disk. Lines that wait together share one fsync."""

    def __init__(self, path):
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) if path else None
        self._waiting = []
        self._writer = None

    async def append(self, record):
        if self._file is None:
            return
        written = asyncio.get_running_loop().create_future()
        self._waiting.append((json.dumps(record).encode() + b"\n", written))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        await written

    async def _write(self):
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await asyncio.to_thread(self._sync, b"".join(line for line, _ in batch))
                outcome = None
            except OSError as error:
                outcome = error
            for _, written in batch:
                if written.cancelled():
                    continue
                written.set_exception(outcome) if outcome else written.set_result(None)
        self._writer = None

    def _sync(self, lines):
        while lines:
            lines = lines[os.write(self._file, lines) :]
        os.fsync(self._file)


class Script:
    """Answers for chosen recipients: local part -> answer, or {"rcpt": answer, "data": answer}.

    An answer is an SMTP reply, or a list of them that is used up from the front, one a try; once it is empty mail is accepted.
    The answer "drop" closes the connection instead.
    """

    def __init__(self, path):
        self._answers = {}
        if path:
            with open(path, encoding="utf-8") as file:
                self._answers = json.load(file)

    def answer(self, address, stage):
        entry = self._answers.get(address.rpartition("@")[0])
        if entry is not None and not isinstance(entry, dict):
            entry = {"rcpt": entry}
        answer = (entry or {}).get(stage)
        if isinstance(answer, list):
            answer = answer.pop(0) if answer else None
        return None if answer is None or answer.startswith("2") else answer


class Handler:
    def __init__(self, ledger, script, auth):
        self.ledger, self.script, self.auth = ledger, script, auth

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        return responses if self.auth else [line for line in responses if not line.startswith("250-AUTH")]

    async def handle_MAIL(self, server, session, envelope, address, options):
        if not address.isascii() and not envelope.smtp_utf8:
            return "553 5.6.7 an address with 8-bit octets needs SMTPUTF8"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if not address.isascii() and not envelope.smtp_utf8:
            return "553 5.6.7 an address with 8-bit octets needs SMTPUTF8"
        answer = self.script.answer(address, "rcpt")
        if answer:
            return self.refuse(server, answer)
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        raw = bytes(envelope.original_content)
        message = parse(raw, envelope.smtp_utf8)
        found = faults(raw, envelope.smtp_utf8, "BODY=8BITMIME" in envelope.mail_options, message)
        if found:
            text = "; ".join(found)[:400].encode("ascii", "replace").decode()
            print(f"refused: {text}", file=sys.stderr, flush=True)
            return "554 5.6.0 " + re.sub(r"[\r\n]+", " ", text)
        for address in envelope.rcpt_tos:
            answer = self.script.answer(address, "data")
            if answer:
                return self.refuse(server, answer)
        await self.ledger.append({
            "from": envelope.mail_from,
            "rcpt": envelope.rcpt_tos,
            "raw": base64.b64encode(raw).decode(),
            "tls": server.transport.get_extra_info("ssl_object") is not None,
            "user": session.auth_data,
            "utf8": envelope.smtp_utf8,
            **read(message),
        })
        return "250 2.0.0 accepted"

    async def handle_exception(self, error):
        return f"500 5.5.2 {error}"

    def authenticate(self, server, session, envelope, mechanism, login):
        given = login.login + b":" + login.password if isinstance(login, LoginPassword) else b""
        if self.auth and hmac.compare_digest(given, self.auth.encode()):
            return AuthResult(success=True, auth_data=login.login.decode())
        return AuthResult(success=False, handled=False)

    @staticmethod
    def refuse(server, answer):
        if answer == "drop":
            server.transport.abort()
        return answer


class Strict(SMTP):
    """aiosmtpd takes a command line that ends in a bare LF; this server does not."""

    def _cb_client_connected(self, reader, writer):
        until = reader.readuntil

        async def readuntil(separator=b"\n"):
            line = await until(separator)
            if separator == b"\n" and BARE.search(line):
                raise ValueError("bare CR or LF in a command line")
            return line

        reader.readuntil = readuntil
        super()._cb_client_connected(reader, writer)


def tls_context(pair):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(*pair)
    return context


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one; `ready PORT` on stdout says which")
    parser.add_argument("--ledger", metavar="FILE", help="where each accepted message becomes a JSON line")
    parser.add_argument("--starttls", nargs=2, metavar=("CERT", "KEY"), help="offer STARTTLS with this PEM pair")
    parser.add_argument("--require-tls", action="store_true", help="refuse mail before STARTTLS")
    parser.add_argument("--implicit-tls", nargs="*", metavar="CERT KEY", help="speak TLS from the first octet, with this pair or that of --starttls")
    parser.add_argument("--auth", metavar="USER:PASS", help="refuse mail without this login (PLAIN or LOGIN)")
    parser.add_argument("--script", metavar="FILE", help="JSON: answers for chosen local parts; see class Script")
    parser.add_argument("--while-stdin", action="store_true", help="end when standard input is closed")
    options = parser.parse_args()
    if options.implicit_tls == []:
        options.implicit_tls = options.starttls
    if options.implicit_tls is not None and len(options.implicit_tls) != 2:
        parser.error("--implicit-tls needs CERT and KEY, here or with --starttls")
    if options.require_tls and not (options.starttls or options.implicit_tls):
        parser.error("--require-tls needs --starttls or --implicit-tls")
    return options


async def main(options):
    loop = asyncio.get_running_loop()
    handler = Handler(Ledger(options.ledger), Script(options.script), options.auth)
    implicit = tls_context(options.implicit_tls) if options.implicit_tls else None
    offered = tls_context(options.starttls) if options.starttls and not implicit else None

    def session():
        return Strict(
            handler,
            hostname="sink.test",
            ident="strict sink",
            enable_SMTPUTF8=True,
            tls_context=offered,
            require_starttls=options.require_tls,
            auth_required=bool(options.auth),
            auth_require_tls=offered is not None,
            authenticator=handler.authenticate,
            loop=loop,
        )

    server = await loop.create_server(session, options.host, options.port, ssl=implicit)
    print(f"ready {server.sockets[0].getsockname()[1]}", flush=True)

    ended = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, ended.set)
    if options.while_stdin:
        loop.add_reader(sys.stdin, lambda: ended.set() if not os.read(sys.stdin.fileno(), 4096) else None)
    await ended.wait()
    server.close()


if __name__ == "__main__":
    warnings.filterwarnings("ignore")  # aiosmtpd warns of a login without TLS, which is what some tests want
    logging.getLogger("mail.log").setLevel(logging.ERROR)  # and at every login of a property of its own
    asyncio.run(main(arguments()))
