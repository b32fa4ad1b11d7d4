//! One twin on its sockets: a task that feeds it what arrives and does what it says.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::ReadBuf;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Sleep;

use super::connection::{self, MOST_ORDERS, StreamOrder};
use super::{ServerError, TwinReady, bind};
use crate::config::PlugConfig;
use crate::reco::{Arrival, ConnectionId, RecoTwin, Transmit, WebReply};
use crate::record::{Direction, RecordTransport, Recorder};

/// The longest datagram that is read; the longest command is far shorter.
pub(super) const MOST_BYTES: usize = 2048;
/// What may wait for a twin.
const INBOX: usize = 64;
/// TCP connections at once, those of the web page included.
const MOST_TASKS: usize = 24;
/// When a port that could not be had is tried again.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);

/// What reaches a twin by other ways than its own sockets.
#[derive(Debug)]
pub(super) enum TwinInput {
    Broadcast {
        at: Ipv4Addr,
        from: SocketAddrV4,
        bytes: Arc<[u8]>,
    },
    Chunk {
        id: ConnectionId,
        chunk: Vec<u8>,
    },
    Closed {
        id: ConnectionId,
    },
    Web {
        at: Ipv4Addr,
        peer: SocketAddrV4,
        line: String,
        authorization: Option<String>,
        reply: oneshot::Sender<WebReply>,
    },
}

/// What happens next.
enum DriverEvent {
    TwinInput(TwinInput),
    Datagram {
        at: Ipv4Addr,
        from: SocketAddrV4,
        bytes: Vec<u8>,
    },
    TcpClient {
        at: Ipv4Addr,
        stream: TcpStream,
        peer: SocketAddrV4,
    },
    Visitor {
        at: Ipv4Addr,
        stream: TcpStream,
        peer: SocketAddrV4,
    },
    Timer,
}

/// One address of a twin.
struct AddressSockets {
    address: Ipv4Addr,
    udp: UdpSocket,
    data: TcpPort,
    web: TcpPort,
}

/// A TCP port that is open as long as the twin says so.
#[derive(Default)]
struct TcpPort {
    listener: Option<(u16, TcpListener)>,
    /// Not to be had, for want of a privilege or because it is taken.
    given_up: bool,
}

struct TcpClient {
    peer: SocketAddrV4,
    orders: mpsc::Sender<StreamOrder>,
}

pub(super) struct TwinDriver {
    twin: RecoTwin,
    sites: Vec<AddressSockets>,
    inbox: mpsc::Receiver<TwinInput>,
    post: mpsc::Sender<TwinInput>,
    clients: BTreeMap<ConnectionId, TcpClient>,
    tasks: JoinSet<()>,
    next_id: u64,
    timer: Pin<Box<Sleep>>,
    timer_is_set: bool,
    listen_again: Option<Instant>,
    recorder: Option<Recorder>,
    /// Why the web page is not served.
    pub(super) no_web: Option<ServerError>,
}

impl TwinDriver {
    /// Opens all sockets of a twin.
    pub(super) fn open(
        config: PlugConfig,
        recorder: Option<Recorder>,
    ) -> Result<Self, ServerError> {
        let twin = RecoTwin::new(config, Instant::now());
        let mut sites = Vec::new();
        for address in twin.addresses() {
            let udp = bind::udp(address)?;
            sites.push(AddressSockets {
                address,
                udp,
                data: TcpPort::default(),
                web: TcpPort::default(),
            });
        }
        let (post, inbox) = mpsc::channel(INBOX);
        let mut driver = Self {
            twin,
            sites,
            inbox,
            post,
            clients: BTreeMap::new(),
            tasks: JoinSet::new(),
            next_id: 0,
            timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
            timer_is_set: false,
            listen_again: None,
            recorder,
            no_web: None,
        };
        for site in &mut driver.sites {
            site.data
                .set(site.address, driver.twin.data_port(site.address))?;
            if let Err(error) = site
                .web
                .set(site.address, driver.twin.web_port(site.address))
            {
                site.web.given_up = true;
                driver.no_web = Some(error);
            }
        }
        Ok(driver)
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.sites.iter().map(|site| site.address)
    }

    pub(super) fn post(&self) -> mpsc::Sender<TwinInput> {
        self.post.clone()
    }

    pub(super) fn ready(&self) -> TwinReady {
        let http = self.sites.iter().all(|site| !site.web.given_up);
        TwinReady {
            address: self.twin.listen(),
            mac: self.twin.mac(),
            http,
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

    /// Does what the twin wants done, and sets the timer to when it wants more.
    fn settle(&mut self) {
        let now = Instant::now();
        while let Some(transmit) = self.twin.poll_transmit(now) {
            self.transmit(transmit);
        }
        self.move_doors(now);
        let due = [self.twin.poll_timeout(), self.listen_again]
            .into_iter()
            .flatten()
            .min();
        self.timer_is_set = due.is_some();
        if let Some(due) = due {
            self.timer.as_mut().reset(due.into());
        }
    }

    /// Opens and closes ports as the twin comes and goes.
    fn move_doors(&mut self, now: Instant) {
        if self.listen_again.is_some_and(|again| now < again) {
            return;
        }
        let mut failed = false;
        for site in &mut self.sites {
            let data = site
                .data
                .set(site.address, self.twin.data_port(site.address));
            let web = site.web.set(site.address, self.twin.web_port(site.address));
            for error in [data, web].into_iter().filter_map(Result::err) {
                tracing::debug!("{}; trying again", super::with_cause(&error));
                failed = true;
            }
        }
        self.listen_again = failed.then(|| now + LISTEN_AGAIN);
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<DriverEvent> {
        while let Poll::Ready(Some(_)) = self.tasks.poll_join_next(context) {}
        if self.timer_is_set && self.timer.as_mut().poll(context).is_ready() {
            self.timer_is_set = false;
            return Poll::Ready(DriverEvent::Timer);
        }
        // The twin keeps a sender itself, so the channel never ends.
        if let Poll::Ready(Some(input)) = self.inbox.poll_recv(context) {
            return Poll::Ready(DriverEvent::Input(input));
        }
        for site in &mut self.sites {
            if let Poll::Ready(event) = site.poll_event(context) {
                return Poll::Ready(event);
            }
        }
        Poll::Pending
    }

    fn handle(&mut self, event: DriverEvent) {
        let now = Instant::now();
        match event {
            DriverEvent::Timer => self.twin.handle_timeout(now),
            DriverEvent::Datagram { at, from, bytes } => self.hear(
                now,
                Arrival {
                    from,
                    at,
                    broadcast: false,
                },
                &bytes,
            ),
            DriverEvent::Client { at, stream, peer } => self.admit(now, at, stream, peer),
            DriverEvent::Visitor { at, stream, peer } => {
                if self.tasks.len() < MOST_TASKS {
                    self.tasks
                        .spawn(connection::serve_web(stream, at, peer, self.post.clone()));
                }
            }
            DriverEvent::Input(input) => self.take(now, input),
        }
    }

    fn take(&mut self, now: Instant, input: TwinInput) {
        match input {
            TwinInput::Broadcast { at, from, bytes } => self.hear(
                now,
                Arrival {
                    from,
                    at,
                    broadcast: true,
                },
                &bytes,
            ),
            TwinInput::Chunk { id, chunk } => {
                if let Some(client) = self.clients.get(&id) {
                    self.record(
                        RecordTransport::Tcp,
                        client.peer,
                        Direction::In,
                        &chunk,
                        false,
                    );
                    self.twin.handle_tcp(now, id, &chunk);
                }
            }
            TwinInput::Closed { id } => {
                self.clients.remove(&id);
                self.twin.tcp_closed(now, id);
            }
            TwinInput::Web {
                at,
                peer,
                line,
                authorization,
                reply,
            } => {
                if self.twin.web_port(at).is_none() {
                    return;
                }
                let answer = self.twin.web_request(authorization.as_deref());
                self.record(
                    RecordTransport::Http,
                    peer,
                    Direction::In,
                    line.as_bytes(),
                    false,
                );
                let status = format!("{} {}", answer.status, answer.body);
                self.record(
                    RecordTransport::Http,
                    peer,
                    Direction::Out,
                    status.as_bytes(),
                    false,
                );
                let _ = reply.send(answer);
            }
        }
    }

    fn hear(&mut self, now: Instant, arrival: Arrival, bytes: &[u8]) {
        let is_own = self
            .sites
            .iter()
            .any(|site| site.address == *arrival.from.ip());
        if is_own || !self.twin.reachable(arrival.at) {
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

    fn admit(&mut self, now: Instant, at: Ipv4Addr, stream: TcpStream, peer: SocketAddrV4) {
        self.next_id += 1;
        let id = ConnectionId(self.next_id);
        if self.tasks.len() >= MOST_TASKS || !self.twin.tcp_connected(now, id, at) {
            let _ = stream.set_zero_linger();
            return;
        }
        let (orders, obeyed) = mpsc::channel(MOST_ORDERS);
        self.clients.insert(id, TcpClient { peer, orders });
        self.tasks
            .spawn(connection::carry(stream, id, self.post.clone(), obeyed));
    }

    fn transmit(&mut self, transmit: Transmit) {
        match transmit {
            Transmit::Datagram {
                from,
                to,
                bytes,
                secret,
            } => {
                self.record(RecordTransport::Udp, to, Direction::Out, &bytes, secret);
                if let Some(site) = self.sites.iter().find(|site| site.address == from)
                    && let Err(error) = site.udp.try_send_to(&bytes, to.into())
                {
                    tracing::debug!(%error, "datagram from {from} to {to}");
                }
            }
            Transmit::Segment { connection, bytes } => {
                if let Some(client) = self.clients.get(&connection) {
                    self.record(
                        RecordTransport::Tcp,
                        client.peer,
                        Direction::Out,
                        &bytes,
                        false,
                    );
                    let _ = client.orders.try_send(StreamOrder::Write(bytes));
                }
            }
            Transmit::Close { connection } => self.dismiss(connection, StreamOrder::Close),
            Transmit::Reset { connection } => self.dismiss(connection, StreamOrder::Reset),
        }
    }

    /// Gives a last order. Where it does not fit in, dropping the sender closes the connection as well.
    fn dismiss(&mut self, id: ConnectionId, order: StreamOrder) {
        if let Some(client) = self.clients.remove(&id) {
            let _ = client.orders.try_send(order);
        }
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
    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<DriverEvent> {
        let at = self.address;
        if let Poll::Ready((from, bytes)) = self.poll_datagram(context) {
            return Poll::Ready(DriverEvent::Datagram { at, from, bytes });
        }
        if let Poll::Ready(accepted) = self.data.poll_accept(context) {
            let client = |(stream, peer)| DriverEvent::Client { at, stream, peer };
            return Poll::Ready(accepted.map_or(DriverEvent::Timer, client));
        }
        if let Poll::Ready(accepted) = self.web.poll_accept(context) {
            let visitor = |(stream, peer)| DriverEvent::Visitor { at, stream, peer };
            return Poll::Ready(accepted.map_or(DriverEvent::Timer, visitor));
        }
        Poll::Pending
    }

    fn poll_datagram(&mut self, context: &mut Context<'_>) -> Poll<(SocketAddrV4, Vec<u8>)> {
        let mut space = [0; MOST_BYTES];
        loop {
            let mut buffer = ReadBuf::new(&mut space);
            match ready!(self.udp.poll_recv_from(context, &mut buffer)) {
                Ok(SocketAddr::V4(from)) => return Poll::Ready((from, buffer.filled().to_vec())),
                Ok(SocketAddr::V6(_)) => {}
                Err(error) => tracing::debug!(%error, "datagram to {}", self.address),
            }
        }
    }
}

impl TcpPort {
    /// Opens, moves or closes the port.
    fn set(&mut self, address: Ipv4Addr, port: Option<u16>) -> Result<(), ServerError> {
        let is_open = self.listener.as_ref().map(|(port, _)| *port);
        if is_open == port || self.given_up {
            return Ok(());
        }
        self.listener = None;
        if let Some(port) = port {
            self.listener = Some((port, bind::tcp(address, port)?));
        }
        Ok(())
    }

    /// The next client; nothing when the port had to be closed, to be opened anew.
    fn poll_accept(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<(TcpStream, SocketAddrV4)>> {
        loop {
            let Some((port, listener)) = &self.listener else {
                return Poll::Pending;
            };
            match ready!(listener.poll_accept(context)) {
                Ok((stream, SocketAddr::V4(peer))) => return Poll::Ready(Some((stream, peer))),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    // Out of descriptors: the client that waits is sent away, or this would go round and round.
                    tracing::warn!(%error, "TCP port {port}");
                    self.listener = None;
                    return Poll::Ready(None);
                }
            }
        }
    }
}
