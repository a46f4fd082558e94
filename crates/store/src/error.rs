//! Errors of the databases as the house's one error: away is `unavailable`, taken is `conflict`, the rest is a defect.

use carillon_domain::{Error, ErrorCode};
use sea_orm::{DbErr, RuntimeErr};
use sqlx::error::DatabaseError;

/// The error of a statement of `sqlx`.
pub(crate) fn from_sqlx(error: sqlx::Error) -> Error {
    match kind_of(&error) {
        Kind::Away => Error::unavailable(error),
        Kind::Taken => taken(error),
        Kind::Defect => Error::internal(error),
    }
}

/// The error of a statement of SeaORM.
pub(crate) fn from_orm(error: DbErr) -> Error {
    let kind = match &error {
        DbErr::Conn(RuntimeErr::SqlxError(cause))
        | DbErr::Exec(RuntimeErr::SqlxError(cause))
        | DbErr::Query(RuntimeErr::SqlxError(cause)) => kind_of(cause),
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => Kind::Away,
        _ => Kind::Defect,
    };
    match kind {
        Kind::Away => Error::unavailable(error),
        Kind::Taken => taken(error),
        Kind::Defect => Error::internal(error),
    }
}

/// As [`from_orm`], but a value that is taken is told in `sentence`.
pub(crate) fn from_orm_taken(error: DbErr, sentence: impl FnOnce() -> String) -> Error {
    let mut error = from_orm(error);
    if error.code == ErrorCode::Conflict {
        error.detail = sentence();
    }
    error
}

fn taken(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    let mut error = Error::new(ErrorCode::Conflict, "something with that name is there already");
    error.source = Some(source.into());
    error
}

enum Kind {
    /// The database cannot do it now; the same statement may succeed later.
    Away,
    /// A unique index refused it.
    Taken,
    /// Anything else is our mistake.
    Defect,
}

fn kind_of(error: &sqlx::Error) -> Kind {
    use sqlx::Error as E;
    match error {
        E::Io(_) | E::Tls(_) | E::Protocol(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed | E::BeginFailed => {
            Kind::Away
        }
        E::Database(cause) if cause.is_unique_violation() => Kind::Taken,
        E::Database(cause) if is_passing(cause.as_ref()) => Kind::Away,
        _ => Kind::Defect,
    }
}

/// Whether the database refused for a reason that passes. PostgreSQL's codes have five characters; SQLite's are decimal
/// numbers whose low byte is the primary code.
fn is_passing(error: &dyn DatabaseError) -> bool {
    let Some(code) = error.code() else { return false };
    if code.len() == 5 {
        // connection, serialisation and deadlock, resources, operator intervention; 55P03 lock not available;
        // 25006 a standby that became read-only after a failover
        return ["08", "40", "53", "57"].iter().any(|class| code.starts_with(class))
            || code == "55P03"
            || code == "25006";
    }
    // SQLITE_BUSY, SQLITE_LOCKED, SQLITE_IOERR, SQLITE_FULL
    code.parse::<u32>().is_ok_and(|number| matches!(number & 0xff, 5 | 6 | 10 | 13))
}
