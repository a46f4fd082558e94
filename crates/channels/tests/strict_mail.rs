//! Nasty names, subjects and bodies at a server and a parser that are not ours: each message is one
//! message there, or is refused before it is written.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use carillon_channels::{Smtp, SmtpConfig};
use carillon_domain::content::{Attachment, Email};
use carillon_domain::delivery::Outcome;
use carillon_domain::message::Message;
use carillon_ports::ChannelProvider as _;
use carillon_testkit::strict_smtp::StrictSmtp;
use common::{TIMEOUT, clock, email};

const TEXTS: [&str; 16] = [
    "",
    "plain",
    ".",
    ".\r\n..\r\n.\r\n",
    "a\r\n.\r\nMAIL FROM:<eve@x.example>\r\nRCPT TO:<bob@x.example>\r\nDATA\r\nsmuggled\r\n.\r\n",
    "a\r.\rb",
    "a\n.\nb\n",
    "a\n\r.\n\rb",
    "a\r.\r\nb",
    "NUL\0 and \u{1}\u{7f}\u{8} bell \u{7}",
    "U+2028 \u{2028} U+2029 \u{2029} U+0085 \u{85}",
    "🎉 emoji שלום RTL \u{202e}abc\u{202c} e\u{301}",
    "trailing space \r\ntrailing tab\t\r\n \r\n",
    "From me\r\nFrom you",
    "=?utf-8?q?not_a_word?= =3D =",
    "--boundary\r\n--\r\n",
];

fn long() -> Vec<String> {
    vec![
        "x".repeat(5000),
        "ü".repeat(5000),
        "word ".repeat(2000),
        format!("{}\r\n.{}", "y".repeat(997), "z".repeat(998)),
    ]
}

async fn must_send(provider: &Smtp, message: &Message) {
    let outcome = provider.send(message, TIMEOUT).await;
    assert!(matches!(outcome, Outcome::Sent(_)), "{outcome:?}\n{message:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_message_in_is_one_message_at_a_strict_server() {
    let Some(judge) = StrictSmtp::start(&[]).unwrap() else { return };
    let provider = Smtp::new(SmtpConfig {
        url: format!("smtp://127.0.0.1:{}", judge.port()).into(),
        ca_file: None,
        from: "\"Shop, Bücher & <Söhne>\" <no-reply@bücher.example>".to_owned(),
        connections: 4,
        clock: clock(),
    })
    .unwrap();
    let mut sent = 0;

    let texts = TEXTS.iter().map(|text| (*text).to_owned()).chain(long());
    for text in texts {
        for (plain, html) in [(true, false), (false, true), (true, true)] {
            let attachments = vec![Attachment {
                filename: "Übersicht \"2026\".pdf".to_owned(),
                content_type: "message/rfc822".to_owned(),
                content_base64: "DQouDQoNCi4NCg==".to_owned(),
            }];
            let content = Email {
                subject: "Body".to_owned(),
                text: plain.then(|| text.clone()),
                html: html.then(|| text.clone()),
                reply_to: Some("\"Hilfe, schnell\" <help@bücher.example>".to_owned()),
                attachments: if plain && html { attachments } else { Vec::new() },
            };
            must_send(&provider, &email("ada@x.example", content)).await;
            sent += 1;
        }
    }

    let headers = [
        "Grüße aus Köln 🎉",
        "שלום",
        "a, b; c: d <e@f.example> \"q\" \\ (comment)",
        "=?utf-8?q?x?=",
        "",
        " lead",
        "trail ",
        "U+2028 \u{2028} U+202E \u{202e}",
        "e\u{301}\u{300}\u{302}",
        "@",
        ",",
        "\"",
        "'",
        "<>",
        "undisclosed:;",
    ];
    let headers =
        headers.into_iter().map(str::to_owned).chain(["x".repeat(1500), "ü".repeat(700), "long word ".repeat(150)]);
    for text in headers {
        let content = Email { subject: text.clone(), text: Some("x".to_owned()), ..Email::default() };
        let mut message = email("ada@bücher.example", content);
        message.recipient.name = Some(text.chars().take(255).collect());
        must_send(&provider, &message).await;
        sent += 1;
    }

    for to in ["a.b+c@x.example", "o'neil@x.example"] {
        must_send(&provider, &email(to, Email { text: Some("x".to_owned()), ..Email::default() })).await;
        sent += 1;
    }

    for bad in ["a\r\nBcc: eve@x.example", "a\nb", "a\rb", "a\0b"] {
        let subject = Email { subject: bad.to_owned(), text: Some("x".to_owned()), ..Email::default() };
        let reply_to = Email { reply_to: Some(bad.to_owned()), text: Some("x".to_owned()), ..Email::default() };
        let mut name = email("ada@x.example", Email::default());
        name.recipient.name = Some(bad.to_owned());
        let to = email(&format!("{bad}@x.example"), Email::default());
        for message in [email("ada@x.example", subject), email("ada@x.example", reply_to), name, to] {
            assert!(matches!(provider.send(&message, TIMEOUT).await, Outcome::Failed(_)), "{message:?}");
        }
    }

    let judged = judge.judged().unwrap();
    assert_eq!(judged.len(), sent);
    assert!(judged.iter().all(|mail| mail.rcpt.len() == 1 && mail.from == "no-reply@xn--bcher-kva.example"));
}
