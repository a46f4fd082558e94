//! What a person does to a notification: cancel, retry, read mark. Each is one transaction in the common lock order.

use std::collections::BTreeMap;

use carillon_domain::notification::event::Transition;
use carillon_domain::notification::{InvalidState, Notification};
use carillon_domain::{Error, EventKind, NotificationRef, Status, TenantId, Timestamp};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _, Transaction};

use super::{Postgres, lookup, ordering};
use crate::error::from_sqlx;
use crate::row::json;

/// How often a row that moves under our eyes is looked at again.
const TRIES: usize = 10;

/// A queue row as it was seen; all of it is the fence.
struct Seen {
    state: i16,
    owner: Option<i64>,
    lane: Option<i32>,
    hand: Option<i64>,
    started: bool,
    ordering_key: Option<String>,
}

impl Seen {
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            state: row.try_get(0)?,
            owner: row.try_get(1)?,
            lane: row.try_get(2)?,
            hand: row.try_get(3)?,
            started: row.try_get(4)?,
            ordering_key: row.try_get(5)?,
        })
    }
}

impl Postgres {
    pub(super) async fn cancel(
        &self,
        tenant: TenantId,
        name: NotificationRef,
        at: Timestamp,
    ) -> Result<Notification, Error> {
        for _ in 0..TRIES {
            let mut tx = self.general.begin().await.map_err(from_sqlx)?;
            match stop(&mut tx, tenant, name, at).await.transpose() {
                Some(answer) => return settle(tx, answer).await,
                None => tx.rollback().await.map_err(from_sqlx)?,
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        Err(InvalidState { from: Status::Sending, wanted: Status::Cancelled }.into())
    }

    pub(super) async fn retry(
        &self,
        tenant: TenantId,
        name: NotificationRef,
        at: Timestamp,
    ) -> Result<Notification, Error> {
        let mut tx = self.general.begin().await.map_err(from_sqlx)?;
        let answer = open_run(&mut tx, tenant, name, at).await;
        let opened = settle(tx, answer).await?;
        self.claims.forget();
        Ok(opened)
    }

    pub(super) async fn mark_read(
        &self,
        tenant: TenantId,
        name: NotificationRef,
        at: Timestamp,
    ) -> Result<Notification, Error> {
        let mut tx = self.general.begin().await.map_err(from_sqlx)?;
        let answer = mark(&mut tx, tenant, name, at).await;
        settle(tx, answer).await
    }
}

/// Opens the next run: its queue row, status and events.
async fn open_run(
    conn: &mut PgConnection,
    tenant: TenantId,
    name: NotificationRef,
    at: Timestamp,
) -> Result<Notification, Error> {
    let current = lookup::find(conn, tenant, name).await?;
    current.status.retry()?;
    let mut place = (0_i16, None);
    if let Some(key) = &current.ordering_key {
        let wanted = BTreeMap::from([((tenant.0, key.as_str()), 1)]);
        let reserved = ordering::reserve(conn, &wanted).await.map_err(from_sqlx)?;
        if let Some((tail, pending)) = reserved.into_values().next() {
            place = (if pending == 1 { 0 } else { 4 }, Some(tail));
        }
    }
    let n = &current;
    let opened = sqlx::query(
        "INSERT INTO queue (id, tenant_id, channel, priority, state, due, test, ordering_key, ordering_seq)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (id) DO UPDATE SET state = excluded.state, due = excluded.due, reason = NULL, parked_at = NULL,
             message_failures = 0, provider_failures = 0, trouble_since = NULL,
             ordering_key = excluded.ordering_key, ordering_seq = excluded.ordering_seq
         WHERE queue.state = 3",
    )
    .bind(n.id.0)
    .bind(tenant.0)
    .bind(n.channel.number())
    .bind(n.priority.number())
    .bind(place.0)
    .bind(at)
    .bind(n.test)
    .bind(place.1.and(n.ordering_key.as_deref()))
    .bind(place.1)
    .execute(&mut *conn)
    .await
    .map_err(from_sqlx)?
    .rows_affected();
    let changed = sqlx::query(
        "UPDATE notifications SET status = 1, run = run + 1, error = NULL, updated_at = $2
             WHERE id = $1 AND status = $3",
    )
    .bind(n.id.0)
    .bind(at)
    .bind(n.status.number())
    .execute(&mut *conn)
    .await
    .map_err(from_sqlx)?
    .rows_affected();
    if opened == 0 || changed == 0 {
        // Somebody else was first: it is queued again, and what stands in the queue is theirs.
        return Err(InvalidState { from: Status::Queued, wanted: Status::Queued }.into());
    }
    log(conn, n, &[Transition::new(EventKind::Replayed, at), Transition::new(EventKind::Queued, at)]).await?;
    Ok(Notification { status: Status::Queued, run: n.run + 1, error: None, updated_at: at, ..current })
}

async fn mark(
    conn: &mut PgConnection,
    tenant: TenantId,
    name: NotificationRef,
    at: Timestamp,
) -> Result<Notification, Error> {
    let current = lookup::find(conn, tenant, name).await?;
    current.status.read()?;
    let changed = sqlx::query(
        "UPDATE notifications SET status = 7, read_at = coalesce(read_at, $2), updated_at = $2
             WHERE id = $1 AND status IN (4, 5)",
    )
    .bind(current.id.0)
    .bind(at)
    .execute(&mut *conn)
    .await
    .map_err(from_sqlx)?
    .rows_affected();
    if changed == 0 {
        // Read already, before us or beside us: the first time stands.
        let current = lookup::find(conn, tenant, name).await?;
        current.status.read()?;
        return Ok(current);
    }
    log(conn, &current, &[Transition::new(EventKind::Read, at)]).await?;
    let read_at = current.read_at.or(Some(at));
    Ok(Notification { status: Status::Read, read_at, updated_at: at, ..current })
}
/// Ends the transaction before its answer is heard: what a refusal had locked is free by then.
async fn settle<T>(tx: Transaction<'_, sqlx::Postgres>, answer: Result<T, Error>) -> Result<T, Error> {
    match answer {
        Ok(value) => tx.commit().await.map_err(from_sqlx).map(|()| value),
        Err(refusal) => {
            tx.rollback().await.map_err(from_sqlx)?;
            Err(refusal)
        }
    }
}

/// Cancels it. `None` if the row moved under our eyes: look again.
async fn stop(
    conn: &mut PgConnection,
    tenant: TenantId,
    name: NotificationRef,
    at: Timestamp,
) -> Result<Option<Notification>, Error> {
    let current = lookup::find(conn, tenant, name).await?;
    current.status.cancel()?;
    if current.status == Status::Cancelled {
        return Ok(Some(current));
    }
    if !remove(conn, &current, at).await? {
        return Ok(None);
    }
    log(conn, &current, &[Transition::new(EventKind::Cancelled, at)]).await?;
    Ok(Some(Notification { status: Status::Cancelled, updated_at: at, ..current }))
}

/// Takes the queue row away and sets the status. `false` if the row moved.
async fn remove(conn: &mut PgConnection, current: &Notification, at: Timestamp) -> Result<bool, Error> {
    let row = sqlx::query("SELECT state, owner, lane, hand, started, ordering_key FROM queue WHERE id = $1")
        .bind(current.id.0)
        .fetch_optional(&mut *conn)
        .await
        .map_err(from_sqlx)?;
    let Some(row) = row else { return Ok(false) };
    let seen = Seen::read(&row).map_err(from_sqlx)?;
    if seen.state == 3 {
        return Ok(false);
    }
    let held = seen.owner.zip(seen.lane).zip(seen.hand);
    if let Some((lane, hand)) = held
        && (seen.started || !warn(conn, lane, hand).await.map_err(from_sqlx)?)
    {
        return Err(InvalidState { from: Status::Sending, wanted: Status::Cancelled }.into());
    }
    let key = seen.ordering_key.clone().map(|key| (current.tenant_id.0, key));
    if let Some(key) = &key {
        ordering::lock(conn, std::slice::from_ref(key)).await.map_err(from_sqlx)?;
    }
    let removed = sqlx::query(
        "DELETE FROM queue WHERE id = $1 AND state = $2 AND owner IS NOT DISTINCT FROM $3
             AND lane IS NOT DISTINCT FROM $4 AND hand IS NOT DISTINCT FROM $5 AND NOT started",
    )
    .bind(current.id.0)
    .bind(seen.state)
    .bind(seen.owner)
    .bind(seen.lane)
    .bind(seen.hand)
    .execute(&mut *conn)
    .await
    .map_err(from_sqlx)?
    .rows_affected();
    if removed == 0 {
        return Ok(false);
    }
    if let Some(((owner, lane), hand)) = held {
        sqlx::query("INSERT INTO cancelled (owner, dispatch_lane, hand, id) VALUES ($1, $2, $3, $4)")
            .bind(owner)
            .bind(lane)
            .bind(hand)
            .bind(current.id.0)
            .execute(&mut *conn)
            .await
            .map_err(from_sqlx)?;
    }
    if let Some(key) = key {
        ordering::advance(conn, &[key], at).await.map_err(from_sqlx)?;
    }
    let changed = sqlx::query("UPDATE notifications SET status = 8, updated_at = $2 WHERE id = $1 AND status <= 1")
        .bind(current.id.0)
        .bind(at)
        .execute(conn)
        .await
        .map_err(from_sqlx)?
        .rows_affected();
    Ok(changed > 0)
}

/// Makes the holder look at `cancelled` before it sends: `false` if its lane may have sent this hand already. Hands begin
/// at 1, so a lane that was never raised has `hi` 0.
async fn warn(conn: &mut PgConnection, lane: (i64, i32), hand: i64) -> Result<bool, sqlx::Error> {
    let warned = sqlx::query(
        "INSERT INTO intent (owner, dispatch_lane, hi, cancel_seq) VALUES ($1, $2, 0, 1)
         ON CONFLICT (owner, dispatch_lane) DO UPDATE SET cancel_seq = intent.cancel_seq + 1 WHERE intent.hi < $3",
    )
    .bind(lane.0)
    .bind(lane.1)
    .bind(hand)
    .execute(conn)
    .await?;
    Ok(warned.rows_affected() > 0)
}

async fn log(conn: &mut PgConnection, of: &Notification, told: &[Transition]) -> Result<(), Error> {
    sqlx::query("INSERT INTO events (id, tenant_id, transitions) VALUES ($1, $2, $3)")
        .bind(of.id.0)
        .bind(of.tenant_id.0)
        .bind(json(told)?)
        .execute(conn)
        .await
        .map_err(from_sqlx)?;
    Ok(())
}
