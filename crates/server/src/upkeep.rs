//! Small chores of the process: metrics that must be folded, gauges that must be read, a sandbox that must not grow.

use std::sync::Arc;
use std::time::Duration;

use carillon_app::Catalog;
use carillon_auth::Authenticator;
use carillon_domain::Clock;
use carillon_ports::Store;
use carillon_telemetry::{Meters, Prometheus};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

use crate::log_reader::LogReader;

/// Messages that the sandbox keeps for each tenant.
const SANDBOX_KEEPS: u32 = 10_000;
/// How often the queue's rows are counted.
const COUNT_EVERY: Duration = Duration::from_secs(15);
/// After a count, this many times as long as it took: a long backlog must not be counted all the time.
const COUNT_REST: u32 = 50;
/// How often the sandbox is trimmed, in seconds.
const TRIM_EVERY: u64 = 60;

/// What the chores work on.
pub(crate) struct Chores {
    pub(crate) prometheus: Prometheus,
    pub(crate) meters: Arc<Meters>,
    pub(crate) store: Store,
    pub(crate) auth: Authenticator,
    pub(crate) catalog: Catalog,
    pub(crate) clock: Arc<dyn Clock>,
}

/// Starts the chores; abort the handle to end them.
pub(crate) fn start(chores: Chores) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut reader = LogReader::new(Arc::clone(&chores.store.events), Arc::clone(&chores.clock));
        let mut second = tokio::time::interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut count_at = Instant::now();
        for turn in 0_u64.. {
            second.tick().await;
            chores.prometheus.upkeep();
            if let Some(lag) = reader.look().await {
                chores.meters.event_log_lag.set(lag.as_secs_f64());
            }
            if let Err(error) = chores.auth.follow().await {
                tracing::debug!(%error, "ended keys could not be asked for");
            }
            if let Err(error) = chores.catalog.follow(chores.clock.now()).await {
                tracing::debug!(%error, "changed templates could not be asked for");
            }
            if Instant::now() >= count_at {
                let took = chores.count_queue().await;
                count_at = Instant::now() + COUNT_EVERY.max(took * COUNT_REST);
            }
            if turn % TRIM_EVERY == TRIM_EVERY / 2
                && let Err(error) = chores.store.sandbox.sandbox_trim(SANDBOX_KEEPS).await
            {
                tracing::warn!(%error, "the sandbox could not be trimmed");
            }
        }
    })
}

impl Chores {
    /// Counts the queue's rows; how long that took.
    async fn count_queue(&self) -> Duration {
        let began = Instant::now();
        match self.store.work.queue_depth().await {
            Ok(depths) => {
                for depth in depths {
                    let state = match depth.state {
                        0 => "ready",
                        1 => "leased",
                        2 => "waiting",
                        3 => "parked",
                        _ => "blocked",
                    };
                    self.meters.set_queue_rows(depth.channel.as_str(), state, depth.rows);
                }
            }
            Err(error) => tracing::debug!(%error, "the queue could not be counted"),
        }
        began.elapsed()
    }
}
