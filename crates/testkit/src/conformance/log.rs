//! The event log, as a subscriber reads along.

use std::collections::BTreeMap;
use std::time::Duration;

use carillon_domain::{ErrorCode, NotificationId};
use carillon_ports::events::{Event, EventCursor};
use carillon_ports::work::{Doubt, Verdict};

use super::db::Db;
use super::draft::email;
use super::verdicts::{refused, sent};

/// All that came after `cursor`, in pages of `limit`, and where that ended.
async fn read(db: &Db, cursor: &EventCursor, limit: u32) -> (Vec<Event>, EventCursor) {
    let (mut events, mut cursor) = (Vec::new(), cursor.clone());
    loop {
        let page = db.store.events.event_log_read(&cursor, limit).await.unwrap();
        assert!(page.events.len() <= limit as usize);
        events.extend(page.events);
        cursor = page.next;
        if !page.more {
            return (events, cursor);
        }
    }
}

fn words(events: &[Event]) -> Vec<(NotificationId, Vec<&'static str>)> {
    events.iter().map(|event| (event.notification, event.transitions.iter().map(|t| t.kind.name()).collect())).collect()
}

pub(super) async fn the_log_tells_what_happened_once_and_in_order(db: &Db) {
    db.accept(email()).await;
    let start = db.store.events.event_log_end().await.unwrap();
    assert_eq!(read(db, &start, 10).await.0, [], "what was there is before the end");
    let first = db.accept(email().started(Doubt::Resend)).await;
    let (events, place) = read(db, &start, 10).await;
    assert_eq!(words(&events), [(first.id, vec!["notification.requested", "notification.queued"])]);
    assert_eq!(events[0].tenant, db.tenant);
    let second = db.accept(email().of(db.other)).await;
    db.finish(first, sent()).await;
    let (events, place) = read(db, &place, 10).await;
    let told = [
        (second.id, vec!["notification.requested", "notification.queued"]),
        (first.id, vec!["notification.sending", "notification.sent"]),
    ];
    assert_eq!(words(&events), told);
    assert_eq!(read(db, &place, 10).await.0, []);
    assert_eq!(words(&read(db, &start, 10).await.0)[1..], told, "an older cursor is as good");
}

pub(super) async fn a_small_page_goes_on_where_it_ended(db: &Db) {
    let start = db.store.events.event_log_end().await.unwrap();
    let mut wanted = Vec::new();
    for _ in 0..3 {
        let (rows, _) = db.accept_many(&[email(), email(), email()]).await;
        wanted.extend(rows.iter().map(|row| row.id));
    }
    for limit in [1, 2, 3, 9, 10] {
        let ids: Vec<_> = read(db, &start, limit).await.0.iter().map(|event| event.notification).collect();
        assert_eq!(ids, wanted, "pages of {limit}");
    }
    let page = db.store.events.event_log_read(&start, 2).await.unwrap();
    let late = db.accept(email()).await;
    let rest: Vec<_> = read(db, &page.next, 2).await.0.iter().map(|event| event.notification).collect();
    assert_eq!(rest[..7], wanted[2..]);
    assert_eq!(rest[7..], [late.id]);
}

pub(super) async fn a_row_given_back_without_a_word_writes_no_event(db: &Db) {
    let row = db.accept(email().leased()).await;
    let start = db.store.events.event_log_end().await.unwrap();
    let back = Verdict::Retry { due: db.now(), error: None, tries: Default::default() };
    let mut outcome = db.outcome(row, back);
    outcome.transitions.clear();
    assert_eq!(db.store.work.finish(&[outcome], &[]).await.unwrap().lost, []);
    assert_eq!(read(db, &start, 10).await.0, []);
    assert_eq!(db.claim_ids().await, [row.id]);
}

pub(super) async fn a_reader_beside_many_writers_misses_and_repeats_nothing(db: &Db) {
    const WRITERS: usize = 6;
    const EACH: usize = 25;
    let start = db.store.events.event_log_end().await.unwrap();
    let write = async || {
        let mut ids = Vec::new();
        for _ in 0..EACH {
            let row = db.accept(email().started(Doubt::Resend)).await;
            db.finish(row, sent()).await;
            ids.push(row.id);
        }
        ids
    };
    let writers = futures_util::future::join_all((0..WRITERS).map(|_| write()));
    let reader = async {
        let (mut told, mut cursor) = (BTreeMap::<NotificationId, Vec<&str>>::new(), start);
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        while told.values().map(Vec::len).sum::<usize>() < WRITERS * EACH * 4 {
            assert!(tokio::time::Instant::now() < deadline, "missed: {told:?}");
            let page = db.store.events.event_log_read(&cursor, 7).await.unwrap();
            cursor = page.next;
            for (id, kinds) in words(&page.events) {
                told.entry(id).or_default().extend(kinds);
            }
        }
        (told, cursor)
    };
    let (written, (told, cursor)) = tokio::join!(writers, reader);
    assert_eq!(read(db, &cursor, 100).await.0, [], "nothing comes twice");
    let story = ["notification.requested", "notification.queued", "notification.sending", "notification.sent"];
    assert_eq!(told.len(), WRITERS * EACH);
    for id in written.into_iter().flatten() {
        assert_eq!(told[&id], story);
    }
}

pub(super) async fn a_cursor_of_nonsense_is_refused(db: &Db) {
    for words in ["", "nonsense", "1/2", "99/3:3:", "1/3:3:/x"] {
        let answer = db.store.events.event_log_read(&EventCursor::new(words), 5).await;
        assert_eq!(refused(answer), ErrorCode::InvalidRequest, "{words}");
    }
}
