//! One provider account as the dispatcher sees it: its slots, its lanes and what is known of its health.

use std::sync::Arc;
use std::time::{Duration, Instant};

use carillon_domain::Priority;
use carillon_domain::delivery::{Fault, OnUnknown, Outcome};
use carillon_ports::Account;
use carillon_ports::work::{Doubt, Raise};
use carillon_resilience::breaker::{self, Admission, Breaker, Permit, State};
use carillon_resilience::limit::Adaptive;
use carillon_telemetry::{Meters, meters};

use super::lane::Lane;

/// The most rows that an internal account takes from the table at once: it needs no slots.
const INTERNAL_WINDOW: usize = 1024;

/// An account's part of the dispatcher.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) account: Arc<Account>,
    pub(crate) meters: Arc<meters::Account>,
    pub(crate) lanes: [Lane; 4],
    /// Rows that may be at the provider if this process dies now.
    pub(crate) outstanding: usize,
    in_flight: usize,
    probes: usize,
    limit: Adaptive,
    breaker: Breaker,
}

impl Desk {
    pub(crate) fn new(account: Arc<Account>, settings: breaker::Settings, meters: &Meters) -> Self {
        let meters = Arc::new(meters.accounts.open(account.channel.as_str(), &account.name));
        Self {
            meters,
            lanes: Default::default(),
            outstanding: 0,
            in_flight: 0,
            probes: usize::try_from(settings.probes.max(1)).unwrap_or(1),
            limit: account.concurrency.map_or_else(Adaptive::default, Adaptive::pinned),
            breaker: Breaker::new(settings),
            account,
        }
    }

    pub(crate) fn doubt(&self) -> Doubt {
        match self.account.on_unknown {
            _ if self.account.internal => Doubt::Impossible,
            OnUnknown::Resend => Doubt::Resend,
            OnUnknown::Hold => Doubt::Hold,
        }
    }

    /// How many rows may be outstanding.
    pub(crate) fn window(&self, now: Instant) -> usize {
        if self.account.internal {
            return INTERNAL_WINDOW;
        }
        match self.breaker.state() {
            State::Closed => self.limit.limit(),
            State::HalfOpen => self.limit.limit().min(self.probes),
            State::Open { until } => usize::from(now >= until),
        }
    }

    /// Until when nothing is sent.
    pub(crate) fn shut_until(&self, now: Instant) -> Option<Instant> {
        match self.breaker.state() {
            State::Open { until } if now < until => Some(until),
            _ => None,
        }
    }

    pub(crate) fn unpermitted(&self) -> usize {
        self.lanes.iter().map(Lane::unpermitted).sum()
    }

    /// Permits rows into the free slots, `freed` of which become free by the same commit, by the weights of the
    /// priorities.
    pub(crate) fn propose(&mut self, freed: usize, now: Instant, raises: &mut Vec<Raise>) {
        let mut free = self.window(now).saturating_sub(self.outstanding.saturating_sub(freed));
        let mut hi = [None; 4];
        while free > 0
            && let Some(priority) = self.next_turn()
            && let Some(hand) = self.lanes[priority].propose()
        {
            hi[priority] = Some(hand);
            self.outstanding += 1;
            free -= 1;
        }
        for (priority, hi) in hi.into_iter().enumerate() {
            if let Some(hi) = hi {
                raises.push(Raise { lane: lane_number(self.account.index, priority), hi });
            }
        }
    }

    /// Smooth weighted round robin over the lanes with work.
    fn next_turn(&mut self) -> Option<usize> {
        let mut total = 0;
        let mut best: Option<usize> = None;
        for (index, priority) in Priority::ALL.into_iter().enumerate() {
            if self.lanes[index].unpermitted() == 0 {
                self.lanes[index].turn = 0;
                continue;
            }
            let weight = i64::from(priority.weight());
            total += weight;
            self.lanes[index].turn += weight;
            if best.is_none_or(|best| self.lanes[best].turn <= self.lanes[index].turn) {
                best = Some(index);
            }
        }
        let best = best?;
        self.lanes[best].turn -= total;
        Some(best)
    }

    /// May a call be made now? The time before which not, otherwise.
    pub(crate) fn begin(&mut self, now: Instant) -> Result<Permit, Instant> {
        let admission = self.breaker.admit(now);
        self.show();
        match admission {
            Admission::Go(permit) | Admission::Probe(permit) => {
                self.in_flight += 1;
                self.meters.set_in_flight(self.in_flight);
                Ok(permit)
            }
            Admission::Refused { until } => Err(until),
        }
    }

    /// A call has ended.
    pub(crate) fn end(&mut self, permit: Permit, outcome: &Outcome, took: Duration, now: Instant) {
        let before = self.breaker.state().as_str();
        match outcome {
            Outcome::Sent(_) => self.breaker.on_success(permit),
            Outcome::Retry(failure) | Outcome::Failed(failure) if failure.fault == Fault::Message => {
                self.breaker.on_ignored(permit);
            }
            _ => self.breaker.on_failure(permit, now),
        }
        let ok = match outcome {
            Outcome::Sent(_) => true,
            Outcome::Retry(failure) | Outcome::Failed(failure) => failure.fault == Fault::Message,
            Outcome::Unknown(_) => false,
        };
        self.limit.on_result(took, ok, self.in_flight);
        self.in_flight = self.in_flight.saturating_sub(1);
        self.meters.set_in_flight(self.in_flight);
        self.show();
        self.tell(before, outcome);
    }

    /// An operator should not have to look at a gauge to learn that an account is shut.
    fn tell(&self, before: &'static str, outcome: &Outcome) {
        let state = self.breaker.state().as_str();
        if state == before {
            return;
        }
        let (channel, account) = (self.account.channel.as_str(), self.account.name.as_str());
        match outcome {
            Outcome::Retry(failure) | Outcome::Failed(failure) | Outcome::Unknown(failure) => {
                tracing::warn!(
                    channel,
                    account,
                    state,
                    code = failure.code,
                    "the circuit has changed: nothing is sent for a while"
                );
            }
            Outcome::Sent(_) => {
                tracing::info!(channel, account, state, "the circuit has changed: the provider answers");
            }
        }
    }

    fn show(&self) {
        self.meters.set_limit(self.limit.limit());
        self.meters.set_intent_limit(self.outstanding);
        self.meters.set_breaker(self.breaker.state().as_str());
    }
}

/// Account index × 4 + priority.
pub(crate) fn lane_number(account: u16, priority: usize) -> i32 {
    i32::from(account) * 4 + i32::try_from(priority).unwrap_or(0)
}
