//! The first schema.

use sea_orm::{ConnectionTrait, DbBackend, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

use super::configuration;

/// The history of this many months has its partitions from the start; the janitor makes the later ones.
const MONTHS: i64 = 3;

/// A month owns this many ids.
const IDS_PER_MONTH: i64 = 1 << 40;

pub(super) struct Core;

impl MigrationName for Core {
    fn name(&self) -> &'static str {
        "m0001_core"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Core {
    #[expect(elided_lifetimes_in_paths, reason = "the trait has it so, and a named one does not match")]
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        if db.get_database_backend() == DbBackend::Postgres {
            db.execute_unprepared(include_str!("0001_core.postgres.sql")).await?;
            db.execute_unprepared(&partitions()).await?;
        } else {
            db.execute_unprepared(include_str!("0001_core.sqlite.sql")).await?;
        }
        configuration::create(manager).await
    }

    /// Whole or not at all, on SQLite too.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// The first partitions. History is inserted and hardly ever deleted, so autovacuum must be woken by inserts.
fn partitions() -> String {
    let tables = [
        ("notifications", "fillfactor = 40, autovacuum_vacuum_insert_scale_factor = 0.05"),
        ("notification_content", "autovacuum_vacuum_insert_scale_factor = 0.05"),
        ("events", "autovacuum_vacuum_insert_scale_factor = 0.05"),
    ];
    let of = |(table, storage): (&str, &str)| {
        let month = |month: i64| {
            let (from, to) = (month * IDS_PER_MONTH, (month + 1) * IDS_PER_MONTH);
            format!(
                "CREATE TABLE {table}_p{month} PARTITION OF {table} FOR VALUES FROM ({from}) TO ({to}) WITH ({storage});"
            )
        };
        (0..MONTHS).map(month).collect::<String>()
    };
    tables.into_iter().map(of).collect()
}
