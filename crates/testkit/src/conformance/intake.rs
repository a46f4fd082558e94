//! Accepting: what is on disk after the commit, and what a unit that cannot be stored does to its neighbours.

use std::sync::Arc;

use carillon_domain::{Channel, ErrorCode, Status};
use carillon_ports::work::{AcceptUnit, Accepted, Doubt, Payload};

use super::db::{Db, scope};
use super::draft::{email, in_app, sms};
use super::verdicts::refused;

pub(super) async fn an_accepted_notification_is_there_with_its_work_and_its_story(db: &Db) {
    let row = db.accept(email().to("ada@example.com").metadata(r#"{"order":"7"}"#)).await;
    let stored = db.get(row).await;
    assert_eq!(stored.recipient.address(Channel::Email), Some("ada@example.com"));
    assert_eq!((stored.status, stored.attempts, stored.run), (Status::Queued, 0, 1));
    assert_eq!(stored.metadata.as_deref(), Some(r#"{"order":"7"}"#));
    assert_eq!(db.timeline(row).await, ["notification.requested", "notification.queued"]);
    assert_eq!(db.claim_ids().await, [row.id]);
}

pub(super) async fn what_is_accepted_reads_back_exactly(db: &Db) {
    let (unit, rows) = db.unit(&[email().user("u-1").ordered("k").test(), sms().leased()]).await;
    let written: Vec<_> = unit.items.iter().map(|item| item.notification.clone()).collect();
    db.accept_unit(unit).await.unwrap();
    for (row, written) in rows.iter().zip(written) {
        assert_eq!(db.get(*row).await, written);
    }
}

pub(super) async fn content_of_any_size_is_rendered_from_again(db: &Db) {
    let large = format!(r#"{{"text":"{}"}}"#, "a".repeat(100_000));
    let small = Payload { variables: r#"{"name":"Ada"}"#.to_owned(), direct: None };
    for payload in [small, Payload { variables: String::new(), direct: Some(large) }] {
        let row = db.accept(email().payload(payload.clone())).await;
        let read = db.store.notifications.notification_payload(db.scope(), row.id).await.unwrap();
        assert_eq!(read, payload);
        let claimed = db.claim(10).await;
        assert_eq!(claimed.iter().map(|job| &job.payload).collect::<Vec<_>>(), [&payload]);
    }
}

pub(super) async fn a_message_for_the_inbox_is_delivered_by_the_commit(db: &Db) {
    let row = db.accept(in_app("u-1")).await;
    let stored = db.get(row).await;
    assert_eq!(stored.status, Status::Delivered);
    assert!(stored.delivered_at.is_some());
    assert_eq!(db.claim_ids().await, []);
}

pub(super) async fn ids_rise_and_are_never_handed_out_twice(db: &Db) {
    let mut end = 0;
    for _ in 0..20 {
        let (first, count) = db.store.work.ids().await.unwrap();
        assert!(first >= end.max(1) && count >= 1_000, "a block holds a whole batch");
        end = first + i64::from(count);
        assert!(end < 1 << 53);
    }
}

pub(super) async fn the_same_request_with_the_same_key_happens_once(db: &Db) {
    let (mut first, rows) = db.unit(&[email()]).await;
    first.idempotency = Some(db.key("k", 1, "the first answer"));
    assert_eq!(db.accept_unit(first).await.unwrap(), Accepted::Stored { blocked: vec![] });
    let (mut again, _) = db.unit(&[email()]).await;
    again.idempotency = Some(db.key("k", 1, "another answer"));
    assert_eq!(db.accept_unit(again).await.unwrap(), Accepted::Replayed("the first answer".to_owned()));
    assert_eq!(db.claim_ids().await, [rows[0].id]);
}

pub(super) async fn a_key_used_with_another_request_is_told_apart(db: &Db) {
    let (mut first, _) = db.unit(&[email()]).await;
    first.idempotency = Some(db.key("k", 1, "a"));
    db.accept_unit(first).await.unwrap();
    let (mut other, rows) = db.unit(&[email()]).await;
    other.idempotency = Some(db.key("k", 2, "b"));
    assert_eq!(db.accept_unit(other).await.unwrap(), Accepted::Mismatch);
    let found = db.store.notifications.notification_get(db.scope(), rows[0].at()).await;
    assert_eq!(refused(found), ErrorCode::NotFound);
}

pub(super) async fn keys_are_the_tenants_own(db: &Db) {
    for tenant in [db.tenant, db.other] {
        let (mut unit, _) = db.unit(&[email().of(tenant)]).await;
        let mut key = db.key("k", 1, "a");
        key.tenant = tenant;
        unit.idempotency = Some(key);
        assert_eq!(db.accept_unit(unit).await.unwrap(), Accepted::Stored { blocked: vec![] });
    }
    assert_eq!(db.claim_ids().await.len(), 2);
}

pub(super) async fn the_same_key_twice_in_one_group_is_stored_once(db: &Db) {
    let mut group = Vec::new();
    for _ in 0..3 {
        let (mut unit, _) = db.unit(&[email(), email()]).await;
        unit.idempotency = Some(db.key("k", 1, "a"));
        group.push(unit);
    }
    let mut answers: Vec<_> = db.store.work.accept(&group).await.into_iter().map(Result::unwrap).collect();
    let stored = answers.extract_if(.., |answer| matches!(answer, Accepted::Stored { .. })).count();
    assert_eq!(stored, 1);
    assert!(answers.iter().all(|answer| *answer == Accepted::Replayed("a".to_owned())), "{answers:?}");
    assert_eq!(db.claim_ids().await.len(), 2, "one unit of two rows");
}

pub(super) async fn a_poisoned_unit_is_answered_alone(db: &Db) {
    let taken = db.accept(email()).await;
    let (before, first) = db.unit(&[email(), email()]).await;
    let (mut poison, _) = db.unit(&[email(), email()]).await;
    poison.items[1].notification.id = taken.id;
    let clean = poison.items[0].notification.id;
    poison.idempotency = Some(db.key("poisoned", 1, "a"));
    let (after, last) = db.unit(&[email()]).await;
    let answers = db.store.work.accept(&[before, poison, after]).await;
    assert!(answers[0].is_ok() && answers[2].is_ok(), "{answers:?}");
    assert!(answers[1].is_err(), "{answers:?}");
    assert_eq!(db.claim_ids().await, [taken.id, first[0].id, first[1].id, last[0].id]);
    let half = db.store.notifications.notification_get(db.scope(), carillon_domain::NotificationRef::Id(clean)).await;
    assert_eq!(refused(half), ErrorCode::NotFound, "a unit stands or falls together");
    let (mut again, _) = db.unit(&[email()]).await;
    again.idempotency = Some(db.key("poisoned", 1, "a"));
    assert!(matches!(db.accept_unit(again).await, Ok(Accepted::Stored { .. })), "a refused unit leaves its key free");
}

pub(super) async fn a_batch_of_a_thousand_is_one_unit(db: &Db) {
    let (rows, blocked) = db.accept_many(&vec![email(); 1_000]).await;
    assert_eq!(blocked, [] as [usize; 0]);
    assert_eq!(db.claim_ids().await, rows.iter().map(|row| row.id).collect::<Vec<_>>());
}

pub(super) async fn swept_keys_may_be_used_again_and_younger_ones_stay(db: &Db) {
    for (key, age) in [("old", 73), ("young", 1)] {
        let (mut unit, _) = db.unit(&[email()]).await;
        let mut claim = db.key(key, 1, key);
        claim.at -= std::time::Duration::from_secs(age * 3600);
        unit.idempotency = Some(claim);
        db.accept_unit(unit).await.unwrap();
    }
    let before = db.now() - std::time::Duration::from_secs(72 * 3600);
    db.store.work.idempotency_sweep(before).await.unwrap();
    let (mut young, _) = db.unit(&[email()]).await;
    young.idempotency = Some(db.key("young", 1, "x"));
    assert_eq!(db.accept_unit(young).await.unwrap(), Accepted::Replayed("young".to_owned()));
    let (mut old, _) = db.unit(&[email()]).await;
    old.idempotency = Some(db.key("old", 2, "x"));
    assert!(matches!(db.accept_unit(old).await, Ok(Accepted::Stored { .. })), "a key over its age is gone");
}

pub(super) async fn sixteen_at_once_with_one_key_make_one(db: &Db) {
    let mut units: Vec<AcceptUnit> = Vec::new();
    for _ in 0..16 {
        let (mut unit, _) = db.unit(&[email().started(Doubt::Resend)]).await;
        unit.idempotency = Some(db.key("race", 1, "the answer"));
        units.push(unit);
    }
    let tasks: Vec<_> = units
        .into_iter()
        .map(|unit| {
            let work = Arc::clone(&db.store.work);
            tokio::spawn(async move { work.accept(&[unit]).await.remove(0) })
        })
        .collect();
    let mut stored = 0;
    for task in tasks {
        match task.await.unwrap().unwrap() {
            Accepted::Stored { .. } => stored += 1,
            answer => assert_eq!(answer, Accepted::Replayed("the answer".to_owned())),
        }
    }
    assert_eq!(stored, 1);
    let page = carillon_ports::Page { limit: 200, after: None };
    let all = db.store.notifications.notification_list(scope(db.tenant), &Default::default(), page).await.unwrap();
    assert_eq!(all.items.len(), 1);
}
