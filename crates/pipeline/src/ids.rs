//! Notification ids from blocks that the store hands out.

use std::time::Duration;

use carillon_domain::{Error, ErrorCode};
use carillon_ports::WorkStore;
use parking_lot::Mutex;
use tokio::time::Instant;

/// An older block is dropped: when the month turns, ids of the old one must run out (`docs/delivery.md`).
const FRESH: Duration = Duration::from_secs(1);

/// What is left of the block in hand.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    block: Mutex<Option<Block>>,
    refill: tokio::sync::Mutex<()>,
    failed: Mutex<Option<Failure>>,
}

/// The last refill that failed, for those who waited for it.
#[derive(Debug)]
struct Failure {
    at: Instant,
    code: ErrorCode,
    detail: String,
}

#[derive(Debug)]
struct Block {
    next: i64,
    end: i64,
    since: Instant,
}

impl Ids {
    /// The first of `count` consecutive ids.
    pub(crate) async fn next(&self, work: &dyn WorkStore, count: usize) -> Result<i64, Error> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        if let Some(first) = self.take(count) {
            return Ok(first);
        }
        let asked = Instant::now();
        let _one = self.refill.lock().await;
        if let Some(first) = self.take(count) {
            return Ok(first);
        }
        if let Some(failure) = self.failed.lock().as_ref().filter(|failure| failure.at >= asked) {
            // One after the other they would wait for as many timeouts as there are callers.
            return Err(Error::new(failure.code, failure.detail.clone()));
        }
        let (next, size) = work.ids().await.inspect_err(|error| {
            let detail = error.detail.clone();
            *self.failed.lock() = Some(Failure { at: Instant::now(), code: error.code, detail });
        })?;
        *self.block.lock() = Some(Block { next, end: next + i64::from(size), since: Instant::now() });
        self.take(count).ok_or_else(|| Error::new(ErrorCode::PayloadTooLarge, "more items than one request may have"))
    }

    fn take(&self, count: i64) -> Option<i64> {
        let mut block = self.block.lock();
        let block = block.as_mut()?;
        if block.end - block.next < count || block.since.elapsed() >= FRESH {
            return None;
        }
        let first = block.next;
        block.next += count;
        Some(first)
    }
}
