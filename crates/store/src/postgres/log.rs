//! The event log as readers follow it. A cursor is a snapshot: what it saw was delivered. What commits later was either
//! running in it or began after it, so both are ranges of the key (xid, id), and nobody's open transaction hides what
//! others have committed (`docs/adr/0005-an-event-cursor-is-a-snapshot.md`).

use std::str::FromStr;

use async_trait::async_trait;
use carillon_domain::{Error, ErrorCode, NotificationId, TenantId};
use carillon_ports::EventLog;
use carillon_ports::events::{Event, EventCursor, EventPage};

use super::Postgres;
use crate::error::from_sqlx;
use crate::row;

/// Sees everything: what an epoch that is over has left.
const ALL: &str = "9223372036854775807:9223372036854775807:";
/// Sees nothing.
const NOTHING: &str = "3:3:";

/// `$1` ran in the snapshot of the cursor; `$4` is the snapshot up to which is read, and `$6`, `$7` the last event of the
/// page before. `$2`, `$9` is the greater of that and of what had not begun in the cursor: one lower bound, because of two
/// the scan may take the wrong one and pass over all that was read before. Old rows of a restored database may have
/// higher numbers than the server now gives: `$3` keeps the scan from them.
pub(super) const READ: &str = "
SELECT e.xid::text, e.id, e.tenant_id, e.transitions FROM (
    (SELECT * FROM events
     WHERE xid = ANY($1::text[]::xid8[]) AND epoch = $5 AND pg_visible_in_snapshot(xid, $4::text::pg_snapshot)
         AND (xid, id) > ($6::text::xid8, $7)
     ORDER BY xid, id LIMIT $8)
    UNION ALL
    (SELECT * FROM events
     WHERE (xid, id) > ($2::text::xid8, $9) AND xid < $3::text::xid8 AND epoch = $5
         AND pg_visible_in_snapshot(xid, $4::text::pg_snapshot)
     ORDER BY xid, id LIMIT $8)) e
ORDER BY e.xid, e.id LIMIT $8";

/// A snapshot of the server: `xmin:xmax:running`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Snapshot {
    words: String,
    /// The first transaction that had not begun.
    next: u64,
    running: Vec<String>,
}

impl FromStr for Snapshot {
    type Err = Error;

    fn from_str(words: &str) -> Result<Self, Error> {
        let mut parts = words.splitn(3, ':');
        let (Some(low), Some(next), Some(running)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(unreadable());
        };
        let (low, next): (u64, u64) = (number(low)?, number(next)?);
        let running: Vec<String> = running.split(',').filter(|xid| !xid.is_empty()).map(str::to_owned).collect();
        for xid in &running {
            if !(low..next).contains(&number(xid)?) {
                return Err(unreadable());
            }
        }
        if low == 0 || low > next {
            return Err(unreadable());
        }
        Ok(Self { words: words.to_owned(), next, running })
    }
}

/// A cursor's meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    /// Counts the servers that this database has lived in: another one counts its transactions anew.
    epoch: i16,
    /// What was delivered.
    seen: Snapshot,
    /// In the middle of what a later snapshot sees: after this transaction and notification.
    within: Option<(Snapshot, u64, i64)>,
}

impl FromStr for Place {
    type Err = Error;

    fn from_str(words: &str) -> Result<Self, Error> {
        let parts: Vec<&str> = words.split('/').collect();
        let (epoch, seen, within) = match parts[..] {
            [epoch, seen] => (epoch, seen, None),
            [epoch, seen, until, xid, id] => (epoch, seen, Some((until.parse()?, number(xid)?, number(id)?))),
            _ => return Err(unreadable()),
        };
        Ok(Self { epoch: number(epoch)?, seen: seen.parse()?, within })
    }
}

impl From<&Place> for EventCursor {
    fn from(place: &Place) -> Self {
        let (epoch, seen) = (place.epoch, &place.seen.words);
        Self::new(match &place.within {
            None => format!("{epoch}/{seen}"),
            Some((until, xid, id)) => format!("{epoch}/{seen}/{}/{xid}/{id}", until.words),
        })
    }
}

fn number<T: FromStr>(digits: &str) -> Result<T, Error> {
    digits.parse().map_err(|_| unreadable())
}

fn unreadable() -> Error {
    Error::new(ErrorCode::InvalidRequest, "this cursor cannot be read")
}

impl Postgres {
    async fn log_now(&self) -> Result<(i16, Snapshot), Error> {
        let (epoch, snapshot): (i16, String) = sqlx::query_as("SELECT epoch, pg_current_snapshot()::text FROM cluster")
            .fetch_one(&self.general)
            .await
            .map_err(from_sqlx)?;
        Ok((epoch, snapshot.parse()?))
    }

    /// Events that `until` sees and the place's own snapshot does not.
    async fn log_between(&self, place: &Place, until: &Snapshot, limit: u32) -> Result<Vec<(u64, Event)>, Error> {
        let (xid, id) = place.within.as_ref().map_or((0, 0), |(_, xid, id)| (*xid, *id));
        let from = (place.seen.next, -1).max((xid, id));
        let rows: Vec<(String, i64, i64, String)> = sqlx::query_as(READ)
            .bind(&place.seen.running)
            .bind(from.0.to_string())
            .bind(until.next.to_string())
            .bind(&until.words)
            .bind(place.epoch)
            .bind(xid.to_string())
            .bind(id)
            .bind(i64::from(limit))
            .bind(from.1)
            .fetch_all(&self.general)
            .await
            .map_err(from_sqlx)?;
        rows.into_iter()
            .map(|(xid, id, tenant, transitions)| {
                let transitions = row::transitions(&transitions)?;
                let event = Event { notification: NotificationId(id), tenant: TenantId(tenant), transitions };
                Ok((number(&xid)?, event))
            })
            .collect()
    }
}

#[async_trait]
impl EventLog for Postgres {
    async fn event_log_end(&self) -> Result<EventCursor, Error> {
        let (epoch, seen) = self.log_now().await?;
        Ok((&Place { epoch, seen, within: None }).into())
    }

    async fn event_log_read(&self, after: &EventCursor, limit: u32) -> Result<EventPage, Error> {
        let mut place: Place = after.as_str().parse()?;
        let limit = limit.max(1);
        let (epoch, now) = self.log_now().await?;
        if place.epoch > epoch {
            return Err(unreadable());
        }
        loop {
            let over = place.epoch < epoch;
            // A page in the middle of an older snapshot is never the last: what came since is not looked at.
            let resumed = place.within.is_some();
            let until = match &place.within {
                Some((until, ..)) => until.clone(),
                None if over => ALL.parse()?,
                None => now.clone(),
            };
            let rows = if until == place.seen { Vec::new() } else { self.log_between(&place, &until, limit).await? };
            let more = rows.len() >= limit as usize;
            place = match rows.last() {
                Some((xid, event)) if more => Place { within: Some((until, *xid, event.notification.0)), ..place },
                _ if over => Place { epoch: place.epoch + 1, seen: NOTHING.parse()?, within: None },
                _ => Place { seen: until, within: None, ..place },
            };
            if !rows.is_empty() || !(over || resumed) {
                let events = rows.into_iter().map(|(_, event)| event).collect();
                return Ok(EventPage { events, next: (&place).into(), more: more || over || resumed });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_nonsense_is_refused() {
        for words in ["1/3:3:", "2/100:105:100,103", "1/100:105:100/120:121:/101/7", &format!("1/{ALL}")] {
            let place: Place = words.parse().unwrap();
            assert_eq!(EventCursor::from(&place).as_str(), words);
        }
        for words in
            ["", "1", "1/", "x/3:3:", "1/3:2:", "1/0:0:", "1/3:5:7", "1/3:5:x", "1/3:3:/4:4:/x/1", "1/3:3:/4:4:"]
        {
            assert!(words.parse::<Place>().is_err(), "{words}");
        }
    }
}
