//! The traits that the core speaks to. `store` implements those of [`Store`], `channels` implements [`ChannelProvider`], `app`
//! implements [`DeliveryHandler`] for `pipeline`. Nothing here knows HTTP or SQL.

pub mod accept;
pub mod delivery;
pub mod events;
pub mod notifications;
pub mod page;
pub mod provider;
pub mod sandbox;
pub mod templates;
pub mod tenants;
pub mod work;

pub use accept::{Acceptor, Submission, SubmissionItem};
pub use delivery::DeliveryHandler;
pub use events::EventLog;
pub use notifications::NotificationStore;
pub use page::{Page, Slice};
pub use provider::{Account, Accounts, ChannelProvider};
pub use sandbox::SandboxStore;
pub use templates::TemplateStore;
pub use tenants::TenantStore;
pub use work::WorkStore;

use std::sync::Arc;

/// Everything that a store does, one handle per concern. One conformance suite proves each method on SQLite and on
/// PostgreSQL.
#[derive(Clone)]
pub struct Store {
    /// The hot path.
    pub work: Arc<dyn WorkStore>,
    /// Reading notifications, and what a person does to one.
    pub notifications: Arc<dyn NotificationStore>,
    /// Templates.
    pub templates: Arc<dyn TemplateStore>,
    /// Tenants and keys.
    pub tenants: Arc<dyn TenantStore>,
    /// What happened, for those who follow.
    pub events: Arc<dyn EventLog>,
    /// What the sandbox caught.
    pub sandbox: Arc<dyn SandboxStore>,
}
