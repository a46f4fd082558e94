//! A scripted stand-in for an SMTP server: plain, STARTTLS or TLS from the first octet, with or without a login, with
//! answers for chosen recipients, and a ledger by Message-ID. It is lenient; the strict judge is
//! [`StrictSmtp`](crate::strict_smtp::StrictSmtp).

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::certs::Certificate;
use crate::ledger::Ledger;

mod session;

/// Where in the dialogue a scripted answer is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// At `RCPT`.
    Rcpt,
    /// At `DATA`, before the message.
    Data,
    /// After the message.
    Body,
}

/// A scripted answer; used up by one try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SmtpAnswer {
    /// This reply, without its line end; the message is not taken.
    Reply(At, &'static str),
    /// The connection is closed; the message is not taken.
    Drop(At),
    /// Silence; the message is not taken.
    Hang(At),
    /// The message is taken, and the connection closed instead of an answer.
    AcceptThenDrop,
    /// The message is taken, and no answer comes.
    AcceptThenHang,
}

/// How the server is set up. The default: plain, no login.
#[derive(Debug, Clone, Default)]
pub struct SmtpSetup {
    /// Offers STARTTLS with it.
    pub starttls: Option<Certificate>,
    /// TLS from the first octet with it.
    pub implicit_tls: Option<Certificate>,
    /// Refuses mail without this login: user and password.
    pub login: Option<(String, String)>,
    /// The mechanisms that it offers; `None`: `PLAIN LOGIN`.
    pub mechanisms: Option<&'static str>,
    /// Instead of 220.
    pub greeting: Option<&'static str>,
    /// Offers no SMTPUTF8.
    pub ascii_only: bool,
    /// Offers PIPELINING.
    pub pipelining: bool,
    /// Offers SIZE with this limit, in octets.
    pub size: Option<usize>,
}

/// A message that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// `MAIL FROM`.
    pub from: String,
    /// What stood behind the address of `MAIL FROM`.
    pub parameters: String,
    /// `RCPT TO`.
    pub to: String,
    /// The message, without dot-stuffing.
    pub raw: String,
    /// Whether the connection was secured.
    pub tls: bool,
    /// Who had logged in.
    pub user: Option<String>,
}

struct Shared {
    setup: SmtpSetup,
    ledger: Ledger,
    scripts: Mutex<HashMap<String, VecDeque<SmtpAnswer>>>,
    received: Mutex<Vec<Received>>,
    connections: AtomicU64,
    hang_up: Notify,
}

/// A running stand-in; ends when it is dropped.
pub struct SmtpStandIn {
    shared: Arc<Shared>,
    port: u16,
    /// Aborts all connections when dropped.
    _server: JoinSet<()>,
}

impl SmtpStandIn {
    /// Starts one.
    ///
    /// # Errors
    /// If there is no free port.
    pub fn start(setup: SmtpSetup, ledger: Ledger) -> io::Result<Self> {
        let listener = TcpListener::from_std(crate::port::listen()?)?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            setup,
            ledger,
            scripts: Mutex::default(),
            received: Mutex::default(),
            connections: AtomicU64::new(0),
            hang_up: Notify::new(),
        });
        let mut server = JoinSet::new();
        server.spawn(serve(listener, Arc::clone(&shared)));
        Ok(Self { shared, port, _server: server })
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Answers for recipients with this local part, one a try; then mail is taken.
    pub fn script(&self, local_part: &str, answers: impl IntoIterator<Item = SmtpAnswer>) {
        self.shared.scripts.lock().insert(local_part.to_owned(), answers.into_iter().collect());
    }

    /// What it has taken, by uuid.
    pub fn ledger(&self) -> &Ledger {
        &self.shared.ledger
    }

    /// What it has taken, as it came.
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().clone()
    }

    /// Connections so far.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Closes every connection that waits for a command.
    pub fn hang_up(&self) {
        self.shared.hang_up.notify_waiters();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                shared.connections.fetch_add(1, Ordering::Relaxed);
                connections.spawn(session::run(stream, Arc::clone(&shared)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}
