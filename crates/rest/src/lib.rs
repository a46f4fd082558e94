//! The REST door: parse, call one service method, convert.
//!
//! * [`router`] is everything that is answered over HTTP in this version of the wire; `routes` has one file per resource.
//! * `edge` wraps every request: ids, deadline, panics, metrics, and problem+json for whatever failed.
//! * `json`, `query` and `body` read input, strictly and within limits.
//! * `openapi` describes each route at the place where it is mounted, so that neither exists without the other.
//!
//! May use `app`, `auth`, `domain`, `ports` (filters and patches only) and `telemetry`; no SQL, no rules of the domain.

mod answer;
mod body;
mod caller;
mod dto;
mod edge;
mod health;
mod ids;
mod json;
mod openapi;
mod problem;
mod query;
mod routes;

use std::sync::Arc;

use axum::Router;
use carillon_app::App;
use carillon_auth::Authenticator;
use carillon_domain::{Clock, Entropy};
use carillon_telemetry::{Meters, Prometheus};
use secrecy::SecretString;

pub use health::{HealthReport, HealthSource, HealthStatus};

/// What the door stands on.
pub struct RestState {
    /// The services.
    pub app: App,
    /// From credentials to principals.
    pub auth: Authenticator,
    /// What requests are counted with.
    pub meters: Arc<Meters>,
    /// What `/metrics` shows.
    pub prometheus: Prometheus,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Request ids.
    pub entropy: Arc<dyn Entropy>,
    /// How the process is.
    pub health: Arc<dyn HealthSource>,
    /// What an operator can choose.
    pub settings: RestSettings,
}

/// What an operator can choose about this door.
#[derive(Debug, Clone, Default)]
pub struct RestSettings {
    /// Where clients reach us, such as `https://notify.example.com`; the server that the OpenAPI document names.
    pub public_url: Option<String>,
    /// If set, `/metrics` asks for it as a bearer token.
    pub metrics_token: Option<SecretString>,
}

/// The state as handlers share it.
type Shared = Arc<RestState>;

/// All routes of this door.
pub fn router(state: RestState) -> Router {
    router_with_pages(state, Router::new())
}

/// All routes of this door and `pages` for people, under the same edge: request ids, deadline, panics, metrics.
pub fn router_with_pages(state: RestState, pages: Router) -> Router {
    let state = Arc::new(state);
    let edge = axum::middleware::from_fn_with_state(Arc::clone(&state), edge::edge);
    routes::all().router.with_state(state).merge(pages).fallback(routes::outside::unknown).layer(edge)
}

/// The OpenAPI 3.1 document: pretty, the same on every call, without a server of its own.
pub fn openapi_json() -> String {
    openapi::document(&routes::all().operations, None)
}
