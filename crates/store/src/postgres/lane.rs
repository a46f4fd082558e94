//! Lanes: rows that are fence, heartbeat and exactly-once in one update. A batch counts its lane's `batch_no` up in its
//! own transaction, so an answer that was lost can be asked for again: the number tells whether the batch is in.

use std::time::Duration;

use carillon_domain::Error;
use futures_util::future::{BoxFuture, select_all};
use sqlx::PgPool;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

use super::fault::{Kind, Trouble, fenced, in_doubt, kind};
use crate::error::from_sqlx;

/// How long a batch is sent again before its caller hears `unavailable`; with a last try for a connection it is less than
/// two seconds, and one if there is none to be had from the beginning.
const PERSIST: Duration = Duration::from_millis(700);
/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(20);

/// One row of `lane`, as this process knows it.
pub(super) struct Lane {
    pub(super) id: i64,
    slot: Mutex<Slot>,
}

/// Rows that a batch leases to us: ids and hands, side by side.
#[derive(Clone, Default)]
pub(super) struct Leased {
    pub(super) ids: Vec<i64>,
    pub(super) hands: Vec<i64>,
}

struct Slot {
    /// The last number that is known to be committed.
    batch: i64,
    /// Set while a batch is under way: the rows it may have leased to us. Still set when the lane is taken next, nobody
    /// knows whether that batch is in: its caller was told that it is not, or has gone.
    adrift: Option<Leased>,
}

/// A lane that is ours until dropped.
pub(super) struct Turn<'a> {
    pub(super) lane: i64,
    pub(super) epoch: i64,
    slot: MutexGuard<'a, Slot>,
}

/// How a batch came to be in.
pub(super) enum Fate<T> {
    /// By the try that answered.
    Now(T),
    /// By an earlier try whose answer was lost: what it would have said must be read.
    Before,
}

impl Lane {
    pub(super) fn new(id: i64) -> Self {
        Self { id, slot: Mutex::new(Slot { batch: 0, adrift: None }) }
    }

    /// The first of `lanes` to be free.
    ///
    /// # Errors
    /// `unavailable` if an earlier batch's fate cannot be found out now, or the epoch is over.
    pub(super) async fn take<'a>(pool: &PgPool, epoch: i64, lanes: &'a [Self]) -> Result<Turn<'a>, Error> {
        let free = lanes.iter().find_map(|lane| Some((lane.id, lane.slot.try_lock().ok()?)));
        let (lane, slot) = if let Some(free) = free {
            free
        } else {
            let waits = lanes.iter().map(|lane| Box::pin(async move { (lane.id, lane.slot.lock().await) }));
            select_all(waits).await.0
        };
        let mut turn = Turn { lane, epoch, slot };
        turn.settle(pool).await?;
        Ok(turn)
    }

    /// Settles what is adrift, if nobody is using the lane.
    pub(super) async fn tidy(&self, pool: &PgPool, epoch: i64) -> Result<(), Error> {
        match self.slot.try_lock() {
            Ok(slot) => Turn { lane: self.id, epoch, slot }.settle(pool).await,
            Err(_) => Ok(()),
        }
    }
}

#[cfg(test)]
impl Lane {
    /// Forgets the last batch, as after an answer that never came.
    pub(super) fn unsay(&self) {
        let mut slot = self.slot.try_lock().unwrap();
        slot.batch = (slot.batch - 1).max(0);
    }

    /// Leaves the lane as a caller does that went away in the middle of a batch.
    pub(super) fn strand(&self, id: i64, hand: i64) {
        self.slot.try_lock().unwrap().adrift = Some(Leased { ids: vec![id], hands: vec![hand] });
    }
}

impl Turn<'_> {
    /// Frees the rows of a batch of unknown fate. The number jumps, so that a try which is still on its way to the
    /// server comes too late.
    async fn settle(&mut self, pool: &PgPool) -> Result<(), Error> {
        let Some(Leased { ids, hands }) = self.slot.adrift.clone() else { return Ok(()) };
        let jumped = sqlx::query_scalar::<_, i64>(
            "UPDATE lane SET batch_no = batch_no + 2 WHERE id = $1 AND epoch = $2 AND lease_until > clock_timestamp()
             RETURNING batch_no",
        )
        .bind(self.lane)
        .bind(self.epoch)
        .fetch_optional(pool)
        .await
        .map_err(from_sqlx)?;
        let Some(batch) = jumped else { return Err(fenced()) };
        if !ids.is_empty() {
            sqlx::query(
                "WITH k AS MATERIALIZED (SELECT q.id FROM unnest($1::bigint[], $3::bigint[]) u(id, hand)
                     JOIN queue q ON q.id = u.id WHERE q.owner = $2 AND q.hand = u.hand AND q.state = 1 ORDER BY q.id FOR UPDATE OF q)
                 UPDATE queue q SET state = 0, owner = NULL, lane = NULL, hand = NULL, started = false, doubt = 0
                 FROM k WHERE q.id = k.id",
            )
            .bind(&ids)
            .bind(self.epoch)
            .bind(&hands)
            .execute(pool)
            .await
            .map_err(from_sqlx)?;
        }
        self.slot.batch = batch;
        self.slot.adrift = None;
        Ok(())
    }

    /// The number of the batch to come.
    pub(super) fn next(&self) -> i64 {
        self.slot.batch + 1
    }

    /// Says which rows the coming batch leases to us.
    pub(super) fn depart(&mut self, leased: Leased) {
        self.slot.adrift = Some(leased);
    }

    /// The coming batch is in.
    pub(super) fn arrive(&mut self) {
        self.slot.batch += 1;
        self.slot.adrift = None;
    }

    /// Sends a batch until it is known to be in or out. `attempt` gets the batch's number and answers `None` if the lane
    /// row did not let it pass; it must write the same bytes each time.
    pub(super) async fn pass<'f, T>(
        &mut self,
        pool: &PgPool,
        leased: Leased,
        attempt: impl Fn(i64) -> BoxFuture<'f, Result<Option<T>, sqlx::Error>> + Send,
    ) -> Result<Fate<T>, Trouble> {
        let number = self.next();
        self.depart(leased);
        let began = Instant::now();
        let mut ambiguous = false;
        loop {
            let error = match attempt(number).await {
                Ok(Some(answer)) => {
                    self.arrive();
                    return Ok(Fate::Now(answer));
                }
                Ok(None) => match self.committed(pool).await {
                    Ok(Some(committed)) if committed == number => {
                        self.arrive();
                        return Ok(Fate::Before);
                    }
                    Ok(_) if ambiguous => return Err(Trouble::Other(in_doubt(fenced()))),
                    Ok(_) => return Err(Trouble::Fenced),
                    Err(error) => error,
                },
                Err(error) => error,
            };
            let found = kind(&error);
            ambiguous |= found == Kind::Lost && !matches!(error, sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed);
            // Without a connection nothing was sent, and one has been waited for already.
            let patient = began.elapsed() < PERSIST && (ambiguous || found == Kind::Again);
            if patient && matches!(found, Kind::Lost | Kind::Again) {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            if !ambiguous {
                self.slot.adrift = None;
            }
            return Err(match found {
                Kind::Refused => Trouble::Refused(error),
                Kind::Again if !ambiguous => Trouble::Busy(error),
                Kind::Again | Kind::Lost if ambiguous => Trouble::Other(in_doubt(error)),
                Kind::Again | Kind::Lost => Trouble::Other(Error::unavailable(error)),
                Kind::Defect => Trouble::Other(from_sqlx(error)),
            });
        }
    }

    /// The number that the database holds; `None` if the epoch is over.
    async fn committed(&self, pool: &PgPool) -> Result<Option<i64>, sqlx::Error> {
        sqlx::query_scalar("SELECT batch_no FROM lane WHERE id = $1 AND epoch = $2")
            .bind(self.lane)
            .bind(self.epoch)
            .fetch_optional(pool)
            .await
    }
}

/// Takes the lane row first, as the lock order wants, for a transaction of several statements.
pub(super) async fn hold(conn: &mut sqlx::PgConnection, turn: (i64, i64, i64)) -> Result<bool, sqlx::Error> {
    let (lane, epoch, number) = turn;
    let held = sqlx::query_scalar::<_, i64>(
        "SELECT id FROM lane WHERE id = $1 AND epoch = $2 AND batch_no = $3 - 1 AND lease_until > clock_timestamp()
         FOR UPDATE",
    )
    .bind(lane)
    .bind(epoch)
    .bind(number)
    .fetch_optional(conn)
    .await?;
    Ok(held.is_some())
}
