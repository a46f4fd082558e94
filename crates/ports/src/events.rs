//! The event log, read along by a cursor.

use async_trait::async_trait;
use carillon_domain::notification::event::Transition;
use carillon_domain::{Error, NotificationId, TenantId};

/// A place in the log, in the store's own words. It stays good over restarts, also when the database was restored.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EventCursor(String);

impl EventCursor {
    /// From words that a store has given.
    pub fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }

    /// The words.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What one commit did to one notification.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Which.
    pub notification: NotificationId,
    /// Whose.
    pub tenant: TenantId,
    /// What happened, in order; never empty.
    pub transitions: Vec<Transition>,
}

/// What a read found.
#[derive(Debug, Clone, PartialEq)]
pub struct EventPage {
    /// Each after all that its transaction had seen.
    pub events: Vec<Event>,
    /// Where to go on.
    pub next: EventCursor,
    /// There was more than asked for.
    pub more: bool,
}

/// The log of all tenants, as subscribers follow it. Reading on from each page's `next` gives every event exactly once,
/// however late its transaction commits, and nobody's open transaction holds back what others have committed.
#[async_trait]
pub trait EventLog: Send + Sync + 'static {
    /// The end of the log: only what commits from now on comes after it.
    async fn event_log_end(&self) -> Result<EventCursor, Error>;

    /// Up to `limit` events after `after`.
    ///
    /// # Errors
    /// `invalid_request` for a cursor that no store of this kind has given.
    async fn event_log_read(&self, after: &EventCursor, limit: u32) -> Result<EventPage, Error>;
}
