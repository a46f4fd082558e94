//! How the process is, for load balancers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use carillon_pipeline::Pipeline;
use carillon_ports::WorkStore;
use carillon_rest::{HealthReport, HealthSource};

/// Asks the pipeline and the database.
pub(crate) struct Health {
    pipeline: Pipeline,
    work: Arc<dyn WorkStore>,
    stopping: AtomicBool,
}

impl Health {
    pub(crate) fn new(pipeline: Pipeline, work: Arc<dyn WorkStore>) -> Self {
        Self { pipeline, work, stopping: AtomicBool::new(false) }
    }

    /// From now on no request should come here.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }
}

#[async_trait]
impl HealthSource for Health {
    fn ready(&self) -> bool {
        let health = self.pipeline.healthy();
        !self.stopping.load(Ordering::Acquire) && health.accepting && !health.fenced
    }

    async fn check(&self) -> HealthReport {
        let answer = tokio::time::timeout(Duration::from_millis(900), self.work.ping()).await;
        HealthReport::new(matches!(answer, Ok(Ok(()))), self.ready())
    }
}
