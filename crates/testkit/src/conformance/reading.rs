//! Reading notifications and dead letters, and what a person does to one.

use std::collections::BTreeSet;
use std::time::Duration;

use carillon_domain::notification::PinnedTemplate;
use carillon_domain::{Channel, ErrorCode, NotificationId, NotificationRef, Status, TemplateId};
use carillon_ports::Page;
use carillon_ports::notifications::{DeadLetterFilter, NotificationFilter};
use carillon_ports::work::Doubt;

use super::db::{Db, Row};
use super::draft::{email, in_app, sms};
use super::verdicts::{failed, held, refused, retry, sent};

/// All pages of a list, two at a time.
async fn listed(db: &Db, filter: &NotificationFilter) -> Vec<NotificationId> {
    let (mut ids, mut after) = (Vec::new(), None);
    loop {
        let page = Page { limit: 2, after };
        let slice = db.store.notifications.notification_list(db.scope(), filter, page).await.unwrap();
        assert!(slice.items.len() <= 2);
        ids.extend(slice.items.iter().map(|notification| notification.id));
        after = slice.next;
        if after.is_none() {
            return ids;
        }
    }
}

async fn dead(db: &Db, filter: &DeadLetterFilter) -> Vec<NotificationId> {
    let (mut ids, mut after) = (Vec::new(), None);
    loop {
        let page = Page { limit: 2, after };
        let slice = db.store.notifications.dead_letter_list(db.scope(), filter, page).await.unwrap();
        ids.extend(slice.items.iter().map(|letter| letter.notification.id));
        after = slice.next;
        if after.is_none() {
            return ids;
        }
    }
}

pub(super) async fn another_tenants_notification_is_not_found(db: &Db) {
    let row = db.accept(email().started(Doubt::Resend)).await;
    db.finish(row, failed()).await;
    let (store, foreign, at) = (&db.store.notifications, db.foreign(), db.now());
    let uuid = NotificationRef::Uuid(db.get(row).await.uuid);
    let before = (db.get(row).await, db.timeline(row).await);
    for id in [row.at(), uuid] {
        let answers = [
            refused(store.notification_get(foreign, id).await),
            refused(store.notification_cancel(foreign, id, at).await),
            refused(store.notification_retry(foreign, id, at).await),
            refused(store.notification_mark_read(foreign, id, at).await),
            refused(store.dead_letter_get(foreign, id).await),
        ];
        assert_eq!(answers, [ErrorCode::NotFound; 5]);
    }
    assert_eq!(refused(store.notification_payload(foreign, row.id).await), ErrorCode::NotFound);
    assert_eq!(refused(store.notification_timeline(foreign, row.id).await), ErrorCode::NotFound);
    let page = Page { limit: 50, after: None };
    assert_eq!(store.notification_list(foreign, &NotificationFilter::default(), page).await.unwrap().items, []);
    assert_eq!(store.dead_letter_list(foreign, &DeadLetterFilter::default(), page).await.unwrap().items, []);
    assert_eq!((db.get(row).await, db.timeline(row).await), before);
}

pub(super) async fn an_outcome_in_another_tenants_name_reveals_nothing(db: &Db) {
    let row = db.accept(email().started(Doubt::Hold)).await;
    db.restart().await;
    let foreign = Row { tenant: db.other, ..row };
    db.finish(foreign, sent()).await;
    assert_eq!(db.get(row).await.status, Status::Unknown);
}

pub(super) async fn an_outcome_in_another_tenants_name_changes_nothing(db: &Db) {
    let row = db.accept(email().started(Doubt::Resend)).await;
    let before = (db.get(row).await, db.timeline(row).await);
    let foreign = Row { tenant: db.other, ..row };
    for verdict in [sent(), retry(db.now()), failed(), held()] {
        assert_eq!(db.finish(foreign, verdict).await.lost, [row.id]);
        assert_eq!((db.get(row).await, db.timeline(row).await), before);
    }
    assert_eq!(db.claim_ids().await, []);
    assert_eq!(db.finish(row, sent()).await.lost, [], "its owner still holds it");
}

pub(super) async fn what_does_not_exist_is_not_found(db: &Db) {
    let nothing = NotificationRef::Id(NotificationId((1 << 52) + 7));
    let nobody = NotificationRef::Uuid(uuid::Uuid::from_u128(7));
    for id in [nothing, nobody] {
        let store = &db.store.notifications;
        assert_eq!(refused(store.notification_get(db.scope(), id).await), ErrorCode::NotFound);
        assert_eq!(refused(store.notification_cancel(db.scope(), id, db.now()).await), ErrorCode::NotFound);
        assert_eq!(refused(store.notification_retry(db.scope(), id, db.now()).await), ErrorCode::NotFound);
        assert_eq!(refused(store.notification_mark_read(db.scope(), id, db.now()).await), ErrorCode::NotFound);
        assert_eq!(refused(store.dead_letter_get(db.scope(), id).await), ErrorCode::NotFound);
    }
}

pub(super) async fn an_id_and_a_uuid_name_the_same_notification(db: &Db) {
    let row = db.accept(email()).await;
    let by_id = db.get(row).await;
    let uuid = NotificationRef::Uuid(by_id.uuid);
    let by_uuid = db.store.notifications.notification_get(db.scope(), uuid).await.unwrap();
    assert_eq!(by_id, by_uuid);
}

pub(super) async fn a_list_is_newest_first_and_pages_do_not_overlap(db: &Db) {
    let (rows, _) = db.accept_many(&vec![email(); 7]).await;
    let newest_first: Vec<_> = rows.iter().rev().map(|row| row.id).collect();
    assert_eq!(listed(db, &NotificationFilter::default()).await, newest_first);
}

pub(super) async fn a_filter_narrows_and_all_its_conditions_hold_together(db: &Db) {
    let template = PinnedTemplate { id: TemplateId(4711), version: 2 };
    let drafts = [
        email().to("ada@example.com").metadata(r#"{"order":"7","shop":"a"}"#),
        email().to("bob@example.com").metadata(r#"{"order":"8"}"#).user("u-1").template(template),
        sms().user("u-1").started(Doubt::Resend),
        in_app("u-2"),
        email().to("ada@example.com").leased(),
    ];
    let (rows, _) = db.accept_many(&drafts).await;
    db.finish(rows[4], failed()).await;
    let any = NotificationFilter::default;
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let expectations: [(NotificationFilter, &[usize]); 10] = [
        (NotificationFilter { channel: Some(Channel::Sms), ..any() }, &[2]),
        (NotificationFilter { status: Some(Status::Queued), ..any() }, &[1, 0]),
        (NotificationFilter { status: Some(Status::Sending), ..any() }, &[2]),
        (NotificationFilter { status: Some(Status::Failed), ..any() }, &[4]),
        (NotificationFilter { template: Some(template.id), ..any() }, &[1]),
        (NotificationFilter { recipient: Some("ada@example.com".to_owned()), ..any() }, &[4, 0]),
        (NotificationFilter { user_id: Some("u-1".to_owned()), ..any() }, &[2, 1]),
        (NotificationFilter { metadata: vec![pair("order", "7"), pair("shop", "a")], ..any() }, &[0]),
        (NotificationFilter { metadata: vec![pair("order", "7"), pair("shop", "b")], ..any() }, &[]),
        (NotificationFilter { user_id: Some("u-1".to_owned()), channel: Some(Channel::Email), ..any() }, &[1]),
    ];
    for (filter, wanted) in expectations {
        let wanted: Vec<_> = wanted.iter().map(|&index| rows[index].id).collect();
        assert_eq!(listed(db, &filter).await, wanted, "{filter:?}");
    }
    let at = db.get(rows[0]).await.created_at;
    let count = async |filter| listed(db, &filter).await.len();
    assert_eq!(count(NotificationFilter { created_after: Some(at), ..any() }).await, 5);
    assert_eq!(count(NotificationFilter { created_before: Some(at), ..any() }).await, 0);
    let later = at + Duration::from_micros(1);
    assert_eq!(count(NotificationFilter { created_after: Some(later), ..any() }).await, 0);
    assert_eq!(count(NotificationFilter { created_before: Some(later), ..any() }).await, 5);
}

pub(super) async fn paging_skips_and_repeats_nothing_while_others_write(db: &Db) {
    let (before, _) = db.accept_many(&vec![email(); 60]).await;
    let writer = async {
        for _ in 0..40 {
            db.accept(email()).await;
        }
    };
    let filter = NotificationFilter::default();
    let reader = async {
        let mut walks = Vec::new();
        for _ in 0..4 {
            walks.push(listed(db, &filter).await);
        }
        walks
    };
    let ((), walks) = tokio::join!(writer, reader);
    for walk in walks {
        let seen: BTreeSet<_> = walk.iter().copied().collect();
        assert_eq!(seen.len(), walk.len(), "nothing twice");
        assert!(walk.windows(2).all(|pair| pair[0] > pair[1]), "newest first");
        assert!(before.iter().all(|row| seen.contains(&row.id)), "nothing that was there is skipped");
    }
}

pub(super) async fn a_failed_one_can_be_retried_in_a_new_run(db: &Db) {
    let row = db.accept(email().started(Doubt::Resend)).await;
    db.finish(row, failed()).await;
    let retried = db.store.notifications.notification_retry(db.scope(), row.at(), db.now()).await.unwrap();
    assert_eq!((retried.status, retried.run, retried.attempts, &retried.error), (Status::Queued, 2, 1, &None));
    assert_eq!(retried, db.get(row).await);
    assert_eq!(dead(db, &DeadLetterFilter::default()).await, []);
    assert_eq!(db.timeline(row).await[5..], ["notification.replayed", "notification.queued"]);
    let jobs = db.claim(10).await;
    assert_eq!(jobs.iter().map(|job| (job.notification.id, job.notification.run)).collect::<Vec<_>>(), [(row.id, 2)]);
    assert_eq!(jobs[0].tries, Default::default(), "a new run has a new budget");
    assert_eq!(jobs[0].payload.direct.as_deref(), email().payload.direct.as_deref());
    db.finish(Row::from(&jobs[0]), sent()).await;
    assert_eq!(db.get(row).await.status, Status::Sent, "the new run is not held down by the old one's end");
}

pub(super) async fn a_cancelled_and_an_unknown_one_can_be_retried_too(db: &Db) {
    let (rows, _) = db.accept_many(&[email(), email().started(Doubt::Hold)]).await;
    db.store.notifications.notification_cancel(db.scope(), rows[0].at(), db.now()).await.unwrap();
    db.finish(rows[1], held()).await;
    for row in &rows {
        db.store.notifications.notification_retry(db.scope(), row.at(), db.now()).await.unwrap();
    }
    assert_eq!(db.claim_ids().await, [rows[0].id, rows[1].id]);
}

pub(super) async fn what_is_under_way_or_has_arrived_cannot_be_retried(db: &Db) {
    let (rows, _) = db.accept_many(&[email(), email().started(Doubt::Resend), email().leased(), in_app("u")]).await;
    db.finish(rows[2], sent()).await;
    for row in rows {
        let answer = db.store.notifications.notification_retry(db.scope(), row.at(), db.now()).await;
        assert_eq!(refused(answer), ErrorCode::InvalidState);
    }
}

pub(super) async fn two_retries_at_once_open_one_run(db: &Db) {
    let row = db.accept(email().leased()).await;
    db.finish(row, failed()).await;
    let retry = || db.store.notifications.notification_retry(db.scope(), row.at(), db.now());
    let (a, b) = tokio::join!(retry(), retry());
    assert_eq!([&a, &b].iter().filter(|answer| answer.is_ok()).count(), 1, "{a:?} {b:?}");
    assert_eq!(db.get(row).await.run, 2);
    assert_eq!(db.claim_soon().await, [row.id]);
}

pub(super) async fn the_first_time_it_was_read_stands(db: &Db) {
    let row = db.accept(in_app("u-1")).await;
    let first = db.now();
    for at in [first, first + Duration::from_secs(5)] {
        let read = db.store.notifications.notification_mark_read(db.scope(), row.at(), at).await.unwrap();
        assert_eq!((read.status, read.read_at), (Status::Read, Some(first)));
    }
    assert_eq!(db.get(row).await.read_at, Some(first));
    let read = db.timeline(row).await.iter().filter(|name| **name == "notification.read").count();
    assert_eq!(read, 1);
}

pub(super) async fn nobody_reads_what_no_provider_took(db: &Db) {
    let (rows, _) = db.accept_many(&[email(), email().leased()]).await;
    db.finish(rows[1], failed()).await;
    for row in rows {
        let answer = db.store.notifications.notification_mark_read(db.scope(), row.at(), db.now()).await;
        assert_eq!(refused(answer), ErrorCode::InvalidState);
    }
}

pub(super) async fn dead_letters_are_filtered_and_paged(db: &Db) {
    let (rows, _) = db.accept_many(&[email().leased(), sms().leased(), email().leased(), email()]).await;
    db.finish(rows[0], failed()).await;
    db.finish(rows[1], failed()).await;
    let between = db.now();
    tokio::time::sleep(Duration::from_millis(2)).await;
    db.finish(rows[2], held()).await;
    let any = DeadLetterFilter::default;
    let expectations: [(DeadLetterFilter, &[usize]); 7] = [
        (any(), &[2, 1, 0]),
        (DeadLetterFilter { channel: Some(Channel::Sms), ..any() }, &[1]),
        (DeadLetterFilter { reason: Some("permanent".to_owned()), ..any() }, &[1, 0]),
        (DeadLetterFilter { reason: Some("unknown".to_owned()), ..any() }, &[2]),
        (DeadLetterFilter { provider: Some("another".to_owned()), ..any() }, &[]),
        (DeadLetterFilter { since: Some(between + Duration::from_millis(1)), ..any() }, &[2]),
        (DeadLetterFilter { until: Some(between + Duration::from_millis(1)), ..any() }, &[1, 0]),
    ];
    for (filter, wanted) in expectations {
        let wanted: Vec<_> = wanted.iter().map(|&index| rows[index].id).collect();
        assert_eq!(dead(db, &filter).await, wanted, "{filter:?}");
    }
    let living = db.store.notifications.dead_letter_get(db.scope(), rows[3].at()).await;
    assert_eq!(refused(living), ErrorCode::NotFound);
}
