//! What the sandbox caught. Rows are written by [`WorkStore::finish`](crate::WorkStore::finish).

use async_trait::async_trait;
use carillon_domain::content::Content;
use carillon_domain::principal::TenantScope;
use carillon_domain::{Channel, Error, Ref, Timestamp};
use uuid::Uuid;

use crate::page::{Page, Slice};

/// A captured message.
#[derive(Debug, Clone, PartialEq)]
pub struct SandboxMessage {
    /// The id.
    pub id: i64,
    /// By which way.
    pub channel: Channel,
    /// The address.
    pub to: String,
    /// What the person would see.
    pub content: Content,
    /// Of which notification.
    pub notification_uuid: Uuid,
    /// When.
    pub at: Timestamp,
}

/// Which captured messages are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SandboxFilter {
    /// By which way.
    pub channel: Option<Channel>,
    /// To exactly this address.
    pub recipient: Option<String>,
    /// At or after.
    pub since: Option<Timestamp>,
}

/// Every method names the tenant.
#[async_trait]
pub trait SandboxStore: Send + Sync + 'static {
    /// Newest first; the position is the last id.
    async fn sandbox_list(
        &self,
        scope: TenantScope,
        filter: &SandboxFilter,
        page: Page,
    ) -> Result<Slice<SandboxMessage>, Error>;

    /// One, by its id or by the notification's uuid (the newest of it).
    async fn sandbox_get(&self, scope: TenantScope, message: &Ref) -> Result<SandboxMessage, Error>;

    /// Deletes all of the tenant's.
    async fn sandbox_clear(&self, scope: TenantScope) -> Result<u64, Error>;

    /// Keeps the newest `keep` of each tenant.
    async fn sandbox_trim(&self, keep: u32) -> Result<u64, Error>;
}
