//! One TCP connection to a twin: a task that carries bytes and obeys the twin's driver.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::twin::{ConnectionId, TwinArrival};

/// Maximum number of orders waiting for a peer that does not read; further ones are dropped.
pub(super) const MAX_ORDERS: usize = 32;
/// Longest read; no client sends more at once.
const MAX_SEGMENT: usize = 1024;
/// Time for a connection that the twin opens.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time in which a peer must take the bytes of one write.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Input that other tasks receive for a twin.
#[derive(Debug)]
pub(super) enum TwinInput {
    Broadcast {
        arrival: TwinArrival,
        bytes: Arc<[u8]>,
    },
    Segment {
        id: ConnectionId,
        bytes: Vec<u8>,
    },
    Closed {
        id: ConnectionId,
    },
    /// A connection that the twin has opened.
    Connected {
        at: SocketAddrV4,
        stream: TcpStream,
        peer: SocketAddrV4,
    },
}

/// Order of the driver to a connection.
#[derive(Debug)]
pub(super) enum StreamOrder {
    Write(Vec<u8>),
    Close,
    Reset,
}

/// An open connection, as the driver sees it.
pub(super) struct TcpClient {
    pub(super) peer: SocketAddrV4,
    pub(super) is_web: bool,
    pub(super) orders: mpsc::Sender<StreamOrder>,
}

/// Opens a connection of the twin to a peer.
pub(super) async fn connect(from: Ipv4Addr, peer: SocketAddrV4, inbox: mpsc::Sender<TwinInput>) {
    let connecting = async {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddrV4::new(from, 0).into())?;
        socket.connect(peer.into()).await
    };
    match timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(Ok(stream)) => {
            if let Ok(SocketAddr::V4(at)) = stream.local_addr() {
                let _ = inbox.send(TwinInput::Connected { at, stream, peer }).await;
            }
        }
        Ok(Err(error)) => tracing::debug!(%error, "connection from {from} to {peer}"),
        Err(_) => tracing::debug!("connection from {from} to {peer} takes too long"),
    }
}

/// Carries bytes until either side ends the connection, and reports the end.
pub(super) async fn carry(
    mut stream: TcpStream,
    id: ConnectionId,
    inbox: mpsc::Sender<TwinInput>,
    mut orders: mpsc::Receiver<StreamOrder>,
) {
    // The two segments of a split reply must not be held back and joined.
    let _ = stream.set_nodelay(true);
    let mut buffer = [0; MAX_SEGMENT];
    loop {
        tokio::select! {
            received = stream.read(&mut buffer) => {
                let bytes = match received {
                    Ok(length) if length > 0 => buffer.get(..length).unwrap_or_default().to_vec(),
                    _ => break,
                };
                if inbox.send(TwinInput::Segment { id, bytes }).await.is_err() {
                    break;
                }
            }
            order = orders.recv() => match order {
                Some(StreamOrder::Write(bytes)) => {
                    let written = timeout(WRITE_TIMEOUT, stream.write_all(&bytes)).await;
                    if !matches!(written, Ok(Ok(()))) {
                        break;
                    }
                }
                Some(StreamOrder::Reset) => {
                    let _ = stream.set_zero_linger();
                    break;
                }
                Some(StreamOrder::Close) | None => {
                    let _ = stream.shutdown().await;
                    break;
                }
            },
        }
    }
    drop(stream);
    let _ = inbox.send(TwinInput::Closed { id }).await;
}
