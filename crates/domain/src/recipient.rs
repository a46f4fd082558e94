use serde::{Deserialize, Serialize};

use crate::Channel;

/// Who gets it. The address of the notification's channel must be there, or a `userId` whose profile has it.
/// Values of this type have been checked at the door: no control characters, an e-mail address that parses, a phone
/// number in E.164.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Recipient {
    /// The tenant's own id of the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// E-mail address; the domain in ASCII (IDNA).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Phone number in E.164, such as `+441632960961`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// Device token of the push provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub push_token: Option<String>,
    /// Display name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Recipient {
    /// The address that `channel` delivers to, if it is known.
    pub fn address(&self, channel: Channel) -> Option<&str> {
        match channel {
            Channel::Email => self.email.as_deref(),
            Channel::Sms | Channel::Whatsapp => self.phone.as_deref(),
            Channel::Push => self.push_token.as_deref(),
            Channel::InApp => self.user_id.as_deref(),
        }
    }
}
