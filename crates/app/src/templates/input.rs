use std::collections::BTreeMap;

use carillon_domain::content::Content;
use carillon_domain::template::{Localization, TemplateBody, Variable};
use carillon_domain::{Channel, Error, FieldError};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::notifications::attachments;

/// A version as a client writes it: the parts are still plain JSON, and read by channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VersionInput {
    /// The last resort of the locale fallback.
    pub default_locale: String,
    /// What senders must or may give.
    #[serde(default, deserialize_with = "carillon_domain::json::objects")]
    pub variables: Vec<Variable>,
    /// Locale → channel → part.
    pub localizations: BTreeMap<String, Map<String, Value>>,
}

impl VersionInput {
    /// Reads the parts.
    ///
    /// # Errors
    /// `validation_failed` with pointers under `/localizations`.
    pub(crate) fn into_body(self) -> Result<TemplateBody, Error> {
        let read = |(locale, parts)| {
            let at = format!("/localizations/{locale}");
            Ok((locale, localization(parts, &at)?))
        };
        Ok(TemplateBody {
            default_locale: self.default_locale,
            variables: self.variables,
            localizations: self.localizations.into_iter().map(read).collect::<Result<_, Error>>()?,
        })
    }
}

/// Reads the parts of one locale.
pub(crate) fn localization(parts: Map<String, Value>, at: &str) -> Result<Localization, Error> {
    let mut localization = Localization::new();
    for (word, part) in parts {
        let pointer = format!("{at}/{word}");
        let channel: Channel = word.parse().map_err(|error: Error| {
            Error::invalid(FieldError::new(pointer.as_str(), "unknown_channel", error.detail))
        })?;
        let content = Content::parse(channel, part, &pointer)?;
        attachments::check(&content, &pointer)?;
        if localization.insert(channel, content).is_some() {
            let message = format!("the channel {channel} is there twice");
            return Err(Error::invalid(FieldError::new(pointer, "duplicate_channel", message)));
        }
    }
    Ok(localization)
}

pub(crate) fn check_code(code: &str) -> Result<(), Error> {
    let shape = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    // A code of digits alone, or one that reads as a uuid, could be taken for an id.
    let ambiguous = code.bytes().all(|b| b.is_ascii_digit()) || uuid::Uuid::try_parse(code).is_ok();
    if (1..=100).contains(&code.len()) && code.chars().all(shape) && !ambiguous {
        return Ok(());
    }
    let message = "a code is 1 to 100 of A-Z, a-z, 0-9, '-', '_' and '.', and not a number or a uuid";
    Err(Error::invalid(FieldError::new("/code", "invalid_code", message)))
}

pub(crate) fn check_description(description: &str) -> Result<(), Error> {
    if description.chars().count() > 2000 {
        let message = "a description is at most 2,000 characters";
        return Err(Error::invalid(FieldError::new("/description", "out_of_range", message)));
    }
    Ok(())
}

pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    if name.trim().is_empty() || name.chars().count() > 200 || name.chars().any(char::is_control) {
        let message = "a name is 1 to 200 characters, without control characters";
        return Err(Error::invalid(FieldError::new("/name", "invalid_name", message)));
    }
    Ok(())
}
