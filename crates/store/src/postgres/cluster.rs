//! Which server this database lives in. A copy that was loaded into another one counts its transactions anew, so that
//! the numbers of its events say nothing about the order of old and new ones: each server is an epoch of the log.

use sqlx::{AssertSqlSafe, Executor as _, PgPool};

/// Begins another epoch of the event log if the server has changed. Nobody else may do so at the same time.
pub(crate) async fn settle(pool: &PgPool) -> Result<(), sqlx::Error> {
    let mut tx = pool.begin().await?;
    let moved: Option<i16> = sqlx::query_scalar(
        "UPDATE cluster SET epoch = epoch + 1, system_identifier = s.system_identifier
         FROM pg_control_system() s WHERE cluster.system_identifier <> s.system_identifier RETURNING epoch",
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(epoch) = moved else { return tx.rollback().await };
    let default = format!("ALTER TABLE events ALTER COLUMN epoch SET DEFAULT {epoch}");
    (&mut *tx).execute(AssertSqlSafe(default)).await?;
    tx.commit().await?;
    tracing::warn!(epoch, "the database has moved to another server; the event log begins a new epoch");
    Ok(())
}
