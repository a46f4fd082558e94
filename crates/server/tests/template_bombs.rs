//! Fault test F30 through the whole house: hostile templates, 32 at once, are refused one by one; whoever sends honestly
//! beside them is served, and the process stays as big as it was.
#![expect(clippy::unwrap_used, reason = "a test ends where it is surprised")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use carillon_testkit::house::House;
use carillon_testkit::on_both_databases;
use carillon_testkit::process::{Carillon, Client};
use serde_json::{Value, json};
use tokio::task::JoinSet;

const BINARY: &str = env!("CARGO_BIN_EXE_carillon");
const SEND: &str = "/api/v1/notifications/send";
const AT_ONCE: usize = 32;
const PATIENCE: Duration = Duration::from_secs(30);
/// What the process may grow by, in KiB: each bomb would take gigabytes.
const GROWTH: u64 = 256 * 1024;

/// Work, memory, recursion and depth without end. The first ones compile, and are refused when they run.
fn bombs() -> Vec<String> {
    let loops = "{% for a in range(1000) %}{% for b in range(1000) %}{% for c in range(1000) %}x{% endfor %}{% endfor %}{% endfor %}";
    vec![
        loops.to_owned(),
        "{{ 'x' * 1000000000 }}".to_owned(),
        "{{ ([1] * 1000000000)|length }}".to_owned(),
        format!("{{% set a = 'xxxxxxxx' %}}{}", "{% set a = a ~ a %}".repeat(60)),
        format!("{{% set a = [1] %}}{}{{{{ a|tojson }}}}", "{% set a = [a, a, a, a, a, a, a, a] %}".repeat(7)),
        "{{ ('a' * 100000)|replace('a', 'b' * 100000) }}".to_owned(),
        "{{ 9 ** 9 ** 9 ** 9 }}".to_owned(),
        "{% for i in range(9) %}{{ 'x' * 100000 }}{% endfor %}".to_owned(),
        "{% macro m(x) %}{{ m([x]) }}{% endmacro %}{{ m(1) }}".to_owned(),
        format!("{{{{ {}{} }}}}", "[".repeat(30_000), "]".repeat(30_000)),
        format!("{}{}", "{%if 1%}".repeat(3500), "{%endif%}".repeat(3500)),
    ]
}

fn sms(content: &Value) -> Value {
    let mut body = json!({"channel": "sms", "recipient": {"phone": "+441632960961"}});
    body.as_object_mut().unwrap().extend(content.as_object().unwrap().clone());
    body
}

async fn bombs_are_refused_and_honest_senders_served(house: &House) {
    let (carillon, client) = house.open();
    let templates = publish(&client).await;
    let before = peak(&carillon);

    let over = Arc::new(AtomicBool::new(false));
    let honest = tokio::spawn({
        let (client, over) = (client.clone(), Arc::clone(&over));
        async move {
            let mut sent = Vec::new();
            while !over.load(Ordering::Relaxed) || sent.is_empty() {
                let (status, answer) = client.post(SEND, &sms(&json!({"directContent": {"text": "Hi"}}))).await;
                assert_eq!(status, 202, "beside the bombs: {answer}");
                sent.push(answer["uuid"].as_str().unwrap().to_owned());
            }
            sent
        }
    });
    let direct =
        bombs().into_iter().map(|bomb| (sms(&json!({"directContent": {"text": bomb}})), "/directContent/text"));
    let stored = templates.iter().map(|code| (sms(&json!({"template": code})), "/template/text"));
    for (body, pointer) in direct.chain(stored) {
        at_once(&client, &body, pointer).await;
    }
    over.store(true, Ordering::Relaxed);
    let sent = honest.await.unwrap();
    for uuid in &sent {
        client.until_status(uuid, &["sent"], PATIENCE).await;
    }
    assert!(peak(&carillon) < before + GROWTH, "{before} KiB before, {} KiB after", peak(&carillon));
    let (_, list) = client.get("/api/v1/notifications?limit=200").await;
    let rows = list["data"].as_array().unwrap().len();
    assert_eq!(rows, sent.len().min(200), "a bomb was stored");
}

/// The same request 32 times at the same time: each is refused where it went wrong.
async fn at_once(client: &Client, body: &Value, pointer: &str) {
    let mut calls = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (client, body) = (client.clone(), body.clone());
        calls.spawn(async move { client.post(SEND, &body).await });
    }
    while let Some(answer) = calls.join_next().await {
        let (status, problem) = answer.unwrap();
        assert_eq!(status, 422, "{body} → {problem}");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body} → {problem}");
        let code = problem["errors"][0]["code"].as_str().unwrap();
        assert!(code.starts_with("template_"), "{problem}");
    }
}

/// Makes each bomb a template. Those that do not compile are refused here; the others' codes.
async fn publish(client: &Client) -> Vec<String> {
    let mut published = Vec::new();
    for (index, bomb) in bombs().into_iter().enumerate() {
        let code = format!("bomb-{index}");
        let (status, made) = client.post("/api/v1/templates", &json!({"code": code})).await;
        assert_eq!(status, 201, "{made}");
        let version = json!({"defaultLocale": "en", "localizations": {"en": {"sms": {"text": bomb}}}});
        let (status, problem) = client.post(&format!("/api/v1/templates/{code}/versions"), &version).await;
        if status == 422 {
            assert_eq!(problem["errors"][0]["pointer"], "/localizations/en/sms/text", "{problem}");
            continue;
        }
        assert_eq!(status, 201, "{problem}");
        client.post(&format!("/api/v1/templates/{code}/versions/1/publish"), &json!({})).await;
        published.push(code);
    }
    assert!(published.len() >= 5, "{published:?}");
    published
}

/// The most memory that the process has had, in KiB.
fn peak(carillon: &Carillon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", carillon.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

on_both_databases!(bombs_are_refused_and_honest_senders_served);
