//! One stream of requests, every REST operation in it, gives the same answers and the same rows on SQLite and on
//! PostgreSQL.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test ends where it is surprised")]

mod names;
mod stream;
mod templates;
mod transcript;

use std::collections::BTreeSet;

use carillon_testkit::house::House;
use carillon_testkit::scene::Kind;
use serde_json::Value;
use transcript::{Step, Transcript};

const BINARY: &str = env!("CARGO_BIN_EXE_carillon");
/// Differences that a failure shows; later ones often follow from the first.
const SHOWN: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_requests_give_the_same_answers_and_rows_on_both_databases() {
    let Some(postgres) = House::build(BINARY, Kind::Postgres).await else { return };
    let sqlite = House::build(BINARY, Kind::Sqlite).await.unwrap();
    let at = chrono::Utc::now() + chrono::TimeDelta::hours(1);
    let at = at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    let (there, here) = tokio::join!(run(&postgres, &at), run(&sqlite, &at));

    let differences: Vec<_> = here.iter().zip(&there).filter(|(one, other)| !one.is_like(other)).collect();
    let first = differences.iter().take(SHOWN).map(|(one, other)| {
        format!("SQLite     {}\n    {}\nPostgreSQL {}\n    {}\n", one.request, one.answer, other.request, other.answer)
    });
    assert!(differences.is_empty(), "{} steps differ:\n{}", differences.len(), first.collect::<String>());
    assert_eq!(here.len(), there.len());
    every_operation_is_in_it(&here);
    postgres.leave().await;
}

/// `at` is a time to schedule for, the same in both streams.
async fn run(house: &House, at: &str) -> Vec<Step> {
    let (_carillon, client) = house.open();
    let mut transcript = Transcript::new(client, at);
    stream::play(&mut transcript, at).await;
    transcript.steps
}

/// An operation that is new must come into the stream, with at least one call that succeeds.
fn every_operation_is_in_it(steps: &[Step]) {
    let document: Value = serde_json::from_str(include_str!("../../../../docs/openapi.json")).unwrap();
    let mut missing = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            let operation = format!("{} {path}", method.to_uppercase());
            if !steps.iter().any(|step| step.status < 400 && is_call_of(&step.path, step.method, &operation)) {
                missing.insert(operation);
            }
        }
    }
    assert!(missing.is_empty(), "not in the stream, or never with success: {missing:#?}");
}

fn is_call_of(path: &str, method: &str, operation: &str) -> bool {
    let Some((known_method, template)) = operation.split_once(' ') else { return false };
    let path = path.split('?').next().unwrap_or_default();
    let (mut segments, mut known) = (path.split('/'), template.split('/'));
    let same = segments.by_ref().zip(known.by_ref()).all(|(segment, known)| known.starts_with('{') || segment == known);
    method == known_method && same && path.split('/').count() == template.split('/').count()
}
