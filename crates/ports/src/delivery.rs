//! What `pipeline` asks of the core while it delivers.

use std::sync::Arc;

use async_trait::async_trait;
use carillon_domain::message::Message;
use carillon_domain::tenant::KeyKind;
use carillon_domain::{Channel, Error, TenantId};

use crate::provider::Account;
use crate::work::Job;

/// Implemented by `app`, called by `pipeline`, wired by `server`.
#[async_trait]
pub trait DeliveryHandler: Send + Sync + 'static {
    /// Which account takes it. In memory, never waits.
    fn route(&self, tenant: TenantId, channel: Channel, kind: KeyKind) -> Arc<Account>;

    /// Renders again from the pinned template version and the stored variables, as at acceptance.
    ///
    /// # Errors
    /// `unavailable` if the store is away (the row is given back); anything else fails the notification for good.
    async fn prepare(&self, job: &Job) -> Result<Message, Error>;
}
