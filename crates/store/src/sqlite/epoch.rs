//! The life of one process in the database: its epoch, what it held when it died, the ids that it takes.

use carillon_domain::notification::event::Transition;
use carillon_domain::{Channel, EventKind, NotificationId, Timestamp};
use carillon_ports::work::{Doubt, Hold, Rescued};
use rusqlite::{Connection, params};
use serde_json::json;

use super::fault::Fault;
use super::thread::Writer;
use super::{events, finish, ordering};
use crate::row;

/// Ids per block.
const BLOCK: u32 = 1024;

/// Opens an epoch. The data folder is ours alone, so whoever held a row is dead.
pub(super) fn begin(writer: &mut Writer, now: Timestamp) -> Result<Rescued, Fault> {
    let (epoch, rescued) = writer.insist(|conn| {
        let epoch: i64 =
            conn.query_row("UPDATE sequences SET value = value + 1 WHERE name = 'epoch' RETURNING value", [], |r| {
                r.get(0)
            })?;
        let rescued = free(conn, now)?;
        conn.execute("DELETE FROM intent", [])?;
        Ok((epoch, rescued))
    })?;
    writer.epoch = epoch;
    writer.cancelled.clear();
    Ok(rescued)
}

/// Ends the epoch: what comes back later finds no lease of its own.
pub(super) fn end(writer: &mut Writer) {
    writer.epoch = 0;
    writer.cancelled.clear();
}

/// Frees all leased rows.
fn free(conn: &Connection, now: Timestamp) -> Result<Rescued, Fault> {
    let mut statement = conn.prepare(
        "SELECT q.id, q.tenant_id, q.doubt, q.ordering_key, q.channel, n.provider
         FROM queue q JOIN notifications n ON n.id = q.id WHERE q.state = 1 AND (q.started
         OR q.hand <= (SELECT i.hi FROM intent i WHERE i.owner = q.owner AND i.dispatch_lane = q.lane)) ORDER BY q.id",
    )?;
    let mut doubtful = statement.query([])?;
    let mut rescued = Rescued::default();
    let mut in_doubt = Vec::new();
    while let Some(r) = doubtful.next()? {
        let with: (Channel, Option<String>) = (row::channel(r.get(4)?)?, r.get(5)?);
        let (id, tenant, doubt, key): (i64, i64, i16, Option<String>) = (r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?);
        in_doubt.push((id, tenant, doubt, key, with));
    }
    for (id, tenant, doubt, key, with) in in_doubt {
        if doubt == Doubt::Impossible as i16 {
            // No outcome, no effect: it is freed with the sure ones below.
            continue;
        }
        let doubted = rescued.doubted.entry(with).or_default();
        let unknown = Transition::new(EventKind::Unknown, now).with(json!({ "reason": "process_died" }));
        if doubt == Doubt::Hold as i16 {
            rescued.rows += 1;
            doubted.held += 1;
            finish::park_row(conn, id, "unknown", row::micros(now))?;
            conn.prepare_cached("UPDATE notifications SET status = max(status, 3), updated_at = ?2 WHERE id = ?1")?
                .execute(params![id, row::micros(now)])?;
            events::append(conn, id, tenant, &[unknown])?;
            if let Some(key) = key {
                ordering::leave(conn, tenant, &key, now)?;
            }
        } else {
            doubted.resent += 1;
            events::append(conn, id, tenant, &[unknown, Transition::new(EventKind::Queued, now)])?;
        }
    }
    // `due` stays: it has come, and a clock that was put back must not hide the rows.
    let freed = conn.execute(
        "UPDATE queue SET state = 0, owner = NULL, lane = NULL, hand = NULL, started = 0 WHERE state = 1",
        [],
    )?;
    rescued.rows += u64::try_from(freed).unwrap_or(0);
    Ok(rescued)
}

/// Gives rows back that were surely not sent.
pub(super) fn release(writer: &mut Writer, held: &[(NotificationId, Hold)]) -> Result<u64, Fault> {
    let epoch = writer.epoch;
    let released = writer.insist(|conn| {
        let mut statement = conn.prepare_cached(
            "UPDATE queue SET state = 0, owner = NULL, lane = NULL, hand = NULL, started = 0
             WHERE id = ?1 AND owner = ?2 AND lane = ?3 AND hand = ?4 AND state = 1",
        )?;
        let mut released = 0;
        for (id, hold) in held {
            released += u64::try_from(statement.execute(params![id.0, epoch, hold.lane, hold.hand])?).unwrap_or(0);
        }
        Ok(released)
    })?;
    // Whoever gave a cancelled row back has dropped it.
    writer.cancelled.retain(|c| !held.iter().any(|(id, hold)| (*id, hold.lane, hold.hand) == (c.id, c.lane, c.hand)));
    Ok(released)
}

/// The next block of ids.
pub(super) fn ids(writer: &mut Writer) -> Result<(i64, u32), Fault> {
    writer.insist(|conn| {
        let mut statement = conn.prepare_cached(
            "UPDATE sequences SET value = value + ?1 WHERE name = 'notification_id' RETURNING value - ?1",
        )?;
        Ok((statement.query_row([BLOCK], |r| r.get(0))?, BLOCK))
    })
}
