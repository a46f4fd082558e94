use carillon_ports::EventLog as _;
use carillon_ports::events::EventCursor;
use sqlx::postgres::PgConnectOptions;

use super::super::{cluster, log};
use super::*;

const EVENT: &str = "INSERT INTO events (id, tenant_id, transitions) VALUES ($1, 1, '[{\"k\":\"sent\",\"t\":1}]')";

/// Reads all pages after `cursor` and moves it.
async fn read(store: &Postgres, cursor: &mut EventCursor, limit: u32) -> Vec<i64> {
    let mut ids = Vec::new();
    loop {
        let page = store.event_log_read(cursor, limit).await.unwrap();
        ids.extend(page.events.iter().map(|event| event.notification.0));
        *cursor = page.next;
        if !page.more {
            return ids;
        }
    }
}

async fn write(connection: &mut PgConnection, id: i64) {
    sqlx::query(EVENT).bind(id).execute(connection).await.unwrap();
}

/// A write transaction that is open in another database of the same server.
async fn idle_writer(f: &Fixture) -> PgConnection {
    let mut elsewhere = PgConnection::connect(&f.admin).await.unwrap();
    elsewhere.execute("BEGIN; SELECT pg_current_xact_id()").await.unwrap();
    elsewhere
}

/// F25.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_commits_late_is_read_late_and_never_skipped() {
    let Some(f) = fixture().await else { return };
    let store = f.process(LEASE).await;
    let elsewhere = idle_writer(&f).await;
    let options: PgConnectOptions = (*f.pool.connect_options()).clone().options([("synchronous_commit", "off")]);
    let (mut late, mut early) =
        (PgConnection::connect_with(&options).await.unwrap(), PgConnection::connect_with(&options).await.unwrap());
    let mut cursor = store.event_log_end().await.unwrap();
    for round in 0..1_000 {
        let (low, high) = (2 * round + 1, 2 * round + 2);
        late.execute("BEGIN").await.unwrap();
        write(&mut late, low).await;
        write(&mut early, high).await;
        assert_eq!(read(&store, &mut cursor, 5).await, [high], "what is committed is seen, whoever else is writing");
        late.execute("COMMIT").await.unwrap();
        assert_eq!(read(&store, &mut cursor, 5).await, [low], "round {round}");
    }
    assert!(cursor.as_str().len() < 200, "the cursor does not grow: {cursor:?}");
    drop((late, early, elsewhere));
    f.end().await;
}

/// The cursor is not held up by the idle writer, so a read need not pass over again what it has read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_in_the_middle_of_a_snapshot_stays_in_it() {
    let Some(f) = fixture().await else { return };
    let store = f.process(LEASE).await;
    let mut early = f.pool.acquire().await.unwrap();
    let mut late = f.pool.acquire().await.unwrap();
    let mut cursor = store.event_log_end().await.unwrap();
    for id in 1..=4 {
        write(&mut early, id).await;
    }
    late.execute("BEGIN").await.unwrap();
    write(&mut late, 5).await;
    write(&mut early, 6).await;
    let page = store.event_log_read(&cursor, 2).await.unwrap();
    cursor = page.next;
    late.execute("COMMIT").await.unwrap();
    write(&mut early, 7).await;
    assert_eq!(read(&store, &mut cursor, 2).await, [3, 4, 6, 5, 7]);
    drop((early, late));
    f.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_moved_begins_a_new_epoch_after_the_old_one() {
    let Some(f) = fixture().await else { return };
    let store = f.process(LEASE).await;
    let mut session = f.pool.acquire().await.unwrap();
    let mut cursor = store.event_log_end().await.unwrap();
    // As from a server that had seen far more transactions.
    let old = "INSERT INTO events (xid, id, tenant_id, transitions)
               SELECT (4000000000 + n)::text::xid8, n, 1, '[]' FROM generate_series(1, 7) n";
    session.execute(old).await.unwrap();
    cluster::settle(&f.pool).await.unwrap();
    assert_eq!(read(&store, &mut cursor.clone(), 10).await, [] as [i64; 0], "the same server: nothing changes");
    session.execute("UPDATE cluster SET system_identifier = 1").await.unwrap();
    cluster::settle(&f.pool).await.unwrap();
    cluster::settle(&f.pool).await.unwrap();
    write(&mut session, 8).await;
    let mut fresh = store.event_log_end().await.unwrap();
    assert!(fresh.as_str().starts_with("2/"), "{fresh:?}");
    assert_eq!(read(&store, &mut cursor, 3).await, (1..=8).collect::<Vec<_>>(), "the old ones first");
    write(&mut session, 9).await;
    assert_eq!(read(&store, &mut cursor, 3).await, [9]);
    assert_eq!(read(&store, &mut fresh, 3).await, [9]);
    drop(session);
    f.end().await;
}

/// What a reader has passed is not passed over again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_costs_what_is_new() {
    let Some(f) = fixture().await else { return };
    let mut session = f.pool.acquire().await.unwrap();
    let old = "INSERT INTO events (xid, id, tenant_id, transitions)
               SELECT (n / 500 + 1)::text::xid8, n, 1, '[]' FROM generate_series(1, 100000) n";
    session.execute(old).await.unwrap();
    session.execute("ANALYZE events; SET enable_seqscan = on").await.unwrap();
    let explain = AssertSqlSafe(format!("EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) {}", log::READ));
    let plan: Vec<String> = sqlx::query_scalar(explain)
        .bind(["150".to_owned()])
        .bind("200")
        .bind("202")
        .bind("202:202:")
        .bind(1_i16)
        .bind("0")
        .bind(0_i64)
        .bind(200_i64)
        .bind(-1_i64)
        .fetch_all(&mut *session)
        .await
        .unwrap();
    let blocks = plan.iter().find_map(|line| line.trim().strip_prefix("Buffers: shared hit=")).unwrap();
    let blocks: u32 = blocks.split(' ').next().unwrap().parse().unwrap();
    assert!(blocks < 100, "{plan:#?}");
    drop(session);
    f.end().await;
}
