//! Fault test F01: the process dies at a named point, again and again, while it takes and sends. Nothing that was
//! answered with 202 is lost, nothing is sent that was not asked for, and what is sent twice says so.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test ends where it is surprised, and says what it has measured"
)]

use std::os::unix::process::ExitStatusExt as _;
use std::sync::Arc;
use std::time::Duration;

use carillon_testkit::load::Load;
use carillon_testkit::oracle::Oracle;
use carillon_testkit::process::Client;
use carillon_testkit::scene::{Kind, Scene, start};
use carillon_testkit::sendgrid::Answer;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

const BINARY: &str = env!("CARGO_BIN_EXE_carillon");
const MESSAGES: usize = 500;
/// A lease of 10 s, one and a half of it until the rescue, and time to send.
const PATIENCE: Duration = Duration::from_secs(45);
/// Calls in flight to the provider: as many messages may be in doubt when the process dies, and no more.
const IN_FLIGHT: usize = 10;
/// On PostgreSQL most of a round is waiting for a lease to end.
const AT_ONCE: usize = 6;

/// Where the process dies, how often it passes there first, and how many passings later in the last round at most.
const POINTS: [(&str, usize, usize); 8] = [
    ("before_commit", 20, 20),
    ("after_commit", 20, 20),
    ("claimed", 1, 2),
    ("intent_committed", 3, 10),
    ("before_send", 100, 100),
    ("after_send", 100, 100),
    ("before_outcome", 20, 20),
    ("after_outcome", 20, 20),
];

/// Rounds per point: `CARILLON_TEST_ROUNDS`, else 3.
fn rounds() -> usize {
    std::env::var("CARILLON_TEST_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(3)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_every_point_nothing_is_lost_on_sqlite() {
    all_points(Kind::Sqlite, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_every_point_nothing_is_lost_on_postgresql() {
    all_points(Kind::Postgres, AT_ONCE).await;
}

async fn all_points(kind: Kind, at_once: usize) {
    let room = Arc::new(Semaphore::new(at_once));
    let mut runs = JoinSet::new();
    for round in 0..rounds() {
        for (point, first, spread) in POINTS {
            let permit = Arc::clone(&room).acquire_owned().await.unwrap();
            runs.spawn(async move {
                let _permit = permit;
                die_and_recover(kind, point, first + round % spread).await;
            });
            while let Some(ended) = runs.try_join_next() {
                ended.unwrap();
            }
        }
    }
    while let Some(ended) = runs.join_next().await {
        ended.unwrap();
    }
}

async fn die_and_recover(kind: Kind, point: &str, nth: usize) {
    let after = Answer::After(Duration::from_millis(5), Box::new(Answer::Accept));
    let Some(scene) = Scene::new(BINARY, kind, move |_| after.clone()).await else { return };
    let launch = scene.launch().env("CARILLON_PROVIDER_CONCURRENCY", IN_FLIGHT.to_string());
    let what = format!("{kind:?}, {point}:{nth}");

    let mut doomed = start(&launch.clone().env("CARILLON_CRASH_AT", format!("{point}:{nth}"))).await;
    let client = Client::new(doomed.url(""), doomed.key());
    let load = Load::new(vec![client.clone()]).most(MESSAGES).batches(20, 20).scheduled(25, Duration::from_secs(1));
    let load = load.start(&scene.journal()).unwrap();
    let died = doomed.until_end(Duration::from_secs(20)).await;
    let signal = died.unwrap_or_else(|| panic!("{what}: never passed there")).signal();
    assert_eq!(signal, Some(6), "{what}: the process ended in another way");

    let _second = start(&launch).await;
    let taken = load.finish().await;
    assert!(taken.receipts.len() + taken.unanswered.len() >= MESSAGES, "{what}: {taken:?}");
    let oracle = Oracle { taken: &taken, ledger: scene.ledger(), tenants: vec![client], rows: scene.rows() };
    let found = oracle.judge(&what, IN_FLIGHT, PATIENCE).await;
    assert!(found.doubted <= IN_FLIGHT, "{what}: {found:?}: more are in doubt than were on the wire");
    println!("{what}: {found:?}, {} unanswered", taken.unanswered.len());
    scene.end().await;
}
