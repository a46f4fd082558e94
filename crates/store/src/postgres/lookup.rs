//! Rows of `notifications` as values.

use carillon_domain::notification::{Notification, PinnedTemplate};
use carillon_domain::{Error, NotificationId, NotificationRef, Status, TemplateId, TenantId};
use carillon_ports::work::Payload;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::months::{self, within_months};
use crate::error::from_sqlx;
use crate::row;

/// All columns of `notifications n` that make the value, for a `SELECT`.
macro_rules! columns {
    () => {
        "n.id, n.uuid, n.tenant_id, n.channel, n.priority, n.status, n.run, n.attempts, n.test, n.recipient, \
         n.template_id, n.template_version, n.locale, n.metadata, n.correlation_id, n.ordering_key, n.provider, \
         n.provider_message_id, n.error, n.scheduled_at, n.expires_at, n.created_at, n.updated_at, n.sent_at, \
         n.delivered_at, n.read_at"
    };
}

/// Whether a provider call is under way, for a `SELECT` from `notifications n`.
macro_rules! sending {
    () => {
        "EXISTS (SELECT 1 FROM queue q LEFT JOIN intent i ON i.owner = q.owner AND i.dispatch_lane = q.lane \
         WHERE q.id = n.id AND q.state = 1 AND (q.started OR q.hand <= i.hi)) AS sending"
    };
}

pub(super) use {columns, sending};

/// The value of a row that was selected with `columns!`.
pub(super) fn notification(row: &PgRow) -> Result<Notification, Error> {
    read(row).map_err(from_sqlx)?
}

/// As [`notification`], for rows with `sending!`.
pub(super) fn notification_now(row: &PgRow) -> Result<Notification, Error> {
    let mut notification = notification(row)?;
    let under_way = row.try_get::<bool, _>("sending").map_err(from_sqlx)?;
    if under_way && matches!(notification.status, Status::Accepted | Status::Queued) {
        notification.status = Status::Sending;
    }
    Ok(notification)
}

fn read(row: &PgRow) -> Result<Result<Notification, Error>, sqlx::Error> {
    let recipient: String = row.try_get("recipient")?;
    let error: Option<String> = row.try_get("error")?;
    let template: (Option<i64>, Option<i32>) = (row.try_get("template_id")?, row.try_get("template_version")?);
    let (channel, priority, status) = (row.try_get("channel")?, row.try_get("priority")?, row.try_get("status")?);
    let parts = || -> Result<_, Error> {
        Ok((
            row::channel(channel)?,
            row::priority(priority)?,
            row::status(status)?,
            row::recipient(&recipient)?,
            row::delivery_error(error.as_deref())?,
        ))
    };
    let (channel, priority, status, recipient, error) = match parts() {
        Ok(parts) => parts,
        Err(error) => return Ok(Err(error)),
    };
    Ok(Ok(Notification {
        id: NotificationId(row.try_get("id")?),
        uuid: row.try_get("uuid")?,
        tenant_id: TenantId(row.try_get("tenant_id")?),
        channel,
        status,
        priority,
        recipient,
        template: template.0.zip(template.1).map(|(id, version)| PinnedTemplate { id: TemplateId(id), version }),
        locale: row.try_get("locale")?,
        provider: row.try_get("provider")?,
        provider_message_id: row.try_get("provider_message_id")?,
        attempts: row.try_get("attempts")?,
        error,
        metadata: row.try_get("metadata")?,
        correlation_id: row.try_get("correlation_id")?,
        ordering_key: row.try_get("ordering_key")?,
        scheduled_at: row.try_get("scheduled_at")?,
        expires_at: row.try_get("expires_at")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
        sent_at: row.try_get("sent_at")?,
        delivered_at: row.try_get("delivered_at")?,
        read_at: row.try_get("read_at")?,
        run: row.try_get("run")?,
        test: row.try_get("test")?,
    }))
}

/// The payload of a row with columns `variables` and `direct`.
pub(super) fn payload(row: &PgRow) -> Result<Payload, sqlx::Error> {
    let variables: Option<String> = row.try_get("variables")?;
    Ok(Payload { variables: variables.unwrap_or_default(), direct: row.try_get("direct")? })
}

const BY_ID: &str =
    concat!("SELECT ", columns!(), ", ", sending!(), " FROM notifications n WHERE n.id = $1 AND n.tenant_id = $2");
const BY_UUID: &str =
    concat!("SELECT ", columns!(), ", ", sending!(), " FROM notifications n WHERE n.uuid = $1 AND n.tenant_id = $2");
pub(super) const BY_UUID_AND_TIME: &str = concat!(
    "SELECT ",
    columns!(),
    ", ",
    sending!(),
    " FROM notifications n WHERE n.uuid = $1 AND n.tenant_id = $2 AND ",
    within_months!()
);

/// A uuid with a time in it is looked for in that month, and if it is not there, or has none, in all.
async fn by_uuid(conn: &mut PgConnection, tenant: TenantId, uuid: Uuid) -> Result<Option<PgRow>, sqlx::Error> {
    if let Some((from, to)) = months::around(uuid) {
        let query = sqlx::query(BY_UUID_AND_TIME).bind(uuid).bind(tenant.0).bind(from).bind(to);
        if let Some(found) = query.fetch_optional(&mut *conn).await? {
            return Ok(Some(found));
        }
    }
    sqlx::query(BY_UUID).bind(uuid).bind(tenant.0).fetch_optional(conn).await
}

/// The notification's value as it stands.
///
/// # Errors
/// `not_found` if the tenant has none by that name.
pub(super) async fn find(
    conn: &mut PgConnection,
    tenant: TenantId,
    name: NotificationRef,
) -> Result<Notification, Error> {
    let row = match name {
        NotificationRef::Id(id) => sqlx::query(BY_ID).bind(id.0).bind(tenant.0).fetch_optional(conn).await,
        NotificationRef::Uuid(uuid) => by_uuid(conn, tenant, uuid).await,
    };
    let row = row.map_err(from_sqlx)?;
    notification_now(&row.ok_or_else(|| Error::not_found("notification"))?)
}
