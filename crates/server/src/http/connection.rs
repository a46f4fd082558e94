//! Drives one connection, and notes what happens on it.

use std::convert::Infallible;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::future::RouteFuture;
use http::{HeaderValue, Request, Version, header};
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tower::Service as _;

use super::seen::{Order, Seen};

type Io = Watched<TokioIo<TcpStream>>;
type Served<'a> = hyper_util::server::conn::auto::Connection<'a, Io, Front, TokioExecutor>;
type Broken = Box<dyn std::error::Error + Send + Sync>;

/// A connection that obeys the watchman.
pub(super) struct Connection<'a> {
    served: Pin<Box<Served<'a>>>,
    seen: Arc<Seen>,
    finishing: bool,
}

impl<'a> Connection<'a> {
    pub(super) fn new(served: Served<'a>, seen: Arc<Seen>) -> Self {
        Self { served: Box::pin(served), seen, finishing: false }
    }
}

impl Future for Connection<'_> {
    type Output = Result<(), Broken>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.seen.order(cx.waker()) {
            Order::Stay => {}
            Order::Finish if self.finishing => {}
            Order::Finish => {
                self.finishing = true;
                self.served.as_mut().graceful_shutdown();
            }
            Order::Leave => return Poll::Ready(Ok(())),
        }
        self.served.as_mut().poll(cx)
    }
}

/// A stream that tells when something is read or written.
pub(super) struct Watched<S> {
    stream: S,
    seen: Arc<Seen>,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, seen: Arc<Seen>) -> Self {
        Self { stream, seen }
    }

    fn wrote(&self, done: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(done, Poll::Ready(Ok(1..))) {
            self.seen.wrote();
        }
        done
    }
}

impl<S: Read + Unpin> Read for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        self.seen.read();
        Poll::Ready(read)
    }
}

impl<S: Write + Unpin> Write for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(done)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.wrote(done)
    }
}

/// The router, with every request counted.
pub(super) struct Front {
    router: Router,
    seen: Arc<Seen>,
}

impl Front {
    pub(super) fn new(router: Router, seen: Arc<Seen>) -> Self {
        Self { router, seen }
    }
}

impl hyper::service::Service<Request<Incoming>> for Front {
    type Response = Response;
    type Error = Infallible;
    type Future = Answer;

    fn call(&self, request: Request<Incoming>) -> Answer {
        let http2 = request.version() == Version::HTTP_2;
        self.seen.request(http2);
        let route = self.router.clone().call(request.map(Body::new));
        Answer { route, seen: Arc::clone(&self.seen), http2 }
    }
}

/// An answer to come. Dropped, it is not awaited any more.
pub(super) struct Answer {
    route: RouteFuture<Infallible>,
    seen: Arc<Seen>,
    http2: bool,
}

impl Future for Answer {
    type Output = Result<Response, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Ok(mut response) = ready!(Pin::new(&mut self.route).poll(cx));
        if self.seen.is_last() && !self.http2 {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        Poll::Ready(Ok(response))
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.seen.answered();
    }
}
