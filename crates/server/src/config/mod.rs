//! Configuration. [`table`] lists every setting once; [`resolve`] finds each one's value and where it came from
//! (flag, then environment, then `NAME_FILE`, then `carillon.toml`, then default); [`Config`] is what the server takes;
//! [`show`] and [`mod@reference`] print them. No other module reads the environment for a setting.

pub(crate) mod flags;
pub(crate) mod reference;
pub(crate) mod resolve;
mod setting;
pub(crate) mod show;
mod table;

use std::path::PathBuf;
use std::time::Duration;

use carillon_domain::delivery::OnUnknown;
use carillon_telemetry::logs::LogFormat;
use secrecy::SecretString;

use self::resolve::{ConfigError, Resolved, Source, Sources};
use self::setting::Group;
use self::table::SETTINGS;

/// What is in force, checked and typed.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// The address to listen on: a name or an IP address.
    pub(crate) host: String,
    /// The port to listen on; 0: any.
    pub(crate) port: u16,
    /// What the outside calls us, without a slash at the end.
    pub(crate) public_url: Option<String>,
    /// The folder of the SQLite database.
    pub(crate) data_dir: PathBuf,
    /// PostgreSQL; `None`: SQLite in `data_dir`.
    pub(crate) database_url: Option<SecretString>,
    /// Where `database_url` came from, for hints.
    pub(crate) database_source: String,
    /// The most connections to PostgreSQL.
    pub(crate) database_connections: u32,
    /// How long a silent process keeps what it holds.
    pub(crate) lease: Duration,
    /// Who sends e-mail.
    pub(crate) mail: Mail,
    /// The sender of e-mail.
    pub(crate) mail_from: String,
    /// What to do when a provider may have a message.
    pub(crate) on_unknown: OnUnknown,
    /// Calls in flight per account; `None`: adapts.
    pub(crate) provider_concurrency: Option<usize>,
    /// The filter of the logs.
    pub(crate) log: String,
    /// What a log line looks like.
    pub(crate) log_format: LogFormat,
    /// What `/metrics` asks for.
    pub(crate) metrics_token: Option<SecretString>,
    /// How many tenants have metrics of their own.
    pub(crate) metrics_tenants: usize,
    /// Names that are set without effect in this version.
    pub(crate) unused: Vec<&'static str>,
}

/// Who sends e-mail.
#[derive(Debug, Clone)]
pub(crate) enum Mail {
    /// Nobody: it lands in the sandbox.
    Sandbox,
    /// A mail server.
    Smtp {
        /// With user and password.
        url: SecretString,
        /// Certificates to trust besides the system's.
        ca_file: Option<PathBuf>,
    },
    /// SendGrid.
    SendGrid {
        /// Its key.
        api_key: SecretString,
        /// Where its API is.
        base_url: String,
    },
}

impl Config {
    /// Reads all sources.
    ///
    /// # Errors
    /// One clear line that names the setting and the source of its value.
    pub(crate) fn load(sources: &Sources) -> Result<Self, ConfigError> {
        Self::from_resolved(&Resolved::from(sources)?)
    }

    /// Types what was resolved, and refuses what does not go together.
    pub(crate) fn from_resolved(values: &Resolved) -> Result<Self, ConfigError> {
        let text = |name: &str| values.get(name).unwrap_or_default().to_owned();
        let secret = |name: &str| values.get(name).map(SecretString::from);
        Ok(Self {
            host: text("HOST").trim_matches(['[', ']']).to_owned(),
            port: number(values, "PORT")?,
            public_url: values.get("PUBLIC_URL").map(|url| url.trim_end_matches('/').to_owned()),
            data_dir: PathBuf::from(text("CARILLON_DATA_DIR")),
            database_url: secret("DATABASE_URL"),
            database_source: values.source("DATABASE_URL").to_string(),
            database_connections: number(values, "CARILLON_DATABASE_CONNECTIONS")?,
            lease: Duration::from_secs(number(values, "CARILLON_LEASE_SECONDS")?),
            mail: mail(values)?,
            mail_from: text("MAIL_FROM"),
            on_unknown: match values.get("CARILLON_ON_UNKNOWN") {
                Some("hold") => OnUnknown::Hold,
                _ => OnUnknown::Resend,
            },
            provider_concurrency: match values.get("CARILLON_PROVIDER_CONCURRENCY") {
                Some(_) => Some(number(values, "CARILLON_PROVIDER_CONCURRENCY")?),
                None => None,
            },
            log: text("CARILLON_LOG"),
            log_format: text("CARILLON_LOG_FORMAT").parse().map_err(|error| ConfigError(format!("{error}")))?,
            metrics_token: secret("METRICS_TOKEN"),
            metrics_tenants: number(values, "METRICS_TENANTS")?,
            unused: SETTINGS
                .iter()
                .filter(|setting| setting.group == Group::Later && values.get(setting.name).is_some())
                .map(|setting| setting.name)
                .collect(),
        })
    }

    /// Where a client on this machine reaches us, or what the outside calls us.
    pub(crate) fn base_url(&self, port: u16) -> String {
        self.public_url.clone().unwrap_or_else(|| format!("http://localhost:{port}"))
    }
}

fn number<N: std::str::FromStr>(values: &Resolved, name: &str) -> Result<N, ConfigError> {
    let text = values.get(name).unwrap_or_default();
    text.parse().map_err(|_| ConfigError(format!("{name}=\"{text}\" is not a number that fits")))
}

/// Two ways out for one channel would leave it open which one is meant.
fn mail(values: &Resolved) -> Result<Mail, ConfigError> {
    match (values.get("SMTP_URL"), values.get("SENDGRID_API_KEY")) {
        (Some(_), Some(_)) => {
            let from = |name| -> &Source { values.source(name) };
            Err(ConfigError(format!(
                "SMTP_URL (from: {}) and SENDGRID_API_KEY (from: {}) are both set; e-mail can go only one way: unset one",
                from("SMTP_URL"),
                from("SENDGRID_API_KEY"),
            )))
        }
        (Some(url), None) => {
            Ok(Mail::Smtp { url: SecretString::from(url), ca_file: values.get("SMTP_CA_FILE").map(PathBuf::from) })
        }
        (None, Some(key)) => Ok(Mail::SendGrid {
            api_key: SecretString::from(key),
            base_url: values.get("SENDGRID_BASE_URL").unwrap_or_default().trim_end_matches('/').to_owned(),
        }),
        (None, None) => Ok(Mail::Sandbox),
    }
}
