//! The one place that makes HTTP clients for providers, and the one way to call: exact about whether anything of the
//! request's body was written.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use carillon_domain::Error;
use http_body::{Body, Frame, SizeHint};
use reqwest::header::HeaderMap;
use reqwest::{RequestBuilder, Response, Url};
use tokio::time::{Instant, timeout_at};

/// The most that is read of an answer, in bytes.
pub const LONGEST_ANSWER: usize = 64 * 1024;

/// How long making a connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// Makes ring the process's TLS provider. Whoever makes a TLS configuration calls this first: rustls panics otherwise
/// when more than one provider, or none, was compiled in.
pub fn install_crypto() {
    // An error says that one is installed already, which is what we want.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// An HTTP client for provider calls: pooled keep-alive connections, no redirects, no proxy from the environment, no
/// retries. Clones share the pool.
#[derive(Debug, Clone)]
pub struct HttpClient(reqwest::Client);

/// A call that got no answer.
#[derive(Debug)]
pub struct NoAnswer {
    /// A stable word: `timeout`, `connection_failed`, `connection_lost`.
    pub code: &'static str,
    /// Whether anything of the body may have reached the provider.
    pub written: bool,
    /// Why, for the timeline.
    pub message: String,
}

impl HttpClient {
    /// A client.
    ///
    /// # Errors
    /// `internal` if the TLS roots of the platform cannot be loaded.
    pub fn new() -> Result<Self, Error> {
        install_crypto();
        #[expect(clippy::disallowed_methods, reason = "the one place that makes HTTP clients")]
        let builder = reqwest::Client::builder();
        let client = builder
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            // One connection per call in flight: a lost connection then leaves one message in doubt, not a hundred.
            .http1_only()
            .no_gzip()
            .connect_timeout(CONNECT)
            .pool_max_idle_per_host(512)
            // Shorter than the 60 s after which load balancers close: a closed connection is a failed send.
            .pool_idle_timeout(Duration::from_secs(50))
            .tcp_keepalive(Duration::from_secs(30))
            .user_agent(concat!("carillon/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(Error::internal)?;
        Ok(Self(client))
    }

    /// Posts `body` and gives the answer's head. Ends by `deadline`.
    ///
    /// # Errors
    /// [`NoAnswer`], which says whether the provider may have the request.
    pub async fn post(
        &self,
        url: Url,
        headers: HeaderMap,
        body: Bytes,
        deadline: Instant,
    ) -> Result<Response, NoAnswer> {
        let written = Arc::new(AtomicBool::new(false));
        let body = Watched { bytes: Some(body), written: Arc::clone(&written) };
        let call = self.0.post(url).headers(headers).body(reqwest::Body::wrap(body));
        answered(call, &written, deadline).await
    }

    /// Asks for what changes nothing. Ends by `deadline`.
    ///
    /// # Errors
    /// [`NoAnswer`]; nothing was written that matters.
    pub async fn get(&self, url: Url, headers: HeaderMap, deadline: Instant) -> Result<Response, NoAnswer> {
        answered(self.0.get(url).headers(headers), &AtomicBool::new(false), deadline).await
    }
}

async fn answered(call: RequestBuilder, written: &AtomicBool, deadline: Instant) -> Result<Response, NoAnswer> {
    match timeout_at(deadline, call.send()).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(error)) => {
            let written = written.load(Ordering::Acquire);
            let code = if error.is_timeout() {
                "timeout"
            } else if written {
                "connection_lost"
            } else {
                "connection_failed"
            };
            Err(NoAnswer { code, written, message: causes(&error) })
        }
        Err(_) => Err(NoAnswer {
            code: "timeout",
            written: written.load(Ordering::Acquire),
            message: "the provider did not answer in time".to_owned(),
        }),
    }
}

/// What there is of an answer's body by `deadline`, up to [`LONGEST_ANSWER`]. An answer that cannot be read to its end is
/// as good as its beginning: the status has said what matters.
pub async fn beginning(response: &mut Response, deadline: Instant) -> Vec<u8> {
    let mut read = Vec::new();
    while let Ok(Ok(Some(chunk))) = timeout_at(deadline, response.chunk()).await {
        let room = LONGEST_ANSWER - read.len();
        read.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if read.len() == LONGEST_ANSWER {
            break;
        }
    }
    read
}

/// The innermost cause, without the URL (which may hold an id).
fn causes(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// A body that notes when it is first asked for its bytes. Until then a request with a `Content-Length` cannot be
/// complete at the other end, whatever was written of its head.
struct Watched {
    bytes: Option<Bytes>,
    written: Arc<AtomicBool>,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.written.store(true, Ordering::Release);
        Poll::Ready(self.bytes.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}
