//! What the database is like, for a person who asks. Changes nothing.

use std::path::Path;

use carillon_domain::Timestamp;
use sea_orm::DatabaseConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{Connection as _, PgConnection, PgPool};

use super::error::OpenError;
use super::remote::Server;
use super::{Options, Target};
use crate::migrations::{self, Shape};

/// What the database is like.
#[derive(Debug, Clone, PartialEq)]
pub struct Inspection {
    /// For people, such as `PostgreSQL 15.4 at db:5432/carillon`.
    pub description: String,
    /// Whether a start would make it.
    pub fresh: bool,
    /// Migrations that a start would apply.
    pub pending: usize,
    /// What only a server has.
    pub server: Option<ServerFacts>,
}

/// What PostgreSQL says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFacts {
    /// Its time.
    pub now: Timestamp,
    /// Whether this user may make tables.
    pub may_create: bool,
    /// Whether it takes no writes.
    pub standby: bool,
    /// How many connections it lets users have in all.
    pub connections: i64,
    /// How many of them others have now.
    pub taken: i64,
}

/// Looks at the database as a start would, without changing it.
///
/// # Errors
/// As [`super::open`]; a folder that another process has is no error.
pub async fn inspect(options: Options) -> Result<Inspection, OpenError> {
    match options.target {
        Target::Sqlite { folder } => embedded(&folder).await,
        Target::Postgres { url, .. } => remote(&url).await,
    }
}

async fn embedded(folder: &Path) -> Result<Inspection, OpenError> {
    let file = folder.join("carillon.db");
    let description = format!("SQLite at {}", file.display());
    let empty = file.metadata().is_ok_and(|file| file.len() == 0);
    if empty || !file.exists() {
        return Ok(Inspection { description, fresh: true, pending: 0, server: None });
    }
    let options = SqliteConnectOptions::new().filename(&file).create_if_missing(false).pragma("query_only", "on");
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await;
    let pool = pool.map_err(|error| OpenError::database(&description, error))?;
    let shape = migrations::shape(&DatabaseConnection::from(pool.clone())).await;
    pool.close().await;
    told(description, shape, None)
}

async fn remote(url: &str) -> Result<Inspection, OpenError> {
    let Server { options, description } = Server::find(url).await?;
    let failed = |error: sqlx::Error| OpenError::database(&description, error);
    let mut connection = PgConnection::connect_with(&options).await.map_err(failed)?;
    let (now, may_create, standby, connections, taken) = sqlx::query_as(
        "SELECT clock_timestamp(), coalesce(has_schema_privilege(current_schema(), 'CREATE'), false), pg_is_in_recovery(), \
         current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint, \
         (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid())",
    )
    .fetch_one(&mut connection)
    .await
    .map_err(failed)?;
    drop(connection.close().await);
    let pool = PgPool::connect_with(options).await.map_err(failed)?;
    let shape = migrations::shape(&DatabaseConnection::from(pool.clone())).await;
    pool.close().await;
    told(description, shape, Some(ServerFacts { now, may_create, standby, connections, taken }))
}

fn told(
    description: String,
    shape: Result<Shape, sea_orm::DbErr>,
    server: Option<ServerFacts>,
) -> Result<Inspection, OpenError> {
    match shape {
        Ok(Shape::Known { applied, pending }) => Ok(Inspection { description, fresh: applied == 0, pending, server }),
        Ok(Shape::Newer { migration }) => Err(OpenError::Newer { database: description, migration }),
        Err(error) => Err(OpenError::database(&description, error)),
    }
}
