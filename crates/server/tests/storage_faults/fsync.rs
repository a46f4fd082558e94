//! F08 and F09: what `strace` sees of the embedded database.

use std::time::Duration;

use carillon_domain::time::{Clock as _, SystemClock};
use carillon_testkit::integrity::integrity;
use carillon_testkit::process::{Carillon, Client};
use carillon_testkit::scene::{Kind, Scene, start};
use carillon_testkit::sendgrid::Answer;
use carillon_testkit::strace::{Call, Strace};
use serde_json::Value;

use super::BINARY;
use super::common::{Heard, data};

/// A scene whose database is made, and the key of its tenant. Starting anew does little I/O.
async fn prepared() -> (Scene, String) {
    let scene = Scene::new(BINARY, Kind::Sqlite, |_| Answer::Accept).await.unwrap();
    let first = start(&scene.launch()).await;
    let key = first.key().to_owned();
    first.kill();
    (scene, key)
}

/// For later: nothing but the acceptance is written meanwhile.
fn in_seconds(seconds: i64) -> impl Fn(&mut Value) {
    move |body| {
        let due = SystemClock.now() + chrono::TimeDelta::seconds(seconds);
        body["scheduledAt"] = due.to_rfc3339_opts(chrono::SecondsFormat::Millis, true).into();
    }
}

fn on_the_log(call: &Call) -> bool {
    call.arguments.contains("carillon.db-wal>")
}

fn synced(call: &Call) -> bool {
    on_the_log(call) && matches!(call.name.as_str(), "fdatasync" | "fsync") && call.result == "0"
}

fn answered(call: &Call) -> bool {
    call.arguments.contains("\"HTTP/1.1 202")
}

fn failed(call: &Call) -> bool {
    call.result.contains("EIO")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_each_202_its_commit_is_synced() {
    const SENDS: usize = 60;
    let (scene, key) = prepared().await;
    let file = scene.journal();
    let Some(strace) = Strace::into_file(&file) else { return };
    let carillon = start(&scene.launch().under(strace.words())).await;
    let client = Client::new(carillon.url(""), &key);
    let mut heard = Heard::default();
    for _ in 0..SENDS {
        assert_eq!(heard.send(&client, in_seconds(3600)).await.unwrap().status, 202);
    }
    carillon.kill();

    let (mut answers, mut written, mut durable) = (0, false, false);
    for call in strace.calls() {
        if on_the_log(&call) && call.name == "pwrite64" {
            (written, durable) = (true, false);
        } else if synced(&call) {
            durable = written;
        } else if answered(&call) {
            assert!(durable, "answer {answers} left before its commit was on disk");
            (answers, written, durable) = (answers + 1, false, false);
        }
    }
    assert_eq!(answers, SENDS, "strace has seen every answer");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failed_fsync_nothing_is_accepted_and_what_was_is_delivered() {
    let (scene, key) = prepared().await;
    let Some(strace) = Strace::into_file(&scene.journal()) else { return };
    let strace = strace.fail_syncs_from(40);
    let mut carillon = start(&scene.launch().under(strace.words())).await;
    let client = Client::new(carillon.url(""), &key);
    let mut heard = Heard::default();
    for _ in 0..200 {
        if heard.send(&client, in_seconds(3)).await.is_none() {
            break;
        }
    }
    assert!(ended_badly(&mut carillon).await, "it goes on, or says that all is well");
    assert!(heard.taken.receipts.len() > 10, "the fault came before anything was accepted");

    let mut after = strace.calls().into_iter().skip_while(|call| !failed(call));
    assert!(after.next().is_some(), "no sync has failed");
    assert_eq!(after.find(answered), None, "accepted after a sync had failed");

    let again = start(&scene.launch()).await;
    let client = Client::new(again.url(""), &key);
    let found = heard.judge(&scene, scene.rows(), &client, 0).await;
    assert_eq!(found.accepted, heard.taken.receipts.len());
    again.kill();
    assert_eq!(integrity(&data(&scene)).await, "ok");
    scene.end().await;
}

async fn ended_badly(carillon: &mut Carillon) -> bool {
    carillon.until_end(Duration::from_secs(10)).await.is_some_and(|status| !status.success())
}
