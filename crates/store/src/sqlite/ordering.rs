//! Strict order among the notifications of one key: only the first of a lane is ready or leased, the others are
//! blocked. The counter in `ordering_lane` decides, so that no wake-up is lost.

use carillon_domain::{TenantId, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::events;
use super::fault::Fault;
use crate::row;

/// A place in a lane.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// The number in the lane.
    pub(super) seq: i64,
    /// Nobody is before it.
    pub(super) first: bool,
}

/// Joins the lane at its end.
pub(super) fn enter(conn: &Connection, tenant: i64, key: &str) -> Result<Place, Fault> {
    let mut statement = conn.prepare_cached(
        "INSERT INTO ordering_lane (tenant_id, ordering_key, tail, pending) VALUES (?1, ?2, 1, 1)
         ON CONFLICT DO UPDATE SET tail = tail + 1, pending = pending + 1 RETURNING tail, pending",
    )?;
    Ok(statement.query_row(params![tenant, key], |r| Ok(Place { seq: r.get(0)?, first: r.get::<_, i64>(1)? == 1 }))?)
}

/// Leaves the lane; the row itself is gone from it already. `true` if the next one has become ready.
pub(super) fn leave(conn: &Connection, tenant: i64, key: &str, now: Timestamp) -> Result<bool, Fault> {
    let pending: Option<i64> = conn
        .prepare_cached(
            "UPDATE ordering_lane SET pending = pending - 1 WHERE tenant_id = ?1 AND ordering_key = ?2
             RETURNING pending",
        )?
        .query_row(params![tenant, key], |r| r.get(0))
        .optional()?;
    if pending.is_some_and(|pending| pending > 0) {
        return Ok(ready_head(conn, tenant, key, now)? == Head::Ready);
    }
    conn.prepare_cached("DELETE FROM ordering_lane WHERE tenant_id = ?1 AND ordering_key = ?2")?
        .execute(params![tenant, key])?;
    Ok(false)
}

/// Readies the lane's first row if it is blocked. The smallest number, not the next one: those that were cancelled in
/// between left holes. `due` of a blocked row says nothing (clocks of callers differ by a little): only a schedule
/// makes it wait on.
fn ready_head(conn: &Connection, tenant: i64, key: &str, now: Timestamp) -> Result<Head, Fault> {
    let head: Option<(i64, i64)> = conn
        .prepare_cached(
            "SELECT id, state FROM queue WHERE tenant_id = ?1 AND ordering_key = ?2 AND ordering_seq IS NOT NULL
             ORDER BY ordering_seq LIMIT 1",
        )?
        .query_row(params![tenant, key], |r| Ok((r.get(0)?, r.get(1)?)))
        .optional()?;
    let Some((id, 4)) = head else { return Ok(Head::Left) };
    let at = row::micros(now);
    let scheduled: Option<i64> = conn
        .prepare_cached("SELECT scheduled_at FROM notifications WHERE id = ?1 AND scheduled_at > ?2")?
        .query_row(params![id, at], |r| r.get(0))
        .optional()?;
    let (state, due) = scheduled.map_or((0, at), |scheduled| (2, scheduled));
    conn.prepare_cached("UPDATE queue SET state = ?2, due = ?3 WHERE id = ?1")?.execute(params![id, state, due])?;
    if scheduled.is_some() {
        return Ok(Head::Waits);
    }
    events::come_due(conn, id, tenant, now)?;
    Ok(Head::Ready)
}

/// What became of a lane's first row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Head {
    /// It was not blocked, or there is none.
    Left,
    /// Claim it.
    Ready,
    /// It is scheduled for later.
    Waits,
}

/// Readies the head of every lane that has nobody ready, leased or waiting. Returns how many.
pub(super) fn heal(conn: &Connection, now: Timestamp) -> Result<u64, Fault> {
    let mut statement = conn.prepare_cached(
        "SELECT l.tenant_id, l.ordering_key FROM ordering_lane l WHERE NOT EXISTS (SELECT 1 FROM queue q
         WHERE q.tenant_id = l.tenant_id AND q.ordering_key = l.ordering_key AND q.state IN (0, 1, 2))",
    )?;
    let stuck: Vec<(i64, String)> =
        statement.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?.collect::<Result<_, _>>()?;
    let mut healed = 0;
    for (tenant, key) in stuck {
        if ready_head(conn, tenant, &key, now)? != Head::Left {
            tracing::error!(tenant = %TenantId(tenant), "an ordering lane had work and nobody to do it; healed");
            healed += 1;
        }
    }
    Ok(healed)
}
