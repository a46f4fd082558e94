//! From flags, environment and file to one value per setting, each with where it came from.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use super::setting::{Kind, Setting};
use super::table::{FOREIGN, FOREIGN_PREFIX, SETTINGS, by_key, by_name};

/// One clear line about a setting that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ConfigError(pub(crate) String);

/// Where settings come from, strongest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sources {
    /// By main name.
    pub(crate) flags: BTreeMap<&'static str, String>,
    /// The process's environment; what is not UTF-8 is left out unless it is ours.
    pub(crate) env: BTreeMap<String, String>,
}

impl Sources {
    /// Flags before this process's environment.
    pub(crate) fn of_process(flags: BTreeMap<&'static str, String>) -> Self {
        let env = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
            .collect();
        Self { flags, env }
    }

    /// A variable that is set to nothing counts as not set, so that `.env` files may list what they leave open.
    pub(crate) fn env(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// The command line.
    Flag(String),
    /// The environment, under this name.
    Env(String),
    /// A file that this variable names.
    SecretFile(String),
    /// The settings file at this path, under this key.
    File(String, String),
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "flag --{flag}"),
            Self::Env(name) => write!(f, "environment {name}"),
            Self::SecretFile(name) => write!(f, "the file in {name}"),
            Self::File(path, key) => write!(f, "{path}, key {key}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Value {
    /// As text, checked against the setting's kind.
    pub(crate) text: String,
    /// Where it came from.
    pub(crate) source: Source,
}

/// All values in force, by main name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Resolved(pub(crate) BTreeMap<&'static str, Value>);

impl Resolved {
    /// Reads all sources.
    ///
    /// # Errors
    /// The first unknown name, unreadable file or impossible value, in one line.
    pub(crate) fn from(sources: &Sources) -> Result<Self, ConfigError> {
        refuse_unknown(sources)?;
        let file = Toml::read(sources)?;
        let mut values = BTreeMap::new();
        for setting in SETTINGS {
            if let Some(value) = find(setting, sources, &file)? {
                check(setting, &value)?;
                values.insert(setting.name, value);
            }
        }
        Ok(Self(values))
    }

    /// The value of a setting, if it has one.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.text.as_str())
    }

    /// Where a setting's value came from.
    pub(crate) fn source(&self, name: &str) -> &Source {
        self.0.get(name).map_or(&Source::Default, |value| &value.source)
    }
}

/// The value of one setting, the rest unread: what a client command needs to find the server.
pub(crate) fn single(name: &str, sources: &Sources) -> Result<Option<String>, ConfigError> {
    let Some(setting) = by_name(name) else { return Ok(None) };
    let Some(value) = find(setting, sources, &Toml::read(sources)?)? else { return Ok(None) };
    check(setting, &value)?;
    Ok(Some(value.text))
}

fn check(setting: &Setting, value: &Value) -> Result<(), ConfigError> {
    if setting.allows(&value.text) {
        return Ok(());
    }
    let shown = setting.masked(&value.text);
    let expected = setting.expects().unwrap_or_default();
    let hint = match setting.name {
        "DATABASE_URL" if value.text.starts_with("sqlite") => {
            "; for SQLite leave it unset and choose CARILLON_DATA_DIR"
        }
        _ => "",
    };
    Err(ConfigError(format!("{}=\"{shown}\" is not {expected}{hint} (from: {})", setting.name, value.source)))
}

fn find(setting: &Setting, sources: &Sources, file: &Toml) -> Result<Option<Value>, ConfigError> {
    if let (Some(text), Some(flag)) = (sources.flags.get(setting.name), setting.flag()) {
        return Ok(Some(Value { text: text.clone(), source: Source::Flag(flag) }));
    }
    for name in std::iter::once(&setting.name).chain(setting.aliases) {
        if let Some(text) = sources.env(name) {
            return Ok(Some(Value { text: text.to_owned(), source: Source::Env((*name).to_owned()) }));
        }
        let named = format!("{name}_FILE");
        if setting.takes_file()
            && let Some(path) = sources.env(&named)
        {
            let text = fs::read_to_string(path)
                .map_err(|error| ConfigError(format!("cannot read the file \"{path}\" that {named} names: {error}")))?;
            return Ok(Some(Value {
                text: text.trim_end_matches(['\r', '\n']).to_owned(),
                source: Source::SecretFile(named),
            }));
        }
    }
    if let Some(text) = file.values.get(setting.key).filter(|text| !text.is_empty()) {
        return Ok(Some(Value { text: text.clone(), source: Source::File(file.path.clone(), setting.key.to_owned()) }));
    }
    Ok(setting.default.map(|text| Value { text: text.to_owned(), source: Source::Default }))
}

/// The settings file, as texts.
#[derive(Debug, Default)]
struct Toml {
    path: String,
    values: BTreeMap<String, String>,
}

impl Toml {
    fn read(sources: &Sources) -> Result<Self, ConfigError> {
        let named = sources.flags.get("CARILLON_CONFIG").map(String::as_str).or_else(|| sources.env("CARILLON_CONFIG"));
        let path = named.unwrap_or("carillon.toml");
        if named.is_none() && !Path::new(path).exists() {
            return Ok(Self::default());
        }
        let text = fs::read_to_string(path)
            .map_err(|error| ConfigError(format!("cannot read the settings file \"{path}\": {error}")))?;
        Self::parse(path, &text)
    }

    fn parse(path: &str, text: &str) -> Result<Self, ConfigError> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let line = error.span().map_or(1, |span| text[..span.start].lines().count().max(1));
            ConfigError(format!("{path}, line {line}: {}", error.message().lines().next().unwrap_or_default()))
        })?;
        let mut values = BTreeMap::new();
        for (key, value) in table {
            let Some(setting) = by_key(&key).filter(|setting| setting.name != "CARILLON_CONFIG") else {
                let keys = SETTINGS.iter().map(|setting| setting.key);
                let hint = did_you_mean(&key, keys);
                return Err(ConfigError(format!("{path}: there is no setting \"{key}\"{hint}")));
            };
            let text = match value {
                toml::Value::String(text) => text,
                toml::Value::Integer(number) => number.to_string(),
                toml::Value::Boolean(yes) if matches!(setting.kind, Kind::Ignored(_)) => yes.to_string(),
                other => {
                    let expected = setting.expects().unwrap_or_else(|| "text".to_owned());
                    return Err(ConfigError(format!("{path}: {key} is not {expected} but a {}", other.type_str())));
                }
            };
            values.insert(key, text);
        }
        Ok(Self { path: path.to_owned(), values })
    }
}

/// A mistyped name of ours would silently do nothing.
fn refuse_unknown(sources: &Sources) -> Result<(), ConfigError> {
    let ours = || SETTINGS.iter().flat_map(|setting| std::iter::once(&setting.name).chain(setting.aliases)).copied();
    for name in sources.env.keys().filter(|name| name.starts_with("CARILLON_")) {
        let base = name.strip_suffix("_FILE").filter(|base| by_name(base).is_some_and(Setting::takes_file));
        let known = ours().any(|our| our == name || Some(our) == base);
        if !known && !FOREIGN.contains(&name.as_str()) && !name.starts_with(FOREIGN_PREFIX) {
            let hint = did_you_mean(name, ours().filter(|our| our.starts_with("CARILLON_")).chain(FOREIGN));
            return Err(ConfigError(format!("{name} is set in the environment, but there is no such setting{hint}")));
        }
    }
    Ok(())
}

/// ` (did you mean "x"?)`, or nothing if nothing is close.
pub(crate) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.85)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map_or_else(String::new, |(_, candidate)| format!(" (did you mean \"{candidate}\"?)"))
}

#[cfg(test)]
mod tests;
