//! Logs, metrics and errors tell what happened and to which request, and nothing about whom or what: unusual words are put
//! everywhere, mishaps are provoked at the loudest level, and the words are looked for.
#![expect(clippy::unwrap_used, reason = "a test ends where it is surprised")]

use std::time::Duration;

use carillon_testkit::ledger::Ledger;
use carillon_testkit::port::free_port;
use carillon_testkit::process::{Client, Launch};
use carillon_testkit::smtp::{At, SmtpAnswer, SmtpSetup, SmtpStandIn};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_carillon");
const PATIENCE: Duration = Duration::from_secs(15);

/// Recipients, content and secrets.
const WORDS: [&str; 10] = [
    "zeisig",
    "Zaunkönig",
    "Rotkehlchen",
    "Nachtigall",
    "15799887766",
    "gimpel-token",
    "Kleiber",
    "Stieglitz-password",
    "Stieglitz%2Dpassword",
    "ck_live_Kernbeisser",
];

fn speaks_of(text: &str) -> Vec<&'static str> {
    WORDS.into_iter().filter(|word| text.contains(word)).collect()
}

fn email(local_part: &str) -> Value {
    json!({"channel": "email", "recipient": {"email": format!("{local_part}@example.com"), "name": "Zaunkönig"},
        "directContent": {"subject": "Rotkehlchen {{ word }}", "text": "Nachtigall"}, "variables": {"word": "Kleiber"}})
}

#[tokio::test]
async fn nobody_is_named_and_every_line_of_a_request_has_its_ids() {
    let login = ("user".to_owned(), "Stieglitz-password".to_owned());
    let server =
        SmtpStandIn::start(SmtpSetup { login: Some(login), ..SmtpSetup::default() }, Ledger::memory()).unwrap();
    server.script(
        "zeisig-gone",
        [SmtpAnswer::Reply(At::Rcpt, "550 5.1.1 <zeisig-gone@example.com> Zaunkönig is unknown")],
    );
    server.script("zeisig-busy", [SmtpAnswer::Reply(At::Rcpt, "451 4.3.0 zeisig-busy@example.com later")]);
    server.script("zeisig-cut", [SmtpAnswer::AcceptThenDrop]);
    let folder = tempfile::tempdir().unwrap();
    let mut carillon = Launch::new(BINARY, &folder.path().join("data"), free_port().unwrap())
        .env("CARILLON_LOG", "trace")
        .env("SMTP_URL", format!("smtp://user:Stieglitz%2Dpassword@127.0.0.1:{}?tls=none", server.port()))
        .start();
    let client = Client::new(carillon.url(""), carillon.key());
    let mut refusals = Vec::new();

    for (local_part, end) in
        [("zeisig", "sent"), ("zeisig-gone", "failed"), ("zeisig-busy", "sent"), ("zeisig-cut", "sent")]
    {
        let (_, accepted) = client.post("/api/v1/notifications/send", &email(local_part)).await;
        client.until_status(accepted["uuid"].as_str().unwrap(), &[end], PATIENCE).await;
        carillon.output();
    }
    for message in [
        json!({"channel": "sms", "recipient": {"phone": "+4915799887766"}, "directContent": {"text": "Nachtigall"}}),
        json!({"channel": "push", "recipient": {"pushToken": "gimpel-token"}, "directContent": {"title": "Rotkehlchen", "body": "x"}}),
    ] {
        assert_eq!(client.post("/api/v1/notifications/send", &message).await.0, 202);
    }
    for wrong in [
        json!({"channel": "email", "recipient": {"email": "zeisig"}, "directContent": {"subject": "s", "text": "Nachtigall"}}),
        json!({"channel": "email", "recipient": {"email": "zeisig@example.com"}, "directContent": {"subject": "{{ Kleiber", "text": "t"}}),
        json!({"channel": "sms", "recipient": {"phone": "+4915799887766000000"}, "directContent": {"text": "t"}}),
    ] {
        let (status, problem) = client.post("/api/v1/notifications/send", &wrong).await;
        assert_eq!(status, 422, "{problem}");
        refusals.push(problem.to_string());
    }
    let stranger = Client::new(carillon.url(""), "ck_live_KernbeisserKernbeisserKernbeisserKernbeisserKern");
    refusals.push(stranger.get("/api/v1/notifications?recipient=zeisig@example.com").await.1.to_string());
    client.get("/api/v1/notifications?recipient=zeisig@example.com").await;
    refusals.push(client.get("/api/v1/notifications/zeisig").await.1.to_string());
    refusals.push(client.get("/api/v1/zeisig?recipient=zeisig").await.1["detail"].to_string());

    let metrics = http_get(&carillon.url("/metrics")).await;
    assert!(metrics.contains("carillon_"), "{metrics}");
    carillon.signal(15);
    assert_eq!(carillon.wait(Duration::from_secs(25)), Some(0));
    let (key, log) = (carillon.key().to_owned(), carillon.output().to_owned());
    let log: Vec<&str> = log.lines().filter(|line| line.starts_with('{')).collect();
    assert!(log.iter().any(|line| line.contains("draining")), "the log was read to its end");

    for line in log.iter().copied().chain([metrics.as_str()]) {
        assert_eq!(speaks_of(line), [""; 0], "{line}");
        assert!(!line.contains(&key), "the key is in {line}");
    }
    for refusal in refusals {
        let secrets: Vec<_> = speaks_of(&refusal).into_iter().filter(|word| !word.starts_with("zeisig")).collect();
        assert_eq!(secrets, [""; 0], "{refusal}");
    }
    ids(&log);
}

/// Every line below a request has the two ids.
fn ids(log: &[&str]) {
    let lines = log.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let answered: Vec<_> = lines.filter(|line| line["target"] == "carillon_rest::edge").collect();
    assert!(answered.len() > 10, "{answered:?}");
    for line in answered {
        assert!(line["request_id"].is_string() && line["correlation_id"].is_string(), "{line}");
    }
}

async fn http_get(url: &str) -> String {
    let answer = reqwest::get(url).await.unwrap();
    answer.text().await.unwrap()
}
