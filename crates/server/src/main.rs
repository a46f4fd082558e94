//! The binary `carillon`: command line, configuration, wiring. Here and only here do the crates meet; what they do is
//! theirs.

mod banner;
mod cli;
mod config;
mod exit;
mod first_start;
mod health;
mod http;
mod log_reader;
mod providers;
mod serve;
mod signals;
mod upkeep;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use crate::exit::Failure;

/// Many small strings live across threads for milliseconds: the system's allocator pays for each twice.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = cli::args::Cli::parse();
    let mut runtime = if cli::serves(&cli) {
        tokio::runtime::Builder::new_multi_thread()
    } else {
        tokio::runtime::Builder::new_current_thread()
    };
    let done = match runtime.enable_all().build() {
        Ok(runtime) => runtime.block_on(cli::run(cli)),
        Err(error) => Err(Failure::plain(format!("cannot start the runtime: {error}"))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nobody is left to tell if standard error is gone.
            let _ = writeln!(std::io::stderr().lock(), "error: {failure}");
            failure.exit_code()
        }
    }
}
