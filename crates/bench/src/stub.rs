//! A provider that takes everything: SendGrid's answer to a send, after a fixed time, and a count.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::load::message_length;

/// A running stub; it ends with the process.
#[derive(Clone)]
pub(crate) struct Stub {
    pub(crate) url: String,
    taken: Arc<AtomicU64>,
}

impl Stub {
    /// Listens on a loopback port and answers each request after `delay`.
    pub(crate) async fn start(delay: Duration) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let taken = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&taken);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&count), delay));
            }
        });
        Ok(Self { url, taken })
    }

    /// How many it has taken.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }
}

async fn serve(mut stream: TcpStream, taken: Arc<AtomicU64>, delay: Duration) {
    let _ = stream.set_nodelay(true);
    let mut buffer = Vec::with_capacity(8192);
    loop {
        while let Some(length) = message_length(&buffer) {
            buffer.drain(..length);
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            let id = taken.fetch_add(1, Ordering::Relaxed);
            let answer = format!("HTTP/1.1 202 Accepted\r\nX-Message-Id: stub-{id}\r\nContent-Length: 0\r\n\r\n");
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
        match stream.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}
