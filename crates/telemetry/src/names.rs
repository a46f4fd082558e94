//! Every metric: name, labels, meaning. The names without prefix are what dashboards already ask for; ours begin with
//! `carillon_`. What is not in this file is not measured.

use metrics::{Recorder, Unit};

/// A metric as `/metrics` shows it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// The name.
    pub name: &'static str,
    /// Counter, gauge or histogram.
    pub kind: Kind,
    /// The labels' names, in the order in which values are given.
    pub labels: &'static [&'static str],
    /// One sentence.
    pub help: &'static str,
}

/// What kind of metric it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Only goes up; zero at the start of the process.
    Counter,
    /// A level now.
    Gauge,
    /// A distribution over these upper bounds.
    Histogram(&'static [f64]),
}

impl Kind {
    /// The word of the exposition format.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

impl Metric {
    /// The unit, which the name ends with.
    pub fn unit(&self) -> Unit {
        if self.name.ends_with("_seconds") {
            Unit::Seconds
        } else if self.name.ends_with("_bytes") {
            Unit::Bytes
        } else {
            Unit::Count
        }
    }
}

/// Seconds of a request or a provider call.
const CALL_SECONDS: &[f64] =
    &[0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Seconds of a commit.
const COMMIT_SECONDS: &[f64] = &[0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];
/// Rows of a group; a group has at most 512 singles or a batch of 1,000.
const ROWS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1000.0];

macro_rules! metrics {
    ($(#[doc = $help:literal] $id:ident = $kind:expr, $name:literal [$($label:literal),*];)*) => {
        $(
            #[doc = $help]
            pub const $id: Metric = Metric { name: $name, kind: $kind, labels: &[$($label),*], help: $help.trim_ascii() };
        )*

        /// All of them, in the order of the documentation.
        pub const ALL: &[Metric] = &[$($id),*];
    };
}

use Kind::{Counter, Gauge, Histogram};

metrics! {
    /// Time from a request's head to the end of its answer.
    HTTP_REQUEST_DURATION = Histogram(CALL_SECONDS), "http_request_duration_seconds" ["method", "route", "status_code"];
    /// Requests answered; `route` is the pattern, never the path.
    HTTP_REQUESTS = Counter, "http_requests_total" ["method", "route", "status_code"];
    /// Notifications that a provider took (`status` is `sent`), or whose arrival became known later (`delivered`, `read`).
    NOTIFICATIONS_SENT = Counter, "notifications_sent_total" ["channel", "status", "tenant_id"];
    /// Notifications that failed for good.
    NOTIFICATIONS_FAILED = Counter, "notifications_failed_total" ["channel", "error_type", "tenant_id"];
    /// Connections open now, by `type`.
    ACTIVE_CONNECTIONS = Gauge, "active_connections" ["type"];

    /// Notifications that are on disk and were answered with 202.
    ACCEPTED = Counter, "carillon_accepted_total" ["channel"];
    /// Notifications that met in one accepting transaction.
    ACCEPT_GROUP_ROWS = Histogram(ROWS), "carillon_accept_group_rows" [];
    /// Time of one accepting transaction, commit included.
    ACCEPT_DURATION = Histogram(COMMIT_SECONDS), "carillon_accept_duration_seconds" [];
    /// Outcomes that met in one transaction.
    OUTCOME_GROUP_ROWS = Histogram(ROWS), "carillon_outcome_group_rows" [];
    /// Time of one transaction of outcomes, commit included.
    OUTCOME_DURATION = Histogram(COMMIT_SECONDS), "carillon_outcome_duration_seconds" [];

    /// Rows of the queue by `state` (`ready`, `leased`, `waiting`, `parked`, `blocked`), as last looked at; never counted on the way of a message.
    QUEUE_ROWS = Gauge, "carillon_queue_rows" ["channel", "state"];
    /// Notifications that wait in this process's memory.
    WAITING_ROWS = Gauge, "carillon_waiting_rows" [];
    /// Their size.
    WAITING_BYTES = Gauge, "carillon_waiting_bytes" [];
    /// Notifications left to the queue table because memory was full or a backlog was ahead of them.
    SPILLED = Counter, "carillon_spilled_total" ["channel"];
    /// Claims of backlog, schedules, retries and orphans.
    CLAIMS = Counter, "carillon_claims_total" ["channel"];
    /// Rows that those claims brought.
    CLAIMED_ROWS = Counter, "carillon_claimed_rows_total" ["channel"];
    /// Rows taken over from a dead process.
    RESCUED = Counter, "carillon_rescued_total" [];
    /// Outcomes that came after the lease was lost.
    LOST_LEASES = Counter, "carillon_lost_lease_total" [];
    /// Ordering lanes that had work and nobody to do it: must never rise; if it does, tell us.
    ORDERING_HEALS = Counter, "carillon_ordering_heal_total" [];

    /// Provider calls by `outcome`: `sent`, `retry`, `failed` or `unknown`.
    ATTEMPTS = Counter, "carillon_attempts_total" ["channel", "account", "outcome"];
    /// Time of one provider call.
    PROVIDER_DURATION = Histogram(CALL_SECONDS), "carillon_provider_duration_seconds" ["channel", "account"];
    /// Provider calls in flight.
    IN_FLIGHT = Gauge, "carillon_in_flight" ["channel", "account"];
    /// How many may be: starts at 10 and adapts.
    IN_FLIGHT_LIMIT = Gauge, "carillon_in_flight_limit" ["channel", "account"];
    /// Calls that the intents on disk permit now: what a crash can leave unknown at most.
    INTENT_LIMIT = Gauge, "carillon_intent_limit" ["channel", "account"];
    /// Accounts whose circuit breaker is in that `state` (`closed`, `open`, `half_open`): 1 or 0 for a single account.
    BREAKER_STATE = Gauge, "carillon_breaker_state" ["channel", "account", "state"];
    /// Retries planned.
    RETRIES = Counter, "carillon_retries_total" ["channel", "error_type"];
    /// Calls after which the provider may have the message or not.
    UNKNOWN = Counter, "carillon_unknown_total" ["channel", "account"];
    /// Messages sent again after such a call: the possible duplicates.
    RESENT = Counter, "carillon_resent_total" ["channel", "account"];
    /// Notifications parked for a person to look at.
    DEAD_LETTERS = Counter, "carillon_dead_letters_total" ["channel", "reason"];

    /// Look-ups of compiled templates by `result`: `hit` or `miss`.
    TEMPLATE_CACHE = Counter, "carillon_template_cache_total" ["result"];
    /// Store operations that failed because the database was away, full or in conflict.
    STORE_ERRORS = Counter, "carillon_store_errors_total" ["operation"];
    /// How late a reader of the event log saw what it saw last: from the event to its commit, a group's wait and the database's troubles included.
    EVENT_LOG_LAG = Gauge, "carillon_event_log_lag_seconds" [];
    /// Size of SQLite's write-ahead log.
    WAL_BYTES = Gauge, "carillon_wal_bytes" [];
}

/// Tells a recorder what each metric means.
pub fn describe(recorder: &dyn Recorder) {
    for metric in ALL {
        let (name, unit) = (metric.name.into(), Some(metric.unit()));
        match metric.kind {
            Counter => recorder.describe_counter(name, unit, metric.help.into()),
            Gauge => recorder.describe_gauge(name, unit, metric.help.into()),
            Histogram(_) => recorder.describe_histogram(name, unit, metric.help.into()),
        }
    }
}

/// The table of `docs/metrics.md`.
pub fn markdown() -> String {
    let row = |metric: &Metric| {
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        format!("| `{}` | {} | {} | {} |\n", metric.name, metric.kind.as_str(), labels.join(", "), metric.help)
    };
    let head = "| name | kind | labels | meaning |\n|---|---|---|---|\n";
    ALL.iter().map(row).fold(head.to_owned(), |table, row| table + &row)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// `UPDATE_DOCS=1 cargo test -p carillon-telemetry` writes it anew.
    #[test]
    fn the_documentation_has_exactly_this_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md");
        let page = std::fs::read_to_string(path).unwrap();
        let (before, rest) = page.split_once("| name |").expect("a table");
        let after = rest.split_once("\n\n").map_or("", |(_, after)| after);
        let wanted = format!("{before}{}\n{after}", markdown());
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, wanted).unwrap();
        } else {
            assert_eq!(page, wanted, "docs/metrics.md is stale: run this test with UPDATE_DOCS=1");
        }
    }

    #[test]
    fn names_are_unique_and_follow_the_conventions_of_prometheus() {
        let names: HashSet<_> = ALL.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), ALL.len());
        for metric in ALL {
            assert!(metric.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{metric:?}");
            assert_eq!(metric.name.ends_with("_total"), metric.kind == Counter, "{metric:?}");
            assert!(metric.help.ends_with('.') && !metric.help.contains('|'), "{metric:?}");
            if let Histogram(buckets) = metric.kind {
                assert!(!buckets.is_empty() && buckets.is_sorted(), "{metric:?}");
            }
        }
    }

    #[test]
    fn the_names_of_the_plan_are_there() {
        let line = |metric: &Metric| format!("{} {}{}", metric.kind.as_str(), metric.name, metric.labels.join(","));
        let lines: Vec<_> = ALL.iter().map(line).collect();
        for wanted in [
            "histogram http_request_duration_secondsmethod,route,status_code",
            "counter http_requests_totalmethod,route,status_code",
            "counter notifications_sent_totalchannel,status,tenant_id",
            "counter notifications_failed_totalchannel,error_type,tenant_id",
            "gauge active_connectionstype",
        ] {
            assert!(lines.iter().any(|line| line == wanted), "{wanted}");
        }
    }
}
