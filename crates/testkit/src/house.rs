//! A place where one Carillon lives, and a way to run one test in it on each database.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::port::free_port;
use crate::postgres::TestDatabase;
use crate::process::{Carillon, Client, Launch};
use crate::scene::Kind;

/// A data folder, a port and, on PostgreSQL, a database of its own.
pub struct House {
    kind: Kind,
    folder: TempDir,
    port: u16,
    database: Option<TestDatabase>,
    binary: PathBuf,
}

impl House {
    /// Makes one for `binary`. `None` if there is no PostgreSQL: the test is then left out.
    ///
    /// # Panics
    /// If there is no folder or port to be had.
    pub async fn build(binary: impl AsRef<Path>, kind: Kind) -> Option<Self> {
        let database = match kind {
            Kind::Sqlite => None,
            Kind::Postgres => Some(TestDatabase::create().await?),
        };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = free_port().expect("a free port");
        Some(Self { kind, folder, port, database, binary: binary.as_ref().to_owned() })
    }

    /// Which database it has.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// A folder for what a test needs besides.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The port of everything that is launched here.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How to start Carillon here; again and again it finds what it left.
    pub fn launch(&self) -> Launch {
        let launch = Launch::new(&self.binary, &self.folder.path().join("data"), self.port);
        match &self.database {
            Some(database) => launch.env("DATABASE_URL", database.url()),
            None => launch,
        }
    }

    /// Starts it for the first time; the client has the key of the first start.
    pub fn open(&self) -> (Carillon, Client) {
        let carillon = self.launch().start();
        let client = Client::new(carillon.url(""), carillon.key());
        (carillon, client)
    }

    /// Takes it down. Nothing of it may run any more.
    pub async fn leave(self) {
        if let Some(database) = self.database {
            database.drop_database().await;
        }
    }
}

/// Runs `test` in a house of its own; what [`on_both_databases`](crate::on_both_databases) expands to.
pub async fn visit(binary: &str, kind: Kind, test: impl AsyncFn(&House)) {
    if let Some(house) = House::build(binary, kind).await {
        test(&house).await;
        house.leave().await;
    }
}

/// Makes each of these `async fn(&House)` a test on SQLite and one on PostgreSQL, for a constant `BINARY`.
#[macro_export]
macro_rules! on_both_databases {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    $crate::house::visit(super::BINARY, $crate::scene::Kind::Sqlite, super::$test).await;
                }
            )+
        }

        mod postgresql {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    $crate::house::visit(super::BINARY, $crate::scene::Kind::Postgres, super::$test).await;
                }
            )+
        }
    };
}
