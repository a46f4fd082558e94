//! A running Carillon: the real binary as a child process, on a folder or a database of its own.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;

/// How to start one.
#[derive(Debug, Clone)]
pub struct Launch {
    under: Vec<String>,
    binary: PathBuf,
    env: BTreeMap<String, String>,
    port: u16,
}

impl Launch {
    /// The binary at `binary` on `port`, with its data in `folder`. Nothing of the caller's environment reaches it.
    pub fn new(binary: impl AsRef<Path>, folder: &Path, port: u16) -> Self {
        let env = [
            ("PORT".to_owned(), port.to_string()),
            ("CARILLON_DATA_DIR".to_owned(), folder.display().to_string()),
            ("CARILLON_LEASE_SECONDS".to_owned(), "10".to_owned()),
            ("CARILLON_LOG".to_owned(), "warn".to_owned()),
        ];
        Self { under: Vec::new(), binary: binary.as_ref().to_owned(), env: env.into(), port }
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.insert(name.to_owned(), value.into());
        self
    }

    /// Starts it through another program, such as `nsenter`, that becomes it by exec.
    #[must_use]
    pub fn under(mut self, words: Vec<String>) -> Self {
        self.under.extend(words);
        self
    }

    /// Starts it and waits until it says that it is ready.
    ///
    /// # Panics
    /// If it ends, or is not ready within 20 s; the message holds what it printed.
    pub fn start(&self) -> Carillon {
        self.try_start().unwrap_or_else(|said| panic!("carillon did not start:\n{said}"))
    }

    /// Starts it; what it printed, if it ended or was not ready within 20 s.
    pub fn try_start(&self) -> Result<Carillon, String> {
        let mut child = self
            .command("serve")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let (said, lines) = mpsc::sync_channel(10_000);
        for stream in [
            child.stdout.take().map(|out| Box::new(out) as Box<dyn std::io::Read + Send>),
            child.stderr.take().map(|err| Box::new(err) as Box<dyn std::io::Read + Send>),
        ]
        .into_iter()
        .flatten()
        {
            let said = said.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    // A full queue drops lines: nobody reads them after the start.
                    let _ = said.try_send(line);
                }
            });
        }
        drop(said);
        let until = Instant::now() + Duration::from_secs(20);
        let mut output = String::new();
        let mut key = None;
        loop {
            let Ok(line) = lines.recv_timeout(until.saturating_duration_since(Instant::now())) else {
                let _ = child.kill();
                let status = child.wait().map(|status| status.to_string()).unwrap_or_default();
                return Err(format!("{output}({status})"));
            };
            if let Some(at) = line.find("ck_live_") {
                key = line.get(at..at + 51).map(str::to_owned);
            }
            output.push_str(&line);
            output.push('\n');
            if line.starts_with("ready in ") {
                return Ok(Carillon { child, port: self.port, key, lines, output });
            }
        }
    }

    /// Runs another command of the binary to its end.
    pub fn run(&self, arguments: &[&str]) -> std::process::Output {
        let (first, rest) = arguments.split_first().expect("a command");
        self.command(first).args(rest).stdin(Stdio::null()).output().expect("carillon runs")
    }

    fn command(&self, subcommand: &str) -> Command {
        let mut words = self.under.iter().map(std::ffi::OsStr::new).chain([self.binary.as_os_str()]);
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).arg(subcommand).env_clear().envs(&self.env);
        for kept in ["PATH", "HOME"] {
            if let Some(value) = std::env::var_os(kept) {
                command.env(kept, value);
            }
        }
        command
    }
}

/// A running process. Dropped, it is killed.
#[derive(Debug)]
pub struct Carillon {
    child: Child,
    port: u16,
    key: Option<String>,
    lines: mpsc::Receiver<String>,
    output: String,
}

impl Carillon {
    /// The key that a first start printed.
    pub fn key(&self) -> &str {
        self.key.as_deref().expect("a first start prints a key")
    }

    /// What it printed until it was ready, and since.
    pub fn output(&mut self) -> &str {
        while let Ok(line) = self.lines.try_recv() {
            self.output.push_str(&line);
            self.output.push('\n');
        }
        &self.output
    }

    /// `http://127.0.0.1:port` and `path`.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// SIGKILL, and waits for the end.
    pub fn kill(mut self) {
        self.child.kill().expect("a running process can be killed");
        self.child.wait().expect("a killed process ends");
    }

    /// Sends `signal` (a libc number).
    pub fn signal(&self, signal: i32) {
        let kill = Command::new("kill").arg(format!("-{signal}")).arg(self.child.id().to_string()).status();
        assert!(kill.expect("kill runs").success(), "the process is gone");
    }

    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its exit code if it ends within `patience`.
    pub fn wait(&mut self, patience: Duration) -> Option<i32> {
        self.ended(patience).and_then(|status| status.code())
    }

    /// How it ended, if it does within `patience`.
    pub fn ended(&mut self, patience: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be asked") {
                return Some(status);
            }
            if Instant::now() > until {
                return None;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// How it ended, if it ends within `patience`. Others go on meanwhile.
    pub async fn until_end(&mut self, patience: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + patience;
        loop {
            let ended = self.child.try_wait().expect("a child can be asked");
            if ended.is_some() || Instant::now() > until {
                return ended;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Carillon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client of one running Carillon.
#[derive(Clone)]
pub struct Client {
    pub(crate) http: reqwest::Client,
    pub(crate) base: String,
    pub(crate) key: String,
}

impl Client {
    /// A client with `key` for the server at `base`, such as `http://127.0.0.1:21000`.
    pub fn new(base: impl Into<String>, key: impl Into<String>) -> Self {
        Self { http: http_client(), base: base.into(), key: key.into() }
    }

    /// Its key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// `GET path`: status and body.
    pub async fn get(&self, path: &str) -> (u16, Value) {
        // A kept connection may be one to a process that is gone; asking again does no harm.
        for _ in 0..2 {
            if let Some(answer) = self.send(self.http.get(format!("{}{path}", self.base))).await {
                return answer;
            }
        }
        panic!("no answer to GET {path}")
    }

    /// `POST path` with a JSON body: status and body.
    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.try_post(path, body, None).await.expect("an answer")
    }

    /// `POST path`, perhaps with an idempotency key; `None` if no whole answer came.
    pub async fn try_post(&self, path: &str, body: &Value, key: Option<&str>) -> Option<(u16, Value)> {
        self.send(self.posting(path, body, key)).await
    }

    /// `POST path`, perhaps with an idempotency key: status and body, or in which way there was no whole answer.
    ///
    /// # Errors
    /// If no whole answer came.
    pub async fn attempt(&self, path: &str, body: &Value, key: Option<&str>) -> Result<(u16, Value), NoAnswer> {
        self.whole(self.posting(path, body, key)).await
    }

    fn posting(&self, path: &str, body: &Value, key: Option<&str>) -> reqwest::RequestBuilder {
        let request = self.http.post(format!("{}{path}", self.base)).json(body);
        match key {
            Some(key) => request.header("Idempotency-Key", key),
            None => request,
        }
    }

    /// `PUT path` with a JSON body: status and body.
    pub async fn put(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send(self.http.put(format!("{}{path}", self.base)).json(body)).await.expect("an answer")
    }

    /// `DELETE path`: status and body.
    pub async fn delete(&self, path: &str) -> (u16, Value) {
        self.send(self.http.delete(format!("{}{path}", self.base))).await.expect("an answer")
    }

    /// Asks for the notification until it has one of the statuses, at most for `patience`.
    ///
    /// # Panics
    /// If it has not by then.
    pub async fn until_status(&self, id: &str, statuses: &[&str], patience: Duration) -> Value {
        let until = Instant::now() + patience;
        loop {
            let (code, body) = self.get(&format!("/api/v1/notifications/{id}")).await;
            assert_eq!(code, 200, "{body}");
            if statuses.iter().any(|status| body["status"] == *status) {
                return body;
            }
            assert!(Instant::now() < until, "still {} instead of {statuses:?}: {body}", body["status"]);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Option<(u16, Value)> {
        self.whole(request).await.ok()
    }

    async fn whole(&self, request: reqwest::RequestBuilder) -> Result<(u16, Value), NoAnswer> {
        let cut = |error: reqwest::Error| match error {
            error if error.is_connect() => NoAnswer::Unreachable,
            error => NoAnswer::Cut(format!("{error:?}")),
        };
        let response = request.header("X-API-Key", &self.key).send().await.map_err(cut)?;
        let status = response.status().as_u16();
        let body = response.bytes().await.map_err(cut)?;
        Ok((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }
}

/// Why there is no whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoAnswer {
    /// There was no connection: nobody has seen the request.
    Unreachable,
    /// The connection ended, or time ran out, after the request was on its way: it may have had an effect.
    Cut(String),
}

/// A client without a proxy, with a bound on every call.
fn http_client() -> reqwest::Client {
    // An error says that one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    #[expect(clippy::disallowed_methods, reason = "a test client of its own")]
    let builder = reqwest::Client::builder();
    builder.no_proxy().timeout(Duration::from_secs(30)).build().expect("a plain client can be made")
}
