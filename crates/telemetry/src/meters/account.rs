//! One provider account's numbers.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram};
use parking_lot::Mutex;

use super::bounded::{Bounded, OTHER};
use super::family::Family;
use super::registrar::Registrar;
use crate::names;

/// Accounts with a label of their own; an installation may have ten thousand.
const MOST_ACCOUNTS: usize = 100;

/// Provider accounts.
pub struct Accounts {
    registrar: Registrar,
    labels: Bounded<Arc<str>>,
}

/// One account's handles: made when the account is opened, kept beside it, dropped with it. Accounts over the bound share
/// the label `other`; their levels add up there.
#[derive(Debug)]
pub struct Account {
    attempts: Family<&'static str, Counter>,
    duration: Histogram,
    in_flight: Level,
    limit: Level,
    intent_limit: Level,
    breaker: Family<&'static str, Gauge>,
    breaker_state: Mutex<Option<&'static str>>,
    unknown: Counter,
    resent: Counter,
}

impl Accounts {
    pub(super) fn new(registrar: &Registrar) -> Self {
        Self { registrar: registrar.clone(), labels: Bounded::new(MOST_ACCOUNTS) }
    }

    /// The handles of that account; `account` is its name or id, without secrets.
    pub fn open(&self, channel: &'static str, account: &str) -> Account {
        let account: Arc<str> = Arc::from(if self.labels.admits(account) { account } else { OTHER });
        let values = [channel, &*account];
        let (registrar, level) = (&self.registrar, |metric| Level::new(self.registrar.gauge(metric, &values)));
        Account {
            attempts: {
                let (registrar, account) = (registrar.clone(), Arc::clone(&account));
                Family::new(move |outcome| registrar.counter(&names::ATTEMPTS, &[channel, &account, outcome]))
            },
            duration: registrar.histogram(&names::PROVIDER_DURATION, &values),
            in_flight: level(&names::IN_FLIGHT),
            limit: level(&names::IN_FLIGHT_LIMIT),
            intent_limit: level(&names::INTENT_LIMIT),
            breaker: {
                let (registrar, account) = (registrar.clone(), Arc::clone(&account));
                Family::new(move |state| registrar.gauge(&names::BREAKER_STATE, &[channel, &account, state]))
            },
            breaker_state: Mutex::new(None),
            unknown: registrar.counter(&names::UNKNOWN, &values),
            resent: registrar.counter(&names::RESENT, &values),
        }
    }

    /// A dead process left messages that its provider may have: `unknown` of them, and `resent` of these are sent again.
    /// `account` is the provider of an earlier attempt; without one they count as `other`.
    pub fn rescued(&self, channel: &'static str, account: Option<&str>, unknown: u64, resent: u64) {
        let account = account.filter(|account| self.labels.admits(account)).unwrap_or(OTHER);
        self.registrar.counter(&names::UNKNOWN, &[channel, account]).increment(unknown);
        self.registrar.counter(&names::RESENT, &[channel, account]).increment(resent);
    }
}

impl Account {
    /// A call has ended as `outcome`: sent, retry, failed or unknown. Unknown is counted in its own metric too.
    pub fn called(&self, outcome: &'static str, took: Duration) {
        self.attempts.with(outcome, |counter| counter.increment(1));
        self.duration.record(took);
        if outcome == "unknown" {
            self.unknown.increment(1);
        }
    }

    /// A message is sent again after an unknown outcome.
    pub fn resent(&self) {
        self.resent.increment(1);
    }

    /// So many calls are in flight.
    pub fn set_in_flight(&self, calls: usize) {
        self.in_flight.set(calls);
    }

    /// So many may be.
    pub fn set_limit(&self, calls: usize) {
        self.limit.set(calls);
    }

    /// So many are permitted by intents on disk.
    pub fn set_intent_limit(&self, calls: usize) {
        self.intent_limit.set(calls);
    }

    /// The circuit breaker is in that state: closed, open or `half_open`.
    pub fn set_breaker(&self, state: &'static str) {
        self.move_breaker(Some(state));
    }

    fn move_breaker(&self, state: Option<&'static str>) {
        let mut now = self.breaker_state.lock();
        if *now == state {
            return;
        }
        if let Some(old) = now.take() {
            self.breaker.with(old, |gauge| gauge.decrement(1.0));
        }
        if let Some(new) = state {
            self.breaker.with(new, |gauge| gauge.increment(1.0));
        }
        *now = state;
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.move_breaker(None);
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts").finish_non_exhaustive()
    }
}

/// This account's part of a gauge, which others may share; gone when dropped.
#[derive(Debug)]
struct Level {
    gauge: Gauge,
    now: AtomicU32,
}

impl Level {
    fn new(gauge: Gauge) -> Self {
        Self { gauge, now: AtomicU32::new(0) }
    }

    fn set(&self, level: usize) {
        let level = u32::try_from(level).unwrap_or(u32::MAX);
        let before = self.now.swap(level, Ordering::Relaxed);
        if before != level {
            self.gauge.increment(f64::from(level) - f64::from(before));
        }
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::MOST_ACCOUNTS;
    use crate::{Meters, Prometheus};

    fn shows(prometheus: &Prometheus, lines: &[&str]) {
        let page = prometheus.render();
        for line in lines {
            assert!(page.lines().any(|found| found == *line), "{line}\nnot in\n{page}");
        }
    }

    #[test]
    fn an_account_has_its_levels_and_counters() {
        let prometheus = Prometheus::new();
        let meters = Meters::new(&prometheus, 1);
        let account = meters.accounts.open("email", "sendgrid");
        account.set_in_flight(7);
        account.set_in_flight(3);
        account.set_limit(20);
        account.set_intent_limit(5);
        account.set_breaker("closed");
        account.set_breaker("open");
        account.set_breaker("open");
        account.called("sent", Duration::from_millis(20));
        account.called("unknown", Duration::from_secs(10));
        meters.accounts.rescued("email", Some("sendgrid"), 2, 1);
        meters.accounts.rescued("email", None, 4, 0);
        account.resent();
        shows(
            &prometheus,
            &[
                r#"carillon_in_flight{channel="email",account="sendgrid"} 3"#,
                r#"carillon_in_flight_limit{channel="email",account="sendgrid"} 20"#,
                r#"carillon_intent_limit{channel="email",account="sendgrid"} 5"#,
                r#"carillon_breaker_state{channel="email",account="sendgrid",state="closed"} 0"#,
                r#"carillon_breaker_state{channel="email",account="sendgrid",state="open"} 1"#,
                r#"carillon_attempts_total{channel="email",account="sendgrid",outcome="sent"} 1"#,
                r#"carillon_unknown_total{channel="email",account="sendgrid"} 3"#,
                r#"carillon_resent_total{channel="email",account="sendgrid"} 2"#,
                r#"carillon_unknown_total{channel="email",account="other"} 4"#,
                r#"carillon_provider_duration_seconds_count{channel="email",account="sendgrid"} 2"#,
            ],
        );
        drop(account);
        shows(
            &prometheus,
            &[
                r#"carillon_in_flight{channel="email",account="sendgrid"} 0"#,
                r#"carillon_breaker_state{channel="email",account="sendgrid",state="open"} 0"#,
            ],
        );
    }

    #[test]
    fn accounts_over_the_bound_add_up() {
        let prometheus = Prometheus::new();
        let meters = Meters::new(&prometheus, 1);
        let accounts: Vec<_> = (0..MOST_ACCOUNTS + 3).map(|n| meters.accounts.open("sms", &format!("a{n}"))).collect();
        for account in &accounts {
            account.set_limit(10);
            account.set_breaker("closed");
        }
        shows(
            &prometheus,
            &[
                r#"carillon_in_flight_limit{channel="sms",account="a99"} 10"#,
                r#"carillon_in_flight_limit{channel="sms",account="other"} 30"#,
                r#"carillon_breaker_state{channel="sms",account="other",state="closed"} 3"#,
            ],
        );
    }
}
