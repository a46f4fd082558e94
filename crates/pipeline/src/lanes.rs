//! The dispatcher: which row may be in memory, and which may be sent now. Pure state behind one lock; nothing in here
//! waits, because the store asks it in the middle of a transaction.

mod account;
mod backlog;
mod commit;
mod lane;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use carillon_domain::delivery::Outcome;
use carillon_domain::{Channel, NotificationId, Priority, TenantId};
use carillon_ports::Account;
use carillon_ports::work::Hold;
use carillon_resilience::breaker::{self, Permit};
use carillon_telemetry::{Meters, meters};

use crate::task::Parcel;
use account::{Desk, lane_number};
use backlog::Backlog;
pub(crate) use backlog::Mark;
use lane::Landed;

/// The fewest rows that a claim may bring: an account that nobody has met yet has no slots to go by.
const SMALL_CLAIM: usize = 64;
/// A row that asks for a place in memory.
pub(crate) struct Guest<'a> {
    pub(crate) account: &'a Arc<Account>,
    pub(crate) id: NotificationId,
    pub(crate) tenant: TenantId,
    pub(crate) priority: Priority,
    pub(crate) bytes: usize,
}

/// All that one process holds.
#[derive(Debug)]
pub(crate) struct Lanes {
    desks: Vec<Option<Box<Desk>>>,
    /// Accounts in which rows wait for permission.
    busy: BTreeSet<u16>,
    backlog: Backlog,
    rows: usize,
    bytes: usize,
    held: [usize; 5],
    /// Rows with permission that are not done.
    active: usize,
    /// New rows may be handed over in memory.
    hand_off: bool,
    /// Nothing more is permitted.
    frozen: bool,
    most_rows: usize,
    most_bytes: usize,
    breaker: breaker::Settings,
    meters: Arc<Meters>,
}

impl Lanes {
    pub(crate) fn new(most: (usize, usize), breaker: breaker::Settings, meters: Arc<Meters>) -> Self {
        Self {
            desks: Vec::new(),
            busy: BTreeSet::new(),
            backlog: Backlog::default(),
            rows: 0,
            bytes: 0,
            held: [0; 5],
            active: 0,
            hand_off: true,
            frozen: false,
            most_rows: most.0,
            most_bytes: most.1,
            breaker,
            meters,
        }
    }

    fn desk(&mut self, account: &Arc<Account>) -> &mut Desk {
        let index = usize::from(account.index);
        if self.desks.len() <= index {
            self.desks.resize_with(index + 1, || None);
        }
        let (breaker, meters) = (&self.breaker, &self.meters);
        self.desks[index].get_or_insert_with(|| Box::new(Desk::new(Arc::clone(account), breaker.clone(), meters)))
    }

    fn desk_of(&mut self, lane: i32) -> Option<&mut Desk> {
        self.desks.get_mut(usize::try_from(lane / 4).ok()?)?.as_deref_mut()
    }

    /// A place for a row that has just arrived; `None`: it is spilled to the table.
    pub(crate) fn admit_fresh(&mut self, guest: &Guest<'_>, now: Instant) -> Option<Hold> {
        let channel = guest.account.channel;
        let place = (|| {
            if !self.hand_off || self.backlog.is_known(guest.tenant, channel) {
                return None;
            }
            if self.backlog.has(channel) && self.held[usize_of(channel)] >= self.room_of(channel, now) / 2 {
                return None;
            }
            let desk = self.desk(guest.account);
            if desk.shut_until(now).is_some() {
                return None;
            }
            self.admit(guest, now)
        })();
        if place.is_none() {
            self.backlog.spill(guest.tenant, channel);
        }
        place
    }

    /// A place for a row; `None` if the memory is full.
    pub(crate) fn admit(&mut self, guest: &Guest<'_>, now: Instant) -> Option<Hold> {
        if self.frozen || self.rows >= self.most_rows || self.bytes + guest.bytes > self.most_bytes {
            return None;
        }
        let priority = guest.priority as usize;
        let desk = self.desk(guest.account);
        let doubt = desk.doubt();
        let lane = lane_number(guest.account.index, priority);
        let (hand, started) = if guest.account.internal {
            (desk.lanes[priority].skip(), true)
        } else {
            let started = desk.unpermitted() == 0 && desk.outstanding < desk.window(now);
            (desk.lanes[priority].reserve(guest.id, started), started)
        };
        if started {
            desk.outstanding += 1;
            self.active += 1;
        } else {
            self.busy.insert(guest.account.index);
        }
        self.rows += 1;
        self.bytes += guest.bytes;
        self.held[usize_of(guest.account.channel)] += 1;
        Some(Hold { lane, hand, started, doubt })
    }

    /// The row is on disk, its message is ready. Returns it if it may be sent now.
    pub(crate) fn land(&mut self, task: Parcel) -> Option<Parcel> {
        if task.ticket.account.internal {
            return Some(task);
        }
        let (account, priority) = (task.ticket.account.index, priority_of(task.ticket.hold.lane));
        let desk = self.desk(&task.ticket.account);
        match desk.lanes[priority].land(task) {
            Landed::Go(task) => Some(task),
            Landed::Waits => {
                self.busy.insert(account);
                None
            }
            Landed::Dropped(task) => {
                self.give_back(task.ticket.account.channel, task.ticket.bytes);
                None
            }
        }
    }

    /// The row leaves by an outcome without having landed. Whether it had a slot; `None` if it was cancelled.
    pub(crate) fn leave(&mut self, hold: Hold, bytes: usize) -> Option<bool> {
        let desk = self.desk_of(hold.lane)?;
        if desk.account.internal {
            return Some(true);
        }
        let channel = desk.account.channel;
        let removed = desk.lanes[priority_of(hold.lane)].remove(hold.hand);
        if removed.is_none() {
            self.give_back(channel, bytes);
        }
        removed.map(|removed| removed.permitted)
    }

    /// The row is not ours after all: it was not written, or it was cancelled, or it went back.
    pub(crate) fn void(&mut self, hold: Hold, bytes: usize) {
        let Some(desk) = self.desk_of(hold.lane) else { return };
        let channel = desk.account.channel;
        let permitted = if desk.account.internal {
            true
        } else {
            let Some(removed) = desk.lanes[priority_of(hold.lane)].remove(hold.hand) else { return };
            removed.permitted
        };
        desk.outstanding -= usize::from(permitted);
        self.active -= usize::from(permitted);
        self.give_back(channel, bytes);
    }

    fn give_back(&mut self, channel: Channel, bytes: usize) {
        self.rows = self.rows.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
        let held = &mut self.held[usize_of(channel)];
        *held = held.saturating_sub(1);
    }

    /// May this call be made now? The time before which not, otherwise.
    pub(crate) fn begin(&mut self, lane: i32, now: Instant) -> Result<Permit, Instant> {
        self.desk_of(lane).map_or(Err(now), |desk| desk.begin(now))
    }

    /// That call has ended.
    pub(crate) fn end(&mut self, lane: i32, permit: Permit, outcome: &Outcome, took: Duration, now: Instant) {
        if let Some(desk) = self.desk_of(lane) {
            desk.end(permit, outcome, took, now);
        }
    }

    /// Until when nothing of that lane is sent.
    pub(crate) fn shut_until(&mut self, lane: i32, now: Instant) -> Option<Instant> {
        self.desk_of(lane)?.shut_until(now)
    }

    /// The numbers of that lane's account.
    pub(crate) fn meters_of(&mut self, lane: i32) -> Option<Arc<meters::Account>> {
        self.desk_of(lane).map(|desk| Arc::clone(&desk.meters))
    }

    /// A row weighs `now` bytes, not `before`.
    pub(crate) fn reweigh(&mut self, before: usize, now: usize) {
        self.bytes = self.bytes.saturating_sub(before) + now;
    }

    /// How many rows of `channel` a claim may bring now.
    pub(crate) fn room(&self, channel: Channel, now: Instant) -> usize {
        if self.frozen || self.bytes >= self.most_bytes {
            return 0;
        }
        let own = self.room_of(channel, now).saturating_sub(self.held[usize_of(channel)]);
        own.min(self.most_rows.saturating_sub(self.rows))
    }

    /// Slots × 2, at least a few: a channel holds no more from the table, whatever its providers do.
    fn room_of(&self, channel: Channel, now: Instant) -> usize {
        let desks = self.desks.iter().flatten().filter(|desk| desk.account.channel == channel);
        desks.map(|desk| desk.window(now) * 2).sum::<usize>().max(SMALL_CLAIM).min(self.most_rows)
    }

    /// A spilled row is on disk.
    pub(crate) fn spilled(&mut self, tenant: TenantId, channel: Channel) {
        self.backlog.spill(tenant, channel);
    }

    /// Whether rows of `channel` are known to lie in the table.
    pub(crate) fn has_backlog(&self, channel: Channel) -> bool {
        self.backlog.has(channel)
    }

    /// Now, for [`Lanes::exhausted`].
    pub(crate) fn mark(&self) -> Mark {
        self.backlog.mark()
    }

    /// Claims begun after `mark` have found all there is of `channel`.
    pub(crate) fn exhausted(&mut self, channel: Channel, mark: Mark) {
        self.backlog.clear(channel, mark);
    }

    /// Rows with permission that are not done.
    pub(crate) fn active(&self) -> usize {
        self.active
    }

    /// Rows and bytes in memory.
    pub(crate) fn load(&self) -> (usize, usize) {
        (self.rows, self.bytes)
    }
}

fn usize_of(channel: Channel) -> usize {
    channel as usize
}

fn priority_of(lane: i32) -> usize {
    usize::try_from(lane % 4).unwrap_or(0)
}
