//! Looks at every connection once a second, and at the end sees all of them out.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::seen::{Notes, Order, Seen};

const LOOK: Duration = Duration::from_secs(1);
/// While the process stops, connections are looked at more often.
const LAST_LOOKS: Duration = Duration::from_millis(50);
/// How long a kept connection may still bring a request after the stop: what its client had sent before it knew.
const FAREWELL: Duration = Duration::from_millis(500);

/// Knows all connections.
#[derive(Debug)]
pub(super) struct Watchman {
    connections: Mutex<HashMap<u64, (Arc<Seen>, Notes)>>,
    next: AtomicU64,
    /// From so many connections on, idle ones have to make room.
    crowded: usize,
}

impl Watchman {
    pub(super) fn new(most: usize) -> Self {
        Self { connections: Mutex::default(), next: AtomicU64::new(0), crowded: most - most / 4 }
    }

    /// A new connection, known until the visit is dropped.
    pub(super) fn admit(self: Arc<Self>) -> Visit {
        let (number, seen) = (self.next.fetch_add(1, Ordering::Relaxed), Arc::new(Seen::default()));
        self.connections.lock().insert(number, (Arc::clone(&seen), Notes::default()));
        Visit { number, seen, watchman: self }
    }

    /// Until `stop`, and then until everybody has left.
    pub(super) async fn watch(self: Arc<Self>, stop: CancellationToken) {
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = looks.tick() => self.look(),
            }
        }
        self.everybody(Seen::say_farewell);
        self.until_empty(FAREWELL).await;
        self.everybody(|seen| seen.tell(Order::Finish));
        self.until_empty(FAREWELL).await;
        // A head that is still not whole will not be answered.
        while !self.connections.lock().is_empty() {
            self.everybody(|seen| {
                if seen.drips() {
                    seen.tell(Order::Leave);
                }
            });
            tokio::time::sleep(LAST_LOOKS).await;
        }
    }

    fn look(&self) {
        let mut connections = self.connections.lock();
        let crowded = connections.len() > self.crowded;
        for (seen, notes) in connections.values_mut() {
            if notes.look(seen, crowded) {
                seen.tell(Order::Leave);
            }
        }
    }

    fn everybody(&self, what: impl Fn(&Seen)) {
        self.connections.lock().values().for_each(|(seen, _)| what(seen));
    }

    async fn until_empty(&self, patience: Duration) {
        let empty = async {
            while !self.connections.lock().is_empty() {
                tokio::time::sleep(LAST_LOOKS).await;
            }
        };
        let _ = tokio::time::timeout(patience, empty).await;
    }
}

/// A connection while it lasts.
pub(super) struct Visit {
    number: u64,
    seen: Arc<Seen>,
    watchman: Arc<Watchman>,
}

impl Visit {
    pub(super) fn seen(&self) -> Arc<Seen> {
        Arc::clone(&self.seen)
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.watchman.connections.lock().remove(&self.number);
    }
}
