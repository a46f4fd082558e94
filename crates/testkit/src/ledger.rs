//! What reached the person: the effects that a stand-in has taken, written to disk before it answers. The oracle of
//! "never lost, never twice": it lives in the test's process, which no test kills.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use carillon_domain::time::{Clock as _, SystemClock};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::journal::Journal;

/// One message taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    /// The notification's uuid.
    pub id: String,
    /// The address.
    pub to: String,
    /// When, in microseconds since 1970.
    pub at: i64,
}

/// The effects of one stand-in. Clones are the same ledger.
#[derive(Debug, Clone)]
pub struct Ledger {
    effects: Arc<Mutex<Effects>>,
    journal: Option<Journal>,
}

#[derive(Debug, Default)]
struct Effects {
    all: Vec<Effect>,
    counts: HashMap<String, u64>,
}

impl Ledger {
    /// A ledger in memory only, for measuring.
    pub fn memory() -> Self {
        Self { effects: Arc::default(), journal: None }
    }

    /// A ledger that appends JSON lines to `path`; several effects share one fsync. Call it within a runtime.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { effects: Arc::default(), journal: Some(Journal::open(path)?) })
    }

    /// Writes one down; `true` once it is on disk. `false`: the disk refuses, so it was not taken.
    pub async fn record(&self, id: &str, to: &str) -> bool {
        let effect = Effect { id: id.to_owned(), to: to.to_owned(), at: SystemClock.now().timestamp_micros() };
        if let Some(journal) = &self.journal {
            let Ok(line) = serde_json::to_string(&effect) else { return false };
            if !journal.append(line).await {
                return false;
            }
        }
        let mut effects = self.effects.lock();
        *effects.counts.entry(effect.id.clone()).or_default() += 1;
        effects.all.push(effect);
        true
    }

    /// How often `id` was taken.
    pub fn count(&self, id: &str) -> u64 {
        self.effects.lock().counts.get(id).copied().unwrap_or(0)
    }

    /// How many effects there are, repeats included.
    pub fn total(&self) -> usize {
        self.effects.lock().all.len()
    }

    /// How many different ids there are.
    pub fn distinct(&self) -> usize {
        self.effects.lock().counts.len()
    }

    /// How many effects are repeats of an earlier one.
    pub fn duplicates(&self) -> u64 {
        self.effects.lock().counts.values().map(|count| count - 1).sum()
    }

    /// All effects, in the order in which they were taken.
    pub fn effects(&self) -> Vec<Effect> {
        self.effects.lock().all.clone()
    }
}

/// The effects in a ledger's file.
///
/// # Errors
/// If the file cannot be read, or a line of it is none.
pub fn read(path: &Path) -> io::Result<Vec<Effect>> {
    std::fs::read_to_string(path)?.lines().map(|line| serde_json::from_str(line).map_err(io::Error::from)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_counted_is_on_disk() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.jsonl");
        let ledger = Ledger::open(&path).unwrap();
        let tasks: Vec<_> = (0..200)
            .map(|i| {
                let ledger = ledger.clone();
                tokio::spawn(async move { ledger.record(&format!("id-{}", i % 150), "ada@x.example").await })
            })
            .collect();
        for task in tasks {
            assert!(task.await.unwrap());
        }
        assert_eq!((ledger.total(), ledger.distinct(), ledger.duplicates()), (200, 150, 50));
        assert_eq!(ledger.count("id-0"), 2);
        assert_eq!(read(&path).unwrap().len(), 200);
    }
}
