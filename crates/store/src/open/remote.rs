//! PostgreSQL: what it must be, and the connections to it.

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use carillon_ports::Store;
use sea_orm::DatabaseConnection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};

use super::error::{OpenError, migrated};
use super::{Guard, Opened, Pools};
use crate::migrations;
use crate::postgres::Postgres;
use crate::repo::{Db, Repo};

/// A database that is away is a 503 within a second.
const ACQUIRE: Duration = Duration::from_millis(800);

/// How long a start may wait for the first connection.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a start may wait for another process that is migrating.
const MIGRATE: Duration = Duration::from_mins(2);

/// A connection that was idle for longer is tried before it is used.
const TRUSTED: Duration = Duration::from_secs(1);

/// A cached plan of the hot statements must not keep the sequential scan that was right while the tables were small.
/// `SET` and not start-up parameters, which poolers refuse.
const HOT: &str = "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off; \
                   SET lock_timeout = '1s'; SET idle_in_transaction_session_timeout = '10s'";

const GENERAL: &str = "SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '30s'";

/// "carillon", so that another program's advisory lock is not ours.
const LOCK: &str = "SELECT pg_advisory_lock(x'636172696c6c6f6e'::bigint)";

pub(super) async fn open(url: &str, max_connections: u32) -> Result<Opened, OpenError> {
    let server = Server::find(url).await?;
    let fresh = server.migrate().await?;
    let (hot_size, general_size) = sizes(max_connections);
    let hot = pool(hot_size, HOT).connect_lazy_with(server.options.clone());
    let general = pool(general_size, GENERAL).connect_lazy_with(server.options.clone());
    let repo = Arc::new(Repo::new(Db::postgres(general.clone())));
    let work = Postgres::new(hot.clone(), general.clone());
    let store = Store {
        work: work.clone(),
        notifications: work.clone(),
        templates: repo.clone(),
        tenants: repo,
        sandbox: work,
    };
    let guard = Guard { pools: Pools::Postgres(vec![hot, general]), lock: None };
    Ok(Opened { store, fresh, description: server.description, guard })
}

pub(super) async fn migrate(url: &str) -> Result<bool, OpenError> {
    Server::find(url).await?.migrate().await
}

/// A quarter for configuration, the rest for the hot path, at least two each.
fn sizes(max_connections: u32) -> (u32, u32) {
    let general = (max_connections / 4).max(2);
    (max_connections.saturating_sub(general).max(2), general)
}

fn pool(connections: u32, settings: &'static str) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE)
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for > TRUSTED {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .after_connect(move |connection, _| Box::pin(async move { connection.execute(settings).await.map(drop) }))
}

/// A server that may be used.
pub(super) struct Server {
    pub(super) options: PgConnectOptions,
    pub(super) description: String,
}

impl Server {
    /// Connects once and checks what the server promises.
    pub(super) async fn find(url: &str) -> Result<Self, OpenError> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|error| OpenError::Url { reason: error.to_string() })?
            .application_name("carillon")
            .disable_statement_logging();
        let address = address(&options);
        let unreachable = |reason: String| OpenError::Unreachable { address: address.clone(), reason };
        let Ok(connection) = tokio::time::timeout(CONNECT, PgConnection::connect_with(&options)).await else {
            return Err(unreachable(format!("no answer within {} s", CONNECT.as_secs())));
        };
        let mut connection = connection.map_err(|error| unreachable(reason(&error)))?;
        let (number, version, fsync, commit): (i32, String, String, String) = sqlx::query_as(
            "SELECT current_setting('server_version_num')::int, split_part(current_setting('server_version'), ' ', 1), \
             current_setting('fsync'), current_setting('synchronous_commit')",
        )
        .fetch_one(&mut connection)
        .await
        .map_err(|error| unreachable(reason(&error)))?;
        // It has told all that we wanted; how it takes the leave does not matter.
        drop(connection.close().await);
        if number < 150_000 {
            return Err(OpenError::TooOld { address, version });
        }
        for (setting, value) in [("fsync", fsync), ("synchronous_commit", commit)] {
            if value == "off" {
                return Err(OpenError::NotDurable { address, setting });
            }
        }
        let description = format!("PostgreSQL {version} at {address}");
        Ok(Self { options, description })
    }

    /// On one connection that holds the lock for as long as it lives, so that of several processes that start together
    /// one migrates and the others wait for it.
    async fn migrate(&self) -> Result<bool, OpenError> {
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(MIGRATE)
            .after_connect(|connection, _| Box::pin(async move { connection.execute(LOCK).await.map(drop) }))
            .connect_with(self.options.clone());
        let pool: PgPool = pool.await.map_err(|error| OpenError::database(&self.description, error))?;
        let result = migrations::up(&DatabaseConnection::from(pool.clone())).await;
        pool.close().await;
        migrated(&self.description, result)
    }
}

/// Host, port and database.
fn address(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or_else(|| options.get_username());
    match options.get_socket() {
        Some(socket) => format!("{}/{database}", socket.display()),
        None => format!("{}:{}/{database}", options.get_host(), options.get_port()),
    }
}

/// The cause without the frame that every error of the library has.
fn reason(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Io(cause) => cause.to_string(),
        sqlx::Error::Database(cause) => cause.message().to_owned(),
        other => other.to_string(),
    }
}
