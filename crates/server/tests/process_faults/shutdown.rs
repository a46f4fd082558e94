//! F12: told to stop under load, with a provider that takes its time and with a database that is gone. It leaves in
//! order and in time.

use std::time::{Duration, Instant};

use carillon_testkit::fault_proxy::{Fault, FaultProxy};
use carillon_testkit::load::Load;
use carillon_testkit::oracle::Oracle;
use carillon_testkit::rows::Story;
use carillon_testkit::scene::{Kind, start};

use crate::common::{IN_FLIGHT, PATIENCE, Pace, first_client, scene, until};

const TERMINATE: i32 = 15;
/// What is promised.
const LEAVES_WITHIN: Duration = Duration::from_secs(25);
const RATE: u32 = 200;
const SLOW: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_leaves_in_order_under_load_on_sqlite() {
    leaves_in_order(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_leaves_in_order_under_load_on_postgresql() {
    leaves_in_order(Kind::Postgres).await;
}

async fn leaves_in_order(kind: Kind) {
    let pace = Pace::new(SLOW);
    let Some(scene) = scene(kind, &pace).await else { return };
    let launch = scene.launch();
    let mut process = start(&launch).await;
    let client = first_client(&process);
    let load = Load::new(vec![client.clone()]).rate(RATE).scheduled(20, Duration::from_secs(1));
    let mut load = load.start(&scene.journal()).unwrap();
    load.until_accepted(5 * RATE as usize / 2, Duration::from_secs(20)).await;
    process.signal(TERMINATE);
    let told = Instant::now();
    let ended = process.until_end(LEAVES_WITHIN).await.expect("it leaves in time");
    let took = told.elapsed();
    assert_eq!(ended.code(), Some(0), "{}", process.output());
    let taken = load.stop().await;
    assert_eq!(taken.cut, Vec::<String>::new(), "{kind:?}: requests were cut");
    let doubted = scene.rows().stories().await.into_values().filter(Story::is_doubted).count();
    assert_eq!(doubted, 0, "{kind:?}: it left calls behind");
    assert_eq!(scene.rows().owners().await, Vec::<i64>::new(), "{kind:?}: it left leases behind");

    pace.set(Duration::ZERO);
    let _second = start(&launch).await;
    let oracle = Oracle { taken: &taken, ledger: scene.ledger(), tenants: vec![client], rows: scene.rows() };
    let found = oracle.judge("drained", 0, PATIENCE).await;
    assert_eq!(found.doubted, 0);
    println!("{kind:?}: left in {took:?}: {found:?}, refused {:?}, unreachable {}", taken.refused, taken.unreachable);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_leaves_in_time_when_the_database_refuses() {
    leaves_without_database(Fault::Refuse).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_leaves_in_time_when_the_database_is_silent() {
    leaves_without_database(Fault::Blackhole).await;
}

async fn leaves_without_database(fault: Fault) {
    let pace = Pace::new(SLOW);
    let Some(scene) = scene(Kind::Postgres, &pace).await else { return };
    let proxy = FaultProxy::start(scene.database_address().unwrap(), &[]).unwrap();
    let launch = scene.launch().env("CARILLON_PROVIDER_CONCURRENCY", IN_FLIGHT.to_string());
    let behind = launch.clone().env("DATABASE_URL", scene.database_url_at(proxy.port()).unwrap());
    let mut process = start(&behind).await;
    let client = first_client(&process);
    let load = Load::new(vec![client.clone()]).rate(RATE);
    let mut load = load.start(&scene.journal()).unwrap();
    load.until_accepted(RATE as usize, Duration::from_secs(20)).await;
    until("calls are under way", PATIENCE, async || scene.provider.calls() > 0).await;
    proxy.set(fault);
    process.signal(TERMINATE);
    let told = Instant::now();
    let ended = process.until_end(LEAVES_WITHIN).await.expect("it leaves in time");
    let took = told.elapsed();
    assert_eq!(ended.code(), Some(0), "{}", process.output());
    let taken = load.stop().await;

    pace.set(Duration::ZERO);
    let _second = start(&launch).await;
    let oracle = Oracle { taken: &taken, ledger: scene.ledger(), tenants: vec![client], rows: scene.rows() };
    let found = oracle.judge("drained without a database", IN_FLIGHT, PATIENCE).await;
    println!("{fault:?}: left in {took:?}: {found:?}, refused {:?}, cut {:?}", taken.refused, taken.cut);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_forces() {
    let pace = Pace::new(Duration::from_secs(9));
    let Some(scene) = scene(Kind::Sqlite, &pace).await else { return };
    let launch = scene.launch();
    let mut process = start(&launch).await;
    let client = first_client(&process);
    let load = Load::new(vec![client.clone()]).email_only().most(20);
    let taken = load.start(&scene.journal()).unwrap().finish().await;
    until("calls are under way", PATIENCE, async || scene.provider.calls() > 0).await;
    process.signal(TERMINATE);
    let early = process.until_end(Duration::from_secs(1)).await;
    assert_eq!(early, None, "it did not wait for its calls");
    process.signal(TERMINATE);
    let ended = process.until_end(Duration::from_secs(2)).await.expect("it leaves at once");
    assert_eq!(ended.code(), Some(130));

    pace.set(Duration::ZERO);
    let _second = start(&launch).await;
    let oracle = Oracle { taken: &taken, ledger: scene.ledger(), tenants: vec![client], rows: scene.rows() };
    oracle.judge("forced", IN_FLIGHT, PATIENCE).await;
}
