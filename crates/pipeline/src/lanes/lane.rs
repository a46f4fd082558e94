//! One dispatch lane: rows of one account and priority, numbered by hand.

use std::collections::VecDeque;

use carillon_domain::NotificationId;

use crate::task::Parcel;

/// A lane. Hands are given out before the row is written, and rows land in any order.
#[derive(Debug)]
pub(crate) struct Lane {
    /// The hand of the first entry.
    base: i64,
    entries: VecDeque<Entry>,
    /// Up to here sending is permitted on disk.
    hi: i64,
    /// Up to here it is being permitted by the commit under way.
    proposed: i64,
    /// Entries that are neither started nor at or below `proposed`.
    unpermitted: usize,
    /// The lane's turn in the weighted round.
    pub(crate) turn: i64,
}

#[derive(Debug)]
enum Entry {
    /// Being written, or rendered.
    Coming { id: NotificationId, started: bool },
    /// Committed; not permitted.
    Waiting(Parcel),
    /// On its way, or not ours any more.
    Gone,
}

/// What to do with a row that has landed.
#[derive(Debug)]
pub(crate) enum Landed {
    /// Send it now.
    Go(Parcel),
    /// The lane keeps it.
    Waits,
    /// It was cancelled meanwhile.
    Dropped(Parcel),
}

/// An entry that was taken out.
#[derive(Debug)]
pub(crate) struct Removed {
    /// It had a slot.
    pub(crate) permitted: bool,
    /// It had landed.
    pub(crate) task: Option<Parcel>,
}

impl Default for Lane {
    fn default() -> Self {
        Self { base: 1, entries: VecDeque::new(), hi: 0, proposed: 0, unpermitted: 0, turn: 0 }
    }
}

impl Lane {
    /// The next hand.
    pub(crate) fn reserve(&mut self, id: NotificationId, started: bool) -> i64 {
        self.entries.push_back(Entry::Coming { id, started });
        self.unpermitted += usize::from(!started);
        self.next_hand() - 1
    }

    /// A number only, for rows that need no permission.
    pub(crate) fn skip(&mut self) -> i64 {
        debug_assert!(self.entries.is_empty());
        self.base += 1;
        self.base - 1
    }

    fn next_hand(&self) -> i64 {
        self.base + i64::try_from(self.entries.len()).unwrap_or(i64::MAX)
    }

    fn index(&self, hand: i64) -> Option<usize> {
        usize::try_from(hand - self.base).ok().filter(|index| *index < self.entries.len())
    }

    /// Entries that wait for permission, written or not.
    pub(crate) fn unpermitted(&self) -> usize {
        self.unpermitted
    }

    pub(crate) fn land(&mut self, task: Parcel) -> Landed {
        let hand = task.ticket.hold.hand;
        let Some(index) = self.index(hand) else { return Landed::Dropped(task) };
        match self.entries[index] {
            Entry::Coming { started, .. } if started || hand <= self.hi => {
                self.entries[index] = Entry::Gone;
                self.trim();
                Landed::Go(task)
            }
            Entry::Coming { .. } => {
                self.entries[index] = Entry::Waiting(task);
                Landed::Waits
            }
            Entry::Waiting(_) | Entry::Gone => Landed::Dropped(task),
        }
    }

    /// Takes `hand` out, unless it is on its way.
    pub(crate) fn remove(&mut self, hand: i64) -> Option<Removed> {
        let index = self.index(hand)?;
        let (started, task) = match std::mem::replace(&mut self.entries[index], Entry::Gone) {
            Entry::Coming { started, .. } => (started, None),
            Entry::Waiting(task) => (false, Some(task)),
            Entry::Gone => return None,
        };
        let permitted = started || hand <= self.proposed;
        self.unpermitted -= usize::from(!permitted);
        self.trim();
        Some(Removed { permitted, task })
    }

    /// The hand of `id`, unless it is on its way.
    pub(crate) fn hand_of(&self, wanted: NotificationId) -> Option<i64> {
        let index = self.entries.iter().position(|entry| match entry {
            Entry::Coming { id, .. } => *id == wanted,
            Entry::Waiting(task) => task.ticket.id == wanted,
            Entry::Gone => false,
        })?;
        Some(self.base + i64::try_from(index).unwrap_or(i64::MAX))
    }

    /// Permits one more with the next commit. Returns the `hi` that says so.
    pub(crate) fn propose(&mut self) -> Option<i64> {
        if self.unpermitted == 0 {
            return None;
        }
        let mut hand = (self.proposed + 1).max(self.base);
        while let Some(index) = self.index(hand) {
            if matches!(self.entries[index], Entry::Coming { started: false, .. } | Entry::Waiting(_)) {
                self.proposed = hand;
                self.unpermitted -= 1;
                return Some(hand);
            }
            hand += 1;
        }
        None
    }

    /// The commit that permits up to `hi` is on disk: those that have landed go.
    pub(crate) fn raise(&mut self, hi: i64, go: &mut Vec<Parcel>) {
        let mut hand = (self.hi + 1).max(self.base);
        self.hi = self.hi.max(hi);
        while hand <= hi
            && let Some(index) = self.index(hand)
        {
            if matches!(self.entries[index], Entry::Waiting(_))
                && let Entry::Waiting(task) = std::mem::replace(&mut self.entries[index], Entry::Gone)
            {
                go.push(task);
            }
            hand += 1;
        }
        self.trim();
    }

    /// Takes up to `limit` rows out that have landed and are not permitted.
    pub(crate) fn take_waiting(&mut self, limit: usize, taken: &mut Vec<Parcel>) {
        let mut hand = (self.proposed + 1).max(self.base);
        let end = taken.len() + limit;
        while taken.len() < end
            && let Some(index) = self.index(hand)
        {
            if matches!(self.entries[index], Entry::Waiting(_))
                && let Entry::Waiting(task) = std::mem::replace(&mut self.entries[index], Entry::Gone)
            {
                self.unpermitted -= 1;
                taken.push(task);
            }
            hand += 1;
        }
        self.trim();
    }

    fn trim(&mut self) {
        while matches!(self.entries.front(), Some(Entry::Gone)) {
            self.entries.pop_front();
            self.base += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(hands: i64) -> Lane {
        let mut lane = Lane::default();
        for id in 1..=hands {
            assert_eq!(lane.reserve(NotificationId(id), false), id);
        }
        lane
    }

    #[test]
    fn permission_goes_by_hand_and_passes_over_what_is_gone() {
        let mut lane = lane(4);
        assert!(lane.remove(2).is_some_and(|removed| !removed.permitted));
        assert_eq!([lane.propose(), lane.propose(), lane.propose(), lane.propose()], [Some(1), Some(3), Some(4), None]);
        assert_eq!(lane.unpermitted(), 0);
        assert!(lane.remove(3).is_some_and(|removed| removed.permitted));
        assert!(lane.remove(3).is_none());
    }

    #[test]
    fn what_began_with_a_slot_needs_no_permission() {
        let mut lane = Lane::default();
        assert_eq!((lane.reserve(NotificationId(7), true), lane.unpermitted()), (1, 0));
        assert_eq!(lane.propose(), None);
        assert_eq!(lane.hand_of(NotificationId(7)), Some(1));
        assert!(lane.remove(1).is_some_and(|removed| removed.permitted));
        assert_eq!(lane.reserve(NotificationId(8), false), 2, "a hand is never given twice");
    }
}
