//! What the core asks of `pipeline`: to take work over, durably.

use async_trait::async_trait;
use carillon_domain::Error;
use carillon_domain::message::Message;
use carillon_domain::notification::Notification;
use carillon_domain::tenant::KeyKind;

use crate::work::{Accepted, Idempotency, Payload};

/// One send or one batch request: all of it is written, or nothing.
#[derive(Debug, Clone)]
pub struct Submission {
    /// 1 to 1,000 rows with ascending ids, all of one tenant.
    pub items: Vec<SubmissionItem>,
    /// The key that makes it happen once.
    pub idempotency: Option<Idempotency>,
}

/// One notification, complete but for where its queue row begins.
#[derive(Debug, Clone)]
pub struct SubmissionItem {
    /// The row; its id comes from [`Acceptor::ids`]. Its status is set by the acceptor.
    pub notification: Notification,
    /// What it was made of, for rendering again.
    pub payload: Payload,
    /// The kind of key it came with: it decides the account.
    pub kind: KeyKind,
    /// Rendered already, so that it can be sent from memory. `None`: scheduled, or not to be sent from memory.
    pub message: Option<Message>,
    /// The commit itself delivers it (`in_app`).
    pub delivered: bool,
}

/// Implemented by `pipeline`, called by `app`, wired by `server`.
#[async_trait]
pub trait Acceptor: Send + Sync + 'static {
    /// Writes `submission` and resolves after the commit. The caller's deadline is the caller's: a dropped future does
    /// not undo the write.
    ///
    /// # Errors
    /// `overloaded` if too much waits to be written, `unavailable` while stopping or fenced, or what the store says.
    async fn accept(&self, submission: Submission) -> Result<Accepted, Error>;

    /// The first of `count` (1 to 1,000) consecutive notification ids.
    ///
    /// # Errors
    /// What the store says.
    async fn ids(&self, count: usize) -> Result<i64, Error>;

    /// Something became ready in the table: claim soon. Never waits.
    fn nudge(&self);
}
