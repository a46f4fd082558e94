//! Templates: a code, immutable published versions, localizations, a part per channel.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::content::Content;
use crate::{Channel, TemplateId, TenantId, Timestamp};

/// A template; what it says is in its versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Template {
    /// The id.
    pub id: TemplateId,
    /// The public uuid.
    pub uuid: Uuid,
    /// Whose.
    pub tenant_id: TenantId,
    /// The tenant's word for it, unique within the tenant, such as `order-shipped`.
    pub code: String,
    /// For people.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// The version that new notifications use; `None` until one is published.
    pub current_version: Option<i32>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// One version. Drafts change, published versions never do.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TemplateVersion {
    /// The id.
    pub id: i64,
    /// The public uuid.
    pub uuid: Uuid,
    /// Of which template.
    pub template_id: TemplateId,
    /// 1, 2, 3 within the template.
    pub version: i32,
    /// Draft or published.
    pub status: VersionStatus,
    /// What it says.
    #[serde(flatten)]
    pub body: TemplateBody,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was published.
    pub published_at: Option<Timestamp>,
}

/// Draft or published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VersionStatus {
    /// May change, is never sent.
    Draft,
    /// Is sent, never changes.
    Published,
}

/// What a version says: the locales, the variables that it needs, and a part per locale and channel.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TemplateBody {
    /// The last resort of the locale fallback (`de-CH` → `de` → this); must be among the localizations.
    pub default_locale: String,
    /// What senders must or may give.
    pub variables: Vec<Variable>,
    /// Locale → channel → part.
    pub localizations: BTreeMap<String, Localization>,
}

/// The parts of one locale.
pub type Localization = BTreeMap<Channel, Content>;

/// A declared variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Variable {
    /// Its top-level name, such as `order`.
    pub name: String,
    /// A send without it is refused.
    #[serde(default)]
    pub required: bool,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}
