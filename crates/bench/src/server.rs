//! The server under test: a child process on a fresh folder or database.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use sqlx::{Connection as _, Executor as _};
use tokio::net::TcpStream;

use crate::load::{exchange, request};

const PORT: u16 = 23_800;
const DATABASE: &str = "carillon_bench";

/// The version that all templates of a load have.
pub(crate) const VERSION: &str = r#"{"defaultLocale":"en","variables":[{"name":"name","required":true}],
    "localizations":{"en":{"email":{"subject":"Order {{ orderId }}",
    "text":"Dear {{ name }}, your order {{ orderId }} is on its way.",
    "html":"<p>Dear {{ name }}, your order <b>{{ orderId }}</b> is on its way.</p>"}}}}"#;

/// How to start one.
pub(crate) struct Launch {
    binary: PathBuf,
    postgres: Option<String>,
}

/// A running server; dropped, it is killed.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    pub(crate) key: String,
    /// From the start of the process to the first 202.
    pub(crate) first_202: Duration,
    _folder: tempfile::TempDir,
}

impl Launch {
    pub(crate) fn new(binary: &Path, postgres: Option<&str>) -> Self {
        Self { binary: binary.to_owned(), postgres: postgres.map(str::to_owned) }
    }

    /// The PostgreSQL server, if it is to run on one.
    pub(crate) fn postgres(&self) -> Option<&str> {
        self.postgres.as_deref()
    }

    pub(crate) fn database(&self) -> &'static str {
        if self.postgres.is_some() { "PostgreSQL" } else { "SQLite" }
    }

    /// Starts it with `provider` as SendGrid, makes the template that loads use, and sends a first notification.
    pub(crate) async fn start(&self, provider: &str) -> Result<Server> {
        let folder = tempfile::tempdir()?;
        let mut command = Command::new(&self.binary);
        command
            .arg("serve")
            .env("PORT", PORT.to_string())
            .env("CARILLON_DATA_DIR", folder.path().join("data"))
            .env("CARILLON_LOG", "warn")
            .env("SENDGRID_API_KEY", "SG.bench")
            .env("SENDGRID_BASE_URL", provider)
            .env("MAIL_FROM", "bench@example.com")
            .env_remove("DATABASE_URL")
            .env_remove("REDIS_URL")
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        if let Some(url) = &self.postgres {
            command.env("DATABASE_URL", fresh(url).await?);
        }
        let began = Instant::now();
        let mut child = command.spawn().with_context(|| format!("cannot start {}", self.binary.display()))?;
        let out = child.stdout.take().context("no output")?;
        let mut key = None;
        for line in BufReader::new(out).lines() {
            let line = line?;
            if let Some(at) = line.find("ck_live_") {
                key = line.get(at..at + 51).map(str::to_owned);
            }
            if line.starts_with("ready in") {
                break;
            }
        }
        let mut server = Server {
            child,
            address: format!("127.0.0.1:{PORT}"),
            key: key.context("the server printed no key")?,
            first_202: Duration::ZERO,
            _folder: folder,
        };
        let hello = r#"{"channel":"email","recipient":{"email":"first@example.com"},"directContent":{"subject":"Hello","text":"Hi"}}"#;
        server.post("/api/v1/notifications/send", hello, 202).await?;
        server.first_202 = began.elapsed();
        server.post("/api/v1/templates", r#"{"code":"bench","name":"Bench"}"#, 201).await?;
        server.post("/api/v1/templates/bench/versions", VERSION, 201).await?;
        server.post("/api/v1/templates/bench/versions/1/publish", "{}", 200).await?;
        Ok(server)
    }
}

impl Server {
    async fn post(&self, path: &str, body: &str, wanted: u16) -> Result<()> {
        let mut stream = TcpStream::connect(&self.address).await?;
        exchange(&mut stream, &request("POST", path, &self.key, body), &mut Vec::new(), wanted).await
    }

    /// Processor time that the server has used, in seconds: a figure that a busy machine spoils least.
    pub(crate) fn processor(&self) -> Result<f64> {
        const TICKS_PER_SECOND: f64 = 100.0;
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, fields) = stat.rsplit_once(')').context("no command name")?;
        let ticks: f64 = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
        Ok(ticks / TICKS_PER_SECOND)
    }

    /// Resident memory in MB: now and at its peak.
    pub(crate) fn memory(&self) -> Result<(f64, f64)> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name))?;
            line.split_whitespace().nth(1)?.parse::<f64>().ok()
        };
        let (Some(now), Some(peak)) = (field("VmRSS:"), field("VmHWM:")) else { bail!("no memory figures") };
        Ok((now / 1024.0, peak / 1024.0))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A database of our own, made anew.
pub(crate) async fn fresh(url: &str) -> Result<String> {
    let mut admin = sqlx::PgConnection::connect(url).await.context("cannot reach PostgreSQL")?;
    admin.execute(concat!("drop database if exists ", "carillon_bench", " with (force)")).await?;
    admin.execute("create database carillon_bench").await?;
    let (head, _) = url.rsplit_once('/').context("the URL names no database")?;
    Ok(format!("{head}/{DATABASE}"))
}
