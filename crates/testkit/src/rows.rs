//! What lies in a server's database: read beside the running server, by the oracle alone.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use carillon_domain::notification::event::Transition;
use carillon_domain::{EventKind, Status};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

/// Which database.
#[derive(Debug, Clone)]
pub enum Rows {
    /// The file of the embedded one.
    Sqlite(PathBuf),
    /// A URL.
    Postgres(String),
}

/// A notification as its row and its timeline have it.
#[derive(Debug, Clone, PartialEq)]
pub struct Story {
    /// The row's status.
    pub status: Status,
    /// All that happened, in order.
    pub transitions: Vec<Transition>,
}

impl Story {
    /// Whether the timeline says that a provider may have it.
    pub fn is_doubted(&self) -> bool {
        self.transitions.iter().any(|transition| transition.kind == EventKind::Unknown)
    }
}

const STORIES: &str =
    "SELECT n.uuid, n.status, e.transitions FROM notifications n LEFT JOIN events e ON e.id = n.id ORDER BY ";

impl Rows {
    /// Those of the embedded database in a data folder.
    pub fn in_folder(data: &Path) -> Self {
        Self::Sqlite(data.join("carillon.db"))
    }

    /// Queue rows with work in them: neither done nor parked.
    pub async fn working(&self) -> i64 {
        self.count("SELECT count(*) FROM queue WHERE state <> 3").await
    }

    /// Queue rows that a process has in its memory.
    pub async fn leased(&self) -> i64 {
        self.count("SELECT count(*) FROM queue WHERE state = 1").await
    }

    /// The lives of processes (epochs) that hold rows.
    pub async fn owners(&self) -> Vec<i64> {
        let statement = "SELECT DISTINCT owner FROM queue WHERE owner IS NOT NULL";
        match self {
            Self::Sqlite(file) => sqlx::query_scalar(statement).fetch_all(&mut sqlite(file).await).await,
            Self::Postgres(url) => sqlx::query_scalar(statement).fetch_all(&mut postgres(url).await).await,
        }
        .expect("the database can be read")
    }

    /// Leases of nobody: parked rows with an owner, and rows of processes that have ended and are not cleared away.
    pub async fn orphans(&self) -> i64 {
        let parked = self.count("SELECT count(*) FROM queue WHERE state = 3 AND owner IS NOT NULL").await;
        match self {
            Self::Sqlite(_) => parked,
            Self::Postgres(_) => parked
                + self.count("SELECT count(*) FROM lane WHERE lease_until < clock_timestamp()").await
                + self
                    .count(
                        "SELECT count(*) FROM intent i WHERE NOT EXISTS (SELECT 1 FROM lane l WHERE l.epoch = i.owner)",
                    )
                    .await,
        }
    }

    /// Uuids of parked notifications.
    pub async fn parked(&self) -> Vec<String> {
        let statement = "SELECT n.uuid FROM queue q JOIN notifications n ON n.id = q.id WHERE q.state = 3";
        let uuids: Vec<Uuid> = match self {
            Self::Sqlite(file) => sqlx::query_scalar(statement).fetch_all(&mut sqlite(file).await).await,
            Self::Postgres(url) => sqlx::query_scalar(statement).fetch_all(&mut postgres(url).await).await,
        }
        .expect("the database can be read");
        uuids.iter().map(Uuid::to_string).collect()
    }

    /// All notifications, by uuid.
    pub async fn stories(&self) -> HashMap<String, Story> {
        let rows: Vec<(Uuid, i16, Option<String>)> = match self {
            Self::Sqlite(file) => {
                let statement = format!("{STORIES} e.seq");
                sqlx::query_as(sqlx::AssertSqlSafe(statement)).fetch_all(&mut sqlite(file).await).await
            }
            Self::Postgres(url) => {
                let statement = format!("{STORIES} e.xid, e.id");
                sqlx::query_as(sqlx::AssertSqlSafe(statement)).fetch_all(&mut postgres(url).await).await
            }
        }
        .expect("the database can be read");
        let mut stories = HashMap::new();
        for (uuid, status, transitions) in rows {
            let status = Status::from_number(status).expect("a known status");
            let story = stories.entry(uuid.to_string()).or_insert_with(|| Story { status, transitions: Vec::new() });
            let transitions = transitions.as_deref().unwrap_or("[]");
            let more: Vec<Transition> = serde_json::from_str(transitions).expect("transitions");
            story.transitions.extend(more);
        }
        stories
    }

    async fn count(&self, statement: &'static str) -> i64 {
        match self {
            Self::Sqlite(file) => sqlx::query_scalar(statement).fetch_one(&mut sqlite(file).await).await,
            Self::Postgres(url) => sqlx::query_scalar(statement).fetch_one(&mut postgres(url).await).await,
        }
        .expect("the database can be read")
    }
}

async fn sqlite(file: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(file).read_only(true);
    SqliteConnection::connect_with(&options).await.expect("the database can be opened")
}

async fn postgres(url: &str) -> PgConnection {
    PgConnection::connect(url).await.expect("the server answers")
}
