//! What a change must pass, in the order in which mistakes are cheapest to find.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::process::{cargo, root, run as run_program};
use crate::{generate, install, test};

/// Runs every step and ends at the first that fails.
pub(crate) fn run() -> Result<()> {
    step("format", || run_program(cargo().args(["fmt", "--all", "--check"])))?;
    step("lints", || {
        let mut clippy = cargo();
        clippy.args(["clippy", "--workspace", "--all-targets", "--all-features"]);
        run_program(clippy.args(["--", "--deny", "warnings"]))
    })?;
    step("documentation", || {
        let mut doc = cargo();
        doc.args(["doc", "--workspace", "--no-deps", "--all-features"]);
        run_program(doc.env("RUSTDOCFLAGS", "--deny warnings"))
    })?;
    step("generated files", || generate::run(true))?;
    match install::cargo_deny() {
        Ok(program) => step("licences, sources and bans", || deny(&program))?,
        Err(error) => {
            println!("\nLEFT OUT: licences, sources and bans, for want of cargo-deny: {error:#}");
        }
    }
    println!("\n=== tests");
    test::run(&[]) // last, so that the output ends with its results
}

/// Checks licences, sources and bans. Known vulnerabilities are left to `cargo deny check advisories`: they come from the network.
pub(crate) fn deny(program: &Path) -> Result<()> {
    let mut command = Command::new(program);
    command.args(["--all-features", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"]);
    run_program(command.current_dir(root()))
}

fn step(name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("\n=== {name}");
    let since = Instant::now();
    work().with_context(|| format!("ci: {name}"))?;
    println!("=== {name}: {} s", since.elapsed().as_secs());
    Ok(())
}
