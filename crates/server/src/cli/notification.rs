//! `carillon notification`.

use carillon_domain::time::{Clock as _, SystemClock};
use serde_json::{Value, json};

use super::args::{NotificationArgs, NotificationCommand};
use super::http::Client;
use super::output::{Output, data, text};
use super::watch;
use crate::exit::Failure;

/// Does it.
pub(crate) async fn run(args: NotificationArgs) -> Result<(), Failure> {
    let client = Client::new(&args.reach)?;
    let out = Output::new(args.reach.output);
    match args.command {
        NotificationCommand::Get { id } => get(&client, out, &id).await,
        NotificationCommand::Watch { id } => watch::follow(&client, out, &id).await,
        NotificationCommand::Cancel { id } => act(&client, out, &id, "cancel").await,
        NotificationCommand::Retry { id } => act(&client, out, &id, "retry").await,
        NotificationCommand::List { status, channel, recipient, user, since, until, limit } => {
            let now = SystemClock.now();
            let query: Vec<(&str, String)> = [
                ("status", status),
                ("channel", channel),
                ("recipient", recipient),
                ("userId", user),
                ("createdAfter", since.map(|moment| moment.back_from(now))),
                ("createdBefore", until.map(|moment| moment.back_from(now))),
            ]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect();
            let rows = client.all(&["notifications"], &query, limit).await?;
            out.show(&json!({"data": rows}), &["ID", "CREATED", "CHANNEL", "TO", "STATUS", "TRIES", "ERROR"], || {
                rows.iter().map(|notification| row(out, notification)).collect()
            })
        }
    }
}

/// The address of a recipient, whichever it has.
pub(crate) fn address(recipient: &Value) -> String {
    let keys = ["email", "phone", "pushToken", "userId"];
    keys.iter().find_map(|key| recipient[key].as_str()).unwrap_or("-").to_owned()
}

fn row(out: Output, notification: &Value) -> Vec<String> {
    vec![
        text(&notification["uuid"]),
        out.time(&notification["createdAt"]),
        text(&notification["channel"]),
        address(&notification["recipient"]),
        text(&notification["status"]),
        text(&notification["attempts"]),
        text(&notification["error"]["message"]),
    ]
}

async fn act(client: &Client, out: Output, id: &str, action: &str) -> Result<(), Failure> {
    let notification = client.post(&["notifications", id, action], None).await?;
    if out.is_json() {
        return out.json(&notification);
    }
    out.line(&format!("{}  {}", out.status(&text(&notification["status"]), watch::WIDTH), text(&notification["uuid"])))
}

async fn get(client: &Client, out: Output, id: &str) -> Result<(), Failure> {
    let notification = client.get(&["notifications", id], &[]).await?;
    let timeline = client.get(&["notifications", id, "timeline"], &[]).await?;
    if out.is_json() {
        let mut all = notification;
        all["timeline"] = timeline["data"].clone();
        return out.json(&all);
    }
    let template = match &notification["templateId"] {
        Value::Null => "-".to_owned(),
        template => format!("{}, version {}", text(template), text(&notification["templateVersion"])),
    };
    let mut pairs = vec![
        ("notification", format!("{} (id {})", text(&notification["uuid"]), text(&notification["id"]))),
        ("status", out.status(&text(&notification["status"]), 0)),
        ("to", format!("{} → {}", text(&notification["channel"]), address(&notification["recipient"]))),
        ("priority", text(&notification["priority"])),
        ("template", template),
        ("locale", text(&notification["locale"])),
        ("provider", text(&notification["provider"])),
        ("attempts", text(&notification["attempts"])),
    ];
    for (label, key) in [("scheduled", "scheduledAt"), ("expires", "expiresAt"), ("created", "createdAt")] {
        if !notification[key].is_null() {
            pairs.push((label, out.time(&notification[key])));
        }
    }
    if let Some(message) = notification["error"]["message"].as_str() {
        pairs.push(("error", format!("{message} [{}]", text(&notification["error"]["code"]))));
    }
    out.pairs(&pairs)?;
    out.line("")?;
    let rows: Vec<_> = data(&timeline).iter().map(|event| event_row(out, event)).collect();
    out.table(&["AT", "WHAT", "ATTEMPT", "PROVIDER", "DETAIL"], &rows)
}

fn event_row(out: Output, event: &Value) -> Vec<String> {
    let name = text(&event["type"]);
    vec![
        out.time(&event["at"]),
        name.trim_start_matches("notification.").to_owned(),
        text(&event["attempt"]),
        text(&event["provider"]),
        watch::describe(&event["detail"]),
    ]
}
