//! Twilio SendGrid, `POST /v3/mail/send`. The pattern for every provider that is reached over HTTP.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use carillon_domain::content::Content;
use carillon_domain::delivery::{Failure, Outcome, Receipt};
use carillon_domain::message::Message;
use carillon_domain::{Clock, Error, ErrorCode, Timestamp};
use carillon_ports::ChannelProvider;
use carillon_resilience::retry_after;
use lettre::message::Mailbox;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Response, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;

use crate::http::{HttpClient, NoAnswer, beginning};
use crate::{address, text};

mod check;
mod request;

/// Where SendGrid lives, if no other base is given.
pub const BASE_URL: &str = "https://api.sendgrid.com";

/// What SendGrid needs.
#[derive(Clone)]
pub struct SendGridConfig {
    /// The API key; it needs the permission to send mail.
    pub api_key: SecretString,
    /// Scheme and host, such as [`BASE_URL`] or `https://api.eu.sendgrid.com`; `None`: the former.
    pub base_url: Option<String>,
    /// The sender, such as `Shop <no-reply@shop.example>`; SendGrid must have verified it.
    pub from: String,
    /// For `Retry-After` with a date.
    pub clock: Arc<dyn Clock>,
}

/// Sends mail through SendGrid.
pub struct SendGrid {
    client: HttpClient,
    url: Url,
    headers: HeaderMap,
    from: Mailbox,
    clock: Arc<dyn Clock>,
}

impl SendGrid {
    /// A provider that sends through `client`.
    ///
    /// # Errors
    /// `validation_failed` if the key, the base URL or the sender is not one.
    pub fn new(config: SendGridConfig, client: HttpClient) -> Result<Self, Error> {
        let refuse = |what: &str| Error::new(ErrorCode::ValidationFailed, format!("SendGrid: {what}"));
        let from = address::mailbox(&config.from).ok_or_else(|| refuse("the sender is not a mailbox"))?;
        let base = config.base_url.as_deref().unwrap_or(BASE_URL).trim_end_matches('/');
        let url = Url::parse(&format!("{base}/v3/mail/send"))
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| refuse("the base URL is not an http(s) URL"))?;
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", config.api_key.expose_secret()))
            .map_err(|_| refuse("the API key has characters that a header cannot carry"))?;
        bearer.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, bearer);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(Self { client, url, headers, from, clock: config.clock })
    }
}

#[async_trait]
impl ChannelProvider for SendGrid {
    fn kind(&self) -> &'static str {
        "sendgrid"
    }

    async fn send(&self, message: &Message, timeout: Duration) -> Outcome {
        let deadline = Instant::now() + timeout;
        let Content::Email(email) = &message.content else {
            return Outcome::Failed(Failure::of_message("wrong_channel", "SendGrid sends e-mail only"));
        };
        let body = match request::body(message, email, &self.from) {
            Ok(body) => Bytes::from(body),
            Err(failure) => return Outcome::Failed(failure),
        };
        match self.client.post(self.url.clone(), self.headers.clone(), body, deadline).await {
            Ok(response) => self.judge(response, message.to(), deadline).await,
            Err(NoAnswer { code, written, message }) => {
                let failure = Failure::of_provider(code, message);
                if written { Outcome::Unknown(failure) } else { Outcome::Retry(failure) }
            }
        }
    }
}

impl SendGrid {
    async fn judge(&self, mut response: Response, to: &str, deadline: Instant) -> Outcome {
        let status = response.status();
        if status == StatusCode::ACCEPTED {
            let id = response.headers().get("x-message-id").and_then(|id| id.to_str().ok());
            // An id is for people to look up; what is no plausible one must not swell the row.
            let provider_message_id = id.filter(|id| !id.is_empty() && id.len() <= 255).map(str::to_owned);
            return Outcome::Sent(Receipt { provider_message_id, ..Receipt::default() });
        }
        let after = wait(response.headers(), self.clock.now());
        let words = said(&beginning(&mut response, deadline).await);
        let told = format!("{}: {}", status.as_u16(), text::tell(&words, to));
        let provider = |code| Outcome::Retry(Failure::of_provider(code, told.clone()).with_retry_after(after));
        match status.as_u16() {
            400 => Outcome::Failed(Failure::of_message("rejected", told)),
            413 => Outcome::Failed(Failure::of_message("message_too_large", told)),
            401 => provider("authentication_refused"),
            403 => provider("forbidden_by_provider"),
            429 => provider("rate_limited"),
            // Something answers in SendGrid's place, or in a way that SendGrid does not document: it may have been taken.
            200..=299 => Outcome::Unknown(Failure::of_provider("unexpected_answer", told)),
            500..=599 => provider("provider_error"),
            // Redirects, a wrong base URL, a method or media type that the host does not know: nobody took it.
            _ => provider("unexpected_answer"),
        }
    }
}

/// When to come back: `Retry-After`, or SendGrid's own `X-RateLimit-Reset`, in Unix seconds.
fn wait(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(after) = header(RETRY_AFTER.as_str()).and_then(|value| retry_after::parse(value, now)) {
        return Some(after);
    }
    let reset: i64 = header("x-ratelimit-reset")?.trim().parse().ok()?;
    let seconds = reset.checked_sub(now.timestamp())?;
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)).min(retry_after::LONGEST))
}

/// The first error's message of SendGrid's `{"errors":[{"message":…}]}`, or the text as it is.
fn said(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Answer {
        errors: Vec<Item>,
    }
    #[derive(serde::Deserialize)]
    struct Item {
        message: String,
    }
    match serde_json::from_slice::<Answer>(body) {
        Ok(answer) => answer.errors.into_iter().next().map(|item| item.message).unwrap_or_default(),
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    }
}
