//! Finish: outcomes and raises. A first statement writes all rows without an ordering key; what it did not find (ordered
//! rows, lost leases) goes through a transaction that locks the ordering keys first.

use std::collections::{BTreeMap, HashMap, HashSet};

use carillon_domain::{Error, NotificationId};
use carillon_ports::work::{Doubt, Finish, Finished, Raise, Verdict};
use futures_util::FutureExt as _;
use sqlx::{PgConnection, Row as _};
use tokio::sync::Mutex;

use super::lane::{Fate, Lane, Leased, hold};
use super::outcome::{Outcomes, Raises, statement};
use super::{Epoch, Postgres, ordering};
use crate::error::from_sqlx;
use crate::row::json;

/// What this process knows of cancellations, per dispatch lane. One call at a time reads them: a raise that comes later
/// is answered later.
#[derive(Default)]
pub(super) struct Cancels(Mutex<HashMap<i32, Seen>>);

#[derive(Default)]
struct Seen {
    /// The lane's `cancel_seq` when `cancelled` was last read.
    sequence: i64,
    /// Hands above the lane's `hi`: told when it gets there.
    waiting: BTreeMap<i64, NotificationId>,
}

/// What a statement found.
#[derive(Default)]
struct Found {
    done: HashSet<i64>,
    ready: bool,
    /// Raised lanes with their `cancel_seq`.
    raised: Vec<(i32, i64)>,
    lost: Vec<NotificationId>,
}

impl Postgres {
    pub(super) async fn finish_group(&self, outcomes: &[Finish], raises: &[Raise]) -> Result<Finished, Error> {
        if outcomes.is_empty() && raises.is_empty() {
            return Ok(Finished::default());
        }
        let epoch = self.epoch()?;
        let epoch = &*epoch;
        let mut turn = Lane::take(&self.hot, epoch.number, &epoch.finish).await?;
        let lane = turn.lane;
        let columns = &Outcomes::of(outcomes)?;
        let raises = &Raises::of(raises);
        let fate = turn
            .pass(&self.hot, Leased::default(), |number| {
                self.write(epoch, (lane, epoch.number, number), columns, raises).boxed()
            })
            .await?;
        let found = match fate {
            Fate::Now(found) => found,
            Fate::Before => self.found_before(epoch, columns, raises).await?,
        };
        let mut finished = Finished { ready: found.ready, ..Finished::default() };
        let rest: Vec<&Finish> = outcomes.iter().filter(|finish| !found.done.contains(&finish.id.0)).collect();
        if !rest.is_empty() {
            let (columns, rest) = (&Outcomes::of(rest.iter().copied())?, &rest);
            let fate = turn
                .pass(&self.hot, Leased::default(), |number| {
                    self.write_rest(epoch, (lane, epoch.number, number), columns, rest).boxed()
                })
                .await?;
            match fate {
                Fate::Now(found) => {
                    finished.ready |= found.ready;
                    finished.lost = found.lost;
                }
                Fate::Before => finished.ready = true,
            }
        }
        drop(turn);
        if !finished.lost.is_empty() {
            let lost = outcomes.iter().filter(|finish| finished.lost.contains(&finish.id));
            let holds: Vec<(i32, i64)> = lost.map(|finish| (finish.hold.lane, finish.hold.hand)).collect();
            self.forget_holds(epoch, &holds).await.map_err(from_sqlx)?;
        }
        finished.cancelled = self.read_cancels(epoch, raises, &found.raised).await?;
        Ok(finished)
    }

    async fn write(
        &self,
        epoch: &Epoch,
        turn: (i64, i64, i64),
        outcomes: &Outcomes,
        raises: &Raises,
    ) -> Result<Option<Found>, sqlx::Error> {
        let row = statement(turn, epoch.lease, false, raises, outcomes).fetch_one(&self.hot).await?;
        found(&row)
    }

    /// What the first statement must have found: rows that are still in our hand were not its business.
    async fn found_before(&self, epoch: &Epoch, outcomes: &Outcomes, raises: &Raises) -> Result<Found, Error> {
        let open: HashSet<i64> = sqlx::query_scalar(
            "SELECT q.id FROM unnest($1::bigint[], $2::bigint[]) u(id, hand) JOIN queue q ON q.id = u.id
             WHERE q.owner = $3 AND q.hand = u.hand AND q.state = 1",
        )
        .bind(&outcomes.id)
        .bind(&outcomes.hand)
        .bind(epoch.number)
        .fetch_all(&self.hot)
        .await
        .map_err(from_sqlx)?
        .into_iter()
        .collect();
        let sequences =
            sqlx::query_as("SELECT dispatch_lane, cancel_seq FROM intent WHERE owner = $1 AND dispatch_lane = ANY($2)")
                .bind(epoch.number)
                .bind(&raises.lane)
                .fetch_all(&self.hot)
                .await
                .map_err(from_sqlx)?;
        let done = outcomes.id.iter().copied().filter(|id| !open.contains(id)).collect();
        Ok(Found { done, ready: true, raised: sequences, lost: Vec::new() })
    }

    /// Ordered rows, with the move of the next one of their key; and what a lost lease still tells.
    async fn write_rest(
        &self,
        epoch: &Epoch,
        turn: (i64, i64, i64),
        outcomes: &Outcomes,
        finishes: &[&Finish],
    ) -> Result<Option<Found>, sqlx::Error> {
        let mut tx = self.hot.begin().await?;
        if !hold(&mut tx, turn).await? {
            tx.rollback().await?;
            return Ok(None);
        }
        let keys: HashMap<i64, ordering::Key> = sqlx::query_as::<_, (i64, i64, String)>(
            "SELECT id, tenant_id, ordering_key FROM queue
             WHERE id = ANY($1) AND owner = $2 AND ordering_key IS NOT NULL",
        )
        .bind(&outcomes.id)
        .bind(epoch.number)
        .fetch_all(&mut *tx)
        .await?
        .into_iter()
        .map(|(id, tenant, key)| (id, (tenant, key)))
        .collect();
        ordering::lock(&mut tx, &keys.values().cloned().collect::<Vec<_>>()).await?;
        let none = Raises::of(&[]);
        let row = statement(turn, epoch.lease, true, &none, outcomes).fetch_one(&mut *tx).await?;
        let Some(mut found) = found(&row)? else { return Ok(None) };
        let ends = |finish: &&&Finish| !matches!(finish.verdict, Verdict::Retry { .. });
        let ended: Vec<&&Finish> =
            finishes.iter().filter(|finish| found.done.contains(&finish.id.0)).filter(ends).collect();
        let left: Vec<ordering::Key> = ended.iter().filter_map(|finish| keys.get(&finish.id.0).cloned()).collect();
        if let (false, Some(at)) = (left.is_empty(), ended.iter().map(|finish| finish.at).max()) {
            found.ready |= ordering::advance(&mut tx, &left, at).await?;
        }
        let mut lost: Vec<&Finish> = finishes.iter().copied().filter(|f| !found.done.contains(&f.id.0)).collect();
        let told = told_before(&mut tx, &lost).await?;
        lost.retain(|finish| !told.contains(&finish.id.0));
        note_late(&mut tx, &lost).await?;
        found.lost = lost.iter().map(|finish| finish.id).collect();
        tx.commit().await?;
        Ok(Some(found))
    }

    /// Rows of the raised lanes that were cancelled in memory, read anew: the raise's snapshot is older than the count.
    async fn read_cancels(
        &self,
        epoch: &Epoch,
        raises: &Raises,
        sequences: &[(i32, i64)],
    ) -> Result<Vec<NotificationId>, Error> {
        if sequences.is_empty() {
            return Ok(Vec::new());
        }
        let mut seen = epoch.cancels.0.lock().await;
        let known = |seen: &HashMap<i32, Seen>, lane| seen.get(&lane).map_or(0, |seen: &Seen| seen.sequence);
        let moved: Vec<(i32, i64)> =
            sequences.iter().filter(|(lane, sequence)| *sequence > known(&seen, *lane)).copied().collect();
        if !moved.is_empty() {
            let lanes: Vec<i32> = moved.iter().map(|(lane, _)| *lane).collect();
            let rows: Vec<(i32, i64, i64)> = sqlx::query_as(
                "SELECT dispatch_lane, hand, id FROM cancelled WHERE owner = $1 AND dispatch_lane = ANY($2)",
            )
            .bind(epoch.number)
            .bind(&lanes)
            .fetch_all(&self.hot)
            .await
            .map_err(from_sqlx)?;
            for (lane, hand, id) in rows {
                seen.entry(lane).or_default().waiting.insert(hand, NotificationId(id));
            }
            for (lane, sequence) in moved {
                seen.entry(lane).or_default().sequence = sequence;
            }
        }
        let (mut told, mut holds) = (Vec::new(), Vec::new());
        for (lane, hi) in raises.lane.iter().zip(&raises.hi) {
            if let Some(seen) = seen.get_mut(lane) {
                let above = seen.waiting.split_off(&(hi + 1));
                for (hand, id) in std::mem::replace(&mut seen.waiting, above) {
                    told.push(id);
                    holds.push((*lane, hand));
                }
            }
        }
        drop(seen);
        // What an error leaves behind is told once more after the next cancellation, which does no harm.
        if let Err(error) = self.forget_holds(epoch, &holds).await {
            tracing::debug!(cause = %error, "told cancellations stay for another time");
        }
        Ok(told)
    }

    /// These holds have left memory: whatever was cancelled under them may be claimed anew.
    pub(super) async fn forget_holds(&self, epoch: &Epoch, holds: &[(i32, i64)]) -> Result<(), sqlx::Error> {
        if holds.is_empty() {
            return Ok(());
        }
        let (lanes, hands): (Vec<i32>, Vec<i64>) = holds.iter().copied().unzip();
        sqlx::query(
            "DELETE FROM cancelled c USING unnest($2::int[], $3::bigint[]) u(lane, hand)
             WHERE c.owner = $1 AND c.dispatch_lane = u.lane AND c.hand = u.hand",
        )
        .bind(epoch.number)
        .bind(&lanes)
        .bind(&hands)
        .execute(&self.hot)
        .await?;
        // They may stand behind a watermark.
        self.claims.forget();
        let mut seen = epoch.cancels.0.lock().await;
        for (lane, hand) in holds {
            if let Some(seen) = seen.get_mut(lane) {
                seen.waiting.remove(hand);
            }
        }
        Ok(())
    }
}

fn found(row: &sqlx::postgres::PgRow) -> Result<Option<Found>, sqlx::Error> {
    if row.try_get::<i64, _>(0)? == 0 {
        return Ok(None);
    }
    let lanes: Vec<i32> = row.try_get(3)?;
    let sequences: Vec<i64> = row.try_get(4)?;
    Ok(Some(Found {
        done: row.try_get::<Vec<i64>, _>(1)?.into_iter().collect(),
        ready: row.try_get(2)?,
        raised: lanes.into_iter().zip(sequences).collect(),
        lost: Vec::new(),
    }))
}

/// Outcomes that an earlier call has written, whose answer was lost for so long that it gave up: they are told in these
/// very words.
async fn told_before(conn: &mut PgConnection, lost: &[&Finish]) -> Result<HashSet<i64>, sqlx::Error> {
    if lost.is_empty() {
        return Ok(HashSet::new());
    }
    let ids: Vec<i64> = lost.iter().map(|finish| finish.id.0).collect();
    let words = lost.iter().map(|finish| json(&finish.transitions)).collect::<Result<Vec<_>, _>>();
    let words = words.map_err(|error| sqlx::Error::Encode(error.into()))?;
    let told: Vec<i64> = sqlx::query_scalar(
        "SELECT u.id FROM unnest($1::bigint[], $2::text[]) u(id, words)
         WHERE EXISTS (SELECT 1 FROM events e WHERE e.id = u.id AND e.transitions = u.words)",
    )
    .bind(&ids)
    .bind(&words)
    .fetch_all(conn)
    .await?;
    Ok(told.into_iter().collect())
}

/// A lost lease still knows that the provider took the message: a late event, and what was held in doubt is settled.
async fn note_late(conn: &mut PgConnection, lost: &[&Finish]) -> Result<(), sqlx::Error> {
    let late = lost.iter().filter(|finish| finish.hold.doubt != Doubt::Impossible);
    let sent: Vec<&&Finish> = late.filter(|finish| matches!(finish.verdict, Verdict::Sent { .. })).collect();
    if sent.is_empty() {
        return Ok(());
    }
    let columns =
        Outcomes::of(sent.iter().map(|finish| **finish)).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let mut transitions = Vec::new();
    for finish in sent {
        let mut told = finish.transitions.clone();
        for transition in &mut told {
            transition.detail = Some(serde_json::json!({ "late": true }));
        }
        transitions.push(json(&told).map_err(|error| sqlx::Error::Encode(error.into()))?);
    }
    sqlx::query(
        "WITH u AS MATERIALIZED (
             SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::text[], $5::text[], $6::timestamptz[],
                 $7::text[]) u(id, tenant_id, status, provider, message_id, at, transitions)),
         k AS MATERIALIZED (
             SELECT u.* FROM u JOIN queue q ON q.id = u.id AND q.tenant_id = u.tenant_id WHERE q.state = 3 AND q.reason = 'unknown'
             ORDER BY q.id FOR UPDATE OF q),
         d AS (DELETE FROM queue q USING k WHERE q.id = k.id),
         m AS (
             UPDATE notifications n SET status = k.status, provider = coalesce(nullif(k.provider, ''), n.provider),
                 provider_message_id = coalesce(k.message_id, n.provider_message_id), error = NULL, sent_at = k.at,
                 delivered_at = CASE WHEN k.status = 5 THEN k.at ELSE n.delivered_at END, updated_at = k.at
             FROM k WHERE n.id = k.id AND n.status = 3)
         INSERT INTO events (id, tenant_id, transitions)
         SELECT u.id, u.tenant_id, u.transitions FROM u JOIN notifications n ON n.id = u.id AND n.tenant_id = u.tenant_id",
    )
    .bind(&columns.id)
    .bind(&columns.tenant_id)
    .bind(&columns.status)
    .bind(&columns.provider)
    .bind(&columns.message_id)
    .bind(&columns.at)
    .bind(&transitions)
    .execute(conn)
    .await?;
    Ok(())
}
