//! What a load sends: e-mails, and some messages by other ways.

use std::time::Duration;

use carillon_domain::time::{Clock as _, SystemClock};
use chrono::SecondsFormat;
use serde_json::{Value, json};

/// One notification to be asked for.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) name: String,
    pub(super) email: bool,
    pub(super) body: Value,
}

impl Item {
    pub(super) fn new(number: usize, later: Option<Duration>, email_only: bool) -> Self {
        let name = format!("load{number}");
        let kind = if email_only { 0 } else { number % 8 };
        let mut body = match kind {
            3 => json!({
                "channel": "sms",
                "recipient": {"phone": format!("+4179{:07}", number % 10_000_000)},
                "directContent": {"text": "It works."}
            }),
            7 => json!({
                "channel": "in_app",
                "recipient": {"userId": name},
                "directContent": {"title": "Hello", "body": "It works."}
            }),
            _ => json!({
                "channel": "email",
                "recipient": {"email": format!("{name}@example.com")},
                "directContent": {"subject": "Hello", "text": "It works."}
            }),
        };
        if let Some(later) = later {
            let due = SystemClock.now() + later;
            body["scheduledAt"] = due.to_rfc3339_opts(SecondsFormat::Millis, true).into();
        }
        Self { name, email: !matches!(kind, 3 | 7), body }
    }
}
