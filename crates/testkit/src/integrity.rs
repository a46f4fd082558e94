//! SQLite's own word on a database file.

use std::path::Path;

use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

/// `ok`, or what `PRAGMA integrity_check` finds wrong with the database in a data folder. It is done on a copy, and
/// nobody may write meanwhile.
///
/// # Panics
/// If the database cannot be copied or opened.
pub async fn integrity(data: &Path) -> String {
    let copy = tempfile::tempdir().expect("a temporary folder");
    for name in ["carillon.db", "carillon.db-wal"] {
        if data.join(name).exists() {
            std::fs::copy(data.join(name), copy.path().join(name)).expect("a file can be copied");
        }
    }
    let options = SqliteConnectOptions::new().filename(copy.path().join("carillon.db"));
    let mut connection = SqliteConnection::connect_with(&options).await.expect("the database can be opened");
    sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut connection).await.expect("an answer")
}
