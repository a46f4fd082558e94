//! Whether mail could be sent, without sending any.

use std::time::Duration;

use carillon_domain::delivery::{Failure, Outcome};
use tokio::time::{Instant, timeout_at};

use super::Smtp;
use super::config::Security;
use super::connection::Connection;
use super::line::Lost;
use super::reply::Step;

impl Smtp {
    /// Connects, greets, secures and logs in as a send would, and says goodbye.
    ///
    /// # Errors
    /// How a send would fail now.
    pub async fn check(&self, timeout: Duration) -> Result<String, Failure> {
        let mut step = Step::Connect;
        let opened = timeout_at(Instant::now() + timeout, Connection::open(&self.server, &mut step)).await;
        match opened.unwrap_or(Err(Lost::Silent)) {
            Ok(connection) => {
                let secured = connection.is_secured();
                connection.close().await;
                Ok(self.describe(secured))
            }
            Err(lost) => match lost.judge(step, "") {
                Outcome::Retry(failure) | Outcome::Failed(failure) | Outcome::Unknown(failure) => {
                    let message = format!("{}:{}: {}", self.server.host, self.server.port, failure.message);
                    Err(Failure { message, ..failure })
                }
                Outcome::Sent(_) => Ok(self.describe(true)),
            },
        }
    }

    fn describe(&self, secured: bool) -> String {
        let server = &self.server;
        let how = match server.security {
            Security::Implicit => "over TLS",
            _ if secured => "over STARTTLS",
            _ => "in plain text",
        };
        let who = if server.login.is_some() { ", and the login is accepted" } else { "" };
        format!("the mail server at {}:{} answers {how}{who}", server.host, server.port)
    }
}
