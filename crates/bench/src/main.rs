//! Measures a Carillon binary: start, memory, accept and delivery, one by one and in batches, alone and under load.
//!
//! The server under test is a child process; the provider is a stub in this one, reached through the SendGrid adapter,
//! so that everything but the provider's own work is in the figure. Loads are bounded in count and stay on loopback.
//! Absolute figures say more about the machine than about the code: compare runs of one hour on one machine.
#![expect(clippy::print_stdout, reason = "a command line tool")]

mod axes;
mod claim;
mod load;
mod report;
mod scale;
mod server;
mod stub;

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;

/// Measures a Carillon binary and prints a table; with an earlier report, ratios to it.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The binary to measure.
    #[arg(long, default_value = "target/release/carillon")]
    binary: PathBuf,
    /// A PostgreSQL server with createdb rights (`postgres://…/postgres`), on which a database is made and dropped;
    /// without it, SQLite.
    #[arg(long)]
    postgres: Option<String>,
    /// Only these axes: start, single, batch, latency, provider50, scale, claim.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Notifications per load.
    #[arg(long, default_value_t = 20_000)]
    count: usize,
    /// Tenants with a key and four templates each, beside a run with a hundred of them.
    #[arg(long, default_value_t = 10_000)]
    tenants: usize,
    /// The longest backlog behind a claim; 10000, and on by tens.
    #[arg(long, default_value_t = 1_000_000)]
    backlog: u64,
    /// Writes the report as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// An earlier report to compare with.
    #[arg(long)]
    compare: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let launch = server::Launch::new(&arguments.binary, arguments.postgres.as_deref());
    let sizes = axes::Sizes { count: arguments.count, tenants: arguments.tenants, backlog: arguments.backlog };
    let report = axes::run(&launch, &arguments.only, &sizes).await?;
    let earlier = arguments.compare.as_deref().map(report::read).transpose()?;
    println!("{}", report.table(earlier.as_ref()));
    if let Some(path) = arguments.json {
        report.write(&path)?;
    }
    Ok(())
}
