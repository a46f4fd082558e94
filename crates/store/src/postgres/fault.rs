//! What an error of PostgreSQL means for the statement that met it.

use std::time::Duration;

use carillon_domain::{Error, ErrorCode};

/// What to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The connection broke, or the server stopped the statement: it may have committed.
    Lost,
    /// Rolled back for certain, and the same bytes may pass: deadlock, serialisation, a lock that was not to be had.
    Again,
    /// The database refuses these bytes: an index entry too long, a value out of range.
    Refused,
    /// A defect of ours.
    Defect,
}

/// Tells apart by SQLSTATE class.
pub(super) fn kind(error: &sqlx::Error) -> Kind {
    use sqlx::Error as E;
    match error {
        E::Io(_) | E::Tls(_) | E::Protocol(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed | E::BeginFailed => {
            Kind::Lost
        }
        E::Database(cause) => match cause.code().as_deref().unwrap_or_default() {
            "55P03" => Kind::Again,
            "25006" => Kind::Lost,
            code => match code.get(..2).unwrap_or_default() {
                "40" => Kind::Again,
                "08" | "53" | "57" => Kind::Lost,
                "22" | "23" | "54" => Kind::Refused,
                _ => Kind::Defect,
            },
        },
        _ => Kind::Defect,
    }
}

/// Why a batch did not go through.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Another process has taken our lease.
    Fenced,
    /// The bytes are at fault; nothing was written.
    Refused(sqlx::Error),
    /// Somebody else held a lock for too long; nothing was written.
    Busy(sqlx::Error),
    /// Anything else.
    Other(Error),
}

impl From<Trouble> for Error {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Fenced => fenced(),
            Trouble::Refused(error) => Self::internal(error),
            Trouble::Busy(error) => Self::unavailable(error),
            Trouble::Other(error) => error,
        }
    }
}

/// The answer to all work of an epoch that is over.
pub(super) fn fenced() -> Error {
    Error::unavailable("another process has taken over this one's lease")
}

/// It may be on disk: "nothing was accepted" could be a lie.
pub(super) fn in_doubt(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    let detail = "the store did not say whether it was written; ask again with the same idempotency key";
    let mut error = Error::new(ErrorCode::DeadlineExceeded, detail);
    error.source = Some(source.into());
    error.with_retry_after(Duration::from_secs(1))
}

/// A key whose first call still holds its row.
pub(super) fn in_progress(source: sqlx::Error) -> Error {
    let mut error = Error::new(ErrorCode::IdempotencyInProgress, "the first call with this key is still running");
    error.source = Some(Box::new(source));
    error
}
