//! Whether this process may still send: judged by its own clocks, without asking anybody.

use std::time::Duration;

use carillon_domain::Timestamp;
use parking_lot::Mutex;
use tokio::time::Instant;

/// The lease as this process sees it: it ends earlier here than in the store.
#[derive(Debug)]
pub(crate) struct Lease {
    valid: Duration,
    renewed: Mutex<Mark>,
    /// When a renewal last failed, or came too late.
    trouble: Mutex<Option<Instant>>,
}

/// When a renewal was *asked for*: the store counts from a later moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    monotonic: Instant,
    wall: Timestamp,
}

impl Mark {
    pub(crate) fn at(wall: Timestamp) -> Self {
        Self { monotonic: Instant::now(), wall }
    }
}

impl Lease {
    /// A lease of `length`, begun at `mark`.
    pub(crate) fn new(length: Duration, mark: Mark) -> Self {
        Self { valid: length.saturating_sub(length / 6), renewed: Mutex::new(mark), trouble: Mutex::new(None) }
    }

    pub(crate) fn renew(&self, mark: Mark) {
        if !self.holds(mark.wall) {
            self.trouble();
        }
        *self.renewed.lock() = mark;
    }

    /// A renewal failed.
    pub(crate) fn trouble(&self) {
        *self.trouble.lock() = Some(Instant::now());
    }

    /// Whether it holds at `wall` and its renewals have gone well for `long`. If not, others may have had the same
    /// trouble: that their leases are over does not mean that they are dead.
    pub(crate) fn is_calm(&self, wall: Timestamp, long: Duration) -> bool {
        self.holds(wall) && self.trouble.lock().is_none_or(|at| at.elapsed() >= long)
    }

    /// Whether it surely holds at `wall`. The monotonic clock stands still while the machine is suspended, the wall clock
    /// may be set back: either one may end the lease.
    pub(crate) fn holds(&self, wall: Timestamp) -> bool {
        let mark = *self.renewed.lock();
        let passed = (wall - mark.wall).to_std().unwrap_or(Duration::ZERO);
        mark.monotonic.elapsed().max(passed) < self.valid
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    fn wall() -> Timestamp {
        "2026-11-23T10:00:00Z".parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_early_and_can_be_renewed() {
        let lease = Lease::new(Duration::from_mins(1), Mark::at(wall()));
        tokio::time::advance(Duration::from_secs(49)).await;
        assert!(lease.holds(wall()));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!lease.holds(wall()));
        lease.renew(Mark::at(wall()));
        assert!(lease.holds(wall()));
    }

    #[tokio::test(start_paused = true)]
    async fn after_trouble_it_must_go_well_for_a_while_before_others_are_judged() {
        const WHILE: Duration = Duration::from_secs(15);
        let lease = Lease::new(Duration::from_mins(1), Mark::at(wall()));
        assert!(lease.is_calm(wall(), WHILE));
        lease.trouble();
        assert!(!lease.is_calm(wall(), WHILE));
        tokio::time::advance(WHILE).await;
        assert!(lease.is_calm(wall(), WHILE));
        tokio::time::advance(Duration::from_mins(2)).await;
        assert!(!lease.is_calm(wall(), WHILE), "it does not hold");
        lease.renew(Mark::at(wall()));
        assert!(!lease.is_calm(wall(), WHILE), "it was late");
        tokio::time::advance(WHILE).await;
        assert!(lease.is_calm(wall(), WHILE));
    }

    #[tokio::test(start_paused = true)]
    async fn a_suspended_machine_has_lost_it() {
        let lease = Lease::new(Duration::from_mins(1), Mark::at(wall()));
        assert!(!lease.holds(wall() + TimeDelta::seconds(50)));
        assert!(lease.holds(wall() - TimeDelta::hours(1)));
    }
}
