//! Group commit: what arrives while a commit runs is written by the next one. Nobody waits for company.

use std::sync::Arc;

use carillon_domain::notification::event::Transition;
use carillon_domain::{Channel, Error, ErrorCode, EventKind, Status, TenantId, Timestamp};
use carillon_ports::work::{AcceptUnit, Accepted, Birth, Hold, NewNotification, Tries};
use carillon_ports::{Account, Submission, SubmissionItem};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::Instant;

use crate::crash::crash_point;
use crate::lanes::Guest;
use crate::sender;
use crate::shared::Shared;
use crate::task::{Parcel, Task, Ticket, weight};

/// A submission and who waits for it.
pub(crate) struct Arrival {
    pub(crate) submission: Submission,
    pub(crate) reply: oneshot::Sender<Result<Accepted, Error>>,
}

/// A queue of arrivals, for several writers.
pub(crate) type Arrivals = Arc<Mutex<mpsc::Receiver<Arrival>>>;

/// What is kept of a row while it is written.
enum Place {
    /// It comes into memory.
    Held(Parcel),
    /// It is left to the table.
    Spilled(TenantId, Channel),
    /// It waits for its time.
    Scheduled(Timestamp, Channel),
    /// The commit delivers it.
    Delivered(Channel),
}

impl Place {
    fn channel(&self) -> Channel {
        match self {
            Self::Held(task) => task.ticket.account.channel,
            Self::Spilled(_, channel) | Self::Scheduled(_, channel) | Self::Delivered(channel) => *channel,
        }
    }
}

/// Writes groups until the queue is closed and empty.
pub(crate) async fn write_groups(shared: Arc<Shared>, arrivals: Arrivals) {
    loop {
        let mut group = Vec::new();
        {
            let mut arrivals = arrivals.lock().await;
            let Some(first) = arrivals.recv().await else { return };
            let (mut rows, mut bytes) = (0, 0);
            let mut next = Some(first);
            while let Some(arrival) = next {
                rows += arrival.submission.items.len();
                bytes += arrival.submission.items.iter().map(weight_of).sum::<usize>();
                group.push(arrival);
                let full = rows >= shared.settings.group_rows || bytes >= shared.settings.group_bytes;
                next = if full { None } else { arrivals.try_recv().ok() };
            }
        }
        if let Some(error) = write(&shared, group).await {
            refuse_waiting(&arrivals, &error);
        }
    }
}

/// The store was away for a whole group. Who waited meanwhile hears it now, not after another timeout of its own.
fn refuse_waiting(arrivals: &Arrivals, error: &Error) {
    // Whoever has the lock finds out by itself.
    let Ok(mut arrivals) = arrivals.try_lock() else { return };
    while let Ok(arrival) = arrivals.try_recv() {
        let _ = arrival.reply.send(Err(again(error)));
    }
}

/// The same error for one more caller; its cause stays with the first.
fn again(error: &Error) -> Error {
    Error { retry_after: error.retry_after, ..Error::new(error.code, error.detail.clone()) }
}

fn weight_of(item: &SubmissionItem) -> usize {
    weight(&item.notification, &item.payload, item.message.as_ref())
}

/// Writes a group and tells whoever waits for it. The error if the store was away for all of it.
async fn write(shared: &Arc<Shared>, group: Vec<Arrival>) -> Option<Error> {
    let now = shared.clock.now();
    let (units, waiting) = admit(shared, group, now);
    let rows = units.iter().map(|unit| unit.items.len()).sum::<usize>();
    crash_point!("before_commit");
    let began = Instant::now();
    let mut results = shared.work.accept(&units).await.into_iter();
    shared.meters.accept_duration.record(began.elapsed());
    shared.meters.accept_group_rows.record(carillon_telemetry::meters::level(rows as u64));
    crash_point!("after_commit");

    let mut go = Vec::new();
    let mut replies = Vec::with_capacity(waiting.len());
    let mut spilled = false;
    let mut accepted = [0; 5];
    {
        let mut lanes = shared.lanes.lock();
        for (places, reply) in waiting {
            let result = results.next().unwrap_or_else(|| Err(Error::internal("the store gave no result for a unit")));
            let blocked = match &result {
                Ok(Accepted::Stored { blocked }) => Some(blocked.as_slice()),
                _ => None,
            };
            for (position, place) in places.into_iter().enumerate() {
                accepted[place.channel() as usize] += u64::from(blocked.is_some());
                let is_ours = blocked.is_some_and(|blocked| !blocked.contains(&position));
                match place {
                    Place::Held(task) if is_ours => go.extend(lanes.land(task)),
                    Place::Held(task) => lanes.void(task.ticket.hold, task.ticket.bytes),
                    Place::Spilled(tenant, channel) if is_ours => {
                        spilled = true;
                        lanes.spilled(tenant, channel);
                        shared.meters.notifications.spilled(channel.as_str(), 1);
                    }
                    Place::Scheduled(due, _) if is_ours => shared.wake.expect(due),
                    Place::Spilled(..) | Place::Scheduled(..) | Place::Delivered(_) => {}
                }
            }
            if result.is_err() {
                shared.meters.store_error("accept");
            }
            replies.push((reply, result));
        }
        if lanes.wants_commit(Instant::now().into_std()) {
            shared.commit_wanted.notify_one();
        }
    }
    let is_away =
        |(_, result): &(_, Result<_, Error>)| matches!(result, Err(error) if error.code == ErrorCode::Unavailable);
    let away =
        if replies.iter().all(is_away) { replies.first().and_then(|(_, r)| r.as_ref().err().map(again)) } else { None };
    for (reply, result) in replies {
        // Whoever stopped waiting gets its answer by asking again with the same key.
        let _ = reply.send(result);
    }
    sender::dispatch(shared, go);
    for channel in Channel::ALL {
        let count = accepted[channel as usize];
        if count > 0 {
            shared.meters.notifications.accepted(channel.as_str(), count);
        }
    }
    if spilled {
        shared.nudge_all();
    }
    away
}

type Waiting = (Vec<Place>, oneshot::Sender<Result<Accepted, Error>>);

/// Decides for each row where it begins, before it is written.
fn admit(shared: &Shared, group: Vec<Arrival>, now: Timestamp) -> (Vec<AcceptUnit>, Vec<Waiting>) {
    let mut units = Vec::with_capacity(group.len());
    let mut waiting = Vec::with_capacity(group.len());
    for Arrival { submission, reply } in group {
        let mut items = Vec::with_capacity(submission.items.len());
        let mut places = Vec::with_capacity(submission.items.len());
        for item in submission.items {
            let account = account_for(shared, &item, now);
            let (row, place) = admit_one(shared, item, account, now);
            items.push(row);
            places.push(place);
        }
        units.push(AcceptUnit { items, idempotency: submission.idempotency });
        waiting.push((places, reply));
    }
    (units, waiting)
}

/// The account of a row that may be handed over in memory.
fn account_for(shared: &Shared, item: &SubmissionItem, now: Timestamp) -> Option<Arc<Account>> {
    let row = &item.notification;
    let is_due = row.scheduled_at.is_none_or(|at| at <= now);
    (is_due && !item.delivered && item.message.is_some())
        .then(|| shared.handler.route(row.tenant_id, row.channel, item.kind))
}

fn admit_one(
    shared: &Shared,
    item: SubmissionItem,
    account: Option<Arc<Account>>,
    now: Timestamp,
) -> (NewNotification, Place) {
    let bytes = weight_of(&item);
    let SubmissionItem { mut notification, payload, message, delivered, .. } = item;
    let (tenant, channel) = (notification.tenant_id, notification.channel);
    let mut transitions = vec![Transition::new(EventKind::Requested, notification.created_at)];
    let mut say = |kind| transitions.push(Transition::new(kind, now));
    let (birth, place) = if delivered {
        [EventKind::Queued, EventKind::Sent, EventKind::Delivered].into_iter().for_each(&mut say);
        notification.status = Status::Delivered;
        notification.sent_at = Some(now);
        notification.delivered_at = Some(now);
        (Birth::Delivered, Place::Delivered(channel))
    } else if let Some(due) = notification.scheduled_at.filter(|at| *at > now) {
        notification.status = Status::Accepted;
        (Birth::Waiting, Place::Scheduled(due, channel))
    } else {
        say(EventKind::Queued);
        notification.status = Status::Queued;
        let hold = account.as_ref().and_then(|account| {
            let guest = Guest { account, id: notification.id, tenant, priority: notification.priority, bytes };
            shared.lanes.lock().admit_fresh(&guest, Instant::now().into_std())
        });
        match (hold, account, message) {
            (Some(hold), Some(account), Some(message)) => {
                let task = held(&notification, hold, account, bytes, message);
                (Birth::Leased(hold), Place::Held(task))
            }
            _ => (Birth::Ready, Place::Spilled(tenant, channel)),
        }
    };
    (NewNotification { notification, payload, birth, transitions }, place)
}

fn held(
    row: &carillon_domain::notification::Notification,
    hold: Hold,
    account: Arc<Account>,
    bytes: usize,
    message: carillon_domain::message::Message,
) -> Parcel {
    let ticket = Ticket {
        id: row.id,
        tenant: row.tenant_id,
        hold,
        account,
        attempts: row.attempts,
        tries: Tries::default(),
        expires_at: row.expires_at,
        bytes,
    };
    Box::new(Task { ticket, message })
}
