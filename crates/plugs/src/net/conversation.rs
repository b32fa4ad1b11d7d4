//! Drives an [`Exchange`] with a real socket.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::pin::Pin;
use std::sync::Arc;

use hiflying::net::Port;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::Network;
use super::listen::Listener;
use crate::exchange::{Action, Exchange, ExchangeError, Outcome, Silence, Transport};

/// An exchange and its socket.
pub(super) struct Conversation<'a> {
    exchange: Box<dyn Exchange>,
    address: Ipv4Addr,
    network: &'a Network,
    wire: Wire,
    has_sent: bool,
    sent: Arc<Notify>,
    is_decided: bool,
    local_error: Option<io::Error>,
}

type Connecting = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

enum Wire {
    Closed,
    Connecting(Connecting),
    Stream(TcpStream),
    Datagrams {
        port: Port,
        to: SocketAddrV4,
        listener: Listener,
    },
}

/// What came over the wire.
enum Arrival {
    Open(TcpStream),
    Bytes(usize),
    Datagram(Vec<u8>),
    Closed(Silence),
    Failed(io::Error),
}

/// Why an exchange came to nothing.
#[derive(Debug)]
pub(super) enum Trouble {
    Plug(ExchangeError),
    Local(io::Error),
}

/// Answers have about 40 bytes.
const CHUNK: usize = 1024;

impl<'a> Conversation<'a> {
    pub(super) fn new(
        exchange: Box<dyn Exchange>,
        address: Ipv4Addr,
        network: &'a Network,
    ) -> Self {
        Self {
            exchange,
            address,
            network,
            wire: Wire::Closed,
            has_sent: false,
            sent: Arc::new(Notify::new()),
            is_decided: false,
            local_error: None,
        }
    }

    /// Tells whether the order may have reached the plug.
    pub(super) fn has_sent(&self) -> bool {
        self.has_sent
    }

    /// Returns what is notified when the order has been sent.
    pub(super) fn sent(&self) -> Arc<Notify> {
        Arc::clone(&self.sent)
    }

    /// Goes on until something has come of it. May be dropped and called again.
    pub(super) async fn outcome(&mut self) -> Result<Outcome, Trouble> {
        loop {
            self.act().await;
            if let Some(outcome) = self.exchange.poll_outcome() {
                self.is_decided = true;
                return outcome.map_err(|error| match self.local_error.take() {
                    Some(local) => Trouble::Local(local),
                    None => Trouble::Plug(error),
                });
            }
            self.step().await;
        }
    }

    /// Goes on until all is said: what follows the first line is only logged.
    pub(super) async fn finish(&mut self) -> Result<(), Trouble> {
        if !self.is_decided {
            self.outcome().await?;
        }
        loop {
            self.act().await;
            if matches!(self.wire, Wire::Closed) {
                return Ok(());
            }
            self.step().await;
        }
    }

    async fn act(&mut self) {
        while let Some(action) = self.exchange.poll_action() {
            match action {
                Action::Open => self.open(),
                Action::Send(bytes) => {
                    self.has_sent = true;
                    self.sent.notify_one();
                    if let Err(error) = self.send(&bytes).await {
                        tracing::debug!(address = %self.address, %error, "cannot send");
                        self.closed(Silence::Closed);
                    }
                }
                Action::Close => self.wire = Wire::Closed,
            }
        }
    }

    fn open(&mut self) {
        match self.exchange.transport() {
            Transport::Tcp { port } => {
                let to = SocketAddrV4::new(self.address, port);
                self.wire = Wire::Connecting(Box::pin(TcpStream::connect(to)));
            }
            Transport::Udp { local_port, port } => {
                let to = SocketAddrV4::new(self.address, port);
                let Some(socket) = self.network.socket(local_port) else {
                    self.closed(Silence::Unreachable);
                    return;
                };
                self.wire = Wire::Datagrams {
                    port: socket.port.clone(),
                    to,
                    listener: Listener::on([self.network]),
                };
                self.exchange.handle_open(now());
            }
        }
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.wire {
            // A fresh connection has room for it, so this does not wait.
            Wire::Stream(stream) => stream.write_all(bytes).await,
            Wire::Datagrams { port, to, .. } => port.send_to(bytes, *to).await,
            Wire::Closed | Wire::Connecting(_) => Ok(()),
        }
    }

    /// Waits for the next thing to happen.
    async fn step(&mut self) {
        let timer = self.exchange.poll_timeout();
        let mut buffer = [0; CHUNK];
        let arrival = tokio::select! {
            biased;
            arrival = self.wire.next(self.address, &mut buffer) => Some(arrival),
            () = sleep_until(timer.map_or_else(Instant::now, Instant::from_std)), if timer.is_some() => None,
        };
        match arrival {
            None => self.exchange.handle_timeout(now()),
            Some(Arrival::Open(stream)) => {
                self.wire = Wire::Stream(stream);
                self.exchange.handle_open(now());
            }
            Some(Arrival::Bytes(length)) => {
                let bytes = buffer.get(..length).unwrap_or_default();
                self.exchange.handle_input(now(), bytes);
            }
            Some(Arrival::Datagram(bytes)) => self.exchange.handle_input(now(), &bytes),
            Some(Arrival::Closed(how)) => self.closed(how),
            Some(Arrival::Failed(error)) => {
                self.local_error = Some(error);
                self.closed(Silence::Unreachable);
            }
        }
    }

    fn closed(&mut self, how: Silence) {
        self.wire = Wire::Closed;
        self.exchange.handle_closed(now(), how);
    }
}

impl Wire {
    async fn next(&mut self, address: Ipv4Addr, buffer: &mut [u8]) -> Arrival {
        match self {
            Self::Closed => std::future::pending().await,
            Self::Connecting(connecting) => connecting
                .await
                .map_or_else(Arrival::of_connect, Arrival::Open),
            Self::Stream(stream) => match stream.read(buffer).await {
                Ok(0) | Err(_) => Arrival::Closed(Silence::Closed),
                Ok(length) => Arrival::Bytes(length),
            },
            Self::Datagrams { listener, .. } => loop {
                let (_, datagram) = listener.next().await;
                if *datagram.from.ip() == address {
                    return Arrival::Datagram(datagram.bytes.to_vec());
                }
            },
        }
    }
}

impl Arrival {
    fn of_connect(error: io::Error) -> Self {
        use io::ErrorKind as Kind;
        match error.kind() {
            Kind::ConnectionRefused => Self::Closed(Silence::Refused),
            Kind::ConnectionReset | Kind::ConnectionAborted => Self::Closed(Silence::Closed),
            Kind::TimedOut => Self::Closed(Silence::NoConnection),
            // A broadcast address is answered with "permission denied" or "network unreachable".
            Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::PermissionDenied => {
                Self::Closed(Silence::Unreachable)
            }
            _ => Self::Failed(error),
        }
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}
