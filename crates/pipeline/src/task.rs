//! What is held in memory for a leased row.

use std::sync::Arc;

use carillon_domain::message::Message;
use carillon_domain::notification::Notification;
use carillon_domain::{NotificationId, Recipient, TenantId, Timestamp};
use carillon_ports::Account;
use carillon_ports::work::{Finish, Hold, Payload, Tries};

/// A leased row, without what it says.
#[derive(Debug, Clone)]
pub(crate) struct Ticket {
    pub(crate) id: NotificationId,
    pub(crate) tenant: TenantId,
    pub(crate) hold: Hold,
    pub(crate) account: Arc<Account>,
    /// Attempts so far, over all runs.
    pub(crate) attempts: i32,
    pub(crate) tries: Tries,
    pub(crate) expires_at: Option<Timestamp>,
    /// What it takes of the memory bound.
    pub(crate) bytes: usize,
}

impl Ticket {
    pub(crate) fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

/// A leased row, ready to be sent.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) ticket: Ticket,
    pub(crate) message: Message,
}

/// A task as it is handed around: queues and lanes move a pointer, not a message.
pub(crate) type Parcel = Box<Task>;

/// A row that leaves memory once its outcome is on disk.
#[derive(Debug)]
pub(crate) struct Leaver {
    pub(crate) ticket: Ticket,
    /// It had a slot, which the commit frees.
    pub(crate) permitted: bool,
    /// What went wrong, for the meters: a stable word.
    pub(crate) trouble: &'static str,
}

/// A row that we are done with, and what is to be written about it.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) leaver: Leaver,
    pub(crate) finish: Finish,
}

impl Done {
    /// The same for a row that had no slot, or had one.
    pub(crate) fn permitted(mut self, permitted: bool) -> Self {
        self.leaver.permitted = permitted;
        self
    }
}

/// What a row takes in memory, roughly: its texts, its message, and the structures around them.
pub(crate) fn weight(notification: &Notification, payload: &Payload, message: Option<&Message>) -> usize {
    const AROUND: usize = 1024;
    AROUND
        + payload.variables.len()
        + payload.direct.as_ref().map_or(0, String::len)
        + notification.metadata.as_ref().map_or(0, String::len)
        + message.map_or(0, |message| message.content.weight() + addresses(&message.recipient))
}

fn addresses(of: &Recipient) -> usize {
    [&of.user_id, &of.email, &of.phone, &of.push_token, &of.name].into_iter().flatten().map(String::len).sum()
}
