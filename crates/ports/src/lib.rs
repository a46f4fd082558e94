//! The traits that the core speaks to. `store` implements [`Store`], `channels` implements [`ChannelProvider`], `app`
//! implements [`DeliveryHandler`] for `pipeline`. Nothing here knows HTTP or SQL.

pub mod delivery;
pub mod notifications;
pub mod page;
pub mod provider;
pub mod sandbox;
pub mod templates;
pub mod tenants;
pub mod work;

pub use delivery::DeliveryHandler;
pub use notifications::NotificationStore;
pub use page::{Page, Slice};
pub use provider::{Account, Accounts, ChannelProvider};
pub use sandbox::SandboxStore;
pub use templates::TemplateStore;
pub use tenants::TenantStore;
pub use work::WorkStore;

/// Everything that a store does. One conformance suite proves each method on SQLite and on PostgreSQL.
pub trait Store: WorkStore + NotificationStore + TemplateStore + TenantStore + SandboxStore {}

impl<T: WorkStore + NotificationStore + TemplateStore + TenantStore + SandboxStore> Store for T {}
