//! One twin on its sockets: a task that passes on what arrives and sends what the twin yields.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hiflying::Mac;
use tokio::io::ReadBuf;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Sleep;

use super::bind::{self, ServerError};
use super::connection::{self, MAX_ORDERS, StreamOrder, TcpClient, TwinInput};
use crate::record::{Direction, RecordTransport, RecordWriter};
use crate::twin::{ConnectionId, TcpPort, Twin, TwinArrival, TwinOutput};

/// Longest datagram that is read; the longest command is far shorter.
pub(super) const MAX_DATAGRAM: usize = 2048;
/// Maximum number of inputs waiting for a twin.
const MAX_INPUTS: usize = 64;
/// Maximum number of TCP connections to one twin.
const MAX_CONNECTIONS: usize = 24;
/// Delay before a port that could not be opened is tried again.
const LISTEN_RETRY_DELAY: Duration = Duration::from_secs(1);

/// A twin that answers from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TwinReady {
    /// Its address.
    pub address: Ipv4Addr,
    /// Its MAC.
    pub mac: Mac,
    /// Its web page is served too: port 80 needs a privilege and may be taken.
    pub http: bool,
}

enum DriverEvent {
    Input(TwinInput),
    Datagram {
        arrival: TwinArrival,
        bytes: Vec<u8>,
    },
    Client {
        at: SocketAddrV4,
        is_web: bool,
        stream: TcpStream,
        peer: SocketAddrV4,
    },
    Timer,
}

/// The sockets of one address of a twin.
struct AddressSockets {
    address: Ipv4Addr,
    udp: Vec<(u16, UdpSocket)>,
    listeners: Vec<(TcpPort, TcpListener)>,
}

pub(super) struct TwinDriver {
    twin: Box<dyn Twin>,
    sockets: Vec<AddressSockets>,
    inputs: mpsc::Receiver<TwinInput>,
    inbox: mpsc::Sender<TwinInput>,
    clients: BTreeMap<ConnectionId, TcpClient>,
    connections: JoinSet<()>,
    next_id: u64,
    timer: Pin<Box<Sleep>>,
    timer_is_set: bool,
    listen_retry: Option<Instant>,
    recorder: Option<RecordWriter>,
    /// The reason why the web page is not served.
    pub(super) no_web: Option<ServerError>,
}

impl TwinDriver {
    /// Opens all sockets of a twin.
    pub(super) fn open(
        twin: Box<dyn Twin>,
        recorder: Option<RecordWriter>,
    ) -> Result<Self, ServerError> {
        let sockets: Result<_, _> = twin
            .addresses()
            .into_iter()
            .map(|address| AddressSockets::open(address, twin.udp_ports()))
            .collect();
        let (inbox, inputs) = mpsc::channel(MAX_INPUTS);
        let mut driver = Self {
            twin,
            sockets: sockets?,
            inputs,
            inbox,
            clients: BTreeMap::new(),
            connections: JoinSet::new(),
            next_id: 0,
            timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
            timer_is_set: false,
            listen_retry: None,
            recorder,
            no_web: None,
        };
        for (port, error) in driver.update_listeners() {
            match port {
                TcpPort::Command(_) => return Err(error),
                TcpPort::Web(_) => driver.no_web = Some(error),
            }
        }
        Ok(driver)
    }

    /// Returns every address and UDP port of the twin.
    pub(super) fn udp_addresses(&self) -> impl Iterator<Item = SocketAddrV4> {
        self.sockets.iter().flat_map(|it| {
            let address = |(port, _): &(u16, _)| SocketAddrV4::new(it.address, *port);
            it.udp.iter().map(address)
        })
    }

    pub(super) fn inbox(&self) -> mpsc::Sender<TwinInput> {
        self.inbox.clone()
    }

    pub(super) fn ready(&self) -> TwinReady {
        TwinReady {
            address: self
                .sockets
                .first()
                .map_or(Ipv4Addr::UNSPECIFIED, |it| it.address),
            mac: self.twin.mac(),
            http: self.no_web.is_none(),
        }
    }

    /// Serves the twin. Ends only with its task.
    pub(super) async fn run(mut self) {
        loop {
            self.settle();
            let event = poll_fn(|context| self.poll_event(context)).await;
            self.handle(event);
        }
    }

    /// Sends what the twin yields, and sets the timer to the twin's next deadline.
    fn settle(&mut self) {
        let now = Instant::now();
        while let Some(transmit) = self.twin.poll_transmit(now) {
            self.transmit(transmit);
        }
        if self.listen_retry.is_none_or(|retry| now >= retry) {
            let failed = self.update_listeners();
            for (_, error) in &failed {
                tracing::debug!("{}; trying again", error.with_cause());
            }
            self.listen_retry = (!failed.is_empty()).then(|| now + LISTEN_RETRY_DELAY);
        }
        let due = self.twin.poll_timeout().into_iter();
        let due = due.chain(self.listen_retry).min();
        self.timer_is_set = due.is_some();
        if let Some(due) = due {
            self.timer.as_mut().reset(due.into());
        }
    }

    /// Opens and closes TCP ports as the twin comes and goes; returns the ports that could not be opened.
    fn update_listeners(&mut self) -> Vec<(TcpPort, ServerError)> {
        let mut failed = Vec::new();
        for sockets in &mut self.sockets {
            let mut wanted = self.twin.tcp_ports(sockets.address);
            if self.no_web.is_some() {
                wanted.retain(|port| !matches!(port, TcpPort::Web(_)));
            }
            sockets.listeners.retain(|(port, _)| wanted.contains(port));
            for port in wanted {
                if sockets.listeners.iter().any(|(open, _)| *open == port) {
                    continue;
                }
                match bind::tcp(sockets.address, port.number()) {
                    Ok(listener) => sockets.listeners.push((port, listener)),
                    Err(error) => failed.push((port, error)),
                }
            }
        }
        failed
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<DriverEvent> {
        while let Poll::Ready(Some(_)) = self.connections.poll_join_next(context) {}
        if self.timer_is_set && self.timer.as_mut().poll(context).is_ready() {
            self.timer_is_set = false;
            return Poll::Ready(DriverEvent::Timer);
        }
        // The driver keeps a sender itself, so the channel never ends.
        if let Poll::Ready(Some(input)) = self.inputs.poll_recv(context) {
            return Poll::Ready(DriverEvent::Input(input));
        }
        for sockets in &mut self.sockets {
            if let Poll::Ready(event) = sockets.poll_event(context) {
                return Poll::Ready(event);
            }
        }
        Poll::Pending
    }

    fn handle(&mut self, event: DriverEvent) {
        let now = Instant::now();
        match event {
            DriverEvent::Timer => self.twin.handle_timeout(now),
            DriverEvent::Datagram { arrival, bytes } => self.hear(now, arrival, &bytes),
            DriverEvent::Client {
                at,
                is_web,
                stream,
                peer,
            } => self.admit(now, at, is_web, stream, peer),
            DriverEvent::Input(TwinInput::Connected { at, stream, peer }) => {
                self.admit(now, at, false, stream, peer);
            }
            DriverEvent::Input(TwinInput::Broadcast { arrival, bytes }) => {
                self.hear(now, arrival, &bytes);
            }
            DriverEvent::Input(TwinInput::Segment { id, bytes }) => {
                if let Some(client) = self.clients.get(&id) {
                    self.record_segment(client, Direction::In, &bytes);
                    self.twin.handle_segment(now, id, &bytes);
                }
            }
            DriverEvent::Input(TwinInput::Closed { id }) => {
                self.clients.remove(&id);
                self.twin.handle_close(now, id);
            }
        }
    }

    fn hear(&mut self, now: Instant, arrival: TwinArrival, bytes: &[u8]) {
        let is_own = self
            .sockets
            .iter()
            .any(|sockets| sockets.address == *arrival.from.ip());
        if !is_own && self.twin.overhears(arrival) {
            return self.twin.handle_datagram(now, arrival, bytes);
        }
        if is_own || !self.twin.is_reachable(*arrival.at.ip()) {
            return;
        }
        self.record(
            RecordTransport::Udp,
            arrival.from,
            Direction::In,
            bytes,
            false,
        );
        self.twin.handle_datagram(now, arrival, bytes);
    }

    fn admit(
        &mut self,
        now: Instant,
        at: SocketAddrV4,
        is_web: bool,
        stream: TcpStream,
        peer: SocketAddrV4,
    ) {
        self.next_id += 1;
        let id = ConnectionId(self.next_id);
        self.twin.handle_peer(id, peer);
        let is_full = self.connections.len() >= MAX_CONNECTIONS;
        if is_full || !self.twin.handle_connect(now, id, at) {
            let _ = stream.set_zero_linger();
            return;
        }
        let (orders, received) = mpsc::channel(MAX_ORDERS);
        let client = TcpClient {
            peer,
            is_web,
            orders,
        };
        self.clients.insert(id, client);
        self.connections
            .spawn(connection::carry(stream, id, self.inbox(), received));
    }

    fn transmit(&mut self, transmit: TwinOutput) {
        match transmit {
            TwinOutput::Datagram {
                from,
                to,
                bytes,
                secret,
            } => {
                self.record(RecordTransport::Udp, to, Direction::Out, &bytes, secret);
                let sockets = self.sockets.iter().find(|it| it.address == *from.ip());
                let socket = sockets.and_then(|it| it.socket(from.port()));
                if let Some(Err(error)) = socket.map(|it| it.try_send_to(&bytes, to.into())) {
                    tracing::debug!(%error, "datagram from {from} to {to}");
                }
            }
            TwinOutput::Connect { from, to } => {
                self.connections
                    .spawn(connection::connect(from, to, self.inbox()));
            }
            TwinOutput::Segment { connection, bytes } => {
                if let Some(client) = self.clients.get(&connection) {
                    self.record_segment(client, Direction::Out, &bytes);
                    let _ = client.orders.try_send(StreamOrder::Write(bytes));
                }
            }
            TwinOutput::Close { connection } => self.dismiss(connection, StreamOrder::Close),
            TwinOutput::Reset { connection } => self.dismiss(connection, StreamOrder::Reset),
        }
    }

    /// Gives a last order. Where it does not fit in, dropping the sender closes the connection as well.
    fn dismiss(&mut self, id: ConnectionId, order: StreamOrder) {
        if let Some(client) = self.clients.remove(&id) {
            let _ = client.orders.try_send(order);
        }
    }

    fn record_segment(&self, client: &TcpClient, direction: Direction, bytes: &[u8]) {
        let transport = if client.is_web {
            RecordTransport::Http
        } else {
            RecordTransport::Tcp
        };
        self.record(transport, client.peer, direction, bytes, false);
    }

    fn record(
        &self,
        transport: RecordTransport,
        peer: SocketAddrV4,
        direction: Direction,
        bytes: &[u8],
        secret: bool,
    ) {
        if let Some(recorder) = &self.recorder {
            recorder.write(self.twin.mac(), transport, peer, direction, bytes, secret);
        }
    }
}

impl AddressSockets {
    fn open(address: Ipv4Addr, udp_ports: &[u16]) -> Result<Self, ServerError> {
        let open = |port: &u16| Ok((*port, bind::udp(address, *port)?));
        Ok(Self {
            address,
            udp: udp_ports.iter().map(open).collect::<Result<_, _>>()?,
            listeners: Vec::new(),
        })
    }

    fn socket(&self, port: u16) -> Option<&UdpSocket> {
        let found = self.udp.iter().find(|(number, _)| *number == port);
        found.map(|(_, socket)| socket)
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<DriverEvent> {
        let at = self.address;
        for (port, socket) in &self.udp {
            if let Poll::Ready((from, bytes)) = poll_datagram(socket, context) {
                let arrival = TwinArrival {
                    from,
                    at: SocketAddrV4::new(at, *port),
                    broadcast: false,
                };
                return Poll::Ready(DriverEvent::Datagram { arrival, bytes });
            }
        }
        for position in 0..self.listeners.len() {
            let Some((port, listener)) = self.listeners.get(position) else {
                break;
            };
            let port = *port;
            match poll_accept(listener, context) {
                Poll::Ready(Ok((stream, peer))) => {
                    return Poll::Ready(DriverEvent::Client {
                        at: SocketAddrV4::new(at, port.number()),
                        is_web: matches!(port, TcpPort::Web(_)),
                        stream,
                        peer,
                    });
                }
                Poll::Ready(Err(error)) => {
                    // Out of descriptors: closing the port sends the waiting client away, or this would go round and round.
                    tracing::warn!(%error, "TCP port {}", port.number());
                    self.listeners.remove(position);
                    return Poll::Ready(DriverEvent::Timer);
                }
                Poll::Pending => {}
            }
        }
        Poll::Pending
    }
}

fn poll_datagram(socket: &UdpSocket, context: &mut Context<'_>) -> Poll<(SocketAddrV4, Vec<u8>)> {
    let mut space = [0; MAX_DATAGRAM];
    loop {
        let mut buffer = ReadBuf::new(&mut space);
        match ready!(socket.poll_recv_from(context, &mut buffer)) {
            Ok(SocketAddr::V4(from)) => return Poll::Ready((from, buffer.filled().to_vec())),
            Ok(SocketAddr::V6(_)) => {}
            Err(error) => tracing::debug!(%error, "datagram to {socket:?}"),
        }
    }
}

fn poll_accept(
    listener: &TcpListener,
    context: &mut Context<'_>,
) -> Poll<io::Result<(TcpStream, SocketAddrV4)>> {
    loop {
        match ready!(listener.poll_accept(context)) {
            Ok((stream, SocketAddr::V4(peer))) => return Poll::Ready(Ok((stream, peer))),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => return Poll::Ready(Err(error)),
        }
    }
}
