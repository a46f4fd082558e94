//! One connection of the SMTP stand-in.

use std::io;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::{At, Received, Shared, SmtpAnswer};

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

struct Session {
    stream: BufReader<Box<dyn Duplex>>,
    shared: Arc<Shared>,
    tls: bool,
    user: Option<String>,
    from: String,
    parameters: String,
    to: String,
    planned: Option<SmtpAnswer>,
}

pub(super) async fn run(stream: TcpStream, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let secured = shared.setup.implicit_tls.clone();
    let tls = secured.is_some();
    let stream: Box<dyn Duplex> = match secured {
        None => Box::new(stream),
        Some(certificate) => match TlsAcceptor::from(certificate.server_config()).accept(stream).await {
            Ok(stream) => Box::new(stream),
            Err(_) => return,
        },
    };
    let mut session = Session {
        stream: BufReader::new(stream),
        shared,
        tls,
        user: None,
        from: String::new(),
        parameters: String::new(),
        to: String::new(),
        planned: None,
    };
    // Any error is the end of the connection, which is what a client sees too.
    let _ = session.talk().await;
    let _ = session.stream.get_mut().shutdown().await;
}

fn closed() -> io::Error {
    io::ErrorKind::ConnectionAborted.into()
}

impl Session {
    async fn say(&mut self, line: &str) -> io::Result<()> {
        self.stream.write_all(format!("{line}\r\n").as_bytes()).await?;
        self.stream.flush().await
    }

    async fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        let shared = Arc::clone(&self.shared);
        tokio::select! {
            read = self.stream.read_until(b'\n', &mut line) => if read? == 0 { return Err(closed()) },
            () = shared.hang_up.notified() => return Err(closed()),
        }
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    async fn talk(&mut self) -> io::Result<()> {
        let greeting = self.shared.setup.greeting;
        self.say(greeting.unwrap_or("220 stand-in ESMTP")).await?;
        if greeting.is_some() {
            return Ok(());
        }
        loop {
            let line = self.line().await?;
            let upper = line.to_ascii_uppercase();
            let word = upper.split_ascii_whitespace().next().unwrap_or_default();
            match word {
                "EHLO" => self.hello().await?,
                "STARTTLS" => self.starttls().await?,
                "AUTH" => self.auth(&line).await?,
                "MAIL" if self.shared.setup.login.is_some() && self.user.is_none() => {
                    self.say("530 5.7.0 authentication required").await?;
                }
                "MAIL" => {
                    self.from = address(&line);
                    self.parameters = line.split_once('>').map_or_else(String::new, |(_, rest)| rest.to_owned());
                    self.say("250 2.1.0 ok").await?;
                }
                "RCPT" if self.from.is_empty() => self.say("503 5.5.1 MAIL first").await?,
                "RCPT" => self.rcpt(&line).await?,
                "DATA" if self.to.is_empty() => self.say("503 5.5.1 RCPT first").await?,
                "DATA" => self.data().await?,
                "RSET" => {
                    self.forget();
                    self.say("250 2.0.0 ok").await?;
                }
                "NOOP" => self.say("250 2.0.0 ok").await?,
                "QUIT" => return self.say("221 2.0.0 bye").await,
                _ => self.say("500 5.5.2 what?").await?,
            }
        }
    }

    async fn hello(&mut self) -> io::Result<()> {
        let setup = &self.shared.setup;
        let mut lines = vec!["stand-in".to_owned(), "8BITMIME".to_owned()];
        if !setup.ascii_only {
            lines.push("SMTPUTF8".to_owned());
        }
        if setup.starttls.is_some() && !self.tls {
            lines.push("STARTTLS".to_owned());
        }
        if setup.login.is_some() {
            lines.push(format!("AUTH {}", setup.mechanisms.unwrap_or("PLAIN LOGIN")));
        }
        if setup.pipelining {
            lines.push("PIPELINING".to_owned());
        }
        if let Some(size) = setup.size {
            lines.push(format!("SIZE {size}"));
        }
        let last = lines.len() - 1;
        for (index, line) in lines.into_iter().enumerate() {
            self.say(&format!("250{}{line}", if index == last { ' ' } else { '-' })).await?;
        }
        Ok(())
    }

    async fn starttls(&mut self) -> io::Result<()> {
        let Some(certificate) = self.shared.setup.starttls.clone() else {
            return self.say("502 5.5.1 not here").await;
        };
        self.say("220 2.0.0 go ahead").await?;
        let plain = std::mem::replace(&mut self.stream, BufReader::new(Box::new(tokio::io::empty())));
        let secured = TlsAcceptor::from(certificate.server_config()).accept(plain.into_inner()).await?;
        self.stream = BufReader::new(Box::new(secured));
        self.tls = true;
        Ok(())
    }

    async fn auth(&mut self, line: &str) -> io::Result<()> {
        let Some((user, password)) = self.shared.setup.login.clone() else {
            return self.say("502 5.5.1 not here").await;
        };
        let decode = |text: &str| STANDARD.decode(text).ok().and_then(|octets| String::from_utf8(octets).ok());
        let mut words = line.split_ascii_whitespace().skip(1);
        let given = match words.next().map(str::to_ascii_uppercase).as_deref() {
            Some("PLAIN") => words.next().and_then(decode).and_then(|fields| {
                let mut fields = fields.split('\0').skip(1).map(str::to_owned);
                Some((fields.next()?, fields.next()?))
            }),
            Some("LOGIN") => {
                self.say("334 VXNlcm5hbWU6").await?;
                let user = decode(&self.line().await?);
                self.say("334 UGFzc3dvcmQ6").await?;
                user.zip(decode(&self.line().await?))
            }
            _ => None,
        };
        if given == Some((user.clone(), password)) {
            self.user = Some(user);
            self.say("235 2.7.0 welcome").await
        } else {
            self.say("535 5.7.8 authentication failed").await
        }
    }

    async fn rcpt(&mut self, line: &str) -> io::Result<()> {
        let to = address(line);
        let local = to.rsplit_once('@').map_or(to.as_str(), |(local, _)| local);
        self.planned = self.shared.scripts.lock().get_mut(local).and_then(std::collections::VecDeque::pop_front);
        if self.scripted(At::Rcpt).await? {
            return Ok(());
        }
        self.to = to;
        self.say("250 2.1.5 ok").await
    }

    async fn data(&mut self) -> io::Result<()> {
        if self.scripted(At::Data).await? {
            return Ok(());
        }
        self.say("354 go ahead").await?;
        let mut raw = String::new();
        loop {
            let mut line = Vec::new();
            if self.stream.read_until(b'\n', &mut line).await? == 0 {
                return Err(closed());
            }
            if line == b".\r\n" {
                break;
            }
            let line = String::from_utf8_lossy(&line);
            raw.push_str(line.strip_prefix('.').unwrap_or(&line));
        }
        if self.scripted(At::Body).await? {
            return Ok(());
        }
        let id = message_id(&raw);
        if !self.shared.ledger.record(&id, &self.to).await {
            return self.say("452 4.3.1 the ledger's disk refuses").await;
        }
        let received = Received {
            from: self.from.clone(),
            parameters: self.parameters.clone(),
            to: self.to.clone(),
            raw,
            tls: self.tls,
            user: self.user.clone(),
        };
        self.shared.received.lock().push(received);
        let planned = self.planned.take();
        self.forget();
        match planned {
            Some(SmtpAnswer::AcceptThenDrop) => Err(closed()),
            Some(SmtpAnswer::AcceptThenHang) => std::future::pending().await,
            _ => self.say(&format!("250 2.0.0 queued as {id}")).await,
        }
    }

    /// Gives the planned answer if it is for here: `true` if one was given.
    async fn scripted(&mut self, at: At) -> io::Result<bool> {
        let reply = match &self.planned {
            Some(SmtpAnswer::Reply(here, reply)) if *here == at => *reply,
            Some(SmtpAnswer::Drop(here)) if *here == at => return Err(closed()),
            Some(SmtpAnswer::Hang(here)) if *here == at => return std::future::pending().await,
            _ => return Ok(false),
        };
        self.planned = None;
        self.say(reply).await?;
        if reply.starts_with("421") { Err(closed()) } else { Ok(true) }
    }

    fn forget(&mut self) {
        self.from.clear();
        self.to.clear();
        self.planned = None;
    }
}

fn address(line: &str) -> String {
    let between = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    between.map_or_else(String::new, |(address, _)| address.to_owned())
}

/// The part of `Message-ID: <uuid@host>` before the @.
fn message_id(raw: &str) -> String {
    let head = raw.split("\r\n\r\n").next().unwrap_or_default();
    let value = head.lines().find_map(|line| line.strip_prefix("Message-ID:")).unwrap_or_default();
    value.trim().trim_start_matches('<').split('@').next().unwrap_or_default().to_owned()
}
