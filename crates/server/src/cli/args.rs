//! The command line, as clap reads it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueHint};
use serde_json::Value;

use super::output::Format;
use super::when::Moment;
use crate::config::flags::SettingFlags;
use crate::exit::EXIT_CODES;

const EXAMPLES: &str = "\
Examples:
  carillon                                                    start, and print what to do next
  carillon send email you@example.com --subject Hello --text 'It works.' --watch
  carillon notification list --status failed --since 12h
  carillon dead-letter replay --since 12h --provider smtp
  carillon config                                             every setting in force, and where from
";

/// Accepts a notification once, delivers it by email, SMS, push, WhatsApp or in-app, and never loses it.
#[derive(Debug, Parser)]
#[command(name = "carillon", version, args_conflicts_with_subcommands = true, after_help = format!("{EXAMPLES}\n{EXIT_CODES}"))]
pub(crate) struct Cli {
    /// For `serve`, which is what happens without a command.
    #[command(flatten)]
    pub(crate) settings: SettingFlags,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the service (also without any command)
    Serve(SettingFlags),
    /// Bring the database to this version's shape, and end
    Migrate(SettingFlags),
    /// Make and list tenants
    Tenant(TenantArgs),
    /// Make, list and revoke API keys
    ApiKey(ApiKeyArgs),
    /// Send one notification
    Send(Box<SendArgs>),
    /// Look at notifications, stop them, try them again
    Notification(NotificationArgs),
    /// Look at what could not be delivered, and deliver it again
    DeadLetter(DeadLetterArgs),
    /// List templates, and move them between files and the server
    Template(TemplateArgs),
    /// Show every setting in force and where it came from
    Config(ConfigArgs),
    /// Check everything that Carillon depends on, and say what to fix
    Doctor(DoctorArgs),
    /// Ask the server how it is; the exit code tells scripts
    Health(Reach),
    /// Print the OpenAPI 3.1 document
    Openapi,
    /// Print completions for a shell
    #[command(after_help = "Example: carillon completions bash > /etc/bash_completion.d/carillon")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// Which server, and who we are to it.
#[derive(Debug, Clone, Args)]
pub(crate) struct Reach {
    /// The server [default: http://localhost:$PORT]
    #[arg(long, global = true, env = "CARILLON_URL", value_hint = ValueHint::Url, help_heading = "Server")]
    pub(crate) url: Option<String>,
    /// The API key; better in the environment, where other users do not see it
    #[arg(long, global = true, env = "CARILLON_API_KEY", hide_env_values = true, help_heading = "Server")]
    pub(crate) api_key: Option<String>,
    /// Act in this tenant (id, uuid or code); for platform administrators
    #[arg(long, global = true, help_heading = "Server")]
    pub(crate) tenant: Option<String>,
    /// In which form to answer
    #[arg(short, long, global = true, value_enum, default_value_t, help_heading = "Server")]
    pub(crate) output: Format,
}

/// `carillon tenant`.
#[derive(Debug, Args)]
pub(crate) struct TenantArgs {
    /// The server.
    #[command(flatten)]
    pub(crate) reach: Reach,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: TenantCommand,
}

/// What to do with tenants.
#[derive(Debug, Subcommand)]
pub(crate) enum TenantCommand {
    /// Make a tenant
    Create {
        /// Its unique code, such as acme
        code: String,
        /// Its name for people [default: the code]
        #[arg(long)]
        name: Option<String>,
    },
    /// List tenants
    List,
}

/// `carillon api-key`.
#[derive(Debug, Args)]
pub(crate) struct ApiKeyArgs {
    /// The server.
    #[command(flatten)]
    pub(crate) reach: Reach,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: ApiKeyCommand,
}

/// What to do with API keys.
#[derive(Debug, Subcommand)]
pub(crate) enum ApiKeyCommand {
    /// Make a key; it is shown this once
    #[command(after_help = "Example: carillon api-key create shop-backend --tenant acme --role send --expires-in 90d")]
    Create {
        /// Its name for people
        name: String,
        /// A key that can only ever reach the sandbox
        #[arg(long)]
        test: bool,
        /// What its holder may do; may be repeated [default: admin]
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
        /// Narrows the roles, such as notifications:send; may be repeated
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<String>,
        /// When it stops working: a time, or a span such as 90d
        #[arg(long, value_name = "WHEN")]
        expires_in: Option<Moment>,
    },
    /// List keys, without the keys themselves
    List,
    /// Make a key stop working, now and for good
    Revoke {
        /// Its id or uuid
        id: String,
    },
}

/// `carillon send`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  carillon send email you@example.com --template welcome --var name=Ada --watch
  carillon send email you@example.com --subject Hello --text 'It works.'
  carillon send sms +441632960961 --text 'Your code is 4711' --priority critical --expires-in 5m
  carillon send in-app u-42 --title 'Shipped' --body 'It is on its way' --at 2h")]
pub(crate) struct SendArgs {
    /// email, sms, push, whatsapp or in-app
    pub(crate) channel: String,
    /// The e-mail address, phone number, device token or user id
    pub(crate) address: String,
    /// The code of a template
    #[arg(long, conflicts_with_all = ["subject", "text", "html", "title", "body", "link"])]
    pub(crate) template: Option<String>,
    /// The subject (email)
    #[arg(long, help_heading = "Direct content")]
    pub(crate) subject: Option<String>,
    /// The text (email, sms, whatsapp)
    #[arg(long, help_heading = "Direct content")]
    pub(crate) text: Option<String>,
    /// The HTML (email)
    #[arg(long, help_heading = "Direct content")]
    pub(crate) html: Option<String>,
    /// The title (push, in-app)
    #[arg(long, help_heading = "Direct content")]
    pub(crate) title: Option<String>,
    /// The body (push, in-app)
    #[arg(long, help_heading = "Direct content")]
    pub(crate) body: Option<String>,
    /// Where a click leads (push, in-app)
    #[arg(long, help_heading = "Direct content")]
    pub(crate) link: Option<String>,
    /// A variable; dots reach inside, as in order.total=12.00; may be repeated
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    pub(crate) variables: Vec<(String, String)>,
    /// Variables as a JSON object; --var adds to it
    #[arg(long, value_name = "JSON", value_parser = json_object)]
    pub(crate) json_vars: Option<Value>,
    /// The recipient's name
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// The language, such as de-CH
    #[arg(long)]
    pub(crate) locale: Option<String>,
    /// How urgent
    #[arg(long, value_parser = ["low", "normal", "high", "critical"])]
    pub(crate) priority: Option<String>,
    /// Send later: a time, or a span from now such as 2h
    #[arg(long, value_name = "WHEN")]
    pub(crate) at: Option<Moment>,
    /// Useless after: a time, or a span from now
    #[arg(long, value_name = "WHEN")]
    pub(crate) expires_in: Option<Moment>,
    /// Happens once per key, however often it is sent within 72 h
    #[arg(long, value_name = "IDEMPOTENCY-KEY")]
    pub(crate) key: Option<String>,
    /// Follow it until it is delivered or has failed
    #[arg(long)]
    pub(crate) watch: bool,
    /// The server.
    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// `carillon notification`.
#[derive(Debug, Args)]
pub(crate) struct NotificationArgs {
    /// The server.
    #[command(flatten)]
    pub(crate) reach: Reach,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: NotificationCommand,
}

/// What to do with notifications.
#[derive(Debug, Subcommand)]
pub(crate) enum NotificationCommand {
    /// Show one with its timeline
    Get {
        /// Its id or uuid
        id: String,
    },
    /// List notifications, newest first
    #[command(after_help = "Example: carillon notification list --status failed --since 12h")]
    List {
        /// Only with this status
        #[arg(long)]
        status: Option<String>,
        /// Only on this channel
        #[arg(long)]
        channel: Option<String>,
        /// Only to this address
        #[arg(long)]
        recipient: Option<String>,
        /// Only to this user
        #[arg(long)]
        user: Option<String>,
        /// Only since: a time, or a span back from now such as 12h
        #[arg(long, value_name = "WHEN")]
        since: Option<Moment>,
        /// Only before: a time, or a span back from now
        #[arg(long, value_name = "WHEN")]
        until: Option<Moment>,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Follow one until it is delivered or has failed
    Watch {
        /// Its id or uuid
        id: String,
    },
    /// Stop one that no provider has seen
    Cancel {
        /// Its id or uuid
        id: String,
    },
    /// Try one again that has failed
    Retry {
        /// Its id or uuid
        id: String,
    },
}

/// `carillon dead-letter`.
#[derive(Debug, Args)]
pub(crate) struct DeadLetterArgs {
    /// The server.
    #[command(flatten)]
    pub(crate) reach: Reach,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: DeadLetterCommand,
}

/// What to do with dead letters.
#[derive(Debug, Subcommand)]
pub(crate) enum DeadLetterCommand {
    /// List dead letters, newest first
    List {
        /// Which.
        #[command(flatten)]
        filter: DeadLetterFilter,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Show one
    Get {
        /// Its id or uuid
        id: String,
    },
    /// Deliver again: one by its id, or all that match
    #[command(after_help = "Example: carillon dead-letter replay --since 12h --provider smtp")]
    Replay {
        /// Only this one
        #[arg(conflicts_with_all = ["since", "until", "provider", "reason", "channel"], conflicts_with = "all")]
        id: Option<String>,
        /// All there are
        #[arg(long)]
        all: bool,
        /// Which.
        #[command(flatten)]
        filter: DeadLetterFilter,
    },
}

/// Which dead letters.
#[derive(Debug, Clone, Args)]
pub(crate) struct DeadLetterFilter {
    /// Only since: a time, or a span back from now such as 12h
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<Moment>,
    /// Only before: a time, or a span back from now
    #[arg(long, value_name = "WHEN")]
    pub(crate) until: Option<Moment>,
    /// Only of this provider, such as smtp
    #[arg(long)]
    pub(crate) provider: Option<String>,
    /// Only for this reason
    #[arg(long, value_parser = ["permanent", "exhausted", "technical", "expired", "unknown"])]
    pub(crate) reason: Option<String>,
    /// Only on this channel
    #[arg(long)]
    pub(crate) channel: Option<String>,
}

/// `carillon template`.
#[derive(Debug, Args)]
pub(crate) struct TemplateArgs {
    /// The server.
    #[command(flatten)]
    pub(crate) reach: Reach,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: TemplateCommand,
}

/// What to do with templates.
#[derive(Debug, Subcommand)]
pub(crate) enum TemplateCommand {
    /// List templates
    List,
    /// Send the files of a folder to the server, each as a new version where it differs
    Push {
        /// The folder with CODE.json files
        #[arg(value_hint = ValueHint::DirPath)]
        folder: PathBuf,
        /// Publish what is pushed; without it versions stay drafts
        #[arg(long)]
        publish: bool,
    },
    /// Write the server's templates into a folder, one CODE.json each
    Pull {
        /// The folder; made if missing
        #[arg(value_hint = ValueHint::DirPath)]
        folder: PathBuf,
    },
}

/// `carillon config`.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// Print the reference of all settings as Markdown
    #[arg(long, conflicts_with = "env_example")]
    pub(crate) reference: bool,
    /// Print an example of an .env file
    #[arg(long)]
    pub(crate) env_example: bool,
    /// In which form to answer
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Format,
    /// Settings.
    #[command(flatten)]
    pub(crate) settings: SettingFlags,
}

/// `carillon doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// In which form to answer
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Format,
    /// Settings.
    #[command(flatten)]
    pub(crate) settings: SettingFlags,
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && name.split('.').all(|part| !part.is_empty()) => {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err(format!("\"{text}\" is not NAME=VALUE")),
    }
}

fn json_object(text: &str) -> Result<Value, String> {
    match serde_json::from_str(text) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err("not a JSON object, such as {\"name\":\"Ada\"}".to_owned()),
        Err(error) => Err(format!("not JSON: {error}")),
    }
}

#[cfg(test)]
mod tests;
