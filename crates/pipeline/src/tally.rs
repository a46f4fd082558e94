//! Counts what became of notifications, once it is on disk.

use carillon_domain::{EventKind, NotificationId};
use carillon_ports::work::{Finish, Verdict};

use crate::shared::Shared;
use crate::task::Leaver;

pub(crate) fn count(shared: &Shared, leavers: &[Leaver], outcomes: &[Finish], lost: &[NotificationId]) {
    let meters = &shared.meters.notifications;
    for (leaver, outcome) in leavers.iter().zip(outcomes) {
        if lost.contains(&outcome.id) {
            continue;
        }
        let (channel, tenant) = (leaver.ticket.account.channel.as_str(), outcome.tenant.0);
        match &outcome.verdict {
            Verdict::Sent { delivered, .. } => {
                meters.sent(channel, "sent", tenant);
                if *delivered {
                    meters.sent(channel, "delivered", tenant);
                }
            }
            Verdict::Retry { error: Some(_), .. } => {
                meters.retried(channel, leaver.trouble);
                if outcome.transitions.iter().any(|step| step.kind == EventKind::Unknown)
                    && let Some(account) = shared.lanes.lock().meters_of(outcome.hold.lane)
                {
                    account.resent();
                }
            }
            Verdict::Failed { reason, .. } => {
                meters.failed(channel, leaver.trouble, tenant);
                meters.dead_lettered(channel, reason);
            }
            Verdict::Retry { error: None, .. } | Verdict::Held { .. } => {}
        }
    }
}
