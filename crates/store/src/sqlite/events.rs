//! The event log: one row per commit and notification.

use carillon_domain::notification::event::Transition;
use carillon_domain::{EventKind, NotificationId, TenantId, Timestamp};
use carillon_ports::events::Event;
use rusqlite::{Connection, params};

use super::fault::Fault;
use crate::row;

/// Appends what this commit did to the notification, in order. Nothing is nothing.
pub(super) fn append(conn: &Connection, id: i64, tenant: i64, transitions: &[Transition]) -> Result<(), Fault> {
    if transitions.is_empty() {
        return Ok(());
    }
    let json = row::json(transitions)?;
    conn.prepare_cached("INSERT INTO events (id, tenant_id, transitions) VALUES (?1, ?2, ?3)")?
        .execute(params![id, tenant, json])?;
    Ok(())
}

/// The number of the last event.
pub(super) fn last(conn: &Connection) -> Result<i64, Fault> {
    Ok(conn.prepare_cached("SELECT coalesce(max(seq), 0) FROM events")?.query_row([], |r| r.get(0))?)
}

/// Events after number `after`, each with its own: with one writer that is the order of the commits.
pub(super) fn after(conn: &Connection, after: i64, limit: u32) -> Result<Vec<(i64, Event)>, Fault> {
    let mut statement =
        conn.prepare_cached("SELECT seq, id, tenant_id, transitions FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2")?;
    let mut rows = statement.query(params![after, limit])?;
    let mut events = Vec::new();
    while let Some(r) = rows.next()? {
        let transitions = row::transitions(r.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?)?;
        let event = Event { notification: NotificationId(r.get(1)?), tenant: TenantId(r.get(2)?), transitions };
        events.push((r.get(0)?, event));
    }
    Ok(events)
}

/// A scheduled notification has come due: `accepted` becomes `queued`, and the timeline says so. Others stay.
pub(super) fn come_due(conn: &Connection, id: i64, tenant: i64, now: Timestamp) -> Result<(), Fault> {
    let changed = conn
        .prepare_cached("UPDATE notifications SET status = 1, updated_at = ?2 WHERE id = ?1 AND status = 0")?
        .execute(params![id, row::micros(now)])?;
    if changed > 0 {
        append(conn, id, tenant, &[Transition::new(EventKind::Queued, now)])?;
    }
    Ok(())
}
