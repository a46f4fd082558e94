//! SMTP against its stand-in: every step of the dialogue can fail, and each failure means what it should.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::path::PathBuf;
use std::time::Duration;

use carillon_channels::{Smtp, SmtpConfig};
use carillon_domain::delivery::{Fault, Outcome};
use carillon_ports::ChannelProvider as _;
use carillon_testkit::certs::Certificate;
use carillon_testkit::ledger::Ledger;
use carillon_testkit::smtp::{At, SmtpAnswer, SmtpSetup, SmtpStandIn};
use common::{TIMEOUT, clock, hello};

fn provider(url: String, ca_file: Option<PathBuf>) -> Smtp {
    let from = "Bücher Shop <no-reply@shop.example>".to_owned();
    Smtp::new(SmtpConfig { url: url.into(), ca_file, from, connections: 4, clock: clock() }).unwrap()
}

fn start(setup: SmtpSetup) -> (SmtpStandIn, Smtp) {
    let stand_in = SmtpStandIn::start(setup, Ledger::memory()).unwrap();
    let provider = provider(format!("smtp://127.0.0.1:{}", stand_in.port()), None);
    (stand_in, provider)
}

#[track_caller]
fn provider_fault(outcome: &Outcome, code: &str) {
    assert!(
        matches!(outcome, Outcome::Retry(failure) if failure.code == code && failure.fault == Fault::Provider),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn messages_share_a_connection() {
    for pipelining in [false, true] {
        let (stand_in, provider) = start(SmtpSetup { pipelining, ..SmtpSetup::default() });
        for _ in 0..10 {
            let message = hello("ada@x.example");
            let outcome = provider.send(&message, TIMEOUT).await;
            let Outcome::Sent(receipt) = outcome else { panic!("{outcome:?}") };
            assert!(receipt.provider_message_id.unwrap().contains(&message.uuid.to_string()));
            assert_eq!(stand_in.ledger().count(&message.uuid.to_string()), 1);
        }
        assert_eq!(stand_in.connections(), 1);
        let raw = &stand_in.received()[0].raw;
        assert!(raw.contains("Date: Mon, 23 Nov 2026 10:00:00 +0000\r\n"), "{raw}");
        assert!(raw.contains("@shop.example>\r\n"), "{raw}");
    }
}

#[tokio::test]
async fn answers_at_each_step_are_told_apart() {
    for pipelining in [false, true] {
        let (stand_in, provider) = start(SmtpSetup { pipelining, ..SmtpSetup::default() });
        for at in [At::Rcpt, At::Data, At::Body] {
            stand_in.script("gone", [SmtpAnswer::Reply(at, "550 5.1.1 no such user gone@x.example")]);
            let outcome = provider.send(&hello("gone@x.example"), TIMEOUT).await;
            let Outcome::Failed(failure) = &outcome else { panic!("{outcome:?}") };
            assert_eq!(failure.fault, Fault::Message);
            assert_eq!(failure.code, if at == At::Rcpt { "mailbox_unavailable" } else { "rejected" });
            assert!(!failure.message.contains("gone"), "{}", failure.message);

            stand_in.script("busy", [SmtpAnswer::Reply(at, "450 4.2.0 later")]);
            let outcome = provider.send(&hello("busy@x.example"), TIMEOUT).await;
            assert!(matches!(&outcome, Outcome::Retry(failure) if failure.fault == Fault::Message), "{outcome:?}");

            stand_in.script("down", [SmtpAnswer::Reply(at, "451 4.3.0 down")]);
            provider_fault(&provider.send(&hello("down@x.example"), TIMEOUT).await, "provider_error");
        }
        assert_eq!(stand_in.connections(), 1, "a refused message leaves the connection as it was");
        assert!(matches!(provider.send(&hello("gone@x.example"), TIMEOUT).await, Outcome::Sent(_)));
        assert_eq!(stand_in.ledger().total(), 1);

        stand_in.script("away", [SmtpAnswer::Reply(At::Rcpt, "421 4.3.2 shutting down")]);
        provider_fault(&provider.send(&hello("away@x.example"), TIMEOUT).await, "service_unavailable");
        assert!(matches!(provider.send(&hello("away@x.example"), TIMEOUT).await, Outcome::Sent(_)));
        assert_eq!(stand_in.connections(), 2);
    }
}

#[tokio::test]
async fn a_lost_answer_is_unknown_only_after_the_message() {
    let (stand_in, provider) = start(SmtpSetup::default());
    let short = Duration::from_millis(300);
    for at in [At::Rcpt, At::Data] {
        stand_in.script("cut", [SmtpAnswer::Drop(at)]);
        provider_fault(&provider.send(&hello("cut@x.example"), TIMEOUT).await, "connection_lost");
        stand_in.script("slow", [SmtpAnswer::Hang(at)]);
        provider_fault(&provider.send(&hello("slow@x.example"), short).await, "timeout");
    }
    assert_eq!(stand_in.ledger().total(), 0);
    for (answer, code) in [
        (SmtpAnswer::Drop(At::Body), "connection_lost"),
        (SmtpAnswer::AcceptThenDrop, "connection_lost"),
        (SmtpAnswer::Hang(At::Body), "timeout"),
        (SmtpAnswer::AcceptThenHang, "timeout"),
    ] {
        stand_in.script("lost", [answer]);
        let outcome = provider.send(&hello("lost@x.example"), short).await;
        assert!(matches!(&outcome, Outcome::Unknown(failure) if failure.code == code), "{outcome:?}");
    }
    assert_eq!((stand_in.ledger().total(), stand_in.ledger().duplicates()), (2, 0));
}

#[tokio::test]
async fn an_idle_connection_that_was_closed_costs_nothing() {
    let (stand_in, provider) = start(SmtpSetup::default());
    for _ in 0..5 {
        assert!(matches!(provider.send(&hello("ada@x.example"), TIMEOUT).await, Outcome::Sent(_)));
        stand_in.hang_up();
    }
    // At once, and after the end has arrived.
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(matches!(provider.send(&hello("ada@x.example"), TIMEOUT).await, Outcome::Sent(_)));
    assert_eq!((stand_in.ledger().total(), stand_in.ledger().duplicates()), (6, 0));
}

#[tokio::test]
async fn nobody_there_or_unwilling() {
    let port = carillon_testkit::port::free_port().unwrap();
    let outcome = provider(format!("smtp://127.0.0.1:{port}"), None).send(&hello("a@x.example"), TIMEOUT).await;
    provider_fault(&outcome, "connection_failed");
    let (_stand_in, unwilling) = start(SmtpSetup { greeting: Some("554 no"), ..SmtpSetup::default() });
    provider_fault(&unwilling.send(&hello("a@x.example"), TIMEOUT).await, "service_unavailable");
}

#[tokio::test]
async fn connections_are_bounded() {
    let (stand_in, provider) = start(SmtpSetup::default());
    let sends = (0..40).map(|_| async { provider.send(&hello("ada@x.example"), TIMEOUT).await });
    for outcome in futures_util::future::join_all(sends).await {
        assert!(matches!(outcome, Outcome::Sent(_)), "{outcome:?}");
    }
    assert_eq!(stand_in.ledger().distinct(), 40);
    assert!(stand_in.connections() <= 4, "{}", stand_in.connections());
}

#[tokio::test]
async fn a_message_over_the_limit_fails_before_it_is_written() {
    let (stand_in, provider) = start(SmtpSetup { size: Some(100), ..SmtpSetup::default() });
    let outcome = provider.send(&hello("ada@x.example"), TIMEOUT).await;
    assert!(matches!(&outcome, Outcome::Failed(failure) if failure.code == "message_too_large"), "{outcome:?}");
    assert_eq!(stand_in.ledger().total(), 0);
}

#[tokio::test]
async fn logins() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = Certificate::new(folder.path()).unwrap();
    let ca = Some(certificate.cert.clone());
    for mechanisms in ["PLAIN LOGIN", "LOGIN", "PLAIN", "CRAM-MD5"] {
        let setup = SmtpSetup {
            starttls: Some(certificate.clone()),
            login: Some(("ada@shop.example".to_owned(), "p%ss:wörd".to_owned())),
            mechanisms: Some(mechanisms),
            ..SmtpSetup::default()
        };
        let stand_in = SmtpStandIn::start(setup, Ledger::memory()).unwrap();
        let url = |password| format!("smtp://ada%40shop.example:{password}@localhost:{}", stand_in.port());
        let outcome = provider(url("p%25ss%3Aw%C3%B6rd"), ca.clone()).send(&hello("a@x.example"), TIMEOUT).await;
        if mechanisms == "CRAM-MD5" {
            provider_fault(&outcome, "authentication_unavailable");
            continue;
        }
        assert!(matches!(outcome, Outcome::Sent(_)), "{mechanisms}: {outcome:?}");
        let received = &stand_in.received()[0];
        assert_eq!((received.tls, received.user.as_deref()), (true, Some("ada@shop.example")));
        let outcome = provider(url("wrong"), ca.clone()).send(&hello("a@x.example"), TIMEOUT).await;
        provider_fault(&outcome, "authentication_refused");
    }
}

#[tokio::test]
async fn tls_is_what_the_url_says() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = Certificate::new(folder.path()).unwrap();
    let ca = Some(certificate.cert.clone());
    let message = hello("a@x.example");

    let implicit = SmtpSetup { implicit_tls: Some(certificate.clone()), ..SmtpSetup::default() };
    let stand_in = SmtpStandIn::start(implicit, Ledger::memory()).unwrap();
    let url = format!("smtps://127.0.0.1:{}", stand_in.port());
    assert!(matches!(provider(url.clone(), ca.clone()).send(&message, TIMEOUT).await, Outcome::Sent(_)));
    // An unknown authority is the account's trouble: it must never be sent to whoever answers there.
    provider_fault(&provider(url, None).send(&message, TIMEOUT).await, "tls_failed");

    let offered = SmtpSetup { starttls: Some(certificate), ..SmtpSetup::default() };
    let stand_in = SmtpStandIn::start(offered, Ledger::memory()).unwrap();
    for (tls, secured) in [("none", false), ("opportunistic", true), ("required", true)] {
        let url = format!("smtp://localhost:{}?tls={tls}", stand_in.port());
        assert!(matches!(provider(url, ca.clone()).send(&message, TIMEOUT).await, Outcome::Sent(_)), "{tls}");
        assert_eq!(stand_in.received().last().unwrap().tls, secured, "{tls}");
    }

    let stand_in = SmtpStandIn::start(SmtpSetup::default(), Ledger::memory()).unwrap();
    let url = format!("smtp://localhost:{}?tls=required", stand_in.port());
    provider_fault(&provider(url, ca).send(&message, TIMEOUT).await, "tls_unavailable");
    assert_eq!(stand_in.ledger().total(), 0);
}

// The strict server's parser knows no such addresses, so this stands here.
#[tokio::test]
async fn an_address_beyond_ascii_asks_for_smtputf8() {
    let (stand_in, provider) = start(SmtpSetup::default());
    assert!(matches!(provider.send(&hello("jürgen@bücher.example"), TIMEOUT).await, Outcome::Sent(_)));
    let received = &stand_in.received()[0];
    assert_eq!(received.to, "jürgen@xn--bcher-kva.example");
    assert!(received.raw.contains("To: jürgen@xn--bcher-kva.example\r\n"), "{}", received.raw);
    assert_eq!(received.parameters, " SMTPUTF8");

    let (stand_in, provider) = start(SmtpSetup { ascii_only: true, ..SmtpSetup::default() });
    let outcome = provider.send(&hello("jürgen@bücher.example"), TIMEOUT).await;
    assert!(matches!(&outcome, Outcome::Failed(failure) if failure.code == "smtputf8_unsupported"), "{outcome:?}");
    assert!(matches!(provider.send(&hello("ada@bücher.example"), TIMEOUT).await, Outcome::Sent(_)));
    assert_eq!(stand_in.connections(), 1);
}
