//! What the tests share.
#![allow(dead_code, reason = "each test binary uses its part of this")]

use carillon_domain::content::{Content, Email, Sms};
use carillon_domain::{Channel, Error};
use carillon_template::Engine;
use serde_json::{Map, Value};

/// The variables of a test, from a JSON object.
pub(crate) fn variables(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

/// Content from JSON.
pub(crate) fn content(channel: Channel, value: Value) -> Content {
    Content::parse(channel, value, "").unwrap_or_else(|error| panic!("{error}"))
}

/// Renders `source` as plain text.
pub(crate) fn text(source: &str, given: Value) -> Result<String, Error> {
    let content = Content::Sms(Sms { text: source.to_owned() });
    match Engine::default().render_once(&content, &variables(given), "")? {
        Content::Sms(sms) => Ok(sms.text),
        other => panic!("{other:?} is no text message"),
    }
}

/// Renders `source` as HTML.
pub(crate) fn html(source: &str, given: Value) -> Result<String, Error> {
    let content = Content::Email(Email { html: Some(source.to_owned()), ..Email::default() });
    match Engine::default().render_once(&content, &variables(given), "")? {
        Content::Email(email) => Ok(email.html.unwrap_or_default()),
        other => panic!("{other:?} is no e-mail"),
    }
}

/// The first field of an error: pointer and code.
pub(crate) fn field<T>(result: Result<T, Error>) -> (String, String) {
    match result {
        Ok(_) => ("no error".to_owned(), String::new()),
        Err(error) => {
            assert_eq!(error.code.as_str(), "validation_failed", "{error}");
            (error.fields[0].pointer.clone(), error.fields[0].code.to_string())
        }
    }
}
