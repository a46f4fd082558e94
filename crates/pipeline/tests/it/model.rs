//! A store in memory: rows, leases by hold, and the frontier of each lane.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use carillon_domain::notification::Notification;
use carillon_domain::{Channel, Clock, Error, NotificationId, Priority, Timestamp};
use carillon_ports::WorkStore;
use carillon_ports::work::{
    AcceptUnit, Accepted, Assign, Birth, Claimable, Finish, Finished, Hold, Job, Payload, Promoted, QueueDepth, Raise,
    Rescued, Tries, Verdict,
};
use parking_lot::Mutex;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum State {
    Ready,
    Leased(Hold),
    Waiting(Timestamp),
    Sent,
    Failed(&'static str),
    Held,
    Cancelled,
}

#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) notification: Notification,
    pub(crate) state: State,
    pub(crate) tries: Tries,
}

#[derive(Default)]
pub(crate) struct Model {
    pub(crate) rows: BTreeMap<i64, Row>,
    pub(crate) hi: HashMap<i32, i64>,
    pub(crate) finishes: Vec<Finish>,
    pub(crate) log: Vec<&'static str>,
    pub(crate) lost: u64,
    cancelled: Vec<(i32, NotificationId)>,
}

pub(crate) struct FakeStore {
    pub(crate) model: Mutex<Model>,
    pub(crate) down: AtomicBool,
    pub(crate) fenced: AtomicBool,
    /// Whether signs of life do not reach it, though all else does.
    pub(crate) deaf: AtomicBool,
    /// Whether it refuses rows that carry a detail, as a database refuses what it cannot encode.
    pub(crate) picky: AtomicBool,
    clock: Arc<dyn Clock>,
    next: AtomicI64,
}

impl FakeStore {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            model: Mutex::default(),
            down: AtomicBool::new(false),
            fenced: AtomicBool::new(false),
            deaf: AtomicBool::new(false),
            picky: AtomicBool::new(false),
            clock,
            next: AtomicI64::new(1),
        })
    }

    fn up(&self) -> Result<(), Error> {
        if self.down.load(Ordering::SeqCst) { Err(Error::unavailable("it is down")) } else { Ok(()) }
    }

    pub(crate) fn state(&self, id: i64) -> State {
        self.model.lock().rows[&id].state.clone()
    }

    pub(crate) fn count(&self, is: impl Fn(&State) -> bool) -> usize {
        self.model.lock().rows.values().filter(|row| is(&row.state)).count()
    }

    /// Whether the intent to send `id` is on disk.
    pub(crate) fn is_permitted(&self, id: i64) -> bool {
        let model = self.model.lock();
        matches!(model.rows[&id].state, State::Leased(hold) if maybe_sent(&model.hi, hold))
    }

    /// Rows that would be in doubt if the process died now.
    pub(crate) fn maybe_sent(&self) -> usize {
        let model = self.model.lock();
        model
            .rows
            .values()
            .filter(|row| matches!(row.state, State::Leased(hold) if maybe_sent(&model.hi, hold)))
            .count()
    }

    /// As a person's cancel does it; `false`: too late.
    pub(crate) fn cancel(&self, id: i64) -> bool {
        let mut model = self.model.lock();
        let State::Leased(hold) = model.rows[&id].state else { return false };
        if maybe_sent(&model.hi, hold) {
            return false;
        }
        model.rows.get_mut(&id).unwrap().state = State::Cancelled;
        model.cancelled.push((hold.lane, NotificationId(id)));
        true
    }

    /// As if another process had taken the row over.
    pub(crate) fn steal(&self, id: i64) {
        self.model.lock().rows.get_mut(&id).unwrap().state = State::Waiting(Timestamp::MAX_UTC);
    }
}

fn maybe_sent(hi: &HashMap<i32, i64>, hold: Hold) -> bool {
    hold.started || hi.get(&hold.lane).is_some_and(|hi| hold.hand <= *hi)
}

#[async_trait]
impl WorkStore for FakeStore {
    async fn begin(&self, _: Duration) -> Result<(), Error> {
        self.up()
    }

    async fn heartbeat(&self) -> Result<bool, Error> {
        self.up()?;
        if self.deaf.load(Ordering::SeqCst) {
            return Err(Error::unavailable("it does not hear"));
        }
        Ok(!self.fenced.load(Ordering::SeqCst))
    }

    async fn end(&self) -> Result<(), Error> {
        self.model.lock().log.push("end");
        Ok(())
    }

    async fn rescue(&self, _: Timestamp) -> Result<Rescued, Error> {
        self.up()?;
        Ok(Rescued::default())
    }

    async fn ids(&self) -> Result<(i64, u32), Error> {
        self.up()?;
        Ok((self.next.fetch_add(1024, Ordering::SeqCst), 1024))
    }

    async fn accept(&self, group: &[AcceptUnit]) -> Vec<Result<Accepted, Error>> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let mut results = Vec::new();
        for unit in group {
            if let Err(error) = self.up() {
                results.push(Err(error));
                continue;
            }
            let mut model = self.model.lock();
            if let Some(key) = &unit.idempotency
                && key.key == "used"
            {
                results.push(Ok(Accepted::Replayed(key.answer.clone())));
                continue;
            }
            let mut blocked = Vec::new();
            for (position, item) in unit.items.iter().enumerate() {
                let mut state = match item.birth {
                    Birth::Delivered => State::Sent,
                    Birth::Leased(hold) => State::Leased(hold),
                    Birth::Ready => State::Ready,
                    Birth::Waiting => State::Waiting(item.notification.scheduled_at.unwrap()),
                };
                if item.notification.ordering_key.as_deref() == Some("blocked") {
                    blocked.push(position);
                    state = State::Waiting(Timestamp::MAX_UTC);
                }
                let row = Row { notification: item.notification.clone(), state, tries: Tries::default() };
                assert!(model.rows.insert(item.notification.id.0, row).is_none(), "an id was used twice");
            }
            model.log.push("accept");
            results.push(Ok(Accepted::Stored { blocked }));
        }
        results
    }

    async fn claim(
        &self,
        channel: Channel,
        priority: Priority,
        limit: u32,
        _: Timestamp,
        assign: Assign<'_>,
    ) -> Result<Vec<Job>, Error> {
        self.up()?;
        tokio::time::sleep(Duration::from_millis(1)).await;
        let mut model = self.model.lock();
        let ready: Vec<Claimable> = model
            .rows
            .values()
            .filter(|row| row.state == State::Ready)
            .map(|row| &row.notification)
            .filter(|row| row.channel == channel && row.priority == priority)
            .take(limit as usize)
            .map(|row| Claimable { id: row.id, tenant: row.tenant_id, channel, priority, test: row.test })
            .collect();
        if ready.is_empty() {
            return Ok(Vec::new());
        }
        // A store may ask twice and use the second answer only.
        assign(&ready);
        let mut jobs = Vec::new();
        for (row, hold) in ready.iter().zip(assign(&ready)) {
            let Some(hold) = hold else { continue };
            let row = model.rows.get_mut(&row.id.0).unwrap();
            row.state = State::Leased(hold);
            let notification = row.notification.clone();
            jobs.push(Job { notification, payload: Payload::default(), hold, tries: row.tries });
        }
        Ok(jobs)
    }

    async fn finish(&self, outcomes: &[Finish], raises: &[Raise]) -> Result<Finished, Error> {
        self.up()?;
        if self.picky.load(Ordering::SeqCst)
            && outcomes.iter().any(|o| o.transitions.iter().any(|step| step.detail.is_some()))
        {
            return Err(Error::internal("a jsonb that is none"));
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        let now = self.clock.now();
        let mut model = self.model.lock();
        let mut finished = Finished::default();
        for outcome in outcomes {
            let row = model.rows.get_mut(&outcome.id.0).unwrap();
            if row.state != State::Leased(outcome.hold) {
                finished.lost.push(outcome.id);
                model.lost += 1;
                continue;
            }
            row.notification.attempts = outcome.attempts;
            row.state = match &outcome.verdict {
                Verdict::Sent { .. } => State::Sent,
                Verdict::Retry { due, tries, .. } => {
                    row.tries = *tries;
                    finished.ready |= *due <= now;
                    if *due <= now { State::Ready } else { State::Waiting(*due) }
                }
                Verdict::Failed { reason, .. } => State::Failed(reason),
                Verdict::Held { .. } => State::Held,
            };
            model.finishes.push(outcome.clone());
        }
        for raise in raises {
            let hi = model.hi.entry(raise.lane).or_default();
            *hi = raise.hi.max(*hi);
            let all = std::mem::take(&mut model.cancelled);
            let (ours, others) = all.into_iter().partition(|(lane, _)| *lane == raise.lane);
            model.cancelled = others;
            finished.cancelled.extend(Vec::<(i32, NotificationId)>::into_iter(ours).map(|(_, id)| id));
        }
        if !outcomes.is_empty() {
            model.log.push("finish");
        }
        Ok(finished)
    }

    async fn release(&self, rows: &[(NotificationId, Hold)]) -> Result<u64, Error> {
        self.up()?;
        let mut model = self.model.lock();
        model.log.push("release");
        let mut count = 0;
        for (id, hold) in rows {
            assert!(!maybe_sent(&model.hi, *hold), "a row was given back that may have been sent");
            let row = model.rows.get_mut(&id.0).unwrap();
            if row.state == State::Leased(*hold) {
                row.state = State::Ready;
                count += 1;
            }
        }
        Ok(count)
    }

    async fn promote(&self, now: Timestamp, limit: u32) -> Result<Promoted, Error> {
        self.up()?;
        let mut model = self.model.lock();
        let mut promoted = Promoted::default();
        let mut next = Timestamp::MAX_UTC;
        for row in model.rows.values_mut() {
            match row.state {
                State::Waiting(due) if due <= now && promoted.rows < u64::from(limit) => {
                    row.state = State::Ready;
                    promoted.rows += 1;
                }
                State::Waiting(due) => next = next.min(due),
                _ => {}
            }
        }
        promoted.next = (next - now).to_std().ok();
        Ok(promoted)
    }

    async fn heal_ordering(&self) -> Result<u64, Error> {
        Ok(0)
    }

    async fn history_turn(&self, _: Timestamp) -> Result<bool, Error> {
        self.up().map(|()| false)
    }

    async fn idempotency_sweep(&self, _: Timestamp) -> Result<u64, Error> {
        Ok(0)
    }

    async fn queue_depth(&self) -> Result<Vec<QueueDepth>, Error> {
        Ok(Vec::new())
    }

    async fn ping(&self) -> Result<(), Error> {
        self.up()
    }
}
