//! The strict judge of mail: `tests/tools/smtp_sink.py`, a server and a parser that are not ours, as a child process.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

/// A running judge; ends when it is dropped, or with the test's process.
#[derive(Debug)]
pub struct StrictSmtp {
    child: Child,
    port: u16,
    ledger: PathBuf,
    _folder: tempfile::TempDir,
}

/// A message that it has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// `MAIL FROM`.
    pub from: String,
    /// `RCPT TO`.
    pub rcpt: Vec<String>,
    /// The message.
    pub raw: Vec<u8>,
    /// Whether the connection was secured.
    pub tls: bool,
    /// Who had logged in.
    pub user: Option<String>,
    /// Whether SMTPUTF8 was asked for.
    pub utf8: bool,
}

impl StrictSmtp {
    /// Starts one with further options, such as `--auth user:password`. `None` if `CARILLON_TEST_PYTHON` is not set: the
    /// test is then left out, and standard error says so.
    ///
    /// # Errors
    /// If the judge does not start, or `CARILLON_TEST_REQUIRE` is 1 and there is none.
    pub fn start(options: &[&str]) -> io::Result<Option<Self>> {
        let Some(python) = std::env::var_os("CARILLON_TEST_PYTHON") else {
            if std::env::var_os("CARILLON_TEST_REQUIRE").is_some_and(|value| value == "1") {
                return Err(io::Error::other("CARILLON_TEST_PYTHON is not set, and CARILLON_TEST_REQUIRE is 1"));
            }
            writeln!(io::stderr(), "LEFT OUT: the strict SMTP server; CARILLON_TEST_PYTHON is not set")?;
            return Ok(None);
        };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/tools/smtp_sink.py");
        let folder = tempfile::tempdir()?;
        let ledger = folder.path().join("mail.jsonl");
        let port = crate::port::free_port()?;
        let mut child = Command::new(python)
            .arg(script)
            .args(["--while-stdin", "--port", &port.to_string(), "--ledger"])
            .arg(&ledger)
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut ready = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut ready)?;
        }
        if !ready.starts_with("ready ") {
            child.kill()?;
            child.wait()?;
            return Err(io::Error::other("the strict SMTP server did not start"));
        }
        Ok(Some(Self { child, port, ledger, _folder: folder }))
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What it has taken.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub fn judged(&self) -> io::Result<Vec<Judged>> {
        #[derive(Deserialize)]
        struct Line {
            from: String,
            rcpt: Vec<String>,
            raw: String,
            tls: bool,
            user: Option<String>,
            utf8: bool,
        }
        let text = match std::fs::read_to_string(&self.ledger) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            other => other?,
        };
        text.lines()
            .map(|line| {
                let Line { from, rcpt, raw, tls, user, utf8 } = serde_json::from_str(line)?;
                let raw = STANDARD.decode(raw).map_err(io::Error::other)?;
                Ok(Judged { from, rcpt, raw, tls, user, utf8 })
            })
            .collect()
    }
}

impl Drop for StrictSmtp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
