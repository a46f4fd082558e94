//! Logs, on stderr: stdout belongs to the banner and to what a command was asked for.
//!
//! Text for people on a terminal, one JSON object per line for machines. Messages are lower case without a full stop;
//! fields are for querying; neither ever holds a recipient, content or a secret. `request_id` and
//! `correlation_id` are fields of the request's span and appear in each line below it.

mod json;

use std::io::{self, IsTerminal as _};
use std::str::FromStr;

use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt};

/// The filter when `CARILLON_LOG` is not set or empty.
pub const DEFAULT_FILTER: &str = "info";

/// Libraries that write what goes over the wire when asked for details: never below `info`, whatever the filter says.
const WIRE: [&str; 6] = ["h2", "hyper", "hyper_util", "lettre", "reqwest", "tungstenite"];

/// Libraries whose progress reports interest nobody but their authors: warnings and errors only.
const CHATTY: [&str; 2] = ["sea_orm_migration", "sqlx"];

/// What a line looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Text if stderr is a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For people; coloured on a terminal unless `NO_COLOR` is set (no-color.org).
    Text,
    /// One object per line: `timestamp` (RFC 3339, UTC), `level`, `target`, `message`, then the fields of the event and
    /// its spans, flat.
    Json,
}

impl FromStr for LogFormat {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        match word {
            "auto" => Ok(Self::Auto),
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(Error::Format(word.to_owned())),
        }
    }
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter cannot be read.
    #[error(
        "CARILLON_LOG=\"{filter}\" is not a log filter: {why} (examples: \"debug\", \"info,carillon_pipeline=debug\")"
    )]
    Filter {
        /// As it was given.
        filter: String,
        /// What is wrong with it.
        why: String,
    },
    /// Not a format.
    #[error("\"{0}\" is not a log format: auto, text or json")]
    Format(String),
    /// Somebody was there first.
    #[error("this process has a logger already")]
    AlreadySet,
}

/// Sets the logger of this process. `filter` is what `CARILLON_LOG` says: a level, or `target=level` pairs, by comma.
pub fn init(format: LogFormat, filter: &str) -> Result<(), Error> {
    let terminal = io::stderr().is_terminal();
    let colours = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let text = match format {
        LogFormat::Auto => terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let look = if text { Look::Text { colours } } else { Look::Json };
    subscriber(look, filter, io::stderr)?.try_init().map_err(|_| Error::AlreadySet)
}

#[derive(Debug, Clone, Copy)]
enum Look {
    Text { colours: bool },
    Json,
}

fn subscriber<W>(look: Look, filter: &str, writer: W) -> Result<Box<dyn Subscriber + Send + Sync>, Error>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filtered = tracing_subscriber::registry().with(parse(filter)?);
    Ok(match look {
        Look::Text { colours } => {
            let text = fmt::layer().compact().with_ansi(colours).with_writer(writer);
            Box::new(filtered.with(text.with_filter(filter_fn(is_allowed))))
        }
        Look::Json => Box::new(filtered.with(json::Json::new(writer).with_filter(filter_fn(is_allowed)))),
    })
}

fn is_allowed(metadata: &Metadata<'_>) -> bool {
    let library = metadata.target().split("::").next().unwrap_or_default();
    let most = match library {
        chatty if CHATTY.contains(&chatty) => Level::WARN,
        wire if WIRE.contains(&wire) => Level::INFO,
        _ => return true,
    };
    *metadata.level() <= most
}

/// A bare word that is no level would be taken for a target and silence everything else: it is a slip of the pen.
fn parse(filter: &str) -> Result<EnvFilter, Error> {
    let filter = if filter.trim().is_empty() { DEFAULT_FILTER } else { filter.trim() };
    let refuse = |why: String| Error::Filter { filter: filter.to_owned(), why };
    let parts = || filter.split(',').map(str::trim);
    if let Some(word) =
        parts().find(|part| !part.contains(['=', '[', ']', '{', '}']) && part.parse::<LevelFilter>().is_err())
    {
        return Err(refuse(format!("\"{word}\" is not a level: error, warn, info, debug, trace or off")));
    }
    EnvFilter::builder().parse(filter).map_err(|error| refuse(error.to_string()))
}

#[cfg(test)]
mod tests;
