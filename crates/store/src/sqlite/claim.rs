//! Leases ready rows, fair over tenants. Two steps under one turn of the gate: pick, then lease what was assigned.

use carillon_domain::{Channel, NotificationId, Priority, TenantId, Timestamp};
use carillon_ports::work::{Claimable, Hold, Job, Tries};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::columns::{self, columns};
use super::fault::Fault;
use super::thread::Writer;
use super::{finish, ordering};
use crate::row;

/// At most this many tenants share one claim; the next claim goes on behind them.
const TENANTS: i64 = 50;

/// The candidates, by due time. Reads only: the turn keeps them as they are until they are leased.
pub(super) fn pick(
    writer: &mut Writer,
    channel: Channel,
    priority: Priority,
    limit: u32,
    now: Timestamp,
) -> Result<Vec<Claimable>, Fault> {
    let slot = usize::from(channel.number().unsigned_abs()) * Priority::ALL.len()
        + usize::from(priority.number().unsigned_abs());
    let conn = &writer.conn;
    let limit = i64::from(limit);
    let tenants = tenants(conn, channel, priority, writer.cursors[slot], TENANTS.min(limit))?;
    let Some(&last) = tenants.last() else { return Ok(Vec::new()) };
    let count = i64::try_from(tenants.len()).unwrap_or(TENANTS);
    let quota = (limit / count).max(1);
    let mut picked: Vec<(i64, Claimable)> = Vec::new();
    let mut full = Vec::new();
    for &tenant in &tenants {
        let before = picked.len();
        rows(conn, channel, priority, tenant, now, quota, 0, &mut picked)?;
        if i64::try_from(picked.len() - before) == Ok(quota) {
            full.push(tenant);
        }
    }
    // What the quiet ones left over goes to those who have more.
    for tenant in full {
        let left = limit - i64::try_from(picked.len()).unwrap_or(limit);
        if left <= 0 {
            break;
        }
        rows(conn, channel, priority, tenant, now, left, quota, &mut picked)?;
    }
    writer.cursors[slot] = last;
    // Cancelled and retried meanwhile, while a dispatcher still has the old hold in memory: it is told to drop the id,
    // and must not find a second one of it.
    picked.retain(|(_, row)| !writer.cancelled.iter().any(|held| held.id == row.id));
    picked.sort_unstable_by_key(|(due, row)| (*due, row.id));
    Ok(picked.into_iter().map(|(_, row)| row).collect())
}

/// The next tenants after the cursor that have ready rows, and round to the first ones: one index probe each.
fn tenants(
    conn: &Connection,
    channel: Channel,
    priority: Priority,
    cursor: i64,
    limit: i64,
) -> Result<Vec<i64>, Fault> {
    let mut statement = conn.prepare_cached(
        "WITH RECURSIVE t (tenant) AS (
             SELECT (SELECT min(tenant_id) FROM queue WHERE state = 0 AND channel = ?1 AND priority = ?2
                     AND tenant_id > ?3 AND tenant_id <= ?4)
             UNION ALL
             SELECT (SELECT min(tenant_id) FROM queue WHERE state = 0 AND channel = ?1 AND priority = ?2
                     AND tenant_id > t.tenant AND tenant_id <= ?4)
             FROM t WHERE t.tenant IS NOT NULL)
         SELECT tenant FROM t WHERE tenant IS NOT NULL
         AND NOT EXISTS (SELECT 1 FROM tenants d WHERE d.id = t.tenant AND d.deleted_at IS NOT NULL) LIMIT ?5",
    )?;
    let mut found = Vec::new();
    for (above, upto) in [(cursor, i64::MAX), (-1, cursor)] {
        let left = limit - i64::try_from(found.len()).unwrap_or(limit);
        if left > 0 {
            let part = statement
                .query_map(params![channel.number(), priority.number(), above, upto, left], |r| r.get::<_, i64>(0))?;
            for tenant in part {
                found.push(tenant?);
            }
        }
    }
    Ok(found)
}

#[expect(clippy::too_many_arguments, reason = "one index range; a struct for it would have one user")]
fn rows(
    conn: &Connection,
    channel: Channel,
    priority: Priority,
    tenant: i64,
    now: Timestamp,
    limit: i64,
    offset: i64,
    into: &mut Vec<(i64, Claimable)>,
) -> Result<(), Fault> {
    let mut statement = conn.prepare_cached(
        "SELECT id, due, test FROM queue WHERE state = 0 AND channel = ?1 AND priority = ?2 AND tenant_id = ?3
         AND due <= ?4 ORDER BY due LIMIT ?5 OFFSET ?6",
    )?;
    let range = params![channel.number(), priority.number(), tenant, row::micros(now), limit, offset];
    let found = statement.query_map(range, |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?;
    for row in found {
        let (id, due, test) = row?;
        into.push((due, Claimable { id: NotificationId(id), tenant: TenantId(tenant), channel, priority, test }));
    }
    Ok(())
}

/// Leases the assigned rows and loads what delivering needs.
pub(super) fn lease(writer: &mut Writer, picked: &[(Claimable, Hold)], now: Timestamp) -> Result<Vec<Job>, Fault> {
    let epoch = writer.epoch;
    writer.insist(|conn| {
        let mut jobs = Vec::with_capacity(picked.len());
        for (row, hold) in picked {
            if let Some(tries) = take(conn, epoch, row, *hold)? {
                match job(conn, row.id.0, *hold, tries) {
                    Ok(Some(job)) => jobs.push(job),
                    Ok(None) => drop_orphan(conn, row, now)?,
                    // Unreadable: it must not stop those behind it, and a person has to look.
                    Err(Fault::Refused(error)) => {
                        tracing::error!(%error, id = %row.id, "a queued notification cannot be read; parked");
                        let key = ordering_key(conn, row.id.0)?;
                        finish::park_row(conn, row.id.0, "technical", row::micros(now))?;
                        leave(conn, row, key, now)?;
                    }
                    Err(fault) => return Err(fault),
                }
            }
        }
        Ok(jobs)
    })
}

fn take(conn: &Connection, epoch: i64, row: &Claimable, hold: Hold) -> Result<Option<Tries>, Fault> {
    let mut statement = conn.prepare_cached(
        "UPDATE queue SET state = 1, owner = ?2, lane = ?3, hand = ?4, started = ?5, doubt = ?6
         WHERE id = ?1 AND state = 0 RETURNING message_failures, provider_failures, trouble_since",
    )?;
    let taken = statement
        .query_row(params![row.id.0, epoch, hold.lane, hold.hand, hold.started, hold.doubt as i16], |r| {
            Ok((r.get(0)?, r.get(1)?, r.get::<_, Option<i64>>(2)?))
        })
        .optional()?;
    let Some((message_failures, provider_failures, since)) = taken else { return Ok(None) };
    Ok(Some(Tries { message_failures, provider_failures, trouble_since: since.map(row::instant).transpose()? }))
}

fn job(conn: &Connection, id: i64, hold: Hold, tries: Tries) -> Result<Option<Job>, Fault> {
    let mut statement = conn.prepare_cached(concat!("SELECT ", columns!(), " FROM notifications n WHERE n.id = ?1"))?;
    let mut rows = statement.query([id])?;
    let Some(r) = rows.next()? else { return Ok(None) };
    let notification = columns::notification(r)?;
    let payload = columns::payload(conn, id)?.unwrap_or_default();
    Ok(Some(Job { notification, payload, hold, tries }))
}

/// A queue row whose notification is gone (retention) has nothing to deliver.
fn drop_orphan(conn: &Connection, row: &Claimable, now: Timestamp) -> Result<(), Fault> {
    let key = ordering_key(conn, row.id.0)?;
    conn.prepare_cached("DELETE FROM queue WHERE id = ?1")?.execute([row.id.0])?;
    leave(conn, row, key, now)
}

fn ordering_key(conn: &Connection, id: i64) -> Result<Option<String>, Fault> {
    let mut statement = conn.prepare_cached("SELECT ordering_key FROM queue WHERE id = ?1")?;
    Ok(statement.query_row([id], |r| r.get(0))?)
}

fn leave(conn: &Connection, row: &Claimable, key: Option<String>, now: Timestamp) -> Result<(), Fault> {
    if let Some(key) = key {
        ordering::leave(conn, row.tenant.0, &key, now)?;
    }
    Ok(())
}
