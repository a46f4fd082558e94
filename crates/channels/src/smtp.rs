//! Mail over SMTP.
//!
//! lettre builds the message; the dialogue is ours, because what a lost connection means depends on the step at which it
//! was lost, and a transport's error does not tell it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use carillon_domain::content::Content;
use carillon_domain::delivery::{Failure, Outcome, Receipt};
use carillon_domain::message::Message;
use carillon_domain::{Clock, Error};
use carillon_ports::ChannelProvider;
use secrecy::SecretString;
use tokio::time::{Instant, timeout_at};

mod check;
mod config;
mod connection;
mod line;
mod mime;
mod pool;
mod reply;
mod tls;

use config::Server;
use connection::Connection;
use line::Lost;
use mime::Mail;
use pool::Pool;
use reply::Step;

/// What SMTP needs.
#[derive(Clone)]
pub struct SmtpConfig {
    /// `smtp://user:password@host:587?tls=none|opportunistic|required`, or `smtps://…` for TLS from the first octet.
    /// Without `tls`, it is `required` if there is a user and else `opportunistic`. User and password are
    /// percent-encoded.
    pub url: SecretString,
    /// A PEM file with certificate authorities to trust besides the system's.
    pub ca_file: Option<std::path::PathBuf>,
    /// The sender, such as `Shop <no-reply@shop.example>`.
    pub from: String,
    /// The most connections that are open at a time; 32 is plenty for one server.
    pub connections: usize,
    /// For the `Date` of a message.
    pub clock: Arc<dyn Clock>,
}

/// Sends mail through one SMTP server, over pooled connections.
pub struct Smtp {
    server: Server,
    from: lettre::message::Mailbox,
    pool: Pool,
    clock: Arc<dyn Clock>,
}

impl Smtp {
    /// A provider; connects to nothing yet.
    ///
    /// # Errors
    /// `validation_failed` if the URL, the sender or the file of authorities is not what it should be.
    pub fn new(config: SmtpConfig) -> Result<Self, Error> {
        let from =
            crate::address::mailbox(&config.from).ok_or_else(|| config::refuse("the sender is not a mailbox"))?;
        let server = Server::new(&config.url, config.ca_file.as_deref(), from.email.domain())?;
        Ok(Self { server, from, pool: Pool::new(config.connections), clock: config.clock })
    }

    async fn hand_over(&self, mail: &Mail, to: &str, step: &mut Step) -> Outcome {
        let Some(slot) = self.pool.slot().await else {
            return Outcome::Retry(Failure::of_provider("shutting_down", "the connections are being closed"));
        };
        if let Some(connection) = slot.idle() {
            *step = Step::Mail;
            match self.transact(connection, &slot, mail, to, step).await {
                // The server had closed the connection while it was idle. Nothing of the message was offered on it, so
                // a new connection is not a second try.
                Err(Stale(_)) => *step = Step::Connect,
                Ok(outcome) => return outcome,
            }
        }
        let connection = match Connection::open(&self.server, step).await {
            Ok(connection) => connection,
            Err(lost) => return lost.judge(*step, to),
        };
        *step = Step::Mail;
        match self.transact(connection, &slot, mail, to, step).await {
            Ok(outcome) => outcome,
            Err(Stale(lost)) => lost.judge(*step, to),
        }
    }

    /// One mail transaction; the connection goes back to the pool if it can be used again.
    async fn transact(
        &self,
        mut connection: Connection,
        slot: &pool::Slot<'_>,
        mail: &Mail,
        to: &str,
        step: &mut Step,
    ) -> Result<Outcome, Stale> {
        match connection.deliver(mail, step).await {
            Ok(reply) => {
                slot.put_back(connection);
                let queued_as = crate::text::tell(&reply.text, to);
                let provider_message_id = (!queued_as.is_empty()).then_some(queued_as);
                Ok(Outcome::Sent(Receipt { provider_message_id, ..Receipt::default() }))
            }
            Err(lost @ Lost::Closed) if *step == Step::Mail => Err(Stale(lost)),
            Err(Lost::Refused(reply)) if *step == Step::Mail && reply.code == 421 => Err(Stale(Lost::Refused(reply))),
            Err(lost) => {
                // Whoever waits here for a reply to RSET may wait too long, and a definite answer would become unknown.
                if lost.leaves_connection() {
                    slot.put_back(connection);
                }
                Ok(lost.judge(*step, to))
            }
        }
    }
}

/// The server closed the connection before it was offered anything: to be expected of a pooled one.
struct Stale(Lost);

#[async_trait]
impl ChannelProvider for Smtp {
    fn kind(&self) -> &'static str {
        "smtp"
    }

    async fn send(&self, message: &Message, timeout: Duration) -> Outcome {
        let deadline = Instant::now() + timeout;
        let Content::Email(email) = &message.content else {
            return Outcome::Failed(Failure::of_message("wrong_channel", "SMTP sends e-mail only"));
        };
        let mail = match mime::build(message, email, &self.from, self.clock.now()) {
            Ok(mail) => mail,
            Err(failure) => return Outcome::Failed(failure),
        };
        let mut step = Step::Connect;
        match timeout_at(deadline, self.hand_over(&mail, message.to(), &mut step)).await {
            Ok(outcome) => outcome,
            Err(_) => Lost::Silent.judge(step, message.to()),
        }
    }
}
