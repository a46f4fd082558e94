use carillon_ports::notifications::{DeadLetterFilter, NotificationFilter};
use carillon_ports::page::Page;

use super::*;

#[tokio::test]
async fn pages_walk_the_whole_list_once_newest_first() {
    let f = fixture().await;
    let mut ids = Vec::new();
    for _ in 0..7 {
        ids.push(f.accept(f.mail(Birth::Ready)).await);
        f.accept(f.of(TenantId(2), Birth::Ready)).await;
    }
    ids.reverse();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = Page { limit: 3, after };
        let slice = f.store.notification_list(scope(T), &NotificationFilter::default(), page).await.unwrap();
        seen.extend(slice.items.iter().map(|n| n.id));
        after = slice.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, ids);
}

#[tokio::test]
async fn a_rare_match_costs_a_bounded_walk_per_page() {
    let f = fixture().await;
    let mut items: Vec<_> = (0..5_000).map(|_| f.mail(Birth::Ready)).collect();
    items[0].notification.metadata = Some("{\"order\":\"needle\"}".to_owned());
    let needle = items[0].notification.id;
    for chunk in items.chunks(1_000) {
        f.store.accept(&[unit(chunk.to_vec())]).await[0].as_ref().unwrap();
    }
    let metadata = vec![("order".to_owned(), "needle".to_owned())];
    let filter = NotificationFilter { metadata, ..NotificationFilter::default() };
    let (mut found, mut pages, mut after) = (Vec::new(), 0, None);
    loop {
        let slice = f.store.notification_list(scope(T), &filter, Page { limit: 50, after }).await.unwrap();
        found.extend(slice.items.iter().map(|n| n.id));
        pages += 1;
        after = slice.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found, [needle]);
    assert!(pages >= 3, "{pages}");
}

#[tokio::test]
async fn filters_hold_together() {
    let f = fixture().await;
    let id = f.accept(f.mail(held(1))).await;
    f.accept(f.mail(held(2))).await;
    let list = |filter: NotificationFilter| {
        let store = Arc::clone(&f.store);
        async move {
            let page = Page { limit: 9, after: None };
            store.notification_list(scope(T), &filter, page).await.unwrap().items.len()
        }
    };
    let all = NotificationFilter::default();
    let recipient = Some(format!("ada{id}@example.com"));
    assert_eq!(list(NotificationFilter { recipient: recipient.clone(), ..all.clone() }).await, 1);
    assert_eq!(list(NotificationFilter { recipient, channel: Some(Channel::Sms), ..all.clone() }).await, 0);
    assert_eq!(list(NotificationFilter { status: Some(Status::Queued), ..all.clone() }).await, 2);
    assert_eq!(list(NotificationFilter { created_before: Some(at(0)), ..all.clone() }).await, 0);
    assert_eq!(list(NotificationFilter { created_after: Some(at(0)), ..all.clone() }).await, 2);
    f.raise(1).await;
    assert_eq!(list(NotificationFilter { status: Some(Status::Sending), ..all }).await, 1);
}

#[tokio::test]
async fn dead_letters_by_reason_and_time() {
    let f = fixture().await;
    for hand in 1..=4 {
        let id = f.accept(f.mail(held(hand))).await;
        let verdict = if hand % 2 == 0 { failed() } else { Verdict::Held { error: failure() } };
        f.finish(id, hold(hand), verdict).await;
    }
    let list = |filter: DeadLetterFilter, after| {
        let store = Arc::clone(&f.store);
        async move { store.dead_letter_list(scope(T), &filter, Page { limit: 1, after }).await.unwrap() }
    };
    let unknown = DeadLetterFilter { reason: Some("unknown".to_owned()), ..DeadLetterFilter::default() };
    let first = list(unknown.clone(), None).await;
    assert_eq!(
        (first.items[0].notification.id, first.items[0].notification.status),
        (NotificationId(3), Status::Unknown)
    );
    let second = list(unknown, first.next).await;
    assert_eq!((second.items[0].notification.id, second.next), (NotificationId(1), None));
    let late = DeadLetterFilter { since: Some(at(11)), ..DeadLetterFilter::default() };
    assert!(list(late, None).await.items.is_empty());
    let other = DeadLetterFilter { provider: Some("ses".to_owned()), ..DeadLetterFilter::default() };
    assert!(list(other, None).await.items.is_empty());
}
