//! What a message says, by channel. The same shape serves as `directContent` on the wire, as a part of a template's
//! localization (its strings are then templates) and as what a provider gets (its strings are then text).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Channel, Error, FieldError};

/// A message's content. Serialises to the plain object of its channel, without a tag.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Content {
    /// E-mail.
    Email(Email),
    /// Text message.
    Sms(Sms),
    /// Push.
    Push(Push),
    /// WhatsApp.
    Whatsapp(Whatsapp),
    /// In-app.
    InApp(InApp),
}

/// An e-mail: a subject, and text or HTML or both.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Email {
    /// The subject; one line.
    pub subject: String,
    /// The plain text part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The HTML part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// Where answers go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// Files; not templates.
    #[serde(default, deserialize_with = "crate::json::objects", skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
}

/// A file that goes with an e-mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Attachment {
    /// Its name, without a path.
    pub filename: String,
    /// Its media type, such as `application/pdf`.
    pub content_type: String,
    /// Its bytes in standard base64.
    pub content_base64: String,
}

/// A text message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sms {
    /// The text.
    pub text: String,
}

/// A push notification.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Push {
    /// The title.
    pub title: String,
    /// The body.
    pub body: String,
    /// URL of a picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// For the app; values are strings where the provider wants strings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Map<String, Value>>,
    /// What a tap opens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// A WhatsApp message: free text, or a template that WhatsApp has approved.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Whatsapp {
    /// Free text, inside the 24 h window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The approved template's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_name: Option<String>,
    /// The approved template's language, such as `de`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// The approved template's parameters, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<String>,
}

/// A message in the tenant's own product.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InApp {
    /// The title.
    pub title: String,
    /// The body.
    pub body: String,
    /// What a click opens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// For the app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Map<String, Value>>,
}

impl Content {
    /// Which channel this is for.
    pub const fn channel(&self) -> Channel {
        match self {
            Self::Email(_) => Channel::Email,
            Self::Sms(_) => Channel::Sms,
            Self::Push(_) => Channel::Push,
            Self::Whatsapp(_) => Channel::Whatsapp,
            Self::InApp(_) => Channel::InApp,
        }
    }

    /// Reads the object of `channel`.
    ///
    /// # Errors
    /// `validation_failed` with a pointer under `at`.
    pub fn parse(channel: Channel, value: Value, at: &str) -> Result<Self, Error> {
        match channel {
            Channel::Email => {
                let email: Email = crate::json::from_value(value, at)?;
                if email.text.is_none() && email.html.is_none() {
                    return Err(missing(at, "an e-mail needs text or html"));
                }
                Ok(Self::Email(email))
            }
            Channel::Sms => crate::json::from_value(value, at).map(Self::Sms),
            Channel::Push => crate::json::from_value(value, at).map(Self::Push),
            Channel::Whatsapp => {
                let message: Whatsapp = crate::json::from_value(value, at)?;
                match (&message.text, &message.template_name, &message.language) {
                    (Some(_), None, None) if message.parameters.is_empty() => {}
                    (None, Some(_), Some(_)) => {}
                    _ => return Err(missing(at, "WhatsApp needs either text, or templateName and language")),
                }
                Ok(Self::Whatsapp(message))
            }
            Channel::InApp => crate::json::from_value(value, at).map(Self::InApp),
        }
    }

    /// Bytes of text that this holds, roughly: what a memory bound counts.
    pub fn weight(&self) -> usize {
        let some = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        match self {
            Self::Email(m) => {
                m.subject.len()
                    + some(&m.text)
                    + some(&m.html)
                    + m.attachments.iter().map(|a| a.content_base64.len() + a.filename.len()).sum::<usize>()
            }
            Self::Sms(m) => m.text.len(),
            Self::Push(m) => m.title.len() + m.body.len() + some(&m.image) + some(&m.link),
            Self::Whatsapp(m) => some(&m.text) + m.parameters.iter().map(String::len).sum::<usize>(),
            Self::InApp(m) => m.title.len() + m.body.len() + some(&m.link),
        }
    }
}

fn missing(at: &str, message: &str) -> Error {
    Error::invalid(FieldError::new(at, "missing_content", message))
}
