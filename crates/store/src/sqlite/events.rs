//! The event log: one row per commit and notification.

use carillon_domain::notification::event::Transition;
use carillon_domain::{EventKind, Timestamp};
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
