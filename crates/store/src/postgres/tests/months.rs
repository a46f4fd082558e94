use carillon_domain::{Error, NotificationRef};

use super::super::{lookup, months};
use super::*;

const IDS: i64 = 1 << 40;
const PARTITIONS: &str = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'events'::regclass";

fn day(text: &str) -> Timestamp {
    format!("{text}T12:00:00Z").parse().unwrap()
}

async fn began(f: &Fixture, text: &str) {
    let sql = "UPDATE history_month SET began = $1 WHERE number = 0";
    sqlx::query(sql).bind(day(text)).execute(&f.pool).await.unwrap();
}

fn of_day(f: &Fixture, id: i64, text: &str) -> NewNotification {
    let mut new = f.mail(Birth::Ready);
    new.notification.id = NotificationId(id);
    let seconds = u64::try_from(day(text).timestamp()).unwrap();
    new.notification.uuid = Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, 0));
    new
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sequence_moves_when_the_month_turns_and_partitions_are_there_before() {
    let Some(f) = fixture().await else { return };
    let (store, other) = (f.process(LEASE).await, f.process(LEASE).await);
    began(&f, "2026-11-23").await;
    assert!(!store.history_turn(day("2026-11-30")).await.unwrap());
    assert!(store.ids().await.unwrap().0 < IDS);
    let (one, two) = tokio::join!(store.history_turn(day("2026-12-01")), other.history_turn(day("2026-12-01")));
    assert_eq!([one.unwrap(), two.unwrap()].iter().filter(|turned| **turned).count(), 1, "one of two processes");
    let december = store.ids().await.unwrap().0;
    assert_eq!(december, IDS + 1);
    assert!(other.ids().await.unwrap().0 > december);
    assert_eq!(f.count(PARTITIONS).await, 4, "this one, two more, and November's");
    for month in ["2027-01-02", "2027-04-01"] {
        assert!(store.history_turn(day(month)).await.unwrap());
    }
    let april = store.ids().await.unwrap().0;
    assert_eq!(april, 3 * IDS + 1, "a month in which nobody was there owns no ids");
    let items = [of_day(&f, december, "2026-12-03"), of_day(&f, april, "2027-04-02")];
    let names = items.each_ref().map(|new| new.notification.uuid);
    store.accept(&[unit(items.into())]).await.remove(0).unwrap();
    let mut session = f.pool.acquire().await.unwrap();
    for (uuid, id) in names.into_iter().zip([december, april]) {
        let found = lookup::find(&mut session, T, NotificationRef::Uuid(uuid)).await.unwrap();
        assert_eq!(found.id.0, id);
    }
    let fill = "SELECT reloptions::text FROM pg_class WHERE relname = 'notifications_p5'";
    let fill: String = sqlx::query_scalar(fill).fetch_one(&mut *session).await.unwrap();
    assert!(fill.contains("fillfactor=40"), "{fill}");
    drop(session);
    f.end().await;
}

/// A uuid's time narrows the search; one whose time is wrong is found all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_uuid_is_looked_for_in_its_month_first() {
    let Some(f) = fixture().await else { return };
    let store = f.process(LEASE).await;
    began(&f, "2026-11-23").await;
    for month in ["2026-12-01", "2027-01-01", "2027-02-01"] {
        assert!(store.history_turn(day(month)).await.unwrap());
    }
    let mut wrong = of_day(&f, 2 * IDS + 7, "2020-01-01");
    let right = of_day(&f, IDS + 7, "2026-12-24");
    let (uuid, name) = (right.notification.uuid, NotificationRef::Uuid(wrong.notification.uuid));
    wrong.notification.created_at = day("2027-01-05");
    store.accept(&[unit(vec![right, wrong])]).await.remove(0).unwrap();
    let mut session = f.pool.acquire().await.unwrap();
    assert_eq!(lookup::find(&mut session, T, name).await.unwrap().id.0, 2 * IDS + 7);
    let (from, to) = months::around(uuid).unwrap();
    let explain = AssertSqlSafe(format!("EXPLAIN (ANALYZE, COSTS OFF) {}", lookup::BY_UUID_AND_TIME));
    let plan: Vec<String> =
        sqlx::query_scalar(explain).bind(uuid).bind(T.0).bind(from).bind(to).fetch_all(&mut *session).await.unwrap();
    let searched = |line: &&String| line.contains(" on notifications_p") && !line.contains("never executed");
    assert_eq!(plan.iter().filter(searched).count(), 1, "{plan:#?}");
    drop(session);
    f.end().await;
}

/// `setval` knows no rollback: a turn that failed after it must not hand out the same ids again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_that_broke_off_and_a_month_that_is_full_repeat_no_ids() {
    let Some(f) = fixture().await else { return };
    let store = f.process(LEASE).await;
    began(&f, "2026-11-23").await;
    f.pool.execute(AssertSqlSafe(format!("SELECT setval('notification_id_seq', {}, false)", IDS + 1))).await.unwrap();
    let first = store.ids().await.unwrap().0;
    assert!(store.history_turn(day("2026-12-01")).await.unwrap());
    assert!(store.ids().await.unwrap().0 > first);
    f.pool
        .execute(AssertSqlSafe(format!("SELECT setval('notification_id_seq', {}, true)", 2 * IDS - 1023)))
        .await
        .unwrap();
    let over = store.ids().await.unwrap().0;
    let items = (0..1_024).map(|n| of_day(&f, over + n, "2026-12-30")).collect();
    let accepted: Result<_, Error> = store.accept(&[unit(items)]).await.remove(0);
    accepted.unwrap();
    assert!(store.history_turn(day("2026-12-30")).await.unwrap(), "the next month has begun by itself");
    assert_eq!(f.count(PARTITIONS).await, 5);
    assert_eq!(store.ids().await.unwrap().0, over + 1_024);
    f.end().await;
}
