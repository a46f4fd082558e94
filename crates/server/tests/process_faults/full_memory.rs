//! Killed with a memory full of rows that were handed over, only those on the wire are in doubt.

use std::time::Duration;

use carillon_testkit::load::Load;
use carillon_testkit::oracle::Oracle;
use carillon_testkit::scene::{Kind, start};

use crate::common::{IN_FLIGHT, PATIENCE, Pace, first_client, scene, until};

const MESSAGES: usize = 3_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_was_on_the_wire_is_in_doubt_on_sqlite() {
    killed_full(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_was_on_the_wire_is_in_doubt_on_postgresql() {
    killed_full(Kind::Postgres).await;
}

async fn killed_full(kind: Kind) {
    let pace = Pace::new(Duration::from_secs(5));
    let Some(scene) = scene(kind, &pace).await else { return };
    let launch = scene.launch().env("CARILLON_PROVIDER_CONCURRENCY", IN_FLIGHT.to_string());
    let process = start(&launch).await;
    let client = first_client(&process);
    let load = Load::new(vec![client.clone()]).email_only().connections(2).batches(1, 500).most(MESSAGES);
    let taken = load.start(&scene.journal()).unwrap().finish().await;
    assert!(taken.receipts.len() >= MESSAGES, "{taken:?}");
    until("the provider is busy", Duration::from_secs(5), async || scene.provider.calls() >= IN_FLIGHT as u64).await;
    let leased = scene.rows().leased().await;
    assert!(leased >= i64::try_from(MESSAGES).unwrap(), "only {leased} rows are in memory");
    let started = scene.provider.calls();
    process.kill();

    pace.set(Duration::ZERO);
    let _second = start(&launch).await;
    let what = format!("{kind:?}, {leased} in memory, {started} calls begun");
    let oracle = Oracle { taken: &taken, ledger: scene.ledger(), tenants: vec![client], rows: scene.rows() };
    let found = oracle.judge(&what, IN_FLIGHT, PATIENCE).await;
    assert!((1..=IN_FLIGHT).contains(&found.doubted), "{what}: {found:?}");
    println!("{what}: {found:?}");
    scene.end().await;
}
