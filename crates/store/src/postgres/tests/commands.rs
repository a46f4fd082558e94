use carillon_domain::{ErrorCode, NotificationRef};

use super::*;

/// The pool takes its time with a connection that comes back: what a refusal left to it would stay locked meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_leaves_nothing_locked() {
    let Some(f) = fixture().await else { return };
    let slow = PgPoolOptions::new()
        .max_connections(1)
        .after_release(|_, _| {
            Box::pin(async {
                tokio::time::sleep(Duration::from_secs(2)).await;
                Ok(true)
            })
        })
        .connect_with((*f.pool.connect_options()).clone())
        .await
        .unwrap();
    let store = f.process(LEASE).await;
    let new = f.ordered("a", Birth::Ready);
    let id = new.notification.id;
    store.accept(&[unit(vec![new])]).await.remove(0).unwrap();
    let moved = "UPDATE notifications SET status = 6; DELETE FROM ordering_lane";
    f.pool.execute(moved).await.unwrap();
    let person = Postgres::new(slow.clone(), slow.clone());
    let refused = person.retry(T, NotificationRef::Id(id), at(5)).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::InvalidState);
    let mut other = f.pool.acquire().await.unwrap();
    other.execute("SET lock_timeout = '100ms'").await.unwrap();
    other.execute("INSERT INTO ordering_lane VALUES (1, 'a', 1, 1)").await.unwrap();
    drop(other);
    slow.close().await;
    f.end().await;
}
