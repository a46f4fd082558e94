//! Fault tests of the process: killed at random, frozen, told to stop, full of work, in the company of a reader that does
//! not go away. Whatever happens, what was answered with 202 arrives (faults F02, F11, F12, F26, F31).
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test ends where it is surprised, and says what it has measured"
)]

mod common;
mod frozen;
mod full_memory;
mod long_snapshot;
mod publishers;
mod random_kills;
mod shutdown;

/// The real one.
const BINARY: &str = env!("CARGO_BIN_EXE_carillon");
