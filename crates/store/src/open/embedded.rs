//! The embedded database: one folder, one process.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use carillon_ports::Store;
use sea_orm::DatabaseConnection;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _};

use super::error::{OpenError, migrated};
use super::{Guard, Opened, Pools};
use crate::gate::Gate;
use crate::migrations;
use crate::repo::{Db, Repo};
use crate::sqlite::Sqlite;

/// Configuration is read rarely and shortly.
const READERS: u32 = 4;

/// The gate keeps our own two writers apart; this is for a person's `sqlite3` beside us.
const BUSY: Duration = Duration::from_secs(5);

/// A WAL that one long reader has blown up shrinks to this many bytes again.
const WAL_BYTES: &str = "67108864";

pub(super) async fn open(folder: &Path) -> Result<Opened, OpenError> {
    let place = Place::enter(folder)?;
    let writer = place.writer().await?;
    let fresh = migrated(&place.description, migrations::up(&DatabaseConnection::from(writer.clone())).await)?;
    let reader = place.pool(READERS, |options| options.pragma("query_only", "on")).await?;
    let gate = Gate::default();
    let hot = Sqlite::open(&place.file, gate.clone());
    let hot = hot.map_err(|error| OpenError::database(&place.description, Reason(error)))?;
    let repo = Arc::new(Repo::new(Db::sqlite(writer.clone(), reader.clone(), gate)));
    let store = Store {
        work: hot.clone(),
        notifications: hot.clone(),
        events: hot.clone(),
        templates: repo.clone(),
        tenants: repo,
        sandbox: hot,
    };
    let guard = Guard { pools: Pools::Sqlite(vec![reader, writer]), lock: Some(place.lock) };
    Ok(Opened { store, fresh, description: place.description, guard })
}

pub(super) async fn migrate(folder: &Path) -> Result<bool, OpenError> {
    let place = Place::enter(folder)?;
    let writer = place.writer().await?;
    let result = migrations::up(&DatabaseConnection::from(writer.clone())).await;
    writer.close().await;
    migrated(&place.description, result)
}

/// A data folder that is ours.
struct Place {
    file: PathBuf,
    description: String,
    lock: File,
}

impl Place {
    /// Makes what is missing, for the owner's eyes only, and takes the lock.
    fn enter(folder: &Path) -> Result<Self, OpenError> {
        let unwritable = |reason| OpenError::folder(folder, reason);
        make_folder(folder).map_err(unwritable)?;
        let lock = lock(folder)?;
        let file = folder.join("carillon.db");
        // SQLite gives its side files the permissions of the main one.
        private().open(&file).map_err(unwritable)?;
        let description = format!("SQLite at {}", file.display());
        Ok(Self { file, description, lock })
    }

    async fn writer(&self) -> Result<SqlitePool, OpenError> {
        // A checkpoint inside COMMIT would hold up the hot path behind the gate: the checkpointer copies these pages too.
        self.pool(1, |options| options.pragma("wal_autocheckpoint", "0")).await
    }

    async fn pool(
        &self,
        connections: u32,
        change: impl FnOnce(SqliteConnectOptions) -> SqliteConnectOptions,
    ) -> Result<SqlitePool, OpenError> {
        let options = SqliteConnectOptions::new()
            .filename(&self.file)
            .create_if_missing(false)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY)
            .pragma("journal_size_limit", WAL_BYTES)
            .disable_statement_logging();
        let pool = SqlitePoolOptions::new()
            .max_connections(connections)
            .max_lifetime(None)
            .idle_timeout(None)
            .after_release(|connection, _| Box::pin(is_clean(connection)))
            .connect_with(change(options));
        pool.await.map_err(|error| OpenError::database(&self.description, error))
    }
}

/// Whether a connection that comes back is out of its transaction. When the disk is full SQLite may end a transaction by
/// itself; the driver does not notice, counts the next one as nested, and rolls that one back only to its beginning: it
/// would hold the write lock for ever. Such a connection is closed.
async fn is_clean(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    // A rollback may still be on its way to the connection's thread.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// The domain's sentence is for callers; a person who starts the program needs the cause.
struct Reason(carillon_domain::Error);

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0.source {
            Some(cause) => cause.fmt(f),
            None => self.0.fmt(f),
        }
    }
}

fn make_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// The operating system frees the lock when the process ends, however it ends: that we have it proves that nobody else
/// lives. The process's number in it is for people.
fn lock(folder: &Path) -> Result<File, OpenError> {
    let unwritable = |reason| OpenError::folder(folder, reason);
    let mut file = private().open(folder.join("carillon.lock")).map_err(unwritable)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let read = file.read_to_string(&mut text);
            let process = read.ok().and_then(|_| text.trim().parse().ok());
            return Err(OpenError::Locked { folder: folder.to_owned(), process });
        }
        Err(TryLockError::Error(reason)) => return Err(unwritable(reason)),
    }
    file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(unwritable)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Some 12 MB: three times what SQLite lets a log grow to before a COMMIT has to copy it.
    #[tokio::test]
    async fn a_commit_of_the_configuration_does_not_wait_for_a_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::enter(folder.path()).unwrap();
        let writer = place.writer().await.unwrap();
        sqlx::query("CREATE TABLE filler (bytes BLOB)").execute(&writer).await.unwrap();
        let before = std::fs::metadata(&place.file).unwrap().len();
        for _ in 0..3 {
            sqlx::query("INSERT INTO filler VALUES (zeroblob(4194304))").execute(&writer).await.unwrap();
        }
        assert_eq!(std::fs::metadata(&place.file).unwrap().len(), before, "nothing was copied");
        writer.close().await;
    }
}
