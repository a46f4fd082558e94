//! What the sandbox caught.

use carillon_domain::content::Content;
use carillon_domain::{Error, Ref, TenantId};
use carillon_ports::page::{Page, Slice};
use carillon_ports::sandbox::{SandboxFilter, SandboxMessage};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::fault::Fault;
use super::thread::Writer;
use super::{columns, lists};
use crate::row;

/// Rows per transaction when many are deleted.
const CHUNK: u32 = 2_000;

macro_rules! select {
    ($where:literal) => {
        concat!("SELECT id, channel, recipient, content, notification_uuid, at FROM sandbox_messages WHERE ", $where)
    };
}

/// A page, newest first.
pub(super) fn list(
    conn: &Connection,
    tenant: TenantId,
    filter: &SandboxFilter,
    page: Page,
) -> Result<Slice<SandboxMessage>, Fault> {
    let sql = select!("tenant_id = ?1 AND id < ?2 ORDER BY id DESC");
    lists::walk(conn, sql, params![tenant.0, lists::start(page)], page, |r| {
        let message = message(r)?;
        let wanted = filter.channel.is_none_or(|channel| message.channel == channel)
            && filter.recipient.as_ref().is_none_or(|to| message.to == *to)
            && filter.since.is_none_or(|since| message.at >= since);
        Ok(wanted.then_some(message))
    })
}

/// One, by id or by the notification's uuid.
pub(super) fn get(conn: &Connection, tenant: TenantId, id: &Ref) -> Result<SandboxMessage, Fault> {
    let one = |r: &Row<'_>| Ok(message(r));
    let found = match id {
        Ref::Id(id) => conn
            .prepare_cached(select!("tenant_id = ?1 AND id = ?2"))?
            .query_row(params![tenant.0, id], one)
            .optional()?,
        Ref::Uuid(uuid) => conn
            .prepare_cached(select!("tenant_id = ?1 AND notification_uuid = ?2 ORDER BY id DESC LIMIT 1"))?
            .query_row(params![tenant.0, uuid.as_bytes()], one)
            .optional()?,
        Ref::Code(_) => None,
    };
    found.ok_or_else(|| Fault::Refused(Error::not_found("sandbox message")))?
}

fn message(r: &Row<'_>) -> Result<SandboxMessage, Fault> {
    let channel = row::channel(r.get(1)?)?;
    let content = r.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?;
    let content = serde_json::from_str(content).map_err(Error::internal)?;
    Ok(SandboxMessage {
        id: r.get(0)?,
        channel,
        to: r.get(2)?,
        content: Content::parse(channel, content, "").map_err(Error::internal)?,
        notification_uuid: columns::uuid(r, 4)?,
        at: row::instant(r.get(5)?)?,
    })
}

/// Deletes one chunk of the tenant's below a position; returns how many, and whether there may be more.
pub(super) fn below(writer: &mut Writer, tenant: i64, position: i64) -> Result<(u64, bool), Fault> {
    let deleted = writer.insist(|conn| {
        let mut statement = conn.prepare_cached(
            "DELETE FROM sandbox_messages WHERE id IN (SELECT id FROM sandbox_messages WHERE tenant_id = ?1 AND id < ?2
             ORDER BY id LIMIT ?3)",
        )?;
        Ok(statement.execute(params![tenant, position, CHUNK])?)
    })?;
    Ok((u64::try_from(deleted).unwrap_or(0), deleted >= CHUNK as usize))
}

/// Each tenant that has more than `keep`, and the oldest id that it keeps.
pub(super) fn surplus(conn: &Connection, keep: u32) -> Result<Vec<(i64, i64)>, Fault> {
    let mut statement = conn.prepare_cached(
        "WITH RECURSIVE t (tenant) AS (SELECT min(tenant_id) FROM sandbox_messages UNION ALL
             SELECT (SELECT min(tenant_id) FROM sandbox_messages WHERE tenant_id > t.tenant) FROM t
             WHERE t.tenant IS NOT NULL)
         SELECT tenant, first_gone + 1 FROM (SELECT tenant, (SELECT id FROM sandbox_messages WHERE tenant_id = t.tenant
             ORDER BY id DESC LIMIT 1 OFFSET ?1) AS first_gone FROM t WHERE tenant IS NOT NULL)
         WHERE first_gone IS NOT NULL",
    )?;
    let found = statement.query_map([keep], |r| Ok((r.get(0)?, r.get(1)?)))?;
    Ok(found.collect::<Result<_, _>>()?)
}
