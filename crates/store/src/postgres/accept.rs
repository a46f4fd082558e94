//! Accept: a group of units in one transaction.

use std::collections::{BTreeMap, HashMap, HashSet};

use carillon_domain::Error;
use carillon_ports::work::{AcceptUnit, Accepted, Birth};
use futures_util::FutureExt as _;
use sqlx::{PgConnection, Row as _};

use super::columns::{Keys, Rows, statement};
use super::fault::{Trouble, in_doubt, in_progress};
use super::lane::{Fate, Lane, hold};
use super::{Epoch, Postgres, ordering};
use crate::error::from_sqlx;

/// From so many rows on, a group goes through the first lane only, so that the others stay quick for singles.
const BULK: usize = 256;

/// What a group's transaction answered.
#[derive(Default)]
struct Written {
    /// The keyed units that won their key.
    won: HashSet<usize>,
    /// Ids of rows that wait behind another of their ordering key.
    blocked: HashSet<i64>,
}

impl Postgres {
    pub(super) async fn accept_group(&self, group: &[AcceptUnit]) -> Vec<Result<Accepted, Error>> {
        let mut answers: Vec<Option<Result<Accepted, Error>>> = group.iter().map(|_| None).collect();
        for wave in waves(group) {
            let mut work = vec![wave];
            while let Some(places) = work.pop() {
                let units: Vec<&AcceptUnit> = places.iter().map(|place| &group[*place]).collect();
                match self.store(&units).await {
                    Ok(found) => {
                        for (place, answer) in places.into_iter().zip(found) {
                            answers[place] = Some(Ok(answer));
                        }
                    }
                    Err(Trouble::Refused(_) | Trouble::Busy(_)) if places.len() > 1 => {
                        let (left, right) = places.split_at(places.len() / 2);
                        work.push(right.to_vec());
                        work.push(left.to_vec());
                    }
                    Err(trouble) => fail(&places, group, trouble, &mut answers),
                }
            }
        }
        let missing = || Err(Error::internal("a unit was left without an answer"));
        answers.into_iter().map(|answer| answer.unwrap_or_else(missing)).collect()
    }

    async fn store(&self, units: &[&AcceptUnit]) -> Result<Vec<Accepted>, Trouble> {
        let epoch = self.epoch().map_err(Trouble::Other)?;
        let rows: usize = units.iter().map(|unit| unit.items.len()).sum();
        let lanes = if rows >= BULK { &epoch.accept[..1] } else { &epoch.accept[..] };
        let mut turn = Lane::take(&self.hot, epoch.number, lanes).await.map_err(Trouble::Other)?;
        let ordered = units.iter().flat_map(|unit| &unit.items).any(|item| item.notification.ordering_key.is_some());
        let keys = Keys::of(units);
        let rows = Rows::of(units, true).map_err(Trouble::Other)?;
        let leased = rows.leased();
        let lane = turn.lane;
        let (keys, rows, epoch) = (&keys, &rows, &*epoch);
        let fate = if ordered {
            turn.pass(&self.hot, leased, |number| {
                self.write_ordered(epoch, (lane, epoch.number, number), keys, units).boxed()
            })
            .await?
        } else {
            turn.pass(&self.hot, leased, |number| {
                self.write_plain(epoch, (lane, epoch.number, number), keys, rows).boxed()
            })
            .await?
        };
        let answers = async {
            let written = match fate {
                Fate::Now(written) => written,
                Fate::Before => self.written_before(epoch, units).await?,
            };
            self.answer(units, &written).await
        };
        answers.await.map_err(|error| {
            // It is in, and its caller cannot be told: nobody here will work on these rows.
            turn.depart(rows.leased());
            Trouble::Other(in_doubt(error))
        })
    }

    async fn write_plain(
        &self,
        epoch: &Epoch,
        turn: (i64, i64, i64),
        keys: &Keys<'_>,
        rows: &Rows<'_>,
    ) -> Result<Option<Written>, sqlx::Error> {
        let row = statement(turn, epoch.lease, keys, rows).fetch_one(&self.hot).await?;
        if row.try_get::<i64, _>(0)? == 0 {
            return Ok(None);
        }
        let won = row.try_get::<Vec<i32>, _>(1)?.into_iter().filter_map(|unit| usize::try_from(unit).ok()).collect();
        Ok(Some(Written { won, blocked: HashSet::new() }))
    }

    /// Keys first, then the ordering lanes of the units that won, then all rows of those units.
    async fn write_ordered(
        &self,
        epoch: &Epoch,
        turn: (i64, i64, i64),
        keys: &Keys<'_>,
        units: &[&AcceptUnit],
    ) -> Result<Option<Written>, sqlx::Error> {
        let mut tx = self.hot.begin().await?;
        if !hold(&mut tx, turn).await? {
            tx.rollback().await?;
            return Ok(None);
        }
        let won = claim_keys(&mut tx, keys).await?;
        let stays = |(place, unit): (usize, &&AcceptUnit)| unit.idempotency.is_none() || won.contains(&place);
        let kept: Vec<&AcceptUnit> =
            units.iter().enumerate().filter(|(place, unit)| stays((*place, unit))).map(|(_, unit)| *unit).collect();
        let mut rows = Rows::of(&kept, false).map_err(|error| sqlx::Error::Encode(error.into()))?;
        let blocked = place_in_order(&mut tx, &mut rows).await?;
        let nothing = Keys::default();
        let row = statement(turn, epoch.lease, &nothing, &rows).fetch_one(&mut *tx).await?;
        if row.try_get::<i64, _>(0)? == 0 {
            return Ok(None);
        }
        tx.commit().await?;
        Ok(Some(Written { won, blocked }))
    }

    /// Reads what an earlier try must have answered. A keyed unit won if its first row is there: ids are never reused.
    async fn written_before(&self, epoch: &Epoch, units: &[&AcceptUnit]) -> Result<Written, Error> {
        let firsts: Vec<i64> = units.iter().filter_map(|unit| Some(unit.items.first()?.notification.id.0)).collect();
        let there: HashSet<i64> = sqlx::query_scalar("SELECT id FROM notifications WHERE id = ANY($1)")
            .bind(&firsts)
            .fetch_all(&self.hot)
            .await
            .map_err(from_sqlx)?
            .into_iter()
            .collect();
        let won = units
            .iter()
            .enumerate()
            .filter(|(_, unit)| unit.items.first().is_some_and(|item| there.contains(&item.notification.id.0)))
            .map(|(place, _)| place)
            .collect();
        let ordered: Vec<i64> = units
            .iter()
            .flat_map(|unit| &unit.items)
            .filter(|item| item.notification.ordering_key.is_some())
            .map(|item| item.notification.id.0)
            .collect();
        if ordered.is_empty() {
            return Ok(Written { won, blocked: HashSet::new() });
        }
        let queue: HashMap<i64, (i16, Option<i64>, Option<i64>)> =
            sqlx::query_as::<_, (i64, i16, Option<i64>, Option<i64>)>(
                "SELECT id, state, owner, hand FROM queue WHERE id = ANY($1)",
            )
            .bind(&ordered)
            .fetch_all(&self.hot)
            .await
            .map_err(from_sqlx)?
            .into_iter()
            .map(|(id, state, owner, hand)| (id, (state, owner, hand)))
            .collect();
        let mut blocked = HashSet::new();
        for item in units.iter().flat_map(|unit| &unit.items) {
            let id = item.notification.id.0;
            let Some((state, owner, hand)) = queue.get(&id) else { continue };
            let taken = match item.birth {
                // Another may have moved it up and claimed it since: whatever is not in our hand is not ours.
                Birth::Leased(hold) => *owner == Some(epoch.number) && *hand == Some(hold.hand),
                _ => *state != 4,
            };
            if !taken {
                blocked.insert(id);
            }
        }
        Ok(Written { won, blocked })
    }

    /// One answer per unit. Losers of a key are read in a statement of their own: the winner is not in our snapshot.
    async fn answer(&self, units: &[&AcceptUnit], written: &Written) -> Result<Vec<Accepted>, Error> {
        let mut tenants = Vec::new();
        let mut keys = Vec::new();
        for (place, unit) in units.iter().enumerate() {
            if let (Some(idempotency), false) = (&unit.idempotency, written.won.contains(&place)) {
                tenants.push(idempotency.tenant.0);
                keys.push(idempotency.key.as_str());
            }
        }
        let mut first = HashMap::new();
        if !keys.is_empty() {
            let rows: Vec<(i64, String, Vec<u8>, String)> = sqlx::query_as(
                "SELECT i.tenant_id, i.key, i.fingerprint, i.answer FROM unnest($1::bigint[], $2::text[]) u(t, k)
                 JOIN idem i ON i.tenant_id = u.t AND i.key = u.k",
            )
            .bind(&tenants)
            .bind(&keys)
            .fetch_all(&self.hot)
            .await
            .map_err(from_sqlx)?;
            first = rows.into_iter().map(|(t, k, fingerprint, answer)| ((t, k), (fingerprint, answer))).collect();
        }
        units
            .iter()
            .enumerate()
            .map(|(place, unit)| match &unit.idempotency {
                Some(key) if !written.won.contains(&place) => {
                    match first.get(&(key.tenant.0, key.key.clone())) {
                        Some((fingerprint, answer)) if *fingerprint == key.fingerprint => {
                            Ok(Accepted::Replayed(answer.clone()))
                        }
                        Some(_) => Ok(Accepted::Mismatch),
                        // It was swept between the two statements: 72 hours old, so the client may simply try again.
                        None => Err(Error::unavailable("the idempotency key ended just now")),
                    }
                }
                _ => Ok(Accepted::Stored { blocked: blocked_places(unit, &written.blocked) }),
            })
            .collect()
    }
}

/// Groups in which no key comes twice, in order: the second use of a key must see the first one committed.
fn waves(group: &[AcceptUnit]) -> Vec<Vec<usize>> {
    let mut seen = HashMap::new();
    let mut waves: Vec<Vec<usize>> = Vec::new();
    for (place, unit) in group.iter().enumerate() {
        let wave = unit.idempotency.as_ref().map_or(0, |key| {
            let uses = seen.entry((key.tenant, &key.key)).or_insert(0_usize);
            *uses += 1;
            *uses - 1
        });
        if waves.len() <= wave {
            waves.resize_with(wave + 1, Vec::new);
        }
        waves[wave].push(place);
    }
    waves
}

/// Answers all of `places` with what went wrong.
fn fail(places: &[usize], group: &[AcceptUnit], trouble: Trouble, answers: &mut [Option<Result<Accepted, Error>>]) {
    let error = match (trouble, places) {
        (Trouble::Busy(error), [place]) if group[*place].idempotency.is_some() => in_progress(error),
        (trouble, _) => trouble.into(),
    };
    for place in places {
        let mut copy = Error::new(error.code, error.detail.clone());
        copy.retry_after = error.retry_after;
        answers[*place] = Some(Err(copy));
    }
    if let (Some(place), Some(source)) = (places.first(), error.source) {
        tracing::warn!(cause = %source, units = places.len(), "units were not accepted");
        if let Some(Some(Err(first))) = answers.get_mut(*place) {
            first.source = Some(source);
        }
    }
}

async fn claim_keys(conn: &mut PgConnection, keys: &Keys<'_>) -> Result<HashSet<usize>, sqlx::Error> {
    if keys.key.is_empty() {
        return Ok(HashSet::new());
    }
    let won: Vec<(i64, String)> = sqlx::query_as(
        "INSERT INTO idem (tenant_id, key, fingerprint, answer, created_at)
         SELECT * FROM unnest($1::bigint[], $2::text[], $3::bytea[], $4::text[], $5::timestamptz[]) u(t, k, f, a, at)
         ORDER BY t, k ON CONFLICT DO NOTHING RETURNING tenant_id, key",
    )
    .bind(&keys.tenant)
    .bind(&keys.key)
    .bind(&keys.fingerprint)
    .bind(&keys.answer)
    .bind(&keys.at)
    .fetch_all(conn)
    .await?;
    let won: HashSet<(i64, &str)> = won.iter().map(|(tenant, key)| (*tenant, key.as_str())).collect();
    let pairs = keys.tenant.iter().zip(&keys.key).zip(&keys.unit);
    Ok(pairs
        .filter(|((tenant, key), _)| won.contains(&(**tenant, **key)))
        .filter_map(|(_, unit)| usize::try_from(*unit).ok())
        .collect())
}

/// Numbers the rows of each ordering key in the group's order and blocks all that are not first. Returns the ids of the
/// blocked ones.
async fn place_in_order(conn: &mut PgConnection, rows: &mut Rows<'_>) -> Result<HashSet<i64>, sqlx::Error> {
    let mut wanted = BTreeMap::<(i64, &str), i64>::new();
    let queued = |rows: &Rows<'_>, at: usize| rows.state[at].is_some();
    for at in 0..rows.id.len() {
        if let (Some(key), true) = (rows.ordering_key[at], queued(rows, at)) {
            *wanted.entry((rows.tenant_id[at], key)).or_default() += 1;
        }
    }
    let mut blocked = HashSet::new();
    if wanted.is_empty() {
        return Ok(blocked);
    }
    let mut lanes: HashMap<ordering::Key, (i64, bool)> = HashMap::new();
    for ((tenant, key), (tail, pending)) in ordering::reserve(conn, &wanted).await? {
        let count = wanted.get(&(tenant, key.as_str())).copied().unwrap_or(0);
        lanes.insert((tenant, key), (tail - count, pending == count));
    }
    for at in 0..rows.id.len() {
        let (Some(key), true) = (rows.ordering_key[at], queued(rows, at)) else { continue };
        if let Some((sequence, free)) = lanes.get_mut(&(rows.tenant_id[at], key.to_owned())) {
            *sequence += 1;
            rows.ordering_seq[at] = Some(*sequence);
            if !std::mem::take(free) {
                rows.block(at);
                blocked.insert(rows.id[at]);
            }
        }
    }
    Ok(blocked)
}

fn blocked_places(unit: &AcceptUnit, blocked: &HashSet<i64>) -> Vec<usize> {
    let places = unit.items.iter().enumerate();
    places.filter(|(_, item)| blocked.contains(&item.notification.id.0)).map(|(place, _)| place).collect()
}
