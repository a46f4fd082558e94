//! Fences and drains.

use std::sync::atomic::Ordering;
use std::time::Duration;

use carillon_domain::{Channel, ErrorCode, Priority};
use carillon_ports::Submission;

use crate::model::State;
use crate::rig::{Rig, sent};

#[tokio::test(start_paused = true)]
async fn a_fenced_process_stops_sending() {
    let rig = Rig::new().await;
    rig.sms.does(|_, _| (Duration::from_secs(5), Some(sent())));
    rig.send_many(Channel::Sms, Priority::Normal, 30).await;
    rig.store.fenced.store(true, Ordering::SeqCst);
    rig.pipeline.fenced().await;
    let calls = rig.sms.calls.lock().len();
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert_eq!(rig.sms.calls.lock().len(), calls);
    let health = rig.pipeline.healthy();
    assert!(health.fenced && !health.accepting);
    let items = vec![crate::rig::item(1, Channel::Sms, carillon_domain::Clock::now(&*rig.clock))];
    let refused = rig.pipeline.accept(Submission { items, idempotency: None }).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Unavailable);
    rig.was_lawful();
}

#[tokio::test(start_paused = true)]
async fn without_a_lease_nothing_is_sent() {
    let rig = Rig::new().await;
    rig.store.deaf.store(true, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert!(!rig.pipeline.healthy().leased);
    rig.send(Channel::Sms).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(rig.sms.calls.lock().is_empty());
    rig.store.deaf.store(false, Ordering::SeqCst);
    rig.until("sent", || rig.store.count(|state| *state == State::Sent) == 1).await;
    assert!(rig.pipeline.healthy().leased);
    rig.is_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_drain_gives_back_what_is_unsent_and_writes_the_last_outcomes_last() {
    let rig = Rig::new().await;
    rig.sms.does(|_, _| (Duration::from_secs(3), Some(sent())));
    rig.send_many(Channel::Sms, Priority::Normal, 30).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    rig.pipeline.drain().await;
    assert_eq!(rig.store.count(|state| *state == State::Sent), 3);
    assert_eq!(rig.store.count(|state| *state == State::Ready), 27);
    let log = rig.store.model.lock().log.clone();
    assert_eq!(log, ["accept", "release", "finish", "end"]);
    let items = vec![crate::rig::item(999_999, Channel::Sms, carillon_domain::Clock::now(&*rig.clock))];
    let refused = rig.pipeline.accept(Submission { items, idempotency: None }).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Unavailable);
    rig.is_at_rest();
    rig.pipeline.drain().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_on_its_way_in_when_the_drain_began_is_written_and_left_to_others() {
    let rig = Rig::new().await;
    let items = vec![rig.item(Channel::Sms).await];
    let (accepted, ()) = tokio::join!(rig.pipeline.accept(Submission { items, idempotency: None }), async {
        rig.pipeline.drain().await;
    });
    accepted.unwrap();
    assert_eq!(rig.store.count(|state| *state == State::Ready), 1);
    assert!(rig.sms.calls.lock().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_in_time_whatever_hangs() {
    let rig = Rig::new().await;
    rig.sms.does(|_, _| (Duration::from_hours(1), Some(sent())));
    rig.send_many(Channel::Sms, Priority::Normal, 30).await;
    rig.store.down.store(true, Ordering::SeqCst);
    let began = tokio::time::Instant::now();
    rig.pipeline.drain().await;
    assert!(began.elapsed() <= Duration::from_millis(25_010), "{:?}", began.elapsed());
}
