//! What a person does to one notification: cancel, retry, mark as read. Each is one transaction.

use carillon_domain::notification::Notification;
use carillon_domain::notification::event::Transition;
use carillon_domain::{Error, ErrorCode, EventKind, NotificationRef, Status, TenantId, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::columns::{self, columns, under_way};
use super::fault::Fault;
use super::thread::{CancelledHold, Writer};
use super::{events, ordering};
use crate::row;

/// The notification as clients see it.
pub(super) fn get(conn: &Connection, tenant: TenantId, id: NotificationRef) -> Result<Notification, Fault> {
    macro_rules! select {
        ($by:literal) => {
            concat!(
                "SELECT ",
                columns!(),
                ", ",
                under_way!(),
                " FROM notifications n LEFT JOIN queue q ON q.id = n.id WHERE n.tenant_id = ?1 AND n.",
                $by,
                " = ?2"
            )
        };
    }
    let one = |r: &Row<'_>| Ok(columns::visible(r));
    let found = match id {
        NotificationRef::Id(id) => conn.prepare_cached(select!("id"))?.query_row(params![tenant.0, id.0], one),
        NotificationRef::Uuid(uuid) => {
            conn.prepare_cached(select!("uuid"))?.query_row(params![tenant.0, uuid.as_bytes()], one)
        }
    };
    found.optional()?.ok_or_else(|| Fault::Refused(Error::not_found("notification")))?
}

/// Stops it, if no provider can have it.
pub(super) fn cancel(
    writer: &mut Writer,
    tenant: TenantId,
    id: NotificationRef,
    at: Timestamp,
) -> Result<Notification, Fault> {
    let (notification, held) = writer.insist(|conn| {
        let mut n = get(conn, tenant, id)?;
        let status = n.status.cancel().map_err(Error::from)?;
        if n.status == status {
            return Ok((n, None));
        }
        // Only leased rows have a hold.
        let removed: Option<(Option<i32>, Option<i64>, Option<String>)> = conn
            .prepare_cached("DELETE FROM queue WHERE id = ?1 RETURNING lane, hand, ordering_key")?
            .query_row([n.id.0], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))
            .optional()?;
        let (lane, hand, key) = removed.unwrap_or_default();
        let held = lane.zip(hand).map(|(lane, hand)| CancelledHold { lane, hand, id: n.id });
        if let Some(key) = key {
            ordering::leave(conn, tenant.0, &key, at)?;
        }
        n.status = status;
        n.updated_at = at;
        conn.prepare_cached("UPDATE notifications SET status = ?2, updated_at = ?3 WHERE id = ?1")?
            .execute(params![n.id.0, status.number(), row::micros(at)])?;
        events::append(conn, n.id.0, tenant.0, &[Transition::new(EventKind::Cancelled, at)])?;
        Ok((n, held))
    })?;
    writer.cancelled.extend(held);
    Ok(notification)
}

/// Opens the next run.
pub(super) fn retry(
    conn: &Connection,
    tenant: TenantId,
    id: NotificationRef,
    at: Timestamp,
) -> Result<Notification, Fault> {
    let mut n = get(conn, tenant, id)?;
    n.status = n.status.retry().map_err(Error::from)?;
    n.run += 1;
    n.error = None;
    n.updated_at = at;
    let parked: Option<i64> =
        conn.prepare_cached("SELECT state FROM queue WHERE id = ?1")?.query_row([n.id.0], |r| r.get(0)).optional()?;
    if parked.is_some_and(|state| state != 3) {
        return Err(Error::new(ErrorCode::InvalidState, "the notification is under way").into());
    }
    let place = n.ordering_key.as_deref().map(|key| ordering::enter(conn, tenant.0, key)).transpose()?;
    let state = if place.is_none_or(|place| place.first) { 0 } else { 4 };
    // A parked row kept nothing that the new run needs: it is written anew, with a fresh budget.
    conn.prepare_cached(
        "INSERT OR REPLACE INTO queue (id, tenant_id, channel, priority, state, due, test, ordering_key, ordering_seq)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        n.id.0,
        tenant.0,
        n.channel.number(),
        n.priority.number(),
        state,
        row::micros(at),
        n.test,
        n.ordering_key,
        place.map(|place| place.seq),
    ])?;
    conn.prepare_cached("UPDATE notifications SET status = ?2, run = ?3, error = NULL, updated_at = ?4 WHERE id = ?1")?
        .execute(params![n.id.0, n.status.number(), n.run, row::micros(at)])?;
    let transitions = [Transition::new(EventKind::Replayed, at), Transition::new(EventKind::Queued, at)];
    events::append(conn, n.id.0, tenant.0, &transitions)?;
    Ok(n)
}

/// Marks it read; the first time stands.
pub(super) fn mark_read(
    conn: &Connection,
    tenant: TenantId,
    id: NotificationRef,
    at: Timestamp,
) -> Result<Notification, Fault> {
    let mut n = get(conn, tenant, id)?;
    let status = n.status.read().map_err(Error::from)?;
    if n.status == Status::Read {
        return Ok(n);
    }
    n.status = status;
    n.updated_at = at;
    n.read_at = n.read_at.or(Some(at));
    conn.prepare_cached(
        "UPDATE notifications SET status = ?2, updated_at = ?3, read_at = coalesce(read_at, ?3) WHERE id = ?1",
    )?
    .execute(params![n.id.0, status.number(), row::micros(at)])?;
    events::append(conn, n.id.0, tenant.0, &[Transition::new(EventKind::Read, at)])?;
    Ok(n)
}
