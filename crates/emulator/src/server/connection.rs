//! One TCP connection to a twin: a task that carries bytes and obeys the twin's driver.

use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::twin::{ConnectionId, TwinArrival};

/// Maximum number of orders waiting for a peer that does not read; further ones are dropped.
pub(super) const MAX_ORDERS: usize = 32;
/// Longest read; no client sends more at once.
const MAX_SEGMENT: usize = 1024;
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
