//! The conformance suite on both engines: on SQLite always, on PostgreSQL where `CARILLON_TEST_POSTGRES` has the URL of
//! a server on which databases may be made. `CARILLON_TEST_REQUIRE=1` makes a missing server a failure.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test ends where it is surprised, and says what it leaves out"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use carillon_ports::Store;
use carillon_store::{Guard, Opened, Options, Target, open};
use carillon_testkit::conformance::{Case, Db, Engine};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::Mutex;

macro_rules! sqlite_tests {
    ($($module:ident { $($case:ident [$($method:ident)*])* })*) => {
        $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            super::sqlite(stringify!($case)).await;
        })*)*
    };
}

macro_rules! postgres_tests {
    ($($module:ident { $($case:ident [$($method:ident)*])* })*) => {
        $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            super::postgres(stringify!($case)).await;
        })*)*
    };
}

mod on_sqlite {
    carillon_testkit::conformance_cases!(sqlite_tests);
}

mod on_postgres {
    carillon_testkit::conformance_cases!(postgres_tests);
}

/// SQLite: the folder belongs to one process.
struct Alone;

#[async_trait]
impl Engine for Alone {
    async fn second(&self) -> Option<Store> {
        None
    }
}

/// PostgreSQL: as many processes as wanted. Their guards stay open until the case is over.
struct Shared {
    url: String,
    guards: Mutex<Vec<Guard>>,
}

#[async_trait]
impl Engine for Shared {
    async fn second(&self) -> Option<Store> {
        let opened = open_postgres(&self.url).await;
        self.guards.lock().await.push(opened.guard);
        Some(opened.store)
    }
}

async fn sqlite(case: &'static str) {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { target: Target::Sqlite { folder: folder.path().to_owned() } };
    let opened = open(options).await.unwrap_or_else(|error| panic!("{error}"));
    run(case, opened.store, Arc::new(Alone)).await;
    opened.guard.close().await;
}

async fn postgres(case: &'static str) {
    let Ok(server) = std::env::var("CARILLON_TEST_POSTGRES") else {
        let required = std::env::var("CARILLON_TEST_REQUIRE").is_ok_and(|value| value == "1");
        assert!(!required, "CARILLON_TEST_POSTGRES is not set");
        println!("LEFT OUT: {case} on PostgreSQL: CARILLON_TEST_POSTGRES is not set");
        return;
    };
    let database = Database::make(&server).await;
    let opened = open_postgres(&database.url).await;
    let engine = Arc::new(Shared { url: database.url.clone(), guards: Mutex::default() });
    // In a task of its own: a broken promise must not leave the database behind.
    let outcome = tokio::spawn(run(case, opened.store, engine.clone())).await;
    for guard in engine.guards.lock().await.drain(..) {
        guard.close().await;
    }
    opened.guard.close().await;
    database.remove().await;
    if let Err(failure) = outcome {
        std::panic::resume_unwind(failure.into_panic());
    }
}

async fn run(case: &'static str, store: Store, engine: Arc<dyn Engine>) {
    let case = Case::named(case);
    let db = Db::open(store, engine, !case.wants_empty()).await;
    case.run(&db).await;
}

async fn open_postgres(url: &str) -> Opened {
    let options = Options { target: Target::Postgres { url: url.to_owned(), max_connections: 8 } };
    open(options).await.unwrap_or_else(|error| panic!("{error}"))
}

/// A database of its own for one case.
struct Database {
    server: PgConnectOptions,
    name: String,
    url: String,
}

impl Database {
    async fn make(server: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("carillon_conformance_{}_{number}", std::process::id());
        let options: PgConnectOptions = server.parse().unwrap();
        let mut url = options.to_url_lossy();
        url.set_path(&name);
        let made = Self { server: options, url: url.to_string(), name };
        made.execute(&format!("DROP DATABASE IF EXISTS {}", made.name)).await;
        made.execute(&format!("CREATE DATABASE {}", made.name)).await;
        made
    }

    async fn remove(self) {
        self.execute(&format!("DROP DATABASE {} WITH (FORCE)", self.name)).await;
    }

    async fn execute(&self, statement: &str) {
        let mut connection = self.server.connect().await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}
