//! Query strings, as strict as bodies: a parameter that is not known, or there twice, is refused.

use axum::extract::FromRequestParts;
use carillon_app::PageRequest;
use carillon_domain::{Channel, Error, FieldError, Status, Timestamp, json};
use chrono::{DateTime, Utc};
use http::request::Parts;

use crate::Shared;
use crate::problem::Problem;

/// The parameters of a list without filters.
pub(crate) const PAGE: &[(&str, &str)] = &[("limit", "1 to 200."), ("cursor", "next of the page before.")];

/// The parameters as they came.
pub(crate) struct Raw(Vec<(String, String)>);

impl FromRequestParts<Shared> for Raw {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &Shared) -> Result<Self, Problem> {
        Ok(Self::parse(parts.uri.query().unwrap_or_default()))
    }
}

impl Raw {
    fn parse(query: &str) -> Self {
        Self(url::form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// Checks that all are among `known` (names and meanings), once each. A known name that ends in `.*` allows any that begin with it.
    ///
    /// # Errors
    /// `validation_failed`, pointing at the parameter.
    pub(crate) fn only(self, known: &[(&'static str, &'static str)]) -> Result<Query, Error> {
        let is_known = |name: &str| {
            known.iter().any(|(known, _)| match known.strip_suffix('*') {
                Some(prefix) => name.len() > prefix.len() && name.starts_with(prefix),
                None => *known == name,
            })
        };
        for (index, (name, value)) in self.0.iter().enumerate() {
            if !is_known(name) {
                let near = json::nearest(name, known.iter().map(|(known, _)| *known));
                let hint = near.map_or_else(String::new, |near| format!("; did you mean \"{near}\"?"));
                let message = format!("there is no parameter \"{name}\" here{hint}");
                return Err(finding(name, "unknown_parameter", message));
            }
            if self.0[..index].iter().any(|(earlier, _)| earlier == name) {
                return Err(finding(name, "duplicate_parameter", format!("\"{name}\" is there twice")));
            }
            if value.chars().chain(name.chars()).any(char::is_control) {
                return Err(finding(name, "control_character", format!("\"{name}\" holds a control character")));
            }
        }
        Ok(Query(self.0))
    }
}

/// Checked parameters.
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// The value of a parameter.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The value as `read` understands it; `what` ends the sentence "… is not".
    pub(crate) fn parsed<T>(
        &self,
        name: &str,
        what: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let refused = || finding(name, "invalid_value", format!("{name} is not {what}"));
        read(text).map(Some).ok_or_else(refused)
    }

    /// A time (RFC 3339).
    pub(crate) fn time(&self, name: &str) -> Result<Option<Timestamp>, Error> {
        // A `+` that was not percent-encoded has become a space.
        let read =
            |text: &str| DateTime::parse_from_rfc3339(&text.replace(' ', "+")).ok().map(|at| at.with_timezone(&Utc));
        self.parsed(name, "a time such as 2026-11-23T07:33:10Z", read)
    }

    /// A channel, by any of its names.
    pub(crate) fn channel(&self) -> Result<Option<Channel>, Error> {
        self.text("channel").map(str::parse).transpose()
    }

    /// A status, by its name.
    pub(crate) fn status(&self) -> Result<Option<Status>, Error> {
        let Some(word) = self.text("status") else { return Ok(None) };
        Status::parse(word).map(Some).ok_or_else(|| {
            let near = json::nearest(word, Status::ALL.iter().map(|status| status.as_str()));
            let hint = near.map_or_else(String::new, |near| format!("; did you mean \"{near}\"?"));
            finding("status", "invalid_value", format!("\"{word}\" is not a status{hint}"))
        })
    }

    /// `limit` and `cursor`.
    pub(crate) fn page(&self) -> Result<PageRequest, Error> {
        let limit = self.parsed("limit", "a number from 1 to 200", |text| text.parse().ok())?;
        Ok(PageRequest { limit, cursor: self.text("cursor").map(str::to_owned) })
    }

    /// All that begin with `prefix`, without it.
    pub(crate) fn under(&self, prefix: &str) -> Vec<(String, String)> {
        let strip = |(name, value): &(String, String)| Some((name.strip_prefix(prefix)?.to_owned(), value.clone()));
        self.0.iter().filter_map(strip).collect()
    }
}

fn finding(name: &str, code: &'static str, message: String) -> Error {
    let name = name.replace('~', "~0").replace('/', "~1");
    Error::invalid(FieldError::new(format!("/{name}"), code, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[(&str, &str)] = &[("status", ""), ("since", ""), ("limit", ""), ("cursor", ""), ("metadata.*", "")];

    fn refused(query: &str) -> (String, String) {
        let error = Raw::parse(query).only(KNOWN).err().unwrap();
        (error.fields[0].pointer.clone(), error.detail)
    }

    #[test]
    fn what_is_not_known_is_refused_with_a_hint() {
        let (pointer, detail) = refused("statos=sent");
        assert_eq!(pointer, "/statos");
        assert!(detail.ends_with("did you mean \"status\"?"), "{detail}");
        assert_eq!(refused("a/b=1").0, "/a~1b");
        assert_eq!(refused("metadata.=1").0, "/metadata.");
        assert_eq!(refused("status=a&status=b").0, "/status");
        assert_eq!(refused("status=a%00").0, "/status");
    }

    #[test]
    fn values_are_read() {
        let query = Raw::parse("since=2026-11-23T08:33:10+01:00&metadata.a.b=x%20y&limit=7").only(KNOWN).ok().unwrap();
        assert_eq!(query.time("since").unwrap().unwrap().to_rfc3339(), "2026-11-23T07:33:10+00:00");
        assert_eq!(query.under("metadata."), [("a.b".to_owned(), "x y".to_owned())]);
        assert_eq!(query.page().unwrap().limit, Some(7));
        let query = Raw::parse("since=yesterday&limit=many").only(KNOWN).ok().unwrap();
        assert!(query.time("since").is_err() && query.page().is_err());
    }
}
