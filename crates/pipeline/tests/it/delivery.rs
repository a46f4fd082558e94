//! The path when all goes well: permission, priority, spilling, schedules, cancel.

use std::sync::atomic::Ordering;
use std::time::Duration;

use carillon_domain::{Channel, Clock as _, Priority, TenantId};
use carillon_pipeline::Settings;
use carillon_ports::Submission;
use carillon_ports::work::{Accepted, Idempotency};
use chrono::TimeDelta;

use crate::model::State;
use crate::rig::{Rig, SLOTS, sent};

#[tokio::test(start_paused = true)]
async fn one_is_written_as_started_and_sent() {
    let rig = Rig::new().await;
    let id = rig.send(Channel::Sms).await;
    assert!(matches!(rig.store.state(id), State::Leased(hold) if hold.started));
    rig.until("sent", || rig.store.state(id) == State::Sent).await;
    rig.is_at_rest();
    let finish = rig.store.model.lock().finishes[0].clone();
    assert_eq!((finish.attempts, finish.provider.as_str(), finish.transitions.len()), (1, "fake", 2));
}

#[tokio::test(start_paused = true)]
async fn only_what_is_permitted_is_sent_and_no_more_than_the_slots_is_in_doubt() {
    let rig = Rig::new().await;
    let ids = rig.send_many(Channel::Sms, Priority::Normal, 200).await;
    rig.until("all sent", || rig.store.count(|state| *state == State::Sent) == 200).await;
    rig.is_at_rest();
    assert_eq!(rig.sms.most_in_flight.load(Ordering::SeqCst), SLOTS);
    assert!(rig.sms.most_in_doubt.load(Ordering::SeqCst) <= SLOTS);
    assert_eq!(*rig.sms.calls.lock(), ids, "in the order of their hands");
}

#[tokio::test(start_paused = true)]
async fn an_internal_account_needs_no_slots() {
    let rig = Rig::new().await;
    rig.push.does(|message, _| (Duration::from_millis(if message.id.0 % 10 == 0 { 500 } else { 0 }), Some(sent())));
    rig.send_many(Channel::Push, Priority::Low, 1000).await;
    rig.until("the quick ones", || rig.store.count(|state| *state == State::Sent) >= 900).await;
    rig.until("the slow ones", || rig.store.count(|state| *state == State::Sent) == 1000).await;
    rig.is_at_rest();
}

#[tokio::test(start_paused = true)]
async fn the_priorities_share_the_slots_by_their_weights() {
    let rig = Rig::new().await;
    let mut of = Vec::new();
    for priority in Priority::ALL {
        of.push(rig.send_many(Channel::Sms, priority, 150).await);
    }
    rig.sms.calls.lock().clear();
    rig.until("150 calls", || rig.sms.calls.lock().len() >= 150).await;
    let calls = rig.sms.calls.lock()[..150].to_vec();
    let share = |ids: &Vec<i64>| calls.iter().filter(|id| ids.contains(id)).count();
    for (priority, want) in [(0, 10), (1, 20), (2, 40), (3, 80)] {
        let got = share(&of[priority]);
        assert!(got.abs_diff(want) <= 3, "priority {priority} had {got} of 150, not {want}");
    }
    rig.until("all", || rig.store.count(|state| *state == State::Sent) == 600).await;
    rig.is_at_rest();
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_is_spilled_and_claimed_later() {
    let rig = Rig::with(Settings { waiting_rows: 20, ..Settings::default() }).await;
    let ids = rig.send_many(Channel::Sms, Priority::Normal, 100).await;
    assert_eq!(rig.store.count(|state| *state == State::Ready), 80);
    // A new one does not overtake those in the table.
    let late = rig.send(Channel::Sms).await;
    assert!(!matches!(rig.store.state(late), State::Leased(hold) if hold.started));
    rig.until("all sent", || rig.store.count(|state| *state == State::Sent) == 101).await;
    assert_eq!(rig.sms.calls.lock().last(), Some(&late));
    assert_eq!(rig.sms.calls.lock()[..100], ids);
    rig.is_at_rest();
    // The table is empty: memory again.
    let next = rig.send(Channel::Sms).await;
    assert!(matches!(rig.store.state(next), State::Leased(hold) if hold.started));
    rig.until("the next", || rig.store.state(next) == State::Sent).await;
}

#[tokio::test(start_paused = true)]
async fn a_backlog_of_one_tenant_leaves_room_for_others() {
    let rig = Rig::with(Settings { waiting_rows: 1000, ..Settings::default() }).await;
    rig.send_many(Channel::Sms, Priority::Normal, 1000).await;
    rig.send_many(Channel::Sms, Priority::Normal, 100).await;
    let mut item = rig.item(Channel::Push).await;
    item.notification.tenant_id = TenantId(2);
    rig.push.does(|_, _| (Duration::ZERO, Some(sent())));
    let id = rig.send_item(item).await;
    rig.until("the other tenant's", || rig.store.state(id) == State::Sent).await;
    rig.until("all", || rig.store.count(|state| *state == State::Sent) == 1101).await;
    rig.is_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_scheduled_one_is_sent_in_time() {
    let rig = Rig::new().await;
    let mut item = rig.item(Channel::Sms).await;
    let due = rig.clock.now() + TimeDelta::seconds(10);
    (item.notification.scheduled_at, item.message) = (Some(due), None);
    let id = rig.send_item(item).await;
    assert!(matches!(rig.store.state(id), State::Waiting(_)));
    rig.until("sent", || rig.store.state(id) == State::Sent).await;
    let late = rig.clock.now() - due;
    assert!(late >= TimeDelta::zero() && late < TimeDelta::milliseconds(300), "{late}");
    rig.is_at_rest();
}

#[tokio::test(start_paused = true)]
async fn what_the_commit_delivers_is_not_sent() {
    let rig = Rig::new().await;
    let mut item = rig.item(Channel::InApp).await;
    item.delivered = true;
    let id = rig.send_item(item).await;
    let row = rig.store.model.lock().rows[&id].clone();
    assert!(row.notification.delivered_at.is_some() && row.notification.sent_at.is_some());
    rig.is_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_one_is_dropped_and_its_place_is_free_again() {
    let rig = Rig::new().await;
    let ids = rig.send_many(Channel::Sms, Priority::Normal, 40).await;
    let cancelled: Vec<_> = ids.iter().copied().filter(|id| id % 2 == 0 && rig.store.cancel(*id)).collect();
    assert!(cancelled.len() > 15);
    rig.until("the rest", || rig.store.count(|state| *state == State::Sent) == 40 - cancelled.len()).await;
    assert!(cancelled.iter().all(|id| rig.sms.calls_of(*id) == 0));
    rig.until("rest", || rig.pipeline.healthy().waiting_rows == 0).await;
    rig.is_at_rest();
}

#[tokio::test(start_paused = true)]
async fn replayed_and_blocked_ones_give_their_places_back() {
    let rig = Rig::new().await;
    let idempotency = Idempotency {
        tenant: TenantId(1),
        key: "used".to_owned(),
        fingerprint: [0; 32],
        answer: "{}".to_owned(),
        at: rig.clock.now(),
    };
    let items = vec![rig.item(Channel::Sms).await];
    let accepted = rig.pipeline.accept(Submission { items, idempotency: Some(idempotency) }).await.unwrap();
    assert_eq!(accepted, Accepted::Replayed("{}".to_owned()));
    let mut item = rig.item(Channel::Sms).await;
    item.notification.ordering_key = Some("blocked".to_owned());
    let items = vec![item];
    let accepted = rig.pipeline.accept(Submission { items, idempotency: None }).await.unwrap();
    assert_eq!(accepted, Accepted::Stored { blocked: vec![0] });
    rig.is_at_rest();
    assert!(rig.sms.calls.lock().is_empty());
}

#[tokio::test(start_paused = true)]
async fn many_at_once_get_distinct_ids_and_are_all_sent() {
    let rig = Rig::new().await;
    rig.push.does(|_, _| (Duration::ZERO, Some(sent())));
    let sends = (0..3000).map(|_| rig.send(Channel::Push));
    futures_util::future::join_all(sends).await;
    rig.until("all", || rig.store.count(|state| *state == State::Sent) == 3000).await;
    rig.is_at_rest();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_several_threads_each_is_sent_once_and_nothing_leaks() {
    let rig = Rig::with(Settings { waiting_rows: 300, ..Settings::default() }).await;
    for provider in [&rig.sms, &rig.email, &rig.push] {
        provider.does(|message, _| (Duration::from_millis(u64::from(message.id.0 % 7 == 0)), Some(sent())));
    }
    let channels = [Channel::Sms, Channel::Push, Channel::Email, Channel::Push];
    let sends = (0..1200).map(|n| rig.send(channels[n % 4]));
    let batches = Priority::ALL.map(|priority| rig.send_many(Channel::Push, priority, 200));
    futures_util::future::join(futures_util::future::join_all(sends), futures_util::future::join_all(batches)).await;
    let all = || rig.store.count(|state| *state == State::Sent) == 2000;
    rig.until("all sent", all).await;
    rig.until("rest", || rig.pipeline.healthy().waiting_rows == 0).await;
    rig.is_at_rest();
    for (provider, calls) in [(&rig.sms, 300), (&rig.email, 300), (&rig.push, 1400)] {
        assert_eq!(provider.calls.lock().len(), calls);
    }
    rig.pipeline.drain().await;
    assert_eq!(rig.store.model.lock().log.last(), Some(&"end"));
}
