//! Who asks: the context of every service call, from the request's head.

use axum::extract::FromRequestParts;
use carillon_app::{IdempotencyKey, OpCtx};
use carillon_domain::{Error, ErrorCode, Ref};
use http::request::Parts;
use http::{HeaderMap, header};

use crate::Shared;
use crate::ids::Ids;
use crate::problem::Problem;

/// An authenticated request.
pub(crate) struct Caller(pub(crate) OpCtx);

impl FromRequestParts<Shared> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, Problem> {
        let token = token(&parts.headers)?;
        let wanted = single(&parts.headers, "x-tenant-id")?;
        let principal = state.auth.authenticate(token).await?;
        let tenant = state.auth.tenant(&principal, wanted).await?;
        let now = state.clock.now();
        let ids = match parts.extensions.get::<Ids>() {
            Some(ids) => ids.clone(),
            None => Ids::of(&parts.headers, &*state.clock, &*state.entropy),
        };
        let (request_id, correlation_id) = (ids.request().to_owned(), ids.correlation().to_owned());
        Ok(Self(OpCtx { principal, tenant, request_id, correlation_id, now }))
    }
}

/// The `Idempotency-Key` header, if there.
pub(crate) struct Idempotency(pub(crate) Option<IdempotencyKey>);

impl FromRequestParts<Shared> for Idempotency {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &Shared) -> Result<Self, Problem> {
        let key = single(&parts.headers, "idempotency-key")?;
        Ok(Self(key.map(IdempotencyKey::new).transpose()?))
    }
}

/// A name in a path. What holds a control character names nothing, and no database needs to see it.
pub(crate) fn named(text: &str) -> Result<Ref, Error> {
    if text.chars().any(char::is_control) {
        return Err(Error::not_found("object"));
    }
    Ok(text.parse().unwrap_or_else(|never: std::convert::Infallible| match never {}))
}

/// The one value of a header. Two could be read differently by whoever stands before us, so neither counts.
fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Error> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Error::new(ErrorCode::InvalidRequest, format!("the header {name} is there twice")));
    }
    let value = value.to_str().map_err(|_| {
        Error::new(
            ErrorCode::InvalidRequest,
            format!("the header {name} holds characters that are not printable ASCII"),
        )
    })?;
    Ok(Some(value.trim()))
}

fn token(headers: &HeaderMap) -> Result<&str, Error> {
    let bearer = single(headers, header::AUTHORIZATION.as_str())?.map(bearer).transpose()?;
    let key = single(headers, "x-api-key")?;
    match (bearer, key) {
        (Some(bearer), Some(key)) if bearer != key => {
            Err(Error::new(ErrorCode::InvalidRequest, "Authorization and X-API-Key name different credentials"))
        }
        (Some(token), _) | (None, Some(token)) => Ok(token),
        (None, None) => Err(Error::new(
            ErrorCode::Unauthenticated,
            "credentials are missing: send \"Authorization: Bearer <api key>\" or \"X-API-Key: <api key>\"",
        )),
    }
}

fn bearer(value: &str) -> Result<&str, Error> {
    let scheme = value.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let refused = || Error::new(ErrorCode::Unauthenticated, "the scheme of Authorization is Bearer");
    scheme.map(|(_, token)| token.trim()).ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(given: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        let mut headers = HeaderMap::new();
        for (name, value) in given.iter().map(pair) {
            headers.append(name, value);
        }
        headers
    }

    #[test]
    fn either_header_carries_the_key() {
        for given in [
            headers(&[("authorization", "Bearer abc")]),
            headers(&[("authorization", "bearer  abc ")]),
            headers(&[("x-api-key", "abc")]),
            headers(&[("x-api-key", "abc"), ("authorization", "Bearer abc")]),
        ] {
            assert_eq!(token(&given).unwrap(), "abc");
        }
    }

    #[test]
    fn what_is_ambiguous_is_refused() {
        for (given, code) in [
            (headers(&[("x-api-key", "a"), ("authorization", "Bearer b")]), ErrorCode::InvalidRequest),
            (headers(&[("x-api-key", "a"), ("x-api-key", "a")]), ErrorCode::InvalidRequest),
            (headers(&[("authorization", "Basic abc")]), ErrorCode::Unauthenticated),
            (headers(&[("authorization", "Bearer")]), ErrorCode::Unauthenticated),
            (headers(&[]), ErrorCode::Unauthenticated),
        ] {
            assert_eq!(token(&given).unwrap_err().code, code, "{given:?}");
        }
    }

    #[test]
    fn a_control_character_names_nothing() {
        assert_eq!(named("a\0").unwrap_err().code, ErrorCode::NotFound);
        assert_eq!(named("7").unwrap(), Ref::Id(7));
    }
}
