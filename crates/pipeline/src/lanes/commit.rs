//! The dispatcher's part in a commit of outcomes: what it is to permit, and what it has permitted.

use std::collections::HashMap;
use std::time::Instant;

use carillon_domain::NotificationId;
use carillon_ports::work::Raise;

use super::{Lanes, priority_of};
use crate::task::{Leaver, Parcel};

/// Rows handed back by one commit.
const HAND_BACK: usize = 512;

/// What the next commit is to permit, and whose account is shut.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) raises: Vec<Raise>,
    /// To be handed back to the table, not before then.
    pub(crate) returned: Vec<(Parcel, Instant)>,
}

impl Lanes {
    /// What the commit that writes `done` may permit.
    pub(crate) fn propose(&mut self, done: &[Leaver], now: Instant) -> Plan {
        let mut plan = Plan::default();
        if self.frozen {
            return plan;
        }
        let mut freed = HashMap::<u16, usize>::new();
        for done in done.iter().filter(|done| done.permitted) {
            *freed.entry(done.ticket.account.index).or_default() += 1;
        }
        let mut idle = Vec::new();
        for index in &self.busy {
            let Some(desk) = self.desks.get_mut(usize::from(*index)).and_then(Option::as_deref_mut) else { continue };
            if let Some(until) = desk.shut_until(now) {
                let mut taken = Vec::new();
                for lane in &mut desk.lanes {
                    lane.take_waiting(HAND_BACK.saturating_sub(plan.returned.len() + taken.len()), &mut taken);
                }
                plan.returned.extend(taken.into_iter().map(|task| (task, until)));
            } else {
                let before = desk.outstanding;
                desk.propose(freed.get(index).copied().unwrap_or(0), now, &mut plan.raises);
                self.active += desk.outstanding - before;
            }
            if desk.unpermitted() == 0 {
                idle.push(*index);
            }
        }
        for index in idle {
            self.busy.remove(&index);
        }
        plan
    }

    /// Whether a commit of its own is worth it: slots are free and rows wait for them, or must leave.
    pub(crate) fn wants_commit(&self, now: Instant) -> bool {
        !self.frozen
            && self.busy.iter().any(|index| {
                self.desks.get(usize::from(*index)).and_then(Option::as_deref).is_some_and(|desk| {
                    desk.unpermitted() > 0 && (desk.outstanding < desk.window(now) || desk.shut_until(now).is_some())
                })
            })
    }

    /// `done` and `raises` are on disk. Returns what may be sent now.
    pub(crate) fn committed(&mut self, done: &[Leaver], raises: &[Raise], cancelled: &[NotificationId]) -> Vec<Parcel> {
        for done in done {
            let (hold, permitted) = (done.ticket.hold, done.permitted);
            if let Some(desk) = self.desk_of(hold.lane) {
                desk.outstanding -= usize::from(permitted);
            }
            self.active -= usize::from(permitted);
            self.give_back(done.ticket.account.channel, done.ticket.bytes);
        }
        if !cancelled.is_empty() {
            self.drop_cancelled(raises, cancelled);
        }
        let mut go = Vec::new();
        for raise in raises {
            if let Some(desk) = self.desk_of(raise.lane) {
                desk.lanes[priority_of(raise.lane)].raise(raise.hi, &mut go);
            }
        }
        go
    }

    fn drop_cancelled(&mut self, raises: &[Raise], cancelled: &[NotificationId]) {
        for id in cancelled {
            for raise in raises {
                let Some(desk) = self.desk_of(raise.lane) else { continue };
                let (channel, lane) = (desk.account.channel, &mut desk.lanes[priority_of(raise.lane)]);
                let Some(removed) = lane.hand_of(*id).and_then(|hand| lane.remove(hand)) else { continue };
                desk.outstanding -= usize::from(removed.permitted);
                self.active -= usize::from(removed.permitted);
                // One that has not landed yet gives its credits back when it does.
                if let Some(task) = removed.task {
                    self.give_back(channel, task.ticket.bytes);
                }
                break;
            }
        }
    }

    /// New rows are left to the table from now on.
    pub(crate) fn stop_hand_off(&mut self) {
        self.hand_off = false;
    }

    /// Permits nothing from now on, and gives up what is not permitted.
    pub(crate) fn freeze(&mut self) -> Vec<Parcel> {
        self.frozen = true;
        let mut taken = Vec::new();
        for lane in self.desks.iter_mut().flatten().flat_map(|desk| &mut desk.lanes) {
            lane.take_waiting(usize::MAX / 2, &mut taken);
        }
        for task in &taken {
            self.give_back(task.ticket.account.channel, task.ticket.bytes);
        }
        taken
    }
}
