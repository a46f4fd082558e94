//! What lies in the table comes into memory, as much as fits, by the weights of the priorities.

use std::sync::Arc;

use carillon_domain::tenant::KeyKind;
use carillon_domain::{Channel, Error, ErrorCode, NotificationId, Priority, Timestamp};
use carillon_ports::Account;
use carillon_ports::work::{Claimable, Hold, Job};
use chrono::TimeDelta;
use futures_util::StreamExt as _;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::crash::crash_point;
use crate::lanes::Guest;
use crate::sender;
use crate::shared::Shared;
use crate::task::{Done, Task, Ticket, weight};
use crate::verdict;

/// Rows rendered at the same time.
const RENDER_AT_ONCE: usize = 16;
/// Rows of one claim at most: their weight is known only when they are here.
const AT_ONCE: usize = 512;
/// What a row is taken to weigh before it is read.
const GUESS: usize = 2048;
/// An idle table is asked this much less often than a busy one.
const IDLE: u32 = 8;

/// Claims work of `channel` until told to stop.
pub(crate) async fn claim_channel(shared: Arc<Shared>, channel: Channel) {
    let shortest = shared.settings.claim_every;
    let mut wait = shortest;
    loop {
        let found = claim_all(&shared, channel).await;
        wait = if found { shortest } else { (wait * 2).min(shortest * IDLE) };
        tokio::select! {
            () = shared.stop_claims.cancelled() => return,
            () = shared.nudged(channel) => wait = shortest,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Claims while there is room and something to claim. Whether anything was found.
async fn claim_all(shared: &Arc<Shared>, channel: Channel) -> bool {
    let mark = shared.lanes.lock().mark();
    let mut live = Priority::ALL.to_vec();
    let mut found = false;
    while !live.is_empty() {
        let room = shared.lanes.lock().room(channel, Instant::now().into_std());
        if room == 0 || shared.stop_claims.is_cancelled() || !shared.lease.holds(shared.clock.now()) {
            return found;
        }
        let weights = live.iter().map(|priority| priority.weight() as usize).sum::<usize>();
        let mut still = Vec::with_capacity(live.len());
        for priority in live.iter().rev() {
            let limit = (room * priority.weight() as usize).div_ceil(weights).min(AT_ONCE);
            match claim(shared, channel, *priority, limit).await {
                Ok(Claimed { rows, exhausted }) => {
                    found |= rows > 0;
                    if !exhausted {
                        still.insert(0, *priority);
                    }
                    if !exhausted && rows == 0 {
                        // Nothing fitted: the memory is full, whatever `room` said.
                        return found;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, channel = channel.as_str(), "work cannot be claimed");
                    shared.meters.store_error("claim");
                    return found;
                }
            }
        }
        live = still;
    }
    shared.lanes.lock().exhausted(channel, mark);
    found
}

struct Claimed {
    rows: usize,
    /// There was no more.
    exhausted: bool,
}

async fn claim(shared: &Arc<Shared>, channel: Channel, priority: Priority, limit: usize) -> Result<Claimed, Error> {
    let given: Mutex<Vec<(NotificationId, Hold, Arc<Account>)>> = Mutex::new(Vec::new());
    let assign = |rows: &[Claimable]| {
        let now = Instant::now().into_std();
        let routed: Vec<_> =
            rows.iter().map(|row| shared.handler.route(row.tenant, row.channel, kind_of(row))).collect();
        let mut lanes = shared.lanes.lock();
        let mut given = given.lock();
        let place = |(row, account): (&Claimable, Arc<Account>)| {
            let guest =
                Guest { account: &account, id: row.id, tenant: row.tenant, priority: row.priority, bytes: GUESS };
            let hold = lanes.admit(&guest, now)?;
            given.push((row.id, hold, account));
            Some(hold)
        };
        rows.iter().zip(routed).map(place).collect()
    };
    let now = shared.clock.now();
    let limit = u32::try_from(limit).unwrap_or(u32::MAX);
    let claimed = shared.work.claim(channel, priority, limit, now, &assign).await;
    let mut given = given.into_inner();
    let jobs = claimed.as_ref().map_or(&[][..], Vec::as_slice);
    // What was given a place and did not come: the store gave up, or asked twice.
    let came: std::collections::HashSet<(i32, i64)> = jobs.iter().map(|job| (job.hold.lane, job.hold.hand)).collect();
    let mut refused = false;
    {
        let mut lanes = shared.lanes.lock();
        given.retain(|(_, hold, _)| {
            let comes = came.contains(&(hold.lane, hold.hand));
            if !comes {
                lanes.void(*hold, GUESS);
                refused = true;
            }
            comes
        });
    }
    let jobs = claimed?;
    let rows = jobs.len();
    shared.meters.notifications.claimed(channel.as_str(), rows as u64);
    if rows > 0 {
        crash_point!("claimed");
    }
    let accounts: std::collections::HashMap<_, _> = given.into_iter().map(|(id, _, account)| (id, account)).collect();
    let with_account = jobs.into_iter().filter_map(|job| {
        let account = Arc::clone(accounts.get(&job.notification.id)?);
        Some((job, account))
    });
    futures_util::stream::iter(with_account)
        .map(|(job, account)| take_in(shared, job, account))
        .buffer_unordered(RENDER_AT_ONCE)
        .collect::<()>()
        .await;
    if shared.lanes.lock().wants_commit(Instant::now().into_std()) {
        shared.commit_wanted.notify_one();
    }
    Ok(Claimed { rows, exhausted: !refused && rows < limit as usize })
}

fn kind_of(row: &Claimable) -> KeyKind {
    if row.test { KeyKind::Test } else { KeyKind::Live }
}

/// Renders a claimed row and puts it into its lane, or finds out that it cannot be sent now.
async fn take_in(shared: &Arc<Shared>, job: Job, account: Arc<Account>) {
    let row = &job.notification;
    let ticket = Ticket {
        id: row.id,
        tenant: row.tenant_id,
        hold: job.hold,
        account,
        attempts: row.attempts,
        tries: job.tries,
        expires_at: row.expires_at,
        bytes: GUESS,
    };
    let now = shared.clock.now();
    let shut = shared.lanes.lock().shut_until(job.hold.lane, Instant::now().into_std());
    let done = if ticket.is_expired(now) {
        verdict::expired(ticket, now)
    } else if let Some(until) = shut {
        verdict::give_back(ticket, shared.not_before(until), now)
    } else {
        match shared.handler.prepare(&job).await {
            Ok(message) => {
                let bytes = weight(row, &job.payload, Some(&message));
                let ticket = Ticket { bytes, ..ticket };
                let mut lanes = shared.lanes.lock();
                lanes.reweigh(GUESS, bytes);
                let go = lanes.land(Box::new(Task { ticket, message }));
                drop(lanes);
                sender::dispatch(shared, go.into_iter().collect());
                return;
            }
            Err(error) => unprepared(ticket, &error, now),
        }
    };
    leave(shared, done).await;
}

/// Not rendered: later if the store is away, never otherwise.
fn unprepared(ticket: Ticket, error: &Error, now: Timestamp) -> Done {
    const LATER: TimeDelta = TimeDelta::seconds(1);
    if error.code == ErrorCode::Unavailable {
        return verdict::give_back(ticket, now + LATER, now);
    }
    let code = error.code.as_str();
    tracing::warn!(id = ticket.id.0, code, "a notification cannot be rendered");
    verdict::reject(ticket, code, error.detail.clone(), "permanent", now)
}

/// Its outcome goes the way of all outcomes, unless it was cancelled meanwhile.
async fn leave(shared: &Shared, done: Done) {
    let (hold, bytes) = (done.leaver.ticket.hold, done.leaver.ticket.bytes);
    let Ok(place) = shared.outcomes.reserve().await else { return };
    let left = shared.lanes.lock().leave(hold, bytes);
    if let Some(permitted) = left {
        place.send(done.permitted(permitted));
    }
}
