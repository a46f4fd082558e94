//! Writes what came in: units that arrived together, in one transaction.

use std::collections::HashMap;

use carillon_domain::Error;
use carillon_ports::work::{AcceptUnit, Accepted, Birth, Hold, Idempotency, NewNotification};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::fault::Fault;
use super::thread::Writer;
use super::{events, ordering};
use crate::row;

/// One result per unit. A unit that the database refuses is answered alone, and the others are written without it.
pub(super) fn accept(writer: &mut Writer, group: &[AcceptUnit]) -> Vec<Result<Accepted, Error>> {
    if let Err(error) = writer.disk.intake() {
        return group.iter().map(|_| Err(again(&error))).collect();
    }
    let epoch = writer.epoch;
    let mut refused: HashMap<usize, Error> = HashMap::new();
    loop {
        let mut culprit = None;
        let written = writer.transact(|conn| {
            let mut answers = Vec::with_capacity(group.len());
            for (index, each) in group.iter().enumerate() {
                if refused.contains_key(&index) {
                    answers.push(None);
                    continue;
                }
                culprit = Some(index);
                answers.push(Some(unit(conn, epoch, each)?));
            }
            culprit = None;
            Ok(answers)
        });
        match (written, culprit) {
            (Ok(answers), _) => {
                let answer = |(index, answer): (usize, Option<Accepted>)| match answer {
                    Some(accepted) => Ok(accepted),
                    None => Err(refused.remove(&index).unwrap_or_else(|| Error::internal("a unit without an answer"))),
                };
                return answers.into_iter().enumerate().map(answer).collect();
            }
            (Err(fault), Some(index)) if fault.is_poison() => {
                refused.insert(index, fault.into());
            }
            (Err(fault), _) => {
                if fault.is_full() {
                    writer.disk.drop_ballast();
                }
                let error = Error::from(fault);
                tracing::error!(error = ?error.source, "a group could not be accepted");
                return group
                    .iter()
                    .enumerate()
                    .map(|(index, _)| Err(refused.remove(&index).unwrap_or_else(|| again(&error))))
                    .collect();
            }
        }
    }
}

/// The same error for one more caller; its cause is in the log.
fn again(error: &Error) -> Error {
    Error { retry_after: error.retry_after, ..Error::new(error.code, error.detail.clone()) }
}

fn unit(conn: &Connection, epoch: i64, unit: &AcceptUnit) -> Result<Accepted, Fault> {
    if let Some(key) = &unit.idempotency
        && let Some(answer) = claim_key(conn, key)?
    {
        return Ok(answer);
    }
    let mut blocked = Vec::new();
    for (position, new) in unit.items.iter().enumerate() {
        notification(conn, new)?;
        if !queue(conn, epoch, new)? {
            blocked.push(position);
        }
        events::append(conn, new.notification.id.0, new.notification.tenant_id.0, &new.transitions)?;
    }
    Ok(Accepted::Stored { blocked })
}

/// Claims the key, or says what its first use came to.
fn claim_key(conn: &Connection, new: &Idempotency) -> Result<Option<Accepted>, Fault> {
    let known: Option<([u8; 32], String)> = conn
        .prepare_cached("SELECT fingerprint, answer FROM idem WHERE tenant_id = ?1 AND key = ?2")?
        .query_row(params![new.tenant.0, new.key], |r| Ok((r.get(0)?, r.get(1)?)))
        .optional()?;
    if let Some((fingerprint, answer)) = known {
        return Ok(Some(if fingerprint == new.fingerprint { Accepted::Replayed(answer) } else { Accepted::Mismatch }));
    }
    conn.prepare_cached(
        "INSERT INTO idem (tenant_id, key, fingerprint, answer, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![new.tenant.0, new.key, new.fingerprint, new.answer, row::micros(new.at)])?;
    Ok(None)
}

fn notification(conn: &Connection, new: &NewNotification) -> Result<(), Fault> {
    let n = &new.notification;
    let payload = &new.payload;
    let inline = payload.variables.len() + payload.direct.as_ref().map_or(0, String::len) <= row::INLINE_BYTES;
    let (variables, direct) = if inline { (Some(&payload.variables), payload.direct.as_ref()) } else { (None, None) };
    let recipient = row::json(&n.recipient)?;
    let error = n.error.as_ref().map(row::json).transpose()?;
    conn.prepare_cached(
        "INSERT INTO notifications (id, uuid, tenant_id, channel, priority, status, run, attempts, test, recipient,
         template_id, template_version, locale, variables, direct, metadata, correlation_id, ordering_key, provider,
         provider_message_id, error, scheduled_at, expires_at, created_at, updated_at, sent_at, delivered_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22,
         ?23, ?24, ?25, ?26, ?27)",
    )?
    .execute(params![
        n.id.0,
        n.uuid.as_bytes(),
        n.tenant_id.0,
        n.channel.number(),
        n.priority.number(),
        n.status.number(),
        n.run,
        n.attempts,
        n.test,
        recipient,
        n.template.map(|t| t.id.0),
        n.template.map(|t| t.version),
        n.locale,
        variables,
        direct,
        n.metadata,
        n.correlation_id,
        n.ordering_key,
        n.provider,
        n.provider_message_id,
        error,
        n.scheduled_at.map(row::micros),
        n.expires_at.map(row::micros),
        row::micros(n.created_at),
        row::micros(n.updated_at),
        n.sent_at.map(row::micros),
        n.delivered_at.map(row::micros),
    ])?;
    if !inline {
        conn.prepare_cached("INSERT INTO notification_content (id, variables, direct) VALUES (?1, ?2, ?3)")?
            .execute(params![n.id.0, payload.variables, payload.direct])?;
    }
    Ok(())
}

/// Writes the queue row. `false` if it is blocked behind another of its ordering key.
fn queue(conn: &Connection, epoch: i64, new: &NewNotification) -> Result<bool, Fault> {
    let n = &new.notification;
    let created = row::micros(n.created_at);
    let (state, due, hold) = match new.birth {
        Birth::Delivered => return Ok(true),
        Birth::Leased(hold) => (1, created, Some(hold)),
        Birth::Ready => (0, created, None),
        Birth::Waiting => (2, n.scheduled_at.map_or(created, row::micros), None),
    };
    let place = n.ordering_key.as_deref().map(|key| ordering::enter(conn, n.tenant_id.0, key)).transpose()?;
    let first = place.is_none_or(|place| place.first);
    let (state, hold): (i64, Option<Hold>) = if first { (state, hold) } else { (4, None) };
    conn.prepare_cached(
        "INSERT INTO queue (id, tenant_id, channel, priority, state, due, test, owner, lane, hand, started, doubt,
         ordering_key, ordering_seq) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?
    .execute(params![
        n.id.0,
        n.tenant_id.0,
        n.channel.number(),
        n.priority.number(),
        state,
        due,
        n.test,
        hold.map(|_| epoch),
        hold.map(|h| h.lane),
        hold.map(|h| h.hand),
        hold.is_some_and(|h| h.started),
        hold.map_or(0, |h| h.doubt as i16),
        n.ordering_key,
        place.map(|p| p.seq),
    ])?;
    Ok(first)
}
