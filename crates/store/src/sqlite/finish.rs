//! Writes what became of attempts, and lets lanes send on, in one transaction. The fence is the whole hold: id, epoch,
//! lane and hand.

use carillon_domain::notification::event::Transition;
use carillon_domain::{EventKind, Status};
use carillon_ports::work::{Doubt, Finish, Finished, Raise, Verdict};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::json;

use super::fault::Fault;
use super::thread::Writer;
use super::{events, ordering};
use crate::row;

/// All outcomes and raises, or none.
pub(super) fn finish(writer: &mut Writer, outcomes: &[Finish], raises: &[Raise]) -> Result<Finished, Fault> {
    let epoch = writer.epoch;
    let mut finished = writer.insist(|conn| {
        let mut finished = Finished::default();
        for each in outcomes {
            if let Some(ready) = outcome(conn, epoch, each)? {
                finished.ready |= ready;
            } else {
                late(conn, each)?;
                finished.lost.push(each.id);
            }
        }
        for raise in raises {
            conn.prepare_cached(
                "INSERT INTO intent (owner, dispatch_lane, hi) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET hi = max(hi, excluded.hi)",
            )?
            .execute(params![epoch, raise.lane, raise.hi])?;
        }
        Ok(finished)
    })?;
    // Cancels run on this thread too: none can have slipped in between the commit and here.
    writer.cancelled.retain(|held| {
        let permitted = raises.iter().any(|raise| raise.lane == held.lane && held.hand <= raise.hi);
        if permitted {
            finished.cancelled.push(held.id);
        }
        let dropped = |f: &&Finish| (f.id, f.hold.lane, f.hold.hand) == (held.id, held.lane, held.hand);
        !permitted && !outcomes.iter().filter(dropped).any(|f| finished.lost.contains(&f.id))
    });
    Ok(finished)
}

/// `None` if the lease was lost; otherwise whether a row has become ready.
fn outcome(conn: &Connection, epoch: i64, f: &Finish) -> Result<Option<bool>, Fault> {
    let at = row::micros(f.at);
    let fence = (f.id.0, epoch, f.hold.lane, f.hold.hand, f.tenant.0);
    let ready = match &f.verdict {
        Verdict::Sent { provider_message_id, delivered, capture } => {
            let gone = conn
                .prepare_cached(
                    "DELETE FROM queue WHERE id = ?1 AND owner = ?2 AND lane = ?3 AND hand = ?4 AND tenant_id = ?5
                     AND state = 1 RETURNING ordering_key",
                )?
                .query_row(fence, |r| Ok(Gone { key: r.get(0)? }))
                .optional()?;
            let Some(gone) = gone else { return Ok(None) };
            conn.prepare_cached(
                "UPDATE notifications SET status = max(status, ?2), attempts = ?3, provider = ?4,
                 provider_message_id = ?5, error = NULL, updated_at = ?6, sent_at = coalesce(sent_at, ?6),
                 delivered_at = coalesce(delivered_at, ?7) WHERE id = ?1",
            )?
            .execute(params![
                f.id.0,
                sent(*delivered).number(),
                f.attempts,
                f.provider,
                provider_message_id,
                at,
                delivered.then_some(at),
            ])?;
            if let Some(capture) = capture {
                conn.prepare_cached(
                    "INSERT INTO sandbox_messages (tenant_id, channel, recipient, content, notification_uuid, at)
                     SELECT tenant_id, channel, ?2, ?3, uuid, ?4 FROM notifications WHERE id = ?1",
                )?
                .execute(params![f.id.0, capture.to, row::json(&capture.content)?, at])?;
            }
            advance(conn, f, gone)?
        }
        Verdict::Retry { due, error, tries } => {
            let ready = *due <= f.at;
            let changed = conn
                .prepare_cached(
                    "UPDATE queue SET state = ?6, due = ?7, owner = NULL, lane = NULL, hand = NULL, started = 0,
                     message_failures = ?8, provider_failures = ?9, trouble_since = ?10
                     WHERE id = ?1 AND owner = ?2 AND lane = ?3 AND hand = ?4 AND tenant_id = ?5 AND state = 1",
                )?
                .execute(params![
                    fence.0,
                    fence.1,
                    fence.2,
                    fence.3,
                    fence.4,
                    if ready { 0 } else { 2 },
                    row::micros(*due),
                    tries.message_failures,
                    tries.provider_failures,
                    tries.trouble_since.map(row::micros),
                ])?;
            if changed == 0 {
                return Ok(None);
            }
            conn.prepare_cached(
                "UPDATE notifications SET status = CASE WHEN status <= 3 THEN 1 ELSE status END, attempts = ?2,
                 provider = coalesce(nullif(?3, ''), provider), error = coalesce(?4, error), updated_at = ?5
                 WHERE id = ?1",
            )?
            .execute(params![
                f.id.0,
                f.attempts,
                f.provider,
                error.as_ref().map(row::json).transpose()?,
                at
            ])?;
            ready
        }
        Verdict::Failed { error, reason } => {
            let Some(gone) = park(conn, fence, reason, at)? else { return Ok(None) };
            settle_parked(conn, f, Status::Failed, &row::json(error)?)?;
            advance(conn, f, gone)?
        }
        Verdict::Held { error } => {
            let Some(gone) = park(conn, fence, "unknown", at)? else { return Ok(None) };
            settle_parked(conn, f, Status::Unknown, &row::json(error)?)?;
            advance(conn, f, gone)?
        }
    };
    events::append(conn, f.id.0, f.tenant.0, &f.transitions)?;
    Ok(Some(ready))
}

/// Parks the row, out of its ordering lane. `None` if the lease was lost.
fn park(conn: &Connection, fence: (i64, i64, i32, i64, i64), reason: &str, at: i64) -> Result<Option<Gone>, Fault> {
    let gone = conn
        .prepare_cached(
            "SELECT ordering_key FROM queue
             WHERE id = ?1 AND owner = ?2 AND lane = ?3 AND hand = ?4 AND tenant_id = ?5 AND state = 1",
        )?
        .query_row(fence, |r| Ok(Gone { key: r.get(0)? }))
        .optional()?;
    if gone.is_some() {
        park_row(conn, fence.0, reason, at)?;
    }
    Ok(gone)
}

/// Makes the row a dead letter. It gives up its place in the ordering lane: the lane may end and begin anew meanwhile.
pub(super) fn park_row(conn: &Connection, id: i64, reason: &str, at: i64) -> Result<(), Fault> {
    conn.prepare_cached(
        "UPDATE queue SET state = 3, reason = ?2, parked_at = ?3, owner = NULL, lane = NULL, hand = NULL, started = 0,
         ordering_key = NULL, ordering_seq = NULL WHERE id = ?1",
    )?
    .execute(params![id, reason, at])?;
    Ok(())
}

fn settle_parked(conn: &Connection, f: &Finish, status: Status, error: &str) -> Result<(), Fault> {
    conn.prepare_cached(
        "UPDATE notifications SET status = max(status, ?2), attempts = ?3,
         provider = coalesce(nullif(?4, ''), provider), error = ?5, updated_at = ?6 WHERE id = ?1",
    )?
    .execute(params![f.id.0, status.number(), f.attempts, f.provider, error, row::micros(f.at)])?;
    Ok(())
}

/// A row that was ours and has left the queue's way.
struct Gone {
    /// Its ordering key.
    key: Option<String>,
}

fn advance(conn: &Connection, f: &Finish, gone: Gone) -> Result<bool, Fault> {
    gone.key.map_or(Ok(false), |key| ordering::leave(conn, f.tenant.0, &key, f.at))
}

/// A lost lease still carries knowledge: the provider took it. It settles doubt, and nothing else.
fn late(conn: &Connection, f: &Finish) -> Result<(), Fault> {
    let Verdict::Sent { provider_message_id, delivered, .. } = &f.verdict else { return Ok(()) };
    if f.hold.doubt == Doubt::Impossible {
        // The effect is part of the outcome: without the one there is not the other.
        return Ok(());
    }
    let known: Option<i16> = conn
        .prepare_cached("SELECT status FROM notifications WHERE id = ?1 AND tenant_id = ?2")?
        .query_row((f.id.0, f.tenant.0), |r| r.get(0))
        .optional()?;
    let Some(status) = known else { return Ok(()) };
    let note = Transition::new(EventKind::Sent, f.at).by(f.attempts, &f.provider).with(json!({ "late": true }));
    events::append(conn, f.id.0, f.tenant.0, &[note])?;
    if status != Status::Unknown.number() {
        return Ok(());
    }
    let at = row::micros(f.at);
    conn.prepare_cached(
        "UPDATE notifications SET status = ?2, provider = ?3, provider_message_id = ?4, error = NULL, updated_at = ?5,
         sent_at = coalesce(sent_at, ?5), delivered_at = coalesce(delivered_at, ?6) WHERE id = ?1",
    )?
    .execute(params![
        f.id.0,
        sent(*delivered).number(),
        f.provider,
        provider_message_id,
        at,
        delivered.then_some(at)
    ])?;
    conn.prepare_cached("DELETE FROM queue WHERE id = ?1 AND state = 3")?.execute([f.id.0])?;
    Ok(())
}

const fn sent(delivered: bool) -> Status {
    if delivered { Status::Delivered } else { Status::Sent }
}
