//! A few connections that only read, away from the async threads. Each read is short: an open reader keeps the
//! write-ahead log from starting over.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use carillon_domain::Error;
use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::connection;
use super::fault::Fault;

/// How many read at a time.
const READERS: usize = 3;
/// A read that takes longer is interrupted.
pub(super) const READ_LIMIT: Duration = Duration::from_millis(250);
/// Virtual machine steps between two looks at the clock: some tens of microseconds.
const STEPS: i32 = 2_000;

/// The pool.
pub(super) struct Readers {
    places: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Readers {
    /// Opens all connections.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let idle: Result<Vec<_>, _> = (0..READERS).map(|_| connection::reader(path)).collect();
        let idle = idle.map_err(Error::unavailable)?;
        Ok(Self { places: Arc::new(Semaphore::new(READERS)), idle: Arc::new(Mutex::new(idle)) })
    }

    /// Runs `work` with a reader, in one read transaction.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Error> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(Error::unavailable)?;
        let idle = Arc::clone(&self.idle);
        let read = tokio::task::spawn_blocking(move || {
            let _place = place;
            let conn = idle.lock().pop().ok_or_else(|| Error::internal("a reader's place without a reader"))?;
            // Also after a panic, or the pool would shrink with each.
            let result = catch_unwind(AssertUnwindSafe(|| limited(&conn, work)));
            let reset = reset(&conn);
            idle.lock().push(conn);
            let value = result.map_err(|_| Error::internal("a read panicked; the log has why"))?;
            reset.map_err(Fault::from)?;
            value.map_err(Error::from)
        });
        read.await.map_err(Error::internal)?
    }
}

fn limited<T>(conn: &Connection, work: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, Fault> {
    let end = Instant::now() + READ_LIMIT;
    conn.progress_handler(STEPS, Some(move || Instant::now() >= end))?;
    conn.prepare_cached("BEGIN")?.execute([])?;
    work(conn)
}

/// Ends the read transaction: from here on the log may start over.
fn reset(conn: &Connection) -> rusqlite::Result<()> {
    conn.progress_handler(0, None::<fn() -> bool>)?;
    if conn.is_autocommit() { Ok(()) } else { conn.execute_batch("ROLLBACK") }
}
