//! One connection: how it is opened, secured and authenticated, and one mail transaction on it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use carillon_domain::delivery::Failure;
use secrecy::ExposeSecret as _;
use tokio::net::TcpStream;

use super::config::{Login, Security, Server};
use super::line::{Line, Lost};
use super::mime::Mail;
use super::reply::{Reply, Step};

/// An open connection after EHLO, TLS and AUTH.
pub(super) struct Connection {
    line: Line,
    offers: Offers,
    /// What crosses the network is encrypted.
    secured: bool,
    /// A transaction was begun and not ended: RSET comes before the next.
    open_transaction: bool,
}

/// What the server announced after EHLO.
#[derive(Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a keyword that a server says or does not say")]
struct Offers {
    starttls: bool,
    pipelining: bool,
    smtp_utf8: bool,
    auth_plain: bool,
    auth_login: bool,
    /// The longest message in octets; `None` if there is no limit, or none known.
    size: Option<usize>,
}

impl Offers {
    /// From the reply's text, in which lines are joined by spaces: a keyword's parameters end where another keyword that
    /// we know begins, which is all that matters for ours.
    fn parse(text: &str) -> Self {
        let mut offers = Self::default();
        let mut words = text.split_ascii_whitespace().map(str::to_ascii_uppercase).skip(1).peekable();
        while let Some(word) = words.next() {
            match word.as_str() {
                "STARTTLS" => offers.starttls = true,
                "PIPELINING" => offers.pipelining = true,
                "SMTPUTF8" => offers.smtp_utf8 = true,
                "PLAIN" | "AUTH=PLAIN" => offers.auth_plain = true,
                "LOGIN" | "AUTH=LOGIN" => offers.auth_login = true,
                "SIZE" => offers.size = words.peek().and_then(|size| size.parse().ok()).filter(|size| *size > 0),
                _ => {}
            }
        }
        offers
    }
}

impl Connection {
    /// Opens one. `step` says how far it got when it fails or is given up.
    pub(super) async fn open(server: &Server, step: &mut Step) -> Result<Self, Lost> {
        let tcp = TcpStream::connect((server.host.as_str(), server.port)).await.map_err(|e| Lost::Io(e.to_string()))?;
        // Commands are small and each waits for its reply.
        tcp.set_nodelay(true)?;
        let mut secured = server.security == Security::Implicit;
        let mut line = if secured {
            *step = Step::Tls;
            let line = Line::new(server.tls.secure(Box::new(tcp)).await?);
            *step = Step::Connect;
            line
        } else {
            Line::new(Box::new(tcp))
        };
        positive(line.reply().await?)?;
        let mut offers = hello(&mut line, server).await?;
        if matches!(server.security, Security::Required | Security::Opportunistic) {
            if offers.starttls {
                *step = Step::Tls;
                positive(line.command("STARTTLS").await?)?;
                line = Line::new(server.tls.secure(line.into_stream()?).await?);
                *step = Step::Connect;
                secured = true;
                offers = hello(&mut line, server).await?;
            } else if server.security == Security::Required {
                let words = "the server does not offer STARTTLS, which is required".to_owned();
                return Err(Lost::Policy("tls_unavailable", words));
            }
        }
        if let Some(login) = &server.login {
            *step = Step::Auth;
            authenticate(&mut line, &offers, login).await?;
        }
        Ok(Self { line, offers, secured, open_transaction: false })
    }

    /// One mail transaction: the server's last reply, if it has taken the message.
    pub(super) async fn deliver(&mut self, mail: &Mail, step: &mut Step) -> Result<Reply, Lost> {
        *step = Step::Mail;
        if mail.utf8 && !self.offers.smtp_utf8 {
            let words = "the server takes no addresses with non-ASCII characters before the @";
            return Err(Lost::Unfit(Failure::of_message("smtputf8_unsupported", words)));
        }
        if self.offers.size.is_some_and(|most| mail.octets > most) {
            let words = format!("{} octets are more than the server takes", mail.octets);
            return Err(Lost::Unfit(Failure::of_message("message_too_large", words)));
        }
        if self.open_transaction {
            positive(self.line.command("RSET").await?)?;
        }
        self.open_transaction = true;
        let from = format!("MAIL FROM:<{}>{}", mail.from, if mail.utf8 { " SMTPUTF8" } else { "" });
        let to = format!("RCPT TO:<{}>", mail.to);
        if self.offers.pipelining {
            self.line.write(format!("{from}\r\n{to}\r\n").as_bytes()).await?;
            let first = self.line.reply().await?;
            // The reply to RCPT is on its way in any case; unread, it would answer the next command.
            let accepted = positive(first);
            if matches!(&accepted, Err(Lost::Refused(reply)) if reply.code == 421) {
                accepted?;
                return Err(Lost::Closed);
            }
            let second = self.line.reply().await;
            accepted?;
            *step = Step::Rcpt;
            positive(second?)?;
        } else {
            positive(self.line.command(&from).await?)?;
            *step = Step::Rcpt;
            positive(self.line.command(&to).await?)?;
        }
        *step = Step::Data;
        let reply = self.line.command("DATA").await?;
        if reply.code != 354 {
            return Err(Lost::Refused(reply));
        }
        *step = Step::Body;
        self.line.write(&mail.wire).await?;
        let reply = positive(self.line.reply().await?)?;
        self.open_transaction = false;
        Ok(reply)
    }

    /// Whether what crosses the network is encrypted.
    pub(super) fn is_secured(&self) -> bool {
        self.secured
    }

    /// Whether the server has closed it.
    pub(super) fn is_stale(&mut self) -> bool {
        self.line.is_stale()
    }

    /// Says goodbye.
    pub(super) async fn close(self) {
        self.line.close().await;
    }
}

fn positive(reply: Reply) -> Result<Reply, Lost> {
    if (200..300).contains(&reply.code) { Ok(reply) } else { Err(Lost::Refused(reply)) }
}

async fn hello(line: &mut Line, server: &Server) -> Result<Offers, Lost> {
    let reply = positive(line.command(&format!("EHLO {}", server.hello)).await?)?;
    Ok(Offers::parse(&reply.text))
}

async fn authenticate(line: &mut Line, offers: &Offers, login: &Login) -> Result<(), Lost> {
    let password = login.password.expose_secret();
    let reply = if offers.auth_plain {
        let secret = STANDARD.encode(format!("\0{}\0{password}", login.user));
        line.command(&format!("AUTH PLAIN {secret}")).await?
    } else if offers.auth_login {
        let mut reply = line.command("AUTH LOGIN").await?;
        for part in [login.user.as_str(), password] {
            if reply.code != 334 {
                break;
            }
            reply = line.command(&STANDARD.encode(part)).await?;
        }
        reply
    } else {
        let words = "the server offers neither AUTH PLAIN nor AUTH LOGIN".to_owned();
        return Err(Lost::Policy("authentication_unavailable", words));
    };
    positive(reply).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_are_read() {
        let offers = Offers::parse("mx.example PIPELINING SIZE 1024 STARTTLS AUTH PLAIN LOGIN SMTPUTF8");
        let all = Offers {
            starttls: true,
            pipelining: true,
            smtp_utf8: true,
            auth_plain: true,
            auth_login: true,
            size: Some(1024),
        };
        assert_eq!(offers, all);
        assert_eq!(Offers::parse("starttls.example SIZE"), Offers::default());
        assert_eq!(Offers::parse("mx.example SIZE 0 HELP"), Offers::default());
        assert!(Offers::parse("mx.example starttls").starttls);
    }
}
