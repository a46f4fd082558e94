//! The one door: checks the database, migrates it, and hands out the store.

mod embedded;
mod error;
mod inspect;
mod remote;

use std::fs::File;
use std::path::PathBuf;

use carillon_ports::Store;

pub use error::OpenError;
pub use inspect::{Inspection, ServerFacts, inspect};

/// Which database to open, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which database.
    pub target: Target,
}

/// Which database.
#[derive(Clone)]
pub enum Target {
    /// `carillon.db` in this folder, which is made if it is missing.
    Sqlite {
        /// The data folder; one process at a time.
        folder: PathBuf,
    },
    /// A PostgreSQL 15 or later.
    Postgres {
        /// `postgres://user:password@host:port/database`.
        url: String,
        /// Of all connections of this process to it; at least 4 are used.
        max_connections: u32,
    },
}

impl std::fmt::Debug for Target {
    /// Without the URL, which may have a password in it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite { folder } => f.debug_struct("Sqlite").field("folder", folder).finish(),
            Self::Postgres { max_connections, .. } => {
                f.debug_struct("Postgres").field("max_connections", max_connections).finish_non_exhaustive()
            }
        }
    }
}

/// An open database.
pub struct Opened {
    /// The store.
    pub store: Store,
    /// Whether there was nothing in the database before.
    pub fresh: bool,
    /// For people, such as `SQLite at ./carillon-data/carillon.db` or `PostgreSQL 15.4 at db:5432/carillon`.
    pub description: String,
    /// Keep it for as long as the store is in use, and drop it after the store.
    pub guard: Guard,
}

/// Holds the database for this process: the data folder's lock, and the connections.
pub struct Guard {
    pools: Pools,
    lock: Option<File>,
}

enum Pools {
    Sqlite(Vec<sqlx::SqlitePool>),
    Postgres(Vec<sqlx::PgPool>),
}

impl Guard {
    /// Waits until statements under way have ended, closes the connections, then frees the data folder.
    pub async fn close(self) {
        match self.pools {
            Pools::Sqlite(pools) => {
                for pool in pools {
                    pool.close().await;
                }
            }
            Pools::Postgres(pools) => {
                for pool in pools {
                    pool.close().await;
                }
            }
        }
        drop(self.lock);
    }
}

/// Opens the database: made if it is missing, migrated if it is older.
///
/// # Errors
/// One line for the person who started the program: what is wrong with the database, and what to do.
pub async fn open(options: Options) -> Result<Opened, OpenError> {
    match options.target {
        Target::Sqlite { folder } => embedded::open(&folder).await,
        Target::Postgres { url, max_connections } => remote::open(&url, max_connections).await,
    }
}

/// Only migrates, and says whether there was nothing in the database before. On SQLite no other process may be running;
/// on PostgreSQL others may, and several may migrate at once.
///
/// # Errors
/// As [`open`].
pub async fn migrate(options: Options) -> Result<bool, OpenError> {
    match options.target {
        Target::Sqlite { folder } => embedded::migrate(&folder).await,
        Target::Postgres { url, .. } => remote::migrate(&url).await,
    }
}
