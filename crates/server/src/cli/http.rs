//! The small REST client of the command line.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use url::Url;

use super::args::Reach;
use crate::config::resolve::{Sources, single};
use crate::exit::{Failure, Problem};

/// A server, and who we are to it.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    base: Url,
    api_key: Option<HeaderValue>,
    tenant: Option<String>,
    http: reqwest::Client,
}

/// The longest that an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

impl Client {
    /// The server that the command line, the environment or `PORT` names.
    pub(crate) fn new(reach: &Reach) -> Result<Self, Failure> {
        let base = match reach.url.as_ref().filter(|url| !url.is_empty()) {
            Some(url) => url.clone(),
            None => format!(
                "http://localhost:{}",
                single("PORT", &Sources::of_process(std::collections::BTreeMap::new()))?.unwrap_or_default()
            ),
        };
        let base = Url::parse(&base)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| {
                Failure::Usage(format!("\"{base}\" is not the URL of a server, such as http://localhost:3000"))
            })?;
        let api_key = reach.api_key.as_deref().filter(|key| !key.is_empty()).map(secret_header).transpose()?;
        Ok(Self { base, api_key, tenant: reach.tenant.clone(), http: http()? })
    }

    /// Where the server is, without a slash at the end.
    pub(crate) fn base(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// `GET` below `/api/v1`.
    pub(crate) async fn get(&self, path: &[&str], query: &[(&str, String)]) -> Result<Value, Failure> {
        let mut url = self.api(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.call(self.request(Method::GET, url)).await
    }

    /// `POST` below `/api/v1`, without a body if there is nothing to say.
    pub(crate) async fn post(&self, path: &[&str], body: Option<&Value>) -> Result<Value, Failure> {
        self.call(with_body(self.request(Method::POST, self.api(path)), body)).await
    }

    /// `POST` that happens once per key.
    pub(crate) async fn post_once(&self, path: &[&str], body: &Value, key: Option<&str>) -> Result<Value, Failure> {
        let mut request = with_body(self.request(Method::POST, self.api(path)), Some(body));
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        self.call(request).await
    }

    /// `PATCH` below `/api/v1`.
    pub(crate) async fn patch(&self, path: &[&str], body: &Value) -> Result<Value, Failure> {
        self.call(with_body(self.request(Method::PATCH, self.api(path)), Some(body))).await
    }

    /// `DELETE` below `/api/v1`.
    pub(crate) async fn delete(&self, path: &[&str]) -> Result<Value, Failure> {
        self.call(self.request(Method::DELETE, self.api(path))).await
    }

    /// `GET` outside the version, such as `/health`.
    pub(crate) async fn get_plain(&self, path: &[&str]) -> Result<Value, Failure> {
        self.call(self.request(Method::GET, self.at(path))).await
    }

    /// All pages of a list, up to `limit` elements.
    pub(crate) async fn all(
        &self,
        path: &[&str],
        query: &[(&str, String)],
        limit: usize,
    ) -> Result<Vec<Value>, Failure> {
        let mut found = Vec::new();
        let mut cursor: Option<String> = None;
        while found.len() < limit {
            let mut query = query.to_vec();
            query.push(("limit", (limit - found.len()).min(200).to_string()));
            query.extend(cursor.map(|cursor| ("cursor", cursor)));
            let mut page = self.get(path, &query).await?;
            if let Value::Array(rows) = page["data"].take() {
                found.extend(rows);
            }
            cursor = page["next"].as_str().map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
        Ok(found)
    }

    fn api(&self, path: &[&str]) -> Url {
        self.at(&[&["api", "v1"], path].concat())
    }

    /// Segments are escaped, so that a code with a slash in it stays one segment.
    fn at(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let mut request = self.http.request(method, url);
        if let Some(key) = &self.api_key {
            request = request.header("X-API-Key", key);
        }
        if let Some(tenant) = &self.tenant {
            request = request.header("X-Tenant-ID", tenant);
        }
        request
    }

    async fn call(&self, request: RequestBuilder) -> Result<Value, Failure> {
        let unreachable =
            |error: reqwest::Error| Failure::Unreachable { url: self.base().to_owned(), why: innermost(&error) };
        let answer = request.send().await.map_err(unreachable)?;
        let status = answer.status();
        let bytes = answer.bytes().await.map_err(unreachable)?;
        let body: Option<Value> =
            if bytes.is_empty() { Some(Value::Null) } else { serde_json::from_slice(&bytes).ok() };
        match body {
            Some(body) if status.is_success() => Ok(body),
            Some(body) if body["code"].is_string() => Err(Failure::Problem(Problem { status: status.as_u16(), body })),
            body => {
                let detail =
                    if status.is_success() { "what answers there is not Carillon" } else { "no reason was given" };
                let mut problem = json!({"code": status.as_str(), "detail": detail});
                if let Some(body) = body.filter(Value::is_object) {
                    problem["answer"] = body;
                }
                Err(Failure::Problem(Problem {
                    status: if status.is_success() { 502 } else { status.as_u16() },
                    body: problem,
                }))
            }
        }
    }
}

fn with_body(request: RequestBuilder, body: Option<&Value>) -> RequestBuilder {
    match body {
        Some(body) => request.header(CONTENT_TYPE, "application/json").body(body.to_string()),
        None => request,
    }
}

fn secret_header(key: &str) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::from_str(key)
        .map_err(|_| Failure::Usage("the API key holds characters that no key has".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

#[expect(clippy::disallowed_methods, reason = "the command line's own client: it must not pull in a provider's")]
fn http() -> Result<reqwest::Client, Failure> {
    // A second installation in one process, as in tests, changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .timeout(PATIENCE)
        .connect_timeout(Duration::from_secs(5))
        .user_agent(concat!("carillon-cli/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| Failure::plain(format!("cannot make an HTTP client: {}", innermost(&error))))
}

/// The last cause: "connection refused", not "error sending request".
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests;
