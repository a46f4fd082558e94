//! Answers with the wire's names. Every field is always there; `null` says that there is nothing.

use std::collections::BTreeMap;

use carillon_app::view;
use carillon_domain::content::Content;
use carillon_domain::notification::{self, DeliveryError};
use carillon_domain::template::{self, Variable, VersionStatus};
use carillon_domain::{Channel, Priority, Recipient, Role, Status, Timestamp, tenant};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::openapi::components as openapi;

/// A time: RFC 3339, UTC, milliseconds.
#[derive(Debug, Clone, Copy, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-11-23T07:33:10.123Z")]
pub(crate) struct Time(Timestamp);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
    }
}

/// A notification.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Notification {
    id: i64,
    uuid: Uuid,
    tenant_id: i64,
    #[schema(schema_with = openapi::channel)]
    channel: Channel,
    #[schema(schema_with = openapi::status)]
    status: Status,
    #[schema(schema_with = openapi::priority)]
    priority: Priority,
    #[schema(schema_with = openapi::recipient)]
    recipient: Recipient,
    template_id: Option<i64>,
    template_version: Option<i32>,
    locale: Option<String>,
    provider: Option<String>,
    provider_message_id: Option<String>,
    attempts: i32,
    error: Option<Fault>,
    #[schema(value_type = Object)]
    metadata: Box<RawValue>,
    correlation_id: Option<String>,
    scheduled_at: Option<Time>,
    expires_at: Option<Time>,
    created_at: Time,
    updated_at: Time,
    sent_at: Option<Time>,
    delivered_at: Option<Time>,
    read_at: Option<Time>,
}

/// Why a notification failed, or what the last attempt said.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Fault {
    code: String,
    message: String,
    permanent: bool,
}

impl From<DeliveryError> for Fault {
    fn from(error: DeliveryError) -> Self {
        Self { code: error.code, message: error.message, permanent: error.permanent }
    }
}

impl From<notification::Notification> for Notification {
    fn from(n: notification::Notification) -> Self {
        Self {
            id: n.id.0,
            uuid: n.uuid,
            tenant_id: n.tenant_id.0,
            channel: n.channel,
            status: n.status,
            priority: n.priority,
            recipient: n.recipient,
            template_id: n.template.map(|pinned| pinned.id.0),
            template_version: n.template.map(|pinned| pinned.version),
            locale: n.locale,
            provider: n.provider,
            provider_message_id: n.provider_message_id,
            attempts: n.attempts,
            error: n.error.map(Fault::from),
            metadata: metadata(n.metadata),
            correlation_id: n.correlation_id,
            scheduled_at: n.scheduled_at.map(Time),
            expires_at: n.expires_at.map(Time),
            created_at: Time(n.created_at),
            updated_at: Time(n.updated_at),
            sent_at: n.sent_at.map(Time),
            delivered_at: n.delivered_at.map(Time),
            read_at: n.read_at.map(Time),
        }
    }
}

/// As it was stored; `{}` if nothing was.
fn metadata(text: Option<String>) -> Box<RawValue> {
    let stored = text.and_then(|text| RawValue::from_string(text).ok());
    stored.unwrap_or_else(|| RawValue::from_string("{}".to_owned()).unwrap_or_else(|_| RawValue::NULL.to_owned()))
}

/// A row of the timeline.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TimelineEntry {
    id: String,
    #[schema(example = "notification.sent")]
    r#type: &'static str,
    at: Time,
    attempt: Option<i32>,
    provider: Option<String>,
    #[schema(value_type = Object)]
    detail: Value,
}

impl From<view::TimelineEntry> for TimelineEntry {
    fn from(entry: view::TimelineEntry) -> Self {
        let transition = entry.transition;
        Self {
            id: entry.id,
            r#type: transition.kind.name(),
            at: Time(transition.at),
            attempt: transition.attempt,
            provider: transition.provider,
            detail: transition.detail.unwrap_or_else(|| json!({})),
        }
    }
}

/// A parked notification: what failed for good, or is on hold because a provider may have it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeadLetter {
    id: i64,
    uuid: Uuid,
    #[schema(example = "permanent")]
    reason: String,
    parked_at: Time,
    error: Option<Fault>,
    notification: Notification,
}

impl From<view::DeadLetter> for DeadLetter {
    fn from(letter: view::DeadLetter) -> Self {
        Self {
            id: letter.notification.id.0,
            uuid: letter.notification.uuid,
            reason: letter.reason,
            parked_at: Time(letter.parked_at),
            error: letter.error.map(Fault::from),
            notification: letter.notification.into(),
        }
    }
}

/// What a replay by filter did.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Replayed {
    replayed: u64,
    /// More match: call again.
    more: bool,
}

impl From<carillon_app::Replayed> for Replayed {
    fn from(done: carillon_app::Replayed) -> Self {
        Self { replayed: done.replayed, more: done.more }
    }
}

/// A template; what it says is in its versions.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Template {
    id: i64,
    uuid: Uuid,
    tenant_id: i64,
    code: String,
    name: String,
    description: Option<String>,
    /// The version that new notifications use.
    current_version: Option<i32>,
    created_at: Time,
    updated_at: Time,
}

impl From<template::Template> for Template {
    fn from(t: template::Template) -> Self {
        Self {
            id: t.id.0,
            uuid: t.uuid,
            tenant_id: t.tenant_id.0,
            code: t.code,
            name: t.name,
            description: t.description,
            current_version: t.current_version,
            created_at: Time(t.created_at),
            updated_at: Time(t.updated_at),
        }
    }
}

/// One version of a template.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TemplateVersion {
    id: i64,
    uuid: Uuid,
    template_id: i64,
    version: i32,
    #[schema(value_type = String, example = "draft")]
    status: VersionStatus,
    default_locale: String,
    #[schema(value_type = Vec<Object>)]
    variables: Vec<Variable>,
    /// Locale → channel → part.
    #[schema(value_type = Object)]
    localizations: BTreeMap<String, template::Localization>,
    created_at: Time,
    published_at: Option<Time>,
}

impl From<template::TemplateVersion> for TemplateVersion {
    fn from(v: template::TemplateVersion) -> Self {
        Self {
            id: v.id,
            uuid: v.uuid,
            template_id: v.template_id.0,
            version: v.version,
            status: v.status,
            default_locale: v.body.default_locale,
            variables: v.body.variables,
            localizations: v.body.localizations,
            created_at: Time(v.created_at),
            published_at: v.published_at.map(Time),
        }
    }
}

/// A tenant.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tenant {
    id: i64,
    uuid: Uuid,
    code: String,
    name: String,
    created_at: Time,
    updated_at: Time,
}

impl From<tenant::Tenant> for Tenant {
    fn from(t: tenant::Tenant) -> Self {
        let (created_at, updated_at) = (Time(t.created_at), Time(t.updated_at));
        Self { id: t.id.0, uuid: t.uuid, code: t.code, name: t.name, created_at, updated_at }
    }
}

/// An API key's row, without the key.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ApiKey {
    id: i64,
    uuid: Uuid,
    tenant_id: i64,
    name: String,
    #[schema(value_type = String, example = "live")]
    kind: tenant::KeyKind,
    /// The first characters of the key, to tell keys apart.
    prefix: String,
    #[schema(value_type = Vec<String>)]
    roles: Vec<Role>,
    scopes: Option<Vec<String>>,
    expires_at: Option<Time>,
    revoked_at: Option<Time>,
    created_at: Time,
}

impl From<tenant::ApiKey> for ApiKey {
    fn from(k: tenant::ApiKey) -> Self {
        Self {
            id: k.id.0,
            uuid: k.uuid,
            tenant_id: k.tenant_id.0,
            name: k.name,
            kind: k.kind,
            prefix: k.prefix,
            roles: k.roles,
            scopes: k.scopes,
            expires_at: k.expires_at.map(Time),
            revoked_at: k.revoked_at.map(Time),
            created_at: Time(k.created_at),
        }
    }
}

/// A key that was just made: the only time that it can be seen.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewApiKey {
    #[schema(example = "ck_live_…")]
    key: String,
    #[serde(flatten)]
    row: ApiKey,
}

impl From<carillon_app::NewKey> for NewApiKey {
    fn from(new: carillon_app::NewKey) -> Self {
        Self { key: new.secret.expose().to_owned(), row: new.key.into() }
    }
}

/// A message that the sandbox caught.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SandboxMessage {
    id: i64,
    #[schema(schema_with = openapi::channel)]
    channel: Channel,
    to: String,
    #[schema(value_type = Object)]
    content: Content,
    notification_uuid: Uuid,
    at: Time,
}

impl From<view::SandboxMessage> for SandboxMessage {
    fn from(m: view::SandboxMessage) -> Self {
        Self {
            id: m.id,
            channel: m.channel,
            to: m.to,
            content: m.content,
            notification_uuid: m.notification_uuid,
            at: Time(m.at),
        }
    }
}

/// How many messages were deleted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Deleted {
    pub(crate) deleted: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_milliseconds_and_metadata_is_an_object() {
        let at = chrono::DateTime::from_timestamp_micros(1_800_000_000_123_456).unwrap();
        assert_eq!(json!(Time(at)), json!("2027-01-15T08:00:00.123Z"));
        assert_eq!(metadata(None).get(), "{}");
        assert_eq!(metadata(Some("{\"a\":1}".to_owned())).get(), "{\"a\":1}");
        assert_eq!(metadata(Some("nonsense".to_owned())).get(), "{}");
    }
}
