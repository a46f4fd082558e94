//! What the sandbox caught.

use async_trait::async_trait;
use carillon_domain::content::Content;
use carillon_domain::principal::TenantScope;
use carillon_domain::{Error, Ref};
use carillon_ports::sandbox::{SandboxFilter, SandboxMessage};
use carillon_ports::{Page, SandboxStore, Slice};
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::Postgres;
use crate::error::from_sqlx;
use crate::row;

#[async_trait]
impl SandboxStore for Postgres {
    async fn sandbox_list(
        &self,
        scope: TenantScope,
        filter: &SandboxFilter,
        page: Page,
    ) -> Result<Slice<SandboxMessage>, Error> {
        let rows = sqlx::query(
            "SELECT id, channel, recipient, content, notification_uuid, at FROM sandbox_messages
             WHERE tenant_id = $1 AND id < $2 AND ($3::smallint IS NULL OR channel = $3)
                 AND ($4::text IS NULL OR recipient = $4) AND ($5::timestamptz IS NULL OR at >= $5)
             ORDER BY id DESC LIMIT $6",
        )
        .bind(scope.tenant().0)
        .bind(page.after.unwrap_or(i64::MAX))
        .bind(filter.channel.map(carillon_domain::Channel::number))
        .bind(&filter.recipient)
        .bind(filter.since)
        .bind(i64::from(page.limit) + 1)
        .fetch_all(&self.general)
        .await
        .map_err(from_sqlx)?;
        let limit = page.limit as usize;
        let items = rows.iter().take(limit).map(message).collect::<Result<Vec<_>, _>>()?;
        let next = if rows.len() > limit { items.last().map(|message| message.id) } else { None };
        Ok(Slice { items, next })
    }

    async fn sandbox_get(&self, scope: TenantScope, name: &Ref) -> Result<SandboxMessage, Error> {
        let (id, uuid) = match name {
            Ref::Id(id) => (Some(*id), None),
            Ref::Uuid(uuid) => (None, Some(*uuid)),
            Ref::Code(_) => return Err(Error::not_found("sandbox message")),
        };
        let query = if id.is_some() {
            "SELECT id, channel, recipient, content, notification_uuid, at FROM sandbox_messages
             WHERE tenant_id = $1 AND id = $2 AND $3::uuid IS NULL"
        } else {
            "SELECT id, channel, recipient, content, notification_uuid, at FROM sandbox_messages
             WHERE tenant_id = $1 AND $2::bigint IS NULL AND notification_uuid = $3 ORDER BY id DESC LIMIT 1"
        };
        let found = sqlx::query(query).bind(scope.tenant().0).bind(id).bind(uuid).fetch_optional(&self.general).await;
        message(&found.map_err(from_sqlx)?.ok_or_else(|| Error::not_found("sandbox message"))?)
    }

    async fn sandbox_clear(&self, scope: TenantScope) -> Result<u64, Error> {
        let cleared = sqlx::query("DELETE FROM sandbox_messages WHERE tenant_id = $1")
            .bind(scope.tenant().0)
            .execute(&self.general)
            .await
            .map_err(from_sqlx)?;
        Ok(cleared.rows_affected())
    }

    async fn sandbox_trim(&self, keep: u32) -> Result<u64, Error> {
        let trimmed = sqlx::query(
            "WITH RECURSIVE t AS (
                 (SELECT tenant_id FROM sandbox_messages ORDER BY tenant_id LIMIT 1)
                 UNION ALL
                 SELECT (SELECT s.tenant_id FROM sandbox_messages s WHERE s.tenant_id > t.tenant_id
                     ORDER BY s.tenant_id LIMIT 1)
                 FROM t WHERE t.tenant_id IS NOT NULL),
             k AS MATERIALIZED (
                 SELECT t.tenant_id, c.id FROM t CROSS JOIN LATERAL (
                     SELECT s.id FROM sandbox_messages s WHERE s.tenant_id = t.tenant_id
                     ORDER BY s.id DESC OFFSET $1 LIMIT 1) c)
             DELETE FROM sandbox_messages s USING k WHERE s.tenant_id = k.tenant_id AND s.id <= k.id",
        )
        .bind(i64::from(keep))
        .execute(&self.general)
        .await
        .map_err(from_sqlx)?;
        Ok(trimmed.rows_affected())
    }
}

fn message(found: &PgRow) -> Result<SandboxMessage, Error> {
    let channel = row::channel(found.try_get(1).map_err(from_sqlx)?)?;
    let content: String = found.try_get(3).map_err(from_sqlx)?;
    let content = serde_json::from_str(&content).map_err(Error::internal)?;
    Ok(SandboxMessage {
        id: found.try_get(0).map_err(from_sqlx)?,
        channel,
        to: found.try_get(2).map_err(from_sqlx)?,
        content: Content::parse(channel, content, "")?,
        notification_uuid: found.try_get(4).map_err(from_sqlx)?,
        at: found.try_get(5).map_err(from_sqlx)?,
    })
}
