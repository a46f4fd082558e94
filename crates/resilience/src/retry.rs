//! When a message that did not get through is tried again, and when no more.
//!
//! Two budgets: an answer about *this message* costs one of its retries; trouble of the
//! provider, the account or the way there costs none, but ends after a day. Neither goes past the message's own end.

use std::time::Duration;

use carillon_domain::Timestamp;
use carillon_domain::delivery::Fault;
use chrono::TimeDelta;

use crate::retry_after;

/// A provider that is in trouble is never asked again sooner than this, whatever chance says.
const BREATH: Duration = Duration::from_millis(100);

/// How patient we are. Defaults: three retries, from 1 s doubling to 30 s, with jitter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The widest wait after the first failure.
    pub first: Duration,
    /// What it grows by with each further failure.
    pub factor: u32,
    /// The widest wait of all, unless the provider asks for more.
    pub cap: Duration,
    /// Retries after failures that are about the message: 3 means at most 4 attempts, 0 means one.
    pub message_retries: u32,
    /// How long trouble that is not the message's fault may last.
    pub provider_patience: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            factor: 2,
            cap: Duration::from_secs(30),
            message_retries: 3,
            provider_patience: Duration::from_hours(24),
        }
    }
}

/// An attempt that failed, and what led to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attempt {
    /// The time now, when the attempt has ended.
    pub now: Timestamp,
    /// Who was at fault this time.
    pub fault: Fault,
    /// Failures of this run that were about the message, this one included.
    pub message_failures: u32,
    /// Failures in a row that were not, this one included. Only the width of the wait depends on it.
    pub provider_failures: u32,
    /// When that row began; `None` when it began with this failure.
    pub trouble_since: Option<Timestamp>,
    /// The message's own end.
    pub expires_at: Option<Timestamp>,
    /// What the provider asked for; read at most as [`retry_after::LONGEST`].
    pub retry_after: Option<Duration>,
    /// Chance, uniform in `0.0..1.0`.
    pub fraction: f64,
}

/// What happens to the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It waits in the queue until then.
    At(Timestamp),
    /// It fails: the budget of this fault is used up (`exhausted` for the message's, `technical` for the provider's).
    Exhausted,
    /// It fails: it would be tried only when it is over.
    Expired,
}

/// What to do after `attempt`.
///
/// Full jitter: the wait is uniform between nothing and `first · factor^(failures − 1)`, at most `cap`, so that a crowd
/// that failed together does not come back together. With `retry_after` it is never shorter than that, and up to a tenth
/// longer, as far as an hour allows.
pub fn next(policy: &Policy, attempt: Attempt) -> Decision {
    let used_up = match attempt.fault {
        Fault::Message => attempt.message_failures > policy.message_retries,
        Fault::Provider => in_trouble_for(&attempt) >= policy.provider_patience,
    };
    if used_up {
        return Decision::Exhausted;
    }
    let at = later(attempt.now, delay(policy, &attempt));
    match attempt.expires_at {
        Some(end) if at >= end => Decision::Expired,
        _ => Decision::At(at),
    }
}

fn in_trouble_for(attempt: &Attempt) -> Duration {
    let since = attempt.trouble_since.unwrap_or(attempt.now);
    (attempt.now - since).to_std().unwrap_or(Duration::ZERO)
}

fn delay(policy: &Policy, attempt: &Attempt) -> Duration {
    let backoff = match attempt.fault {
        Fault::Message => part(window(policy, attempt.message_failures), attempt.fraction),
        Fault::Provider => {
            let window = window(policy, attempt.provider_failures);
            part(window, attempt.fraction).max(BREATH.min(window))
        }
    };
    let Some(asked) = attempt.retry_after else { return backoff };
    let asked = asked.min(retry_after::LONGEST);
    let jitter = part((asked / 10).min(policy.cap), attempt.fraction);
    backoff.max((asked + jitter).min(retry_after::LONGEST))
}

fn window(policy: &Policy, failures: u32) -> Duration {
    let growth = policy.factor.saturating_pow(failures.saturating_sub(1));
    policy.first.saturating_mul(growth).min(policy.cap)
}

/// That share of `whole`, never more; total for whatever `f64` it is given.
fn part(whole: Duration, fraction: f64) -> Duration {
    Duration::try_from_secs_f64(whole.as_secs_f64() * fraction.clamp(0.0, 1.0)).unwrap_or(whole).min(whole)
}

/// Rounded up to the microseconds of a [`Timestamp`]: never early.
fn later(now: Timestamp, delay: Duration) -> Timestamp {
    let micros = i64::try_from(delay.as_nanos().div_ceil(1000)).unwrap_or(i64::MAX);
    now.checked_add_signed(TimeDelta::microseconds(micros)).unwrap_or(Timestamp::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-23T10:00:00Z".parse().unwrap()
    }

    fn attempt(fault: Fault) -> Attempt {
        Attempt {
            now: now(),
            fault,
            message_failures: 1,
            provider_failures: 1,
            trouble_since: None,
            expires_at: None,
            retry_after: None,
            fraction: 1.0,
        }
    }

    fn millis(decision: Decision) -> i64 {
        match decision {
            Decision::At(at) => (at - now()).num_milliseconds(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn three_retries_are_four_attempts_and_the_waits_double() {
        let wait = |n| next(&Policy::default(), Attempt { message_failures: n, ..attempt(Fault::Message) });
        assert_eq!([1, 2, 3].map(|n| millis(wait(n))), [1000, 2000, 4000]);
        assert_eq!(wait(4), Decision::Exhausted);
    }

    #[test]
    fn no_retries_means_none() {
        let policy = Policy { message_retries: 0, ..Policy::default() };
        assert_eq!(next(&policy, attempt(Fault::Message)), Decision::Exhausted);
    }

    #[test]
    fn trouble_of_the_provider_costs_no_retries_and_waits_at_the_cap() {
        let wait = |n| {
            let failed = Attempt { provider_failures: n, message_failures: 9, ..attempt(Fault::Provider) };
            millis(next(&Policy::default(), failed))
        };
        assert_eq!([1, 5, 6, 1000, u32::MAX].map(wait), [1000, 16_000, 30_000, 30_000, 30_000]);
    }

    #[test]
    fn trouble_of_the_provider_ends_after_a_day() {
        let after = |hours| {
            let since = Some(now() - TimeDelta::hours(hours));
            next(&Policy::default(), Attempt { trouble_since: since, ..attempt(Fault::Provider) })
        };
        assert_eq!(millis(after(23)), 1000);
        assert_eq!(after(24), Decision::Exhausted);
        assert_eq!(millis(after(-5)), 1000, "a clock that stepped back is no trouble");
    }

    #[test]
    fn a_troubled_provider_gets_a_breath_and_a_message_need_not_wait() {
        let wait = |fault| millis(next(&Policy::default(), Attempt { fraction: 0.0, ..attempt(fault) }));
        assert_eq!(wait(Fault::Provider), 100);
        assert_eq!(wait(Fault::Message), 0);
    }

    #[test]
    fn retry_after_is_never_undercut_and_never_over_an_hour() {
        let wait = |seconds, fraction| {
            let asked = Some(Duration::from_secs(seconds));
            millis(next(&Policy::default(), Attempt { retry_after: asked, fraction, ..attempt(Fault::Provider) }))
        };
        assert_eq!(wait(60, 0.0), 60_000);
        assert_eq!(wait(60, 0.5), 63_000);
        assert_eq!(wait(1800, 1.0), 1_830_000);
        assert_eq!(wait(31_536_000, 1.0), 3_600_000);
        assert_eq!(wait(0, 1.0), 1000, "zero is no reason to hammer");
    }

    #[test]
    fn a_retry_that_would_come_too_late_is_an_end() {
        let wait = |millis| {
            let end = Some(now() + TimeDelta::milliseconds(millis));
            next(&Policy::default(), Attempt { expires_at: end, ..attempt(Fault::Message) })
        };
        assert_eq!(wait(999), Decision::Expired);
        assert_eq!(wait(1000), Decision::Expired);
        assert_eq!(millis(wait(1001)), 1000);
    }

    #[test]
    fn chance_that_is_no_number_and_a_policy_without_end_are_survived() {
        let failed = Attempt { fraction: f64::NAN, ..attempt(Fault::Message) };
        assert_eq!(millis(next(&Policy::default(), failed)), 1000);
        let endless = Policy { first: Duration::MAX, cap: Duration::MAX, ..Policy::default() };
        assert_eq!(next(&endless, attempt(Fault::Message)), Decision::At(Timestamp::MAX_UTC));
    }
}
