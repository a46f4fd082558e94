//! How many calls one provider account may have in flight: starts at 10 and adapts up to 512 while latency and errors
//! stay flat. A number pins it.
//!
//! It looks at windows of results; those of calls from before the limit last changed, or while it took effect, are let go
//! by. At the end of one, the median latency of the good answers is compared with the account's baseline, the best median
//! so far:
//!
//! | window | limit |
//! |---|---|
//! | more than a tenth failed | × 0.7; not again as high for 100 windows |
//! | flat (≤ 2 × baseline), in full use | × 2 up to where it last went wrong, from there + a tenth |
//! | neither flat nor bad, or at the top | stays; × 0.7 is tried after 100 such windows |
//! | bad (> 3 × baseline), in full use | × 0.5 to 0.8 |
//! | not in full use | stays; the baseline follows the latency |
//!
//! A slow answer has two causes, which look alike: we ask for too much, or the provider has become slower. So a cut for
//! latency is an experiment. If the latency does not follow, it was not us: the cut is undone and what was seen is the new
//! baseline. If it follows in full, as many calls come through as before: the cut stays and the baseline is stricter. A
//! limit that has stayed for long tries the same, or an account met in its best hour would be held down for ever, and one
//! met in its worst would be drowned. A few milliseconds are flat whatever their ratio: on a small machine they are our
//! own scheduling.

use std::time::Duration;

use crate::limit::window::{Seen, Window};

mod window;

/// Where every account starts.
const START: usize = 10;
/// What it may reach.
const MAX: usize = 512;
/// Microseconds over the baseline that are flat in any case.
const FLAT_SLACK: u64 = 10_000;
/// Microseconds over the baseline that are not bad in any case.
const BAD_SLACK: u64 = 20_000;
/// Windows without a change after which a smaller limit is tried.
const PATIENCE: u32 = 100;

/// The in-flight limit of one account.
#[derive(Debug, Clone)]
pub struct Adaptive {
    limit: usize,
    /// `None` when pinned.
    learnt: Option<Learnt>,
}

#[derive(Debug, Clone)]
struct Learnt {
    /// The highest limit.
    max: usize,
    /// The best median, in microseconds.
    baseline: Option<u64>,
    /// Below this the limit doubles.
    doubles_below: usize,
    /// Here errors began; `usize::MAX` when nowhere.
    failed_at: usize,
    /// The last window had too many errors.
    was_failing: bool,
    stays: u32,
    cut: Option<Cut>,
    window: Window,
}

/// What was seen before a cut for latency.
#[derive(Debug, Clone, Copy)]
struct Cut {
    limit: usize,
    median: u64,
    /// Tried from a latency that was not bad: undone whatever comes of it.
    tried: bool,
}

impl Default for Adaptive {
    fn default() -> Self {
        Self::new(START, MAX)
    }
}

impl Adaptive {
    /// A limit that starts at `start` and stays within 1 and `max`.
    pub fn new(start: usize, max: usize) -> Self {
        let max = max.max(1);
        let learnt = Learnt {
            max,
            baseline: None,
            doubles_below: max,
            failed_at: usize::MAX,
            was_failing: false,
            stays: 0,
            cut: None,
            window: Window::default(),
        };
        Self { limit: start.clamp(1, max), learnt: Some(learnt) }
    }

    /// A limit that stays at `limit`, at least 1.
    pub fn pinned(limit: usize) -> Self {
        Self { limit: limit.max(1), learnt: None }
    }

    /// How many calls may be in flight now.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// A call has ended after `latency`. `ok` is false for the provider's own failures and timeouts only: an answer about
    /// the message is a good answer. `in_flight` counts the calls in flight when it ended, this one included. Calls that
    /// were cancelled are not told.
    pub fn on_result(&mut self, latency: Duration, ok: bool, in_flight: usize) {
        let Some(learnt) = &mut self.learnt else { return };
        let Some(seen) = learnt.window.add(latency, ok, in_flight, self.limit) else { return };
        let limit = learnt.judge(&seen, self.limit).clamp(1, learnt.max);
        if limit != self.limit {
            learnt.window.let_go_by(self.limit.max(limit).min(in_flight.saturating_mul(2)));
            self.limit = limit;
        }
    }
}

impl Learnt {
    /// The next limit.
    fn judge(&mut self, seen: &Seen, limit: usize) -> usize {
        let failing = seen.errors_percent > 10;
        let first_failure = failing && !self.was_failing;
        self.was_failing = failing;
        if failing {
            self.cut = None;
            if first_failure {
                self.failed_at = limit;
                self.doubles_below = limit / 2;
                self.stays = 0;
            }
            return limit * 7 / 10;
        }
        let Some(median) = seen.median else { return limit };
        let baseline = self.baseline.map_or(median, |best| best.min(median));
        self.baseline = Some(baseline);
        if !seen.in_full_use {
            self.cut = None;
            self.baseline = Some(baseline + (median - baseline) / 8);
            return limit;
        }
        if let Some(cut) = self.cut.take() {
            return self.conclude(cut, median, limit);
        }
        let flat = (baseline * 2).max(baseline + FLAT_SLACK);
        if median <= flat && limit < self.max && seen.errors_percent <= 2 {
            return self.grown(limit);
        }
        if median > flat {
            self.doubles_below = self.doubles_below.min(limit);
        }
        if median > (baseline * 3).max(baseline + BAD_SLACK) {
            let percent = usize::try_from(flat * 100 / median).unwrap_or(50).clamp(50, 80);
            return self.cut_to(percent, Cut { limit, median, tried: false });
        }
        self.stays += 1;
        if self.stays < PATIENCE { limit } else { self.cut_to(70, Cut { limit, median, tried: true }) }
    }

    fn grown(&mut self, limit: usize) -> usize {
        let more =
            if limit < self.doubles_below { (limit * 2).min(self.doubles_below) } else { limit + (limit / 10).max(1) };
        if more < self.failed_at {
            self.stays = 0;
            return more;
        }
        self.stays += 1;
        if self.stays < PATIENCE {
            return limit.max(self.failed_at - 1);
        }
        self.stays = 0;
        self.failed_at = usize::MAX;
        more
    }

    fn cut_to(&mut self, percent: usize, from: Cut) -> usize {
        self.stays = 0;
        self.cut = Some(from);
        (from.limit * percent / 100).max(1)
    }

    /// What a cut has shown: `kept` is the share of the limit that was left, `share` that of the latency.
    fn conclude(&mut self, cut: Cut, median: u64, limit: usize) -> usize {
        let kept = limit as u64 * 100 / cut.limit.max(1) as u64;
        let share = median.saturating_mul(100) / cut.median;
        if share > 100 - (100 - kept) / 3 {
            // The latency stayed, so it was not ours.
            self.baseline = Some(median);
            return cut.limit;
        }
        if share * 100 <= kept * 108 {
            // As many calls as before came through with fewer in flight: they had only been waiting for one another.
            self.baseline = self.baseline.map(|best| (best * 8 / 10).max(1));
            return limit;
        }
        if cut.tried { cut.limit } else { limit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_pins_it() {
        let mut limit = Adaptive::pinned(40);
        for n in 0..10_000 {
            limit.on_result(Duration::from_millis(n), n % 2 == 0, 40);
        }
        assert_eq!(limit.limit(), 40);
        assert_eq!(Adaptive::pinned(0).limit(), 1);
    }

    #[test]
    fn what_is_not_used_does_not_grow() {
        let mut limit = Adaptive::default();
        for _ in 0..10_000 {
            limit.on_result(Duration::from_millis(50), true, 3);
        }
        assert_eq!(limit.limit(), 10);
    }

    #[test]
    fn odd_values_are_survived() {
        let mut limit = Adaptive::new(0, 0);
        assert_eq!(limit.limit(), 1);
        for latency in [Duration::MAX, Duration::ZERO] {
            for ok in [true, false] {
                (0..5000).for_each(|_| limit.on_result(latency, ok, usize::MAX));
                (0..5000).for_each(|_| limit.on_result(latency, ok, 0));
            }
        }
        assert_eq!(limit.limit(), 1);
    }
}
