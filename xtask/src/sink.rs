//! The strict SMTP server of `tests/tools/smtp_sink.py`, for trying things by hand. Suites start their own.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::process::{self, root};
use crate::services;

const PORT: u16 = 27625;

/// What is in its command line.
const MARK: &str = "smtp_sink.py";

/// What `SMTP_URL` takes.
pub(crate) fn url() -> String {
    format!("smtp://127.0.0.1:{PORT}")
}

/// Where accepted mail is, one JSON line per message.
pub(crate) fn ledger() -> Result<PathBuf> {
    Ok(home()?.join("mail.jsonl"))
}

/// Starts it with a Python that has aiosmtpd, unless it runs.
pub(crate) fn start(python: &Path) -> Result<()> {
    if pid()?.is_some() {
        return Ok(());
    }
    let home = home()?;
    fs::create_dir_all(&home)?;
    let log = home.join("sink.log");
    let mut child = Command::new(python)
        .arg(root().join("tests/tools").join(MARK))
        .args(["--port", &PORT.to_string(), "--ledger"])
        .arg(ledger()?)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(File::create(&log)?)
        .process_group(0) // Ctrl-C is not meant for it
        .spawn()?;
    fs::write(home.join("pid"), child.id().to_string())?;
    let mut line = String::new();
    if let Some(out) = child.stdout.take() {
        BufReader::new(out).read_line(&mut line)?;
    }
    if !line.starts_with("ready") {
        bail!("the SMTP server does not start on port {PORT}\n{}", fs::read_to_string(log)?);
    }
    Ok(())
}

/// Stops it and removes its folder.
pub(crate) fn stop() -> Result<()> {
    if let Some(pid) = pid()? {
        process::end(pid, MARK, "TERM")?;
    }
    fs::remove_dir_all(home()?).ok();
    Ok(())
}

/// Its process, if it runs.
pub(crate) fn pid() -> Result<Option<u32>> {
    let file = fs::read_to_string(home()?.join("pid")).unwrap_or_default();
    Ok(file.parse().ok().filter(|pid| process::is(*pid, MARK)))
}

fn home() -> Result<PathBuf> {
    Ok(services::folder()?.join("smtp"))
}
