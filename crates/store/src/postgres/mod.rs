//! The hot path on PostgreSQL: set-based statements, fenced by the epoch's lane rows.
//!
//! Lock order, everywhere: lane, idempotency key, intent, ordering lane, queue, notifications; each ascending. What a
//! transaction of several statements locks later in this list, it never locks before.

mod accept;
mod claim;
mod columns;
mod fault;
mod finish;
mod lane;
mod lists;
mod lookup;
mod notifications;
mod ordering;
mod outcome;
mod rescue;
mod sandbox;
#[cfg(test)]
mod tests;
mod upkeep;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use carillon_domain::{Channel, Error, NotificationId, Priority, Timestamp};
use carillon_ports::WorkStore;
use carillon_ports::work::{
    AcceptUnit, Accepted, Assign, Finish, Finished, Hold, Job, Promoted, QueueDepth, Raise, Rescued,
};
use parking_lot::{Mutex, RwLock};
use sqlx::PgPool;

use crate::error::from_sqlx;
use lane::Lane;

/// Accepting: the first one also takes large groups, so that they never stand in front of a single everywhere.
const ACCEPT_LANES: usize = 3;
const FINISH_LANES: usize = 2;
const CLAIM_LANES: usize = 2;

/// The store on PostgreSQL.
pub(crate) struct Postgres {
    /// Connections of the hot role: few, with its planner settings.
    hot: PgPool,
    /// All else.
    general: PgPool,
    epoch: RwLock<Option<Arc<Epoch>>>,
    claims: claim::Watermarks,
    /// When rows of unknown owners were last looked for.
    swept: Mutex<Option<tokio::time::Instant>>,
}

/// One life of this process.
struct Epoch {
    number: i64,
    lease: f64,
    accept: Vec<Lane>,
    finish: Vec<Lane>,
    claim: Vec<Lane>,
    cancels: finish::Cancels,
}

impl Epoch {
    fn lanes(&self) -> impl Iterator<Item = &Lane> {
        self.accept.iter().chain(&self.finish).chain(&self.claim)
    }
}

impl Postgres {
    /// A store over two pools of the same database. The hot pool's sessions should have `enable_seqscan`,
    /// `enable_hashjoin`, `enable_mergejoin` and `jit` off: a plan made while the queue was small must stay good.
    pub(crate) fn new(hot: PgPool, general: PgPool) -> Arc<Self> {
        Arc::new(Self {
            hot,
            general,
            epoch: RwLock::new(None),
            claims: claim::Watermarks::default(),
            swept: Mutex::new(None),
        })
    }

    /// The epoch that `begin` opened.
    fn epoch(&self) -> Result<Arc<Epoch>, Error> {
        self.epoch.read().clone().ok_or_else(|| Error::internal("the store is used before its epoch began"))
    }

    async fn open_epoch(&self, lease: Duration) -> Result<(), Error> {
        let lease = lease.as_secs_f64();
        let lanes = ACCEPT_LANES + FINISH_LANES + CLAIM_LANES;
        let mut ids: Vec<(i64, i64)> = sqlx::query_as(
            "WITH e AS MATERIALIZED (SELECT nextval('epoch_seq') AS epoch)
             INSERT INTO lane (epoch, lease_until)
             SELECT e.epoch, clock_timestamp() + make_interval(secs => $1) FROM e, generate_series(1, $2::int)
             RETURNING id, epoch",
        )
        .bind(lease)
        .bind(i32::try_from(lanes).unwrap_or(i32::MAX))
        .fetch_all(&self.general)
        .await
        .map_err(from_sqlx)?;
        let number = ids.first().map_or(0, |(_, epoch)| *epoch);
        let mut some = |count: usize| ids.drain(..count.min(ids.len())).map(|(id, _)| Lane::new(id)).collect();
        let epoch = Epoch {
            number,
            lease,
            accept: some(ACCEPT_LANES),
            finish: some(FINISH_LANES),
            claim: some(CLAIM_LANES),
            cancels: finish::Cancels::default(),
        };
        tracing::info!(epoch = number, "epoch began");
        *self.epoch.write() = Some(Arc::new(epoch));
        Ok(())
    }

    /// A lease that is over is renewed all the same while nobody has buried its epoch: after an outage longer than it.
    async fn renew(&self) -> Result<bool, Error> {
        let epoch = self.epoch()?;
        let renewed = sqlx::query(
            "WITH k AS MATERIALIZED (SELECT id FROM lane WHERE epoch = $1 ORDER BY id FOR NO KEY UPDATE)
             UPDATE lane l SET lease_until = clock_timestamp() + make_interval(secs => $2)
             FROM k WHERE l.id = k.id AND l.lease_until > '-infinity'",
        )
        .bind(epoch.number)
        .bind(epoch.lease)
        .execute(&self.general)
        .await
        .map_err(from_sqlx)?
        .rows_affected();
        if renewed < epoch.lanes().count() as u64 {
            return Ok(false);
        }
        for lane in epoch.lanes() {
            lane.tidy(&self.general, epoch.number).await?;
        }
        Ok(true)
    }
}

#[async_trait]
impl WorkStore for Postgres {
    async fn begin(&self, lease: Duration) -> Result<(), Error> {
        self.open_epoch(lease).await
    }

    async fn heartbeat(&self) -> Result<bool, Error> {
        self.renew().await
    }

    async fn end(&self) -> Result<(), Error> {
        let epoch = self.epoch()?;
        sqlx::query("UPDATE lane SET lease_until = '-infinity' WHERE epoch = $1")
            .bind(epoch.number)
            .execute(&self.general)
            .await
            .map_err(from_sqlx)?;
        Ok(())
    }

    async fn rescue(&self, now: Timestamp) -> Result<Rescued, Error> {
        self.rescue_all(now).await
    }

    async fn ids(&self) -> Result<(i64, u32), Error> {
        let first = sqlx::query_scalar("SELECT nextval('notification_id_seq')")
            .fetch_one(&self.hot)
            .await
            .map_err(from_sqlx)?;
        Ok((first, 1024))
    }

    async fn accept(&self, group: &[AcceptUnit]) -> Vec<Result<Accepted, Error>> {
        self.accept_group(group).await
    }

    async fn claim(
        &self,
        channel: Channel,
        priority: Priority,
        limit: u32,
        now: Timestamp,
        assign: Assign<'_>,
    ) -> Result<Vec<Job>, Error> {
        self.claim_rows((channel, priority), limit, now, assign).await
    }

    async fn finish(&self, outcomes: &[Finish], raises: &[Raise]) -> Result<Finished, Error> {
        self.finish_group(outcomes, raises).await
    }

    async fn release(&self, rows: &[(NotificationId, Hold)]) -> Result<u64, Error> {
        self.give_back(rows).await
    }

    async fn promote(&self, now: Timestamp, limit: u32) -> Result<Promoted, Error> {
        self.promote_due(now, limit).await
    }

    async fn heal_ordering(&self) -> Result<u64, Error> {
        self.heal_lanes().await
    }

    async fn idempotency_sweep(&self, before: Timestamp) -> Result<u64, Error> {
        self.sweep_keys(before).await
    }

    async fn queue_depth(&self) -> Result<Vec<QueueDepth>, Error> {
        self.depth().await
    }

    async fn ping(&self) -> Result<(), Error> {
        let standby = sqlx::query_scalar::<_, bool>("SELECT pg_is_in_recovery()")
            .fetch_one(&self.general)
            .await
            .map_err(from_sqlx)?;
        if standby { Err(Error::unavailable("the database is a standby and takes no writes")) } else { Ok(()) }
    }
}
