//! F11: one of two processes is frozen for longer than its lease. The other takes its rows over; when it thaws, nothing
//! that it still believes counts.

use std::time::{Duration, Instant};

use carillon_testkit::load::Load;
use carillon_testkit::oracle::Oracle;
use carillon_testkit::process::Client;
use carillon_testkit::scene::{Kind, start};

use crate::common::{IN_FLIGHT, LEASE, PATIENCE, Pace, first_client, scene, until};

const MESSAGES: usize = 600;
const STOP: i32 = 19;
const CONTINUE: i32 = 18;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_process_is_replaced_and_leaves_when_it_thaws() {
    let pace = Pace::new(Duration::from_millis(500));
    let Some(scene) = scene(Kind::Postgres, &pace).await else { return };
    let launch = || scene.launch().env("CARILLON_PROVIDER_CONCURRENCY", IN_FLIGHT.to_string());
    let mut frozen = start(&launch()).await;
    let client = first_client(&frozen);
    let load = Load::new(vec![client.clone()]).email_only().connections(2).batches(1, 100).most(MESSAGES);
    let taken = load.start(&scene.journal()).unwrap().finish().await;
    assert!(taken.receipts.len() >= MESSAGES, "{taken:?}");
    let other = start(&launch()).await;
    until("calls are under way", LEASE, async || scene.provider.calls() > 2 * IN_FLIGHT as u64).await;
    let owner = scene.rows().owners().await;
    assert_eq!(owner.len(), 1, "the first holds all rows");
    frozen.signal(STOP);
    let stopped = Instant::now();
    pace.set(Duration::from_millis(5));

    let rescue = LEASE + LEASE / 2;
    let gone = async || !scene.rows().owners().await.contains(&owner[0]);
    until("the other rescues its rows", rescue + Duration::from_secs(3), gone).await;
    tokio::time::sleep(rescue.saturating_sub(stopped.elapsed())).await;
    frozen.signal(CONTINUE);
    let ended = frozen.until_end(LEASE).await.expect("the zombie leaves");
    assert!(!matches!(ended.code(), None | Some(0)), "{ended}");
    let said = frozen.output().to_owned();
    assert!(said.contains("another process has taken over"), "{said}");

    let survivor = Client::new(other.url(""), client.key());
    let oracle = Oracle { taken: &taken, ledger: scene.ledger(), tenants: vec![survivor], rows: scene.rows() };
    let found = oracle.judge("frozen", IN_FLIGHT, PATIENCE).await;
    assert!((1..=IN_FLIGHT).contains(&found.doubted), "{found:?}");
    println!("frozen: {found:?}");
    drop(other);
    scene.end().await;
}
