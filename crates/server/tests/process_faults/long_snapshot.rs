//! F26: somebody keeps an old snapshot open while a long backlog is claimed. What was claimed cannot be cleared away, and
//! yet the last claims read hardly more than the first.

use std::time::Duration;

use carillon_testkit::load::Load;
use carillon_testkit::oracle::Oracle;
use carillon_testkit::scene::{Kind, start};
use sqlx::{Connection as _, Executor as _, PgConnection};

use crate::common::{Pace, first_client, scene, until};

const BACKLOG: usize = 12_000;
const CONCURRENCY: &str = "64";
const PATIENCE: Duration = Duration::from_secs(90);
/// Index entries per row that a claim may look at. A claim that begins at the dead end each time looks at hundreds.
const MOST: i64 = 60;

/// Makes a backlog of an hour of what waits for tomorrow.
const RIPEN: &str = "UPDATE queue SET state = 0, due = now() - interval '1 hour' * (1 - n.place::float8 / n.all_rows)
    FROM (SELECT id, row_number() OVER (ORDER BY id) AS place, count(*) OVER () AS all_rows FROM queue) n
    WHERE n.id = queue.id AND state = 2";

/// Entries of the claim's index that were looked at so far, dead ones included.
async fn looked_at(watcher: &mut PgConnection) -> i64 {
    let read = "SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = 'queue_ready'";
    sqlx::query_scalar(read).fetch_one(watcher).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_stay_cheap_under_an_old_snapshot() {
    let Some(scene) = scene(Kind::Postgres, &Pace::new(Duration::ZERO)).await else { return };
    let url = scene.database_url().unwrap();
    let process = start(&scene.launch().env("CARILLON_PROVIDER_CONCURRENCY", CONCURRENCY)).await;
    let client = first_client(&process);
    let load = Load::new(vec![client.clone()]).email_only().connections(2).batches(1, 1_000);
    let load = load.scheduled(1, Duration::from_hours(1)).most(BACKLOG);
    let taken = load.start(&scene.journal()).unwrap().finish().await;
    assert!(taken.receipts.len() >= BACKLOG);

    let mut old = PgConnection::connect(&url).await.unwrap();
    old.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM queue").await.unwrap();
    let mut watcher = PgConnection::connect(&url).await.unwrap();
    watcher.execute(RIPEN).await.unwrap();
    let mut costs = Vec::new();
    let (mut done, mut read) = (0, looked_at(&mut watcher).await);
    for third in 1..=3 {
        let goal = BACKLOG * third / 3;
        until("the backlog shrinks", PATIENCE, async || scene.ledger().total() >= goal).await;
        let (now_done, now_read) = (scene.ledger().total(), looked_at(&mut watcher).await);
        costs.push((now_read - read) / i64::try_from(now_done - done).unwrap());
        (done, read) = (now_done, now_read);
    }
    println!("index entries per claimed row, in each third of the backlog: {costs:?}");
    assert!(costs.iter().all(|cost| *cost <= MOST), "claims become dearer: {costs:?}");
    drop(old);
    let oracle = Oracle { taken: &taken, ledger: scene.ledger(), tenants: vec![client], rows: scene.rows() };
    oracle.judge("old snapshot", 0, PATIENCE).await;
    drop(process);
    scene.end().await;
}
