//! The one thread that writes. It owns the connection and all state that only writers need.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::thread::{self, JoinHandle};

use carillon_domain::{Channel, Error, NotificationId, Priority};
use rusqlite::Connection;
use tokio::sync::{OwnedMutexGuard, mpsc, oneshot};

use super::checkpoint::{self, Checkpoints};
use super::connection;
use super::disk::Disk;
use super::fault::Fault;
use crate::gate::Gate;

type Task = Box<dyn FnOnce(&mut Writer) + Send>;
type Turn = OwnedMutexGuard<()>;

/// What the writing thread owns.
pub(super) struct Writer {
    /// The only connection that writes the hot tables.
    pub(super) conn: Connection,
    /// This process's epoch: the owner of what it leases. 0 before `begin` and after `end`.
    pub(super) epoch: i64,
    /// Rows that were cancelled while they waited in memory: until their lane is raised past them.
    pub(super) cancelled: Vec<CancelledHold>,
    /// Where the last claim of each channel and priority ended in the round of tenants.
    pub(super) cursors: [i64; Channel::ALL.len() * Priority::ALL.len()],
    /// Watches for room.
    pub(super) disk: Disk,
    checkpoints: Checkpoints,
}

/// A cancelled row that a dispatcher still has in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CancelledHold {
    pub(super) lane: i32,
    pub(super) hand: i64,
    pub(super) id: NotificationId,
}

impl Writer {
    /// One transaction. Whatever `work` fails with, nothing of it stays.
    pub(super) fn transact<T>(&mut self, work: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, Fault> {
        let conn = &self.conn;
        conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let done = work(conn).and_then(|value| {
            // Some errors end the transaction by themselves; a statement after that would have committed alone.
            if conn.is_autocommit() {
                return Err(Fault::Refused(Error::unavailable("the transaction had ended early")));
            }
            commit(conn)?;
            Ok(value)
        });
        match done {
            Ok(value) => {
                self.checkpoints.wrote();
                Ok(value)
            }
            Err(fault) => {
                if !conn.is_autocommit() {
                    roll_back(conn);
                }
                Err(fault)
            }
        }
    }

    /// One transaction that must get through: when the disk is full, once more without the ballast.
    pub(super) fn insist<T>(&mut self, work: impl Fn(&Connection) -> Result<T, Fault>) -> Result<T, Fault> {
        match self.transact(&work) {
            Err(fault) if fault.is_full() && self.disk.drop_ballast() => self.transact(&work),
            done => done,
        }
    }
}

fn commit(conn: &Connection) -> rusqlite::Result<()> {
    let Err(error) = conn.prepare_cached("COMMIT")?.execute([]) else { return Ok(()) };
    if let Some(rusqlite::ErrorCode::DiskFull | rusqlite::ErrorCode::DatabaseBusy) = error.sqlite_error_code() {
        return Err(error);
    }
    // In or out, nobody can tell, and a repeated fsync lies. The next start reads what is truly there.
    tracing::error!(%error, "COMMIT failed; the outcome is unknown and the process ends");
    std::process::abort()
}

fn roll_back(conn: &Connection) {
    if let Err(error) = conn.execute_batch("ROLLBACK")
        && !conn.is_autocommit()
    {
        tracing::error!(%error, "ROLLBACK failed; the process ends");
        std::process::abort();
    }
}

/// The async side of the thread.
pub(super) struct Thread {
    gate: Gate,
    tasks: Option<mpsc::Sender<Task>>,
    threads: Vec<JoinHandle<()>>,
}

impl Thread {
    /// Opens the connection and starts the threads.
    pub(super) fn start(path: &Path, gate: Gate) -> Result<Self, Error> {
        let conn = connection::writer(path).map_err(Error::unavailable)?;
        let (checkpoints, helper) = checkpoint::start(path).map_err(Error::unavailable)?;
        let mut writer = Writer {
            conn,
            epoch: 0,
            cancelled: Vec::new(),
            cursors: [0; Channel::ALL.len() * Priority::ALL.len()],
            disk: Disk::watch(path),
            checkpoints,
        };
        // The gate lets one in at a time; the second place lets the next one be handed over while the log is restarted.
        let (tasks, mut inbox) = mpsc::channel::<Task>(2);
        let thread = thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || {
                while let Some(task) = inbox.blocking_recv() {
                    // A defect in one task must not end all writing: its transaction goes, the thread stays.
                    if catch_unwind(AssertUnwindSafe(|| task(&mut writer))).is_err() && !writer.conn.is_autocommit() {
                        roll_back(&writer.conn);
                    }
                    writer.checkpoints.between(&writer.conn);
                }
            })
            .map_err(Error::unavailable)?;
        Ok(Self { gate, tasks: Some(tasks), threads: vec![thread, helper] })
    }

    /// Waits for the turn to write.
    pub(super) async fn turn(&self) -> Turn {
        self.gate.enter().await
    }

    /// Runs `work` on the thread. The turn goes along, so that a caller who is dropped meanwhile does not let the next
    /// one in too early, and comes back with the result.
    pub(super) async fn with_turn<T: Send + 'static>(
        &self,
        turn: Turn,
        work: impl FnOnce(&mut Writer) -> T + Send + 'static,
    ) -> Result<(Turn, T), Error> {
        let (answer, answered) = oneshot::channel();
        let task: Task = Box::new(move |writer| {
            let result = work(writer);
            let _ = answer.send((turn, result));
        });
        let gone = || Error::unavailable("the writing thread has ended");
        self.tasks.as_ref().ok_or_else(gone)?.send(task).await.map_err(|_| gone())?;
        answered.await.map_err(|_| Error::internal("the writing thread dropped a task; the log has why"))
    }

    /// Waits for the turn and runs `work` on the thread.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Writer) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Error> {
        let turn = self.turn().await;
        let (_turn, result) = self.with_turn(turn, work).await?;
        result.map_err(Error::from)
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.tasks = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
