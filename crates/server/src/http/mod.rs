//! HTTP/1 and h2c on one port, with bounds on what a client may take without asking for anything: heads that drip,
//! connections that idle, connections without end.
//!
//! [`seen`] is what is known of one connection, [`connection`] drives it, [`watchman`] looks at all of them once a second
//! and tells those that stay too long to go. Requests themselves are bounded by the door behind (`rest`).

mod connection;
mod seen;
mod watchman;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use self::connection::{Connection, Front, Watched};
use self::watchman::{Visit, Watchman};

/// The longest head that is read, and what is buffered of a body, in bytes: headers of 32 KiB fit.
const BUFFER: usize = 48 << 10;
/// Connections at once, if the process may open that many files.
const CONNECTIONS: u64 = 8192;
/// Of the files that the process may open, so many are not for HTTP.
const OTHER_FILES: u64 = 256;
/// Requests under way on one HTTP/2 connection.
const STREAMS: u32 = 200;
/// An HTTP/2 peer that does not answer a ping is gone.
const PING_EVERY: Duration = Duration::from_secs(20);
/// How long to wait when the system gives no connection.
const BREATH: Duration = Duration::from_millis(100);

/// Serves until `stop`, then until every request under way has its answer.
pub(crate) async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let most = connections();
    let room = Arc::new(Semaphore::new(most));
    let watchman = Arc::new(Watchman::new(most));
    let watching = tokio::spawn(Arc::clone(&watchman).watch(stop.clone()));
    let protocol = Arc::new(protocol());
    loop {
        let next = async {
            let place = Arc::clone(&room).acquire_owned().await.map_err(std::io::Error::other)?;
            listener.accept().await.map(|(stream, _)| (stream, place))
        };
        let next = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            next = next => next,
        };
        match next {
            Ok((stream, place)) => {
                let visit = Arc::clone(&watchman).admit();
                tokio::spawn(drive(stream, visit, router.clone(), Arc::clone(&protocol), place));
            }
            Err(error) if is_of_the_client(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot take a connection");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
    // Whoever comes now is refused by the system, and goes elsewhere.
    drop(listener);
    let _ = watching.await;
}

async fn drive(
    stream: TcpStream,
    visit: Visit,
    router: Router,
    protocol: Arc<Builder<TokioExecutor>>,
    _place: OwnedSemaphorePermit,
) {
    // An answer is small and complete: nothing is gained by waiting for more.
    let _ = stream.set_nodelay(true);
    let seen = visit.seen();
    let stream = Watched::new(TokioIo::new(stream), Arc::clone(&seen));
    let front = Front::new(router, Arc::clone(&seen));
    let served = protocol.serve_connection(stream, front);
    if let Err(error) = Connection::new(served, seen).await {
        tracing::debug!(error, "a connection broke");
    }
}

fn protocol() -> Builder<TokioExecutor> {
    let mut protocol = Builder::new(TokioExecutor::new());
    // The watchman has the timeouts: a timer per request would be work per request.
    protocol.http1().max_buf_size(BUFFER).header_read_timeout(None);
    let mut http2 = protocol.http2();
    http2.timer(TokioTimer::new()).keep_alive_interval(PING_EVERY).keep_alive_timeout(PING_EVERY);
    http2.max_header_list_size(u32::try_from(BUFFER).unwrap_or(u32::MAX)).max_concurrent_streams(STREAMS);
    protocol
}

/// As many as are allowed, after asking for as many files as the system grants.
fn connections() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let now = getrlimit(Resource::Nofile);
    let wished = Rlimit { current: now.maximum, maximum: now.maximum };
    let files = match setrlimit(Resource::Nofile, wished) {
        Ok(()) => now.maximum,
        Err(_) => now.current,
    };
    let files = files.unwrap_or(u64::MAX);
    let most = CONNECTIONS.min(files.saturating_sub(OTHER_FILES).max(files / 2));
    usize::try_from(most).unwrap_or(usize::MAX)
}

/// A connection that ended before it was taken is no trouble of ours.
fn is_of_the_client(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
