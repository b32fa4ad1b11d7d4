//! UDP port 48899 on one interface's own address, shared by all parts of this process, and with other processes of the same user
//! (see `share.rs`).
//!
//! An SP-2 replies to port 48899 of the sender whatever the source port was, so the socket must be
//! bound there. A unicast reply reaches only one of several sockets on a port, so there is exactly
//! one for each address.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::{broadcast, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;
use zeroize::{Zeroize, Zeroizing};

use super::datagram::Datagram;
use super::device::bind_device;
use super::holder::{self, PortHolder};
use super::interfaces::{Interface, interfaces};
use super::share::{self, MAX_PAYLOAD, PeerLink, SharePlace};
use crate::PORT;

/// Time for another `mains` to serve the port or to release it: one that just starts or ends.
const OTHER_RELEASE_TIMEOUT: Duration = Duration::from_secs(1);

/// Time for our own socket, just dropped, to close: its reader ends when the runtime next runs it.
const OWN_RELEASE_TIMEOUT: Duration = Duration::from_millis(100);

/// Interval between tries to bind a taken port.
const BIND_INTERVAL: Duration = Duration::from_millis(20);

/// Maximum interval between tries to take over the port of a process that has ended.
const MAX_TAKE_OVER_INTERVAL: Duration = Duration::from_secs(1);

/// Maximum number of datagrams that a slow reader may fall behind; two hundred plugs reply within milliseconds.
const MAX_BACKLOG: usize = 1024;

/// Kernel buffer for the replies to one broadcast.
const RECEIVE_BUFFER: usize = 1 << 20;

/// Reason why a UDP port cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another process has it.
    #[error("UDP port {port} on {address} is taken{}", by(holder.as_ref()))]
    Taken {
        /// The address.
        address: Ipv4Addr,
        /// The port.
        port: u16,
        /// Process that holds it, if known.
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
        /// Error of the system.
        #[source]
        source: io::Error,
    },
}

fn by(holder: Option<&PortHolder>) -> String {
    holder.map_or_else(String::new, |holder| format!(" by {holder}"))
}

/// The socket. Clones share it; it closes with the last one.
#[derive(Debug, Clone)]
pub struct UdpPort(Arc<PortSocket>);

#[derive(Debug)]
struct PortSocket {
    route: watch::Receiver<PortRoute>,
    address: Ipv4Addr,
    assigned: bool,
    datagrams: broadcast::Sender<Datagram>,
    worker: AbortHandle,
}

/// The way by which datagrams leave.
#[derive(Debug, Clone)]
enum PortRoute {
    /// Our own socket.
    Own(Arc<UdpSocket>),
    /// The socket of another process.
    Shared(Arc<PeerLink>),
}

impl Drop for PortSocket {
    fn drop(&mut self) {
        self.worker.abort();
    }
}

impl UdpPort {
    /// Binds port 48899 on an interface's own address.
    ///
    /// The port is exclusive, so that a second program cannot take the replies. A process of the same user that
    /// has it serves this one, if both called [`share_ports`](super::share_ports). If only a wildcard socket
    /// holds it, and allows sharing, the port is shared: the kernel prefers the socket with the full
    /// address. Another process of the same name gets a bounded time to finish.
    ///
    /// # Errors
    ///
    /// [`BindError`], with the holder of the port.
    pub async fn bind(address: Ipv4Addr) -> Result<Self, BindError> {
        Self::bind_number(address, PORT).await
    }

    /// Binds another port in the same way, for devices that reply to one of their own.
    ///
    /// # Errors
    ///
    /// [`BindError`], with the holder of the port.
    pub async fn bind_number(address: Ipv4Addr, number: u16) -> Result<Self, BindError> {
        Self::bind_at(address, number, SharePlace::of(address, number)).await
    }

    pub(super) async fn bind_at(
        address: Ipv4Addr,
        number: u16,
        place: Option<SharePlace>,
    ) -> Result<Self, BindError> {
        let route = retry(|| bind_once(address, number, place.as_ref())).await?;
        Ok(Self::work(route, address, number, place))
    }

    /// Binds port 48899, or else any port, which only modules that reply to the source port reach.
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
            Err(error) => match open(address, 0, false) {
                Ok(route) => Ok((Self::work(route, address, 0, None), Some(error))),
                Err(source) => Err(BindError::Io {
                    address,
                    port: number,
                    source,
                }),
            },
        }
    }

    fn work(route: PortRoute, address: Ipv4Addr, number: u16, place: Option<SharePlace>) -> Self {
        let (datagrams, _) = broadcast::channel(MAX_BACKLOG);
        let (sender, receiver) = watch::channel(route);
        let worker = PortWorker {
            address,
            number,
            place,
            route: sender,
            datagrams: datagrams.clone(),
        };
        Self(Arc::new(PortSocket {
            route: receiver,
            address,
            assigned: number != 0,
            datagrams,
            worker: tokio::spawn(worker.run()).abort_handle(),
        }))
    }

    /// Returns the local address.
    pub fn address(&self) -> Ipv4Addr {
        self.0.address
    }

    /// Tells whether this is the requested port: 48899, to which an SP-2 replies.
    pub fn is_assigned(&self) -> bool {
        self.0.assigned
    }

    /// Sends one datagram.
    pub async fn send_to(&self, bytes: &[u8], to: SocketAddrV4) -> io::Result<()> {
        let route = self.0.route.borrow().clone();
        match route {
            PortRoute::Own(socket) => socket.send_to(bytes, SocketAddr::V4(to)).await.map(|_| ()),
            PortRoute::Shared(link) => link.send(to, bytes).await,
        }
    }

    /// Sends one datagram if that is possible without waiting; for destructors.
    ///
    /// # Errors
    ///
    /// Any error of the system, or `WouldBlock`.
    pub fn try_send_to(&self, bytes: &[u8], to: SocketAddrV4) -> io::Result<()> {
        match &*self.0.route.borrow() {
            PortRoute::Own(socket) => socket.try_send_to(bytes, SocketAddr::V4(to)).map(|_| ()),
            PortRoute::Shared(link) => link.try_send(to, bytes),
        }
    }

    /// Returns all datagrams from now on, without our own echo.
    pub fn subscribe(&self) -> broadcast::Receiver<Datagram> {
        self.0.datagrams.subscribe()
    }
}

/// Tries once to open the port, or to share that of another process.
async fn bind_once(
    address: Ipv4Addr,
    port: u16,
    place: Option<&SharePlace>,
) -> Result<PortRoute, BindError> {
    let error = match open(address, port, false) {
        Ok(route) => return Ok(route),
        Err(error) => error,
    };
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            if let Some(place) = place {
                match place.connect().await {
                    Ok(link) => return Ok(PortRoute::Shared(Arc::new(link))),
                    Err(error) => tracing::debug!(%address, port, %error, "the port is not shared"),
                }
            }
            share_or_name_holder(address, port)
        }
        io::ErrorKind::PermissionDenied => Err(BindError::NoPermission { address, port }),
        _ => Err(BindError::Io {
            address,
            port,
            source: error,
        }),
    }
}

fn share_or_name_holder(address: Ipv4Addr, number: u16) -> Result<PortRoute, BindError> {
    let sockets = holder::bound(address, number);
    if !sockets.is_empty()
        && sockets.iter().all(|bound| bound.address.is_none())
        && let Ok(route) = open(address, number, true)
    {
        return Ok(route);
    }
    Err(BindError::Taken {
        address,
        port: number,
        holder: holder::holder(&sockets),
    })
}

fn open(address: Ipv4Addr, port: u16, share: bool) -> io::Result<PortRoute> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.set_broadcast(true)?;
    if share {
        socket.set_reuse_address(true)?;
    }
    if let Some(interface) = interface_of(address)
        && let Err(error) = bind_device(&socket, interface.device())
    {
        // Older systems want a privilege for it.
        tracing::debug!(%address, device = interface.device(), %error, "the socket is not bound to its device");
    }
    // The kernel may allow less; then a burst from many plugs can lose some, and the scan repeats.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    socket.bind(&SocketAddrV4::new(address, port).into())?;
    Ok(PortRoute::Own(Arc::new(UdpSocket::from_std(
        socket.into(),
    )?)))
}

/// Returns the interface with this address, so that datagrams leave by it: another one may have the same network. None for
/// loopback, and where several have the address.
fn interface_of(address: Ipv4Addr) -> Option<Interface> {
    let mut with_it = interfaces()
        .ok()?
        .into_iter()
        .filter(|it| it.address == address);
    let interface = with_it.next().filter(|it| !it.loopback)?;
    with_it.next().is_none().then_some(interface)
}

/// The task that receives for a port.
struct PortWorker {
    address: Ipv4Addr,
    number: u16,
    place: Option<SharePlace>,
    route: watch::Sender<PortRoute>,
    datagrams: broadcast::Sender<Datagram>,
}

impl PortWorker {
    /// Receives until our own socket fails. When another process that has the port ends, this one takes it, or shares it with the
    /// next one.
    async fn run(self) {
        loop {
            let route = self.route.borrow().clone();
            match route {
                PortRoute::Own(socket) => return self.receive(socket).await,
                PortRoute::Shared(link) => {
                    let end = self.receive_through(&link).await;
                    tracing::debug!(address = %self.address, %end, "the process that had the port has ended");
                }
            }
            let route = self.take_over().await;
            self.route.send_replace(route);
        }
    }

    async fn receive(&self, socket: Arc<UdpSocket>) {
        let listener = self.place.as_ref().and_then(|place| {
            let listener = place.listen();
            listener
                .inspect_err(
                    |error| tracing::debug!(%error, "other processes cannot share the port"),
                )
                .ok()
        });
        let datagrams = self.datagrams.clone();
        match listener {
            None => read(&socket, self.address, datagrams).await,
            Some(listener) => tokio::select! {
                () = share::serve(listener, Arc::clone(&socket), self.datagrams.clone()) => {}
                () = read(&socket, self.address, datagrams) => {}
            },
        }
    }

    async fn receive_through(&self, link: &PeerLink) -> io::Error {
        let mut payload = Zeroizing::new(vec![0; MAX_PAYLOAD]);
        loop {
            match link.receive(&mut payload).await {
                Ok((from, bytes)) => {
                    let bytes = Arc::new(Zeroizing::new(bytes.to_vec()));
                    // Without subscribers it is dropped.
                    let _ = self.datagrams.send(Datagram { from, bytes });
                }
                Err(error) => return error,
            }
        }
    }

    async fn take_over(&self) -> PortRoute {
        let mut interval = BIND_INTERVAL;
        loop {
            match bind_once(self.address, self.number, self.place.as_ref()).await {
                Ok(route) => return route,
                Err(error) if interval == MAX_TAKE_OVER_INTERVAL => {
                    tracing::debug!(%error, "the port is not free yet");
                }
                Err(_) => {}
            }
            tokio::time::sleep(interval).await;
            interval = (interval * 2).min(MAX_TAKE_OVER_INTERVAL);
        }
    }
}

/// Tries to bind until it succeeds, or the holder of the port has had time to release it.
async fn retry<T, F: Future<Output = Result<T, BindError>>>(
    mut attempt: impl FnMut() -> F,
) -> Result<T, BindError> {
    let start = Instant::now();
    let (mut timeout, mut waited) = (Duration::ZERO, Duration::ZERO);
    loop {
        let error = match attempt().await {
            Err(error @ BindError::Taken { .. }) => error,
            result => return result,
        };
        if let BindError::Taken { holder, .. } = &error {
            timeout = release_timeout(holder.as_ref()).max(timeout);
        }
        // Our own socket closes while this sleeps, not while it looks for the holder, which takes longer on a busy machine.
        if start.elapsed() >= timeout && waited >= timeout.min(OWN_RELEASE_TIMEOUT) {
            return Err(error);
        }
        tokio::time::sleep(BIND_INTERVAL).await;
        waited += BIND_INTERVAL;
    }
}

fn release_timeout(holder: Option<&PortHolder>) -> Duration {
    match holder {
        // A process that is just ending has no name any more.
        None => OWN_RELEASE_TIMEOUT,
        Some(holder) if holder.pid == std::process::id() => OWN_RELEASE_TIMEOUT,
        Some(holder) if holder.name == holder::own_name() => OTHER_RELEASE_TIMEOUT,
        Some(_) => Duration::ZERO,
    }
}

async fn read(socket: &UdpSocket, own: Ipv4Addr, datagrams: broadcast::Sender<Datagram>) {
    // A longer reply must not be cut short unseen.
    let mut buffer = Zeroizing::new(vec![0; MAX_PAYLOAD]);
    loop {
        let (length, from) = match socket.recv_from(&mut buffer).await {
            Ok((length, SocketAddr::V4(from))) => (length, from),
            Ok((_, SocketAddr::V6(_))) => continue,
            // Windows: an earlier datagram reached no port.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => continue,
            Err(error) => {
                // An unconnected UDP socket has no other transient errors; subscribers see the channel close.
                tracing::warn!(%own, %error, "the socket failed");
                return;
            }
        };
        let (received, _) = buffer.split_at_mut(length);
        if *from.ip() != own {
            let bytes = Arc::new(Zeroizing::new(received.to_vec()));
            // Without subscribers it is dropped.
            let _ = datagrams.send(Datagram { from, bytes });
        }
        received.zeroize();
    }
}

#[cfg(test)]
mod tests;
