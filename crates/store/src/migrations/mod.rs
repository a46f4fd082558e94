//! One migration set for both databases. A hot table's statements are its engine's own; the configuration tables are
//! built once for both.

mod configuration;
mod m0001_core;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, EntityTrait as _};
use sea_orm_migration::{MigrationTrait, MigratorTrait, seaql_migrations};

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

/// What [`shape`] found.
pub(crate) enum Shape {
    /// So many migrations are there, so many are missing.
    Known { applied: usize, pending: usize },
    /// It has a migration that this program does not know.
    Newer { migration: String },
}

/// Looks at what was applied, and changes nothing.
pub(crate) async fn shape(db: &DatabaseConnection) -> Result<Shape, DbErr> {
    if !sea_orm_migration::SchemaManager::new(db).has_table("seaql_migrations").await? {
        return Ok(Shape::Known { applied: 0, pending: Migrator::migrations().len() });
    }
    // The migrator's own way to ask would make the table.
    let applied = seaql_migrations::Entity::find().all(db).await?;
    Ok(match unknown(&applied) {
        Some(migration) => Shape::Newer { migration },
        None => Shape::Known { applied: applied.len(), pending: Migrator::migrations().len() - applied.len() },
    })
}

fn unknown(applied: &[seaql_migrations::Model]) -> Option<String> {
    let known = Migrator::migrations();
    let newer = applied.iter().find(|row| known.iter().all(|migration| migration.name() != row.version));
    newer.map(|row| row.version.clone())
}

/// Brings the database to this program's schema. Only one process may be in here at a time: the caller holds the lock.
pub(crate) async fn up<C>(db: &C) -> Result<Outcome, DbErr>
where
    C: ConnectionTrait,
    for<'c> &'c C: sea_orm_migration::IntoSchemaManagerConnection<'c>,
{
    let applied = Migrator::get_migration_models(db).await?;
    if let Some(migration) = unknown(&applied) {
        return Ok(Outcome::Newer { migration });
    }
    Migrator::up(db, None).await?;
    Ok(Outcome::Ready { fresh: applied.is_empty() })
}
