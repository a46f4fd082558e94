//! A PostgreSQL cluster of the tests' own. It is made new at each start and removed at each stop.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::install::uid;
use crate::process::{self, output};
use crate::services;

const PORT: u16 = 27632;

const INITDB: &str = "-U postgres -A trust -E UTF8 --locale=C.UTF-8 -N";

/// Durability stays on: what the tests say of it must be true of a user's server. Only TCP, so that no socket path is too long.
const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
shared_buffers = 128MB
fsync = on
synchronous_commit = on
";

/// A URL with the right to make databases.
pub(crate) fn url() -> String {
    format!("postgres://postgres@127.0.0.1:{PORT}/postgres")
}

/// Starts the cluster with the programs in `bin`, unless it runs.
pub(crate) fn start(bin: &Path) -> Result<()> {
    if pid()?.is_some() {
        return Ok(());
    }
    let home = home()?;
    fs::remove_dir_all(&home).ok();
    make_home(&home)?;
    let data = home.join("data");
    let mut initdb = as_postgres(&bin.join("initdb"))?;
    output(initdb.arg("-D").arg(&data).args(INITDB.split(' ')))?;
    let file = data.join("postgresql.conf");
    let defaults = fs::read_to_string(&file)?;
    fs::write(&file, format!("{defaults}{SETTINGS}port = {PORT}\n"))?;
    let log = home.join("postgres.log");
    let mut pg_ctl = as_postgres(&bin.join("pg_ctl"))?;
    pg_ctl.arg("-D").arg(&data).arg("-l").arg(&log).args(["-w", "-t", "30", "start"]);
    output(&mut pg_ctl).map(drop).with_context(|| {
        let said = fs::read_to_string(&log).unwrap_or_default();
        format!("PostgreSQL does not start on port {PORT}\n{said}")
    })
}

/// Stops the cluster and removes its folder.
pub(crate) fn stop() -> Result<()> {
    if let Some(pid) = pid()? {
        process::end(pid, &mark()?, "INT")?; // its "fast" shutdown
    }
    fs::remove_dir_all(home()?).ok();
    Ok(())
}

/// The process of our cluster, if it runs.
pub(crate) fn pid() -> Result<Option<u32>> {
    let file = fs::read_to_string(home()?.join("data/postmaster.pid")).unwrap_or_default();
    let mark = mark()?;
    Ok(file.lines().next().and_then(|line| line.trim().parse().ok()).filter(|pid| process::is(*pid, &mark)))
}

/// What is in the command line of our cluster and of no other.
fn mark() -> Result<String> {
    Ok(home()?.join("data").to_string_lossy().into_owned())
}

fn home() -> Result<PathBuf> {
    Ok(services::folder()?.join("postgres"))
}

/// PostgreSQL refuses to run as root: then the cluster belongs to the user that its package makes.
fn as_postgres(program: &Path) -> Result<Command> {
    let mut command;
    if uid()? == 0 {
        command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
    } else {
        command = Command::new(program);
    }
    command.current_dir("/");
    Ok(command)
}

fn make_home(home: &Path) -> Result<()> {
    let mut command = Command::new("install");
    if uid()? == 0 {
        command.args(["-o", "postgres", "-g", "postgres"]);
    }
    output(command.args(["-d", "-m", "700"]).arg(home)).map(drop)
}
