//! Providers, messages and the database in trouble.

use std::sync::atomic::Ordering;
use std::time::Duration;

use carillon_domain::delivery::{Failure, Outcome};
use carillon_domain::{Channel, Clock as _, ErrorCode, EventKind, Priority};
use carillon_ports::Submission;
use carillon_ports::work::Verdict;
use chrono::TimeDelta;

use crate::model::State;
use crate::rig::{Rig, refused, sent};

const SOON: Duration = Duration::from_millis(5);

#[tokio::test(start_paused = true)]
async fn a_message_has_four_attempts_and_then_a_dead_letter() {
    let rig = Rig::new().await;
    rig.sms.does(|_, _| (SOON, Some(Outcome::Retry(Failure::of_message("greylisted", "later")))));
    let id = rig.send(Channel::Sms).await;
    rig.until("exhausted", || rig.store.state(id) == State::Failed("exhausted")).await;
    assert_eq!(rig.sms.calls_of(id), 4);
    let kinds: Vec<_> =
        rig.store.model.lock().finishes.last().unwrap().transitions.iter().map(|step| step.kind).collect();
    let want = [EventKind::Sending, EventKind::AttemptFailed, EventKind::Failed, EventKind::DeadLettered];
    assert_eq!(kinds, want);
    rig.is_at_rest();
}

#[tokio::test(start_paused = true)]
async fn what_can_never_be_sent_fails_at_once() {
    let rig = Rig::new().await;
    rig.sms.does(|_, _| (SOON, Some(Outcome::Failed(Failure::of_message("no_such_number", "gone")))));
    let id = rig.send(Channel::Sms).await;
    rig.until("permanent", || rig.store.state(id) == State::Failed("permanent")).await;
    rig.is_at_rest();
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_rendered_again_fails_and_is_not_sent() {
    let rig = Rig::new().await;
    let mut item = rig.item(Channel::Sms).await;
    (item.notification.metadata, item.message) = (Some("unrenderable".to_owned()), None);
    let id = rig.send_item(item).await;
    rig.until("permanent", || rig.store.state(id) == State::Failed("permanent")).await;
    assert_eq!(rig.sms.calls_of(id), 0);
    rig.is_at_rest();
}

#[tokio::test(start_paused = true)]
async fn what_is_over_is_not_sent() {
    let rig = Rig::new().await;
    rig.sms.does(|_, _| (Duration::from_secs(1), Some(sent())));
    rig.send_many(Channel::Sms, Priority::Normal, 6).await;
    let mut item = rig.item(Channel::Sms).await;
    item.notification.expires_at = Some(rig.clock.now() + TimeDelta::seconds(1));
    let id = rig.send_item(item).await;
    rig.until("expired", || rig.store.state(id) == State::Failed("expired")).await;
    assert_eq!(rig.sms.calls_of(id), 0);
    rig.until("the others", || rig.store.count(|state| *state == State::Sent) == 6).await;
    rig.is_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_doubt_is_resent_or_held_as_the_account_says() {
    let rig = Rig::new().await;
    let doubt = || Outcome::Unknown(Failure::of_provider("timeout", "no answer"));
    rig.sms.does(move |_, nth| (SOON, Some(if nth == 1 { doubt() } else { sent() })));
    // A provider that panics may have sent.
    rig.email.does(|_, _| (SOON, None));
    let resent = rig.send(Channel::Sms).await;
    let held = rig.send(Channel::Email).await;
    rig.until("held", || rig.store.state(held) == State::Held).await;
    rig.until("resent", || rig.store.state(resent) == State::Sent).await;
    assert_eq!((rig.sms.calls_of(resent), rig.email.calls_of(held)), (2, 1));
    let steps = rig.store.model.lock().finishes.iter().find(|f| f.id.0 == resent).unwrap().transitions.clone();
    assert_eq!(
        steps.iter().map(|step| step.kind).collect::<Vec<_>>(),
        [EventKind::Sending, EventKind::Unknown, EventKind::Queued]
    );
    rig.is_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_call_that_does_not_end_is_in_doubt() {
    let rig = Rig::new().await;
    rig.email.does(|_, _| (Duration::from_hours(1), Some(sent())));
    let id = rig.send(Channel::Email).await;
    rig.until("held", || rig.store.state(id) == State::Held).await;
    rig.is_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_dead_provider_holds_no_memory_and_nobody_else_up() {
    let rig = Rig::new().await;
    rig.sms.does(|_, _| (SOON, Some(refused())));
    rig.send_many(Channel::Sms, Priority::Normal, 500).await;
    rig.until("handed back", || rig.pipeline.healthy().waiting_rows == 0).await;
    assert!(rig.sms.calls.lock().len() < 20, "an open breaker lets nothing through");
    assert_eq!(rig.store.count(|state| matches!(state, State::Waiting(_))), 500);
    let given_back = |f: &&carillon_ports::work::Finish| matches!(f.verdict, Verdict::Retry { error: None, .. });
    assert!(rig.store.model.lock().finishes.iter().filter(given_back).all(|f| f.attempts == 0));

    let other = rig.send(Channel::Email).await;
    rig.until("the other", || rig.store.state(other) == State::Sent).await;
    // A new one for the dead provider is accepted, and does not stay in memory.
    rig.send(Channel::Sms).await;
    rig.until("handed back", || rig.pipeline.healthy().waiting_rows == 0).await;

    rig.sms.does(|_, _| (SOON, Some(sent())));
    tokio::time::sleep(Duration::from_mins(1)).await;
    rig.until("all sent", || rig.store.count(|state| *state == State::Sent) == 502).await;
    rig.is_at_rest();
}

#[tokio::test(start_paused = true)]
async fn while_the_database_is_away_nothing_is_accepted_and_sending_stops_by_itself() {
    let rig = Rig::new().await;
    rig.send_many(Channel::Sms, Priority::Normal, 50).await;
    rig.store.down.store(true, Ordering::SeqCst);
    let items = vec![crate::rig::item(1_000_000, Channel::Sms, rig.clock.now())];
    let refused = rig.pipeline.accept(Submission { items, idempotency: None }).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Unavailable);
    tokio::time::sleep(Duration::from_secs(20)).await;
    let calls = rig.sms.calls.lock().len();
    assert!(calls <= 6, "{calls} calls without a database");
    rig.store.down.store(false, Ordering::SeqCst);
    rig.until("all sent", || rig.store.count(|state| *state == State::Sent) == 50).await;
    assert_eq!(rig.sms.calls.lock().len(), 50, "each once");
    rig.is_at_rest();
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_the_store_refuses_holds_nothing_up() {
    let rig = Rig::new().await;
    rig.store.picky.store(true, Ordering::SeqCst);
    rig.sms.does(|message, _| {
        let bad = Outcome::Failed(Failure::of_message("bad", "\0"));
        (SOON, Some(if message.id.0 % 2 == 0 { bad } else { sent() }))
    });
    rig.send_many(Channel::Sms, Priority::Normal, 20).await;
    rig.until("half sent", || rig.store.count(|state| *state == State::Sent) == 10).await;
    rig.until("half failed", || rig.store.count(|state| *state == State::Failed("permanent")) == 10).await;
    rig.is_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_lost_lease_is_found_out_and_harms_nobody() {
    let rig = Rig::new().await;
    let id = rig.send(Channel::Sms).await;
    rig.store.steal(id);
    rig.until("lost", || rig.store.model.lock().lost == 1).await;
    rig.until("rest", || rig.pipeline.healthy().waiting_rows == 0).await;
    let next = rig.send(Channel::Sms).await;
    rig.until("the next", || rig.store.state(next) == State::Sent).await;
    rig.is_at_rest();
}
