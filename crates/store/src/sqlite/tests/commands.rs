use carillon_domain::ErrorCode;
use carillon_ports::notifications::DeadLetterFilter;
use carillon_ports::page::Page;

use super::*;

async fn cancel(f: &Fixture, id: NotificationId) -> Result<Notification, carillon_domain::Error> {
    f.store.notification_cancel(scope(T), NotificationRef::Id(id), at(5)).await
}

#[tokio::test]
async fn cancel_around_the_frontier() {
    let f = fixture().await;
    let mut ids = Vec::new();
    for hand in 1..=3 {
        ids.push(f.accept(f.mail(held(hand))).await);
    }
    let started = f.accept(f.mail(Birth::Leased(Hold { started: true, ..hold(4) }))).await;
    f.raise(1).await;
    for id in [ids[0], started] {
        assert_eq!(f.status(id).await, Status::Sending);
        assert_eq!(cancel(&f, id).await.unwrap_err().code, ErrorCode::InvalidState);
    }
    for id in [ids[1], ids[1], ids[2]] {
        assert_eq!(cancel(&f, id).await.unwrap().status, Status::Cancelled);
    }
    assert_eq!(f.kinds(ids[1]).await, [EventKind::Cancelled]);
    assert_eq!(f.raise(2).await.cancelled, [ids[1]]);
    assert_eq!(f.raise(2).await.cancelled, [], "told once");
    assert_eq!(f.raise(3).await.cancelled, [ids[2]]);
    assert_eq!(f.finish(ids[2], hold(3), failed()).await.lost, [ids[2]]);
    assert_eq!(f.status(ids[2]).await, Status::Cancelled);
}

#[tokio::test]
async fn a_race_of_cancels_and_raises_sends_or_cancels_but_never_both_or_neither() {
    let f = Arc::new(fixture().await);
    let items = (1..=300).map(|hand| f.mail(held(hand))).collect::<Vec<_>>();
    let ids: Vec<_> = items.iter().map(|new| new.notification.id).collect();
    f.store.accept(&[unit(items)]).await[0].as_ref().unwrap();
    let raiser = {
        let f = Arc::clone(&f);
        tokio::spawn(async move {
            let mut dropped = Vec::new();
            for hi in 1..=300 {
                dropped.extend(f.raise(hi).await.cancelled);
            }
            dropped
        })
    };
    let mut cancelled = Vec::new();
    for &id in ids.iter().rev() {
        if cancel(&f, id).await.is_ok() {
            cancelled.push(id);
        }
    }
    let mut dropped = raiser.await.unwrap();
    dropped.sort_unstable();
    cancelled.sort_unstable();
    assert_eq!(dropped, cancelled);
    assert!(!cancelled.is_empty());
}

#[tokio::test]
async fn what_is_foreign_does_not_exist() {
    let f = fixture().await;
    let id = f.accept(f.mail(Birth::Ready)).await;
    let uuid = f.get(id).await.uuid;
    let other = scope(TenantId(2));
    for name in [NotificationRef::Id(id), NotificationRef::Uuid(uuid)] {
        assert_eq!(f.store.notification_get(scope(T), name).await.unwrap().id, id);
        assert_eq!(f.store.notification_get(other, name).await.unwrap_err().code, ErrorCode::NotFound);
        assert_eq!(f.store.notification_cancel(other, name, at(1)).await.unwrap_err().code, ErrorCode::NotFound);
        assert_eq!(f.store.notification_retry(other, name, at(1)).await.unwrap_err().code, ErrorCode::NotFound);
        assert_eq!(f.store.notification_mark_read(other, name, at(1)).await.unwrap_err().code, ErrorCode::NotFound);
        assert_eq!(f.store.dead_letter_get(other, name).await.unwrap_err().code, ErrorCode::NotFound);
    }
    assert_eq!(f.store.notification_timeline(other, id).await.unwrap_err().code, ErrorCode::NotFound);
    assert_eq!(f.store.notification_payload(other, id).await.unwrap_err().code, ErrorCode::NotFound);
}

#[tokio::test]
async fn a_retry_opens_the_next_run() {
    let f = fixture().await;
    let id = f.accept(f.mail(held(1))).await;
    let name = NotificationRef::Id(id);
    assert_eq!(f.store.notification_retry(scope(T), name, at(20)).await.unwrap_err().code, ErrorCode::InvalidState);
    f.finish(id, hold(1), failed()).await;
    let letter = f.store.dead_letter_get(scope(T), name).await.unwrap();
    assert_eq!((letter.reason.as_str(), letter.parked_at, letter.error), ("permanent", at(10), Some(failure())));
    let again = f.store.notification_retry(scope(T), name, at(20)).await.unwrap();
    assert_eq!((again.run, again.status), (2, Status::Queued));
    assert_eq!(f.get(id).await, again);
    assert_eq!(f.kinds(id).await, [EventKind::Sending, EventKind::Replayed, EventKind::Queued]);
    let filter = DeadLetterFilter::default();
    let letters = f.store.dead_letter_list(scope(T), &filter, Page { limit: 9, after: None });
    assert_eq!(letters.await.unwrap().items, []);
    assert_eq!(f.claim(1, at(20)).await[0].notification.run, 2);

    let stopped = f.accept(f.mail(held(2))).await;
    cancel(&f, stopped).await.unwrap();
    f.store.notification_retry(scope(T), NotificationRef::Id(stopped), at(20)).await.unwrap();
    assert_eq!(f.state(stopped).await, Some(0));
    assert_eq!(f.claim(9, at(20)).await.len(), 0, "not while the old hold is in memory");
    assert_eq!(f.raise(5).await.cancelled, [stopped], "the old hold is to be dropped");
    assert_eq!(f.claim(9, at(20)).await.len(), 1);
}

#[tokio::test]
async fn read_is_marked_once_and_not_before_it_was_sent() {
    let f = fixture().await;
    let id = f.accept(f.mail(held(1))).await;
    let name = NotificationRef::Id(id);
    assert_eq!(f.store.notification_mark_read(scope(T), name, at(1)).await.unwrap_err().code, ErrorCode::InvalidState);
    f.finish(id, hold(1), sent()).await;
    for second in [20, 30] {
        let read = f.store.notification_mark_read(scope(T), name, at(second)).await.unwrap();
        assert_eq!((read.status, read.read_at), (Status::Read, Some(at(20))));
    }
    assert_eq!(f.kinds(id).await, [EventKind::Sending, EventKind::Read]);
}
