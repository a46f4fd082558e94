//! Why a database cannot be opened: a line for a person each, never with a password in it.

use std::path::{Path, PathBuf};

use sea_orm::DbErr;

use crate::migrations::Outcome;

/// Why a database cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The data folder cannot be made or written.
    #[error("cannot write to the data folder {}: {reason}", .folder.display())]
    Folder {
        /// Which.
        folder: PathBuf,
        /// What the system says.
        reason: std::io::Error,
    },
    /// Another process has the data folder.
    #[error(
        "the data folder {} is in use by another Carillon process{}; stop it first, or give this one a folder of its own",
        .folder.display(), holder(*.process)
    )]
    Locked {
        /// Which.
        folder: PathBuf,
        /// Its number, if it left it.
        process: Option<u32>,
    },
    /// A newer program made the database.
    #[error("{database} was made by a newer Carillon (it has \"{migration}\"): start that version or a later one")]
    Newer {
        /// Which.
        database: String,
        /// What this program does not know.
        migration: String,
    },
    /// The URL cannot be read.
    #[error("the PostgreSQL URL cannot be read (expected postgres://user:password@host:port/database): {reason}")]
    Url {
        /// What is wrong with it.
        reason: String,
    },
    /// No connection.
    #[error("cannot reach PostgreSQL at {address}: {reason}")]
    Unreachable {
        /// Host, port and database.
        address: String,
        /// What the system or the server says.
        reason: String,
    },
    /// Older than 15.
    #[error("PostgreSQL at {address} is version {version}; Carillon needs 15 or later")]
    TooOld {
        /// Host, port and database.
        address: String,
        /// As the server says it.
        version: String,
    },
    /// The server would lose what it has promised to keep.
    #[error(
        "PostgreSQL at {address} has {setting} = off: an accepted notification could be lost in a crash; turn it on"
    )]
    NotDurable {
        /// Host, port and database.
        address: String,
        /// `fsync` or `synchronous_commit`.
        setting: &'static str,
    },
    /// Anything else.
    #[error("cannot open {database}: {reason}")]
    Database {
        /// Which.
        database: String,
        /// What the database says.
        reason: String,
    },
}

fn holder(process: Option<u32>) -> String {
    process.map_or_else(String::new, |number| format!(" (process {number})"))
}

impl OpenError {
    pub(super) fn folder(folder: &Path, reason: std::io::Error) -> Self {
        Self::Folder { folder: folder.to_owned(), reason }
    }

    pub(super) fn database(database: &str, reason: impl std::fmt::Display) -> Self {
        Self::Database { database: database.to_owned(), reason: reason.to_string() }
    }
}

/// What migrating gave: whether there was nothing before.
pub(super) fn migrated(database: &str, result: Result<Outcome, DbErr>) -> Result<bool, OpenError> {
    match result {
        Ok(Outcome::Ready { fresh }) => Ok(fresh),
        Ok(Outcome::Newer { migration }) => Err(OpenError::Newer { database: database.to_owned(), migration }),
        Err(error) => Err(OpenError::database(database, error)),
    }
}
