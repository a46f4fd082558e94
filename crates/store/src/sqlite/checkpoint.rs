//! Checkpoints outside of COMMIT. A helper thread copies what it can every 30 ms; when the log has grown all the same,
//! the writer, between two transactions, makes the log start over.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::connection;

/// Between two passes of the helper.
const PAUSE: Duration = Duration::from_millis(30);
/// A look for what others (the configuration tables) have written.
const IDLE: Duration = Duration::from_secs(1);
/// The writer steps in past this many pages of 4 KiB: 64 MiB.
const LONG: u64 = 16 * 1024;
/// After a restart that a reader prevented.
const BACKOFF: Duration = Duration::from_millis(500);

/// The writer's side.
pub(super) struct Checkpoints {
    wrote: SyncSender<()>,
    pages: Arc<AtomicU64>,
    not_before: Option<Instant>,
}

/// Starts the helper. It ends when the returned value is dropped.
pub(super) fn start(path: &Path) -> Result<(Checkpoints, JoinHandle<()>), Box<dyn std::error::Error + Send + Sync>> {
    let conn = connection::checkpointer(path)?;
    let (wrote, signal) = sync_channel(1);
    let pages = Arc::new(AtomicU64::new(0));
    let shared = Arc::clone(&pages);
    let helper =
        thread::Builder::new().name("sqlite-checkpoint".to_owned()).spawn(move || passive(&conn, &signal, &shared))?;
    Ok((Checkpoints { wrote, pages, not_before: None }, helper))
}

impl Checkpoints {
    /// After each commit: the log has grown.
    pub(super) fn wrote(&self) {
        // Full means that the helper knows already.
        let _ = self.wrote.try_send(());
    }

    /// Between two transactions: makes the log start over if it is long.
    pub(super) fn between(&mut self, conn: &Connection) {
        if self.pages.load(Ordering::Relaxed) < LONG || self.not_before.is_some_and(|at| Instant::now() < at) {
            return;
        }
        match checkpoint(conn, "PRAGMA wal_checkpoint(RESTART)") {
            Ok((false, _)) => {
                self.pages.store(0, Ordering::Relaxed);
                self.not_before = None;
            }
            Ok((true, _)) => self.not_before = Some(Instant::now() + BACKOFF),
            Err(error) => {
                end_if_unsynced(&error);
                tracing::warn!(%error, "the write-ahead log could not be restarted");
                self.not_before = Some(Instant::now() + BACKOFF);
            }
        }
    }
}

fn passive(conn: &Connection, signal: &Receiver<()>, pages: &AtomicU64) {
    loop {
        if let Err(RecvTimeoutError::Disconnected) = signal.recv_timeout(IDLE) {
            return;
        }
        match checkpoint(conn, "PRAGMA wal_checkpoint(PASSIVE)") {
            Ok((_, log)) => pages.store(log, Ordering::Relaxed),
            Err(error) => {
                end_if_unsynced(&error);
                tracing::warn!(%error, "checkpoint failed");
            }
        }
        thread::sleep(PAUSE);
    }
}

/// A disk that has refused one sync may lie about the next: as after a failed COMMIT, the next start reads what is there.
fn end_if_unsynced(error: &rusqlite::Error) {
    if let Some(cause) = error.sqlite_error()
        && cause.extended_code == rusqlite::ffi::SQLITE_IOERR_FSYNC
    {
        tracing::error!(%error, "a checkpoint could not be synced; the process ends");
        std::process::abort()
    }
}

/// Whether somebody was in the way, and how many pages the log has.
fn checkpoint(conn: &Connection, pragma: &str) -> rusqlite::Result<(bool, u64)> {
    conn.prepare_cached(pragma)?.query_row([], |row| {
        let pages: i64 = row.get(1)?;
        Ok((row.get(0)?, u64::try_from(pages).unwrap_or(0)))
    })
}
