//! Months of history. Month m owns the ids from m·2^40 on; its partitions are there two months before it begins. When
//! the calendar's month turns, the sequence moves to the next range, and blocks in hand run out within a second. Should
//! a month ever use up its range, the ids run on into the next one, whose partitions are there.

use carillon_domain::{Error, Timestamp};
use chrono::{Datelike as _, TimeDelta};
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use super::Postgres;
use crate::error::from_sqlx;

/// A month owns this many ids.
const IDS: i64 = 1 << 40;
/// Partitions that are there beyond the month that the sequence is in.
const AHEAD: i64 = 2;
/// A uuid's clock may be off by this much, and a process may learn late that the month has turned.
const SLACK: TimeDelta = TimeDelta::days(1);
const TABLES: [&str; 3] = ["notifications", "notification_content", "events"];

/// Between which ids a notification is found, for a `SELECT` from `notifications n`; `$3` and `$4` are the times of
/// `around`.
macro_rules! within_months {
    () => {
        "n.id >= (SELECT coalesce(max(number), 0) FROM history_month WHERE began <= $3)::bigint << 40 \
         AND n.id < (SELECT coalesce(min(number), 4194304) FROM history_month WHERE began > $4)::bigint << 40"
    };
}
pub(super) use within_months;

/// Between which times a notification with that uuid was accepted, if it says.
pub(super) fn around(uuid: Uuid) -> Option<(Timestamp, Timestamp)> {
    if uuid.get_version_num() != 7 {
        return None;
    }
    let (seconds, nanos) = uuid.get_timestamp()?.to_unix();
    let at = Timestamp::from_timestamp(i64::try_from(seconds).ok()?, nanos)?;
    Some((at.checked_sub_signed(SLACK)?, at.checked_add_signed(SLACK)?))
}

impl Postgres {
    pub(super) async fn turn(&self, now: Timestamp) -> Result<bool, Error> {
        let mut tx = self.general.begin().await.map_err(from_sqlx)?;
        // One process at a time, and readers as they please.
        sqlx::query("LOCK TABLE history_month IN SHARE ROW EXCLUSIVE MODE")
            .execute(&mut *tx)
            .await
            .map_err(from_sqlx)?;
        let (known, began, last): (i32, Timestamp, i64) = sqlx::query_as(
            "SELECT m.number, m.began, s.last_value FROM history_month m, notification_id_seq s
             ORDER BY m.number DESC LIMIT 1",
        )
        .fetch_one(&mut *tx)
        .await
        .map_err(from_sqlx)?;
        let (known, now_in) = (i64::from(known), last / IDS);
        let turns = now_in <= known && month(now) > month(began);
        let current = if turns { known + 1 } else { known.max(now_in) };
        for number in current..=current + AHEAD {
            for table in TABLES {
                make(&mut tx, table, number).await.map_err(from_sqlx)?;
            }
        }
        for number in known + 1..=current {
            sqlx::query("INSERT INTO history_month VALUES ($1, $2)")
                .bind(i32::try_from(number).map_err(Error::internal)?)
                .bind(now)
                .execute(&mut *tx)
                .await
                .map_err(from_sqlx)?;
        }
        if turns {
            // A sequence knows no rollback: last, and only ever forward.
            sqlx::query("SELECT setval('notification_id_seq', $1, false)")
                .bind(current * IDS + 1)
                .execute(&mut *tx)
                .await
                .map_err(from_sqlx)?;
        }
        tx.commit().await.map_err(from_sqlx)?;
        if current > known {
            tracing::info!(month = current, "history has begun a new month");
        }
        Ok(current > known)
    }
}

/// Months since the year 0.
fn month(at: Timestamp) -> i32 {
    at.year() * 12 + i32::try_from(at.month0()).unwrap_or(0)
}

/// The partition of `table` for that month, with the settings of the one before. Attached when it is whole: that takes
/// no lock that a reader or writer would wait for.
async fn make(conn: &mut PgConnection, table: &str, number: i64) -> Result<(), sqlx::Error> {
    let there: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(format!("{table}_p{number}"))
        .fetch_one(&mut *conn)
        .await?;
    if there {
        return Ok(());
    }
    let settings: Option<String> =
        sqlx::query_scalar("SELECT array_to_string(reloptions, ', ') FROM pg_class WHERE oid = to_regclass($1)")
            .bind(format!("{table}_p{}", number - 1))
            .fetch_optional(&mut *conn)
            .await?
            .flatten();
    let settings = settings.map(|settings| format!(" WITH ({settings})")).unwrap_or_default();
    let (from, to) = (number * IDS, (number + 1) * IDS);
    let statement = format!(
        "CREATE TABLE {table}_p{number} (LIKE {table} INCLUDING DEFAULTS INCLUDING INDEXES INCLUDING STORAGE){settings};
         ALTER TABLE {table} ATTACH PARTITION {table}_p{number} FOR VALUES FROM ({from}) TO ({to})"
    );
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(conn).await?;
    tracing::info!(table, month = number, "a partition was made");
    Ok(())
}
