use std::fmt;

use carillon_domain::{Channel, Priority, Ref, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a client asks for, with the wire's names. Every door fills the same one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SendNotification {
    /// By which way.
    pub channel: Channel,
    /// To whom.
    #[serde(deserialize_with = "carillon_domain::json::object")]
    pub recipient: RecipientInput,
    /// The template, by id or uuid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_id: Option<TemplateIdInput>,
    /// The template, by code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// What it says, instead of a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direct_content: Option<Value>,
    /// What the template is filled with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variables: Option<Map<String, Value>>,
    /// How urgent; normal unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// For whom the localization is chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// Not before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_at: Option<Timestamp>,
    /// Not after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Strict order among those with the same key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordering_key: Option<String>,
    /// The client's own words about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
}

/// A recipient before it has been checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecipientInput {
    /// The tenant's own id of the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// E-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Phone number with a country code; spaces and punctuation are taken out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// Device token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push_token: Option<String>,
    /// Display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A template's id as a number, or its id, uuid or code as a string.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum TemplateIdInput {
    /// The int64 id.
    Number(i64),
    /// The uuid, or the id as a string.
    Text(String),
}

impl<'de> Deserialize<'de> for TemplateIdInput {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = TemplateIdInput;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a template's id or uuid")
            }

            fn visit_i64<E>(self, id: i64) -> Result<Self::Value, E> {
                Ok(TemplateIdInput::Number(id))
            }

            fn visit_u64<E: serde::de::Error>(self, id: u64) -> Result<Self::Value, E> {
                i64::try_from(id).map(TemplateIdInput::Number).map_err(|_| E::custom("no template has such an id"))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(TemplateIdInput::Text(text.to_owned()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl TemplateIdInput {
    pub(crate) fn to_ref(&self) -> Ref {
        match self {
            Self::Number(id) => Ref::Id(*id),
            Self::Text(text) => text.parse().unwrap_or_else(|never: std::convert::Infallible| match never {}),
        }
    }
}

/// The client's key that makes a send happen once: 1 to 255 printable ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Checks the key.
    ///
    /// # Errors
    /// `validation_failed`.
    pub fn new(key: impl Into<String>) -> Result<Self, carillon_domain::Error> {
        let key = key.into();
        if (1..=255).contains(&key.len()) && key.bytes().all(|b| (b' '..=b'~').contains(&b)) {
            return Ok(Self(key));
        }
        let message = "an idempotency key is 1 to 255 printable ASCII characters";
        Err(carillon_domain::Error::invalid(carillon_domain::FieldError::new(
            "/idempotencyKey",
            "invalid_idempotency_key",
            message,
        )))
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
