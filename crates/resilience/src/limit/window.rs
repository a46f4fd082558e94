//! The results that one judgement of the limit rests on.

use std::time::Duration;

/// Good answers whose latency is kept; more are thinned out evenly.
const KEPT: usize = 64;
/// Results that a window has at least.
const LEAST: usize = 16;
/// Microseconds that a window of a fast provider spans at least, so that one hiccup is not a trend.
const SPAN: u64 = 5_000;
/// Results after which a window ends whatever its span: a provider in process may answer in no time at all.
const MOST: usize = 4096;

/// What was seen in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    /// In microseconds, at least 1; `None` without good answers enough.
    pub(super) median: Option<u64>,
    /// Failures of a hundred results.
    pub(super) errors_percent: usize,
    /// At some time four fifths of the limit were in flight.
    pub(super) in_full_use: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Window {
    /// Results still to come that belong to the time before the last change.
    old: usize,
    results: usize,
    errors: usize,
    /// Most calls in flight.
    peak: usize,
    /// Time passed, by Little's law: the sum of latency / calls in flight, in nanoseconds.
    span: u64,
    /// Every `stride`th good answer's latency in microseconds, at most [`KEPT`].
    kept: Vec<u32>,
    stride: usize,
}

impl Default for Window {
    fn default() -> Self {
        Self { old: 0, results: 0, errors: 0, peak: 0, span: 0, kept: Vec::new(), stride: 1 }
    }
}

impl Window {
    /// The limit has changed: the next `results` are of calls from before, or from while the change took effect.
    pub(super) fn let_go_by(&mut self, results: usize) {
        self.old = results.min(MOST);
    }

    /// Adds a result; `Some` when it completes the window, which then begins anew.
    pub(super) fn add(&mut self, latency: Duration, ok: bool, in_flight: usize, limit: usize) -> Option<Seen> {
        if self.old > 0 {
            self.old -= 1;
            return None;
        }
        if ok {
            self.keep(latency);
        } else {
            self.errors += 1;
        }
        self.results += 1;
        self.peak = self.peak.max(in_flight);
        let nanos = latency.as_nanos() / (in_flight.max(1) as u128);
        self.span = self.span.saturating_add(u64::try_from(nanos).unwrap_or(u64::MAX));
        let enough = self.results >= limit.max(LEAST) && self.span / 1000 >= SPAN;
        (enough || self.results >= MOST).then(|| self.finish(limit))
    }

    fn keep(&mut self, latency: Duration) {
        let good = self.results - self.errors;
        if !good.is_multiple_of(self.stride) {
            return;
        }
        if self.kept.len() == KEPT {
            // Every second one goes, and from now on only every second one comes.
            let mut nth = 0_usize;
            self.kept.retain(|_| {
                nth += 1;
                nth % 2 == 1
            });
            self.stride *= 2;
            if !good.is_multiple_of(self.stride) {
                return;
            }
        }
        self.kept.push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX).max(1));
    }

    fn finish(&mut self, limit: usize) -> Seen {
        let middle = self.kept.len() / 2;
        let median = (self.kept.len() >= LEAST / 2).then(|| u64::from(*self.kept.select_nth_unstable(middle).1));
        let seen = Seen {
            median,
            errors_percent: self.errors * 100 / self.results.max(1),
            in_full_use: self.peak.saturating_mul(5) >= limit.saturating_mul(4),
        };
        self.kept.clear();
        *self = Self { kept: std::mem::take(&mut self.kept), ..Self::default() };
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_of_the_whole_window() {
        let mut window = Window::default();
        // 1000 results of 5 µs each at one in flight span 5 ms: the first half fast, the second slow.
        let seen = (0..10_000)
            .find_map(|n| window.add(Duration::from_micros(if n < 500 { 4 } else { 6 }), true, 1, 10))
            .unwrap();
        let median = seen.median.unwrap();
        assert!((4..=6).contains(&median), "{median}");
        assert!(window.kept.is_empty());
    }

    #[test]
    fn errors_have_no_latency() {
        let mut window = Window::default();
        let seen = (0..100).find_map(|n| window.add(Duration::from_millis(n + 1), n % 2 == 0, 10, 10)).unwrap();
        assert_eq!(seen.errors_percent, 50);
        assert_eq!(seen.median.map(|median| median % 2_000), Some(1_000), "of the good answers only");
    }

    #[test]
    fn calls_from_before_a_change_do_not_count() {
        let mut window = Window::default();
        window.let_go_by(100);
        let fed = (0..10_000).find(|_| window.add(Duration::from_millis(50), true, 10, 10).is_some());
        assert_eq!(fed, Some(100 + LEAST - 1));
    }
}
