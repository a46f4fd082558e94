//! The notification: what was asked for, and what has become of it.

pub mod event;
mod status;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use status::{InvalidState, Status};

use crate::{Channel, NotificationId, Priority, Recipient, TemplateId, TenantId, Timestamp};

/// A notification as it stands in the store.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    /// The id.
    pub id: NotificationId,
    /// The public uuid.
    pub uuid: Uuid,
    /// Whose.
    pub tenant_id: TenantId,
    /// By which way.
    pub channel: Channel,
    /// What has become of it.
    pub status: Status,
    /// How urgent.
    pub priority: Priority,
    /// To whom.
    pub recipient: Recipient,
    /// The template and its version, pinned at acceptance.
    pub template: Option<PinnedTemplate>,
    /// The locale whose localization was chosen at acceptance.
    pub locale: Option<String>,
    /// The provider that has it, or tried last.
    pub provider: Option<String>,
    /// The provider's own id of it.
    pub provider_message_id: Option<String>,
    /// Attempts so far, over all runs.
    pub attempts: i32,
    /// Why it failed or was skipped, or what the last attempt said.
    pub error: Option<DeliveryError>,
    /// The client's own words about it, as JSON text.
    pub metadata: Option<String>,
    /// Of the request that brought it.
    pub correlation_id: Option<String>,
    /// Strict order among those with the same key.
    pub ordering_key: Option<String>,
    /// Not before.
    pub scheduled_at: Option<Timestamp>,
    /// Not after.
    pub expires_at: Option<Timestamp>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When a provider took it.
    pub sent_at: Option<Timestamp>,
    /// When the person's device or mailbox had it.
    pub delivered_at: Option<Timestamp>,
    /// When the person read it.
    pub read_at: Option<Timestamp>,
    /// Counts up with each `retry` or `replay`; 1 at first.
    pub run: i32,
    /// Came in with a test key: the sandbox, only ever.
    pub test: bool,
}

/// A template as pinned at acceptance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PinnedTemplate {
    /// Which template.
    pub id: TemplateId,
    /// Which of its versions.
    pub version: i32,
}

/// Why a notification failed, as a client sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryError {
    /// A stable word.
    pub code: String,
    /// A sentence, often the provider's own.
    pub message: String,
    /// Whether another try cannot help.
    pub permanent: bool,
}
