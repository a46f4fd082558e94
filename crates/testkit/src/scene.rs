//! Where a fault test plays: a data folder or a database of its own, and SendGrid's stand-in with its ledger.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::ledger::Ledger;
use crate::port::free_port;
use crate::postgres::TestDatabase;
use crate::process::{Carillon, Launch};
use crate::rows::Rows;
use crate::sendgrid::{Answer, Call, SendGridStandIn};

/// Which database a scene has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The embedded one.
    Sqlite,
    /// One of its own on the test server.
    Postgres,
}

/// A scene.
pub struct Scene {
    folder: TempDir,
    binary: PathBuf,
    database: Option<TestDatabase>,
    /// Who takes the mail.
    pub provider: SendGridStandIn,
}

impl Scene {
    /// Sets one up for `binary`, with a provider that answers by `script`. `None` if there is no PostgreSQL.
    ///
    /// # Panics
    /// If a folder, a port or a database cannot be had.
    pub async fn new(
        binary: impl AsRef<Path>,
        kind: Kind,
        script: impl Fn(&Call) -> Answer + Send + Sync + 'static,
    ) -> Option<Self> {
        let database = match kind {
            Kind::Sqlite => None,
            Kind::Postgres => Some(TestDatabase::create().await?),
        };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ledger = Ledger::open(&folder.path().join("ledger.jsonl")).expect("a ledger");
        let provider = SendGridStandIn::start("SG.test", ledger, script).expect("a free port");
        Some(Self { folder, binary: binary.as_ref().to_owned(), database, provider })
    }

    /// How to start a process of it, on a port of its own; the same launch again is the same process started anew.
    ///
    /// # Panics
    /// If there is no free port.
    pub fn launch(&self) -> Launch {
        let launch = Launch::new(&self.binary, &self.data(), free_port().expect("a free port"))
            .env("SENDGRID_API_KEY", "SG.test")
            .env("SENDGRID_BASE_URL", self.provider.base_url())
            .env("MAIL_FROM", "carillon@example.com");
        match &self.database {
            Some(database) => launch.env("DATABASE_URL", database.url()),
            None => launch,
        }
    }

    /// A file for a load's uuids.
    pub fn journal(&self) -> PathBuf {
        self.folder.path().join("accepted.txt")
    }

    /// What the provider has taken.
    pub fn ledger(&self) -> &Ledger {
        self.provider.ledger()
    }

    /// The URL of its database, if that is PostgreSQL.
    pub fn database_url(&self) -> Option<String> {
        self.database.as_ref().map(TestDatabase::url)
    }

    /// Where the server of its database listens, for a proxy in front of it.
    pub fn database_address(&self) -> Option<std::net::SocketAddr> {
        let url = self.database_url()?;
        let (_, place) = url.split('/').nth(2)?.rsplit_once('@')?;
        place.parse().ok()
    }

    /// The URL of its database through a proxy on `port`, who reads along: without TLS.
    pub fn database_url_at(&self, port: u16) -> Option<String> {
        let url = self.database_url()?;
        let address = self.database_address()?;
        Some(format!("{}?sslmode=disable", url.replace(&address.to_string(), &format!("127.0.0.1:{port}"))))
    }

    /// What lies in the database.
    pub fn rows(&self) -> Rows {
        match &self.database {
            Some(database) => Rows::Postgres(database.url()),
            None => Rows::in_folder(&self.data()),
        }
    }

    /// Takes it down: no process of it may be needed any more.
    pub async fn end(self) {
        if let Some(database) = self.database {
            database.drop_database().await;
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

/// Starts a process without holding up the others of the scene.
///
/// # Panics
/// If it does not start.
pub async fn start(launch: &Launch) -> Carillon {
    let launch = launch.clone();
    tokio::task::spawn_blocking(move || launch.start()).await.expect("carillon starts")
}
