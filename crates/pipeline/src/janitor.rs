//! What happens by the clock: the sign of life, the rescue of what dead processes held, the promotion of what is due.

use std::sync::Arc;
use std::time::Duration;

use carillon_domain::Channel;
use chrono::TimeDelta;

use crate::lease::Mark;
use crate::shared::Shared;

/// Rows promoted by one transaction.
const PROMOTE: u32 = 1000;
/// The promoter looks at least this often: another process may have scheduled something.
const PROMOTE_EVERY: Duration = Duration::from_secs(1);
/// And not more often than this, whatever it is told.
const PROMOTE_REST: Duration = Duration::from_millis(10);
const HEAL_EVERY: Duration = Duration::from_mins(1);
const MEASURE_EVERY: Duration = Duration::from_secs(10);
const SWEEP_EVERY: Duration = Duration::from_hours(1);
/// How long idempotency keys are kept.
const KEYS_KEPT: TimeDelta = TimeDelta::hours(72);

/// Renews the lease until the very end of the drain.
pub(crate) async fn heartbeat(shared: Arc<Shared>) {
    let every = shared.settings.lease / 4;
    let mut wait = every;
    while sleep(&shared, wait).await {
        let mark = Mark::at(shared.clock.now());
        match shared.work.heartbeat().await {
            Ok(true) => {
                shared.lease.renew(mark);
                wait = every;
            }
            Ok(false) => return shared.fence("another process has taken over what this one held"),
            Err(error) => {
                tracing::warn!(%error, "the lease cannot be renewed yet");
                shared.lease.trouble();
                shared.meters.store_error("heartbeat");
                wait = (every / 8).max(Duration::from_millis(100));
            }
        }
    }
}

/// Frees what dead processes held. After an outage the living get time to renew their leases first.
pub(crate) async fn rescue(shared: Arc<Shared>) {
    let rest = shared.settings.lease / 4;
    loop {
        let now = shared.clock.now();
        if !shared.lease.is_calm(now, rest) {
            if !sleep(&shared, rest / 4).await {
                return;
            }
            continue;
        }
        match shared.work.rescue(now).await {
            Ok(found) if found.rows > 0 => {
                tracing::warn!(rows = found.rows, unknown = found.unknown, "took over what a dead process held");
                shared.meters.rescued.increment(found.rows);
                shared.nudge_all();
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "no rescue");
                shared.meters.store_error("rescue");
            }
        }
        if !sleep(&shared, jittered(&shared, rest)).await {
            return;
        }
    }
}

/// Makes due rows ready in time.
pub(crate) async fn promote(shared: Arc<Shared>) {
    loop {
        shared.wake.look();
        let now = shared.clock.now();
        let wait = match shared.work.promote(now, PROMOTE).await {
            Ok(promoted) => {
                if promoted.rows > 0 {
                    for channel in &shared.settings.channels {
                        shared.nudge(*channel);
                    }
                }
                let more = promoted.rows >= u64::from(PROMOTE);
                if more { PROMOTE_REST } else { promoted.next.unwrap_or(PROMOTE_EVERY) }
            }
            Err(error) => {
                tracing::warn!(%error, "what is due cannot be made ready");
                shared.meters.store_error("promote");
                PROMOTE_EVERY
            }
        };
        tokio::select! {
            () = shared.stop_rest.cancelled() => return,
            () = async {
                tokio::time::sleep(PROMOTE_REST).await;
                shared.wake.sleep(now, wait.min(PROMOTE_EVERY)).await;
            } => {}
        }
    }
}

/// Heals ordering lanes that hang. It must never find one.
pub(crate) async fn heal(shared: Arc<Shared>) {
    while sleep(&shared, jittered(&shared, HEAL_EVERY)).await {
        match shared.work.heal_ordering().await {
            Ok(0) => {}
            Ok(healed) => {
                tracing::error!(healed, "ordering lanes hung and were healed: this is a defect");
                shared.meters.ordering_heals.increment(healed);
                shared.nudge_all();
            }
            Err(error) => {
                tracing::warn!(%error, "ordering lanes cannot be looked at");
                shared.meters.store_error("heal_ordering");
            }
        }
    }
}

/// Deletes idempotency keys that are too old.
pub(crate) async fn sweep(shared: Arc<Shared>) {
    while sleep(&shared, jittered(&shared, SWEEP_EVERY)).await {
        if let Err(error) = shared.work.idempotency_sweep(shared.clock.now() - KEYS_KEPT).await {
            tracing::warn!(%error, "old idempotency keys cannot be deleted yet");
            shared.meters.store_error("idempotency_sweep");
        }
    }
}

/// Shows how much lies in the table.
pub(crate) async fn measure(shared: Arc<Shared>) {
    const STATES: [&str; 5] = ["ready", "leased", "waiting", "parked", "blocked"];
    while sleep(&shared, jittered(&shared, MEASURE_EVERY)).await {
        let depths = match shared.work.queue_depth().await {
            Ok(depths) => depths,
            Err(error) => {
                tracing::warn!(%error, "the queue cannot be measured");
                shared.meters.store_error("queue_depth");
                continue;
            }
        };
        for channel in Channel::ALL {
            for (state, word) in (0_i16..).zip(STATES) {
                let found = depths.iter().filter(|depth| depth.channel == channel && depth.state == state);
                shared.meters.set_queue_rows(channel.as_str(), word, found.map(|depth| depth.rows).sum());
            }
        }
    }
}

/// Never all processes at once.
fn jittered(shared: &Shared, wait: Duration) -> Duration {
    wait.mul_f64(0.8 + 0.4 * shared.entropy.fraction())
}

/// `false`: told to stop meanwhile.
async fn sleep(shared: &Shared, wait: Duration) -> bool {
    tokio::select! {
        () = shared.stop_rest.cancelled() => false,
        () = tokio::time::sleep(wait) => true,
    }
}
