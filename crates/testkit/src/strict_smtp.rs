//! The strict judge of mail: `tests/tools/smtp_sink.py`, a server and a parser that are not ours, as a child process.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer};

/// A running judge; ends when it is dropped, or with the test's process.
#[derive(Debug)]
pub struct StrictSmtp {
    child: Child,
    port: u16,
    ledger: PathBuf,
    _folder: tempfile::TempDir,
}

/// A message that it has taken.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Judged {
    /// `MAIL FROM`.
    pub from: String,
    /// `RCPT TO`.
    pub rcpt: Vec<String>,
    /// The message.
    #[serde(deserialize_with = "octets")]
    pub raw: Vec<u8>,
    /// Whether the connection was secured.
    pub tls: bool,
    /// Who had logged in.
    pub user: Option<String>,
    /// Whether SMTPUTF8 was asked for.
    pub utf8: bool,
    /// Names and decoded values, in their order.
    pub headers: Vec<(String, String)>,
    /// The decoded texts by subtype: `plain`, `html`.
    pub texts: BTreeMap<String, String>,
    /// The decoded names of files.
    pub files: Vec<String>,
}

impl Judged {
    /// The decoded value of a header, if it is there.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

fn octets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    STANDARD.decode(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
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
        self.lines()?.lines().map(|line| serde_json::from_str(line).map_err(io::Error::from)).collect()
    }

    /// How many it has taken; quicker than to read them.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub fn taken(&self) -> io::Result<usize> {
        Ok(self.lines()?.lines().count())
    }

    fn lines(&self) -> io::Result<String> {
        let mut lines = match std::fs::read_to_string(&self.ledger) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            other => other?,
        };
        // The last one may be half written.
        lines.truncate(lines.rfind('\n').map_or(0, |end| end + 1));
        Ok(lines)
    }
}

impl Drop for StrictSmtp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
