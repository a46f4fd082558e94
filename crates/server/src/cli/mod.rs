//! The command line. [`args`] says what there is; the other modules do it, one per command. Client commands speak REST
//! through [`http`] like anybody else and know nothing of the store.

mod api_key;
pub(crate) mod args;
mod dead_letter;
mod doctor;
mod http;
mod notification;
pub(crate) mod output;
mod send;
mod template;
mod tenant;
mod watch;
mod when;

use std::collections::BTreeMap;

use clap::CommandFactory as _;

use self::args::{Cli, Command, ConfigArgs, Reach};
use self::http::Client;
use self::output::{Format, Output, text};
use crate::config::resolve::{Resolved, Sources};
use crate::config::{Config, reference, show};
use crate::exit::Failure;
use crate::serve;

/// Does what the command line says.
pub(crate) async fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        None => Ok(serve::serve(load(cli.settings.0)?).await?),
        Some(Command::Serve(settings)) => Ok(serve::serve(load(settings.0)?).await?),
        Some(Command::Migrate(settings)) => migrate(load(settings.0)?).await,
        Some(Command::Tenant(args)) => tenant::run(args).await,
        Some(Command::ApiKey(args)) => api_key::run(args).await,
        Some(Command::Send(args)) => send::run(*args).await,
        Some(Command::Notification(args)) => notification::run(args).await,
        Some(Command::DeadLetter(args)) => dead_letter::run(args).await,
        Some(Command::Template(args)) => template::run(args).await,
        Some(Command::Config(args)) => config(args),
        Some(Command::Doctor(args)) => doctor::run(args).await,
        Some(Command::Health(reach)) => health(&reach).await,
        Some(Command::Openapi) => plain().line(carillon_rest::openapi_json().trim_end()),
        Some(Command::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "carillon", &mut script);
            plain().line(String::from_utf8_lossy(&script).trim_end())
        }
    }
}

/// Whether the command serves, which decides how many threads it gets.
pub(crate) fn serves(cli: &Cli) -> bool {
    matches!(cli.command, None | Some(Command::Serve(_)))
}

fn load(flags: BTreeMap<&'static str, String>) -> Result<Config, Failure> {
    Ok(Config::load(&Sources::of_process(flags))?)
}

fn plain() -> Output {
    Output::new(Format::Table)
}

async fn migrate(config: Config) -> Result<(), Failure> {
    let options = carillon_store::Options { target: serve::target(&config) };
    let fresh = carillon_store::migrate(options).await.map_err(|error| serve::refused(&config, &error))?;
    plain().line(if fresh { "the database is made" } else { "the database is up to date" })
}

fn config(args: ConfigArgs) -> Result<(), Failure> {
    if args.reference {
        return plain().line(reference::markdown().trim_end());
    }
    if args.env_example {
        return plain().line(reference::env_example().trim_end());
    }
    let values = Resolved::from(&Sources::of_process(args.settings.0))?;
    Output::new(args.output).show(&show::json(&values), &["SETTING", "VALUE", "FROM"], || {
        show::rows(&values).into_iter().map(Vec::from).collect()
    })?;
    Config::from_resolved(&values)?;
    Ok(())
}

async fn health(reach: &Reach) -> Result<(), Failure> {
    let out = Output::new(reach.output);
    let answer = Client::new(reach)?.get_plain(&["health"]).await?;
    if out.is_json() {
        return out.json(&answer);
    }
    out.line(&out.status(&text(&answer["status"]), 0))?;
    let more: Vec<(&str, String)> = answer
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| *name != "status")
        .map(|(name, value)| (name.as_str(), text(value)))
        .collect();
    out.pairs(&more)
}
