//! Reads bodies within their limits, which hold after decompression.

use std::io::Read;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use carillon_domain::{Error, ErrorCode};
use http::{HeaderMap, header};
use http_body::Body as _;
use http_body_util::BodyExt as _;

/// The longest body, in bytes.
pub(crate) const LIMIT: usize = 1 << 20;
/// The longest body of a batch, in bytes.
pub(crate) const BATCH_LIMIT: usize = 8 << 20;
/// How much of a refused body is still read, so that the client sees the answer and not a reset connection.
const DRAINED: usize = 8 << 20;
/// For how long.
const DRAINED_FOR: Duration = Duration::from_secs(2);

/// The body as it was meant, at most `limit` bytes.
///
/// # Errors
/// `payload_too_large`; `unsupported_media_type` for a coding that we do not know; `invalid_request` for one that is
/// broken, or a connection that broke.
pub(crate) async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, Error> {
    let coding = coding(headers)?;
    let bytes = collect(body, limit).await?;
    match coding {
        Coding::Plain => Ok(bytes),
        Coding::Gzip => inflate(flate2::read::MultiGzDecoder::new(&*bytes), limit),
        Coding::Brotli => inflate(brotli_decompressor::Decompressor::new(&*bytes, 4096), limit),
    }
}

enum Coding {
    Plain,
    Gzip,
    Brotli,
}

fn coding(headers: &HeaderMap) -> Result<Coding, Error> {
    let mut values = headers.get_all(header::CONTENT_ENCODING).iter();
    let Some(value) = values.next() else { return Ok(Coding::Plain) };
    let value = value.to_str().unwrap_or("?").trim();
    let one = values.next().is_none();
    match value.to_ascii_lowercase().as_str() {
        "" | "identity" if one => Ok(Coding::Plain),
        "gzip" | "x-gzip" if one => Ok(Coding::Gzip),
        "br" if one => Ok(Coding::Brotli),
        _ => Err(Error::new(ErrorCode::UnsupportedMediaType, "the content coding is gzip, br or none")),
    }
}

async fn collect(mut body: Body, limit: usize) -> Result<Bytes, Error> {
    if usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX) > limit {
        drain(body);
        return Err(too_large(limit));
    }
    // Nearly every body is one frame: then nothing is copied.
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken("the body ended early", error))?;
        let Ok(data) = frame.into_data() else { continue };
        if first.len() + all.len() + data.len() > limit {
            drain(body);
            return Err(too_large(limit));
        }
        if first.is_empty() && all.is_empty() {
            first = data;
        } else {
            all.extend_from_slice(&std::mem::take(&mut first));
            all.extend_from_slice(&data);
        }
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

/// Reads on beside the answer, within bounds.
fn drain(mut body: Body) {
    let dropped = async move {
        let mut left = DRAINED;
        while let Some(Ok(frame)) = body.frame().await {
            let Some(rest) = left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) else { return };
            left = rest;
        }
    };
    tokio::spawn(async move {
        let _ = tokio::time::timeout(DRAINED_FOR, dropped).await;
    });
}

fn inflate(reader: impl Read, limit: usize) -> Result<Bytes, Error> {
    let mut plain = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    reader.take(most).read_to_end(&mut plain).map_err(|error| broken("the body cannot be decompressed", error))?;
    if plain.len() > limit { Err(too_large(limit)) } else { Ok(plain.into()) }
}

fn too_large(limit: usize) -> Error {
    let detail = format!("the body is longer than {} MiB", limit >> 20);
    Error::new(ErrorCode::PayloadTooLarge, detail)
}

fn broken(what: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    let mut error = Error::new(ErrorCode::InvalidRequest, what);
    error.source = Some(source.into());
    error
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use http::HeaderValue;

    use super::*;

    fn coded(coding: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::CONTENT_ENCODING, HeaderValue::from_static(coding))])
    }

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    #[tokio::test]
    async fn the_limit_holds_to_the_byte_before_and_after_decompression() {
        for (len, ok) in [(10, true), (11, false)] {
            let plain = vec![b'x'; len];
            let read_plain = read(&HeaderMap::new(), Body::from(plain.clone()), 10).await;
            assert_eq!(read_plain.is_ok(), ok);
        }
        for (len, ok) in [(100, true), (101, false)] {
            let packed = gzip(&vec![b'x'; len]);
            let unpacked = read(&coded("gzip"), Body::from(packed), 100).await;
            assert_eq!(
                unpacked.map(|b| b.len()).map_err(|e| e.code),
                if ok { Ok(len) } else { Err(ErrorCode::PayloadTooLarge) }
            );
        }
    }

    #[tokio::test]
    async fn brotli_is_read() {
        // "carillon" as one uncompressed meta-block (RFC 7932, 9.2), made by hand.
        let packed = [0x8b, 0x03, 0x80, 0x63, 0x61, 0x72, 0x69, 0x6c, 0x6c, 0x6f, 0x6e, 0x03];
        assert_eq!(read(&coded("br"), Body::from(packed.to_vec()), 100).await.unwrap(), "carillon");
    }

    #[tokio::test]
    async fn unknown_and_broken_codings_are_refused() {
        let code = |result: Result<Bytes, Error>| result.unwrap_err().code;
        assert_eq!(code(read(&coded("zstd"), Body::empty(), 10).await), ErrorCode::UnsupportedMediaType);
        assert_eq!(code(read(&coded("gzip"), Body::from("nonsense"), 10).await), ErrorCode::InvalidRequest);
        assert_eq!(code(read(&coded("br"), Body::from("nonsense"), 10).await), ErrorCode::InvalidRequest);
    }

    #[tokio::test]
    async fn frames_are_joined() {
        let frames = ["a", "b", "c"].map(|part| Ok::<_, std::io::Error>(Bytes::from(part)));
        let body = Body::from_stream(futures_util::stream::iter(frames));
        assert_eq!(read(&HeaderMap::new(), body, 3).await.unwrap(), "abc");
    }
}
