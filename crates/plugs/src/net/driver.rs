//! Drives an [`Exchange`] with a real socket.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::pin::Pin;

use hiflying::net::{Datagram, UdpPort, bind_device, limit_retransmission};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, sleep_until};

use super::Lan;
use super::inbound::{InboundLink, InboundMessage, InboundPort};
use super::listen::next_of;
use super::network::LanSocket;
use crate::command::PlugReply;
use crate::exchange::{Exchange, ExchangeAction, ExchangeError, NoReplyReason, PlugTransport};
use crate::family::Family;

/// An exchange and its socket.
pub(super) struct ExchangeDriver<'a> {
    exchange: Box<dyn Exchange>,
    route: ExchangeRoute<'a>,
    wire: ExchangeSocket,
    /// A connection for the first [`ExchangeAction::Open`]; later the released one.
    kept: Option<KeptStream>,
    /// The bytes that were sent on a used connection, until data arrives: the connection may have been dead.
    doubtful: Option<Vec<u8>>,
    is_replaced: bool,
    is_decided: bool,
    local_error: Option<io::Error>,
}

/// The connection parameters of an exchange.
#[derive(Clone, Copy)]
pub(super) struct ExchangeRoute<'a> {
    pub(super) lan: &'a Lan,
    pub(super) address: Ipv4Addr,
    pub(super) family: &'static dyn Family,
    pub(super) transport: PlugTransport,
    /// Becomes true when a command is sent.
    pub(super) sent: &'a watch::Sender<bool>,
}

/// A connection from before the exchange.
pub(super) enum KeptStream {
    /// Opened ahead of the command.
    Opening(Opening),
    /// Used by an earlier exchange.
    Used(TcpStream),
}

/// A TCP connection that is being opened.
pub(super) type Opening = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

/// A connection that a plug is about to open to us.
type Awaiting = Pin<Box<dyn Future<Output = InboundLink> + Send>>;

/// Opens a TCP connection.
pub(super) fn connect(lan: &Lan, address: Ipv4Addr, port: u16) -> Opening {
    let (device, max_delivery) = (lan.device_towards(address), lan.max_delivery());
    Box::pin(async move {
        let socket = TcpSocket::new_v4()?;
        if let Some(device) = device
            && let Err(error) = bind_device(&socket, &device)
        {
            tracing::debug!(device, %error, "the connection is not bound to its device");
        }
        let stream = socket.connect(SocketAddr::from((address, port))).await?;
        // A command must not wait for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        if let Some(limit) = max_delivery
            && let Err(error) = limit_retransmission(&stream, limit)
        {
            tracing::debug!(%error, "a command may arrive late");
        }
        Ok(stream)
    })
}

enum ExchangeSocket {
    Closed,
    Connecting(Opening),
    Stream(TcpStream),
    Datagrams {
        port: UdpPort,
        to: SocketAddrV4,
        arrivals: broadcast::Receiver<Datagram>,
    },
    /// Waiting for the plug to connect to us.
    Awaiting(Awaiting, broadcast::Receiver<InboundMessage>),
    /// A connection that the plug has opened.
    Inbound(InboundLink, broadcast::Receiver<InboundMessage>),
}

/// The connection that remains after an exchange.
pub(super) enum Leftover {
    Nothing,
    /// A connection without any exchange in progress.
    Idle(TcpStream),
    /// A connection on which the plug may not have finished its reply.
    Unfinished(Box<dyn Exchange>, TcpStream),
}

/// An event of the socket.
enum SocketEvent {
    Open(TcpStream),
    Connected(InboundLink),
    Bytes(usize),
    /// A datagram or an inbound message.
    Datagram(Vec<u8>),
    Closed(NoReplyReason),
    Failed(io::Error),
}

/// The reason why an exchange failed.
#[derive(Debug)]
pub(super) enum DriveError {
    Plug(ExchangeError),
    Local(io::Error),
}

/// Size of the read buffer in bytes; replies have about 40 bytes.
const CHUNK: usize = 1024;

impl<'a> ExchangeDriver<'a> {
    /// Drives `exchange` over `kept`, or over a new connection. If a used connection turns out to be dead, a new one replaces it
    /// transparently.
    pub(super) fn new(
        exchange: Box<dyn Exchange>,
        route: ExchangeRoute<'a>,
        kept: Option<KeptStream>,
    ) -> Self {
        Self {
            exchange,
            route,
            wire: ExchangeSocket::Closed,
            kept,
            doubtful: None,
            is_replaced: false,
            is_decided: false,
            local_error: None,
        }
    }

    /// Returns whether the used connection turned out to be dead.
    pub(super) fn is_replaced(&self) -> bool {
        self.is_replaced
    }

    /// Returns the remaining connection.
    pub(super) fn leftover(self) -> Leftover {
        match (self.kept, self.wire) {
            (Some(KeptStream::Used(stream)), _) => Leftover::Idle(stream),
            (None, ExchangeSocket::Stream(stream)) if self.is_decided => {
                Leftover::Unfinished(self.exchange, stream)
            }
            _ => Leftover::Nothing,
        }
    }

    /// Continues from [`Leftover::Unfinished`].
    pub(super) fn resume(
        exchange: Box<dyn Exchange>,
        stream: TcpStream,
        route: ExchangeRoute<'a>,
    ) -> Self {
        Self {
            wire: ExchangeSocket::Stream(stream),
            is_decided: true,
            ..Self::new(exchange, route, None)
        }
    }

    /// Continues until there is an outcome. May be dropped and called again.
    pub(super) async fn outcome(&mut self) -> Result<PlugReply, DriveError> {
        loop {
            self.act().await;
            if let Some(outcome) = self.exchange.poll_outcome() {
                self.is_decided = true;
                return outcome.map_err(|error| match self.local_error.take() {
                    Some(local) => DriveError::Local(local),
                    None => DriveError::Plug(error),
                });
            }
            self.step().await;
        }
    }

    /// Continues until the reply is complete: anything after the first line is only logged.
    pub(super) async fn finish(&mut self) -> Result<(), DriveError> {
        if !self.is_decided {
            self.outcome().await?;
        }
        loop {
            self.act().await;
            if matches!(self.wire, ExchangeSocket::Closed) {
                return Ok(());
            }
            self.step().await;
        }
    }

    async fn act(&mut self) {
        while let Some(action) = self.exchange.poll_action() {
            match action {
                ExchangeAction::Open => self.open().await,
                ExchangeAction::Send(_) if !self.route.lan.may_command() => self.forbid(),
                ExchangeAction::Send(bytes) => {
                    self.route.sent.send_replace(true);
                    if let Some(doubtful) = &mut self.doubtful {
                        doubtful.clone_from(&bytes);
                    }
                    if let Err(error) = self.send(&bytes).await {
                        tracing::debug!(address = %self.route.address, %error, "cannot send");
                        self.lost(NoReplyReason::Closed);
                    }
                }
                ExchangeAction::Release => {
                    if let ExchangeSocket::Stream(stream) =
                        std::mem::replace(&mut self.wire, ExchangeSocket::Closed)
                    {
                        self.kept = Some(KeptStream::Used(stream));
                    }
                }
                ExchangeAction::Close => self.wire = ExchangeSocket::Closed,
            }
        }
    }

    async fn open(&mut self) {
        match self.route.transport {
            PlugTransport::Tcp { port } => match self.kept.take() {
                Some(KeptStream::Used(stream)) => {
                    self.wire = ExchangeSocket::Stream(stream);
                    self.doubtful = Some(Vec::new());
                    self.exchange.handle_open(now());
                }
                Some(KeptStream::Opening(opening)) => {
                    self.wire = ExchangeSocket::Connecting(opening);
                }
                None => self.connect(port),
            },
            PlugTransport::Udp { local_port, port } => {
                let to = SocketAddrV4::new(self.route.address, port);
                let Some(socket) = self.route.socket(local_port).await else {
                    self.closed(NoReplyReason::Unreachable);
                    return;
                };
                self.wire = ExchangeSocket::Datagrams {
                    arrivals: socket.port.subscribe(),
                    port: socket.port,
                    to,
                };
                self.exchange.handle_open(now());
            }
            PlugTransport::Inbound { .. } => {
                let Some(port) = self.route.inbound().await else {
                    self.closed(NoReplyReason::Unreachable);
                    return;
                };
                let (address, messages) = (self.route.address, port.messages());
                let link = Box::pin(async move { port.link(address).await });
                self.wire = ExchangeSocket::Awaiting(link, messages);
            }
        }
    }

    fn connect(&mut self, port: u16) {
        self.wire = ExchangeSocket::Connecting(connect(self.route.lan, self.route.address, port));
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.wire {
            // A fresh connection has room for it, so this does not wait.
            ExchangeSocket::Stream(stream) => stream.write_all(bytes).await,
            ExchangeSocket::Datagrams { port, to, .. } => port.send_to(bytes, *to).await,
            ExchangeSocket::Inbound(link, _) => link.send(bytes).await,
            ExchangeSocket::Closed
            | ExchangeSocket::Connecting(_)
            | ExchangeSocket::Awaiting(..) => Ok(()),
        }
    }

    /// Waits for the next event.
    async fn step(&mut self) {
        let timer = self.exchange.poll_timeout();
        let mut buffer = [0; CHUNK];
        let arrival = tokio::select! {
            biased;
            arrival = self.wire.next(self.route.address, &mut buffer) => Some(arrival),
            () = sleep_until(timer.map_or_else(Instant::now, Instant::from_std)), if timer.is_some() => None,
        };
        match arrival {
            None => self.exchange.handle_timeout(now()),
            Some(SocketEvent::Open(stream)) => {
                self.wire = ExchangeSocket::Stream(stream);
                match self.doubtful.take() {
                    // The exchange believes that it is open all the time.
                    Some(bytes) => self.send_again(&bytes).await,
                    None => self.exchange.handle_open(now()),
                }
            }
            Some(SocketEvent::Connected(link)) => {
                let wire = std::mem::replace(&mut self.wire, ExchangeSocket::Closed);
                if let ExchangeSocket::Awaiting(_, messages) = wire {
                    self.wire = ExchangeSocket::Inbound(link, messages);
                }
                self.exchange.handle_open(now());
            }
            Some(SocketEvent::Bytes(length)) => {
                self.doubtful = None;
                let bytes = buffer.get(..length).unwrap_or_default();
                self.exchange.handle_input(now(), bytes);
            }
            Some(SocketEvent::Datagram(bytes)) => self.exchange.handle_input(now(), &bytes),
            Some(SocketEvent::Closed(how)) => self.lost(how),
            Some(SocketEvent::Failed(error)) => {
                self.local_error = Some(error);
                self.closed(NoReplyReason::Unreachable);
            }
        }
    }

    /// Ends the exchange, because plugs may no longer be commanded from here.
    fn forbid(&mut self) {
        let error = "another program has taken over the plugs";
        self.local_error = Some(io::Error::new(io::ErrorKind::PermissionDenied, error));
        self.doubtful = None;
        self.closed(NoReplyReason::Closed);
    }

    async fn send_again(&mut self, bytes: &[u8]) {
        if !self.route.lan.may_command() {
            self.forbid();
        } else if self.send(bytes).await.is_err() {
            self.closed(NoReplyReason::Closed);
        }
    }

    /// Handles a lost connection. A used one that ended without a reply is replaced once; any other end is passed to the exchange.
    fn lost(&mut self, how: NoReplyReason) {
        match (&self.doubtful, &self.wire, self.route.transport) {
            (Some(_), ExchangeSocket::Stream(_), PlugTransport::Tcp { port }) => {
                tracing::debug!(address = %self.route.address, "the kept connection is dead; a new one");
                self.is_replaced = true;
                self.connect(port);
            }
            _ => {
                self.doubtful = None;
                self.closed(how);
            }
        }
    }

    fn closed(&mut self, how: NoReplyReason) {
        self.wire = ExchangeSocket::Closed;
        self.exchange.handle_closed(now(), how);
    }
}

impl ExchangeRoute<'_> {
    async fn socket(&self, local_port: u16) -> Option<LanSocket> {
        let network = self.lan.network(self.address)?;
        network.socket_on(local_port).await
    }

    /// Returns the port of ours to which the plug connects.
    async fn inbound(&self) -> Option<InboundPort> {
        let network = self.lan.network(self.address)?;
        network.inbound_of(self.family).await
    }
}

impl ExchangeSocket {
    async fn next(&mut self, address: Ipv4Addr, buffer: &mut [u8]) -> SocketEvent {
        match self {
            Self::Closed => std::future::pending().await,
            Self::Connecting(connecting) => connecting
                .await
                .map_or_else(SocketEvent::of_connect, SocketEvent::Open),
            Self::Stream(stream) => match stream.read(buffer).await {
                Ok(0) | Err(_) => SocketEvent::Closed(NoReplyReason::Closed),
                Ok(length) => SocketEvent::Bytes(length),
            },
            Self::Datagrams { arrivals, .. } => loop {
                let Some(datagram) = next_of(arrivals).await else {
                    return std::future::pending().await;
                };
                if *datagram.from.ip() == address {
                    return SocketEvent::Datagram(datagram.bytes.to_vec());
                }
            },
            Self::Awaiting(link, _) => SocketEvent::Connected(link.await),
            Self::Inbound(link, messages) => loop {
                tokio::select! {
                    biased;
                    message = next_of(messages) => match message {
                        Some((from, bytes)) if from == address => return SocketEvent::Datagram(bytes),
                        Some(_) => {}
                        None => return SocketEvent::Closed(NoReplyReason::Closed),
                    },
                    () = link.closed() => return SocketEvent::Closed(NoReplyReason::Closed),
                }
            },
        }
    }
}

impl SocketEvent {
    fn of_connect(error: io::Error) -> Self {
        use io::ErrorKind as Kind;
        match error.kind() {
            Kind::ConnectionRefused => Self::Closed(NoReplyReason::Refused),
            Kind::ConnectionReset | Kind::ConnectionAborted => Self::Closed(NoReplyReason::Closed),
            Kind::TimedOut => Self::Closed(NoReplyReason::NoConnection),
            // A broadcast address is answered with "permission denied" or "network unreachable".
            Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::PermissionDenied => {
                Self::Closed(NoReplyReason::Unreachable)
            }
            _ => Self::Failed(error),
        }
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

#[cfg(test)]
mod tests;
