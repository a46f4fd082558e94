//! A message as a provider gets it.

use uuid::Uuid;

use crate::content::Content;
use crate::{NotificationId, Recipient, TenantId};

/// One rendered message for one recipient: what goes on the wire.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Whose it is.
    pub tenant: TenantId,
    /// The notification's id.
    pub id: NotificationId,
    /// The notification's uuid: the `Message-ID`, the idempotency key at providers that take one.
    pub uuid: Uuid,
    /// To whom.
    pub recipient: Recipient,
    /// What it says.
    pub content: Content,
}

impl Message {
    /// The address of the message's own channel; empty if it has none, which planning rules out.
    pub fn to(&self) -> &str {
        self.recipient.address(self.content.channel()).unwrap_or_default()
    }
}
