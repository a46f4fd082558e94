//! Reads JSON, strictly: the right media type, bounded, no duplicate keys, and a pointer to whatever is wrong.

mod scan;

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use carillon_domain::{Error, ErrorCode, FieldError, json};
use http::{HeaderMap, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::Shared;
use crate::body;
use crate::problem::Problem;

const UNREADABLE: &str = "this holds half a surrogate pair, or a number beyond all bounds";

/// A body of at most 1 MiB, read into `T`.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Shared> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &Shared) -> Result<Self, Problem> {
        let bytes = received(request, body::LIMIT).await?;
        scan::check(&bytes)?;
        Ok(Self(read(&bytes, "")?))
    }
}

/// The checked bytes of a batch, at most 8 MiB, whose items are read one by one.
pub(crate) struct BatchBytes {
    pub(crate) bytes: Bytes,
    /// Some item holds U+0000.
    has_nul: bool,
}

impl BatchBytes {
    /// Reads one item, with pointers from there.
    ///
    /// # Errors
    /// `validation_failed`, also for what only a parser of values sees, such as half a surrogate pair: the batch around
    /// it was JSON, and the other items are not at fault.
    pub(crate) fn item<'a, T: Deserialize<'a>>(&self, item: &'a RawValue) -> Result<T, Error> {
        let bytes = item.get().as_bytes();
        if self.has_nul {
            scan::check(bytes)?;
        }
        read(bytes, "").map_err(|error| match error.code {
            ErrorCode::InvalidRequest => Error::invalid(FieldError::new("", "unreadable", UNREADABLE)),
            _ => error,
        })
    }
}

impl FromRequest<Shared> for BatchBytes {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &Shared) -> Result<Self, Problem> {
        let bytes = received(request, body::BATCH_LIMIT).await?;
        let has_nul = scan::check_but_nul(&bytes)?;
        Ok(Self { bytes, has_nul })
    }
}

/// The body of an action: none, whatever its media type, or `{}`.
pub(crate) struct NoBody;

impl FromRequest<Shared> for NoBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &Shared) -> Result<Self, Problem> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Empty {}

        let (parts, body) = request.into_parts();
        let bytes = body::read(&parts.headers, body, body::LIMIT).await?;
        if !bytes.trim_ascii().is_empty() {
            scan::check(&bytes)?;
            read::<Empty>(&bytes, "")?;
        }
        Ok(Self)
    }
}

async fn received(request: Request, limit: usize) -> Result<Bytes, Error> {
    let (parts, body) = request.into_parts();
    if !is_json(&parts.headers) {
        return Err(Error::new(ErrorCode::UnsupportedMediaType, "the body must be application/json"));
    }
    body::read(&parts.headers, body, limit).await
}

/// `application/json`, with or without parameters.
fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

/// Reads an object at the pointer `at`. The slow way, which knows where it is, is gone only when the fast one failed.
///
/// # Errors
/// `invalid_request` if it is not JSON, `validation_failed` with a pointer if it is not a `T`.
pub(crate) fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8], at: &str) -> Result<T, Error> {
    match serde_json::from_slice(bytes) {
        Ok(json::Object(read)) => Ok(read),
        Err(error) => Err(explain::<T>(bytes, at, &error)),
    }
}

fn explain<'a, T: Deserialize<'a>>(bytes: &'a [u8], at: &str, fast: &serde_json::Error) -> Error {
    // Whether it is JSON at all comes first: `{"chanel":1,` is not JSON, whatever its fields.
    if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(bytes) {
        return not_json(&error);
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    match serde_path_to_error::deserialize::<_, json::Object<T>>(&mut deserializer) {
        Ok(_) => not_json(fast),
        Err(error) => {
            let pointer = json::pointer(at, error.path());
            let error = error.into_inner();
            match error.classify() {
                Category::Data => json::field_error(pointer, &error.to_string()),
                _ => not_json(&error),
            }
        }
    }
}

fn not_json(error: &serde_json::Error) -> Error {
    // Without serde's sentence: it may quote the input.
    let detail = match (error.line(), error.column()) {
        (0, _) => "the body is not JSON".to_owned(),
        (line, column) => format!("the body is not JSON: line {line}, column {column}"),
    };
    Error::new(ErrorCode::InvalidRequest, detail)
}

#[cfg(test)]
mod tests;
