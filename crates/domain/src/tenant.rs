//! Tenants and their API keys.

use serde::Serialize;
use uuid::Uuid;

use crate::principal::Role;
use crate::{ApiKeyId, TenantId, Timestamp};

/// A customer of the installation; everything belongs to exactly one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tenant {
    /// The id.
    pub id: TenantId,
    /// The public uuid.
    pub uuid: Uuid,
    /// Lower-case word of 1 to 63 characters, unique.
    pub code: String,
    /// For people.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What a key may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// Real providers.
    Live,
    /// The sandbox, only ever.
    Test,
}

impl KeyKind {
    /// The canonical word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }

    /// The kind with that word.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "live" => Some(Self::Live),
            "test" => Some(Self::Test),
            _ => None,
        }
    }
}

impl Serialize for KeyKind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// An API key's row. The key itself is shown once, when it is made, and stored as a SHA-256 hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiKey {
    /// The id.
    pub id: ApiKeyId,
    /// The public uuid.
    pub uuid: Uuid,
    /// Whose.
    pub tenant_id: TenantId,
    /// For people.
    pub name: String,
    /// Live or test.
    pub kind: KeyKind,
    /// The first characters of the key, to tell keys apart.
    pub prefix: String,
    /// What its holder may do.
    pub roles: Vec<Role>,
    /// Narrows the roles to these scopes, such as `notifications:send`; `None` narrows nothing.
    pub scopes: Option<Vec<String>>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}
