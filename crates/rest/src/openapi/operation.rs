use carillon_domain::{Action, ErrorCode};
use http::Method;

/// One route as a client should know it.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) method: Method,
    /// With axum's parameters, which OpenAPI writes alike.
    pub(crate) path: &'static str,
    pub(crate) id: &'static str,
    pub(crate) summary: &'static str,
    /// What the credentials must allow; `None`: open to everybody.
    pub(crate) action: Option<Action>,
    pub(crate) query: &'static [(&'static str, &'static str)],
    pub(crate) body: Option<&'static str>,
    pub(crate) idempotent: bool,
    pub(crate) answer: Answer,
    pub(crate) fails: Vec<ErrorCode>,
}

/// What comes back if all goes well.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    /// That status with a schema.
    One(u16, &'static str),
    /// 200 with a page of a schema.
    Page(&'static str),
    /// 204.
    Nothing,
    /// 200 with text of a media type.
    Text(&'static str),
}

impl Operation {
    fn new(method: Method, path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self {
            method,
            path,
            id,
            summary,
            action: None,
            query: &[],
            body: None,
            idempotent: false,
            answer: Answer::Nothing,
            fails: Vec::new(),
        }
    }

    pub(crate) fn get(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new(Method::GET, path, id, summary)
    }

    pub(crate) fn post(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new(Method::POST, path, id, summary)
    }

    pub(crate) fn put(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new(Method::PUT, path, id, summary)
    }

    pub(crate) fn patch(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new(Method::PATCH, path, id, summary)
    }

    pub(crate) fn delete(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new(Method::DELETE, path, id, summary)
    }

    /// Needs credentials that allow `action`.
    pub(crate) fn needs(mut self, action: Action) -> Self {
        self.action = Some(action);
        self
    }

    /// Takes these query parameters: name and meaning.
    pub(crate) fn query(mut self, parameters: &'static [(&'static str, &'static str)]) -> Self {
        self.query = parameters;
        self
    }

    /// Takes a body of that schema.
    pub(crate) fn body(mut self, schema: &'static str) -> Self {
        self.body = Some(schema);
        self
    }

    /// Takes an `Idempotency-Key`.
    pub(crate) fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self.fails.extend([ErrorCode::IdempotencyInProgress, ErrorCode::IdempotencyMismatch]);
        self
    }

    /// Answers like this.
    pub(crate) fn answers(mut self, answer: Answer) -> Self {
        self.answer = answer;
        self
    }

    /// May fail like this too.
    pub(crate) fn fails(mut self, code: ErrorCode) -> Self {
        self.fails.push(code);
        self
    }

    /// Every way in which it can fail, in the order of the table.
    pub(crate) fn failures(&self) -> Vec<ErrorCode> {
        use ErrorCode::{DeadlineExceeded, Forbidden, Internal, InvalidRequest, NotFound, Overloaded, PayloadTooLarge};
        use ErrorCode::{Unauthenticated, Unavailable, UnsupportedMediaType, ValidationFailed};
        let mut failures = self.fails.clone();
        failures.push(Internal);
        if self.action.is_some() {
            failures.extend([InvalidRequest, Unauthenticated, Forbidden, Unavailable, Overloaded, DeadlineExceeded]);
        }
        if self.path.contains('{') {
            failures.push(NotFound);
        }
        if self.body.is_some() {
            failures.extend([PayloadTooLarge, UnsupportedMediaType, ValidationFailed]);
        }
        if !self.query.is_empty() {
            failures.push(ValidationFailed);
        }
        ErrorCode::ALL.iter().copied().filter(|code| failures.contains(code)).collect()
    }

    /// The group that it is shown in: the first word of its path.
    pub(crate) fn tag(&self) -> &'static str {
        let path = self.path.strip_prefix("/api/v1/").unwrap_or("system");
        path.split('/').next().unwrap_or("system")
    }
}
