//! Claim: ready rows become leased, fair over tenants. A watermark per tenant keeps the claim off the dead index entries
//! that earlier claims left and that an open snapshot elsewhere keeps from being removed.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use carillon_domain::{Channel, Error, NotificationId, Priority, TenantId, Timestamp};
use carillon_ports::work::{Assign, Claimable, Hold, Job, Tries};
use chrono::{DateTime, TimeDelta};
use parking_lot::Mutex;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use tokio::time::Instant;

use super::lane::{Lane, Leased, hold};
use super::lookup::{columns, notification, payload};
use super::{Epoch, Postgres};
use crate::error::from_sqlx;

/// How long a list of tenants serves while it yields rows.
const DISCOVERY: Duration = Duration::from_secs(2);
/// As [`DISCOVERY`], when the last claim was not filled.
const DISCOVERY_HUNGRY: Duration = Duration::from_millis(200);
/// A watermark is forgotten after this: rows may come back behind it.
const FORGET: Duration = Duration::from_secs(5);
/// A commit that began before the claim may show rows that are older by this much.
const LATE: TimeDelta = TimeDelta::seconds(2);
/// Tenants per claim.
const TENANTS: usize = 50;

/// What is known of the backlog, per channel and priority.
#[derive(Default)]
pub(super) struct Watermarks(Mutex<HashMap<(i16, i16), Backlog>>);

#[derive(Default)]
struct Backlog {
    /// Tenants that had work.
    tenants: BTreeMap<i64, Option<Mark>>,
    discovered: Option<Instant>,
    hungry: bool,
    /// The tenant that was served last.
    cursor: i64,
}

#[derive(Clone, Copy)]
struct Mark {
    due: Timestamp,
    since: Instant,
}

impl Watermarks {
    /// Rows may have come back with an old due time.
    pub(super) fn forget(&self) {
        self.0.lock().clear();
    }

    fn is_stale(&self, key: (i16, i16)) -> bool {
        let all = self.0.lock();
        let Some(backlog) = all.get(&key) else { return true };
        let age = if backlog.hungry { DISCOVERY_HUNGRY } else { DISCOVERY };
        backlog.tenants.is_empty() || backlog.discovered.is_none_or(|at| at.elapsed() >= age)
    }

    fn cursor(&self, key: (i16, i16)) -> i64 {
        self.0.lock().get(&key).map_or(0, |backlog| backlog.cursor)
    }

    fn discovered(&self, key: (i16, i16), tenants: &[i64]) {
        let mut all = self.0.lock();
        let backlog = all.entry(key).or_default();
        let mut old = std::mem::take(&mut backlog.tenants);
        backlog.tenants = tenants.iter().map(|tenant| (*tenant, old.remove(tenant).flatten())).collect();
        backlog.discovered = Some(Instant::now());
    }

    /// The next tenants in turn with their watermarks.
    fn turn(&self, key: (i16, i16), limit: u32) -> (Vec<i64>, Vec<Timestamp>) {
        let mut all = self.0.lock();
        let backlog = all.entry(key).or_default();
        let count = TENANTS.min(limit as usize);
        let after = backlog.tenants.range(backlog.cursor.saturating_add(1)..);
        let before = backlog.tenants.range(..=backlog.cursor);
        let chosen: Vec<(i64, Option<Mark>)> =
            after.chain(before).take(count).map(|(tenant, mark)| (*tenant, *mark)).collect();
        if let Some((last, _)) = chosen.last() {
            backlog.cursor = *last;
        }
        let fresh = |mark: Mark| (mark.since.elapsed() < FORGET).then_some(mark.due);
        let due = |mark: Option<Mark>| mark.and_then(fresh).unwrap_or(DateTime::UNIX_EPOCH);
        chosen.into_iter().map(|(tenant, mark)| (tenant, due(mark))).unzip()
    }

    /// What came of a turn: `rows` are tenants, due times and whether the row was taken; `quota` is what each tenant
    /// might have had. A row that was left is never behind the mark.
    fn served(&self, key: (i16, i16), turn: &[i64], rows: &[(i64, Timestamp, bool)], quota: usize, hungry: bool) {
        let mut served: HashMap<i64, (usize, Timestamp)> = HashMap::new();
        for (tenant, due, _) in rows {
            let (count, latest) = served.entry(*tenant).or_insert((0, *due));
            *count += 1;
            *latest = (*latest).max(*due);
        }
        for (tenant, due, _) in rows.iter().filter(|(_, _, taken)| !taken) {
            served.entry(*tenant).and_modify(|(_, mark)| *mark = (*mark).min(*due));
        }
        let mut all = self.0.lock();
        let Some(backlog) = all.get_mut(&key) else { return };
        backlog.hungry = hungry;
        for tenant in turn {
            match served.get(tenant) {
                Some((count, latest)) if *count >= quota => {
                    let since = |mark: &Mark| mark.since.elapsed() < FORGET;
                    let since = backlog.tenants.get(tenant).copied().flatten().filter(since);
                    let since = since.map_or_else(Instant::now, |mark| mark.since);
                    backlog.tenants.insert(*tenant, Some(Mark { due: *latest - LATE, since }));
                }
                _ => drop(backlog.tenants.remove(tenant)),
            }
        }
    }
}

/// A claimed row, before it is leased.
struct Candidate {
    seen: Claimable,
    due: Timestamp,
    tries: Tries,
}

impl Postgres {
    pub(super) async fn claim_rows(
        &self,
        which: (Channel, Priority),
        limit: u32,
        now: Timestamp,
        assign: Assign<'_>,
    ) -> Result<Vec<Job>, Error> {
        let key = (which.0.number(), which.1.number());
        if limit == 0 {
            return Ok(Vec::new());
        }
        if self.claims.is_stale(key) {
            let tenants = self.discover(key).await.map_err(from_sqlx)?;
            self.claims.discovered(key, &tenants);
        }
        let (tenants, marks) = self.claims.turn(key, limit);
        if tenants.is_empty() {
            return Ok(Vec::new());
        }
        let epoch = self.epoch()?;
        let quota = (limit as usize).div_ceil(tenants.len()).max(1);
        let ask = Ask { which, tenants: &tenants, marks: &marks, quota, limit, now, epoch: epoch.number };
        self.lease(&epoch, &ask, assign).await
    }

    /// A skip scan: one index probe per tenant, from the cursor on and then round.
    async fn discover(&self, key: (i16, i16)) -> Result<Vec<i64>, sqlx::Error> {
        let cursor = self.claims.cursor(key);
        let mut found = self.tenants_between(key, cursor, i64::MAX).await?;
        if found.len() < TENANTS {
            found.extend(self.tenants_between(key, i64::MIN, cursor).await?);
        }
        Ok(found)
    }

    async fn tenants_between(&self, key: (i16, i16), after: i64, until: i64) -> Result<Vec<i64>, sqlx::Error> {
        sqlx::query_scalar(
            "WITH RECURSIVE t AS (
                 (SELECT tenant_id FROM queue WHERE state = 0 AND channel = $1 AND priority = $2
                      AND tenant_id > $3 AND tenant_id <= $4 ORDER BY tenant_id LIMIT 1)
                 UNION ALL
                 SELECT (SELECT q.tenant_id FROM queue q WHERE q.state = 0 AND q.channel = $1 AND q.priority = $2
                      AND q.tenant_id > t.tenant_id AND q.tenant_id <= $4 ORDER BY q.tenant_id LIMIT 1)
                 FROM t WHERE t.tenant_id IS NOT NULL)
             SELECT t.tenant_id FROM t WHERE t.tenant_id IS NOT NULL
                 AND NOT EXISTS (SELECT 1 FROM tenants x WHERE x.id = t.tenant_id AND x.deleted_at IS NOT NULL)
             LIMIT $5",
        )
        .bind(key.0)
        .bind(key.1)
        .bind(after)
        .bind(until)
        .bind(i64::try_from(TENANTS).unwrap_or(i64::MAX))
        .fetch_all(&self.general)
        .await
    }

    async fn lease(&self, epoch: &Epoch, ask: &Ask<'_>, assign: Assign<'_>) -> Result<Vec<Job>, Error> {
        let mut turn = Lane::take(&self.hot, epoch.number, &epoch.claim).await?;
        let number = turn.next();
        let mut tx = self.hot.begin().await.map_err(from_sqlx)?;
        if !hold(&mut tx, (turn.lane, epoch.number, number)).await.map_err(from_sqlx)? {
            tx.rollback().await.map_err(from_sqlx)?;
            return Err(super::fault::fenced());
        }
        let candidates = ask.lock(&mut tx).await?;
        let hungry = candidates.len() < ask.limit as usize;
        let seen: Vec<Claimable> = candidates.iter().map(|candidate| candidate.seen).collect();
        let holds = assign(&seen);
        let is_taken = |at: usize| holds.get(at).copied().flatten().is_some();
        let served: Vec<(i64, Timestamp, bool)> =
            candidates.iter().enumerate().map(|(at, c)| (c.seen.tenant.0, c.due, is_taken(at))).collect();
        let taken: Vec<(Hold, Candidate)> =
            holds.into_iter().zip(candidates).filter_map(|(hold, candidate)| Some((hold?, candidate))).collect();
        if taken.is_empty() {
            tx.rollback().await.map_err(from_sqlx)?;
            if served.is_empty() {
                self.claims.served(ask.key(), ask.tenants, &served, ask.quota, hungry);
            }
            return Ok(Vec::new());
        }
        let leased = Leased {
            ids: taken.iter().map(|(_, candidate)| candidate.seen.id.0).collect(),
            hands: taken.iter().map(|(hold, _)| hold.hand).collect(),
        };
        mark(&mut tx, (turn.lane, epoch.number), &leased, &taken).await.map_err(from_sqlx)?;
        let jobs = load(&mut tx, &leased.ids, taken).await?;
        turn.depart(leased);
        tx.commit().await.map_err(from_sqlx)?;
        turn.arrive();
        self.claims.served(ask.key(), ask.tenants, &served, ask.quota, hungry);
        Ok(jobs)
    }
}

/// What a claim asks for.
struct Ask<'a> {
    which: (Channel, Priority),
    tenants: &'a [i64],
    marks: &'a [Timestamp],
    /// Rows per tenant.
    quota: usize,
    limit: u32,
    now: Timestamp,
    epoch: i64,
}

/// Each tenant's oldest due rows, from its watermark on. Not those that were cancelled and retried while our memory still
/// has the old hold: it will be told to drop the id, and must not find a second one of it.
pub(super) const CANDIDATES: &str = "
SELECT q.id, q.tenant_id, q.test, q.due, q.message_failures, q.provider_failures, q.trouble_since
FROM unnest($1::bigint[], $2::timestamptz[]) a(tenant_id, mark) CROSS JOIN LATERAL (
    SELECT * FROM queue q
    WHERE q.state = 0 AND q.channel = $3 AND q.priority = $4 AND q.tenant_id = a.tenant_id
        AND q.due >= a.mark AND q.due <= $5
        AND NOT EXISTS (SELECT 1 FROM cancelled c WHERE c.id = q.id AND c.owner = $8)
    ORDER BY q.due LIMIT $6 FOR UPDATE SKIP LOCKED) q
WHERE NOT EXISTS (SELECT 1 FROM tenants x WHERE x.id = a.tenant_id AND x.deleted_at IS NOT NULL)
LIMIT $7";

impl Ask<'_> {
    fn key(&self) -> (i16, i16) {
        (self.which.0.number(), self.which.1.number())
    }

    async fn lock(&self, conn: &mut PgConnection) -> Result<Vec<Candidate>, Error> {
        let rows = sqlx::query(CANDIDATES)
            .bind(self.tenants)
            .bind(self.marks)
            .bind(self.key().0)
            .bind(self.key().1)
            .bind(self.now)
            .bind(i64::try_from(self.quota).unwrap_or(i64::MAX))
            .bind(i64::from(self.limit))
            .bind(self.epoch)
            .fetch_all(conn)
            .await
            .map_err(from_sqlx)?;
        rows.iter().map(|row| self.candidate(row)).collect::<Result<_, _>>().map_err(from_sqlx)
    }

    fn candidate(&self, row: &PgRow) -> Result<Candidate, sqlx::Error> {
        Ok(Candidate {
            seen: Claimable {
                id: NotificationId(row.try_get(0)?),
                tenant: TenantId(row.try_get(1)?),
                channel: self.which.0,
                priority: self.which.1,
                test: row.try_get(2)?,
            },
            due: row.try_get(3)?,
            tries: Tries {
                message_failures: row.try_get(4)?,
                provider_failures: row.try_get(5)?,
                trouble_since: row.try_get(6)?,
            },
        })
    }
}

/// Leases the rows, and counts the lane up: a rescuer that waits for the lane row finds them ours.
async fn mark(
    conn: &mut PgConnection,
    turn: (i64, i64),
    leased: &Leased,
    taken: &[(Hold, Candidate)],
) -> Result<(), sqlx::Error> {
    let lanes: Vec<i32> = taken.iter().map(|(hold, _)| hold.lane).collect();
    let started: Vec<bool> = taken.iter().map(|(hold, _)| hold.started).collect();
    let doubts: Vec<i16> = taken.iter().map(|(hold, _)| hold.doubt as i16).collect();
    sqlx::query(
        "WITH l AS (UPDATE lane SET batch_no = batch_no + 1 WHERE id = $1 RETURNING id)
         UPDATE queue q SET state = 1, owner = $2, lane = u.lane, hand = u.hand, started = u.started, doubt = u.doubt
         FROM l, unnest($3::bigint[], $4::bigint[], $5::int[], $6::bool[], $7::smallint[])
             u(id, hand, lane, started, doubt)
         WHERE q.id = u.id",
    )
    .bind(turn.0)
    .bind(turn.1)
    .bind(&leased.ids)
    .bind(&leased.hands)
    .bind(&lanes)
    .bind(&started)
    .bind(&doubts)
    .execute(conn)
    .await?;
    Ok(())
}

/// The jobs in the order of the claim.
async fn load(conn: &mut PgConnection, ids: &[i64], taken: Vec<(Hold, Candidate)>) -> Result<Vec<Job>, Error> {
    const LOAD: &str = concat!(
        "SELECT ",
        columns!(),
        ", coalesce(c.variables, n.variables) AS variables, coalesce(c.direct, n.direct) AS direct
         FROM unnest($1::bigint[]) u(id) JOIN notifications n ON n.id = u.id
         LEFT JOIN notification_content c ON c.id = u.id"
    );
    let rows = sqlx::query(LOAD).bind(ids).fetch_all(&mut *conn).await.map_err(from_sqlx)?;
    let mut found = HashMap::with_capacity(rows.len());
    for row in &rows {
        let notification = notification(row)?;
        found.insert(notification.id, (notification, payload(row).map_err(from_sqlx)?));
    }
    let mut gone = Vec::new();
    let mut jobs = Vec::with_capacity(taken.len());
    for (hold, candidate) in taken {
        match found.remove(&candidate.seen.id) {
            Some((notification, payload)) => jobs.push(Job { notification, payload, hold, tries: candidate.tries }),
            None => gone.push(candidate.seen.id.0),
        }
    }
    if !gone.is_empty() {
        // Its history was dropped with its month: there is nothing left to deliver.
        tracing::warn!(rows = gone.len(), "queue rows without a notification were removed");
        sqlx::query("DELETE FROM queue WHERE id = ANY($1)").bind(&gone).execute(conn).await.map_err(from_sqlx)?;
    }
    Ok(jobs)
}
