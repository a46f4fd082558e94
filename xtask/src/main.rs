//! Every habit of the project behind one command: `cargo xtask <habit>`.
//!
//! One file per idea. Nothing here ships, and nothing else may depend on it.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool")]

mod arrows;
mod ci;
mod generate;
mod guard;
mod install;
mod postgres;
mod process;
mod services;
mod sink;
mod test;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Every habit of the project behind one command.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    habit: Habit,
}

#[derive(Subcommand)]
enum Habit {
    /// Install what the tests need, start the servers, run every suite, stop what was started
    Test {
        /// What `cargo test` gets in place of `--workspace`, such as `-p carillon-store conformance`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// What a change must pass: format, lints, licences, docs, generated files, then `test`
    Ci,
    /// The real servers that the tests talk to
    Services {
        #[command(subcommand)]
        action: services::Action,
    },
    /// Write the files that are made from the binary: OpenAPI, configuration reference, .env.example
    Generate {
        /// Write nothing and fail if a file would change
        #[arg(long)]
        check: bool,
    },
    /// Check which crate depends on which against the table in `xtask/src/arrows.rs`
    Arrows,
    /// Check licences, sources and bans with cargo-deny, which is installed into the cache if missing
    Deny,
    /// Wait for standard input to close, then stop what was started
    #[command(hide = true)]
    Guard,
}

fn main() -> ExitCode {
    match run(Cli::parse().habit) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(habit: Habit) -> Result<()> {
    match habit {
        Habit::Test { arguments } => test::run(&arguments),
        Habit::Ci => ci::run(),
        Habit::Services { action } => services::act(&action),
        Habit::Generate { check } => generate::run(check),
        Habit::Arrows => arrows::check(),
        Habit::Deny => ci::deny(&install::cargo_deny()?),
        Habit::Guard => guard::wait(),
    }
}
