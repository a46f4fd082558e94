//! The settings as flags: one per row of the table that is no secret.

use std::collections::BTreeMap;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

use super::setting::Setting;
use super::table::SETTINGS;

/// The settings that the command line gave, by main name.
#[derive(Debug, Clone, Default)]
pub(crate) struct SettingFlags(pub(crate) BTreeMap<&'static str, String>);

fn argument(setting: &'static Setting) -> Option<Arg> {
    let flag = setting.flag()?;
    let default = setting.default.map(|value| format!(" [default: {value}]")).unwrap_or_default();
    let short = setting.doc.split_once(". ").map_or(setting.doc, |(first, _)| first).trim_end_matches('.');
    let short = short.replace('`', "");
    Some(
        Arg::new(setting.name)
            .long(flag)
            .value_name("VALUE")
            .help(format!("{short}{default} [env: {}]", setting.name))
            .help_heading("Settings (also in the environment and in carillon.toml)"),
    )
}

impl Args for SettingFlags {
    fn augment_args(command: Command) -> Command {
        command.args(SETTINGS.iter().filter_map(argument))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for setting in SETTINGS.iter().filter(|setting| setting.flag().is_some()) {
            if let Some(value) = matches.get_one::<String>(setting.name) {
                self.0.insert(setting.name, value.clone());
            }
        }
        Ok(())
    }
}
