//! The outcome batcher: what ended together is written together, and the same commit permits the next sends.

use std::sync::Arc;
use std::time::Duration;

use carillon_domain::{Channel, Error, ErrorCode};
use carillon_ports::work::{Finish, Finished, Raise, Verdict};
use carillon_telemetry::meters::level;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::crash::crash_point;
use crate::sender;
use crate::shared::Shared;
use crate::task::{Done, Leaver};
use crate::{tally, verdict};

/// Looks for rows that wait though nothing has ended: the safety net under `commit_wanted`.
const LOOK: Duration = Duration::from_millis(250);
/// While the database is away: the first wait, and what it grows to.
const FIRST_WAIT: Duration = Duration::from_millis(20);
const LAST_WAIT: Duration = Duration::from_millis(500);

/// Writes outcomes until it is told to stop and none is left.
pub(crate) async fn write_outcomes(shared: Arc<Shared>, mut outcomes: mpsc::Receiver<Done>) {
    let most = shared.settings.group_rows.max(1);
    let mut done = Vec::with_capacity(most);
    let mut open = true;
    while open {
        tokio::select! {
            biased;
            received = outcomes.recv_many(&mut done, most) => open = received > 0,
            () = shared.stop_outcomes.cancelled(), if !outcomes.is_closed() => {
                outcomes.close();
                continue;
            }
            () = shared.commit_wanted.notified() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
        if shared.fenced.is_cancelled() {
            return;
        }
        commit(&shared, &mut done).await;
        done.clear();
    }
}

async fn commit(shared: &Arc<Shared>, done: &mut Vec<Done>) {
    let (mut leavers, mut outcomes): (Vec<Leaver>, Vec<Finish>) =
        done.drain(..).map(|done| (done.leaver, done.finish)).unzip();
    let plan = shared.lanes.lock().propose(&leavers, Instant::now().into_std());
    let at = shared.clock.now();
    for (task, until) in plan.returned {
        let due = shared.not_before(until);
        let back = verdict::give_back(task.ticket, due, at).permitted(false);
        leavers.push(back.leaver);
        outcomes.push(back.finish);
    }
    if outcomes.is_empty() && plan.raises.is_empty() {
        return;
    }
    crash_point!("before_outcome");
    let began = Instant::now();
    let Some(finished) = persist(shared, &mut outcomes, &plan.raises).await else { return };
    shared.meters.outcome_duration.record(began.elapsed());
    shared.meters.outcome_group_rows.record(level(outcomes.len() as u64));
    crash_point!("after_outcome");
    if !plan.raises.is_empty() {
        crash_point!("intent_committed");
    }

    let (go, more, load, backlog) = {
        let mut lanes = shared.lanes.lock();
        let go = lanes.committed(&leavers, &plan.raises, &finished.cancelled);
        let more = lanes.wants_commit(Instant::now().into_std());
        let backlog = Channel::ALL.map(|channel| lanes.has_backlog(channel).then_some(channel));
        (go, more, lanes.load(), backlog)
    };
    sender::dispatch(shared, go);
    if more {
        shared.commit_wanted.notify_one();
    }
    shared.settled.notify_waiters();
    shared.meters.waiting_rows.set(level(load.0 as u64));
    shared.meters.waiting_bytes.set(level(load.1 as u64));
    if !finished.lost.is_empty() {
        tracing::warn!(rows = finished.lost.len(), "leases were lost: others have taken these rows over");
        shared.meters.lost_leases.increment(finished.lost.len() as u64);
    }
    tally::count(shared, &leavers, &outcomes, &finished.lost);
    if finished.ready {
        shared.nudge_all();
    } else {
        backlog.into_iter().flatten().for_each(|channel| shared.nudge(channel));
    }
    for outcome in &outcomes {
        if let Verdict::Retry { due, .. } = outcome.verdict {
            shared.wake.expect(due);
        }
    }
}

/// Writes until it is written. `None`: we have been fenced, or the drain is over.
async fn persist(shared: &Shared, outcomes: &mut [Finish], raises: &[Raise]) -> Option<Finished> {
    let mut wait = FIRST_WAIT;
    loop {
        let error = match shared.work.finish(outcomes, raises).await {
            Ok(finished) => return Some(finished),
            Err(error) => error,
        };
        shared.meters.store_error("finish");
        if is_refused(&error) && !outcomes.is_empty() {
            tracing::error!(%error, rows = outcomes.len(), "the store refuses outcomes; they are written one by one");
            return one_by_one(shared, outcomes, raises).await;
        }
        tracing::warn!(%error, "outcomes cannot be written yet");
        tokio::select! {
            () = shared.stop_rest.cancelled() => return None,
            () = tokio::time::sleep(wait) => {}
        }
        wait = (wait * 2).min(LAST_WAIT);
    }
}

/// One bad row must not hold up the others. What cannot be written as it is loses its ornaments; what cannot be written
/// even so is left to its lease.
async fn one_by_one(shared: &Shared, outcomes: &mut [Finish], raises: &[Raise]) -> Option<Finished> {
    let mut all = Finished::default();
    for outcome in outcomes {
        let mut plain = false;
        loop {
            match shared.work.finish(std::slice::from_ref(outcome), &[]).await {
                Ok(finished) => {
                    all.lost.extend(finished.lost);
                    all.ready |= finished.ready;
                    break;
                }
                Err(error) if is_refused(&error) => {
                    tracing::error!(%error, id = outcome.id.0, plain, "the store refuses an outcome");
                    if std::mem::replace(&mut plain, true) {
                        break;
                    }
                    strip(outcome);
                }
                Err(_) => tokio::select! {
                    () = shared.stop_rest.cancelled() => return None,
                    () = tokio::time::sleep(LAST_WAIT) => {}
                },
            }
        }
    }
    if raises.is_empty() {
        return Some(all);
    }
    loop {
        if let Ok(raised) = shared.work.finish(&[], raises).await {
            all.cancelled = raised.cancelled;
            all.ready |= raised.ready;
            return Some(all);
        }
        tokio::select! {
            () = shared.stop_rest.cancelled() => return None,
            () = tokio::time::sleep(LAST_WAIT) => {}
        }
    }
}

/// The store is there and does not want it.
fn is_refused(error: &Error) -> bool {
    !matches!(error.code, ErrorCode::Unavailable | ErrorCode::Overloaded | ErrorCode::DeadlineExceeded)
}

/// Without the texts that came from outside.
fn strip(outcome: &mut Finish) {
    for transition in &mut outcome.transitions {
        transition.detail = None;
    }
    match &mut outcome.verdict {
        Verdict::Sent { provider_message_id, capture, .. } => {
            *provider_message_id = None;
            *capture = None;
        }
        Verdict::Retry { error: Some(error), .. } | Verdict::Failed { error, .. } | Verdict::Held { error } => {
            error.message.clear();
        }
        Verdict::Retry { error: None, .. } => {}
    }
}
