//! SendGrid against its stand-in: every answer, and the loss of every answer, is told apart.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::time::{Duration, Instant};

use carillon_channels::http::HttpClient;
use carillon_channels::{SendGrid, SendGridConfig};
use carillon_domain::content::{Attachment, Content, Email};
use carillon_domain::delivery::{Failure, Fault, Outcome};
use carillon_ports::ChannelProvider as _;
use carillon_testkit::ledger::Ledger;
use carillon_testkit::sendgrid::{Answer, Call, SendGridStandIn};
use common::{TIMEOUT, clock, hello};

fn provider(base_url: String) -> SendGrid {
    let config = SendGridConfig {
        api_key: "SG.secret".into(),
        base_url: Some(base_url),
        from: "Bücher Shop <no-reply@shop.example>".to_owned(),
        clock: clock(),
    };
    SendGrid::new(config, HttpClient::new().unwrap()).unwrap()
}

fn start(script: impl Fn(&Call) -> Answer + Send + Sync + 'static) -> (SendGridStandIn, SendGrid) {
    let stand_in = SendGridStandIn::start("SG.secret", Ledger::memory(), script).unwrap();
    let provider = provider(stand_in.base_url());
    (stand_in, provider)
}

fn retry(outcome: Outcome) -> Failure {
    let Outcome::Retry(failure) = outcome else { panic!("{outcome:?}") };
    failure
}

fn unknown(outcome: Outcome) -> Failure {
    let Outcome::Unknown(failure) = outcome else { panic!("{outcome:?}") };
    failure
}

#[tokio::test]
async fn a_message_is_taken_once_with_its_uuid() {
    let (stand_in, provider) = start(|_| Answer::Accept);
    for _ in 0..20 {
        let message = hello("ada@x.example");
        let Outcome::Sent(receipt) = provider.send(&message, TIMEOUT).await else { panic!("must be sent") };
        assert_eq!(receipt.provider_message_id, Some(format!("sg-{}", message.uuid)));
        assert!(!receipt.delivered);
        assert_eq!(stand_in.ledger().count(&message.uuid.to_string()), 1);
    }
    assert_eq!((stand_in.ledger().total(), stand_in.refused()), (20, 0));
    assert_eq!(stand_in.connections(), 1, "the connection is kept");
}

#[tokio::test]
async fn everything_that_a_mail_can_have_keeps_the_contract() {
    let (stand_in, provider) = start(|_| Answer::Accept);
    let mut message = hello("ada@bücher.example");
    message.recipient.name = Some("Ada \"Queen\" Løvelace, 王".to_owned());
    message.content = Content::Email(Email {
        subject: "Grüße 🎉".to_owned(),
        text: Some("text".to_owned()),
        html: Some("<p>html".to_owned()),
        reply_to: Some("Support <help@bücher.example>".to_owned()),
        attachments: vec![Attachment {
            filename: "a.pdf".to_owned(),
            content_type: "application/pdf".to_owned(),
            content_base64: "AAAA".to_owned(),
        }],
    });
    assert!(matches!(provider.send(&message, TIMEOUT).await, Outcome::Sent(_)));
    assert_eq!(stand_in.ledger().effects()[0].to, "ada@xn--bcher-kva.example");
}

#[tokio::test]
async fn each_status_is_classified() {
    let (stand_in, provider) = start(|call| {
        let code: u16 = call.to.split('@').next().and_then(|code| code.parse().ok()).unwrap_or(500);
        Answer::status(code)
    });
    for (code, word) in [(400, "rejected"), (413, "message_too_large")] {
        let outcome = provider.send(&hello(&format!("{code}@x.example")), TIMEOUT).await;
        let Outcome::Failed(failure) = outcome else { panic!("{outcome:?}") };
        assert_eq!((failure.code, failure.fault), (word, Fault::Message));
        assert_eq!(failure.message, format!("{code}: scripted"));
    }
    for (code, word) in [
        (401, "authentication_refused"),
        (403, "forbidden_by_provider"),
        (404, "unexpected_answer"),
        (307, "unexpected_answer"),
        (429, "rate_limited"),
        (500, "provider_error"),
        (503, "provider_error"),
    ] {
        let failure = retry(provider.send(&hello(&format!("{code}@x.example")), TIMEOUT).await);
        assert_eq!((failure.code, failure.fault), (word, Fault::Provider), "{code}");
    }
    assert_eq!(stand_in.ledger().total(), 0);
}

#[tokio::test]
async fn a_wrong_key_is_the_accounts_trouble() {
    let stand_in = SendGridStandIn::start("another", Ledger::memory(), |_| Answer::Accept).unwrap();
    let failure = retry(provider(stand_in.base_url()).send(&hello("ada@x.example"), TIMEOUT).await);
    assert_eq!(failure.code, "authentication_refused");
    assert!(!failure.message.contains("SG.secret"));
}

#[tokio::test]
async fn it_says_when_to_come_back() {
    let (_stand_in, provider) = start(|call| {
        let headers = match call.number {
            0 => vec![("retry-after", "17".to_owned())],
            1 => vec![("retry-after", "Mon, 23 Nov 2026 10:00:40 GMT".to_owned())],
            // 2026-11-23T10:00:25Z
            2 => vec![("x-ratelimit-reset", "1795428025".to_owned())],
            3 => vec![("x-ratelimit-reset", "9999999999999".to_owned())],
            _ => vec![("retry-after", "soon".to_owned())],
        };
        Answer::Status(429, headers, "")
    });
    for seconds in [Some(17), Some(40), Some(25), Some(3600), None] {
        let failure = retry(provider.send(&hello("ada@x.example"), TIMEOUT).await);
        assert_eq!(failure.retry_after, seconds.map(Duration::from_secs));
    }
}

#[tokio::test]
async fn a_lost_answer_is_unknown() {
    let (stand_in, provider) = start(|call| match call.number {
        0 => Answer::AcceptThenHang,
        1 => Answer::AcceptThenClose,
        _ => Answer::AcceptThenReset,
    });
    let before = Instant::now();
    assert_eq!(unknown(provider.send(&hello("ada@x.example"), Duration::from_millis(300)).await).code, "timeout");
    assert!(before.elapsed() < Duration::from_secs(2));
    for _ in 0..2 {
        assert_eq!(unknown(provider.send(&hello("ada@x.example"), TIMEOUT).await).code, "connection_lost");
    }
    assert_eq!(stand_in.ledger().total(), 3);
    assert_eq!(stand_in.calls(), 3, "nothing was sent again");
}

#[tokio::test]
async fn nobody_there_is_not_unknown() {
    let port = carillon_testkit::port::free_port().unwrap();
    let provider = provider(format!("http://127.0.0.1:{port}"));
    let failure = retry(provider.send(&hello("ada@x.example"), TIMEOUT).await);
    assert_eq!((failure.code, failure.fault), ("connection_failed", Fault::Provider));
}

#[tokio::test]
async fn strange_answers_are_bounded_and_classified() {
    let (_stand_in, provider) = start(|call| match call.number {
        0 => Answer::Page,
        1 => Answer::Endless(200),
        2 => Answer::Endless(500),
        3 => Answer::Endless(202),
        _ => Answer::Status(400, vec![], "\u{0}\u{1}not json"),
    });
    let send = async || provider.send(&hello("ada@x.example"), TIMEOUT).await;
    assert_eq!(unknown(send().await).code, "unexpected_answer");
    assert_eq!(unknown(send().await).code, "unexpected_answer");
    let failure = retry(send().await);
    assert!(failure.message.len() < 1024);
    assert!(matches!(send().await, Outcome::Sent(_)));
    assert!(matches!(send().await, Outcome::Failed(_)));
}

#[tokio::test]
async fn headers_cannot_be_injected() {
    let (stand_in, provider) = start(|_| Answer::Accept);
    let mut message = hello("ada@x.example");
    message.recipient.name = Some("Ada\r\nBcc: eve@x.example".to_owned());
    assert!(matches!(provider.send(&message, TIMEOUT).await, Outcome::Failed(_)));
    assert!(matches!(provider.send(&hello("a\nb@x.example"), TIMEOUT).await, Outcome::Failed(_)));
    assert_eq!(stand_in.calls(), 0);
}
