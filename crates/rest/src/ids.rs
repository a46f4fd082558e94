//! The two ids that every request has and every answer carries.

use std::sync::Arc;

use carillon_domain::{Clock, Entropy};
use http::{HeaderMap, HeaderName, HeaderValue};

const REQUEST: HeaderName = HeaderName::from_static("x-request-id");
const CORRELATION: HeaderName = HeaderName::from_static("x-correlation-id");

/// The longest id that is taken from a client.
const LONGEST: usize = 128;

/// The ids of one request. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Ids(Arc<(String, String)>);

impl Ids {
    /// The client's, where they are sane; else the correlation id is the request id, and that is made.
    pub(crate) fn of(headers: &HeaderMap, clock: &dyn Clock, entropy: &dyn Entropy) -> Self {
        let request = sane(headers, &REQUEST).unwrap_or_else(|| entropy.uuid(clock.now()).to_string());
        let correlation = sane(headers, &CORRELATION).unwrap_or_else(|| request.clone());
        Self(Arc::new((request, correlation)))
    }

    pub(crate) fn request(&self) -> &str {
        &self.0.0
    }

    pub(crate) fn correlation(&self) -> &str {
        &self.0.1
    }

    /// Puts them on an answer.
    pub(crate) fn stamp(&self, headers: &mut HeaderMap) {
        for (name, id) in [(REQUEST, self.request()), (CORRELATION, self.correlation())] {
            if let Ok(value) = HeaderValue::from_str(id) {
                headers.insert(name, value);
            }
        }
    }
}

fn sane(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let id = headers.get(name)?.to_str().ok()?;
    let printable = id.bytes().all(|b| b.is_ascii_graphic());
    (printable && (1..=LONGEST).contains(&id.len())).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use carillon_domain::time::{SystemClock, SystemEntropy};

    use super::*;

    #[test]
    fn sane_ids_are_taken_and_others_made() {
        let ids = |request: &str| {
            let headers = HeaderMap::from_iter([(REQUEST, HeaderValue::from_bytes(request.as_bytes()).unwrap())]);
            Ids::of(&headers, &SystemClock, &SystemEntropy)
        };
        assert_eq!(ids("abc-1").request(), "abc-1");
        assert_eq!(ids("abc-1").correlation(), "abc-1");
        for insane in ["", "a b", "ä", &"x".repeat(129)] {
            assert_eq!(ids(insane).request().len(), 36, "{insane}");
        }
    }
}
