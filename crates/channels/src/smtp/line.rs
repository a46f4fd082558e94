//! One SMTP line discipline over any stream: commands out, bounded replies in.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use carillon_domain::delivery::Failure;
use tokio::io::{
    AsyncBufRead as _, AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};

use super::reply::Reply;

/// The longest line of a reply, in octets. RFC 5321 allows 512; some servers say more.
const LONGEST_LINE: usize = 4096;
/// The longest reply, in lines.
const MOST_LINES: usize = 128;

/// Both directions of a connection, plain or TLS.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Duplex for T {}

/// Why a dialogue ended early.
#[derive(Debug)]
pub(super) enum Lost {
    /// A complete reply that says no.
    Refused(Reply),
    /// This message cannot go to this server.
    Unfit(Failure),
    /// The server does not offer what the configuration demands.
    Policy(&'static str, String),
    /// Nothing came in time.
    Silent,
    /// The connection was closed.
    Closed,
    /// What came is no SMTP reply.
    Garbled,
    /// The connection failed.
    Io(String),
}

impl From<std::io::Error> for Lost {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
        match error.kind() {
            BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof => Self::Closed,
            _ => Self::Io(error.to_string()),
        }
    }
}

/// A stream with SMTP lines on it.
pub(super) struct Line {
    stream: BufReader<Box<dyn Duplex>>,
}

impl Line {
    pub(super) fn new(stream: Box<dyn Duplex>) -> Self {
        Self { stream: BufReader::with_capacity(1024, stream) }
    }

    /// The stream itself, for the TLS handshake after STARTTLS. What came before the handshake was not protected by it:
    /// anything that is already buffered was injected on the way (CVE-2011-0411).
    pub(super) fn into_stream(self) -> Result<Box<dyn Duplex>, Lost> {
        if !self.stream.buffer().is_empty() {
            return Err(Lost::Policy("tls_refused", "the server spoke before the TLS handshake".to_owned()));
        }
        Ok(self.stream.into_inner())
    }

    pub(super) async fn write(&mut self, octets: &[u8]) -> Result<(), Lost> {
        self.stream.write_all(octets).await?;
        self.stream.flush().await?;
        Ok(())
    }

    /// Sends `command`, which holds no line break, and reads the reply.
    pub(super) async fn command(&mut self, command: &str) -> Result<Reply, Lost> {
        let mut line = String::with_capacity(command.len() + 2);
        line.push_str(command);
        line.push_str("\r\n");
        self.write(line.as_bytes()).await?;
        self.reply().await
    }

    /// Reads one reply, whatever it says.
    pub(super) async fn reply(&mut self) -> Result<Reply, Lost> {
        let mut text = String::new();
        let mut line = Vec::with_capacity(128);
        for _ in 0..MOST_LINES {
            line.clear();
            let limit = LONGEST_LINE as u64 + 1;
            (&mut self.stream).take(limit).read_until(b'\n', &mut line).await?;
            if line.last() != Some(&b'\n') {
                return Err(if line.len() > LONGEST_LINE { Lost::Garbled } else { Lost::Closed });
            }
            let (code, last, rest) = parse(line.trim_ascii_end()).ok_or(Lost::Garbled)?;
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(&String::from_utf8_lossy(rest));
            if last {
                return Ok(Reply { code, text });
            }
        }
        Err(Lost::Garbled)
    }

    /// Whether the server has said something unasked or has closed: either way this connection is of no more use.
    pub(super) fn is_stale(&mut self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        Pin::new(&mut self.stream).poll_fill_buf(&mut context).is_ready()
    }

    /// Says goodbye without waiting for the answer.
    pub(super) async fn close(mut self) {
        if self.write(b"QUIT\r\n").await.is_ok() {
            let _ = poll_fn(|context| -> Poll<std::io::Result<()>> {
                Pin::new(self.stream.get_mut()).poll_shutdown(context)
            })
            .await;
        }
    }
}

/// Code, whether it is the reply's last line, and the text.
fn parse(line: &[u8]) -> Option<(u16, bool, &[u8])> {
    let (code, rest) = line.split_at_checked(3)?;
    if !code.iter().all(u8::is_ascii_digit) || !(b'2'..=b'5').contains(&code[0]) {
        return None;
    }
    let code = code.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
    match rest.split_first() {
        None => Some((code, true, rest)),
        Some((b' ', rest)) => Some((code, true, rest)),
        Some((b'-', rest)) => Some((code, false, rest)),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(octets: &'static [u8]) -> Result<Reply, Lost> {
        let (mut theirs, ours) = tokio::io::duplex(1 << 20);
        tokio::spawn(async move {
            let _ = theirs.write_all(octets).await;
        });
        Line::new(Box::new(ours)).reply().await
    }

    #[tokio::test]
    async fn replies_of_one_and_of_many_lines() {
        let reply = read(b"250-mx.example\r\n250-SIZE 1000\r\n250 HELP\r\n").await.unwrap();
        assert_eq!(reply, Reply { code: 250, text: "mx.example SIZE 1000 HELP".to_owned() });
        assert_eq!(read(b"354\r\n").await.unwrap().code, 354);
        assert_eq!(read(b"250 only a line feed\n").await.unwrap().code, 250);
    }

    #[tokio::test]
    async fn what_is_no_reply() {
        assert!(matches!(read(b"HTTP/1.1 400 Bad Request\r\n").await, Err(Lost::Garbled)));
        assert!(matches!(read(b"25").await, Err(Lost::Closed)));
        assert!(matches!(read(b"250-more\r\n").await, Err(Lost::Closed)));
        assert!(matches!(read(b"950 x\r\n").await, Err(Lost::Garbled)));
        assert!(matches!(read("２５０ x\r\n".as_bytes()).await, Err(Lost::Garbled)));
        let endless: &'static [u8] = Box::leak(b"250-x\r\n".repeat(1000).into_boxed_slice());
        assert!(matches!(read(endless).await, Err(Lost::Garbled)));
        let long: &'static [u8] = Box::leak(vec![b'2'; 100_000].into_boxed_slice());
        assert!(matches!(read(long).await, Err(Lost::Garbled)));
    }
}
