//! A row of `notifications` as the domain's value.

use carillon_domain::notification::{Notification, PinnedTemplate};
use carillon_domain::{Error, NotificationId, Status, TemplateId, TenantId, Timestamp};
use carillon_ports::work::Payload;
use rusqlite::{Connection, OptionalExtension as _, Row};
use uuid::Uuid;

use super::fault::Fault;
use crate::row;

/// What [`notification`] reads, of a table named `n`; the variables and the direct content come last.
macro_rules! columns {
    () => {
        "n.id, n.uuid, n.tenant_id, n.channel, n.priority, n.status, n.run, n.attempts, n.test, n.recipient, \
         n.template_id, n.template_version, n.locale, n.metadata, n.correlation_id, n.ordering_key, n.provider, \
         n.provider_message_id, n.error, n.scheduled_at, n.expires_at, n.created_at, n.updated_at, n.sent_at, \
         n.delivered_at, n.read_at"
    };
}
pub(super) use columns;

/// How many columns that is: where a statement's own ones begin.
pub(super) const COLUMNS: usize = 26;

/// Whether a provider may have the row right now, of tables named `q` (a left join) and `i`.
macro_rules! under_way {
    () => {
        "coalesce(q.state = 1 AND (q.started OR q.hand <= (SELECT i.hi FROM intent i \
         WHERE i.owner = q.owner AND i.dispatch_lane = q.lane)), 0)"
    };
}
pub(super) use under_way;

/// The notification in the first [`COLUMNS`] columns.
pub(super) fn notification(r: &Row<'_>) -> Result<Notification, Fault> {
    let recipient = r.get_ref(9)?.as_str().map_err(rusqlite::Error::from)?;
    let error = r.get_ref(18)?.as_str_or_null().map_err(rusqlite::Error::from)?;
    let template = match (r.get::<_, Option<i64>>(10)?, r.get(11)?) {
        (Some(id), Some(version)) => Some(PinnedTemplate { id: TemplateId(id), version }),
        _ => None,
    };
    Ok(Notification {
        id: NotificationId(r.get(0)?),
        uuid: uuid(r, 1)?,
        tenant_id: TenantId(r.get(2)?),
        channel: row::channel(r.get(3)?)?,
        priority: row::priority(r.get(4)?)?,
        status: row::status(r.get(5)?)?,
        run: r.get(6)?,
        attempts: r.get(7)?,
        test: r.get(8)?,
        recipient: row::recipient(recipient)?,
        template,
        locale: r.get(12)?,
        metadata: r.get(13)?,
        correlation_id: r.get(14)?,
        ordering_key: r.get(15)?,
        provider: r.get(16)?,
        provider_message_id: r.get(17)?,
        error: row::delivery_error(error)?,
        scheduled_at: instant(r, 19)?,
        expires_at: instant(r, 20)?,
        created_at: row::instant(r.get(21)?)?,
        updated_at: row::instant(r.get(22)?)?,
        sent_at: instant(r, 23)?,
        delivered_at: instant(r, 24)?,
        read_at: instant(r, 25)?,
    })
}

/// The notification as clients see it, where column [`COLUMNS`] says whether it is under way.
pub(super) fn visible(r: &Row<'_>) -> Result<Notification, Fault> {
    let mut notification = notification(r)?;
    if r.get(COLUMNS)? && notification.status.is_pending() {
        notification.status = Status::Sending;
    }
    Ok(notification)
}

/// A uuid in 16 bytes.
pub(super) fn uuid(r: &Row<'_>, column: usize) -> Result<Uuid, Fault> {
    let bytes = r.get_ref(column)?.as_blob().map_err(rusqlite::Error::from)?;
    Uuid::from_slice(bytes).map_err(|error| Error::internal(error).into())
}

/// A time that may be missing.
fn instant(r: &Row<'_>, column: usize) -> Result<Option<Timestamp>, Fault> {
    Ok(r.get::<_, Option<i64>>(column)?.map(row::instant).transpose()?)
}

/// What the notification is rendered from; `None` if there is no such notification.
pub(super) fn payload(conn: &Connection, id: i64) -> Result<Option<Payload>, Fault> {
    let inline = conn
        .prepare_cached("SELECT variables, direct FROM notifications WHERE id = ?1")?
        .query_row([id], |r| Ok((r.get::<_, Option<String>>(0)?, r.get::<_, Option<String>>(1)?)))
        .optional()?;
    let Some((variables, direct)) = inline else { return Ok(None) };
    // Inline variables are never NULL: NULL says that both texts lie next door.
    if let Some(variables) = variables {
        return Ok(Some(Payload { variables, direct }));
    }
    let apart = conn
        .prepare_cached("SELECT variables, direct FROM notification_content WHERE id = ?1")?
        .query_row([id], |r| Ok((r.get::<_, Option<String>>(0)?, r.get(1)?)))
        .optional()?;
    let (variables, direct) = apart.unwrap_or_default();
    Ok(Some(Payload { variables: variables.unwrap_or_default(), direct }))
}
