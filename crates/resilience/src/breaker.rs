//! The circuit breaker of one provider account: after failures in a row it is left alone for a while, then asked
//! carefully. One for each account, not for a whole service; answers about a message do not count; at half-open few are
//! let through.
//!
//! ```text
//!           5 failures in a row                60 s
//!  Closed ──────────────────────▶ Open ─────────────────▶ HalfOpen (at most 2 calls at a time)
//!     ▲                            ▲                        │    │
//!     │                            └────── 1 failure ───────┘    │
//!     └──────────────────────────────── 2 successes ─────────────┘
//! ```
//!
//! Only failures that are the provider's fault count ([`Fault::Provider`] and unknown outcomes); an answer about the
//! message is [`Breaker::on_ignored`], and so is a call that was never made. An open circuit holds messages or passes
//! them to another account; it never fails them.
//!
//! [`Fault::Provider`]: carillon_domain::delivery::Fault::Provider

use std::time::{Duration, Instant};

/// While all probes are out, it is worth asking again this soon.
const GLANCE: Duration = Duration::from_secs(1);

/// When it opens and closes. A zero counts as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Failures in a row that open it.
    pub failures: u32,
    /// Successes in half-open that close it.
    pub successes: u32,
    /// How long it stays open.
    pub open_for: Duration,
    /// Calls in flight at most while half-open.
    pub probes: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { failures: 5, successes: 2, open_for: Duration::from_mins(1), probes: 2 }
    }
}

/// What it is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Calls pass.
    Closed,
    /// No call passes before then; the first one after it is a probe.
    Open {
        /// When it may be asked again.
        until: Instant,
    },
    /// A few calls pass, to see.
    HalfOpen,
}

impl State {
    /// The word for metrics and health pages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open { .. } => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// May this call be made?
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a permit that is not given back holds a probe's place"]
pub enum Admission {
    /// Yes.
    Go(Permit),
    /// Yes, and what becomes of it decides.
    Probe(Permit),
    /// No; it is not worth asking again before then.
    Refused {
        /// When to ask again.
        until: Instant,
    },
}

/// One call's right to be made. It goes back to the breaker exactly once: as success, failure or ignored. It cannot be
/// copied, and one that comes back after the state has changed has no say any more.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "give it back with the call's result"]
pub struct Permit {
    era: u64,
}

/// The breaker of one account.
#[derive(Debug, Clone)]
pub struct Breaker {
    settings: Settings,
    phase: Phase,
    /// Counts the changes of state: a call is judged only by the era that admitted it.
    era: u64,
}

#[derive(Debug, Clone)]
enum Phase {
    Closed { failures: u32 },
    Open { until: Instant },
    HalfOpen { out: u32, successes: u32, last_probe: Instant },
}

impl Default for Breaker {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

impl Breaker {
    /// A closed breaker.
    pub fn new(settings: Settings) -> Self {
        Self { settings, phase: Phase::Closed { failures: 0 }, era: 0 }
    }

    /// May a call be made at `now`?
    ///
    /// Probes whose result never came (`open_for` after the last was let out, far longer than a call may take) are given
    /// up: a lost permit cannot keep an account half-open for ever.
    pub fn admit(&mut self, now: Instant) -> Admission {
        match &mut self.phase {
            Phase::Closed { .. } => return Admission::Go(Permit { era: self.era }),
            Phase::Open { until } if now < *until => return Admission::Refused { until: *until },
            Phase::Open { .. } => self.enter(Phase::HalfOpen { out: 1, successes: 0, last_probe: now }),
            Phase::HalfOpen { out, last_probe, .. } if *out < self.settings.probes.max(1) => {
                *out += 1;
                *last_probe = now;
            }
            Phase::HalfOpen { last_probe, .. } => {
                let given_up = *last_probe + self.settings.open_for;
                if now < given_up {
                    return Admission::Refused { until: given_up.min(now + GLANCE) };
                }
                self.enter(Phase::HalfOpen { out: 1, successes: 0, last_probe: now });
            }
        }
        Admission::Probe(Permit { era: self.era })
    }

    /// The provider answered as it should.
    pub fn on_success(&mut self, permit: Permit) {
        if !self.is_current(permit) {
            return;
        }
        match &mut self.phase {
            Phase::Closed { failures } => *failures = 0,
            Phase::HalfOpen { out, successes, .. } => {
                *out = out.saturating_sub(1);
                *successes += 1;
                if *successes >= self.settings.successes {
                    self.enter(Phase::Closed { failures: 0 });
                }
            }
            Phase::Open { .. } => {}
        }
    }

    /// The provider failed, or did not answer in time.
    pub fn on_failure(&mut self, permit: Permit, now: Instant) {
        if !self.is_current(permit) {
            return;
        }
        let opens = match &mut self.phase {
            Phase::Closed { failures } => {
                *failures += 1;
                *failures >= self.settings.failures
            }
            Phase::HalfOpen { .. } => true,
            Phase::Open { .. } => false,
        };
        if opens {
            self.enter(Phase::Open { until: now + self.settings.open_for });
        }
    }

    /// The call says nothing about the provider: an answer about the message, or cancelled before it was made.
    pub fn on_ignored(&mut self, permit: Permit) {
        if !self.is_current(permit) {
            return;
        }
        if let Phase::HalfOpen { out, .. } = &mut self.phase {
            *out = out.saturating_sub(1);
        }
    }

    /// What it is doing.
    pub fn state(&self) -> State {
        match self.phase {
            Phase::Closed { .. } => State::Closed,
            Phase::Open { until } => State::Open { until },
            Phase::HalfOpen { .. } => State::HalfOpen,
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "a permit is used up by its result")]
    fn is_current(&self, permit: Permit) -> bool {
        permit.era == self.era
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.era += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn go(breaker: &mut Breaker, now: Instant) -> Permit {
        match breaker.admit(now) {
            Admission::Go(permit) => permit,
            other => panic!("{other:?}"),
        }
    }

    fn probe(breaker: &mut Breaker, now: Instant) -> Permit {
        match breaker.admit(now) {
            Admission::Probe(permit) => permit,
            other => panic!("{other:?}"),
        }
    }

    fn is_refused(breaker: &mut Breaker, now: Instant) -> bool {
        matches!(breaker.admit(now), Admission::Refused { .. })
    }

    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..5 {
            let permit = go(&mut breaker, now);
            breaker.on_failure(permit, now);
        }
        breaker
    }

    #[test]
    fn five_failures_in_a_row_open_it_for_a_minute() {
        let now = Instant::now();
        let mut breaker = opened(now);
        assert_eq!(breaker.state(), State::Open { until: now + MINUTE });
        assert_eq!(breaker.admit(now + MINUTE / 2), Admission::Refused { until: now + MINUTE });
        assert!(matches!(breaker.admit(now + MINUTE), Admission::Probe(_)));
    }

    #[test]
    fn a_success_between_starts_the_count_anew_and_an_answer_about_the_message_does_not() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..4 {
            let permit = go(&mut breaker, now);
            breaker.on_failure(permit, now);
        }
        let permit = go(&mut breaker, now);
        breaker.on_success(permit);
        for _ in 0..4 {
            let (failed, about_message) = (go(&mut breaker, now), go(&mut breaker, now));
            breaker.on_failure(failed, now);
            breaker.on_ignored(about_message);
        }
        assert_eq!(breaker.state(), State::Closed);
        let permit = go(&mut breaker, now);
        breaker.on_failure(permit, now);
        assert_eq!(breaker.state(), State::Open { until: now + MINUTE });
    }

    #[test]
    fn two_probes_at_a_time_and_two_successes_close_it() {
        let now = Instant::now();
        let mut breaker = opened(now);
        let later = now + MINUTE;
        let (first, second) = (probe(&mut breaker, later), probe(&mut breaker, later));
        assert_eq!(breaker.admit(later), Admission::Refused { until: later + GLANCE });
        breaker.on_success(first);
        assert_eq!(breaker.state(), State::HalfOpen);
        breaker.on_success(second);
        assert_eq!(breaker.state(), State::Closed);
    }

    #[test]
    fn a_failing_probe_opens_it_again_and_the_other_one_has_no_say() {
        let now = Instant::now();
        let mut breaker = opened(now);
        let later = now + MINUTE;
        let (first, second) = (probe(&mut breaker, later), probe(&mut breaker, later));
        breaker.on_failure(first, later);
        breaker.on_success(second);
        assert_eq!(breaker.state(), State::Open { until: later + MINUTE });
    }

    #[test]
    fn the_crowd_that_was_in_flight_when_it_opened_changes_nothing() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        let crowd: Vec<_> = (0..500).map(|_| go(&mut breaker, now)).collect();
        let mut late = crowd.into_iter();
        for permit in late.by_ref().take(100) {
            breaker.on_failure(permit, now);
        }
        assert_eq!(breaker.state(), State::Open { until: now + MINUTE }, "the later failures do not prolong it");
        let probe = probe(&mut breaker, now + MINUTE);
        for permit in late.by_ref().take(100) {
            breaker.on_success(permit);
        }
        late.for_each(|permit| breaker.on_failure(permit, now + MINUTE));
        assert_eq!(breaker.state(), State::HalfOpen);
        breaker.on_success(probe);
        assert_eq!(breaker.state(), State::HalfOpen);
    }

    #[test]
    fn a_cancelled_probe_gives_its_place_back() {
        let now = Instant::now();
        let mut breaker = opened(now);
        let later = now + MINUTE;
        for _ in 0..100 {
            let permit = probe(&mut breaker, later);
            breaker.on_ignored(permit);
        }
        assert_eq!(breaker.state(), State::HalfOpen);
    }

    #[test]
    fn lost_probes_are_given_up() {
        let now = Instant::now();
        let mut breaker = opened(now);
        let later = now + MINUTE;
        let _lost = (probe(&mut breaker, later), probe(&mut breaker, later));
        assert!(is_refused(&mut breaker, later + MINUTE / 2));
        let permit = probe(&mut breaker, later + MINUTE);
        breaker.on_success(permit);
        let permit = probe(&mut breaker, later + MINUTE);
        breaker.on_success(permit);
        assert_eq!(breaker.state(), State::Closed);
    }
}
