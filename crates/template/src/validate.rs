use carillon_domain::template::{TemplateBody, Variable};
use carillon_domain::{Error, FieldError};

use crate::{Engine, locale};

/// Findings that one answer names at most.
const FINDINGS: usize = 50;

/// Checks a whole version: when it is created, changed and published. A variable that is used but not declared is
/// fine: it is required where it is used.
///
/// # Errors
/// `validation_failed` with every finding, as pointers into the version's body: `/defaultLocale`,
/// `/variables/0/name`, `/localizations/de`, `/localizations/de/email/subject` …
pub fn validate(engine: &Engine, body: &TemplateBody) -> Result<(), Error> {
    let mut findings = Vec::new();
    locales(body, &mut findings);
    variables(&body.variables, &mut findings);
    for (locale, parts) in &body.localizations {
        for (channel, content) in parts {
            let at = format!("{}/{channel}", pointer(locale));
            if let Err(error) = engine.compile(content, &at) {
                findings.extend(error.fields);
            }
            if findings.len() >= FINDINGS {
                break;
            }
        }
    }
    findings.truncate(FINDINGS);
    if findings.is_empty() { Ok(()) } else { Err(Error::invalid_fields(findings)) }
}

fn locales(body: &TemplateBody, findings: &mut Vec<FieldError>) {
    let default = &body.default_locale;
    if !body.localizations.keys().any(|key| locale::same(key, default)) {
        let message = format!("defaultLocale is \"{default:.40}\", which is not among the localizations");
        findings.push(FieldError::new("/defaultLocale", "unknown_locale", message));
    }
    let mut known: Vec<&str> = Vec::new();
    for key in body.localizations.keys() {
        if !locale::is_well_formed(key) {
            let message = format!("\"{key:.40}\" is not a locale such as de or de-CH");
            findings.push(FieldError::new(pointer(key), "invalid_locale", message));
        } else if let Some(twin) = known.iter().find(|twin| locale::same(twin, key)) {
            let message = format!("\"{key}\" and \"{twin}\" are the same locale");
            findings.push(FieldError::new(pointer(key), "duplicate_locale", message));
        }
        known.push(key);
    }
}

fn variables(variables: &[Variable], findings: &mut Vec<FieldError>) {
    for (at, Variable { name, .. }) in variables.iter().enumerate() {
        let pointer = format!("/variables/{at}/name");
        let mut bytes = name.bytes();
        let starts = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
        if !starts || !bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            let message =
                format!("\"{name:.40}\" cannot name a variable: letters, digits and _ can, a digit not first");
            findings.push(FieldError::new(pointer, "invalid_name", message));
        } else if variables[..at].iter().any(|other| other.name == *name) {
            findings.push(FieldError::new(pointer, "duplicate_name", format!("\"{name}\" is declared twice")));
        }
    }
}

fn pointer(locale: &str) -> String {
    format!("/localizations/{}", locale.replace('~', "~0").replace('/', "~1"))
}
