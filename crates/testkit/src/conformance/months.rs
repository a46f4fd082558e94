//! History in months: a caller does not notice.

use std::time::Duration;

use super::db::Db;
use super::draft::email;
use super::verdicts::sent;
use carillon_domain::{NotificationRef, Status};

pub(super) async fn a_turn_of_the_month_loses_nothing_and_happens_once(db: &Db) {
    let before = db.accept(email().leased()).await;
    let (last, count) = db.store.work.ids().await.unwrap();
    let next_month = db.after(Duration::from_secs(32 * 86_400));
    db.store.work.history_turn(db.now()).await.unwrap();
    db.store.work.history_turn(next_month).await.unwrap();
    assert!(!db.store.work.history_turn(next_month).await.unwrap(), "it has turned");
    assert!(db.store.work.ids().await.unwrap().0 >= last + i64::from(count), "ids rise over the turn");
    let after = db.accept(email().leased()).await;
    for row in [before, after] {
        assert_eq!(db.finish(row, sent()).await.lost, []);
        let uuid = NotificationRef::Uuid(db.get(row).await.uuid);
        let found = db.store.notifications.notification_get(db.scope(), uuid).await.unwrap();
        assert_eq!((found.id, found.status), (row.id, Status::Sent));
    }
}
