//! A row of the table.

use std::fmt;

use serde_json::Value;

use crate::world::World;

pub(crate) const SEND: &str = "/api/v1/notifications/send";
pub(crate) const BATCH: &str = "/api/v1/notifications/batch";

/// A request, and how it is refused.
pub(crate) struct Case {
    method: &'static str,
    path: String,
    key: Option<String>,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    status: u16,
    code: &'static str,
    pointer: Option<String>,
    says: Option<&'static str>,
}

impl Case {
    /// With the platform administrator's key; a body is JSON unless a header says otherwise.
    pub(crate) fn new(method: &'static str, path: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self {
            method,
            path: path.into(),
            key: None,
            headers: Vec::new(),
            body: body.into(),
            status: 422,
            code: "validation_failed",
            pointer: None,
            says: None,
        }
    }

    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new("GET", path, "")
    }

    pub(crate) fn post(path: impl Into<String>, body: &Value) -> Self {
        Self::new("POST", path, body.to_string())
    }

    pub(crate) fn send(body: &Value) -> Self {
        Self::post(SEND, body)
    }

    /// With another key; none at all if it is empty.
    pub(crate) fn key(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// A status other than 422.
    pub(crate) fn is(mut self, status: u16, code: &'static str) -> Self {
        (self.status, self.code) = (status, code);
        self
    }

    /// `validation_failed`, with this as its first pointer.
    pub(crate) fn at(mut self, pointer: impl Into<String>) -> Self {
        self.pointer = Some(pointer.into());
        self
    }

    /// The sentence has this in it.
    pub(crate) fn says(mut self, words: &'static str) -> Self {
        self.says = Some(words);
        self
    }

    pub(crate) async fn check(&self, world: &World) {
        let client = match &self.key {
            Some(key) => world.root.with_key(key),
            None => world.root.clone(),
        };
        let mut headers: Vec<_> = self.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let typed = headers.iter().any(|(name, _)| *name == "content-type");
        if !typed && self.method != "GET" && self.method != "DELETE" {
            headers.push(("content-type", "application/json"));
        }
        let answer = client.ask(self.method, &self.path, &headers, self.body.clone()).await;
        let problem = &answer.body;
        assert_eq!((answer.status, problem["code"].as_str()), (self.status, Some(self.code)), "{self:?} → {problem}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{self:?}");
        assert_eq!(
            (&problem["status"], &problem["type"]),
            (&self.status.into(), &format!("/problems/{}", self.code).into())
        );
        assert_eq!(problem["requestId"].as_str(), answer.header("x-request-id"), "{self:?}");
        let path = self.path.split('?').next().unwrap();
        assert_eq!(problem["instance"], path, "{self:?}");
        if let Some(pointer) = &self.pointer {
            assert_eq!(problem["errors"][0]["pointer"], pointer.as_str(), "{self:?} → {problem}");
        }
        if let Some(words) = self.says {
            assert!(problem["detail"].as_str().unwrap().contains(words), "{self:?} → {problem}");
        }
        match self.status {
            401 => assert!(answer.header("www-authenticate").is_some(), "{self:?}"),
            405 => assert!(answer.header("allow").is_some(), "{self:?}"),
            _ => {}
        }
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body: String = String::from_utf8_lossy(&self.body).chars().take(300).collect();
        write!(f, "{} {} {:?} {body:?}", self.method, self.path, self.headers)
    }
}
