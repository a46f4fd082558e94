//! A PostgreSQL server of one test's own, which it may kill, freeze or starve. The programs are in the folder that
//! `CARILLON_TEST_PG_BIN` names.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection};

use crate::disk::Disk;
use crate::require::leave_out;

/// Durability stays on. Small logs, so that a small disk is enough; one segment is 1 MiB.
const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 60
shared_buffers = 16MB
min_wal_size = 2MB
max_wal_size = 8MB
";

/// Crash recovery takes seconds, and a killed server's shared memory is in use until its last backend has gone.
const PATIENCE: Duration = Duration::from_secs(30);

/// A cluster, running or not. Dropped, it is stopped.
#[derive(Debug)]
pub struct PostgresServer {
    enter: Vec<String>,
    bin: PathBuf,
    data: PathBuf,
    log: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl PostgresServer {
    /// Makes a cluster in the existing `folder`, on `disk` if there is one, and starts it. `None` if
    /// `CARILLON_TEST_PG_BIN` is not set: the test is then left out, and standard error says so.
    ///
    /// # Panics
    /// If it does not start, or the programs are missing and `CARILLON_TEST_REQUIRE` is 1.
    pub async fn create(folder: &Path, disk: Option<&Disk>) -> Option<Self> {
        let Some(bin) = std::env::var_os("CARILLON_TEST_PG_BIN") else {
            leave_out("a PostgreSQL that dies", "CARILLON_TEST_PG_BIN is not set");
            return None;
        };
        let port = crate::port::free_port().expect("a free port");
        let mut server = Self {
            enter: disk.map_or_else(Vec::new, Disk::enter),
            bin: bin.into(),
            data: folder.join("data"),
            log: std::env::temp_dir().join(format!("carillon-postgres-{}-{port}.log", std::process::id())),
            port,
            child: None,
        };
        if disk.is_none() {
            server.give_away(folder).expect("the folder can be given to the server's user");
        }
        let mut initdb = server.program("initdb");
        initdb.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N", "--wal-segsize=1", "-D"]);
        let made = initdb.arg(&server.data).output().expect("initdb runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let file = server.data.join("postgresql.conf");
        let file = disk.map_or(file.clone(), |disk| disk.outside(&file));
        let mut file = File::options().append(true).open(file).expect("initdb has made it");
        writeln!(file, "{SETTINGS}port = {port}").expect("there is room");
        server.start().await;
        Some(server)
    }

    /// Its URL. TLS is off, so that a proxy can read along.
    pub fn url(&self) -> String {
        url(self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether the process lives; it may have ended by itself.
    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Starts it, again and again until it takes statements.
    ///
    /// # Panics
    /// If it does not within 30 s; the message holds its log.
    pub async fn start(&mut self) {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if !self.is_running() {
                self.child = Some(self.spawn().expect("postgres can be started"));
            }
            if self.answers().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("PostgreSQL does not start\n{}", fs::read_to_string(&self.log).unwrap_or_default());
    }

    /// SIGKILL to the postmaster.
    ///
    /// # Panics
    /// If it is not running.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("it was started");
        child.kill().expect("a running process can be killed");
        child.wait().expect("a killed process ends");
    }

    /// Whether a statement gets an answer.
    pub async fn answers(&self) -> bool {
        let ask = async {
            let mut connection = PgConnection::connect(&self.url()).await?;
            sqlx::query("SELECT 1").execute(&mut connection).await?;
            connection.close().await
        };
        matches!(tokio::time::timeout(Duration::from_secs(2), ask).await, Ok(Ok(())))
    }

    fn spawn(&self) -> io::Result<Child> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        self.program("postgres")
            .arg("-D")
            .arg(&self.data)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
    }

    /// A program of PostgreSQL, which refuses to run as root: then it runs as the user that the package makes.
    fn program(&self, name: &str) -> Command {
        let mut words = self.enter.clone();
        if is_root() {
            words
                .extend(["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"].map(str::to_owned));
        }
        words.push(self.bin.join(name).display().to_string());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).current_dir("/");
        command
    }

    fn give_away(&self, folder: &Path) -> io::Result<()> {
        if !is_root() {
            return Ok(());
        }
        let done = Command::new("chown").arg("postgres:").arg(folder).status()?;
        if done.success() { Ok(()) } else { Err(io::ErrorKind::PermissionDenied.into()) }
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // SIGQUIT: at once, and without leaving shared memory behind.
            let told = Command::new("kill").arg("-QUIT").arg(child.id().to_string()).status();
            let until = Instant::now() + Duration::from_secs(5);
            while told.is_ok() && Instant::now() < until && matches!(child.try_wait(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(20));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = fs::remove_file(&self.log);
    }
}

/// The URL of a server (or of a proxy in front of one) on `port`.
pub fn url(port: u16) -> String {
    format!("postgres://postgres@127.0.0.1:{port}/postgres?sslmode=disable")
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|this| this.uid() == 0)
}
