//! The platform's accounts, the sandbox and the inbox.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::time::{Duration, Instant};

use carillon_channels::{PlatformAccounts, PlatformConfig, SendGridConfig, SmtpConfig};
use carillon_domain::content::{Content, Push, Sms};
use carillon_domain::delivery::Outcome;
use carillon_domain::tenant::KeyKind;
use carillon_domain::{Channel, TenantId};
use carillon_ports::Accounts as _;
use common::{clock, hello};

fn both() -> PlatformConfig {
    let from = "no-reply@shop.example".to_owned();
    PlatformConfig {
        smtp: Some(SmtpConfig {
            url: "smtp://127.0.0.1:1".into(),
            ca_file: None,
            from: from.clone(),
            connections: 4,
            clock: clock(),
        }),
        sendgrid: Some(SendGridConfig { api_key: "k".into(), base_url: None, from, clock: clock() }),
        ..PlatformConfig::default()
    }
}

#[test]
fn a_test_key_reaches_only_the_sandbox() {
    for config in [PlatformConfig::default(), both()] {
        let accounts = PlatformAccounts::new(config).unwrap();
        for channel in Channel::ALL {
            let account = accounts.choose(TenantId(7), channel, KeyKind::Test);
            assert_eq!((account.channel, account.provider.kind()), (channel, "sandbox"));
            assert!(account.internal);
            assert_eq!(account.concurrency, Some(512));
        }
    }
}

#[test]
fn live_mail_goes_by_smtp_then_sendgrid_then_the_sandbox() {
    let kind = |config| {
        let accounts = PlatformAccounts::new(config).unwrap();
        accounts.choose(TenantId(1), Channel::Email, KeyKind::Live).provider.kind()
    };
    assert_eq!(kind(both()), "smtp");
    assert_eq!(kind(PlatformConfig { smtp: None, ..both() }), "sendgrid");
    assert_eq!(kind(PlatformConfig::default()), "sandbox");
}

#[test]
fn indices_are_dense_and_places_right() {
    let accounts = PlatformAccounts::new(both()).unwrap();
    for (index, account) in accounts.all().iter().enumerate() {
        assert_eq!(usize::from(account.index), index);
    }
    for channel in Channel::ALL {
        assert_eq!(accounts.choose(TenantId(1), channel, KeyKind::Live).channel, channel);
    }
    assert_eq!(accounts.choose(TenantId(1), Channel::InApp, KeyKind::Live).provider.kind(), "in_app");
}

#[tokio::test(start_paused = true)]
async fn the_sandbox_keeps_what_it_gets_and_simulates() {
    let accounts = PlatformAccounts::new(PlatformConfig::default()).unwrap();
    let sandbox = accounts.choose(TenantId(1), Channel::Email, KeyKind::Test);
    let timeout = Duration::from_secs(30);
    let send = async |to: &str| sandbox.provider.send(&hello(to), timeout).await;

    let Outcome::Sent(receipt) = send("ada@x.example").await else { panic!("must be sent") };
    let capture = receipt.capture.unwrap();
    assert_eq!((receipt.delivered, capture.to.as_str()), (false, "ada@x.example"));
    assert_eq!(capture.content, hello("ada@x.example").content);

    assert!(matches!(send("delivered@sandbox.example").await, Outcome::Sent(receipt) if receipt.delivered));
    assert!(matches!(send("bounce+1@sandbox.example").await, Outcome::Failed(f) if f.code == "hard_bounce"));
    assert!(matches!(send("fail@sandbox.example").await, Outcome::Failed(f) if f.code == "rejected"));
    let before = tokio::time::Instant::now();
    assert!(matches!(send("delay@sandbox.example").await, Outcome::Sent(_)));
    assert_eq!(before.elapsed().as_secs(), 2);
    let before = tokio::time::Instant::now();
    assert!(matches!(send("timeout@sandbox.example").await, Outcome::Unknown(f) if f.code == "timeout"));
    assert_eq!(before.elapsed().as_secs(), 5);

    let mut sms = hello("x@x.example");
    sms.recipient.phone = Some("+15005550001".to_owned());
    sms.recipient.push_token = Some("sandbox-fail".to_owned());
    sms.content = Content::Sms(Sms::default());
    assert!(matches!(sandbox.provider.send(&sms, timeout).await, Outcome::Failed(f) if f.code == "hard_bounce"));
    sms.content = Content::Push(Push::default());
    assert!(matches!(sandbox.provider.send(&sms, timeout).await, Outcome::Failed(f) if f.code == "rejected"));
}

#[tokio::test]
async fn the_inbox_has_it_at_once() {
    let accounts = PlatformAccounts::new(PlatformConfig::default()).unwrap();
    let inbox = accounts.choose(TenantId(1), Channel::InApp, KeyKind::Live);
    let before = Instant::now();
    let outcome = inbox.provider.send(&hello("x@x.example"), Duration::from_secs(1)).await;
    assert!(matches!(outcome, Outcome::Sent(receipt) if receipt.delivered && receipt.capture.is_none()));
    assert!(before.elapsed() < Duration::from_millis(100));
}
