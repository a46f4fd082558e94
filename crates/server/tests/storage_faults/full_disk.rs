//! F07: the disk is full. What comes is refused, what was accepted is kept, and room is all that it needs to go on.

use std::time::{Duration, Instant};

use carillon_testkit::disk::Disk;
use carillon_testkit::integrity::integrity;
use carillon_testkit::postgres_server::PostgresServer;
use carillon_testkit::process::Client;
use carillon_testkit::rows::Rows;
use carillon_testkit::scene::{Kind, Scene, start};
use carillon_testkit::sendgrid::Answer;
use serde_json::json;

use super::BINARY;
use super::common::{Heard, RECOVERY, Storm, data};

const MIB: u64 = 1 << 20;
const SIGTERM: i32 = 15;

/// The provider takes its time, so that outcomes come when the disk is full already.
fn slowly() -> Answer {
    Answer::After(Duration::from_millis(700), Box::new(Answer::Accept))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_full_disk_sqlite_refuses_keeps_what_it_has_and_recovers() {
    let scene = Scene::new(BINARY, Kind::Sqlite, |_| slowly()).await.unwrap();
    let data = data(&scene);
    std::fs::create_dir(&data).unwrap();
    let Some(disk) = Disk::mount(&data, 128 * MIB) else { return };
    let mut carillon = start(&scene.launch().under(disk.enter())).await;
    let client = Client::new(carillon.url(""), carillon.key());
    let ballast = disk.outside(&data.join("carillon.ballast"));
    assert!(ballast.exists(), "there was room for the ballast");

    let storm = Storm::start(&client, 4);
    storm.accepts(100, RECOVERY).await;
    disk.fill().unwrap();
    storm.refuses(20, RECOVERY).await;
    until(|| !ballast.exists(), "the ballast is given up for outcomes").await;
    // What the ballast gave is taken too: now nothing at all can be written.
    disk.fill().unwrap();
    storm.refuses(20, RECOVERY).await;
    let fitted = templates_until_full(&client).await;

    disk.free().unwrap();
    storm.accepts(20, RECOVERY).await;
    let heard = storm.stop().await;
    heard.assert_refused_well();
    // Configuration has a writer of its own: it must have come out of its failed transaction, and keep what it said.
    assert_eq!(template(&client, fitted).await, 201);
    for n in 0..=fitted {
        assert_eq!(template(&client, n).await, 409, "template {n} of {fitted}");
    }
    assert_delivered_once(&heard, &client, &scene).await;
    assert!(ballast.exists(), "there is room for the ballast again");

    carillon.signal(SIGTERM);
    assert!(carillon.until_end(Duration::from_secs(25)).await.is_some_and(|status| status.success()));
    assert_eq!(integrity(&disk.outside(&data)).await, "ok");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_postgresql_has_no_room_nothing_is_lost_and_it_recovers() {
    let scene = Scene::new(BINARY, Kind::Sqlite, |_| slowly()).await.unwrap();
    let place = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(place.path(), 96 * MIB) else { return };
    let Some(mut server) = PostgresServer::create(place.path(), Some(&disk)).await else { return };
    let carillon = start(&scene.launch().env("DATABASE_URL", server.url())).await;
    let client = Client::new(carillon.url(""), carillon.key());

    let storm = Storm::start(&client, 8);
    storm.accepts(100, RECOVERY).await;
    disk.fill().unwrap();
    storm.refuses(50, Duration::from_mins(1)).await;

    disk.free().unwrap();
    // A full disk under its log is a crash.
    server.start().await;
    storm.accepts(20, RECOVERY).await;
    let heard = storm.stop().await;
    heard.assert_refused_well();
    heard.judge(&scene, Rows::Postgres(server.url()), &client, 0).await;
}

async fn template(client: &Client, n: usize) -> u16 {
    let body = json!({"code": format!("full-{n}"), "name": "Full", "description": "x".repeat(400)});
    let (status, answer) = client.post("/api/v1/templates", &body).await;
    assert!(matches!(status, 201 | 409) || answer["code"] == "unavailable", "{status}: {answer}");
    status
}

/// The log may have room left for some. The first that does not fit is told so.
async fn templates_until_full(client: &Client) -> usize {
    for n in 0..5_000 {
        if template(client, n).await == 503 {
            return n;
        }
    }
    panic!("there is room without end")
}

async fn until(met: impl Fn() -> bool, what: &str) {
    let until = Instant::now() + RECOVERY;
    while !met() {
        assert!(Instant::now() < until, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The database is where only the server can read it: the API and the ledger must do.
async fn assert_delivered_once(heard: &Heard, client: &Client, scene: &Scene) {
    let until = Instant::now() + RECOVERY;
    for receipt in &heard.taken.receipts {
        let left = until.saturating_duration_since(Instant::now()).max(Duration::from_secs(1));
        client.until_status(&receipt.uuid, &["sent"], left).await;
        assert_eq!(scene.ledger().count(&receipt.uuid), 1);
    }
}
