//! The platform's provider accounts, from the configuration.

use std::sync::Arc;
use std::time::Duration;

use carillon_channels::{PlatformAccounts, PlatformConfig, SendGridConfig, SmtpConfig};
use carillon_domain::Clock;

use crate::config::{Config, Mail};
use crate::exit::Failure;

/// The longest that a provider call may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Connections to one mail server that are kept for the next message.
const SMTP_CONNECTIONS: usize = 32;

/// Who sends e-mail for the platform, with all it needs.
pub(crate) enum MailProvider {
    /// A mail server.
    Smtp(SmtpConfig),
    /// SendGrid.
    SendGrid(SendGridConfig),
}

/// What the configuration says; `None`: the sandbox.
pub(crate) fn mail(config: &Config, clock: &Arc<dyn Clock>) -> Option<MailProvider> {
    let clock = Arc::clone(clock);
    match &config.mail {
        Mail::Sandbox => None,
        Mail::Smtp { url, ca_file } => Some(MailProvider::Smtp(SmtpConfig {
            url: url.clone(),
            ca_file: ca_file.clone(),
            from: config.mail_from.clone(),
            connections: SMTP_CONNECTIONS,
            clock,
        })),
        Mail::SendGrid { api_key, base_url } => Some(MailProvider::SendGrid(SendGridConfig {
            api_key: api_key.clone(),
            base_url: Some(base_url.clone()),
            from: config.mail_from.clone(),
            clock,
        })),
    }
}

/// The accounts; connects to nothing.
pub(crate) fn accounts(config: &Config, clock: &Arc<dyn Clock>) -> Result<PlatformAccounts, Failure> {
    let mut platform = PlatformConfig {
        on_unknown: config.on_unknown,
        concurrency: config.provider_concurrency,
        timeout: Some(TIMEOUT),
        ..PlatformConfig::default()
    };
    match mail(config, clock) {
        None => {}
        Some(MailProvider::Smtp(smtp)) => platform.smtp = Some(smtp),
        Some(MailProvider::SendGrid(sendgrid)) => platform.sendgrid = Some(sendgrid),
    }
    PlatformAccounts::new(platform).map_err(|error| Failure::Config(error.detail))
}
