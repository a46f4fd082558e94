//! Small chores of the process: metrics that must be folded, gauges that must be read, a sandbox that must not grow.

use std::sync::Arc;
use std::time::Duration;

use carillon_domain::Clock;
use carillon_ports::Store;
use carillon_telemetry::{Meters, Prometheus};
use tokio::task::JoinHandle;

use crate::log_reader::LogReader;

/// Messages that the sandbox keeps for each tenant.
const SANDBOX_KEEPS: u32 = 10_000;
/// How often the queue's rows are counted, and the sandbox trimmed, in seconds.
const COUNT_EVERY: u64 = 15;
const TRIM_EVERY: u64 = 60;

/// Starts the chores; abort the handle to end them.
pub(crate) fn start(
    prometheus: &Prometheus,
    meters: &Arc<Meters>,
    store: &Store,
    clock: Arc<dyn Clock>,
) -> JoinHandle<()> {
    let (prometheus, meters, store) = (prometheus.clone(), Arc::clone(meters), store.clone());
    tokio::spawn(async move {
        let mut reader = LogReader::new(Arc::clone(&store.events), clock);
        let mut second = tokio::time::interval(Duration::from_secs(1));
        for turn in 0_u64.. {
            second.tick().await;
            prometheus.upkeep();
            if let Some(lag) = reader.look().await {
                meters.event_log_lag.set(lag.as_secs_f64());
            }
            if turn % COUNT_EVERY == 0 {
                count_queue(&store, &meters).await;
            }
            if turn % TRIM_EVERY == TRIM_EVERY / 2
                && let Err(error) = store.sandbox.sandbox_trim(SANDBOX_KEEPS).await
            {
                tracing::warn!(%error, "the sandbox could not be trimmed");
            }
        }
    })
}

async fn count_queue(store: &Store, meters: &Meters) {
    match store.work.queue_depth().await {
        Ok(depths) => {
            for depth in depths {
                let state = match depth.state {
                    0 => "ready",
                    1 => "leased",
                    2 => "waiting",
                    3 => "parked",
                    _ => "blocked",
                };
                meters.set_queue_rows(depth.channel.as_str(), state, depth.rows);
            }
        }
        Err(error) => tracing::debug!(%error, "the queue could not be counted"),
    }
}
