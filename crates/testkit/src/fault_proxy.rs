//! A TCP proxy that breaks connections on purpose, between a server and its PostgreSQL (without TLS).

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

mod frames;

use frames::Frames;

/// What the proxy does with its connections, those that are open included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It forwards.
    None,
    /// Connections are closed and new ones refused.
    Refuse,
    /// Connections stay open, and nothing passes.
    Blackhole,
    /// Each connection is closed when the client has sent this many more octets.
    CutAfter(usize),
    /// Every `every`th time that the client lets a watched statement commit, its connection is closed without the
    /// answer: in turn after the server has surely got it, without passing it on, and with the server's side reset.
    LoseAnswers {
        /// 1: always.
        every: u64,
    },
}

/// A running proxy; ends when it is dropped.
pub struct FaultProxy {
    port: u16,
    fault: watch::Sender<Fault>,
    shared: Arc<Shared>,
    _server: JoinSet<()>,
}

struct Shared {
    upstream: SocketAddr,
    watched: &'static [&'static str],
    decisive: AtomicU64,
    lost: AtomicU64,
}

impl FaultProxy {
    /// One in front of `upstream`, on a free port of 127.0.0.1. Statements with one of the texts `watched` in them are
    /// those whose answers can be lost.
    ///
    /// # Errors
    /// If there is no free port.
    pub fn start(upstream: SocketAddr, watched: &'static [&'static str]) -> io::Result<Self> {
        let listener = TcpListener::from_std(crate::port::listen()?)?;
        let port = listener.local_addr()?.port();
        let (fault, told) = watch::channel(Fault::None);
        let shared = Arc::new(Shared { upstream, watched, decisive: AtomicU64::new(0), lost: AtomicU64::new(0) });
        let mut server = JoinSet::new();
        server.spawn(serve(listener, port, told, Arc::clone(&shared)));
        Ok(Self { port, fault, shared, _server: server })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on it does this.
    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// How many answers it has kept back.
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }
}

async fn serve(listener: TcpListener, port: u16, mut fault: watch::Receiver<Fault>, shared: Arc<Shared>) {
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    loop {
        let refuses = *fault.borrow_and_update() == Fault::Refuse;
        if refuses {
            listener = None;
        } else if listener.is_none() {
            listener = TcpListener::bind(("127.0.0.1", port)).await.ok();
        }
        tokio::select! {
            changed = fault.changed() => if changed.is_err() { return },
            Some(_) = connections.join_next() => {}
            Some(Ok((client, _))) = accept(listener.as_ref()) => {
                connections.spawn(connection(client, fault.clone(), Arc::clone(&shared)));
            }
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> Option<io::Result<(TcpStream, SocketAddr)>> {
    match listener {
        Some(listener) => Some(listener.accept().await),
        None => std::future::pending().await,
    }
}

/// How a connection ends.
enum End {
    /// Both sides are closed.
    Closed,
    /// The client is gone; the server is let finish what it has.
    Unheard,
    /// The server may not even read what was sent.
    Reset,
}

async fn connection(mut client: TcpStream, mut fault: watch::Receiver<Fault>, shared: Arc<Shared>) {
    let Ok(mut server) = TcpStream::connect(shared.upstream).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let end = relay(&mut client, &mut server, &mut fault, &shared).await.unwrap_or(End::Closed);
    drop(client);
    match end {
        End::Closed => {}
        End::Unheard => {
            let _ = server.shutdown().await;
            let _ = tokio::io::copy(&mut server, &mut tokio::io::sink()).await;
        }
        End::Reset => {
            let _ = server.set_zero_linger();
        }
    }
}

/// Forwards until one side closes or the fault says so.
async fn relay(
    client: &mut TcpStream,
    server: &mut TcpStream,
    fault: &mut watch::Receiver<Fault>,
    shared: &Shared,
) -> io::Result<End> {
    let mut frames = Frames::new();
    let (mut asked, mut answered) = (vec![0; 16 << 10], vec![0; 16 << 10]);
    let mut since_cut = 0;
    loop {
        let now = *fault.borrow_and_update();
        match now {
            Fault::Refuse => return Ok(End::Closed),
            Fault::Blackhole => {
                if fault.changed().await.is_err() {
                    return Ok(End::Closed);
                }
                continue;
            }
            Fault::CutAfter(_) => {}
            Fault::None | Fault::LoseAnswers { .. } => since_cut = 0,
        }
        tokio::select! {
            changed = fault.changed() => if changed.is_err() { return Ok(End::Closed) },
            read = server.read(&mut answered) => match read? {
                0 => return Ok(End::Closed),
                count => client.write_all(&answered[..count]).await?,
            },
            read = client.read(&mut asked) => match read? {
                0 => return Ok(End::Closed),
                count => {
                    frames.feed(&asked[..count]);
                    if let Fault::CutAfter(most) = now {
                        since_cut += count;
                        if since_cut > most {
                            return Ok(End::Closed);
                        }
                    }
                    if let Some(end) = forward(&mut frames, server, now, shared).await? {
                        return Ok(end);
                    }
                }
            },
        }
    }
}

/// Passes whole messages on; says how the connection ends if an answer is to be lost.
async fn forward(
    frames: &mut Frames,
    server: &mut TcpStream,
    fault: Fault,
    shared: &Shared,
) -> io::Result<Option<End>> {
    // Statements that were prepared before the fault was set must be known by it.
    let wanted = |sql: &str| shared.watched.iter().any(|text| sql.contains(text));
    while let Some(frame) = frames.next(wanted) {
        if let (Fault::LoseAnswers { every }, true) = (fault, frame.decisive)
            && shared.decisive.fetch_add(1, Ordering::Relaxed).is_multiple_of(every.max(1))
        {
            let turn = shared.lost.fetch_add(1, Ordering::Relaxed) % 3;
            if turn != 1 {
                server.write_all(&frame.octets).await?;
            }
            return Ok(Some(if turn == 0 {
                End::Unheard
            } else if turn == 1 {
                End::Closed
            } else {
                End::Reset
            }));
        }
        server.write_all(&frame.octets).await?;
    }
    Ok(None)
}
