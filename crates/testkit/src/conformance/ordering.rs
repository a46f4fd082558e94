//! Strict order among the notifications of one key.

use std::time::Duration;

use carillon_domain::Status;
use carillon_ports::work::Doubt;

use super::db::Db;
use super::draft::email;
use super::verdicts::{failed, held, retry, sent};

pub(super) async fn the_second_of_a_key_waits_until_the_first_has_finished(db: &Db) {
    let (rows, blocked) = db.accept_many(&[email().ordered("k"), email().ordered("k"), email().ordered("k")]).await;
    assert_eq!(blocked, [1, 2]);
    for row in &rows {
        let claimed = db.claim_all().await;
        assert_eq!(claimed.iter().map(|claimed| claimed.id).collect::<Vec<_>>(), [row.id]);
        let last = row.id == rows[2].id;
        assert_eq!(db.finish(claimed[0], sent()).await.ready, !last, "the next one moves up");
    }
    assert_eq!(db.store.work.heal_ordering().await.unwrap(), 0);
}

pub(super) async fn a_blocked_row_does_not_take_the_hold_it_was_offered(db: &Db) {
    let (rows, blocked) = db.accept_many(&[email().ordered("k").leased(), email().ordered("k").leased()]).await;
    assert_eq!(blocked, [1]);
    assert_eq!(db.finish(rows[1], sent()).await.lost, [rows[1].id]);
    assert_eq!(db.get(rows[1]).await.status, Status::Queued);
    assert_eq!(db.finish(rows[0], sent()).await.lost, []);
    assert_eq!(db.claim_ids().await, [rows[1].id]);
}

pub(super) async fn order_holds_over_units_and_groups(db: &Db) {
    let (first, a) = db.unit(&[email().ordered("k")]).await;
    let (second, b) = db.unit(&[email(), email().ordered("k")]).await;
    let answers = db.store.work.accept(&[first, second]).await;
    let blocked: Vec<_> = answers
        .into_iter()
        .map(|answer| match answer.unwrap() {
            carillon_ports::work::Accepted::Stored { blocked } => blocked,
            other => panic!("expected it stored, got {other:?}"),
        })
        .collect();
    assert_eq!(blocked, [vec![], vec![1]]);
    assert_eq!(db.claim_ids().await, [a[0].id, b[0].id]);
}

pub(super) async fn keys_of_other_words_and_other_tenants_do_not_wait(db: &Db) {
    db.accept(email().ordered("k")).await;
    db.accept(email().ordered("l")).await;
    db.accept(email().ordered("k").of(db.other)).await;
    assert_eq!(db.claim_ids().await.len(), 3);
}

pub(super) async fn a_cancelled_hole_does_not_block(db: &Db) {
    let (rows, _) = db.accept_many(&vec![email().ordered("k"); 4]).await;
    for hole in [rows[1], rows[2]] {
        db.store.notifications.notification_cancel(db.scope(), hole.at(), db.now()).await.unwrap();
    }
    let head = db.claim_all().await;
    assert_eq!(head.iter().map(|row| row.id).collect::<Vec<_>>(), [rows[0].id]);
    db.finish(head[0], sent()).await;
    assert_eq!(db.claim_ids().await, [rows[3].id]);
}

pub(super) async fn a_cancelled_head_lets_the_next_pass(db: &Db) {
    let (rows, _) = db.accept_many(&vec![email().ordered("k"); 2]).await;
    db.store.notifications.notification_cancel(db.scope(), rows[0].at(), db.now()).await.unwrap();
    assert_eq!(db.claim_ids().await, [rows[1].id]);
}

pub(super) async fn a_head_that_is_given_up_lets_the_next_pass(db: &Db) {
    let (rows, _) = db.accept_many(&vec![email().ordered("k"); 3]).await;
    for (row, verdict) in rows.iter().zip([failed(), held()]) {
        let head = db.claim_all().await;
        assert_eq!(head.iter().map(|row| row.id).collect::<Vec<_>>(), [row.id]);
        assert!(db.finish(head[0], verdict).await.ready);
    }
    assert_eq!(db.claim_ids().await, [rows[2].id]);
}

pub(super) async fn a_retrying_head_keeps_its_place(db: &Db) {
    let (rows, _) = db.accept_many(&vec![email().ordered("k"); 2]).await;
    let head = db.claim_all().await[0];
    let due = db.after(Duration::from_secs(1));
    db.finish(head, retry(due)).await;
    assert_eq!(db.claim_ids().await, []);
    assert_eq!(db.store.work.heal_ordering().await.unwrap(), 0, "it has work, but it waits on purpose");
    assert_eq!(db.claim_ids().await, []);
    assert_eq!(db.store.work.promote(due, 10).await.unwrap().rows, 1);
    let jobs = db.claim_of(carillon_domain::Channel::Email, Default::default(), 10, due).await;
    assert_eq!(jobs.iter().map(|job| job.notification.id).collect::<Vec<_>>(), [rows[0].id]);
}

pub(super) async fn a_scheduled_head_holds_its_key_until_it_is_due(db: &Db) {
    let due = db.after(Duration::from_secs(1));
    let head = db.accept(email().ordered("k").scheduled(due)).await;
    db.accept(email().ordered("k")).await;
    assert_eq!(db.claim_ids().await, []);
    assert_eq!(db.store.work.heal_ordering().await.unwrap(), 0);
    db.store.work.promote(due, 10).await.unwrap();
    let jobs = db.claim_of(carillon_domain::Channel::Email, Default::default(), 10, due).await;
    assert_eq!(jobs.iter().map(|job| job.notification.id).collect::<Vec<_>>(), [head.id]);
}

pub(super) async fn a_restart_keeps_the_order(db: &Db) {
    let (rows, _) = db.accept_many(&vec![email().ordered("k").started(Doubt::Resend); 2]).await;
    db.restart().await;
    assert_eq!(db.claim_ids().await, [rows[0].id]);
}

pub(super) async fn a_retried_one_joins_the_end_of_its_key(db: &Db) {
    let (rows, _) = db.accept_many(&vec![email().ordered("k"); 2]).await;
    let head = db.claim_all().await[0];
    db.finish(head, failed()).await;
    db.store.notifications.notification_retry(db.scope(), rows[0].at(), db.now()).await.unwrap();
    let next = db.claim_all().await;
    assert_eq!(next.iter().map(|row| row.id).collect::<Vec<_>>(), [rows[1].id]);
    db.finish(next[0], sent()).await;
    assert_eq!(db.claim_ids().await, [rows[0].id]);
}

pub(super) async fn two_completers_at_once_leave_no_lane_stuck(db: &Db) {
    for round in 0..10 {
        let key = format!("k{round}");
        db.accept_many(&vec![email().ordered(&key); 2]).await;
        let head = db.claim_all().await[0];
        let late = async { db.accept(email().ordered(&key)).await };
        let (_, _) = tokio::join!(db.finish(head, sent()), late);
        for _ in 0..2 {
            let next = db.claim_all().await;
            assert_eq!(next.len(), 1, "one of the lane is ready");
            db.finish(next[0], sent()).await;
        }
    }
    assert_eq!(db.store.work.heal_ordering().await.unwrap(), 0);
}
