//! Reading notifications, and what a person does to one.

use async_trait::async_trait;
use carillon_domain::notification::event::Transition;
use carillon_domain::notification::{DeliveryError, Notification};
use carillon_domain::principal::TenantScope;
use carillon_domain::{Channel, Error, NotificationId, NotificationRef, Status, TemplateId, Timestamp};

use crate::page::{Page, Slice};
use crate::work::Payload;

/// Which notifications are wanted. All given conditions hold together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NotificationFilter {
    /// What has become of them.
    pub status: Option<Status>,
    /// By which way.
    pub channel: Option<Channel>,
    /// Made from this template.
    pub template: Option<TemplateId>,
    /// The recipient's address in the channel, exactly.
    pub recipient: Option<String>,
    /// The tenant's own id of the person.
    pub user_id: Option<String>,
    /// `metadata.<key>` equals this string.
    pub metadata: Vec<(String, String)>,
    /// Accepted at or after.
    pub created_after: Option<Timestamp>,
    /// Accepted before.
    pub created_before: Option<Timestamp>,
}

/// A row of the timeline.
#[derive(Debug, Clone, PartialEq)]
pub struct TimelineEntry {
    /// Opaque; rises along the timeline.
    pub id: String,
    /// What happened.
    pub transition: Transition,
}

/// A parked notification.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetter {
    /// The notification; its id is the dead letter's.
    pub notification: Notification,
    /// `permanent`, `exhausted`, `technical`, `expired`, or `unknown` for one on hold.
    pub reason: String,
    /// When it was parked.
    pub parked_at: Timestamp,
    /// What the last attempt said.
    pub error: Option<DeliveryError>,
}

/// Which dead letters are wanted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeadLetterFilter {
    /// By which way.
    pub channel: Option<Channel>,
    /// Why.
    pub reason: Option<String>,
    /// The provider that was tried last.
    pub provider: Option<String>,
    /// Parked at or after.
    pub since: Option<Timestamp>,
    /// Parked before.
    pub until: Option<Timestamp>,
}

/// Every method names the tenant; a foreign id is `not_found`.
#[async_trait]
pub trait NotificationStore: Send + Sync + 'static {
    /// The notification. While a provider call is under way its status reads `sending`.
    async fn notification_get(&self, scope: TenantScope, id: NotificationRef) -> Result<Notification, Error>;

    /// What it is rendered from.
    async fn notification_payload(&self, scope: TenantScope, id: NotificationId) -> Result<Payload, Error>;

    /// Newest first; the position is the last id.
    async fn notification_list(
        &self,
        scope: TenantScope,
        filter: &NotificationFilter,
        page: Page,
    ) -> Result<Slice<Notification>, Error>;

    /// Oldest first, each transition an entry. A timeline is short: it comes whole.
    async fn notification_timeline(&self, scope: TenantScope, id: NotificationId) -> Result<Vec<TimelineEntry>, Error>;

    /// State checked under the row's lock, queue row removed, `notification.cancelled` appended: together or not at all.
    /// A row that waits in this or another process's memory is reached by the intent protocol.
    ///
    /// # Errors
    /// `invalid_state` once a provider may have it. Cancelling what is cancelled is no mistake.
    async fn notification_cancel(
        &self,
        scope: TenantScope,
        id: NotificationRef,
        at: Timestamp,
    ) -> Result<Notification, Error>;

    /// Opens run n+1: the parked row, or a new one, is ready; status `queued`; `notification.replayed` and `queued`
    /// appended. Used by `retry` and by dead-letter replay.
    ///
    /// # Errors
    /// `invalid_state` if it is under way or has reached the person.
    async fn notification_retry(
        &self,
        scope: TenantScope,
        id: NotificationRef,
        at: Timestamp,
    ) -> Result<Notification, Error>;

    /// Marks it read, once; the first time stands.
    ///
    /// # Errors
    /// `invalid_state` before a provider took it.
    async fn notification_mark_read(
        &self,
        scope: TenantScope,
        id: NotificationRef,
        at: Timestamp,
    ) -> Result<Notification, Error>;

    /// Newest parked first; the position is the last id.
    async fn dead_letter_list(
        &self,
        scope: TenantScope,
        filter: &DeadLetterFilter,
        page: Page,
    ) -> Result<Slice<DeadLetter>, Error>;

    /// One dead letter.
    async fn dead_letter_get(&self, scope: TenantScope, id: NotificationRef) -> Result<DeadLetter, Error>;
}
