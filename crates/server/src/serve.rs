//! `carillon serve`: brings everything up, in the order in which it can fail, and takes it down in reverse.

use std::time::Instant;

use anyhow::Context as _;
use tokio::net::TcpListener;

use crate::banner::{self, Banner};
use crate::config::{Config, Mail};
use crate::exit::Failure;
use crate::signals;

/// Runs until a signal ends it.
pub(crate) async fn serve(config: Config) -> anyhow::Result<()> {
    let started = Instant::now();
    carillon_telemetry::logs::init(config.log_format, &config.log)
        .map_err(|error| Failure::Config(error.to_string()))?;
    if !config.unused.is_empty() {
        tracing::warn!(settings = config.unused.join(","), "these settings are not used by this version");
    }
    let listener = listen(&config).await?;
    let port = listener.local_addr().context("cannot tell the port")?.port();
    let shutdown = signals::shutdown()?;
    let url = config.base_url(port);
    let database = config.database_shown().unwrap_or_else(|| format!("SQLite at {}", config.data_dir.display()));
    Banner { url: &url, database: &database, fresh: false, provider: provider(&config), first_key: None }.print();
    banner::ready(started.elapsed());
    shutdown.cancelled().await;
    Ok(())
}

/// Takes the port before anything else is begun: the commonest mistake should be the quickest to show.
async fn listen(config: &Config) -> Result<TcpListener, Failure> {
    TcpListener::bind((config.host.as_str(), config.port)).await.map_err(|error| {
        Failure::hinted(
            format!("cannot listen on {}:{}: {error}", config.host, config.port),
            "stop what has the port, or choose another: PORT=3001 or --port 3001",
        )
    })
}

fn provider(config: &Config) -> Option<&'static str> {
    match config.mail {
        Mail::Sandbox => None,
        Mail::Smtp { .. } => Some("smtp"),
        Mail::SendGrid { .. } => Some("sendgrid"),
    }
}
