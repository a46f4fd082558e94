//! The platform's own accounts: what the environment configures, and the sandbox for the rest.

use std::sync::Arc;
use std::time::Duration;

use carillon_domain::delivery::OnUnknown;
use carillon_domain::tenant::KeyKind;
use carillon_domain::{Channel, Error, TenantId};
use carillon_ports::{Account, Accounts, ChannelProvider};

use crate::http::HttpClient;
use crate::{InApp, Sandbox, SendGrid, SendGridConfig, Smtp, SmtpConfig};

/// Calls in flight of an account that has no network behind it.
const INTERNAL: usize = 512;

/// What the platform is reached through. The default is the sandbox for every channel, and the inbox.
#[derive(Clone, Default)]
pub struct PlatformConfig {
    /// E-mail by SMTP; goes before `sendgrid`.
    pub smtp: Option<SmtpConfig>,
    /// E-mail by SendGrid.
    pub sendgrid: Option<SendGridConfig>,
    /// What to do with an e-mail that the provider may have.
    pub on_unknown: OnUnknown,
    /// Pins the number of calls in flight to a provider; `None` adapts.
    pub concurrency: Option<usize>,
    /// The longest that a provider call may take; `None`: 30 s.
    pub timeout: Option<Duration>,
}

/// One account per channel and kind of key, the same for every tenant.
#[derive(Debug)]
pub struct PlatformAccounts {
    /// By the channel's number.
    live: Vec<Arc<Account>>,
    /// By the channel's number. A table of its own: nothing that is configured can put a provider into it.
    sandbox: Vec<Arc<Account>>,
    all: Vec<Arc<Account>>,
}

impl PlatformAccounts {
    /// The accounts. Connects to nothing.
    ///
    /// # Errors
    /// `validation_failed` if a provider's configuration is not valid.
    pub fn new(config: PlatformConfig) -> Result<Self, Error> {
        let timeout = config.timeout.unwrap_or(Duration::from_secs(30));
        let mut all = Vec::new();
        let mut add = |name: String, channel, provider: Arc<dyn ChannelProvider>, internal: bool| {
            let index = u16::try_from(all.len()).unwrap_or(u16::MAX);
            let account = Arc::new(Account {
                index,
                name,
                channel,
                provider,
                // A simulated doubt is there to be looked at.
                on_unknown: if internal { OnUnknown::Hold } else { config.on_unknown },
                internal,
                concurrency: if internal { Some(INTERNAL) } else { config.concurrency },
                timeout,
            });
            all.push(Arc::clone(&account));
            account
        };
        let sandbox: Vec<_> = Channel::ALL
            .into_iter()
            .map(|channel| {
                let word = channel.as_str().replace('_', "-");
                add(format!("sandbox-{word}"), channel, Arc::new(Sandbox), true)
            })
            .collect();
        let mut live = sandbox.clone();
        live[usize::from(Channel::InApp.number().unsigned_abs())] =
            add("in-app".to_owned(), Channel::InApp, Arc::new(InApp), true);
        let email: Option<Arc<dyn ChannelProvider>> = match (config.smtp, config.sendgrid) {
            (Some(smtp), _) => Some(Arc::new(Smtp::new(smtp)?)),
            (None, Some(sendgrid)) => Some(Arc::new(SendGrid::new(sendgrid, HttpClient::new()?)?)),
            (None, None) => None,
        };
        if let Some(provider) = email {
            live[usize::from(Channel::Email.number().unsigned_abs())] =
                add(provider.kind().to_owned(), Channel::Email, provider, false);
        }
        Ok(Self { live, sandbox, all })
    }
}

impl Accounts for PlatformAccounts {
    fn choose(&self, _tenant: TenantId, channel: Channel, kind: KeyKind) -> Arc<Account> {
        let table = match kind {
            KeyKind::Live => &self.live,
            KeyKind::Test => &self.sandbox,
        };
        Arc::clone(&table[usize::from(channel.number().unsigned_abs())])
    }

    fn all(&self) -> Vec<Arc<Account>> {
        self.all.clone()
    }
}
