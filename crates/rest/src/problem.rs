//! Errors on the wire: `application/problem+json` (RFC 9457) from the one table of [`ErrorCode`].

use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use carillon_domain::{Error, ErrorCode, FieldError};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::ids::Ids;

/// The media type of a problem.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// How long a client should wait that was refused for lack of room, unless the error knows better.
const RETRY_AFTER_SECONDS: u64 = 1;

/// What a handler or an extractor fails with. `edge` writes the body, because it knows the path and the ids.
#[derive(Debug)]
pub(crate) struct Problem(Error);

/// The failure on its way from the handler to the edge.
#[derive(Debug, Clone)]
pub(crate) struct Failure(pub(crate) Arc<Error>);

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = status(self.0.code).into_response();
        response.extensions_mut().insert(Failure(Arc::new(self.0)));
        response
    }
}

/// The body.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProblemBody<'a> {
    /// Where the code is explained.
    r#type: String,
    /// The code's title.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// The stable word.
    code: &'a str,
    /// One sentence.
    detail: &'a str,
    /// The path of the request.
    instance: &'a str,
    /// The request's id, for support.
    request_id: &'a str,
    /// Which fields of the input.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(value_type = Vec<FieldProblem>)]
    errors: &'a [FieldError],
}

/// One field and what is wrong with it.
#[derive(Debug, utoipa::ToSchema)]
#[expect(dead_code, reason = "describes `FieldError`, which knows nothing of OpenAPI")]
pub(crate) struct FieldProblem {
    /// JSON pointer into the body, or `/` and the name of a query parameter.
    pointer: String,
    /// A stable word.
    code: String,
    /// One sentence.
    message: String,
}

/// `error` as an answer to the request with these ids at `instance`.
pub(crate) fn answer(error: &Error, ids: &Ids, instance: &str) -> Response {
    let body = ProblemBody {
        r#type: format!("/problems/{}", error.code),
        title: error.code.title(),
        status: error.code.http_status(),
        code: error.code.as_str(),
        detail: &error.detail,
        instance,
        request_id: ids.request(),
        errors: &error.fields,
    };
    let body = serde_json::to_vec(&body).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status(error.code);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if error.code == ErrorCode::Unauthenticated {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"carillon\""));
    }
    if let Some(seconds) = retry_after(error) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Whole seconds, rounded up: coming back too early helps nobody.
fn retry_after(error: &Error) -> Option<u64> {
    let known = error.retry_after.map(|after| after.as_secs() + u64::from(after.subsec_nanos() > 0));
    let known = known.map(|seconds| seconds.max(1));
    known.or_else(|| (error.code.http_status() == 503).then_some(RETRY_AFTER_SECONDS))
}

/// The HTTP status of a code.
pub(crate) fn status(code: ErrorCode) -> StatusCode {
    StatusCode::from_u16(code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The error for an answer that something below us made without one of ours: axum's 404 and 405, for instance.
pub(crate) fn from_status(status: StatusCode) -> Error {
    let code = ErrorCode::ALL.iter().copied().find(|code| code.http_status() == status.as_u16());
    let code = code.unwrap_or(if status.is_client_error() { ErrorCode::InvalidRequest } else { ErrorCode::Internal });
    let detail = match code {
        ErrorCode::NotFound => "there is nothing at this path",
        ErrorCode::MethodNotAllowed => "this path does not know the method; the header Allow names those that it knows",
        ErrorCode::InvalidRequest => "the request cannot be read",
        _ => code.title(),
    };
    Error::new(code, detail)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use carillon_domain::time::{SystemClock, SystemEntropy};
    use http::HeaderMap;
    use http_body_util::BodyExt as _;
    use serde_json::{Value, json};

    use super::*;

    async fn answered(error: &Error) -> (http::response::Parts, Value) {
        let ids = Ids::of(&HeaderMap::new(), &SystemClock, &SystemEntropy);
        let (parts, body) = answer(error, &ids, "/api/v1/x").into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (parts, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn every_code_has_its_status_and_its_page() {
        for &code in ErrorCode::ALL {
            let (parts, body) = answered(&Error::new(code, "so it is")).await;
            assert_eq!(parts.status.as_u16(), code.http_status());
            assert_eq!(parts.headers[header::CONTENT_TYPE], MEDIA_TYPE);
            assert_eq!(body["code"], code.as_str());
            assert_eq!(body["type"], format!("/problems/{code}"));
            assert_eq!(body["status"], code.http_status());
            assert_eq!(body["instance"], "/api/v1/x");
            assert_eq!(parts.headers.contains_key(header::RETRY_AFTER), code.http_status() == 503);
            assert_eq!(parts.headers.contains_key(header::WWW_AUTHENTICATE), code.http_status() == 401);
        }
    }

    #[tokio::test]
    async fn fields_are_named_and_causes_are_not() {
        let mut error = Error::invalid(FieldError::new("/recipient/email", "invalid_email", "no"));
        error.source = Some("secret".into());
        let (_, body) = answered(&error).await;
        assert_eq!(body["errors"], json!([{"pointer": "/recipient/email", "code": "invalid_email", "message": "no"}]));
        assert!(!body.to_string().contains("secret"));
    }

    #[tokio::test]
    async fn waiting_is_rounded_up() {
        let error = Error::new(ErrorCode::RateLimited, "slowly").with_retry_after(Duration::from_millis(1200));
        assert_eq!(answered(&error).await.0.headers[header::RETRY_AFTER], "2");
    }

    #[test]
    fn the_page_about_errors_has_every_code() {
        let page = include_str!("../../../docs/errors.md");
        for code in ErrorCode::ALL {
            let row = format!("| `{code}` | {} |", code.http_status());
            assert!(page.contains(&row), "docs/errors.md lacks {row}");
        }
    }
}
