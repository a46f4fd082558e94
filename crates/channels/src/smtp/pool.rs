//! Idle connections, kept for the next message.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::connection::Connection;

/// How long a connection may be idle. Servers wait five minutes (RFC 5321 §4.5.3.2.7), those in a hurry one.
const IDLE: Duration = Duration::from_secs(45);

/// A bounded number of connections.
pub(super) struct Pool {
    slots: Semaphore,
    idle: Mutex<Vec<(Instant, Connection)>>,
}

/// The right to have one connection open.
pub(super) struct Slot<'a> {
    pool: &'a Pool,
    _permit: SemaphorePermit<'a>,
}

impl Pool {
    pub(super) fn new(connections: usize) -> Self {
        Self { slots: Semaphore::new(connections.clamp(1, 4096)), idle: Mutex::new(Vec::new()) }
    }

    /// Waits for a slot.
    pub(super) async fn slot(&self) -> Option<Slot<'_>> {
        let permit = self.slots.acquire().await.ok()?;
        Some(Slot { pool: self, _permit: permit })
    }
}

impl Slot<'_> {
    /// The connection that was used last, if it still lives: the others then grow old and are let go.
    pub(super) fn idle(&self) -> Option<Connection> {
        let mut idle = self.pool.idle.lock();
        let fresh = idle.partition_point(|(since, _)| since.elapsed() >= IDLE);
        let old: Vec<_> = idle.drain(..fresh).collect();
        let mut found = None;
        while let Some((_, mut connection)) = idle.pop() {
            if !connection.is_stale() {
                found = Some(connection);
                break;
            }
        }
        drop(idle);
        for (_, connection) in old {
            // A goodbye that nobody waits for must not hold up this message.
            tokio::spawn(tokio::time::timeout(Duration::from_secs(1), connection.close()));
        }
        found
    }

    /// Keeps a connection for the next message.
    pub(super) fn put_back(&self, connection: Connection) {
        self.pool.idle.lock().push((Instant::now(), connection));
    }
}
