//! A stand-in for SendGrid: `POST /v3/mail/send` on 127.0.0.1, as strict as the documented contract, with answers by
//! script, and a ledger.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::ledger::Ledger;

mod contract;

/// A call, as a script sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// 0 for the first that kept the contract.
    pub number: u64,
    /// The notification's uuid, from `custom_args`.
    pub id: String,
    /// The address.
    pub to: String,
    /// The whole body.
    pub mail: serde_json::Value,
}

/// What the stand-in does with a call that keeps the contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// 202 with an `X-Message-Id`, and in the ledger.
    Accept,
    /// Not taken: this status, these headers and this body.
    Status(u16, Vec<(&'static str, String)>, &'static str),
    /// The other answer, later.
    After(Duration, Box<Self>),
    /// In the ledger, and then silence.
    AcceptThenHang,
    /// In the ledger, and then the connection is closed in order (FIN).
    AcceptThenClose,
    /// In the ledger, and then the connection is reset (RST).
    AcceptThenReset,
    /// A 200 with a page, as a captive portal gives it.
    Page,
    /// This status with a body without end.
    Endless(u16),
}

impl Answer {
    /// Not taken, with a status and SendGrid's error object.
    pub const fn status(code: u16) -> Self {
        Self::Status(code, Vec::new(), r#"{"errors":[{"message":"scripted","field":null,"help":null}]}"#)
    }
}

/// What SendGrid says to a key that it does not know.
const UNKNOWN_KEY: &str = r#"{"errors":[{"message":"The provided authorization grant is invalid, expired, or revoked","field":null,"help":null}]}"#;

type Script = Box<dyn Fn(&Call) -> Answer + Send + Sync>;
type Body = UnsyncBoxBody<Bytes, Infallible>;

struct Shared {
    key: String,
    script: Script,
    ledger: Ledger,
    calls: AtomicU64,
    refused: AtomicU64,
    connections: AtomicU64,
}

/// A running stand-in; ends when it is dropped.
pub struct SendGridStandIn {
    shared: Arc<Shared>,
    port: u16,
    /// Aborts all connections when dropped.
    _server: JoinSet<()>,
}

impl SendGridStandIn {
    /// Starts one that knows `key` and answers by `script`.
    ///
    /// # Errors
    /// If there is no free port.
    pub fn start(
        key: &str,
        ledger: Ledger,
        script: impl Fn(&Call) -> Answer + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::from_std(crate::port::listen()?)?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            key: format!("Bearer {key}"),
            script: Box::new(script),
            ledger,
            calls: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            connections: AtomicU64::new(0),
        });
        let mut server = JoinSet::new();
        server.spawn(serve(listener, Arc::clone(&shared)));
        Ok(Self { shared, port, _server: server })
    }

    /// What `SENDGRID_BASE_URL` must be.
    pub fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it has taken.
    pub fn ledger(&self) -> &Ledger {
        &self.shared.ledger
    }

    /// Calls that kept the contract.
    pub fn calls(&self) -> u64 {
        self.shared.calls.load(Ordering::Relaxed)
    }

    /// Calls that did not keep the contract, or had the wrong key.
    pub fn refused(&self) -> u64 {
        self.shared.refused.load(Ordering::Relaxed)
    }

    /// Connections so far.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                shared.connections.fetch_add(1, Ordering::Relaxed);
                connections.spawn(connection(stream, Arc::clone(&shared)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let reset = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&reset);
    let service =
        hyper::service::service_fn(move |request| Box::pin(answer(request, Arc::clone(&shared), Arc::clone(&flag))));
    let mut connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let _ = poll_fn(|context| connection.poll_without_shutdown(context)).await;
    if reset.load(Ordering::Relaxed) {
        // Closing with unsent data thrown away is what makes the kernel send RST.
        let _ = connection.into_parts().io.into_inner().set_zero_linger();
    }
}

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
    reset: Arc<AtomicBool>,
) -> Result<Response<Body>, io::Error> {
    if request.method() == Method::GET && request.uri().path() == "/v3/scopes" {
        let known = request.headers().get("authorization").is_some_and(|key| *key == shared.key);
        let (status, body) = if known { (200, r#"{"scopes":["mail.send"]}"#) } else { (401, UNKNOWN_KEY) };
        return Ok(response(status, full(body)));
    }
    let call = match receive(request, &shared).await {
        Ok(call) => call,
        Err((status, message)) => {
            shared.refused.fetch_add(1, Ordering::Relaxed);
            let body = serde_json::json!({"errors": [{"message": message, "field": null, "help": null}]});
            return Ok(response(status, full(body.to_string())));
        }
    };
    let mut planned = (shared.script)(&call);
    while let Answer::After(wait, then) = planned {
        tokio::time::sleep(wait).await;
        planned = *then;
    }
    let taken =
        matches!(planned, Answer::Accept | Answer::AcceptThenHang | Answer::AcceptThenClose | Answer::AcceptThenReset);
    if taken && !shared.ledger.record(&call.id, &call.to).await {
        return Ok(response(500, full("the ledger's disk refuses")));
    }
    match planned {
        Answer::Accept | Answer::After(..) => {
            let mut accepted = response(202, full(""));
            let id = HeaderValue::from_str(&format!("sg-{}", call.id)).map_err(io::Error::other)?;
            accepted.headers_mut().insert("x-message-id", id);
            Ok(accepted)
        }
        Answer::Status(code, headers, body) => {
            let mut refused = response(code, full(body));
            for (name, value) in headers {
                refused.headers_mut().insert(name, HeaderValue::from_str(&value).map_err(io::Error::other)?);
            }
            Ok(refused)
        }
        Answer::AcceptThenHang => std::future::pending().await,
        Answer::AcceptThenClose => Err(io::ErrorKind::ConnectionAborted.into()),
        Answer::AcceptThenReset => {
            reset.store(true, Ordering::Relaxed);
            Err(io::ErrorKind::ConnectionReset.into())
        }
        Answer::Page => Ok(response(200, full("<!doctype html><title>Welcome</title><p>Please log in."))),
        Answer::Endless(code) => {
            let chunk = Bytes::from_static(&[b'x'; 16 * 1024]);
            let chunks = futures_util::stream::repeat_with(move || Ok(Frame::data(chunk.clone())));
            Ok(response(code, StreamBody::new(chunks).boxed_unsync()))
        }
    }
}

async fn receive(request: Request<Incoming>, shared: &Shared) -> Result<Call, (u16, String)> {
    let (head, body) = request.into_parts();
    // The body first: an answer before it was read would look like a lost connection.
    let body = Limited::new(body, 30 << 20).collect().await.map_err(|error| (413, error.to_string()))?.to_bytes();
    if head.method != Method::POST || head.uri.path() != "/v3/mail/send" {
        return Err((404, "not found".to_owned()));
    }
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if header("authorization") != shared.key {
        return Err((401, "The provided authorization grant is invalid, expired, or revoked".to_owned()));
    }
    if !header("content-type").starts_with("application/json") {
        return Err((415, "Content-Type should be application/json.".to_owned()));
    }
    let (id, to) = contract::check(&body).map_err(|message| (400, message))?;
    let mail = serde_json::from_slice(&body).map_err(|error| (400, error.to_string()))?;
    Ok(Call { number: shared.calls.fetch_add(1, Ordering::Relaxed), id, to, mail })
}

fn response(status: u16, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

fn full(body: impl Into<Bytes>) -> Body {
    Full::new(body.into()).boxed_unsync()
}
