//! One migration set for both databases. A hot table's statements are its engine's own; the configuration tables are
//! built once for both.

mod configuration;
mod m0001_core;

use sea_orm::{ConnectionTrait, DbErr};
use sea_orm_migration::{MigrationTrait, MigratorTrait};

/// All migrations, oldest first. Applied ones never change.
struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m0001_core::Core)]
    }
}

/// What [`up`] found.
pub(crate) enum Outcome {
    /// The database is as this program wants it. `fresh`: there was nothing before.
    Ready { fresh: bool },
    /// It has a migration that this program does not know: a newer one made it. Nothing was changed.
    Newer { migration: String },
}

/// Brings the database to this program's schema. Only one process may be in here at a time: the caller holds the lock.
pub(crate) async fn up<C>(db: &C) -> Result<Outcome, DbErr>
where
    C: ConnectionTrait,
    for<'c> &'c C: sea_orm_migration::IntoSchemaManagerConnection<'c>,
{
    let known = Migrator::migrations();
    let applied = Migrator::get_migration_models(db).await?;
    if let Some(row) = applied.iter().find(|row| known.iter().all(|migration| migration.name() != row.version)) {
        return Ok(Outcome::Newer { migration: row.version.clone() });
    }
    Migrator::up(db, None).await?;
    Ok(Outcome::Ready { fresh: applied.is_empty() })
}
