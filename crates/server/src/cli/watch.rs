//! Following one notification on its timeline, until nothing more will happen by itself.

use std::time::Duration;

use chrono::DateTime;
use serde_json::{Value, json};

use super::http::Client;
use super::output::{Output, data, text};
use crate::exit::Failure;

/// How wide the first column is.
pub(crate) const WIDTH: usize = 16;

/// Events in whose absence the timeline is read again; doubled while nothing happens.
const SOONEST: Duration = Duration::from_millis(20);
const LATEST: Duration = Duration::from_secs(1);

/// Prints the timeline as it grows; fails if the notification did.
pub(crate) async fn follow(client: &Client, out: Output, id: &str) -> Result<(), Failure> {
    let mut seen = 0;
    let mut start = None;
    let mut pause = SOONEST;
    loop {
        let timeline = client.get(&["notifications", id, "timeline"], &[]).await?;
        let events = data(&timeline);
        for event in events.iter().skip(seen) {
            let at = event["at"].as_str().and_then(|at| DateTime::parse_from_rfc3339(at).ok());
            start = start.or(at);
            let millis = at.zip(start).and_then(|(at, start)| (at - start).num_microseconds()).unwrap_or(0);
            show(client, out, id, event, millis)?;
        }
        pause = if events.len() > seen { SOONEST } else { (pause * 2).min(LATEST) };
        seen = seen.max(events.len());
        if let Some(last) = events.last().and_then(|event| event["type"].as_str()) {
            match last.trim_start_matches("notification.") {
                "sent" | "delivered" | "read" => return Ok(()),
                word @ ("failed" | "dead_lettered" | "cancelled" | "skipped" | "unknown") => {
                    let hint = format!("`carillon notification get {id}` shows all of it");
                    return Err(Failure::hinted(
                        format!("it ended as {}", word.replace("dead_lettered", "failed")),
                        hint,
                    ));
                }
                _ => {}
            }
        }
        tokio::time::sleep(pause).await;
    }
}

fn show(client: &Client, out: Output, id: &str, event: &Value, micros: i64) -> Result<(), Failure> {
    if out.is_json() {
        return out.json(event);
    }
    let name = text(&event["type"]);
    let name = name.trim_start_matches("notification.");
    if name == "requested" {
        return Ok(());
    }
    let mut line = format!("{}  {:<10}", out.status(name, WIDTH), elapsed(micros));
    if let Some(provider) = event["provider"].as_str() {
        line = format!("{line}  {provider}");
        if provider.starts_with("sandbox") && name == "sent" {
            line = format!("{line}  {}/sandbox/{id}", client.base());
        }
    }
    let detail = describe(&event["detail"]);
    if !detail.is_empty() {
        line = format!("{line}  {detail}");
    }
    out.line(line.trim_end())
}

/// `+2.1 ms`, `+3.4 s`, `+12 min`.
fn elapsed(micros: i64) -> String {
    match micros {
        ..1_000_000 => format!("+{}.{} ms", micros / 1_000, micros / 100 % 10),
        1_000_000..120_000_000 => format!("+{}.{} s", micros / 1_000_000, micros / 100_000 % 10),
        _ => format!("+{} min", micros / 60_000_000),
    }
}

/// What an event has to say beyond its name: the provider's words first, then the rest as `key=value`.
pub(crate) fn describe(detail: &Value) -> String {
    let Some(fields) = detail.as_object() else { return String::new() };
    let words = |value: &Value| match value {
        Value::Object(inner) => {
            inner.get("message").or_else(|| inner.get("code")).map_or_else(|| json!(inner).to_string(), text)
        }
        other => text(other),
    };
    let first = ["message", "error", "reason"].into_iter().filter_map(|key| fields.get(key)).map(words);
    let rest = fields
        .iter()
        .filter(|(key, value)| !matches!(key.as_str(), "message" | "error" | "reason") && !value.is_null())
        .map(|(key, value)| format!("{key}={}", words(value)));
    first.chain(rest).collect::<Vec<_>>().join("  ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{describe, elapsed};

    #[test]
    fn spans_and_details_read_well() {
        assert_eq!(
            [elapsed(400), elapsed(2_100), elapsed(3_450_000), elapsed(720_000_000)],
            ["+0.4 ms", "+2.1 ms", "+3.4 s", "+12 min"]
        );
        assert_eq!(
            describe(&json!({"nextAt": "2026", "error": {"code": "x", "message": "451 try later"}})),
            "451 try later  nextAt=2026"
        );
        assert_eq!(describe(&json!(null)), "");
    }
}
