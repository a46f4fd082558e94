//! `carillon config`: what is in force and where from. Secrets are masked.

use serde_json::{Value, json};

use super::resolve::{Resolved, Source};
use super::setting::Group;
use super::table::SETTINGS;

/// One row per setting: name, masked value, source. Settings without effect appear only if they are set.
pub(crate) fn rows(values: &Resolved) -> Vec<[String; 3]> {
    SETTINGS
        .iter()
        .filter(|setting| setting.group != Group::Later || values.get(setting.name).is_some())
        .map(|setting| {
            let value = values.get(setting.name).map_or_else(|| "-".to_owned(), |value| setting.masked(value));
            let source = match (setting.group, values.source(setting.name)) {
                (Group::Later, source) => format!("{source} (not used by this version)"),
                (_, Source::Default) if values.get(setting.name).is_none() => "not set".to_owned(),
                (_, source) => source.to_string(),
            };
            [setting.name.to_owned(), value, source]
        })
        .collect()
}

/// The same for machines: `{"settings":[{"name","value","source"}]}`.
pub(crate) fn json(values: &Resolved) -> Value {
    let settings: Vec<_> = rows(values)
        .into_iter()
        .map(|[name, value, source]| {
            let value = values.get(&name).map(|_| value);
            json!({"name": name, "value": value, "source": source})
        })
        .collect();
    json!({ "settings": settings })
}
