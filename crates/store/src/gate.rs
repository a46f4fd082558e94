//! SQLite has one writer at a time. A fair gate in front of both of ours (the hot thread and SeaORM) keeps the busy
//! handler, which is not fair, out of it.

use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard};

/// Whoever holds it may write.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<Mutex<()>>);

impl Gate {
    /// Waits for the turn, first come first served.
    pub(crate) async fn enter(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.0).lock_owned().await
    }
}
