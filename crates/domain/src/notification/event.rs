//! The event log's entries: the timeline that people read, and the outbox that subscribers follow.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Timestamp;

/// What happened. The public name is `notification.` and the word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// Accepted and on disk.
    Requested,
    /// Due, in the queue.
    Queued,
    /// A provider call began.
    Sending,
    /// A provider call did not succeed.
    AttemptFailed,
    /// Another try is planned.
    RetryScheduled,
    /// Another account takes over.
    FailedOver,
    /// The provider may have it.
    Unknown,
    /// The provider took it.
    Sent,
    /// The person's device or mailbox has it.
    Delivered,
    /// It did not reach the person.
    Failed,
    /// The person read it.
    Read,
    /// Stopped before any provider had it.
    Cancelled,
    /// Not sent, on purpose.
    Skipped,
    /// Parked for a person to look at.
    DeadLettered,
    /// A new run began.
    Replayed,
}

impl EventKind {
    /// The public name, such as `notification.sent`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requested => "notification.requested",
            Self::Queued => "notification.queued",
            Self::Sending => "notification.sending",
            Self::AttemptFailed => "notification.attempt_failed",
            Self::RetryScheduled => "notification.retry_scheduled",
            Self::FailedOver => "notification.failed_over",
            Self::Unknown => "notification.unknown",
            Self::Sent => "notification.sent",
            Self::Delivered => "notification.delivered",
            Self::Failed => "notification.failed",
            Self::Read => "notification.read",
            Self::Cancelled => "notification.cancelled",
            Self::Skipped => "notification.skipped",
            Self::DeadLettered => "notification.dead_lettered",
            Self::Replayed => "notification.replayed",
        }
    }
}

/// One transition. All that one commit did to one notification are stored in one row, in order, as a JSON array of
/// these; the short names keep that row small.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transition {
    /// What happened.
    #[serde(rename = "k")]
    pub kind: EventKind,
    /// When.
    #[serde(rename = "t", with = "chrono::serde::ts_microseconds")]
    pub at: Timestamp,
    /// Which attempt, over all runs; absent where none is meant.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<i32>,
    /// Which provider.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// More: the provider's words, when the next try is, why it was skipped.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Value>,
}

impl Transition {
    /// A transition without attempt, provider or detail.
    pub fn new(kind: EventKind, at: Timestamp) -> Self {
        Self { kind, at, attempt: None, provider: None, detail: None }
    }

    /// As part of an attempt with a provider.
    #[must_use]
    pub fn by(mut self, attempt: i32, provider: &str) -> Self {
        self.attempt = Some(attempt);
        self.provider = Some(provider.to_owned());
        self
    }

    /// With more to say.
    #[must_use]
    pub fn with(mut self, detail: Value) -> Self {
        self.detail = Some(detail);
        self
    }
}
