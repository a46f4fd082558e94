//! Fault test F32 through the whole house: hostile names, subjects, addresses and texts over REST to a strict SMTP server
//! that is not ours. As many messages arrive as were accepted, each with the headers that we write and no other.
#![expect(clippy::unwrap_used, reason = "a test ends where it is surprised")]

use std::collections::BTreeMap;
use std::time::Duration;

use carillon_testkit::house::House;
use carillon_testkit::on_both_databases;
use carillon_testkit::strict_smtp::{Judged, StrictSmtp};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_carillon");
const BATCH: &str = "/api/v1/notifications/batch";
const PATIENCE: Duration = Duration::from_secs(30);

/// What goes into the message's head.
const WORDS: [&str; 22] = [
    "plain",
    "Grüße aus Köln 🎉",
    "שלום, עולם",
    "\u{202e}gnp.exe\u{202c}",
    "e\u{301}\u{300}\u{302}",
    "a, b; c: d <eve@x.example> \"q\" \\ (comment)",
    "Eve\" <eve@x.example>, \"",
    "=?utf-8?q?not_a_word?=",
    "=?utf-8?b?DQpCY2M6IGV2ZUB4LmV4YW1wbGU=?=",
    "Bcc: eve@x.example",
    ".",
    "@",
    ",",
    "\"",
    "\\",
    "<>",
    "undisclosed:;",
    "a\r\nBcc: eve@x.example",
    "a\rb",
    "a\nb",
    "a\u{0}b",
    "a\u{2028}b\u{2029}c\u{85}d",
];

/// What goes into the message's text.
const TEXTS: [&str; 14] = [
    ".",
    ".\r\n..\r\n.\r\n",
    "a\r\n.\r\nMAIL FROM:<eve@x.example>\r\nRCPT TO:<bob@x.example>\r\nDATA\r\nsmuggled\r\n.\r\n",
    "a\r.\rb",
    "a\n.\nb\n",
    "a\n\r.\n\rb",
    "a\r.\r\nb",
    "bell \u{7} and \u{1}\u{7f}\u{8}",
    "U+2028 \u{2028} U+2029 \u{2029} U+0085 \u{85}",
    "🎉 שלום \u{202e}abc\u{202c} e\u{301}",
    "trailing space \r\ntrailing tab\t\r\n \r\nend",
    "From me\r\nFrom you",
    "=?utf-8?q?not_a_word?= =3D =",
    "--boundary\r\n--\r\n",
];

async fn one_message_in_is_one_message_out_and_no_header_is_added(house: &House) {
    let Some(judge) = StrictSmtp::start(&[]).unwrap() else { return };
    let launch = house
        .launch()
        .env("SMTP_URL", format!("smtp://127.0.0.1:{}?tls=none", judge.port()))
        .env("MAIL_FROM", "\"Shop, Bücher & <Söhne>\" <shop@example.com>");
    let carillon = launch.start();
    let client = carillon_testkit::process::Client::new(carillon.url(""), carillon.key());

    let sent = requests();
    let (status, answer) = client.post(BATCH, &json!({"notifications": sent})).await;
    assert_eq!(status, 202, "{answer}");
    let mut accepted = BTreeMap::new();
    for (request, result) in sent.iter().zip(answer["results"].as_array().unwrap()) {
        if let Some(uuid) = result["uuid"].as_str() {
            client.until_status(uuid, &["sent"], PATIENCE).await;
            accepted.insert(uuid.to_owned(), request);
        } else {
            assert!(may_be_refused(request), "refused for no reason: {request} → {result}");
        }
    }

    let judged = judge.judged().unwrap();
    assert_eq!(judged.len(), accepted.len());
    assert!(accepted.len() > 2 * WORDS.len(), "{} accepted", accepted.len());
    for mail in &judged {
        let id = mail.header("Message-ID").unwrap().trim_start_matches('<');
        let request = accepted.remove(id.split('@').next().unwrap()).unwrap_or_else(|| panic!("twice: {mail:?}"));
        exact(mail, request);
    }
}

/// Each word in each place of the head, alone and as a template's variable; each text as text, as HTML and as both.
fn requests() -> Vec<Value> {
    let long = ["x".repeat(5000), "ü".repeat(5000), format!("{}\r\n.{}", "y".repeat(997), "z".repeat(998))];
    let mut requests = Vec::new();
    let hello = || json!({"channel": "email", "recipient": {"email": "ada@example.com"}, "directContent": {"subject": "Hello", "text": "x"}});
    for word in WORDS.iter().copied().chain([long[0].get(..200).unwrap(), &long[1], &long[0]]) {
        let mut named = hello();
        named["recipient"]["name"] = json!(word);
        let mut subject = hello();
        subject["directContent"]["subject"] = json!("{{ v }}");
        subject["variables"] = json!({"v": word});
        let mut file = hello();
        file["directContent"]["attachments"] =
            json!([{"filename": word, "contentType": "text/plain", "contentBase64": "Lg0KLg0K"}]);
        requests.extend([named, subject, file]);
    }
    for text in TEXTS.iter().copied().chain(long.iter().map(String::as_str)) {
        for part in [
            json!({"text": "{{ v }}"}),
            json!({"html": "{{ v | safe }}"}),
            json!({"text": "{{ v }}", "html": "<p>{{ v }}</p>"}),
        ] {
            let mut body = hello();
            body["directContent"] = part;
            body["directContent"]["subject"] = json!("Text");
            body["directContent"]["replyTo"] = json!("help@bücher.example");
            body["variables"] = json!({"v": text});
            requests.push(body);
        }
    }
    for address in ["o'hara+news@example.com", "ada@bücher.example", "jürgen@example.com", "שלום@example.com"] {
        let mut body = hello();
        body["recipient"]["email"] = json!(address);
        requests.push(body);
    }
    requests
}

/// Whether a place of the head holds what cannot stand there.
fn may_be_refused(request: &Value) -> bool {
    let breaks = |text: &str| text.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let name = text(&request["recipient"]["name"]);
    let file = text(&request["directContent"]["attachments"][0]["filename"]);
    let in_subject = request["directContent"]["subject"] == "{{ v }}";
    breaks(&name)
        || name.chars().count() > 200
        || breaks(&file)
        || file.contains('\\')
        || file.len() > 255
        || (in_subject && text(&request["variables"]["v"]).contains(['\r', '\n', '\0']))
}

/// The head is what we write; subject, text and file name arrive as they were meant.
fn exact(mail: &Judged, request: &Value) {
    let content = &request["directContent"];
    let shown = (&mail.headers, &mail.texts, &mail.files);
    let mut expected = vec!["Content-Type", "Date", "From", "MIME-Version", "Message-ID", "Subject", "To"];
    if content["replyTo"].is_string() {
        expected.push("Reply-To");
    }
    let mut names: Vec<_> = mail.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.retain(|name| *name != "Content-Transfer-Encoding");
    names.sort_unstable();
    expected.sort_unstable();
    assert_eq!(names, expected, "{request} → {shown:?}");
    let address = request["recipient"]["email"].as_str().unwrap().replace("bücher", "xn--bcher-kva");
    assert_eq!(mail.rcpt, [address.as_str()], "{request}");
    assert_eq!(mail.from, "shop@example.com");
    let unquoted = |text: &str| text.replace(['"', '\\'], "");
    let to = request["recipient"]["name"].as_str().map_or(address.clone(), |name| format!("{name} <{address}>"));
    assert_eq!(unquoted(mail.header("To").unwrap()).trim(), unquoted(&to).trim(), "{shown:?}");

    let value = request["variables"]["v"].as_str().unwrap_or("x");
    let subject = content["subject"].as_str().unwrap().replace("{{ v }}", value);
    let subject: String = subject.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    assert_eq!(mail.header("Subject").unwrap().trim(), subject.trim(), "{shown:?}");
    let lines = |text: &str| text.replace("\r\n", "\n").replace('\r', "\n").trim_end_matches('\n').to_owned();
    if let Some(text) = content["text"].as_str() {
        assert_eq!(lines(&mail.texts["plain"]), lines(&text.replace("{{ v }}", value)), "{shown:?}");
    }
    if content["html"] == "{{ v | safe }}" {
        assert_eq!(lines(&mail.texts["html"]), lines(value), "{shown:?}");
    }
    if let Some(file) = content["attachments"][0]["filename"].as_str() {
        // What looks like an encoded word in a file's name is taken apart, so that nobody decodes it.
        // And Python takes angle brackets off.
        let bare = |name: &str| name.trim_matches(['<', '>']).to_owned();
        assert_eq!(
            mail.files.iter().map(|name| bare(name)).collect::<Vec<_>>(),
            [bare(&file.replace("=?", "= ?"))],
            "{shown:?}"
        );
    }
}

on_both_databases!(one_message_in_is_one_message_out_and_no_header_is_added);
