//! The hot path on SQLite: one thread writes, row by row with cached statements inside one IMMEDIATE transaction, and
//! a few connections read. Everything here speaks rusqlite; the configuration tables are `repo`'s. Both writers pass
//! the same gate.

mod accept;
mod checkpoint;
mod claim;
mod columns;
mod commands;
mod connection;
mod disk;
mod epoch;
mod events;
mod fault;
mod finish;
mod lists;
mod ordering;
mod readers;
mod sandbox;
mod schedule;
mod store;
#[cfg(test)]
mod tests;
mod thread;

use std::path::Path;
use std::sync::Arc;

use carillon_domain::Error;
use carillon_ports::work::Rescued;
use parking_lot::Mutex;

use self::readers::Readers;
use self::thread::Thread;
use crate::gate::Gate;

/// The hot path's store on SQLite.
pub(crate) struct Sqlite {
    thread: Thread,
    readers: Readers,
    /// What the epoch's begin has freed, until somebody asks.
    rescued: Mutex<Rescued>,
}

impl Sqlite {
    /// Opens the database at `path`, whose tables are there, and starts the writing thread.
    ///
    /// # Errors
    /// `unavailable` if the file cannot be opened.
    pub(crate) fn open(path: &Path, gate: Gate) -> Result<Arc<Self>, Error> {
        // The writer first: it puts the file into WAL mode, without which a reader cannot open it.
        let thread = Thread::start(path, gate)?;
        let readers = Readers::open(path)?;
        Ok(Arc::new(Self { thread, readers, rescued: Mutex::default() }))
    }
}
