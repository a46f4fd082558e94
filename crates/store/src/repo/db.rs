//! Connections for SeaORM: how a read and a write begin on each engine.

use carillon_domain::Error;
use sea_orm::{
    DatabaseConnection, DatabaseTransaction, SqliteTransactionMode, TransactionOptions, TransactionTrait as _,
};
use tokio::sync::OwnedMutexGuard;

use crate::error::from_orm;
use crate::gate::Gate;

/// On PostgreSQL reads and writes share a pool; on SQLite there is one writer behind the gate, and readers that cannot
/// write.
pub(crate) struct Db {
    writer: DatabaseConnection,
    reader: DatabaseConnection,
    gate: Option<Gate>,
}

impl Db {
    pub(crate) fn postgres(pool: sqlx::PgPool) -> Self {
        let db = DatabaseConnection::from(pool);
        Self { writer: db.clone(), reader: db, gate: None }
    }

    pub(crate) fn sqlite(writer: sqlx::SqlitePool, reader: sqlx::SqlitePool, gate: Gate) -> Self {
        Self { writer: writer.into(), reader: reader.into(), gate: Some(gate) }
    }

    /// For statements that only read.
    pub(super) fn read(&self) -> &DatabaseConnection {
        &self.reader
    }

    /// Begins a transaction that may write; on SQLite it has the write lock from its first moment, as a read lock
    /// cannot be raised while another writes.
    pub(super) async fn write(&self) -> Result<Write, Error> {
        let turn = match &self.gate {
            Some(gate) => Some(gate.enter().await),
            None => None,
        };
        let options = TransactionOptions {
            sqlite_transaction_mode: turn.is_some().then_some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let tx = self.writer.begin_with_options(options).await.map_err(from_orm)?;
        Ok(Write { tx, _turn: turn })
    }
}

/// A transaction; dropped without [`commit`](Write::commit) it is rolled back. The turn ends after the transaction.
pub(super) struct Write {
    pub(super) tx: DatabaseTransaction,
    _turn: Option<OwnedMutexGuard<()>>,
}

impl Write {
    pub(super) async fn commit(self) -> Result<(), Error> {
        self.tx.commit().await.map_err(from_orm)
    }
}
