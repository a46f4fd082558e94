//! A campaign: 10,000 templated e-mails in three languages through the batch endpoint to an SMTP server that is not ours,
//! with STARTTLS and AUTH, while the process is killed five times. Each arrives, in the right language, exactly once,
//! unless its timeline says that a call was cut off.
#![expect(clippy::unwrap_used, reason = "a test ends where it is surprised")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use carillon_testkit::certs::Certificate;
use carillon_testkit::house::House;
use carillon_testkit::on_both_databases;
use carillon_testkit::process::{Carillon, Client};
use carillon_testkit::strict_smtp::{Judged, StrictSmtp};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_carillon");
const MESSAGES: usize = 10_000;
const CHUNK: usize = 500;
/// The process dies while it takes these chunks, so long after the request has begun.
const KILLS: [(usize, Duration); 5] = [
    (3, Duration::ZERO),
    (7, Duration::from_millis(15)),
    (11, Duration::from_millis(40)),
    (14, Duration::from_millis(80)),
    (18, Duration::from_millis(160)),
];
/// Calls in flight to the provider: as many messages may be in doubt when the process dies, and no more.
const IN_FLIGHT: usize = 16;
/// How many mails arrive between two kills at least: each finds the process in the middle of sending.
const BETWEEN: usize = 300;
const PATIENCE: Duration = Duration::from_mins(3);
const BATCH: &str = "/api/v1/notifications/batch";

/// What recipients ask for, and in which language they are served.
const LOCALES: [(&str, &str); 5] = [("en", "en"), ("de", "de"), ("fr", "fr"), ("de-CH", "de"), ("it", "en")];

async fn every_mail_arrives_once_in_the_right_language_whatever_dies(house: &House) {
    let certificate = Certificate::new(house.folder()).unwrap();
    let (cert, key) = (certificate.cert.to_str().unwrap(), certificate.key.to_str().unwrap());
    let options = ["--starttls", cert, key, "--require-tls", "--auth", "carillon:secret"];
    let Some(judge) = StrictSmtp::start(&options).unwrap() else { return };
    let launch = house
        .launch()
        .env("SMTP_URL", format!("smtp://carillon:secret@localhost:{}?tls=required", judge.port()))
        .env("SMTP_CA_FILE", cert)
        .env("MAIL_FROM", "Shop <shop@example.com>")
        .env("CARILLON_LEASE_SECONDS", "5")
        .env("CARILLON_PROVIDER_CONCURRENCY", IN_FLIGHT.to_string());

    let mut carillon = launch.start();
    let client = Client::new(carillon.url(""), carillon.key());
    publish_template(&client).await;
    let mut lives = 1;
    let mut seen = 0;
    for chunk in 0..MESSAGES / CHUNK {
        let answer = if let Some((_, after)) = KILLS.iter().find(|(at, _)| *at == chunk) {
            until_taken(&judge, seen + BETWEEN).await;
            let request = tokio::spawn({
                let client = client.clone();
                async move { send(&client, chunk).await }
            });
            tokio::time::sleep(*after).await;
            carillon.kill();
            let cut_off = request.await.unwrap();
            seen = judge.taken().unwrap();
            carillon = launch.start();
            lives += 1;
            let repeated = send(&client, chunk).await.unwrap();
            assert!(cut_off.is_none_or(|first| first == repeated), "the repeated request has another answer");
            repeated
        } else {
            send(&client, chunk).await.unwrap()
        };
        assert_eq!((answer.0, &answer.1["accepted"]), (202, &json!(CHUNK)), "{answer:?}");
    }
    assert_eq!(lives, KILLS.len() + 1);

    until_taken(&judge, MESSAGES).await;
    let sent = all_sent(&carillon, &client).await;
    let judged = judge.judged().unwrap();
    once_or_flagged(&client, &sent, &judged).await;
    for mail in &judged {
        right(mail);
    }
}

/// Three languages with a variable each way: escaped in HTML, as it is in subject and text.
async fn publish_template(client: &Client) {
    let part =
        |subject: &str, text: &str, html: &str| json!({"email": {"subject": subject, "text": text, "html": html}});
    let version = json!({
        "defaultLocale": "en",
        "variables": [{"name": "order", "required": true}],
        "localizations": {
            "en": part("Order {{ order.id }} shipped", "Dear {{ order.who }}", "<p>Dear {{ order.who }}</p>"),
            "de": part("Bestellung {{ order.id }} versandt – schöne Grüße", "Liebe(r) {{ order.who }}", "<p>Liebe(r) {{ order.who }}</p>"),
            "fr": part("Commande {{ order.id }} expédiée", "Cher(e) {{ order.who }}", "<p>Cher(e) {{ order.who }}</p>"),
        }
    });
    for (path, body, status) in [
        ("/api/v1/templates", json!({"code": "shipped"}), 201),
        ("/api/v1/templates/shipped/versions", version, 201),
        ("/api/v1/templates/shipped/versions/1/publish", json!({}), 200),
    ] {
        let (got, answer) = client.post(path, &body).await;
        assert_eq!(got, status, "{answer}");
    }
}

/// Sends a chunk under its own key; `None` if the answer was cut off.
async fn send(client: &Client, chunk: usize) -> Option<(u16, Value)> {
    let item = |n: usize| {
        json!({
            "channel": "email", "template": "shipped", "locale": LOCALES[n % LOCALES.len()].0,
            "recipient": {"email": address(n), "name": format!("Zoë {n}")},
            "variables": {"order": {"id": n, "who": who(n)}},
        })
    };
    let items: Vec<_> = (chunk * CHUNK..(chunk + 1) * CHUNK).map(item).collect();
    client.try_post(BATCH, &json!({"notifications": items}), Some(&format!("chunk-{chunk}"))).await
}

fn address(n: usize) -> String {
    format!("user{n}@example.com")
}

fn who(n: usize) -> String {
    format!("<{n}> & Søn")
}

async fn until_taken(judge: &StrictSmtp, count: usize) {
    let until = Instant::now() + PATIENCE;
    while judge.taken().unwrap() < count {
        assert!(Instant::now() < until, "{} of {count} mails within {PATIENCE:?}", judge.taken().unwrap());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until all are sent; address → uuid, each address once.
async fn all_sent(carillon: &Carillon, client: &Client) -> BTreeMap<String, String> {
    let until = Instant::now() + PATIENCE;
    loop {
        let rows = all_rows(client).await;
        assert_eq!(rows.len(), MESSAGES, "a repeated request was accepted twice, or not at all");
        let waiting = rows.iter().filter(|row| row["status"] != "sent").count();
        if waiting == 0 {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let sent: BTreeMap<_, _> =
                rows.iter().map(|row| (text(&row["recipient"]["email"]), text(&row["uuid"]))).collect();
            assert_eq!(sent.len(), MESSAGES);
            return sent;
        }
        assert!(Instant::now() < until, "{waiting} are not sent; {}", carillon.url("/sandbox"));
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn all_rows(client: &Client) -> Vec<Value> {
    let mut rows = Vec::with_capacity(MESSAGES);
    let mut path = "/api/v1/notifications?limit=200".to_owned();
    loop {
        let (status, mut page) = client.get(&path).await;
        assert_eq!(status, 200, "{page}");
        rows.append(page["data"].as_array_mut().unwrap());
        let Some(next) = page["next"].as_str() else { return rows };
        path = format!("/api/v1/notifications?limit=200&cursor={next}");
    }
}

/// Each arrived; more than once only if its timeline says so, and no more often than calls were in flight.
async fn once_or_flagged(client: &Client, sent: &BTreeMap<String, String>, judged: &[Judged]) {
    let mut arrived: BTreeMap<&str, usize> = BTreeMap::new();
    for mail in judged {
        *arrived.entry(&mail.rcpt[0]).or_default() += 1;
    }
    let lost: Vec<_> = sent.keys().filter(|address| !arrived.contains_key(address.as_str())).collect();
    assert!(lost.is_empty(), "accepted and never sent: {lost:?}");
    assert_eq!(arrived.len(), sent.len(), "mails that nobody asked for");
    assert!(judged.len() - sent.len() <= KILLS.len() * IN_FLIGHT, "{} duplicates", judged.len() - sent.len());
    for (address, _) in arrived.iter().filter(|(_, count)| **count > 1) {
        let (_, timeline) = client.get(&format!("/api/v1/notifications/{}/timeline", sent[*address])).await;
        let flagged = timeline["data"].as_array().unwrap().iter().any(|entry| entry["type"] == "notification.unknown");
        assert!(flagged, "{address} got two, and nothing says so: {timeline}");
    }
}

/// Language, content, sender and transport of one mail.
fn right(mail: &Judged) {
    let [to] = mail.rcpt.as_slice() else { panic!("one recipient: {mail:?}") };
    let n: usize = to.strip_prefix("user").and_then(|rest| rest.strip_suffix("@example.com")).unwrap().parse().unwrap();
    let (subject, dear) = match LOCALES[n % LOCALES.len()].1 {
        "de" => (format!("Bestellung {n} versandt – schöne Grüße"), "Liebe(r)"),
        "fr" => (format!("Commande {n} expédiée"), "Cher(e)"),
        _ => (format!("Order {n} shipped"), "Dear"),
    };
    assert!(mail.tls && mail.user.as_deref() == Some("carillon"), "{mail:?}");
    assert_eq!(mail.header("Subject"), Some(subject.as_str()), "{mail:?}");
    assert_eq!(mail.header("To"), Some(format!("Zoë {n} <{to}>").as_str()), "{mail:?}");
    assert_eq!(mail.texts["plain"].trim_end(), format!("{dear} {}", who(n)), "{mail:?}");
    assert_eq!(mail.texts["html"].trim_end(), format!("<p>{dear} &lt;{n}&gt; &amp; Søn</p>"), "{mail:?}");
}

on_both_databases!(every_mail_arrives_once_in_the_right_language_whatever_dies);
