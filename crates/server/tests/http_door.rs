//! What a client may not do to the port: drip, idle, send heads without end. And what it may rely on: kept connections,
//! HTTP/2 in the clear, whole answers while the process stops.
#![expect(clippy::unwrap_used, reason = "a test ends where it is surprised")]

use std::time::{Duration, Instant};

use carillon_testkit::port::free_port;
use carillon_testkit::process::{Carillon, Client, Launch};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

const BINARY: &str = env!("CARGO_BIN_EXE_carillon");
const SLOW: usize = 200;
/// A head must be whole after 10 s, and is looked at every second.
const PATIENCE: Duration = Duration::from_secs(16);

struct House {
    carillon: Carillon,
    place: String,
    _folder: tempfile::TempDir,
}

fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port().unwrap();
    let carillon = Launch::new(BINARY, &folder.path().join("data"), port).start();
    House { carillon, place: format!("127.0.0.1:{port}"), _folder: folder }
}

impl House {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.place).await.unwrap()
    }

    async fn send_one(&self) {
        let client = Client::new(self.carillon.url(""), self.carillon.key());
        let body = json!({"channel": "email", "recipient": {"email": "you@example.com"}, "directContent": {"subject": "S", "text": "T"}});
        let (status, answer) = client.post("/api/v1/notifications/send", &body).await;
        assert_eq!(status, 202, "{answer}");
    }
}

/// One answer with `Content-Length`: head and body.
async fn answer(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        let more = timeout(PATIENCE, stream.read_buf(&mut bytes)).await.unwrap().unwrap();
        assert!(more > 0, "no whole head: {}", String::from_utf8_lossy(&bytes));
    };
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).map_or(0, |rest| rest.lines().next().unwrap().parse().unwrap());
    let mut body = bytes.split_off(end);
    while body.len() < length {
        assert!(timeout(PATIENCE, stream.read_buf(&mut body)).await.unwrap().unwrap() > 0, "the body is cut");
    }
    (head, body)
}

/// Whether the server has closed the connection by then.
async fn is_closed(stream: &mut TcpStream, patience: Duration) -> bool {
    let mut rest = Vec::new();
    timeout(patience, stream.read_to_end(&mut rest)).await.is_ok()
}

#[tokio::test]
async fn two_hundred_that_drip_stop_nobody_and_are_closed() {
    let house = house();
    let mut drips = Vec::new();
    for _ in 0..SLOW {
        let mut stream = house.connect().await;
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ").await.unwrap();
        drips.push(tokio::spawn(async move {
            let until = Instant::now() + PATIENCE;
            while Instant::now() < until {
                if stream.write_all(b"a").await.is_err() || is_closed(&mut stream, Duration::from_secs(1)).await {
                    return true;
                }
            }
            false
        }));
    }
    house.send_one().await;
    for drip in drips {
        assert!(drip.await.unwrap(), "a dripping connection is still open");
    }
    house.send_one().await;
}

#[tokio::test]
async fn a_head_of_32_kib_is_read_and_one_of_64_is_not() {
    let house = house();
    for (kib, status) in [(31, "200"), (64, "431")] {
        let mut stream = house.connect().await;
        let head = format!("GET /health/live HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n", "a".repeat(kib << 10));
        // The server may answer and close before it has read all of it.
        let _ = stream.write_all(head.as_bytes()).await;
        let (head, _) = answer(&mut stream).await;
        assert!(head.starts_with(&format!("http/1.1 {status}")), "{kib} KiB: {head}");
    }
}

#[tokio::test]
async fn http2_is_spoken_in_the_clear() {
    let house = house();
    let mut stream = house.connect().await;
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    stream.write_all(&settings).await.unwrap();
    let mut frame = [0; 9];
    timeout(PATIENCE, stream.read_exact(&mut frame)).await.unwrap().unwrap();
    assert_eq!(frame[3], 4, "the first frame of a server is SETTINGS: {frame:?}");
}

#[tokio::test]
async fn kept_connections_get_whole_last_answers_while_the_process_stops() {
    let mut house = house();
    let ask = b"GET /api/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut kept = Vec::new();
    for _ in 0..20 {
        let mut stream = house.connect().await;
        stream.write_all(ask).await.unwrap();
        let (head, _) = answer(&mut stream).await;
        assert!(!head.contains("connection: close"), "{head}");
        kept.push(stream);
    }
    let mut dripping = house.connect().await;
    dripping.write_all(b"GET /health HTTP/1.1\r\nHost:").await.unwrap();

    house.carillon.signal(15);
    // New connections are refused from here on; those that stand may still ask once.
    let until = Instant::now() + Duration::from_secs(5);
    while TcpStream::connect(&house.place).await.is_ok() {
        assert!(Instant::now() < until, "a stopping process takes connections");
        sleep(Duration::from_millis(5)).await;
    }
    for stream in &mut kept {
        stream.write_all(ask).await.unwrap();
    }
    for mut stream in kept {
        let (head, body) = answer(&mut stream).await;
        assert!(head.starts_with("http/1.1 200") && head.contains("connection: close"), "{head}");
        assert_eq!(body.last(), Some(&b'\n'), "the document is whole");
        assert!(is_closed(&mut stream, Duration::from_secs(5)).await);
    }
    assert_eq!(house.carillon.wait(Duration::from_secs(25)), Some(0));
}
