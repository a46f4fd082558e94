//! What becomes of notifications. Channels are the canonical words of `domain::Channel::as_str`.

use metrics::Counter;

use super::bounded::{TenantLabel, TenantLabels};
use super::family::Family;
use super::registrar::Registrar;
use crate::names;

type ByTenant = Family<(&'static str, &'static str, TenantLabel), Counter>;
type ByWord = Family<(&'static str, &'static str), Counter>;
type ByChannel = Family<&'static str, Counter>;

/// Counters of notifications.
#[derive(Debug)]
pub struct Notifications {
    tenants: TenantLabels,
    accepted: ByChannel,
    sent: ByTenant,
    failed: ByTenant,
    spilled: ByChannel,
    claims: ByChannel,
    claimed_rows: ByChannel,
    retries: ByWord,
    dead_letters: ByWord,
}

impl Notifications {
    pub(super) fn new(registrar: &Registrar, tenants: usize) -> Self {
        let by_tenant = |metric| {
            registrar.counters(metric, |(channel, word, tenant): (&'static str, &'static str, TenantLabel)| {
                [channel.into(), word.into(), tenant.value()]
            })
        };
        let by_word = |metric| registrar.counters(metric, |(channel, word)| [channel, word]);
        let by_channel = |metric| registrar.counters(metric, |channel| [channel]);
        Self {
            tenants: TenantLabels::new(tenants),
            accepted: by_channel(&names::ACCEPTED),
            sent: by_tenant(&names::NOTIFICATIONS_SENT),
            failed: by_tenant(&names::NOTIFICATIONS_FAILED),
            spilled: by_channel(&names::SPILLED),
            claims: by_channel(&names::CLAIMS),
            claimed_rows: by_channel(&names::CLAIMED_ROWS),
            retries: by_word(&names::RETRIES),
            dead_letters: by_word(&names::DEAD_LETTERS),
        }
    }

    /// `count` notifications are on disk.
    pub fn accepted(&self, channel: &'static str, count: u64) {
        self.accepted.with(channel, |counter| counter.increment(count));
    }

    /// A notification has become `status`: sent, delivered or read.
    pub fn sent(&self, channel: &'static str, status: &'static str, tenant: i64) {
        let tenant = self.tenants.of(tenant);
        self.sent.with((channel, status, tenant), |counter| counter.increment(1));
    }

    /// A notification has failed for good; `error_type` is the stable word of its failure.
    pub fn failed(&self, channel: &'static str, error_type: &'static str, tenant: i64) {
        let tenant = self.tenants.of(tenant);
        self.failed.with((channel, error_type, tenant), |counter| counter.increment(1));
    }

    /// `count` notifications were left to the queue table.
    pub fn spilled(&self, channel: &'static str, count: u64) {
        self.spilled.with(channel, |counter| counter.increment(count));
    }

    /// A claim brought `rows` rows.
    pub fn claimed(&self, channel: &'static str, rows: u64) {
        self.claims.with(channel, |counter| counter.increment(1));
        self.claimed_rows.with(channel, |counter| counter.increment(rows));
    }

    /// A retry is planned.
    pub fn retried(&self, channel: &'static str, error_type: &'static str) {
        self.retries.with((channel, error_type), |counter| counter.increment(1));
    }

    /// A notification was parked for a person to look at.
    pub fn dead_lettered(&self, channel: &'static str, reason: &'static str) {
        self.dead_letters.with((channel, reason), |counter| counter.increment(1));
    }
}

#[cfg(test)]
mod tests {
    use crate::{Meters, Prometheus};

    #[test]
    fn each_goes_to_its_own_series() {
        let prometheus = Prometheus::new();
        let meters = Meters::new(&prometheus, 1);
        let notifications = &meters.notifications;
        notifications.accepted("email", 500);
        (0..3).for_each(|_| notifications.sent("email", "sent", 1));
        notifications.sent("email", "delivered", 7);
        notifications.sent("email", "delivered", 8);
        notifications.failed("sms", "timeout", 1);
        notifications.spilled("push", 2);
        notifications.claimed("push", 30);
        notifications.claimed("push", 0);
        notifications.retried("email", "connection_refused");
        notifications.dead_lettered("email", "exhausted");
        meters.set_queue_rows("email", "ready", 12);
        meters.store_error("accept");
        let page = prometheus.render();
        for line in [
            r#"carillon_accepted_total{channel="email"} 500"#,
            r#"notifications_sent_total{channel="email",status="sent",tenant_id="1"} 3"#,
            r#"notifications_sent_total{channel="email",status="delivered",tenant_id="other"} 2"#,
            r#"notifications_failed_total{channel="sms",error_type="timeout",tenant_id="1"} 1"#,
            r#"carillon_spilled_total{channel="push"} 2"#,
            r#"carillon_claims_total{channel="push"} 2"#,
            r#"carillon_claimed_rows_total{channel="push"} 30"#,
            r#"carillon_retries_total{channel="email",error_type="connection_refused"} 1"#,
            r#"carillon_dead_letters_total{channel="email",reason="exhausted"} 1"#,
            r#"carillon_queue_rows{channel="email",state="ready"} 12"#,
            r#"carillon_store_errors_total{operation="accept"} 1"#,
        ] {
            assert!(page.lines().any(|found| found == line), "{line}\nnot in\n{page}");
        }
    }

    #[test]
    fn two_systems_in_one_process_do_not_count_for_each_other() {
        let (one, other) = (Prometheus::new(), Prometheus::new());
        let (meters, _silent) = (Meters::new(&one, 1), Meters::new(&other, 1));
        meters.notifications.accepted("email", 1);
        Meters::none().notifications.accepted("email", 1);
        assert!(one.render().contains(r#"carillon_accepted_total{channel="email"} 1"#));
        assert!(!other.render().contains("carillon_accepted_total{"));
    }
}
