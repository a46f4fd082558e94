//! Rescue: the rows of a dead process. Its lane rows are locked and expired first, which waits for its open
//! transactions; after that nothing of it can commit, and its rows are freed in chunks along the primary key.

use std::time::Duration;

use carillon_domain::notification::event::Transition;
use carillon_domain::{Error, EventKind, Timestamp};
use carillon_ports::work::Rescued;
use sqlx::PgConnection;
use tokio::time::Instant;

use super::{Postgres, ordering};
use crate::error::from_sqlx;
use crate::row::json;

/// Queue rows that one look along the primary key passes.
const WINDOW: i64 = 50_000;
/// Rows freed per transaction.
const CHUNK: i64 = 1_000;
/// How often rows of owners that have no lane row at all are looked for.
const SWEEP: Duration = Duration::from_mins(1);

/// A row that was or may be freed.
struct Freed {
    id: i64,
    tenant_id: i64,
    ordering_key: Option<String>,
    /// A provider may have it.
    unknown: bool,
}

impl Postgres {
    pub(super) async fn rescue_all(&self, now: Timestamp) -> Result<Rescued, Error> {
        let mut total = Rescued::default();
        // Our own lease may be over too, after an outage: nobody buries himself, the heartbeat renews it.
        let dead: Vec<i64> = sqlx::query_scalar(
            "SELECT DISTINCT epoch FROM lane WHERE lease_until <= clock_timestamp() AND epoch <> $1 ORDER BY epoch",
        )
        .bind(self.epoch()?.number)
        .fetch_all(&self.general)
        .await
        .map_err(from_sqlx)?;
        for epoch in dead {
            if self.bury(epoch).await.map_err(from_sqlx)? {
                self.free_epoch(epoch, now, &mut total).await?;
                self.forget_epoch(epoch).await.map_err(from_sqlx)?;
            }
        }
        let due = self.swept.lock().is_none_or(|at| at.elapsed() >= SWEEP);
        if due {
            *self.swept.lock() = Some(Instant::now());
            for epoch in self.strays().await.map_err(from_sqlx)? {
                self.free_epoch(epoch, now, &mut total).await?;
                self.forget_epoch(epoch).await.map_err(from_sqlx)?;
            }
        }
        if total.rows > 0 {
            self.claims.forget();
            tracing::warn!(rows = total.rows, unknown = total.unknown, "rows of a dead process were freed");
        }
        Ok(total)
    }

    /// Locks and expires all lanes of an epoch, in order. `false` if it has been renewed meanwhile, or is gone.
    async fn bury(&self, epoch: i64) -> Result<bool, sqlx::Error> {
        let mut tx = self.general.begin().await?;
        let expired: Vec<bool> = sqlx::query_scalar(
            "SELECT lease_until <= clock_timestamp() FROM lane WHERE epoch = $1 ORDER BY id FOR UPDATE",
        )
        .bind(epoch)
        .fetch_all(&mut *tx)
        .await?;
        if !expired.contains(&true) {
            tx.rollback().await?;
            return Ok(false);
        }
        sqlx::query("UPDATE lane SET lease_until = '-infinity' WHERE epoch = $1").bind(epoch).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn forget_epoch(&self, epoch: i64) -> Result<(), sqlx::Error> {
        let mut tx = self.general.begin().await?;
        sqlx::query("DELETE FROM lane WHERE epoch = $1").bind(epoch).execute(&mut *tx).await?;
        sqlx::query("DELETE FROM intent WHERE owner = $1").bind(epoch).execute(&mut *tx).await?;
        sqlx::query("DELETE FROM cancelled WHERE owner = $1").bind(epoch).execute(&mut *tx).await?;
        tx.commit().await
    }

    /// Owners in the queue that have no lane row. An epoch's lanes are there before its first row.
    async fn strays(&self) -> Result<Vec<i64>, sqlx::Error> {
        let mut found = std::collections::BTreeSet::new();
        let mut low = i64::MIN;
        while let Some(high) = self.window(low).await? {
            let owners: Vec<i64> = sqlx::query_scalar(
                "SELECT DISTINCT q.owner FROM queue q WHERE q.id > $1 AND q.id <= $2 AND q.owner IS NOT NULL
                     AND NOT EXISTS (SELECT 1 FROM lane l WHERE l.epoch = q.owner)",
            )
            .bind(low)
            .bind(high)
            .fetch_all(&self.general)
            .await?;
            found.extend(owners);
            low = high;
        }
        Ok(found.into_iter().collect())
    }

    async fn window(&self, low: i64) -> Result<Option<i64>, sqlx::Error> {
        sqlx::query_scalar("SELECT max(w.id) FROM (SELECT id FROM queue WHERE id > $1 ORDER BY id LIMIT $2) w")
            .bind(low)
            .bind(WINDOW)
            .fetch_one(&self.general)
            .await
    }

    async fn free_epoch(&self, epoch: i64, now: Timestamp, total: &mut Rescued) -> Result<(), Error> {
        let mut low = i64::MIN;
        while let Some(high) = self.window(low).await.map_err(from_sqlx)? {
            loop {
                let mut conn = self.general.acquire().await.map_err(from_sqlx)?;
                let freed = free(&mut conn, epoch, (low, high), false, now).await?;
                count(total, &freed);
                if freed.is_empty() {
                    break;
                }
            }
            self.free_ordered(epoch, (low, high), now, total).await?;
            low = high;
        }
        Ok(())
    }

    /// Rows that go on hold and have an ordering key: the key is locked first, and the next one moves up.
    async fn free_ordered(
        &self,
        epoch: i64,
        range: (i64, i64),
        now: Timestamp,
        total: &mut Rescued,
    ) -> Result<(), Error> {
        let left: Vec<(i64, i64, String)> = sqlx::query_as(
            "SELECT id, tenant_id, ordering_key FROM queue
             WHERE id > $1 AND id <= $2 AND owner = $3 AND state = 1 AND ordering_key IS NOT NULL ORDER BY id",
        )
        .bind(range.0)
        .bind(range.1)
        .bind(epoch)
        .fetch_all(&self.general)
        .await
        .map_err(from_sqlx)?;
        for (id, tenant, key) in left {
            let mut tx = self.general.begin().await.map_err(from_sqlx)?;
            let key = (tenant, key);
            ordering::lock(&mut tx, std::slice::from_ref(&key)).await.map_err(from_sqlx)?;
            let freed = free(&mut tx, epoch, (id - 1, id), true, now).await?;
            let keys: Vec<ordering::Key> =
                freed.iter().filter_map(|row| Some((row.tenant_id, row.ordering_key.clone()?))).collect();
            if !keys.is_empty() {
                ordering::advance(&mut tx, &keys, now).await.map_err(from_sqlx)?;
            }
            tx.commit().await.map_err(from_sqlx)?;
            count(total, &freed);
        }
        Ok(())
    }
}

fn count(total: &mut Rescued, freed: &[Freed]) {
    total.rows += freed.len() as u64;
    total.unknown += freed.iter().filter(|row| row.unknown).count() as u64;
    for row in freed.iter().filter(|row| row.unknown) {
        tracing::info!(notification = row.id, "a provider may have it");
    }
}

/// Frees rows of `epoch` in a range of ids. Without `ordered`, those that go on hold and have an ordering key are left.
async fn free(
    conn: &mut PgConnection,
    epoch: i64,
    range: (i64, i64),
    ordered: bool,
    now: Timestamp,
) -> Result<Vec<Freed>, Error> {
    let resent = json(&[Transition::new(EventKind::Unknown, now), Transition::new(EventKind::Queued, now)])?;
    let held = json(&[Transition::new(EventKind::Unknown, now)])?;
    let rows: Vec<(i64, i64, Option<String>, bool)> = sqlx::query_as(
        "WITH k AS MATERIALIZED (
             SELECT q.id, q.tenant_id, q.ordering_key, q.started OR coalesce(q.hand <= i.hi, false) AS maybe, q.doubt
             FROM queue q LEFT JOIN intent i ON i.owner = q.owner AND i.dispatch_lane = q.lane
             WHERE q.id > $1 AND q.id <= $2 AND q.owner = $3 AND q.state = 1
                 AND ($4 OR q.ordering_key IS NULL OR q.doubt <> 1
                     OR NOT (q.started OR coalesce(q.hand <= i.hi, false)))
             ORDER BY q.id LIMIT $5 FOR UPDATE OF q),
         r AS (
             UPDATE queue q SET state = 0, due = $6, owner = NULL, lane = NULL, hand = NULL, started = false, doubt = 0
             FROM k WHERE q.id = k.id AND NOT (k.maybe AND k.doubt = 1)),
         p AS (
             UPDATE queue q SET state = 3, reason = 'unknown', parked_at = $6, owner = NULL, lane = NULL, hand = NULL,
                 started = false, doubt = 0, ordering_key = NULL, ordering_seq = NULL
             FROM k WHERE q.id = k.id AND k.maybe AND k.doubt = 1),
         m AS (
             UPDATE notifications n SET updated_at = $6,
                 status = CASE WHEN n.status > 3 THEN n.status WHEN k.doubt = 1 THEN 3 ELSE 1 END
             FROM k WHERE n.id = k.id AND k.maybe AND k.doubt <> 2),
         e AS (
             INSERT INTO events (id, tenant_id, transitions)
             SELECT id, tenant_id, CASE WHEN doubt = 1 THEN $8 ELSE $7 END FROM k WHERE maybe AND doubt <> 2)
         SELECT id, tenant_id, CASE WHEN maybe AND doubt = 1 THEN ordering_key END AS ordering_key,
             maybe AND doubt <> 2 AS unknown FROM k",
    )
    .bind(range.0)
    .bind(range.1)
    .bind(epoch)
    .bind(ordered)
    .bind(CHUNK)
    .bind(now)
    .bind(resent)
    .bind(held)
    .fetch_all(conn)
    .await
    .map_err(from_sqlx)?;
    let freed = |(id, tenant_id, ordering_key, unknown)| Freed { id, tenant_id, ordering_key, unknown };
    Ok(rows.into_iter().map(freed).collect())
}
