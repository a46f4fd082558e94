//! The core: one service per resource. Every door (REST, the command line, later gRPC, GraphQL, Kafka) builds an
//! [`OpCtx`], calls one method here and converts the answer. No HTTP, no SQL.

mod context;
mod cursor;
mod dead_letters;
mod delivery;
mod notifications;
mod sandbox;
mod templates;
mod tenants;

use std::sync::Arc;

use carillon_domain::{Clock, Entropy};
use carillon_ports::accept::Acceptor;
use carillon_ports::{Accounts, Store};

pub use context::OpCtx;
pub use cursor::{Listed, PageRequest};
pub use dead_letters::{DeadLetterService, Replayed};
pub use delivery::Delivery;
pub use notifications::command::{IdempotencyKey, RecipientInput, SendNotification, TemplateIdInput};
pub use notifications::{BatchAnswer, NotificationService, SendAnswer};
pub use sandbox::SandboxService;
pub use templates::{PreviewRequest, TemplateService, VersionInput};
pub use tenants::{KeyRequest, NewKey, TenantService};

pub use templates::Catalog;

/// What lists are asked by and what they hold: the store's own words, passed on so that no door needs the ports.
pub mod view {
    pub use carillon_ports::notifications::{DeadLetter, DeadLetterFilter, NotificationFilter, TimelineEntry};
    pub use carillon_ports::sandbox::{SandboxFilter, SandboxMessage};
    pub use carillon_ports::templates::TemplatePatch;
}

/// All services. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// Send, list, get, content, timeline, cancel, retry, read.
    pub notifications: Arc<NotificationService>,
    /// List, get, replay.
    pub dead_letters: Arc<DeadLetterService>,
    /// Templates and their versions.
    pub templates: Arc<TemplateService>,
    /// Tenants and their keys.
    pub tenants: Arc<TenantService>,
    /// What the sandbox caught.
    pub sandbox: Arc<SandboxService>,
}

/// What the services stand on.
#[derive(Clone)]
pub struct Parts {
    /// The store.
    pub store: Store,
    /// The pipeline.
    pub acceptor: Arc<dyn Acceptor>,
    /// Which account serves whom.
    pub accounts: Arc<dyn Accounts>,
    /// Published template versions, cached; shared with [`Delivery`].
    pub catalog: Catalog,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Ids and keys.
    pub entropy: Arc<dyn Entropy>,
}

impl App {
    /// Wires the services.
    pub fn new(parts: Parts) -> Self {
        Self {
            notifications: Arc::new(NotificationService::new(parts.clone())),
            dead_letters: Arc::new(DeadLetterService::new(parts.clone())),
            templates: Arc::new(TemplateService::new(parts.clone())),
            tenants: Arc::new(TenantService::new(parts.clone())),
            sandbox: Arc::new(SandboxService::new(parts)),
        }
    }
}
