//! UDP port 48899 on one interface's own address, shared by everybody in this process who needs it.
//!
//! An SP-2 answers to port 48899 of the sender whatever the source port was, so the socket must be
//! bound there. A unicast reply reaches only one of several sockets on a port, so there is exactly
//! one for each address.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::broadcast;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use zeroize::{Zeroize, Zeroizing};

use super::holder::{self, PortHolder};
use crate::PORT;

/// Datagrams that a slow reader may fall behind; two hundred plugs answer within milliseconds.
const BACKLOG: usize = 1024;

/// Room in the kernel for the answers to one broadcast.
const RECEIVE_BUFFER: usize = 1 << 20;

/// How long to wait for another `mains` to give the port back, and how often to look.
const PATIENCE: Duration = Duration::from_secs(3);
/// Our own socket, just dropped, closes when the runtime gets round to its reader; that of another
/// process, when the kernel gets round to it.
const OWN_PATIENCE: Duration = Duration::from_millis(100);
const LOOK: Duration = Duration::from_millis(20);

/// One received datagram. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Datagram {
    /// Who sent it.
    pub from: SocketAddrV4,
    /// What; can hold a Wi-Fi key, so it is wiped when the last one drops it.
    pub bytes: Arc<Zeroizing<Vec<u8>>>,
}

/// Why a UDP port cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another process has it.
    #[error("UDP port {port} on {address} is taken{}", by(holder.as_ref()))]
    Taken {
        /// The address.
        address: Ipv4Addr,
        /// The port.
        port: u16,
        /// Who holds it, if that can be known.
        holder: Option<PortHolder>,
    },
    /// The system does not allow it.
    #[error("no permission to open UDP port {port} on {address}")]
    NoPermission {
        /// The address.
        address: Ipv4Addr,
        /// The port.
        port: u16,
    },
    /// Anything else, such as an address that this host does not have.
    #[error("cannot open UDP port {port} on {address}")]
    Io {
        /// The address.
        address: Ipv4Addr,
        /// The port.
        port: u16,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

fn by(holder: Option<&PortHolder>) -> String {
    holder
        .map(|holder| format!(" by {holder}"))
        .unwrap_or_default()
}

/// The socket. Clones share it; it closes with the last one.
#[derive(Debug, Clone)]
pub struct UdpPort(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    socket: Arc<UdpSocket>,
    address: Ipv4Addr,
    assigned: bool,
    datagrams: broadcast::Sender<Datagram>,
    reader: AbortHandle,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl UdpPort {
    /// Binds port 48899 on an interface's own address.
    ///
    /// Exclusively, so that a second program cannot swallow the replies. Where only a wildcard
    /// socket stands in the way, and allows it, the port is shared: the kernel prefers the
    /// socket with the full address. Another process of our own name gets a bounded time to
    /// finish.
    ///
    /// # Errors
    ///
    /// [`BindError`] says who holds the port.
    pub async fn bind(address: Ipv4Addr) -> Result<Self, BindError> {
        Self::bind_number(address, PORT).await
    }

    /// Binds another port in the same way, for devices that answer to one of their own.
    ///
    /// # Errors
    ///
    /// [`BindError`] says who holds the port.
    pub async fn bind_number(address: Ipv4Addr, number: u16) -> Result<Self, BindError> {
        patiently(|| Self::bind_once(address, number)).await
    }

    /// Binds port 48899, or else any port, from which only modules that answer the source port are
    /// heard.
    ///
    /// # Errors
    ///
    /// [`BindError::Io`] when not even that is possible.
    pub async fn bind_or_ephemeral(
        address: Ipv4Addr,
    ) -> Result<(Self, Option<BindError>), BindError> {
        Self::bind_number_or_ephemeral(address, PORT).await
    }

    /// Binds another port, or else any port, in the same way.
    ///
    /// # Errors
    ///
    /// [`BindError::Io`] when not even that is possible.
    pub async fn bind_number_or_ephemeral(
        address: Ipv4Addr,
        number: u16,
    ) -> Result<(Self, Option<BindError>), BindError> {
        match Self::bind_number(address, number).await {
            Ok(port) => Ok((port, None)),
            Err(error) => match Self::open(address, 0, false) {
                Ok(port) => Ok((port, Some(error))),
                Err(source) => Err(BindError::Io {
                    address,
                    port: number,
                    source,
                }),
            },
        }
    }

    fn bind_once(address: Ipv4Addr, port: u16) -> Result<Self, BindError> {
        let error = match Self::open(address, port, false) {
            Ok(port) => return Ok(port),
            Err(error) => error,
        };
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::share_or_blame(address, port),
            io::ErrorKind::PermissionDenied => Err(BindError::NoPermission { address, port }),
            _ => Err(BindError::Io {
                address,
                port,
                source: error,
            }),
        }
    }

    fn share_or_blame(address: Ipv4Addr, number: u16) -> Result<Self, BindError> {
        let sockets = holder::bound(address, number);
        if !sockets.is_empty()
            && sockets.iter().all(|bound| bound.address.is_none())
            && let Ok(port) = Self::open(address, number, true)
        {
            return Ok(port);
        }
        Err(BindError::Taken {
            address,
            port: number,
            holder: holder::holder(&sockets),
        })
    }

    fn open(address: Ipv4Addr, port: u16, share: bool) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        socket.set_broadcast(true)?;
        if share {
            socket.set_reuse_address(true)?;
        }
        // The kernel may allow less; then a burst from many plugs can lose some, and the scan
        // repeats.
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
        socket.bind(&SocketAddrV4::new(address, port).into())?;
        let socket = Arc::new(UdpSocket::from_std(socket.into())?);
        let (datagrams, _) = broadcast::channel(BACKLOG);
        let reader =
            tokio::spawn(read(Arc::clone(&socket), address, datagrams.clone())).abort_handle();
        Ok(Self(Arc::new(Inner {
            socket,
            address,
            assigned: port != 0,
            datagrams,
            reader,
        })))
    }

    /// Returns the local address.
    pub fn address(&self) -> Ipv4Addr {
        self.0.address
    }

    /// Tells whether this is the port that was asked for: 48899, where an SP-2 is heard.
    pub fn is_assigned(&self) -> bool {
        self.0.assigned
    }

    /// Sends one datagram.
    ///
    /// # Errors
    ///
    /// Whatever the system says, such as that there is no route.
    pub async fn send_to(&self, bytes: &[u8], to: SocketAddrV4) -> io::Result<()> {
        self.0
            .socket
            .send_to(bytes, SocketAddr::V4(to))
            .await
            .map(|_| ())
    }

    /// Sends one datagram if that is possible without waiting; for last words in destructors.
    ///
    /// # Errors
    ///
    /// Whatever the system says, or that it would have to wait.
    pub fn try_send_to(&self, bytes: &[u8], to: SocketAddrV4) -> io::Result<()> {
        self.0
            .socket
            .try_send_to(bytes, SocketAddr::V4(to))
            .map(|_| ())
    }

    /// Returns what arrives from now on, but for our own echo.
    pub fn subscribe(&self) -> broadcast::Receiver<Datagram> {
        self.0.datagrams.subscribe()
    }
}

/// Tries until it works, or whoever holds the port has had the time that is due to him.
async fn patiently<T>(mut attempt: impl FnMut() -> Result<T, BindError>) -> Result<T, BindError> {
    let start = Instant::now();
    let (mut patience, mut waited) = (Duration::ZERO, Duration::ZERO);
    loop {
        let error = match attempt() {
            Err(error @ BindError::Taken { .. }) => error,
            result => return result,
        };
        if let BindError::Taken { holder, .. } = &error {
            patience = patience_with(holder.as_ref()).max(patience);
        }
        // Our own socket closes while this waits, not while it finds out who holds the port, which takes a busy machine longer.
        if start.elapsed() >= patience && waited >= patience.min(OWN_PATIENCE) {
            return Err(error);
        }
        tokio::time::sleep(LOOK).await;
        waited += LOOK;
    }
}

fn patience_with(holder: Option<&PortHolder>) -> Duration {
    match holder {
        // One that is just ending has no name any more.
        None => OWN_PATIENCE,
        Some(holder) if holder.pid == std::process::id() => OWN_PATIENCE,
        Some(holder) if holder.name == holder::own_name() => PATIENCE,
        Some(_) => Duration::ZERO,
    }
}

async fn read(socket: Arc<UdpSocket>, own: Ipv4Addr, datagrams: broadcast::Sender<Datagram>) {
    // The largest that UDP can carry: a longer reply must not be cut short unseen.
    let mut buffer = Zeroizing::new(vec![0; usize::from(u16::MAX)]);
    loop {
        let (length, from) = match socket.recv_from(&mut buffer).await {
            Ok((length, SocketAddr::V4(from))) => (length, from),
            Ok((_, SocketAddr::V6(_))) => continue,
            Err(error) => {
                // An unconnected UDP socket has no passing errors; subscribers see the channel
                // close.
                tracing::warn!(%own, %error, "cannot receive any longer");
                return;
            }
        };
        let received = buffer.get_mut(..length).unwrap_or_default();
        if *from.ip() != own {
            let bytes = Arc::new(Zeroizing::new(received.to_vec()));
            // Without subscribers it is nobody's.
            let _ = datagrams.send(Datagram { from, bytes });
        }
        received.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Each test has addresses of its own, because they all need port 48899.

    #[tokio::test]
    async fn replies_arrive_and_own_echo_does_not() {
        let (ours, peers) = (Ipv4Addr::new(127, 60, 1, 1), Ipv4Addr::new(127, 60, 1, 2));
        let port = UdpPort::bind(ours).await.unwrap();
        assert!(port.is_assigned());
        let mut datagrams = port.subscribe();
        let peer = UdpSocket::bind((peers, 0)).await.unwrap();
        port.send_to(b"echo", SocketAddrV4::new(ours, PORT))
            .await
            .unwrap();
        peer.send_to(b"reply", (ours, PORT)).await.unwrap();
        let datagram = datagrams.recv().await.unwrap();
        assert_eq!(
            (datagram.from.ip(), datagram.bytes.as_slice()),
            (&peers, &b"reply"[..])
        );
    }

    #[tokio::test]
    async fn a_taken_port_names_its_holder() {
        let address = Ipv4Addr::new(127, 60, 2, 1);
        let _holder = std::net::UdpSocket::bind((address, PORT)).unwrap();
        let error = UdpPort::bind(address).await.unwrap_err();
        let BindError::Taken {
            holder: Some(holder),
            ..
        } = &error
        else {
            panic!("{error}")
        };
        assert_eq!(holder.pid, std::process::id());
        assert!(error.to_string().contains("taken by"), "{error}");
        let (port, error) = UdpPort::bind_or_ephemeral(address).await.unwrap();
        assert!(!port.is_assigned());
        assert!(matches!(error, Some(BindError::Taken { .. })));
    }

    #[tokio::test]
    async fn a_foreign_address_is_an_error() {
        let error = UdpPort::bind(Ipv4Addr::new(192, 0, 2, 1))
            .await
            .unwrap_err();
        assert!(matches!(error, BindError::Io { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_port_that_is_given_back_is_waited_for() {
        let address = Ipv4Addr::new(127, 60, 4, 1);
        let holder = std::net::UdpSocket::bind((address, PORT)).unwrap();
        let giving_back = async {
            tokio::time::sleep(Duration::from_millis(30)).await;
            drop(holder);
        };
        let (port, ()) = tokio::join!(UdpPort::bind(address), giving_back);
        assert!(port.unwrap().is_assigned());
    }

    #[tokio::test]
    async fn time_spent_on_finding_the_holder_is_not_time_spent_on_waiting() {
        let mut attempts = 0;
        let bound = patiently(|| {
            attempts += 1;
            // A machine with thousands of processes that has other things to do.
            std::thread::sleep(OWN_PATIENCE);
            if attempts > 1 {
                return Ok(());
            }
            Err(BindError::Taken {
                address: Ipv4Addr::LOCALHOST,
                port: PORT,
                holder: Some(PortHolder {
                    pid: std::process::id(),
                    name: holder::own_name(),
                }),
            })
        });
        assert!(bound.await.is_ok());
    }

    #[tokio::test]
    async fn the_port_is_free_again_when_dropped() {
        let address = Ipv4Addr::new(127, 60, 3, 1);
        drop(UdpPort::bind(address).await.unwrap());
        assert!(UdpPort::bind(address).await.is_ok());
    }
}
