//! What keeps the queue in order beside the hot path.

use std::time::Duration;

use carillon_domain::notification::event::Transition;
use carillon_domain::{Error, EventKind, NotificationId, Timestamp};
use carillon_ports::work::{Hold, Promoted, QueueDepth};

use super::{Postgres, ordering};
use crate::error::from_sqlx;
use crate::row::{self, json};

/// Rows per statement where there may be many.
const CHUNK: i64 = 5_000;
/// Pages that a rough count reads at most.
const SAMPLE_PAGES: f64 = 4_000.0;

impl Postgres {
    pub(super) async fn give_back(&self, rows: &[(NotificationId, Hold)]) -> Result<u64, Error> {
        let epoch = self.epoch()?;
        let ids: Vec<i64> = rows.iter().map(|(id, _)| id.0).collect();
        let lanes: Vec<i32> = rows.iter().map(|(_, hold)| hold.lane).collect();
        let hands: Vec<i64> = rows.iter().map(|(_, hold)| hold.hand).collect();
        let freed = sqlx::query(
            "WITH k AS MATERIALIZED (
                 SELECT q.id FROM unnest($1::bigint[], $2::int[], $3::bigint[]) u(id, lane, hand)
                 JOIN queue q ON q.id = u.id
                 WHERE q.owner = $4 AND q.lane = u.lane AND q.hand = u.hand AND q.state = 1
                 ORDER BY q.id FOR UPDATE OF q)
             UPDATE queue q SET state = 0, owner = NULL, lane = NULL, hand = NULL, started = false, doubt = 0
             FROM k WHERE q.id = k.id",
        )
        .bind(&ids)
        .bind(&lanes)
        .bind(&hands)
        .bind(epoch.number)
        .execute(&self.hot)
        .await
        .map_err(from_sqlx)?
        .rows_affected();
        if freed < rows.len() as u64 {
            let holds: Vec<(i32, i64)> = rows.iter().map(|(_, hold)| (hold.lane, hold.hand)).collect();
            self.forget_holds(&epoch, &holds).await.map_err(from_sqlx)?;
        }
        self.claims.forget();
        Ok(freed)
    }

    /// Priority by priority, so that a campaign that falls due never stands in front of an alarm. What was accepted for
    /// later is queued from here on.
    pub(super) async fn promote_due(&self, now: Timestamp, limit: u32) -> Result<Promoted, Error> {
        let queued = json(&[Transition::new(EventKind::Queued, now)])?;
        let rows: i64 = sqlx::query_scalar(
            "WITH k AS MATERIALIZED (
                 SELECT q.id FROM (VALUES (3::smallint), (2::smallint), (1::smallint), (0::smallint)) p(priority)
                 CROSS JOIN LATERAL (
                     SELECT q.id FROM queue q WHERE q.state = 2 AND q.priority = p.priority AND q.due <= $1
                     ORDER BY q.due LIMIT $2 FOR UPDATE SKIP LOCKED) q
                 LIMIT $2),
             r AS (UPDATE queue q SET state = 0, due = $1 FROM k WHERE q.id = k.id),
             m AS (
                 UPDATE notifications n SET status = 1, updated_at = $1 FROM k WHERE n.id = k.id AND n.status = 0
                 RETURNING n.id, n.tenant_id),
             e AS (INSERT INTO events (id, tenant_id, transitions) SELECT id, tenant_id, $3 FROM m)
             SELECT count(*) FROM k",
        )
        .bind(now)
        .bind(i64::from(limit))
        .bind(queued)
        .fetch_one(&self.general)
        .await
        .map_err(from_sqlx)?;
        let next: Option<Timestamp> = sqlx::query_scalar(
            "SELECT min(d.due) FROM (VALUES (3::smallint), (2::smallint), (1::smallint), (0::smallint)) p(priority)
             CROSS JOIN LATERAL (
                 SELECT q.due FROM queue q WHERE q.state = 2 AND q.priority = p.priority ORDER BY q.due LIMIT 1) d",
        )
        .fetch_one(&self.general)
        .await
        .map_err(from_sqlx)?;
        let next = next.map(|due| (due - now).to_std().unwrap_or(Duration::ZERO));
        Ok(Promoted { rows: u64::try_from(rows).unwrap_or(0), next })
    }

    pub(super) async fn heal_lanes(&self) -> Result<u64, Error> {
        let mut healed = 0;
        let (mut tenant, mut key) = (i64::MIN, String::new());
        loop {
            let page: Vec<(i64, String, bool)> = sqlx::query_as(
                "SELECT o.tenant_id, o.ordering_key, coalesce(h.state = 4, false) FROM (
                     SELECT tenant_id, ordering_key FROM ordering_lane WHERE (tenant_id, ordering_key) > ($1, $2)
                     ORDER BY tenant_id, ordering_key LIMIT $3) o
                 LEFT JOIN LATERAL (
                     SELECT q.state FROM queue q
                     WHERE q.tenant_id = o.tenant_id AND q.ordering_key = o.ordering_key
                     ORDER BY q.ordering_seq LIMIT 1) h ON true
                 ORDER BY o.tenant_id, o.ordering_key",
            )
            .bind(tenant)
            .bind(&key)
            .bind(CHUNK)
            .fetch_all(&self.general)
            .await
            .map_err(from_sqlx)?;
            for (tenant, key, _) in page.iter().filter(|(_, _, stuck)| *stuck) {
                healed += self.heal(&(*tenant, key.clone())).await.map_err(from_sqlx)?;
            }
            match page.into_iter().next_back() {
                Some(last) => (tenant, key) = (last.0, last.1),
                None => return Ok(healed),
            }
        }
    }

    /// Looks again under the key's lock: what looked stuck may have been on its way.
    async fn heal(&self, key: &ordering::Key) -> Result<u64, sqlx::Error> {
        let mut tx = self.general.begin().await?;
        ordering::lock(&mut tx, std::slice::from_ref(key)).await?;
        let now: Timestamp = sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(&mut *tx).await?;
        let moved = sqlx::query(ordering::READY_HEAD)
            .bind(&[key.0][..])
            .bind(&[key.1.as_str()][..])
            .bind(now)
            .execute(&mut *tx)
            .await?
            .rows_affected();
        tx.commit().await?;
        if moved > 0 {
            tracing::error!(tenant = key.0, "an ordering key had work and nothing ready; its head was readied");
        }
        Ok(moved)
    }

    pub(super) async fn sweep_keys(&self, before: Timestamp) -> Result<u64, Error> {
        let mut swept = 0;
        loop {
            let chunk = sqlx::query(
                "WITH k AS MATERIALIZED (
                     SELECT tenant_id, key FROM idem WHERE created_at < $1 ORDER BY created_at LIMIT $2)
                 DELETE FROM idem i USING k WHERE i.tenant_id = k.tenant_id AND i.key = k.key AND i.created_at < $1",
            )
            .bind(before)
            .bind(CHUNK)
            .execute(&self.general)
            .await
            .map_err(from_sqlx)?
            .rows_affected();
            swept += chunk;
            if chunk == 0 {
                return Ok(swept);
            }
        }
    }

    /// Exact while the queue is small; a sample of its pages, scaled up, when it is large.
    pub(super) async fn depth(&self) -> Result<Vec<QueueDepth>, Error> {
        let rows: Vec<(i16, i16, i64)> = sqlx::query_as(
            "WITH p AS MATERIALIZED (
                 SELECT least(100, 100 * $1 / greatest(pg_relation_size('queue') / 8192, 1))::float4 AS percent)
             SELECT channel, state, (count(*) * 100 / (SELECT percent FROM p))::bigint
             FROM queue TABLESAMPLE SYSTEM ((SELECT percent FROM p)) GROUP BY channel, state ORDER BY channel, state",
        )
        .bind(SAMPLE_PAGES)
        .fetch_all(&self.general)
        .await
        .map_err(from_sqlx)?;
        rows.into_iter()
            .map(|(channel, state, rows)| {
                Ok(QueueDepth { channel: row::channel(channel)?, state, rows: u64::try_from(rows).unwrap_or(0) })
            })
            .collect()
    }
}
