//! Epochs: what a process held when it died, and what a fenced one may no longer do.

use std::collections::BTreeMap;
use std::time::Duration;

use carillon_domain::{Channel, ErrorCode, Status};
use carillon_ports::work::{Accepted, Doubt, Doubted, Raise};

use super::db::{Db, LANE};
use super::draft::{email, sms};
use super::verdicts::{failed, refused, retry, sent};

pub(super) async fn a_living_process_keeps_its_lease(db: &Db) {
    let row = db.accept(email().leased()).await;
    assert!(db.store.work.heartbeat().await.unwrap());
    assert_eq!(db.store.work.rescue(db.now()).await.unwrap().rows, 0);
    assert_eq!(db.claim_ids().await, []);
    assert_eq!(db.finish(row, sent()).await.lost, []);
}

pub(super) async fn what_a_dead_process_surely_did_not_send_is_ready_again(db: &Db) {
    let row = db.accept(email().leased()).await;
    db.restart().await;
    assert_eq!(db.timeline(row).await, ["notification.requested", "notification.queued"]);
    assert_eq!(db.claim_ids().await, [row.id]);
}

pub(super) async fn what_a_dead_process_may_have_sent_is_sent_again_and_says_so(db: &Db) {
    let (rows, _) = db.accept_many(&[email().started(Doubt::Resend), email().leased(), email().leased()]).await;
    db.store.work.finish(&[], &[Raise { lane: LANE, hi: rows[1].hold.hand }]).await.unwrap();
    db.restart().await;
    for row in &rows[..2] {
        let story = ["notification.requested", "notification.queued", "notification.unknown", "notification.queued"];
        assert_eq!(db.timeline(*row).await, story);
        assert_eq!(db.get(*row).await.status, Status::Queued);
    }
    assert_eq!(db.timeline(rows[2]).await.len(), 2, "beyond the frontier nothing was sent");
    assert_eq!(db.claim_ids().await, rows.iter().map(|row| row.id).collect::<Vec<_>>());
}

pub(super) async fn what_a_dead_process_may_have_sent_is_parked_if_the_account_says_hold(db: &Db) {
    let row = db.accept(email().started(Doubt::Hold)).await;
    db.restart().await;
    assert_eq!(db.claim_ids().await, []);
    assert_eq!(db.get(row).await.status, Status::Unknown);
    assert_eq!(db.timeline(row).await.last(), Some(&"notification.unknown"));
    let letter = db.store.notifications.dead_letter_get(db.scope(), row.at()).await.unwrap();
    assert_eq!(letter.reason, "unknown");
}

pub(super) async fn a_rescue_tells_what_is_in_doubt_and_with_whom(db: &Db) {
    let known = db.accept(email().started(Doubt::Resend)).await;
    db.finish(known, retry(db.now())).await;
    let again = db.claim_all().await[0];
    db.store.work.finish(&[], &[Raise { lane: LANE, hi: again.hold.hand }]).await.unwrap();
    let drafts =
        [email().started(Doubt::Resend), email().started(Doubt::Hold), sms().started(Doubt::Hold), email().leased()];
    db.accept_many(&drafts).await;
    db.store.work.end().await.unwrap();
    db.store.work.begin(Duration::from_secs(60)).await.unwrap();
    let rescued = db.store.work.rescue(db.now()).await.unwrap();
    let doubted = |resent, held| Doubted { resent, held };
    let wanted = BTreeMap::from([
        ((Channel::Email, Some("smtp".to_owned())), doubted(1, 0)),
        ((Channel::Email, None), doubted(1, 1)),
        ((Channel::Sms, None), doubted(0, 1)),
    ]);
    assert_eq!((rescued.rows, rescued.doubted), (5, wanted));
    assert_eq!(db.store.work.rescue(db.now()).await.unwrap(), Default::default(), "it is told once");
}

pub(super) async fn what_cannot_be_in_doubt_is_simply_done_again(db: &Db) {
    let row = db.accept(email().started(Doubt::Impossible)).await;
    db.restart().await;
    assert_eq!(db.timeline(row).await, ["notification.requested", "notification.queued"]);
    assert_eq!(db.claim_ids().await, [row.id]);
}

pub(super) async fn an_outcome_of_an_earlier_epoch_is_lost(db: &Db) {
    let row = db.accept(email().started(Doubt::Resend)).await;
    db.restart().await;
    assert_eq!(db.finish(row, failed()).await.lost, [row.id]);
    assert_eq!(db.store.work.release(&[(row.id, row.hold)]).await.unwrap(), 0);
    assert_eq!(db.get(row).await.status, Status::Queued);
    assert_eq!(db.claim_ids().await, [row.id]);
}

/// Two processes on one database: only engines that allow it are asked.
pub(super) async fn a_fenced_process_writes_nothing(db: &Db) {
    let Some(second) = db.second().await else { return };
    second.work.begin(Duration::from_secs(60)).await.unwrap();
    assert!(db.store.work.heartbeat().await.unwrap(), "the living share the database");
    let (rows, _) = db.accept_many(&[email().started(Doubt::Resend), email().leased()]).await;
    assert_eq!(second.work.rescue(db.now()).await.unwrap().rows, 0);
    db.store.work.end().await.unwrap();
    let rescued = second.work.rescue(db.now()).await.unwrap();
    assert_eq!((rescued.rows, rescued.unknown()), (2, 1));
    assert!(!db.store.work.heartbeat().await.unwrap_or(false), "its lease is gone");
    let outcome = db.store.work.finish(&[db.outcome(rows[0], failed())], &[]).await;
    assert!(outcome.is_err() || outcome.is_ok_and(|finished| finished.lost == [rows[0].id]));
    assert_eq!(db.get(rows[0]).await.status, Status::Queued);
    let (unit, late) = db.unit(&[email().leased()]).await;
    assert!(!matches!(db.accept_unit(unit).await, Ok(Accepted::Stored { .. })), "a zombie takes nothing more");
    let found = db.store.notifications.notification_get(db.scope(), late[0].at()).await;
    assert_eq!(refused(found), ErrorCode::NotFound);
}

pub(super) async fn two_processes_never_take_the_same_ids_or_rows(db: &Db) {
    let Some(second) = db.second().await else { return };
    second.work.begin(Duration::from_secs(60)).await.unwrap();
    let ((a, n), (b, m)) = (db.store.work.ids().await.unwrap(), second.work.ids().await.unwrap());
    assert!(a + i64::from(n) <= b || b + i64::from(m) <= a);
    let row = db.accept(email().leased()).await;
    let foreign = second.work.finish(&[db.outcome(row, failed())], &[]).await.unwrap();
    assert_eq!(foreign.lost, [row.id], "the epoch is part of the fence");
    assert_eq!(second.work.release(&[(row.id, row.hold)]).await.unwrap(), 0);
    assert_eq!(db.finish(row, sent()).await.lost, []);
}

/// A cancel by a process that does not hold the row reaches the one that does.
pub(super) async fn a_cancel_in_one_process_is_dropped_by_the_other(db: &Db) {
    let Some(second) = db.second().await else { return };
    second.work.begin(Duration::from_secs(60)).await.unwrap();
    let (rows, _) = db.accept_many(&[email().leased(), email().started(Doubt::Resend)]).await;
    let at = db.now();
    let cancelled = second.notifications.notification_cancel(db.scope(), rows[0].at(), at).await.unwrap();
    assert_eq!(cancelled.status, Status::Cancelled);
    let refusal = second.notifications.notification_cancel(db.scope(), rows[1].at(), at).await;
    assert_eq!(refused(refusal), ErrorCode::InvalidState);
    let finished = db.store.work.finish(&[], &[Raise { lane: LANE, hi: rows[1].hold.hand }]).await.unwrap();
    assert_eq!(finished.cancelled, [rows[0].id]);
}
