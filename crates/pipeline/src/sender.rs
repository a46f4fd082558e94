//! One provider call: the last checks before it, and what it came to.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use carillon_domain::delivery::{Failure, Outcome};
use carillon_domain::message::Message;
use carillon_ports::Account;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::crash::crash_point;
use crate::shared::Shared;
use crate::task::{Done, Parcel, Task};
use crate::verdict::{self, Span};

/// What a provider gets over its own timeout to answer in time: it knows more about the call than we do.
const GRACE: Duration = Duration::from_secs(1);

/// Sends tasks that are permitted.
pub(crate) fn dispatch(shared: &Arc<Shared>, tasks: Vec<Parcel>) {
    for task in tasks {
        if !task.ticket.account.internal {
            tokio::spawn(send_and_tell(Arc::clone(shared), task));
        } else if let Err(error) = shared.internal.try_send(task) {
            // The queue has room for all that may be in memory; it is closed when we are fenced.
            let task = error.into_inner();
            tokio::spawn(send_and_tell(Arc::clone(shared), task));
        }
    }
}

async fn send_and_tell(shared: Arc<Shared>, task: Parcel) {
    // The place for the outcome comes first: while outcomes cannot be written, nothing more is sent.
    let Ok(place) = shared.outcomes.reserve().await else { return };
    if shared.holds_lease().await {
        place.send(send(&shared, *task).await);
    }
}

/// Sends what needs no network, one after the other, in one task. What does not end at once goes on by itself.
pub(crate) async fn send_internal(shared: Arc<Shared>, mut tasks: mpsc::Receiver<Parcel>) {
    const AT_ONCE: usize = 256;
    let mut batch = Vec::with_capacity(AT_ONCE);
    loop {
        tokio::select! {
            () = shared.stop_rest.cancelled() => return,
            received = tasks.recv_many(&mut batch, AT_ONCE) => if received == 0 { return },
        }
        for task in batch.drain(..) {
            let Ok(place) = shared.outcomes.clone().reserve_owned().await else { return };
            if !shared.holds_lease().await {
                return;
            }
            let owner = Arc::clone(&shared);
            let mut call: BoxFuture<'static, Done> = Box::pin(async move { send(&owner, *task).await });
            if let Some(done) = (&mut call).now_or_never() {
                place.send(done);
            } else {
                tokio::spawn(async move { place.send(call.await) });
            }
        }
    }
}

async fn send(shared: &Shared, task: Task) -> Done {
    let Task { ticket, message } = task;
    let began = shared.clock.now();
    if ticket.is_expired(began) {
        return verdict::expired(ticket, began);
    }
    let account = Arc::clone(&ticket.account);
    let permit = if account.internal {
        None
    } else {
        let admitted = shared.lanes.lock().begin(ticket.hold.lane, Instant::now().into_std());
        match admitted {
            Ok(permit) => Some(permit),
            Err(until) => {
                let due = shared.not_before(until);
                return verdict::give_back(ticket, due, began);
            }
        }
    };
    let start = Instant::now();
    crash_point!("before_send");
    let outcome = call(&account, &message).await;
    crash_point!("after_send");
    let took = start.elapsed();
    let meters = {
        let mut lanes = shared.lanes.lock();
        if let Some(permit) = permit {
            lanes.end(ticket.hold.lane, permit, &outcome, took, Instant::now().into_std());
        }
        lanes.meters_of(ticket.hold.lane)
    };
    if let Some(meters) = meters {
        meters.called(word(&outcome), took);
    }
    let span = Span { began, ended: shared.clock.now() };
    verdict::settle(&shared.settings.retry, ticket, outcome, span, shared.entropy.fraction())
}

/// The call itself. A provider that breaks the rules (it panics, it does not end) may have sent.
async fn call(account: &Account, message: &Message) -> Outcome {
    let sending = AssertUnwindSafe(account.provider.send(message, account.timeout)).catch_unwind();
    match tokio::time::timeout(account.timeout + GRACE, sending).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => {
            tracing::error!(account = account.name, "a provider panicked");
            Outcome::Unknown(Failure::of_provider("provider_panicked", "the call ended without an outcome"))
        }
        Err(_) => Outcome::Unknown(Failure::of_provider("timeout", "the call did not end in time")),
    }
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Sent(_) => "sent",
        Outcome::Retry(_) => "retry",
        Outcome::Failed(_) => "failed",
        Outcome::Unknown(_) => "unknown",
    }
}
