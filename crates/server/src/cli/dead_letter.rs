//! `carillon dead-letter`.

use std::io::{self, IsTerminal as _};

use carillon_domain::time::{Clock as _, SystemClock};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::args::{DeadLetterArgs, DeadLetterCommand, DeadLetterFilter};
use super::http::Client;
use super::notification::address;
use super::output::{Output, text};
use crate::exit::{Failure, Problem};

/// Replays under way at once: enough to hide the round trip, too few to crowd out real traffic.
const AT_ONCE: usize = 8;

/// Does it.
pub(crate) async fn run(args: DeadLetterArgs) -> Result<(), Failure> {
    let client = Client::new(&args.reach)?;
    let out = Output::new(args.reach.output);
    match args.command {
        DeadLetterCommand::List { filter, limit } => {
            let rows = client.all(&["dead-letters"], &query(&filter), limit).await?;
            out.show(&json!({"data": rows}), &["ID", "PARKED", "CHANNEL", "TO", "REASON", "PROVIDER", "ERROR"], || {
                rows.iter().map(|letter| row(out, letter)).collect()
            })
        }
        DeadLetterCommand::Get { id } => {
            let letter = client.get(&["dead-letters", &id], &[]).await?;
            if out.is_json() {
                return out.json(&letter);
            }
            let heads = ["notification", "parked", "channel", "to", "reason", "provider", "error"];
            out.pairs(&heads.into_iter().zip(row(out, &letter)).collect::<Vec<_>>())?;
            out.line(&out.dim(&format!("`carillon notification get {id}` shows the timeline")))
        }
        DeadLetterCommand::Replay { id: Some(id), .. } => {
            let answer = client.post(&["dead-letters", &id, "replay"], None).await?;
            if out.is_json() { out.json(&answer) } else { out.line(&format!("replayed {id}")) }
        }
        DeadLetterCommand::Replay { id: None, all: false, filter } if query(&filter).is_empty() => {
            Err(Failure::Usage("say what to deliver again: an ID, a filter such as --since 12h, or --all".to_owned()))
        }
        DeadLetterCommand::Replay { id: None, filter, .. } => replay(&client, out, &filter).await,
    }
}

fn query(filter: &DeadLetterFilter) -> Vec<(&'static str, String)> {
    let now = SystemClock.now();
    [
        ("since", filter.since.map(|moment| moment.back_from(now))),
        ("until", filter.until.map(|moment| moment.back_from(now))),
        ("provider", filter.provider.clone()),
        ("reason", filter.reason.clone()),
        ("channel", filter.channel.clone()),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect()
}

/// A dead letter's notification: beside or around it.
fn notification(letter: &Value) -> &Value {
    letter.get("notification").unwrap_or(letter)
}

fn row(out: Output, letter: &Value) -> Vec<String> {
    let notification = notification(letter);
    let error = if letter["error"].is_null() { &notification["error"] } else { &letter["error"] };
    vec![
        text(&notification["uuid"]),
        out.time(&letter["parkedAt"]),
        text(&notification["channel"]),
        address(&notification["recipient"]),
        text(&letter["reason"]),
        text(&notification["provider"]),
        text(&error["message"]),
    ]
}

/// The letters are listed first: one that fails again meanwhile is not replayed twice.
async fn replay(client: &Client, out: Output, filter: &DeadLetterFilter) -> Result<(), Failure> {
    let letters = client.all(&["dead-letters"], &query(filter), usize::MAX).await?;
    let bar = progress(letters.len(), out);
    let mut waiting = letters.iter().map(|letter| text(&notification(letter)["uuid"]));
    let mut running = JoinSet::new();
    let (mut replayed, mut refused) = (0_u64, Vec::new());
    loop {
        while running.len() < AT_ONCE
            && let Some(id) = waiting.next()
        {
            let client = client.clone();
            running.spawn(async move {
                let answer = client.post(&["dead-letters", &id, "replay"], None).await;
                (id, answer)
            });
        }
        let Some(done) = running.join_next().await else { break };
        let (id, answer) = done.map_err(|error| Failure::plain(error.to_string()))?;
        bar.inc(1);
        match answer {
            Ok(_) => replayed += 1,
            Err(Failure::Problem(problem)) if problem.status < 500 => refused.push((id, problem)),
            Err(other) => {
                bar.abandon();
                let left = letters.len() as u64 - replayed - refused.len() as u64;
                out.line(&format!("replayed {replayed} of {}, {left} left; the same command goes on", letters.len()))?;
                return Err(other);
            }
        }
    }
    bar.finish_and_clear();
    summary(out, replayed, &refused)
}

fn summary(out: Output, replayed: u64, refused: &[(String, Problem)]) -> Result<(), Failure> {
    if out.is_json() {
        let refused: Vec<_> = refused.iter().map(|(id, problem)| json!({"uuid": id, "error": problem.body})).collect();
        return out.json(&json!({"replayed": replayed, "refused": refused}));
    }
    out.line(&format!("replayed {replayed}, refused {}", refused.len()))?;
    refused.iter().take(10).try_for_each(|(id, problem)| out.line(&format!("  {id}  {problem}")))
}

fn progress(total: usize, out: Output) -> ProgressBar {
    let bar = ProgressBar::new(total as u64);
    if out.is_json() || !io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len}  {per_sec}  {eta} left") {
        bar.set_style(style);
    }
    bar
}
