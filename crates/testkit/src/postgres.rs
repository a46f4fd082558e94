//! A PostgreSQL database of a test's own, on the server that `CARILLON_TEST_POSTGRES` names.

use std::io::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

/// A database that is dropped with `drop_database`, or when the test server's folder goes.
#[derive(Debug)]
pub struct TestDatabase {
    admin: String,
    name: String,
}

impl TestDatabase {
    /// Makes one. `None` if `CARILLON_TEST_POSTGRES` is not set: the test is then left out, and standard error says so.
    ///
    /// # Panics
    /// If there is no server and `CARILLON_TEST_REQUIRE` is 1, or it refuses.
    pub async fn create() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let Ok(admin) = std::env::var("CARILLON_TEST_POSTGRES") else {
            let required = std::env::var_os("CARILLON_TEST_REQUIRE").is_some_and(|value| value == "1");
            assert!(!required, "CARILLON_TEST_POSTGRES is not set, and CARILLON_TEST_REQUIRE is 1");
            let _ = writeln!(std::io::stderr(), "LEFT OUT: PostgreSQL; CARILLON_TEST_POSTGRES is not set");
            return None;
        };
        let name = format!("carillon_e2e_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let database = Self { admin, name };
        database.run(&format!("CREATE DATABASE {}", database.name)).await;
        Some(database)
    }

    /// Its URL.
    pub fn url(&self) -> String {
        let (server, _) = self.admin.rsplit_once('/').expect("a URL with a database");
        format!("{server}/{}", self.name)
    }

    /// Drops it, whoever is connected.
    pub async fn drop_database(self) {
        self.run(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)).await;
    }

    async fn run(&self, statement: &str) {
        let mut connection = PgConnection::connect(&self.admin).await.expect("the test server answers");
        sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.expect("it does as told");
    }
}
