//! Claiming: what may be claimed, by whom, in which order.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use carillon_domain::{Channel, Priority, Status};
use carillon_ports::work::{Claimable, Doubt, Hold, Tries};

use super::db::{Db, Row};
use super::draft::{email, sms};
use super::verdicts::{retry, sent};

pub(super) async fn a_row_that_is_born_leased_is_not_claimable(db: &Db) {
    db.accept_many(&[email().leased(), email().started(Doubt::Resend)]).await;
    assert_eq!(db.claim_ids().await, []);
}

pub(super) async fn a_spilled_row_is_claimed_once(db: &Db) {
    let row = db.accept(email()).await;
    let claimed = db.claim_all().await;
    assert_eq!(claimed.iter().map(|claimed| claimed.id).collect::<Vec<_>>(), [row.id]);
    assert_eq!(db.claim_ids().await, []);
    db.finish(claimed[0], sent()).await;
    assert_eq!(db.claim_ids().await, []);
}

pub(super) async fn a_claim_says_all_that_delivering_needs(db: &Db) {
    let row = db.accept(email().user("u-9").metadata("{}").test()).await;
    let now = db.now();
    let seen = std::sync::Mutex::new(Vec::new());
    let hold = Hold { lane: 7, hand: 41, started: true, doubt: Doubt::Hold };
    let assign = |rows: &[Claimable]| {
        seen.lock().unwrap().extend_from_slice(rows);
        vec![Some(hold); rows.len()]
    };
    let jobs = db.store.work.claim(Channel::Email, Priority::Normal, 5, now, &assign).await.unwrap();
    let (tenant, channel, priority) = (db.tenant, Channel::Email, Priority::Normal);
    assert_eq!(*seen.lock().unwrap(), [Claimable { id: row.id, tenant, channel, priority, test: true }]);
    assert_eq!(jobs.len(), 1);
    assert_eq!((jobs[0].hold, jobs[0].tries), (hold, Tries::default()));
    assert_eq!(jobs[0].notification.recipient.user_id.as_deref(), Some("u-9"));
    let row = Row { hold, ..row };
    assert_eq!(db.get(row).await.status, Status::Sending, "it was claimed as started");
    assert_eq!(db.finish(row, sent()).await.lost, []);
}

pub(super) async fn a_row_that_gets_no_place_stays_in_the_table(db: &Db) {
    db.accept_many(&[email(), email()]).await;
    let assign = |rows: &[Claimable]| {
        let place = |index| (index == 0).then(|| db.hold(Doubt::Resend, false));
        (0..rows.len()).map(place).collect()
    };
    let jobs = db.store.work.claim(Channel::Email, Priority::Normal, 10, db.now(), &assign).await.unwrap();
    assert_eq!(jobs.len(), 1);
    let rest = db.claim_ids().await;
    assert_eq!(rest.len(), 1);
    assert!(!rest.contains(&jobs[0].notification.id));
}

pub(super) async fn a_claim_takes_one_channel_one_priority_and_no_more_than_asked(db: &Db) {
    db.accept_many(&[email(), email(), email(), email().priority(Priority::High), sms()]).await;
    let now = db.now();
    assert_eq!(db.claim_of(Channel::Sms, Priority::High, 10, now).await.len(), 0);
    assert_eq!(db.claim_of(Channel::Email, Priority::High, 10, now).await.len(), 1);
    assert_eq!(db.claim(2).await.len(), 2);
    assert_eq!(db.claim(2).await.len(), 1);
    assert_eq!(db.claim_of(Channel::Sms, Priority::Normal, 10, now).await.len(), 1);
}

pub(super) async fn a_claim_is_fair_over_tenants(db: &Db) {
    db.accept_many(&vec![email(); 50]).await;
    let small = db.accept(email().of(db.other)).await;
    let jobs = db.claim(10).await;
    assert!(!jobs.is_empty());
    assert!(jobs.iter().any(|job| job.notification.id == small.id), "one large tenant does not hide a small one");
}

pub(super) async fn a_deleted_tenants_rows_are_no_longer_claimed(db: &Db) {
    let kept = db.accept(email()).await;
    db.accept(email().of(db.other)).await;
    db.store.tenants.tenant_delete(db.other, db.now()).await.unwrap();
    assert_eq!(db.claim_ids().await, [kept.id]);
}

pub(super) async fn a_scheduled_one_waits_for_its_time_and_its_promotion(db: &Db) {
    let due = db.after(Duration::from_secs(3600));
    let row = db.accept(email().scheduled(due)).await;
    assert_eq!(db.get(row).await.status, Status::Accepted);
    assert_eq!(db.claim_ids().await, []);
    let early = db.store.work.promote(db.now(), 100).await.unwrap();
    assert_eq!(early.rows, 0);
    let next = early.next.expect("one waits");
    assert!(next > Duration::from_secs(3500) && next <= Duration::from_secs(3600), "{next:?}");
    let promoted = db.store.work.promote(due, 100).await.unwrap();
    assert_eq!((promoted.rows, promoted.next), (1, None));
    assert_eq!(db.get(row).await.status, Status::Queued);
    let jobs = db.claim_of(Channel::Email, Priority::Normal, 10, due + Duration::from_secs(1)).await;
    assert_eq!(jobs.iter().map(|job| job.notification.id).collect::<Vec<_>>(), [row.id]);
    assert_eq!(db.timeline(row).await, ["notification.requested", "notification.queued"]);
}

pub(super) async fn a_promotion_takes_the_most_urgent_first(db: &Db) {
    let soon = db.after(Duration::from_millis(200));
    let low = db.accept(email().scheduled(soon).priority(Priority::Low)).await;
    let critical = db.accept(email().scheduled(soon).priority(Priority::Critical)).await;
    let now = soon + Duration::from_millis(500);
    assert_eq!(db.store.work.promote(now, 1).await.unwrap().rows, 1);
    assert_eq!(db.get(critical).await.status, Status::Queued);
    assert_eq!(db.get(low).await.status, Status::Accepted);
    assert_eq!(db.store.work.promote(now, 1).await.unwrap().rows, 1);
    assert_eq!(db.get(low).await.status, Status::Queued);
}

pub(super) async fn a_released_row_is_ready_again_and_its_old_hold_is_void(db: &Db) {
    let row = db.accept(email().leased()).await;
    assert_eq!(db.store.work.release(&[(row.id, row.hold)]).await.unwrap(), 1);
    assert_eq!(db.store.work.release(&[(row.id, row.hold)]).await.unwrap(), 0, "only what is held is given back");
    assert_eq!(db.finish(row, sent()).await.lost, [row.id]);
    let claimed = db.claim_all().await;
    assert_eq!(claimed.iter().map(|claimed| claimed.id).collect::<Vec<_>>(), [row.id]);
    assert_eq!(db.store.work.release(&[(row.id, row.hold)]).await.unwrap(), 0, "nor by one who held it before");
}

pub(super) async fn the_retry_budget_comes_back_with_the_next_claim(db: &Db) {
    let row = db.accept(email().leased()).await;
    let now = db.now();
    assert!(db.finish(row, retry(now)).await.ready);
    let jobs = db.claim(10).await;
    assert_eq!((jobs[0].tries.message_failures, jobs[0].tries.provider_failures), (1, 2));
    assert_eq!(jobs[0].tries.trouble_since, Some(now - Duration::from_secs(60)));
}

pub(super) async fn eight_claimers_at_once_get_each_row_once(db: &Db) {
    let (rows, _) = db.accept_many(&vec![email(); 400]).await;
    let hands = Arc::new(std::sync::atomic::AtomicI64::new(0));
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (work, hands, now) = (Arc::clone(&db.store.work), Arc::clone(&hands), db.now());
            tokio::spawn(async move {
                let assign = |rows: &[Claimable]| {
                    let hand = || hands.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
                    let hold = |_: &Claimable| Hold { lane: 3, hand: hand(), started: false, doubt: Doubt::Resend };
                    rows.iter().map(|row| Some(hold(row))).collect()
                };
                let (mut mine, mut empty) = (Vec::new(), 0);
                // Rows that another claimer has locked are skipped: only several empty answers mean that it is over.
                while empty < 5 {
                    let jobs = work.claim(Channel::Email, Priority::Normal, 17, now, &assign).await.unwrap();
                    empty = if jobs.is_empty() { empty + 1 } else { 0 };
                    mine.extend(jobs.iter().map(|job| job.notification.id));
                }
                mine
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.unwrap());
    }
    all.extend(db.claim_ids().await);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len(), "no row twice");
    assert_eq!(all.len(), rows.len(), "no row lost");
}

pub(super) async fn the_gauges_count_what_waits_in_each_state(db: &Db) {
    db.accept_many(&[email(), email(), sms()]).await;
    db.accept(email().leased()).await;
    db.accept(email().scheduled(db.after(Duration::from_secs(600)))).await;
    db.accept_many(&[email().ordered("k"), email().ordered("k")]).await;
    let depth = db.store.work.queue_depth().await.unwrap();
    let rows = |channel, state| -> u64 {
        depth.iter().filter(|entry| entry.channel == channel && entry.state == state).map(|entry| entry.rows).sum()
    };
    let email: Vec<_> = (0..5).map(|state| rows(Channel::Email, state)).collect();
    assert_eq!(email, [3, 1, 1, 0, 1]);
    assert_eq!(rows(Channel::Sms, 0), 1);
}

pub(super) async fn a_store_that_works_answers_a_ping(db: &Db) {
    db.store.work.ping().await.unwrap();
}
