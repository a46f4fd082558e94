//! F02: a random process is killed every few seconds, while three tenants send by several channels.

use std::time::{Duration, Instant};

use carillon_testkit::load::Load;
use carillon_testkit::oracle::Oracle;
use carillon_testkit::process::{Client, Launch};
use carillon_testkit::scene::{Kind, start};

use crate::common::{IN_FLIGHT, PATIENCE, Pace, first_client, new_tenant, scene};

const RATE: u32 = 150;

/// `CARILLON_TEST_KILL_SECONDS`, else 15.
fn duration() -> Duration {
    let told = std::env::var("CARILLON_TEST_KILL_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(told.unwrap_or(15))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_killed_again_and_again_loses_nothing() {
    storm(Kind::Sqlite, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_that_are_killed_in_turn_lose_nothing() {
    storm(Kind::Postgres, 2).await;
}

async fn storm(kind: Kind, processes: usize) {
    let Some(scene) = scene(kind, &Pace::new(Duration::from_millis(30))).await else { return };
    let launch = || scene.launch().env("CARILLON_PROVIDER_CONCURRENCY", IN_FLIGHT.to_string());
    let launches: Vec<Launch> = (0..processes).map(|_| launch()).collect();
    let mut running = Vec::new();
    for launch in &launches {
        running.push(start(launch).await);
    }
    let admin = first_client(&running[0]);
    let mut keys = vec![running[0].key().to_owned()];
    for code in ["north", "south"] {
        keys.push(new_tenant(&admin, code).await);
    }
    let doors = |key: &String| running.iter().map(|process| Client::new(process.url(""), key.as_str())).collect();
    let tenants: Vec<Vec<Client>> = keys.iter().map(doors).collect();
    let load = Load::new(tenants[0].clone()).tenant(tenants[1].clone()).tenant(tenants[2].clone());
    let load = load.rate(RATE).batches(25, 15).scheduled(20, Duration::from_secs(1)).start(&scene.journal()).unwrap();

    let until = Instant::now() + duration();
    let mut kills = 0;
    while Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(random(2_000, 4_000))).await;
        let which = usize::try_from(random(0, processes as u64)).unwrap();
        running.remove(which).kill();
        kills += 1;
        tokio::time::sleep(Duration::from_millis(random(0, 1_000))).await;
        running.insert(which, start(&launches[which]).await);
    }
    let taken = load.stop().await;

    let least = usize::try_from(duration().as_secs()).unwrap() * RATE as usize / 3;
    assert!(taken.receipts.len() > least, "hardly any load: {} of {least}", taken.receipts.len());
    let what = format!("{kind:?}, {kills} kills");
    let tenants = tenants.iter().map(|doors| doors[0].clone()).collect();
    let oracle = Oracle { taken: &taken, ledger: scene.ledger(), tenants, rows: scene.rows() };
    let found = oracle.judge(&what, IN_FLIGHT * kills, PATIENCE).await;
    println!("{what}: {found:?}, {} unanswered", taken.unanswered.len());
    drop(running);
    scene.end().await;
}

fn random(from: u64, to: u64) -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    from + RandomState::new().hash_one(0) % (to - from)
}
