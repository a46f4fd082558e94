//! Leaving in order: nothing that was accepted is lost, nothing that was sent goes without its outcome.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use carillon_ports::work::Hold;
use tokio::time::Instant;

use crate::pipeline::Doors;
use crate::shared::Shared;

/// Rows given back by one transaction.
const RELEASE: usize = 512;

/// Leaves in order, within the settings' `drain`.
pub(crate) async fn drain(shared: &Arc<Shared>, doors: &Doors) {
    let until = Instant::now() + shared.settings.drain;
    shared.accepting.store(false, Ordering::Release);
    // What is written from here on is left to others; what already waits for its commit gets it.
    shared.lanes.lock().stop_hand_off();
    shared.stop_claims.cancel();
    doors.close();
    let in_time = tokio::time::timeout_at(until, in_order(shared, until)).await.is_ok();
    if !in_time {
        tracing::warn!("the drain took too long: the leases of what is left end by themselves");
    }
    shared.stop_outcomes.cancel();
    shared.stop_rest.cancel();
}

async fn in_order(shared: &Arc<Shared>, until: Instant) {
    shared.writing.close();
    shared.writing.wait().await;
    shared.claiming.close();
    shared.claiming.wait().await;
    release(shared).await;
    let calls_until = until - shared.settings.drain / 5;
    if tokio::time::timeout_at(calls_until, settled(shared)).await.is_err() {
        tracing::warn!(rows = shared.lanes.lock().active(), "calls did not end in time");
    }
    shared.stop_outcomes.cancel();
    shared.finishing.close();
    shared.finishing.wait().await;
    if shared.fenced.is_cancelled() {
        return;
    }
    if let Err(error) = shared.work.end().await {
        tracing::warn!(%error, "the lease cannot be given back: it ends by itself");
    }
}

/// Gives back what nobody has sent.
async fn release(shared: &Shared) {
    const AGAIN: Duration = Duration::from_millis(200);
    let rest: Vec<_> =
        shared.lanes.lock().freeze().into_iter().map(|task| (task.ticket.id, task.ticket.hold)).collect();
    for rows in rest.chunks(RELEASE) {
        release_rows(shared, rows, AGAIN).await;
    }
}

async fn release_rows(shared: &Shared, rows: &[(carillon_domain::NotificationId, Hold)], again: Duration) {
    while let Err(error) = shared.work.release(rows).await {
        tracing::warn!(%error, "rows cannot be given back yet");
        tokio::select! {
            () = shared.fenced.cancelled() => return,
            () = tokio::time::sleep(again) => {}
        }
    }
}

/// Waits until no permitted row is without its outcome on disk.
async fn settled(shared: &Shared) {
    loop {
        let next = shared.settled.notified();
        if shared.lanes.lock().active() == 0 || shared.fenced.is_cancelled() {
            return;
        }
        next.await;
    }
}
