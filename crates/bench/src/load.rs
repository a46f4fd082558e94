//! A bounded load over keep-alive connections. Plain HTTP/1.1 by hand: the generator shares the machine with what it
//! measures and must cost little.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What to send where.
#[derive(Clone)]
pub(crate) struct Load {
    /// `127.0.0.1:port`.
    pub(crate) address: String,
    /// Who sends, in turn.
    pub(crate) senders: Arc<[Sender]>,
    /// `send` or `batch`.
    pub(crate) path: &'static str,
    /// Requests in all.
    pub(crate) requests: usize,
    /// Connections.
    pub(crate) connections: usize,
    /// Notifications per request; 1 is a single send.
    pub(crate) size: usize,
}

/// A tenant's key and one of its templates.
pub(crate) struct Sender {
    /// The API key.
    pub(crate) key: String,
    /// The template's code.
    pub(crate) template: String,
}

/// What came of it.
pub(crate) struct Measured {
    /// From the first request to the last answer.
    pub(crate) took: Duration,
    /// Of each request, in microseconds.
    pub(crate) latency: Histogram<u64>,
}

impl Load {
    /// Sends all of it.
    ///
    /// # Errors
    /// If any answer is not 202.
    pub(crate) async fn run(&self) -> Result<Measured> {
        let next = Arc::new(AtomicUsize::new(0));
        let began = Instant::now();
        let workers: Vec<_> =
            (0..self.connections).map(|_| tokio::spawn(connection(self.clone(), Arc::clone(&next)))).collect();
        let mut latency = Histogram::new(3)?;
        for worker in workers {
            latency.add(worker.await??)?;
        }
        Ok(Measured { took: began.elapsed(), latency })
    }

    fn request(&self, index: usize) -> Vec<u8> {
        let Sender { key, template } = &self.senders[index % self.senders.len()];
        let one = |n: usize| {
            format!(
                "{{\"channel\":\"email\",\"template\":\"{template}\",\"recipient\":{{\"email\":\"user{n}@example.com\"}},\
                 \"variables\":{{\"name\":\"Customer {n}\",\"orderId\":\"ORD-{n}\"}}}}"
            )
        };
        let body = if self.size == 1 {
            one(index)
        } else {
            let items: Vec<_> = (index * self.size..(index + 1) * self.size).map(one).collect();
            format!("{{\"notifications\":[{}]}}", items.join(","))
        };
        request("POST", &format!("/api/v1/notifications/{}", self.path), key, &body)
    }
}

async fn connection(load: Load, next: Arc<AtomicUsize>) -> Result<Histogram<u64>> {
    let mut stream = TcpStream::connect(&load.address).await?;
    stream.set_nodelay(true)?;
    let mut latency = Histogram::new(3)?;
    let mut buffer = Vec::with_capacity(64 * 1024);
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        if index >= load.requests {
            return Ok(latency);
        }
        let bytes = load.request(index);
        let began = Instant::now();
        exchange(&mut stream, &bytes, &mut buffer, 202).await?;
        latency.record(u64::try_from(began.elapsed().as_micros())?)?;
    }
}

/// A whole request.
pub(crate) fn request(method: &str, path: &str, key: &str, body: &str) -> Vec<u8> {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Writes a request, reads its answer; `buffer` then holds the answer's body.
pub(crate) async fn exchange(stream: &mut TcpStream, request: &[u8], buffer: &mut Vec<u8>, wanted: u16) -> Result<()> {
    tokio::time::timeout(Duration::from_secs(30), async {
        stream.write_all(request).await?;
        buffer.clear();
        loop {
            if let Some(length) = message_length(buffer) {
                let status: u16 = std::str::from_utf8(&buffer[9..12])?.parse()?;
                if status != wanted {
                    bail!("{status}: {}", String::from_utf8_lossy(&buffer[..length.min(600)]));
                }
                return Ok(());
            }
            if stream.read_buf(buffer).await? == 0 {
                bail!("the server closed the connection");
            }
        }
    })
    .await
    .context("no answer in 30 s")?
}

/// The length of the HTTP message at the beginning of `buffer`, if it is there whole. Knows `Content-Length` only,
/// which is all that both sides here use.
pub(crate) fn message_length(buffer: &[u8]) -> Option<usize> {
    let head = buffer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&buffer[..head]).ok()?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let whole = head + length.unwrap_or(0);
    (buffer.len() >= whole).then_some(whole)
}
