//! What the timers ask: due rows, old idempotency keys, gauges.

use std::time::Duration;

use carillon_domain::Timestamp;
use carillon_ports::work::{Promoted, QueueDepth};
use rusqlite::{Connection, params};

use super::events;
use super::fault::Fault;
use super::thread::Writer;
use crate::row;

/// Among this many of the longest due, the most urgent go first: sorting all of a large campaign each time would
/// cost its square.
const WINDOW: u32 = 20_000;
/// Keys per transaction of a sweep.
const SWEEP: u32 = 2_000;
/// Rows per read of the gauges.
const STRIDE: u32 = 50_000;

/// Makes due rows ready.
pub(super) fn promote(writer: &mut Writer, now: Timestamp, limit: u32) -> Result<Promoted, Fault> {
    let at = row::micros(now);
    let mut statement = writer.conn.prepare_cached(
        "SELECT id, tenant_id FROM (SELECT id, tenant_id, priority, due FROM queue WHERE state = 2 AND due <= ?1
         ORDER BY due LIMIT ?2) ORDER BY priority DESC, due, id LIMIT ?3",
    )?;
    let due: Vec<(i64, i64)> = statement
        .query_map(params![at, WINDOW.max(limit), limit], |r| Ok((r.get(0)?, r.get(1)?)))?
        .collect::<Result<_, _>>()?;
    drop(statement);
    if !due.is_empty() {
        writer.insist(|conn| {
            let mut statement = conn.prepare_cached("UPDATE queue SET state = 0 WHERE id = ?1 AND state = 2")?;
            for &(id, tenant) in &due {
                statement.execute([id])?;
                events::come_due(conn, id, tenant, now)?;
            }
            Ok(())
        })?;
    }
    let next: Option<i64> =
        writer.conn.prepare_cached("SELECT min(due) FROM queue WHERE state = 2")?.query_row([], |r| r.get(0))?;
    Ok(Promoted {
        rows: u64::try_from(due.len()).unwrap_or(0),
        next: next.map(|next| Duration::from_micros(u64::try_from(next - at).unwrap_or(0))),
    })
}

/// Deletes one chunk of old keys; returns how many, and whether there may be more.
pub(super) fn sweep(writer: &mut Writer, before: Timestamp) -> Result<(u64, bool), Fault> {
    let deleted = writer.insist(|conn| {
        let mut statement = conn.prepare_cached(
            "DELETE FROM idem WHERE (tenant_id, key) IN (SELECT tenant_id, key FROM idem WHERE created_at < ?1
             ORDER BY created_at LIMIT ?2)",
        )?;
        Ok(statement.execute(params![row::micros(before), SWEEP])?)
    })?;
    Ok((u64::try_from(deleted).unwrap_or(0), deleted >= SWEEP as usize))
}

/// Adds the rows after `after` to `depth`, some at a time; where to go on, or `None` at the end.
pub(super) fn depth(conn: &Connection, after: i64, depth: &mut Vec<QueueDepth>) -> Result<Option<i64>, Fault> {
    let mut statement = conn.prepare_cached(
        "SELECT channel, state, count(*), max(id) FROM (SELECT id, channel, state FROM queue WHERE id > ?1 ORDER BY id
         LIMIT ?2) GROUP BY channel, state",
    )?;
    let mut rows = statement.query(params![after, STRIDE])?;
    let (mut seen, mut last) = (0, after);
    while let Some(r) = rows.next()? {
        let channel = row::channel(r.get(0)?)?;
        let state: i16 = r.get(1)?;
        let count = u64::try_from(r.get::<_, i64>(2)?).unwrap_or(0);
        seen += count;
        last = last.max(r.get(3)?);
        match depth.iter_mut().find(|d| d.channel == channel && d.state == state) {
            Some(known) => known.rows += count,
            None => depth.push(QueueDepth { channel, state, rows: count }),
        }
    }
    Ok((seen >= u64::from(STRIDE)).then_some(last))
}
