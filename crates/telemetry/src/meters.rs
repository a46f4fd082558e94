//! What the code counts with. [`Meters`] is made once and handed around in an `Arc`; each handle in it belongs to one
//! recorder, so that two systems in one test do not count for each other.
//!
//! Labels are words of ours (`&'static str`), except tenants, accounts and routes, which are bounded: what is over the
//! bound is counted as `other`.

mod account;
mod bounded;
mod family;
mod http;
mod notifications;
mod registrar;

pub use metrics::{Counter, Gauge, Histogram};

pub use account::{Account, Accounts};
pub use bounded::{TenantLabel, TenantLabels};
pub use http::{Connection, Connections, Http};
pub use notifications::Notifications;

use crate::meters::family::Family;
use crate::meters::registrar::Registrar;
use crate::{Prometheus, names};

/// How many tenants have a label of their own unless `METRICS_TENANTS` says otherwise.
pub const DEFAULT_TENANTS: usize = 100;

/// All handles.
#[derive(Debug)]
pub struct Meters {
    /// Requests.
    pub http: Http,
    /// Connections open now.
    pub connections: Connections,
    /// What becomes of notifications.
    pub notifications: Notifications,
    /// Provider accounts.
    pub accounts: Accounts,
    /// [`names::ACCEPT_GROUP_ROWS`].
    pub accept_group_rows: Histogram,
    /// [`names::ACCEPT_DURATION`].
    pub accept_duration: Histogram,
    /// [`names::OUTCOME_GROUP_ROWS`].
    pub outcome_group_rows: Histogram,
    /// [`names::OUTCOME_DURATION`].
    pub outcome_duration: Histogram,
    /// [`names::WAITING_ROWS`].
    pub waiting_rows: Gauge,
    /// [`names::WAITING_BYTES`].
    pub waiting_bytes: Gauge,
    /// [`names::RESCUED`].
    pub rescued: Counter,
    /// [`names::LOST_LEASES`].
    pub lost_leases: Counter,
    /// [`names::ORDERING_HEALS`].
    pub ordering_heals: Counter,
    /// [`names::TEMPLATE_CACHE`] with `hit`.
    pub template_hits: Counter,
    /// [`names::TEMPLATE_CACHE`] with `miss`.
    pub template_misses: Counter,
    /// [`names::EVENT_LOG_LAG`].
    pub event_log_lag: Gauge,
    /// [`names::WAL_BYTES`].
    pub wal_bytes: Gauge,
    queue_rows: Family<(&'static str, &'static str), Gauge>,
    store_errors: Family<&'static str, Counter>,
}

impl Meters {
    /// Handles that `prometheus` shows, with labels of their own for the first `tenants` tenants.
    pub fn new(prometheus: &Prometheus, tenants: usize) -> Self {
        Self::on(&Registrar::new(prometheus.recorder()), tenants)
    }

    /// Handles that count nothing.
    pub fn none() -> Self {
        Self::on(&Registrar::new(std::sync::Arc::new(metrics::NoopRecorder)), 0)
    }

    fn on(registrar: &Registrar, tenants: usize) -> Self {
        let template_cache = |result| registrar.counter(&names::TEMPLATE_CACHE, &[result]);
        Self {
            http: Http::new(registrar),
            connections: Connections::new(registrar),
            notifications: Notifications::new(registrar, tenants),
            accounts: Accounts::new(registrar),
            accept_group_rows: registrar.histogram(&names::ACCEPT_GROUP_ROWS, &[]),
            accept_duration: registrar.histogram(&names::ACCEPT_DURATION, &[]),
            outcome_group_rows: registrar.histogram(&names::OUTCOME_GROUP_ROWS, &[]),
            outcome_duration: registrar.histogram(&names::OUTCOME_DURATION, &[]),
            waiting_rows: registrar.gauge(&names::WAITING_ROWS, &[]),
            waiting_bytes: registrar.gauge(&names::WAITING_BYTES, &[]),
            rescued: registrar.counter(&names::RESCUED, &[]),
            lost_leases: registrar.counter(&names::LOST_LEASES, &[]),
            ordering_heals: registrar.counter(&names::ORDERING_HEALS, &[]),
            template_hits: template_cache("hit"),
            template_misses: template_cache("miss"),
            event_log_lag: registrar.gauge(&names::EVENT_LOG_LAG, &[]),
            wal_bytes: registrar.gauge(&names::WAL_BYTES, &[]),
            queue_rows: registrar.gauges(&names::QUEUE_ROWS, |(channel, state)| [channel, state]),
            store_errors: registrar.counters(&names::STORE_ERRORS, |operation| [operation]),
        }
    }

    /// A look at the queue found `rows` of that channel in that state.
    pub fn set_queue_rows(&self, channel: &'static str, state: &'static str, rows: u64) {
        self.queue_rows.with((channel, state), |gauge| gauge.set(level(rows)));
    }

    /// A store operation failed because of the database.
    pub fn store_error(&self, operation: &'static str) {
        self.store_errors.with(operation, |counter| counter.increment(1));
    }
}

/// A number as gauges and histograms take it.
#[expect(clippy::cast_precision_loss, reason = "a level beyond 2^53 may be off by one")]
pub const fn level(number: u64) -> f64 {
    number as f64
}
