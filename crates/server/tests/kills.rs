//! Fault test F01: the process dies at a named point, again and again, while it takes and sends. Nothing that was
//! answered with 202 is lost, nothing is sent that was not asked for, and what is sent twice says so.
#![expect(clippy::unwrap_used, reason = "a test ends where it is surprised")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use carillon_testkit::ledger::Ledger;
use carillon_testkit::port::free_port;
use carillon_testkit::postgres::TestDatabase;
use carillon_testkit::process::{Client, Launch};
use carillon_testkit::sendgrid::{Answer, SendGridStandIn};
use parking_lot::Mutex;
use serde_json::json;

const BINARY: &str = env!("CARGO_BIN_EXE_carillon");
const MESSAGES: usize = 500;
const CONNECTIONS: usize = 16;
/// A lease of 10 s, one and a half of it until the rescue, and time to send.
const PATIENCE: Duration = Duration::from_secs(45);

/// Calls in flight to the provider: as many messages may be in doubt when the process dies, and no more.
const IN_FLIGHT: usize = 10;

/// Where the process dies, and how often it passes there first.
const POINTS: [(&str, usize); 8] = [
    ("before_commit", 20),
    ("after_commit", 20),
    ("claimed", 1),
    ("intent_committed", 3),
    ("before_send", 100),
    ("after_send", 100),
    ("before_outcome", 20),
    ("after_outcome", 20),
];

/// Rounds per point: `CARILLON_TEST_ROUNDS`, else 1.
fn rounds() -> usize {
    std::env::var("CARILLON_TEST_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_every_point_nothing_is_lost_on_sqlite() {
    for round in 0..rounds() {
        for (point, nth) in POINTS {
            die_and_recover(point, nth + round, None).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_every_point_nothing_is_lost_on_postgresql() {
    for round in 0..rounds() {
        for (point, nth) in POINTS {
            let Some(database) = TestDatabase::create().await else { return };
            die_and_recover(point, nth + round, Some(database.url())).await;
            database.drop_database().await;
        }
    }
}

async fn die_and_recover(point: &str, nth: usize, database: Option<String>) {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&folder.path().join("ledger.jsonl")).unwrap();
    let provider = SendGridStandIn::start("SG.test", ledger.clone(), |_| {
        Answer::After(Duration::from_millis(5), Box::new(Answer::Accept))
    })
    .unwrap();
    let mut launch = Launch::new(BINARY, &folder.path().join("data"), free_port().unwrap())
        .env("SENDGRID_API_KEY", "SG.test")
        .env("SENDGRID_BASE_URL", provider.base_url())
        .env("MAIL_FROM", "carillon@example.com")
        .env("CARILLON_PROVIDER_CONCURRENCY", IN_FLIGHT.to_string());
    if let Some(url) = database {
        launch = launch.env("DATABASE_URL", url);
    }

    let mut doomed = launch.clone().env("CARILLON_CRASH_AT", format!("{point}:{nth}")).start();
    let client = Client::new(doomed.url(""), doomed.key());
    let accepted = load(&client).await;
    let died = doomed.wait(Duration::from_secs(20));
    assert!(died.is_none_or(|code| code != 0), "{point}: the process ended by itself");
    drop(doomed);

    let _second = launch.start();
    let until = Instant::now() + PATIENCE;
    for uuid in &accepted {
        let left = until.saturating_duration_since(Instant::now()).max(Duration::from_secs(1));
        client.until_status(uuid, &["sent"], left).await;
    }
    quiet(&ledger).await;

    let lost: Vec<_> = accepted.iter().filter(|uuid| ledger.count(uuid) == 0).collect();
    assert!(lost.is_empty(), "{point}: accepted and never sent: {lost:?}");
    let twice = usize::try_from(ledger.duplicates()).unwrap();
    assert!(twice <= IN_FLIGHT, "{point}: {twice} were sent twice");
    let sent: BTreeSet<_> = ledger.effects().into_iter().map(|effect| effect.id).collect();
    for uuid in &sent {
        // What had no answer may be on disk; what is sent is.
        let (status, _) = client.get(&format!("/api/v1/notifications/{uuid}")).await;
        assert_eq!(status, 200, "{point}: sent and never accepted: {uuid}");
        if ledger.count(uuid) > 1 {
            let (_, timeline) = client.get(&format!("/api/v1/notifications/{uuid}/timeline")).await;
            assert!(timeline.to_string().contains("notification.unknown"), "{point}: unflagged: {timeline}");
        }
    }
}

/// Sends until all are sent or the process is gone; the uuids that were answered with 202.
async fn load(client: &Client) -> BTreeSet<String> {
    let accepted = Arc::new(Mutex::new(BTreeSet::new()));
    let next = Arc::new(AtomicUsize::new(0));
    let senders: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let (client, accepted, next) = (client.clone(), Arc::clone(&accepted), Arc::clone(&next));
            tokio::spawn(async move {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= MESSAGES {
                        return;
                    }
                    let body = json!({
                        "channel": "email",
                        "recipient": {"email": format!("user{n}@example.com")},
                        "directContent": {"subject": "Hello", "text": "It works."}
                    });
                    let Some((status, answer)) = client.try_post("/api/v1/notifications/send", &body, None).await
                    else {
                        return;
                    };
                    if status == 202 {
                        accepted.lock().insert(answer["uuid"].as_str().unwrap().to_owned());
                    }
                }
            })
        })
        .collect();
    for sender in senders {
        sender.await.unwrap();
    }
    Arc::try_unwrap(accepted).unwrap().into_inner()
}

/// Waits until nothing more arrives.
async fn quiet(ledger: &Ledger) {
    let mut last = ledger.total();
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = ledger.total();
        if now == last {
            return;
        }
        last = now;
    }
}
