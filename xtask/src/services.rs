//! The real servers that the tests talk to: where they live, who uses them, and when they may stop.
//!
//! Several runs may share them. Each holds a shared lock on `users` while it goes on; the last one out stops the servers,
//! unless `services start` asked to keep them.

use std::fs::{self, DirBuilder, File, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Subcommand;

use crate::install::{self, uid};
use crate::{postgres, sink};

/// What can be done with the servers.
#[derive(Subcommand)]
pub(crate) enum Action {
    /// Install and start them, and print the environment that the tests want
    Start,
    /// Stop them and remove their data
    Stop,
    /// Say which of them run
    Status,
}

/// Carries out one action.
pub(crate) fn act(action: &Action) -> Result<()> {
    match action {
        Action::Start => start(),
        Action::Stop => {
            fs::remove_file(folder()?.join("keep")).ok();
            stop()
        }
        Action::Status => status(),
    }
}

fn start() -> Result<()> {
    let users = enter()?;
    let servers = alone(|| {
        let servers = Servers::start()?;
        sink::start(&servers.python)?;
        Ok(servers)
    })?;
    File::create(folder()?.join("keep"))?;
    drop(users);
    status()?;
    for (name, value) in servers.environment() {
        println!("export {name}={value}");
    }
    Ok(())
}

/// What the suites need to know.
pub(crate) struct Servers {
    postgres: String,
    bin: Option<PathBuf>,
    chromedriver: Option<PathBuf>,
    /// A Python that has aiosmtpd.
    pub(crate) python: PathBuf,
}

impl Servers {
    /// Installs what is missing and starts PostgreSQL, unless the environment names a server.
    pub(crate) fn start() -> Result<Self> {
        let given = std::env::var("CARILLON_TEST_POSTGRES").ok();
        install::programs(given.is_none())?;
        let (python, bin) = (install::python()?, install::postgres_bin());
        let postgres = match (given, &bin) {
            (Some(url), _) => url,
            (None, Some(bin)) => {
                postgres::start(bin)?;
                postgres::url()
            }
            (None, None) => bail!("apt brought no PostgreSQL {} or newer", install::OLDEST_POSTGRES),
        };
        if bin.is_none() {
            println!(
                "LEFT OUT: tests that kill a PostgreSQL of their own; CARILLON_TEST_PG_BIN could name its programs"
            );
        }
        Ok(Self { postgres, bin, chromedriver: install::chromedriver(), python })
    }

    /// Where the suites find them. `CARILLON_TEST_REQUIRE` makes a missing one a failure: it is set if nothing is missing.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let mut variables = vec![
            ("CARILLON_TEST_POSTGRES", self.postgres.clone()),
            ("CARILLON_TEST_PYTHON", self.python.display().to_string()),
            // Of a browser alone the test machine may be without.
            (
                "CARILLON_TEST_CHROMEDRIVER",
                self.chromedriver.as_ref().map_or_else(|| "none".to_owned(), |driver| driver.display().to_string()),
            ),
        ];
        if let Some(bin) = &self.bin {
            variables.push(("CARILLON_TEST_PG_BIN", bin.display().to_string()));
            variables.push(("CARILLON_TEST_REQUIRE", "1".to_owned()));
        }
        variables
    }
}

/// Stops every server that runs from our folder.
fn stop() -> Result<()> {
    postgres::stop()?;
    sink::stop()
}

fn status() -> Result<()> {
    let line = |name: &str, pid: Option<u32>, place: String| match pid {
        Some(pid) => println!("{name:<11} running  pid {pid}  {place}"),
        None => println!("{name:<11} stopped"),
    };
    line("PostgreSQL", postgres::pid()?, postgres::url());
    line("SMTP", sink::pid()?, format!("{}  mail in {}", sink::url(), sink::ledger()?.display()));
    Ok(())
}

/// Marks the servers as used for as long as the file is open.
pub(crate) fn enter() -> Result<File> {
    let users = users()?;
    users.lock_shared()?;
    Ok(users)
}

/// Stops the servers if nobody else uses them and nobody asked to keep them.
pub(crate) fn leave(users: File) -> Result<()> {
    drop(users);
    let users = self::users()?;
    if users.try_lock().is_err() || folder()?.join("keep").exists() {
        return Ok(());
    }
    stop()
}

/// Runs `work` while no other run installs or starts anything.
pub(crate) fn alone<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    let starting = File::create(folder()?.join("starting"))?;
    starting.lock()?;
    work()
}

fn users() -> Result<File> {
    Ok(File::create(folder()?.join("users"))?)
}

/// A temporary folder of this user's own, through which the user `postgres` can reach its cluster.
pub(crate) fn folder() -> Result<PathBuf> {
    let uid = uid()?;
    let folder = std::env::temp_dir().join(format!("carillon-services-{uid}"));
    if fs::symlink_metadata(&folder).is_err() {
        DirBuilder::new().mode(0o711).create(&folder)?;
        fs::set_permissions(&folder, Permissions::from_mode(0o711))?; // whatever the umask took away
    }
    let found = fs::symlink_metadata(&folder)?;
    if !found.is_dir() || found.uid() != uid {
        bail!("{} is not a folder of this user's own", folder.display());
    }
    Ok(folder)
}
