//! The words that everything else is written in: ids, the notification and its state machine, content, principals,
//! errors, clock. Pure values and rules; nothing here reads a file, a socket or the ambient clock.

pub mod api_key;
pub mod content;
pub mod delivery;
pub mod error;
pub mod id;
pub mod json;
pub mod message;
pub mod notification;
pub mod principal;
pub mod template;
pub mod tenant;
pub mod time;

mod channel;
mod recipient;

pub use channel::{Channel, Priority};
pub use error::{Error, ErrorCode, FieldError, Result};
pub use id::{ApiKeyId, NotificationId, NotificationRef, Ref, TemplateId, TenantId};
pub use notification::{Status, event::EventKind};
pub use principal::{Action, Principal, Role};
pub use recipient::Recipient;
pub use time::{Clock, Entropy, Timestamp};
