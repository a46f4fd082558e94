//! What every request goes through, in one layer: a layer each would cost an allocation each.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use carillon_domain::{Error, ErrorCode};
use futures_util::FutureExt as _;
use http::{HeaderValue, Uri, header};
use tracing::Instrument as _;

use crate::ids::Ids;
use crate::problem::{self, Failure};
use crate::{RestState, Shared};

/// The longest that an answer may take. What was handed to the store is written nevertheless.
const DEADLINE: Duration = Duration::from_secs(30);

/// Gives ids, bounds the time, catches panics, turns failures into problems, counts.
pub(crate) async fn edge(State(state): State<Shared>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let ids = Ids::of(request.headers(), &*state.clock, &*state.entropy);
    let method = request.method().clone();
    let uri = request.uri().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
    let span = tracing::info_span!(
        "request",
        request_id = ids.request(),
        correlation_id = ids.correlation(),
        method = method.as_str(),
        route
    );
    request.extensions_mut().insert(ids.clone());

    let run = AssertUnwindSafe(next.run(request)).catch_unwind();
    let outcome = tokio::time::timeout(DEADLINE, run).instrument(span.clone()).await;
    let response = span.in_scope(|| match outcome {
        Ok(Ok(response)) => finish(response, &ids, &uri),
        Ok(Err(_)) => refuse(&Error::internal("a handler panicked"), &ids, &uri),
        Err(_) => refuse(&Error::new(ErrorCode::DeadlineExceeded, "the answer took too long"), &ids, &uri),
    });
    observe(&state, method.as_str(), route, &response, started.elapsed(), &span);
    response
}

/// A failure gets its body, and an error that axum made becomes one of ours; pages for people stay as they are.
fn finish(mut response: Response, ids: &Ids, uri: &Uri) -> Response {
    let failure = response.extensions_mut().remove::<Failure>();
    let status = response.status();
    let mut response = if let Some(Failure(error)) = failure {
        refuse(&error, ids, uri)
    } else if (status.is_client_error() || status.is_server_error()) && !has_page(&response) {
        let allow = response.headers_mut().remove(header::ALLOW);
        let mut problem = refuse(&problem::from_status(status), ids, uri);
        if let Some(allow) = allow {
            problem.headers_mut().insert(header::ALLOW, allow);
        }
        problem
    } else {
        response
    };
    let headers = response.headers_mut();
    ids.stamp(headers);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn refuse(error: &Error, ids: &Ids, uri: &Uri) -> Response {
    let cause = error.source.as_ref().map(tracing::field::display);
    match error.code {
        ErrorCode::Internal => tracing::error!(cause, "request failed"),
        ErrorCode::Unavailable | ErrorCode::DeadlineExceeded => {
            tracing::warn!(code = error.code.as_str(), cause, "request refused");
        }
        _ => tracing::debug!(code = error.code.as_str(), cause, "request refused"),
    }
    let mut response = problem::answer(error, ids, uri.path());
    ids.stamp(response.headers_mut());
    response
}

fn has_page(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("text/html") || kind == problem::MEDIA_TYPE || kind == "application/json")
}

fn observe(state: &RestState, method: &str, route: &str, response: &Response, took: Duration, span: &tracing::Span) {
    let status = response.status().as_u16();
    state.meters.http.observe(method, route, status, took);
    span.in_scope(|| tracing::debug!(status, micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX), "answered"));
}
