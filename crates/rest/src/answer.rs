//! Answers in JSON.

use axum::body::Body;
use axum::response::Response;
use carillon_app::Listed;
use carillon_domain::Error;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::problem::Problem;

/// What every handler returns.
pub(crate) type Answer = Result<Response, Problem>;

/// A page of a list.
#[derive(Serialize)]
struct Page<T> {
    data: Vec<T>,
    next: Option<String>,
}

/// `value` with that status.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    let body = serde_json::to_vec(value).map_err(Error::internal)?;
    Ok(text(status, body))
}

/// `200` with `value`.
pub(crate) fn ok(value: &impl Serialize) -> Answer {
    json(StatusCode::OK, value)
}

/// A page of rows, each converted.
pub(crate) fn list<T, U: Serialize>(listed: Listed<T>, convert: impl FnMut(T) -> U) -> Answer {
    let listed = listed.map(convert);
    ok(&Page { data: listed.data, next: listed.next })
}

/// `201` with `value`, which is at `location` from now on.
pub(crate) fn created(location: &str, value: &impl Serialize) -> Answer {
    let mut response = json(StatusCode::CREATED, value)?;
    locate(&mut response, location);
    Ok(response)
}

/// `204`.
pub(crate) fn nothing() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// JSON text with that status.
pub(crate) fn text(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// `202` with JSON text, after the commit; `replayed` says that it is the first call's answer again.
pub(crate) fn accepted(body: String, replayed: bool) -> Response {
    let mut response = text(StatusCode::ACCEPTED, body);
    if replayed {
        response.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
    }
    response
}

/// Says where it is.
pub(crate) fn locate(response: &mut Response, location: &str) {
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
}
