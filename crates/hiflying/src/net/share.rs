//! UDP ports shared by the processes of one user.
//!
//! A plug replies to port 48899 of this computer, and only one socket can have it. The process that has the port serves the others
//! over a local connection: it sends their datagrams, and passes on all that arrive. When it ends, one of the others takes the port.
//!
//! Only processes of the same user can connect. Still nothing is made of its
//! bytes but datagrams of bounded size; the number of peers is bounded, and a slow one loses datagrams, as on a network.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::{Mutex, broadcast};
use tokio::task::JoinSet;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::datagram::Datagram;

#[cfg_attr(unix, path = "share/unix.rs")]
#[cfg_attr(windows, path = "share/windows.rs")]
mod endpoint;

pub(super) use endpoint::ShareListener;
use endpoint::{IncomingPeer, ShareStream};

/// Maximum number of processes that one process serves.
const MAX_PEERS: usize = 64;
/// Time for the greeting on a new connection.
const GREETING_TIMEOUT: Duration = Duration::from_millis(500);
/// Time for a peer to accept one datagram.
const WRITE_TIMEOUT: Duration = Duration::from_secs(2);
/// Delay after a connection could not be accepted, for example for want of file descriptors.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(200);
/// The first bytes on a connection, in both directions; the digit is the version of what follows.
const GREETING: &[u8; 8] = b"mainsU1\n";
/// Length of the head of a frame: address, port, length of the payload.
const HEAD: usize = 8;
/// Maximum length of a payload: the largest that UDP can carry.
pub(super) const MAX_PAYLOAD: usize = u16::MAX as usize;

static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();

/// Shares the UDP ports of this process with other processes of the same user that call this with the same directory, from now on.
///
/// The directory is made when it is needed. Only the first call counts.
pub fn share_ports(directory: PathBuf) {
    let _ = DIRECTORY.set(directory);
}

/// The place at which the holder of a UDP port serves other processes.
#[derive(Debug, Clone)]
pub(super) struct SharePlace {
    directory: PathBuf,
    address: Ipv4Addr,
    port: u16,
}

impl SharePlace {
    /// Returns the place for a port in the directory of [`share_ports`]; `None` before it was called.
    pub(super) fn of(address: Ipv4Addr, port: u16) -> Option<Self> {
        Some(Self::within(DIRECTORY.get()?, address, port))
    }

    fn within(directory: &Path, address: Ipv4Addr, port: u16) -> Self {
        Self {
            directory: directory.to_owned(),
            address,
            port,
        }
    }

    /// Listens for other processes. Only the holder of the UDP port may call it: it removes what an earlier holder has left.
    pub(super) fn listen(&self) -> io::Result<ShareListener> {
        ShareListener::bind(&self.directory, &self.path())
    }

    /// Connects to the process that has the port.
    pub(super) async fn connect(&self) -> io::Result<PeerLink> {
        let greeted = async {
            let link = PeerLink::over(endpoint::connect(&self.path()).await?);
            link.greet().await?;
            Ok(link)
        };
        timeout(GREETING_TIMEOUT, greeted).await?
    }

    fn path(&self) -> PathBuf {
        self.directory
            .join(endpoint::file_name(self.address, self.port))
    }
}

/// Serves the processes that connect: sends their datagrams over `socket`, and passes on `datagrams`.
pub(super) async fn serve(
    listener: ShareListener,
    socket: Arc<UdpSocket>,
    datagrams: broadcast::Sender<Datagram>,
) {
    let mut peers = JoinSet::new();
    loop {
        while peers.try_join_next().is_some() {}
        match listener.accept().await {
            Ok(peer) if peers.len() < MAX_PEERS => {
                peers.spawn(serve_peer(peer, Arc::clone(&socket), datagrams.subscribe()));
            }
            Ok(_) => tracing::debug!("too many processes share this port"),
            Err(error) => {
                tracing::debug!(%error, "another process cannot be served");
                tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
            }
        }
    }
}

async fn serve_peer(
    peer: IncomingPeer,
    socket: Arc<UdpSocket>,
    datagrams: broadcast::Receiver<Datagram>,
) {
    let served = async {
        let greeted = async {
            let link = PeerLink::over(peer.admit().await?);
            link.greet().await?;
            Ok::<_, io::Error>(link)
        };
        let link = timeout(GREETING_TIMEOUT, greeted).await??;
        tokio::select! {
            ended = forward(&link, &socket) => ended,
            ended = pass_on(&link, datagrams) => ended,
        }
    };
    if let Err(error) = served.await {
        tracing::debug!(%error, "a process does not share this port any longer");
    }
}

/// Sends the datagrams of a peer.
async fn forward(link: &PeerLink, socket: &UdpSocket) -> io::Result<()> {
    let mut payload = Zeroizing::new(vec![0; MAX_PAYLOAD]);
    loop {
        let (to, bytes) = link.receive(&mut payload).await?;
        // As good as lost on the way, as for the peer itself.
        if let Err(error) = socket.send_to(bytes, to).await {
            tracing::debug!(%to, %error, "cannot send a datagram of another process");
        }
    }
}

/// Passes on all datagrams that arrive.
async fn pass_on(link: &PeerLink, mut datagrams: broadcast::Receiver<Datagram>) -> io::Result<()> {
    use broadcast::error::RecvError;
    loop {
        match datagrams.recv().await {
            Ok(datagram) => {
                timeout(WRITE_TIMEOUT, link.send(datagram.from, &datagram.bytes)).await??;
            }
            Err(RecvError::Lagged(count)) => tracing::debug!(count, "another process is too slow"),
            Err(RecvError::Closed) => return Ok(()),
        }
    }
}

/// A connection between two processes, which carries datagrams with the address of the other end.
#[derive(Debug)]
pub(super) struct PeerLink {
    stream: ShareStream,
    /// `true` after a frame that was sent in part: nothing after it can be understood.
    is_torn: Mutex<bool>,
}

impl PeerLink {
    fn over(stream: ShareStream) -> Self {
        Self {
            stream,
            is_torn: Mutex::new(false),
        }
    }

    /// Exchanges greetings.
    async fn greet(&self) -> io::Result<()> {
        write(&self.stream, GREETING).await?;
        let mut greeting = [0; GREETING.len()];
        read(&self.stream, &mut greeting).await?;
        if greeting != *GREETING {
            let text = "another version of Mains has the port";
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        Ok(())
    }

    /// Sends a datagram to the other process, which is from `address` or to be sent there.
    pub(super) async fn send(&self, address: SocketAddrV4, payload: &[u8]) -> io::Result<()> {
        let frame = frame(address, payload)?;
        let mut is_torn = self.is_torn.lock().await;
        if std::mem::replace(&mut *is_torn, true) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        write(&self.stream, &frame).await?;
        *is_torn = false;
        Ok(())
    }

    /// Sends a datagram if that is possible without waiting.
    pub(super) fn try_send(&self, address: SocketAddrV4, payload: &[u8]) -> io::Result<()> {
        let frame = frame(address, payload)?;
        let would_block = |_| io::Error::from(io::ErrorKind::WouldBlock);
        let mut is_torn = self.is_torn.try_lock().map_err(would_block)?;
        if *is_torn {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        *is_torn = self.stream.try_write(&frame)? < frame.len();
        Ok(())
    }

    /// Receives a datagram into `payload`, and returns its address and content. Must not be dropped before it is done, unless the
    /// link is.
    pub(super) async fn receive<'a>(
        &self,
        payload: &'a mut [u8],
    ) -> io::Result<(SocketAddrV4, &'a [u8])> {
        let mut head = [0; HEAD];
        read(&self.stream, &mut head).await?;
        let [a, b, c, d, port_high, port_low, length_high, length_low] = head;
        let length = usize::from(u16::from_be_bytes([length_high, length_low]));
        let payload = payload
            .get_mut(..length)
            .ok_or(io::ErrorKind::InvalidData)?;
        read(&self.stream, payload).await?;
        let port = u16::from_be_bytes([port_high, port_low]);
        Ok((SocketAddrV4::new([a, b, c, d].into(), port), payload))
    }
}

async fn write(stream: &ShareStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(written) => bytes = bytes.get(written..).expect("no more is written than given"),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn read(stream: &ShareStream, mut buffer: &mut [u8]) -> io::Result<()> {
    while !buffer.is_empty() {
        stream.readable().await?;
        match stream.try_read(buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => buffer = buffer.get_mut(read..).expect("no more is read than fits"),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn frame(address: SocketAddrV4, payload: &[u8]) -> io::Result<Zeroizing<Vec<u8>>> {
    let length = u16::try_from(payload.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut frame = Zeroizing::new(Vec::with_capacity(HEAD + payload.len()));
    frame.extend(address.ip().octets());
    frame.extend(address.port().to_be_bytes());
    frame.extend(length.to_be_bytes());
    frame.extend(payload);
    Ok(frame)
}

#[cfg(test)]
mod tests;
