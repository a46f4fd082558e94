//! From a command to a row: checked, resolved, pinned and rendered once. Whatever is wrong is found here, before
//! anything is written.

use carillon_domain::content::Content;
use carillon_domain::message::Message;
use carillon_domain::notification::Notification;
use carillon_domain::principal::TenantScope;
use carillon_domain::{Channel, Error, FieldError, NotificationId, Ref, Status, Timestamp};
use carillon_ports::accept::SubmissionItem;
use carillon_ports::work::Payload;
use chrono::{SubsecRound as _, TimeDelta};
use serde_json::{Map, Value};

use super::command::SendNotification;
use super::{attachments, recipient};
use crate::{OpCtx, Parts};

/// The furthest a notification may be scheduled.
const HORIZON: TimeDelta = TimeDelta::days(365);

/// Plans one notification, all but its id.
pub(super) async fn plan(
    parts: &Parts,
    ctx: &OpCtx,
    scope: TenantScope,
    command: SendNotification,
) -> Result<SubmissionItem, Error> {
    let mut findings = Vec::new();
    let recipient = recipient::check(&command.recipient, command.channel)
        .map_err(|found| findings.extend(found))
        .unwrap_or_default();
    check_times(&command, ctx.now, &mut findings);
    check_words(&command, &mut findings);
    if !findings.is_empty() {
        return Err(Error::invalid_fields(findings));
    }

    let source = source(&command)?;
    let channel = command.channel;
    let variables = command.variables.unwrap_or_default();
    let (content, template, locale) = match source {
        Source::Template(template, at) => {
            let locale = command.locale.as_deref();
            let rendered = parts.catalog.render_current(scope, &template, at, channel, locale, &variables).await?;
            (rendered.content, Some(rendered.template), Some(rendered.locale))
        }
        Source::Direct => {
            let direct = command.direct_content.clone().unwrap_or_default();
            let content = Content::parse(channel, direct, "/directContent")?;
            attachments::check(&content, "/directContent")?;
            let content = parts.catalog.engine().render_once(&content, &variables, "/directContent")?;
            (content, None, command.locale)
        }
    };

    let uuid = parts.entropy.uuid(ctx.now);
    let due = command.scheduled_at.is_none_or(|at| at <= ctx.now);
    let delivered = due && channel == Channel::InApp && command.ordering_key.is_none();
    let message = due.then(|| Message {
        tenant: scope.tenant(),
        id: NotificationId(0),
        uuid,
        recipient: recipient.clone(),
        content,
    });
    let notification = Notification {
        id: NotificationId(0),
        uuid,
        tenant_id: scope.tenant(),
        channel,
        status: Status::Accepted,
        priority: command.priority.unwrap_or_default(),
        recipient,
        template,
        locale,
        provider: None,
        provider_message_id: None,
        attempts: 0,
        error: None,
        metadata: command.metadata.map(|map| Value::Object(map).to_string()),
        correlation_id: Some(ctx.correlation_id.clone()),
        ordering_key: command.ordering_key,
        scheduled_at: command.scheduled_at.map(|at| at.trunc_subsecs(6)),
        expires_at: command.expires_at.map(|at| at.trunc_subsecs(6)),
        created_at: ctx.now,
        updated_at: ctx.now,
        sent_at: None,
        delivered_at: None,
        read_at: None,
        run: 1,
        test: ctx.principal.kind == carillon_domain::tenant::KeyKind::Test,
    };
    let payload = Payload {
        variables: if variables.is_empty() { String::new() } else { Value::Object(variables).to_string() },
        direct: command.direct_content.filter(|_| template.is_none()).map(|direct| direct.to_string()),
    };
    Ok(SubmissionItem { notification, payload, kind: ctx.principal.kind, message, delivered })
}

enum Source {
    Template(Ref, &'static str),
    Direct,
}

fn source(command: &SendNotification) -> Result<Source, Error> {
    match (&command.template_id, &command.template, &command.direct_content) {
        (Some(id), None, None) => Ok(Source::Template(id.to_ref(), "/templateId")),
        (None, Some(code), None) => Ok(Source::Template(Ref::Code(code.clone()), "/template")),
        (None, None, Some(_)) => Ok(Source::Direct),
        (None, None, None) => {
            let message = "one of templateId, template or directContent must be there";
            Err(Error::invalid(FieldError::new("", "missing_content", message)))
        }
        _ => {
            let message = "only one of templateId, template and directContent may be there";
            Err(Error::invalid(FieldError::new("", "ambiguous_content", message)))
        }
    }
}

fn check_times(command: &SendNotification, now: Timestamp, findings: &mut Vec<FieldError>) {
    if let Some(at) = command.scheduled_at
        && at > now + HORIZON
    {
        let message = "scheduledAt is more than 365 days ahead";
        findings.push(FieldError::new("/scheduledAt", "too_far_ahead", message));
    }
    if let Some(at) = command.expires_at {
        if at <= now {
            findings.push(FieldError::new("/expiresAt", "in_the_past", "expiresAt is in the past"));
        } else if command.scheduled_at.is_some_and(|scheduled| at <= scheduled) {
            let message = "expiresAt is not after scheduledAt";
            findings.push(FieldError::new("/expiresAt", "before_scheduled_at", message));
        }
    }
}

fn check_words(command: &SendNotification, findings: &mut Vec<FieldError>) {
    let mut word = |pointer: &str, value: Option<&str>, most: usize| {
        let Some(value) = value else { return };
        if value.is_empty() || value.len() > most || value.chars().any(char::is_control) {
            let message = format!("{} is 1 to {most} bytes without control characters", &pointer[1..]);
            findings.push(FieldError::new(pointer, "invalid_value", message));
        }
    };
    word("/orderingKey", command.ordering_key.as_deref(), 255);
    word("/locale", command.locale.as_deref(), 35);
    word("/template", command.template.as_deref(), 100);
    let size = |map: &Option<Map<String, Value>>| map.as_ref().map_or(0, Map::len);
    if size(&command.metadata) > 50 {
        findings.push(FieldError::new("/metadata", "too_many", "metadata has at most 50 members"));
    }
    if holds_nul(command) {
        let message = "the character U+0000 cannot be stored or sent";
        findings.push(FieldError::new("", "control_character", message));
    }
}

/// PostgreSQL's text refuses U+0000; both databases take and refuse the same.
fn holds_nul(command: &SendNotification) -> bool {
    fn in_value(value: &Value) -> bool {
        match value {
            Value::String(text) => text.contains('\0'),
            Value::Array(items) => items.iter().any(in_value),
            Value::Object(map) => in_map(map),
            _ => false,
        }
    }
    fn in_map(map: &Map<String, Value>) -> bool {
        map.iter().any(|(key, value)| key.contains('\0') || in_value(value))
    }
    command.variables.as_ref().is_some_and(in_map)
        || command.metadata.as_ref().is_some_and(in_map)
        || command.direct_content.as_ref().is_some_and(in_value)
}
