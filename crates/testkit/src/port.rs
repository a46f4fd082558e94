//! Ports for servers of tests: below the range from which the kernel gives ports to outgoing connections, so that a
//! server that is started again gets its port back.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

const FIRST: u32 = 20_000;
const COUNT: u32 = 12_000;

/// A listener on a free port of 127.0.0.1 in 20000..32000.
///
/// # Errors
/// `AddrInUse` if all of them are taken.
pub fn listen() -> std::io::Result<TcpListener> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Processes that start together begin at different places.
    let start = std::process::id().wrapping_mul(97);
    for _ in 0..COUNT {
        let offset = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let port = u16::try_from(FIRST + offset).unwrap_or_default();
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            listener.set_nonblocking(true)?;
            return Ok(listener);
        }
    }
    Err(std::io::ErrorKind::AddrInUse.into())
}

/// The number of a port that was free a moment ago, for a server in another process.
///
/// # Errors
/// `AddrInUse` if all of them are taken.
pub fn free_port() -> std::io::Result<u16> {
    Ok(listen()?.local_addr()?.port())
}
