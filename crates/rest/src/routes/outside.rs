//! What is outside the version: health, metrics, the OpenAPI document, the pages of the problems.

use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse as _, Response};
use carillon_domain::{Error, ErrorCode};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::Routes;
use crate::Shared;
use crate::answer::{self, Answer};
use crate::openapi::{self, Operation, operation::Answer as Good};
use crate::problem::Problem;

pub(super) fn mount(routes: Routes) -> Routes {
    let health = |operation: Operation| operation.answers(Good::One(200, "HealthReport"));
    let word = |operation: Operation| operation.answers(Good::One(200, "HealthWord"));
    routes
        .add(health(Operation::get("/health", "getHealth", "How the process is")), report)
        .add(word(Operation::get("/health/live", "getLiveness", "Whether the process answers")), live)
        .add(word(Operation::get("/health/ready", "getReadiness", "Whether requests should come here")), ready)
        .add(
            Operation::get("/metrics", "getMetrics", "Metrics in the Prometheus text format")
                .answers(Good::Text("text/plain"))
                .fails(ErrorCode::Unauthenticated),
            metrics,
        )
        .add(
            Operation::get("/api/openapi.json", "getOpenApi", "This document").answers(Good::Text("application/json")),
            document,
        )
        .add(
            Operation::get("/problems/{code}", "getProblem", "What an error means").answers(Good::Text("text/html")),
            explain,
        )
}

/// Whatever no route has.
pub(crate) async fn unknown() -> Problem {
    Error::new(ErrorCode::NotFound, "there is nothing at this path").into()
}

async fn report(State(state): State<Shared>) -> Answer {
    answer::ok(&state.health.check().await)
}

async fn live() -> Answer {
    answer::ok(&json!({ "status": "ok" }))
}

async fn ready(State(state): State<Shared>) -> Answer {
    let ready = state.health.ready();
    let (status, word) = if ready { (StatusCode::OK, "ok") } else { (StatusCode::SERVICE_UNAVAILABLE, "degraded") };
    answer::json(status, &json!({ "status": word }))
}

async fn metrics(State(state): State<Shared>, headers: HeaderMap) -> Result<Response, Problem> {
    if let Some(token) = &state.settings.metrics_token {
        let given = headers.get(header::AUTHORIZATION).map_or(&b""[..], HeaderValue::as_bytes);
        let given = given.strip_prefix(b"Bearer ").unwrap_or_default();
        if !same(given, token.expose_secret().as_bytes()) {
            return Err(Error::new(ErrorCode::Unauthenticated, "the metrics ask for METRICS_TOKEN").into());
        }
    }
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Ok((kind, state.prometheus.render()).into_response())
}

/// Takes as long for a near miss as for a far one.
fn same(given: &[u8], expected: &[u8]) -> bool {
    let differ = given.iter().zip(expected).fold(0, |differ, (a, b)| differ | (a ^ b));
    given.len() == expected.len() && differ == 0
}

async fn document(State(state): State<Shared>) -> Response {
    let server = state.settings.public_url.as_deref();
    answer::text(StatusCode::OK, openapi::document(&super::all().operations, server))
}

async fn explain(Path(word): Path<String>, headers: HeaderMap) -> Answer {
    let code = ErrorCode::ALL.iter().copied().find(|code| code.as_str() == word);
    let code = code.ok_or_else(|| Error::not_found("problem"))?;
    let (title, status, help) = (code.title(), code.http_status(), help(code));
    let accepts = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if !accepts.contains("text/html") {
        let about = json!({ "type": format!("/problems/{code}"), "title": title, "status": status, "code": code, "help": help });
        return answer::ok(&about);
    }
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{title}</title>\
         <h1>{title}</h1><p><code>{code}</code>, HTTP {status}</p><p>{help}</p></html>"
    );
    Ok(Html(page).into_response())
}

/// What to do about it. Text of ours: nothing in it needs escaping.
fn help(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::InvalidRequest => {
            "The request could not be read: it is not JSON, has a key twice, nests deeper than 32, or a header or cursor is \
             not what it should be. Correct it; sending it again as it is will not help."
        }
        ErrorCode::Unauthenticated => {
            "Send an API key as \"Authorization: Bearer ck_…\" or \"X-API-Key: ck_…\". The key may be misspelt, revoked or expired."
        }
        ErrorCode::Forbidden => {
            "The credentials are valid, but their roles or scopes do not allow this, or the tenant is another's."
        }
        ErrorCode::NotFound => "There is nothing here, or it belongs to another tenant.",
        ErrorCode::MethodNotAllowed => {
            "The path exists, but not with this method. The header Allow names those that it knows."
        }
        ErrorCode::Conflict => "Something with this name is there already.",
        ErrorCode::InvalidState => {
            "The state of the object forbids this now: a sent message cannot be cancelled, for instance."
        }
        ErrorCode::IdempotencyInProgress => {
            "The first call with this Idempotency-Key is still running. Ask again in a moment."
        }
        ErrorCode::PayloadTooLarge => {
            "The body is at most 1 MiB, that of a batch 8 MiB, after decompression. Send less at once."
        }
        ErrorCode::UnsupportedMediaType => {
            "Send \"Content-Type: application/json\"; compress with gzip, br or not at all."
        }
        ErrorCode::ValidationFailed => {
            "The member \"errors\" names each field by its JSON pointer (a query parameter by \"/name\") and says what is wrong \
             with it. Nothing was stored."
        }
        ErrorCode::IdempotencyMismatch => {
            "This Idempotency-Key was used with another body within the last 72 h. Use a new key."
        }
        ErrorCode::RateLimited => "Too many requests. Wait as long as Retry-After says.",
        ErrorCode::QuotaExceeded => "The tenant's quota is used up.",
        ErrorCode::Internal => "A defect of ours. The log has the cause under the request's id; please report it.",
        ErrorCode::Unavailable => {
            "Something that we need is away. Nothing was accepted: send it again after Retry-After."
        }
        ErrorCode::Overloaded => {
            "There is more work than may wait. Nothing was accepted: send it again after Retry-After."
        }
        ErrorCode::DeadlineExceeded => {
            "The answer took longer than 30 s. A send may have been accepted: repeat it with the same Idempotency-Key."
        }
    }
}
