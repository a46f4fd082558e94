//! How the process is, for load balancers and people.

use async_trait::async_trait;
use serde::Serialize;
use utoipa::ToSchema;

/// Knows how the process is. Implemented where everything is wired.
#[async_trait]
pub trait HealthSource: Send + Sync + 'static {
    /// Whether requests should come here: started, not stopping. Never waits.
    fn ready(&self) -> bool;

    /// A look at everything that can be away, within a second.
    async fn check(&self) -> HealthReport;
}

/// What `/health` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthReport {
    /// In one word.
    pub status: HealthStatus,
    /// The database answers.
    pub store: bool,
    /// New notifications are taken.
    pub accepting: bool,
    /// The version of the running program, such as `0.1.0`.
    pub version: &'static str,
}

/// Well or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// All is well.
    Ok,
    /// Something is away; what was accepted is safe.
    Degraded,
}

impl HealthReport {
    /// `ok` if the database answers and new notifications are taken.
    pub fn new(store: bool, accepting: bool) -> Self {
        let status = if store && accepting { HealthStatus::Ok } else { HealthStatus::Degraded };
        Self { status, store, accepting, version: env!("CARGO_PKG_VERSION") }
    }
}
