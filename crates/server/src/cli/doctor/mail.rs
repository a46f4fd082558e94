//! Whoever sends e-mail: asked as a send would, without sending.

use std::sync::Arc;
use std::time::Duration;

use carillon_channels::http::HttpClient;
use carillon_channels::{SendGrid, Smtp};
use carillon_domain::Clock;
use carillon_domain::time::SystemClock;

use super::Finding;
use crate::config::Config;
use crate::providers::{self, MailProvider};

/// How long the whole dialogue may take.
const PATIENCE: Duration = Duration::from_secs(8);

pub(super) async fn check(config: &Config) -> Finding {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (checked, name) = match providers::mail(config, &clock) {
        None => return Finding::ok("e-mail", "lands in the sandbox; SMTP_URL or SENDGRID_API_KEY make it real"),
        Some(MailProvider::Smtp(settings)) => match Smtp::new(settings) {
            Ok(smtp) => (smtp.check(PATIENCE).await, "SMTP_URL"),
            Err(error) => return Finding::bad("e-mail", error.detail, "correct SMTP_URL, SMTP_CA_FILE or MAIL_FROM"),
        },
        Some(MailProvider::SendGrid(settings)) => {
            match HttpClient::new().and_then(|client| SendGrid::new(settings, client)) {
                Ok(sendgrid) => (sendgrid.check(PATIENCE).await, "SENDGRID_API_KEY"),
                Err(error) => return Finding::bad("e-mail", error.detail, "correct SENDGRID_API_KEY or MAIL_FROM"),
            }
        }
    };
    match checked {
        Ok(text) => sender(config, text),
        Err(failure) => Finding::bad("e-mail", failure.message.clone(), fix(failure.code, name)),
    }
}

/// Everything answers; a sender that nobody can answer to would be refused nevertheless.
fn sender(config: &Config, text: String) -> Finding {
    if config.mail_from.contains("@localhost") {
        let told = format!("{text}; but the sender is {}, which real servers refuse", config.mail_from);
        return Finding::warn("e-mail", told, "set MAIL_FROM to an address of yours");
    }
    Finding::ok("e-mail", text)
}

fn fix(code: &str, name: &str) -> String {
    match code {
        "connection_failed" | "timeout" => format!("start it, open the way to it, or correct {name}"),
        "authentication_refused" | "authentication_required" => format!("correct the credentials in {name}"),
        "authentication_unavailable" => {
            "the server may offer AUTH only after TLS: ?tls=required, or smtps://".to_owned()
        }
        "tls_unavailable" => "use another port, or smtps://; ?tls=none only where nobody listens".to_owned(),
        "tls_failed" | "connection_lost" => {
            "a certificate it does not trust goes into SMTP_CA_FILE; TLS from the start is smtps://".to_owned()
        }
        "forbidden_by_provider" => "give the key the permission \"Mail Send\"".to_owned(),
        _ => format!("correct {name}, or ask whoever runs it"),
    }
}
