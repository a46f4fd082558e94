//! What was asked and what was answered, so that two runs can be compared.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use carillon_testkit::process::Client;
use serde_json::Value;

use crate::names::Names;

const PATIENCE: Duration = Duration::from_secs(20);
const SETTLED: [&str; 6] = ["sent", "delivered", "failed", "cancelled", "skipped", "unknown"];
/// Headers that are part of an answer.
const HEADERS: [&str; 9] = [
    "content-type",
    "location",
    "idempotency-replayed",
    "www-authenticate",
    "allow",
    "retry-after",
    "cache-control",
    "x-request-id",
    "x-correlation-id",
];

/// A request and its answer, without what no two runs share.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) request: String,
    pub(crate) status: u16,
    pub(crate) answer: String,
}

impl Step {
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.request == other.request && self.answer == other.answer
    }
}

pub(crate) struct Transcript {
    client: Client,
    names: Names,
    pub(crate) steps: Vec<Step>,
}

impl Transcript {
    pub(crate) fn new(client: Client, at: &str) -> Self {
        Self { client, names: Names::new(at), steps: Vec::new() }
    }

    /// From now on with these credentials; the ones before.
    pub(crate) fn sign_in(&mut self, key: &str) -> Client {
        let other = self.client.with_key(key);
        std::mem::replace(&mut self.client, other)
    }

    pub(crate) fn sign_back(&mut self, client: Client) {
        self.client = client;
    }

    pub(crate) async fn get(&mut self, path: &str) -> Value {
        self.call("GET", path, &[], None).await
    }

    pub(crate) async fn post(&mut self, path: &str, body: Value) -> Value {
        self.call("POST", path, &[], Some(body)).await
    }

    /// An action: no body.
    pub(crate) async fn act(&mut self, path: &str) -> Value {
        self.call("POST", path, &[], None).await
    }

    pub(crate) async fn delete(&mut self, path: &str) -> Value {
        self.call("DELETE", path, &[], None).await
    }

    pub(crate) async fn call(
        &mut self,
        method: &'static str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Value {
        let number = self.steps.len();
        let id = format!("step-{number}");
        let mut all = vec![("x-request-id", id.as_str())];
        all.extend_from_slice(headers);
        let sent = body.map_or_else(String::new, |body| body.to_string());
        if !sent.is_empty() {
            all.push(("content-type", "application/json"));
        }
        let answer = self.client.ask(method, path, &all, sent.clone()).await;

        let kind = kind_of(path);
        let mut said = answer.status.to_string();
        for name in HEADERS {
            if let Some(value) = answer.header(name) {
                let value = if name == "location" { self.names.path(value) } else { self.names.text(value) };
                let _ = write!(said, " {name}={value}");
            }
        }
        // A page for people or machines outside the version says more of the process than of the rows.
        if path.starts_with("/api/v1/") || path.starts_with("/problems/") {
            let _ = write!(said, " {}", self.names.body(&kind, &answer.body));
        }
        let shown = self.names.path(path);
        let request = format!("{number}. {method} {shown} {headers:?} {sent}");
        self.steps.push(Step { method, path: path.to_owned(), request, status: answer.status, answer: said });
        answer.body
    }

    /// Waits, outside the record, until nothing more will happen by itself.
    pub(crate) async fn settle(&mut self, notification: &Value) -> String {
        let uuid = notification["uuid"].as_str().unwrap_or_else(|| panic!("accepted: {notification}")).to_owned();
        let until = Instant::now() + PATIENCE;
        loop {
            let answer = self.client.ask("GET", &format!("/api/v1/notifications/{uuid}"), &[], "").await;
            if SETTLED.iter().any(|status| answer.body["status"] == *status) {
                return uuid;
            }
            assert!(Instant::now() < until, "not settled: {}", answer.body);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// All pages of a list; the rows of all of them.
    pub(crate) async fn pages(&mut self, path: &str) -> Vec<Value> {
        let mut rows = Vec::new();
        let mut page = self.get(path).await;
        loop {
            rows.append(page["data"].as_array_mut().unwrap_or_else(|| panic!("a page of {path}")));
            let Some(next) = page["next"].as_str().map(str::to_owned) else { return rows };
            let join = if path.contains('?') { '&' } else { '?' };
            // The cursor is each run's own, so the request that is recorded has none.
            page = self.get(&format!("{path}{join}cursor={next}")).await;
            let step = self.steps.last_mut().unwrap();
            step.request = step.request.replace(&next, "(cursor)");
            step.path = step.path.replace(&next, "(cursor)");
        }
    }
}

/// Which resource's ids an answer to this path holds.
fn kind_of(path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    for part in ["versions", "api-keys", "timeline"] {
        if path.contains(&format!("/{part}")) {
            return part.to_owned();
        }
    }
    let kind = path.strip_prefix("/api/v1/").and_then(|rest| rest.split('/').next()).unwrap_or_default();
    if kind == "dead-letters" { "notifications".to_owned() } else { kind.to_owned() }
}
