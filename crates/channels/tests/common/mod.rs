//! Messages for the tests.
#![allow(dead_code, reason = "not every test file uses all of it")]

use std::sync::Arc;
use std::time::Duration;

use carillon_domain::content::{Content, Email};
use carillon_domain::message::Message;
use carillon_domain::time::SystemEntropy;
use carillon_domain::time::{Clock, Entropy as _, ManualClock};
use carillon_domain::{NotificationId, Recipient, TenantId};

/// The longest that a test lets a call take.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(5);

/// A clock that stands still.
pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::new("2026-11-23T10:00:00Z".parse().unwrap()))
}

/// A message to `to`.
pub(crate) fn email(to: &str, email: Email) -> Message {
    Message {
        tenant: TenantId(1),
        id: NotificationId(1),
        uuid: SystemEntropy.uuid(clock().now()),
        recipient: Recipient { email: Some(to.to_owned()), ..Recipient::default() },
        content: Content::Email(email),
    }
}

/// A short text.
pub(crate) fn hello(to: &str) -> Message {
    email(to, Email { subject: "Hello".to_owned(), text: Some("Hello, Ada.".to_owned()), ..Email::default() })
}
