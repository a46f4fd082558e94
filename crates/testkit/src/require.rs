//! What a suite needs and the machine may lack.

use std::io::Write as _;

/// Says that `what` is left out and why.
///
/// # Panics
/// If `CARILLON_TEST_REQUIRE` is 1: then nothing may be left out.
pub fn leave_out(what: &str, why: &str) {
    let required = std::env::var_os("CARILLON_TEST_REQUIRE").is_some_and(|value| value == "1");
    assert!(!required, "{what}: {why}, and CARILLON_TEST_REQUIRE is 1");
    // The test harness swallows what `eprintln!` writes.
    let _ = writeln!(std::io::stderr(), "LEFT OUT: {what}; {why}");
}
