//! `carillon serve`: brings everything up, in the order in which it can fail, and takes it down in reverse.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use carillon_app::{App, Catalog, Delivery, Parts};
use carillon_auth::Authenticator;
use carillon_domain::time::{SystemClock, SystemEntropy};
use carillon_domain::{Clock, Entropy};
use carillon_pipeline::{Pipeline, Settings};
use carillon_ports::{Accounts, Store};
use carillon_rest::{RestSettings, RestState};
use carillon_store::{Options, Target};
use carillon_telemetry::{Meters, Prometheus};
use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;

use crate::banner::{self, Banner};
use crate::config::{Config, Mail};
use crate::exit::Failure;
use crate::upkeep::Chores;
use crate::{first_start, health, http, providers, signals, upkeep};

/// How long requests in flight may take when the process stops; the rest of the drain belongs to the pipeline.
const REQUESTS_END_WITHIN: Duration = Duration::from_secs(4);
/// How long the pipeline may take to drain.
const DRAIN: Duration = Duration::from_secs(18);
/// How long the database may take to close: all three together stay under the 25 s that are promised.
const DATABASE_CLOSES_WITHIN: Duration = Duration::from_secs(1);

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
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let accounts: Arc<dyn Accounts> = Arc::new(providers::accounts(&config, &clock)?);
    let opened = open(&config).await?;
    let store = opened.store;
    let first_key = first_start::first_start(&store, &*clock, &*entropy).await?;

    let house = House::build(&config, &store, accounts, clock, entropy).await?;
    let stop = signals::shutdown()?;
    let upkeep = upkeep::start(house.chores);
    let served = tokio::spawn(http::serve(listener, house.router, stop.clone()));

    let url = config.base_url(port);
    let provider = provider(&config);
    Banner { url: &url, database: &opened.description, fresh: opened.fresh, provider, first_key: first_key.as_ref() }
        .print();
    drop(first_key);
    banner::ready(started.elapsed());

    let fenced = tokio::select! {
        () = stop.cancelled() => false,
        () = house.pipeline.fenced() => true,
    };
    house.health.stop();
    stop.cancel();
    if !fenced && tokio::time::timeout(REQUESTS_END_WITHIN, served).await.is_err() {
        tracing::warn!("some requests did not end in time");
    }
    house.pipeline.drain().await;
    upkeep.abort();
    drop(store);
    // What is still under way in the database ends by its own timeouts, not by ours.
    let _ = tokio::time::timeout(DATABASE_CLOSES_WITHIN, opened.guard.close()).await;
    if fenced {
        return Err(Failure::plain("another process has taken over what this one held; it must be started anew").into());
    }
    Ok(())
}

/// Everything that runs, wired.
struct House {
    pipeline: Pipeline,
    health: Arc<health::Health>,
    chores: Chores,
    router: axum::Router,
}

impl House {
    async fn build(
        config: &Config,
        store: &Store,
        accounts: Arc<dyn Accounts>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> anyhow::Result<Self> {
        let prometheus = Prometheus::new();
        let meters = Arc::new(Meters::new(&prometheus, config.metrics_tenants));
        let catalog = Catalog::new(Arc::clone(&store.templates));
        let pipeline = Pipeline::start(
            Arc::clone(&store.work),
            Arc::new(Delivery::new(Arc::clone(&accounts), catalog.clone())),
            Arc::clone(&clock),
            Arc::clone(&entropy),
            Arc::clone(&meters),
            Settings { lease: config.lease, drain: DRAIN, ..Settings::default() },
        )
        .await
        .map_err(Failure::from_domain)?;
        let app = App::new(Parts {
            store: store.clone(),
            acceptor: Arc::new(pipeline.clone()),
            accounts,
            catalog: catalog.clone(),
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
        });
        let auth = Authenticator::new(Arc::clone(&store.tenants), Arc::clone(&clock));
        let pages = carillon_console::router(app.clone(), auth.clone(), Arc::clone(&clock));
        let health = Arc::new(health::Health::new(pipeline.clone(), Arc::clone(&store.work)));
        let state = RestState {
            app,
            auth: auth.clone(),
            meters: Arc::clone(&meters),
            prometheus: prometheus.clone(),
            clock: Arc::clone(&clock),
            entropy,
            health: Arc::clone(&health) as Arc<dyn carillon_rest::HealthSource>,
            settings: RestSettings {
                public_url: config.public_url.clone(),
                metrics_token: config.metrics_token.clone(),
            },
        };
        let router = carillon_rest::router_with_pages(state, pages);
        let chores = Chores { prometheus, meters, store: store.clone(), auth, catalog, clock };
        Ok(Self { pipeline, health, chores, router })
    }
}

/// Opens the store that the configuration names.
pub(crate) async fn open(config: &Config) -> Result<carillon_store::Opened, Failure> {
    carillon_store::open(Options { target: target(config) }).await.map_err(|error| refused(config, &error))
}

/// The database that the configuration names.
pub(crate) fn target(config: &Config) -> Target {
    match &config.database_url {
        Some(url) => {
            Target::Postgres { url: url.expose_secret().to_owned(), max_connections: config.database_connections }
        }
        None => Target::Sqlite { folder: config.data_dir.clone() },
    }
}

/// What to tell when the database cannot be opened.
pub(crate) fn refused(config: &Config, error: &carillon_store::OpenError) -> Failure {
    let hint = if config.database_url.is_some() {
        format!(
            "DATABASE_URL came from {}; `carillon config` shows every setting and its source",
            config.database_source
        )
    } else {
        "CARILLON_DATA_DIR chooses another folder; `carillon config` shows every setting and its source".to_owned()
    };
    Failure::hinted(error.to_string(), hint)
}

/// Takes the port before anything else is begun: the commonest mistake should be the quickest to show.
async fn listen(config: &Config) -> Result<TcpListener, Failure> {
    TcpListener::bind((config.host.as_str(), config.port)).await.map_err(|error| {
        Failure::hinted(format!("cannot listen on {}:{}: {error}", config.host, config.port), listen_hint(&error))
    })
}

/// What to do when the port cannot be had.
pub(crate) fn listen_hint(error: &std::io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::AddrInUse => "stop what has the port, or choose another: PORT=3001 or --port 3001",
        ErrorKind::PermissionDenied => "ports below 1024 are the administrator's: choose another, such as PORT=3001",
        _ => "HOST is an address of this machine: 127.0.0.1, or 0.0.0.0 for all of them",
    }
}

fn provider(config: &Config) -> Option<&'static str> {
    match config.mail {
        Mail::Sandbox => None,
        Mail::Smtp { .. } => Some("smtp"),
        Mail::SendGrid { .. } => Some("sendgrid"),
    }
}
