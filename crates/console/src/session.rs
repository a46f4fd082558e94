//! The API key in a cookie: not readable by scripts, not sent by other sites, gone with the browser.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};

const COOKIE: &str = "carillon_sandbox";

/// The key that the browser keeps.
pub(crate) fn key(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, key)| key).filter(|key| !key.is_empty())
}

/// To the inbox, with the key.
pub(crate) fn open(key: &str, secure: bool) -> Response {
    to_inbox(&cookie(key, "", secure))
}

/// To the form, without it.
pub(crate) fn close() -> Response {
    to_inbox(&cookie("", "; Max-Age=0", false))
}

/// Whether the browser says that the form is ours. A client that says nothing is no browser, and holds no cookie of
/// somebody else's.
pub(crate) fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(site) = text("sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text("origin") else { return true };
    let host = origin.split_once("://").map(|(_, host)| host);
    host.is_some() && host == text("host")
}

/// Whether the browser came by HTTPS, as a proxy before us says.
pub(crate) fn is_secure(headers: &HeaderMap, uri: &Uri) -> bool {
    let forwarded = headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok());
    let origin = headers.get(header::ORIGIN).and_then(|value| value.to_str().ok());
    forwarded == Some("https") || uri.scheme_str() == Some("https") || origin.is_some_and(|o| o.starts_with("https://"))
}

fn cookie(key: &str, more: &str, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{COOKIE}={key}; Path=/sandbox; HttpOnly; SameSite=Strict{more}{secure}")
}

fn to_inbox(cookie: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, HeaderValue::from_static("/sandbox"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(mut cookie) = HeaderValue::from_str(cookie) {
        cookie.set_sensitive(true);
        headers.insert(header::SET_COOKIE, cookie);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(given: &[(&'static str, &'static str)]) -> HeaderMap {
        given.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn the_key_is_found_among_other_cookies() {
        assert_eq!(key(&headers(&[("cookie", "a=b; carillon_sandbox=ck_test_x; c=d")])), Some("ck_test_x"));
        assert_eq!(key(&headers(&[("cookie", "carillon_sandbox=")])), None);
        assert_eq!(key(&headers(&[("cookie", "xcarillon_sandbox=a")])), None);
    }

    #[test]
    fn the_cookie_is_kept_from_scripts_and_other_sites() {
        let response = open("ck_live_x", true);
        let cookie = response.headers()[header::SET_COOKIE].to_str().unwrap();
        assert_eq!(cookie, "carillon_sandbox=ck_live_x; Path=/sandbox; HttpOnly; SameSite=Strict; Secure");
        assert!(close().headers()[header::SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
    }

    #[test]
    fn forms_of_other_sites_are_refused() {
        for (given, ours) in [
            (headers(&[("sec-fetch-site", "same-origin")]), true),
            (headers(&[("sec-fetch-site", "cross-site")]), false),
            (headers(&[("sec-fetch-site", "same-site")]), false),
            (headers(&[("origin", "http://localhost:3000"), ("host", "localhost:3000")]), true),
            (headers(&[("origin", "https://evil.example"), ("host", "localhost:3000")]), false),
            (headers(&[("origin", "null"), ("host", "localhost:3000")]), false),
            (headers(&[]), true),
        ] {
            assert_eq!(is_same_origin(&given), ours, "{given:?}");
        }
    }
}
