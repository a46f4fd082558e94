//! What may go wrong inside a transaction, and what the caller is told of it.

use carillon_domain::{Error, ErrorCode};
use rusqlite::ErrorCode as Code;

/// A failure inside a closure of the writer or of a reader.
#[derive(Debug)]
pub(super) enum Fault {
    /// SQLite said no.
    Sql(rusqlite::Error),
    /// We said no: the caller gets this as it is.
    Refused(Error),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl Fault {
    /// SQLite's code, if it was SQLite.
    pub(super) fn code(&self) -> Option<Code> {
        match self {
            Self::Sql(error) => error.sqlite_error_code(),
            Self::Refused(_) => None,
        }
    }

    /// Whether the disk (or the page limit) is full.
    pub(super) fn is_full(&self) -> bool {
        self.code() == Some(Code::DiskFull)
    }

    /// Whether the data of one unit is at fault, so that the others may be written without it.
    pub(super) fn is_poison(&self) -> bool {
        match self {
            Self::Refused(_) | Self::Sql(rusqlite::Error::ToSqlConversionFailure(_)) => true,
            Self::Sql(_) => {
                matches!(self.code(), Some(Code::ConstraintViolation | Code::TooBig | Code::TypeMismatch))
            }
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        let code = fault.code();
        match fault {
            Fault::Refused(error) => error,
            Fault::Sql(error) => match code {
                Some(Code::DiskFull) => disk_full(error),
                Some(
                    Code::DatabaseBusy
                    | Code::DatabaseLocked
                    | Code::SystemIoFailure
                    | Code::CannotOpen
                    | Code::ReadOnly
                    | Code::OutOfMemory,
                ) => Self::unavailable(error),
                Some(Code::OperationInterrupted) => {
                    Self::new(ErrorCode::DeadlineExceeded, "the read took too long; ask for less")
                }
                Some(Code::ConstraintViolation) => {
                    Self { source: Some(error.into()), ..Self::new(ErrorCode::Conflict, "it is there already") }
                }
                Some(Code::TooBig) => Self {
                    source: Some(error.into()),
                    ..Self::new(ErrorCode::PayloadTooLarge, "too large for the store")
                },
                _ => Self::internal(error),
            },
        }
    }
}

/// `unavailable`: no room. Nothing of the transaction was written.
pub(super) fn disk_full(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error { detail: "disk full; nothing was accepted".to_owned(), ..Error::unavailable(source) }
}
