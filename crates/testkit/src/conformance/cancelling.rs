//! Cancelling against delivery: both, or neither, must never happen.

use carillon_domain::{ErrorCode, Status};
use carillon_ports::work::{Doubt, Raise};

use super::db::{Db, LANE};
use super::draft::email;
use super::verdicts::{failed, refused, sent};

pub(super) async fn a_cancelled_notification_leaves_no_work_behind(db: &Db) {
    let row = db.accept(email().to("ada@example.com")).await;
    let at = db.now();
    let cancelled = db.store.notifications.notification_cancel(db.scope(), row.at(), at).await.unwrap();
    assert_eq!(cancelled.status, Status::Cancelled);
    assert_eq!(cancelled, db.get(row).await);
    assert_eq!(db.claim_ids().await, []);
    let story = ["notification.requested", "notification.queued", "notification.cancelled"];
    assert_eq!(db.timeline(row).await, story);
}

pub(super) async fn a_scheduled_one_that_is_cancelled_never_becomes_due(db: &Db) {
    let due = db.after(std::time::Duration::from_secs(60));
    let row = db.accept(email().scheduled(due)).await;
    db.store.notifications.notification_cancel(db.scope(), row.at(), db.now()).await.unwrap();
    assert_eq!(db.store.work.promote(due, 10).await.unwrap().rows, 0);
    assert_eq!(db.get(row).await.status, Status::Cancelled);
}

pub(super) async fn cancelling_twice_is_no_mistake_and_one_event(db: &Db) {
    let row = db.accept(email()).await;
    for _ in 0..2 {
        let cancelled = db.store.notifications.notification_cancel(db.scope(), row.at(), db.now()).await.unwrap();
        assert_eq!(cancelled.status, Status::Cancelled);
    }
    let cancelled = db.timeline(row).await.iter().filter(|name| **name == "notification.cancelled").count();
    assert_eq!(cancelled, 1);
}

pub(super) async fn what_a_provider_may_have_cannot_be_cancelled(db: &Db) {
    let (rows, _) = db.accept_many(&[email().started(Doubt::Resend), email().leased(), email().leased()]).await;
    db.finish(rows[1], sent()).await;
    db.finish(rows[2], failed()).await;
    for row in rows {
        let before = db.timeline(row).await;
        let answer = db.store.notifications.notification_cancel(db.scope(), row.at(), db.now()).await;
        assert_eq!(refused(answer), ErrorCode::InvalidState);
        assert_eq!(db.timeline(row).await, before);
    }
}

pub(super) async fn a_row_behind_the_frontier_is_cancelled_in_memory_too(db: &Db) {
    let (rows, _) = db.accept_many(&vec![email().leased(); 4]).await;
    let raise = |hi| async move { db.store.work.finish(&[], &[Raise { lane: LANE, hi }]).await.unwrap() };
    assert_eq!(raise(rows[1].hold.hand).await.cancelled, []);
    assert_eq!(db.get(rows[1]).await.status, Status::Sending);
    assert_eq!(db.get(rows[2]).await.status, Status::Queued);
    let cancel = |index: usize| db.store.notifications.notification_cancel(db.scope(), rows[index].at(), db.now());
    assert_eq!(refused(cancel(1).await), ErrorCode::InvalidState, "its hand is at the frontier");
    assert_eq!(cancel(2).await.unwrap().status, Status::Cancelled, "it is beyond the frontier");
    assert_eq!(raise(rows[3].hold.hand).await.cancelled, [rows[2].id], "who raises learns what to drop");
    assert_eq!(db.finish(rows[2], sent()).await.lost, [rows[2].id]);
    assert_eq!(db.get(rows[2]).await.status, Status::Cancelled, "cancelled is never left");
    assert_eq!(refused(cancel(3).await), ErrorCode::InvalidState);
}

pub(super) async fn a_frontier_never_moves_back(db: &Db) {
    let row = db.accept(email().leased()).await;
    for hi in [row.hold.hand, row.hold.hand - 1, 0] {
        db.store.work.finish(&[], &[Raise { lane: LANE, hi }]).await.unwrap();
    }
    let answer = db.store.notifications.notification_cancel(db.scope(), row.at(), db.now()).await;
    assert_eq!(refused(answer), ErrorCode::InvalidState);
}

pub(super) async fn a_cancel_and_a_raise_at_once_are_one_or_the_other(db: &Db) {
    for _ in 0..20 {
        let row = db.accept(email().leased()).await;
        let raises = [Raise { lane: LANE, hi: row.hold.hand }];
        let raise = db.store.work.finish(&[], &raises);
        let cancel = db.store.notifications.notification_cancel(db.scope(), row.at(), db.now());
        let (raised, cancelled) = tokio::join!(raise, cancel);
        let dropped = raised.unwrap().cancelled == [row.id];
        assert_eq!(dropped, cancelled.is_ok(), "sent and cancelled, or neither");
        let lost = db.finish(row, sent()).await.lost == [row.id];
        assert_eq!(lost, dropped);
    }
}

pub(super) async fn a_row_cancelled_in_memory_is_claimed_anew_after_it_was_dropped(db: &Db) {
    let row = db.accept(email().leased()).await;
    let spilled = db.store.work.release(&[(row.id, row.hold)]).await.unwrap();
    assert_eq!(spilled, 1);
    let held = db.claim_all().await[0];
    db.store.notifications.notification_cancel(db.scope(), held.at(), db.now()).await.unwrap();
    db.store.notifications.notification_retry(db.scope(), held.at(), db.now()).await.unwrap();
    assert_eq!(db.claim_ids().await, [], "its cancelled hold may still be in memory");
    assert_eq!(db.finish(row, sent()).await.lost, [row.id], "an older hold says nothing about this one");
    assert_eq!(db.claim_ids().await, []);
    let raised = db.store.work.finish(&[], &[Raise { lane: LANE, hi: held.hold.hand }]).await.unwrap();
    assert_eq!(raised.cancelled, [row.id]);
    assert_eq!(db.claim_ids().await, [row.id]);
}
