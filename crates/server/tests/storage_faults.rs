//! Fault tests of the storage: an fsync that fails, a disk that is full, a database that dies, is away or does not
//! answer. Whatever happens, what was answered with 202 arrives (faults F03, F07, F08, F09).
#![expect(clippy::unwrap_used, reason = "a test ends where it is surprised")]

#[path = "storage_faults/away.rs"]
mod away;
#[path = "storage_faults/common.rs"]
mod common;
#[path = "storage_faults/crash.rs"]
mod crash;
#[path = "storage_faults/fsync.rs"]
mod fsync;
#[path = "storage_faults/full_disk.rs"]
mod full_disk;
#[path = "storage_faults/lost_answers.rs"]
mod lost_answers;

/// The real one.
const BINARY: &str = env!("CARGO_BIN_EXE_carillon");
