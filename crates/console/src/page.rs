//! The frame around every page, and the headers that keep it harmless.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};

use crate::html::Escaped;

/// No script runs, nothing is loaded from elsewhere but pictures, and nobody may frame us. The frame of an HTML e-mail
/// inherits this, so its own styles must be allowed.
const POLICY: &str = "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src https: data:; frame-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const STYLE: &str = include_str!("style.css");

/// What is shown.
pub(crate) struct Page {
    /// As text: it is escaped here.
    pub(crate) title: String,
    /// As HTML.
    pub(crate) body: String,
}

/// A whole page.
pub(crate) fn html(status: StatusCode, page: &Page) -> Response {
    let (title, body) = (Escaped(&page.title), &page.body);
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title} · Carillon</title>\n\
         <link rel=\"stylesheet\" href=\"/sandbox/style.css\">\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    );
    let mut response = Response::new(Body::from(page));
    *response.status_mut() = status;
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A page that says what went wrong.
pub(crate) fn error(status: StatusCode, sentence: &str) -> Response {
    let title = status.canonical_reason().unwrap_or("Error");
    let said = Escaped(sentence);
    let body = format!("<main><h1>{title}</h1><p>{said}</p><p><a href=\"/sandbox\">To the inbox</a></p></main>");
    html(status, &Page { title: title.to_owned(), body })
}

/// The style sheet.
pub(crate) fn style() -> Response {
    let mut response = Response::new(Body::from(STYLE));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=300"));
    response
}
