//! Drives an [`Exchange`] with a real socket.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::pin::Pin;
use std::sync::Arc;

use hiflying::net::UdpPort;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::Lan;
use super::listen::Listener;
use crate::exchange::{Action, Exchange, ExchangeError, Outcome, Silence, Transport};

/// An exchange and its socket.
pub(super) struct Conversation<'a> {
    exchange: Box<dyn Exchange>,
    address: Ipv4Addr,
    lan: &'a Lan,
    wire: Wire,
    /// A connection from before, for the first [`Action::Open`]; later the one that was released.
    kept: Option<TcpStream>,
    /// What was sent on a connection from before, as long as nothing has come back: it may have been dead.
    doubtful: Option<Vec<u8>>,
    is_replaced: bool,
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
        local_port: u16,
        port: UdpPort,
        to: SocketAddrV4,
        listener: Listener,
    },
}

/// What is left of a conversation that was decided.
pub(super) enum Rest {
    Nothing,
    /// A connection on which all was said.
    Idle(TcpStream),
    /// A connection on which the plug may not have finished.
    Unfinished(Box<dyn Exchange>, TcpStream),
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
    pub(super) fn new(exchange: Box<dyn Exchange>, address: Ipv4Addr, lan: &'a Lan) -> Self {
        Self {
            exchange,
            address,
            lan,
            wire: Wire::Closed,
            kept: None,
            doubtful: None,
            is_replaced: false,
            has_sent: false,
            sent: Arc::new(Notify::new()),
            is_decided: false,
            local_error: None,
        }
    }

    /// Lets it go on over a connection from before. Should that turn out to be dead, a new one takes its place unseen.
    pub(super) fn over(mut self, kept: Option<TcpStream>) -> Self {
        self.kept = kept;
        self
    }

    /// Tells whether the connection from before turned out to be dead.
    pub(super) fn is_replaced(&self) -> bool {
        self.is_replaced
    }

    /// Returns what is left of it, to be kept.
    pub(super) fn rest(self) -> Rest {
        match (self.kept, self.wire) {
            (Some(stream), _) => Rest::Idle(stream),
            (None, Wire::Stream(stream)) if self.is_decided => {
                Rest::Unfinished(self.exchange, stream)
            }
            _ => Rest::Nothing,
        }
    }

    /// Goes on where [`Rest::Unfinished`] was left.
    pub(super) fn resume(
        exchange: Box<dyn Exchange>,
        stream: TcpStream,
        address: Ipv4Addr,
        lan: &'a Lan,
    ) -> Self {
        Self {
            wire: Wire::Stream(stream),
            is_decided: true,
            ..Self::new(exchange, address, lan)
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
                    if let Some(doubtful) = &mut self.doubtful {
                        doubtful.clone_from(&bytes);
                    }
                    if let Err(error) = self.send(&bytes).await {
                        tracing::debug!(address = %self.address, %error, "cannot send");
                        self.lost(Silence::Closed);
                    }
                }
                Action::Release => {
                    if let Wire::Stream(stream) = std::mem::replace(&mut self.wire, Wire::Closed) {
                        self.kept = Some(stream);
                    }
                }
                Action::Close => self.wire = Wire::Closed,
            }
        }
    }

    fn open(&mut self) {
        match self.exchange.transport() {
            Transport::Tcp { port } => match self.kept.take() {
                Some(stream) => {
                    self.wire = Wire::Stream(stream);
                    self.doubtful = Some(Vec::new());
                    self.exchange.handle_open(now());
                }
                None => self.connect(port),
            },
            Transport::Udp { local_port, port } => {
                let to = SocketAddrV4::new(self.address, port);
                let network = self.lan.network(self.address);
                let Some((network, socket)) =
                    network.and_then(|network| Some((network, network.socket(local_port)?)))
                else {
                    self.closed(Silence::Unreachable);
                    return;
                };
                self.wire = Wire::Datagrams {
                    local_port,
                    port: socket.port.clone(),
                    to,
                    listener: Listener::on([network]),
                };
                self.exchange.handle_open(now());
            }
        }
    }

    fn connect(&mut self, port: u16) {
        let to = SocketAddrV4::new(self.address, port);
        self.wire = Wire::Connecting(Box::pin(async move {
            let stream = TcpStream::connect(to).await?;
            // An order must not wait for the acknowledgement of the one before.
            let _ = stream.set_nodelay(true);
            Ok(stream)
        }));
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
                match self.doubtful.take() {
                    // The exchange believes that it is open all the time.
                    Some(bytes) => self.send_again(&bytes).await,
                    None => self.exchange.handle_open(now()),
                }
            }
            Some(Arrival::Bytes(length)) => {
                self.doubtful = None;
                let bytes = buffer.get(..length).unwrap_or_default();
                self.exchange.handle_input(now(), bytes);
            }
            Some(Arrival::Datagram(bytes)) => self.exchange.handle_input(now(), &bytes),
            Some(Arrival::Closed(how)) => self.lost(how),
            Some(Arrival::Failed(error)) => {
                self.local_error = Some(error);
                self.closed(Silence::Unreachable);
            }
        }
    }

    async fn send_again(&mut self, bytes: &[u8]) {
        if self.send(bytes).await.is_err() {
            self.closed(Silence::Closed);
        }
    }

    /// A connection from before that ended without an answer is replaced once; any other end is the exchange's business.
    fn lost(&mut self, how: Silence) {
        match (&self.doubtful, &self.wire, self.exchange.transport()) {
            (Some(_), Wire::Stream(_), Transport::Tcp { port }) => {
                tracing::debug!(address = %self.address, "the kept connection is dead; a new one");
                self.is_replaced = true;
                self.connect(port);
            }
            _ => {
                self.doubtful = None;
                self.closed(how);
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
            Self::Datagrams {
                local_port,
                listener,
                ..
            } => loop {
                let (arrived_at, datagram) = listener.next().await;
                if arrived_at == *local_port && *datagram.from.ip() == address {
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

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::net::UdpSocket;
    use std::time::{Duration, Instant as Time};

    use hiflying::net::Interface;

    use super::*;
    use crate::net::Lan;

    const OURS: Ipv4Addr = Ipv4Addr::new(127, 62, 1, 1);
    const THEIRS: Ipv4Addr = Ipv4Addr::new(127, 62, 1, 2);

    /// An exchange over datagrams such as an Orvibo S20 wants: ask again until the second answer.
    #[derive(Debug)]
    struct Patient {
        actions: VecDeque<Action>,
        again: Option<Time>,
        answers: Vec<Vec<u8>>,
    }

    impl Exchange for Patient {
        fn transport(&self) -> Transport {
            Transport::Udp {
                local_port: 48899,
                port: 10_000,
            }
        }

        fn handle_open(&mut self, now: Time) {
            self.handle_timeout(now);
        }

        fn handle_input(&mut self, _now: Time, bytes: &[u8]) {
            self.answers.push(bytes.to_vec());
            if self.answers.len() == 2 {
                self.actions.push_back(Action::Close);
            }
        }

        fn handle_closed(&mut self, _now: Time, _how: Silence) {}

        fn handle_timeout(&mut self, now: Time) {
            self.actions.push_back(Action::Send(b"dc".to_vec()));
            self.again = Some(now + Duration::from_millis(30));
        }

        fn poll_timeout(&self) -> Option<Time> {
            self.again
        }

        fn poll_action(&mut self) -> Option<Action> {
            self.actions.pop_front()
        }

        fn poll_outcome(&mut self) -> Option<Result<Outcome, ExchangeError>> {
            let [_, last] = &self.answers[..] else {
                return None;
            };
            Some(Ok(Outcome::Version(
                String::from_utf8_lossy(last).into_owned(),
            )))
        }
    }

    #[tokio::test]
    async fn datagrams_go_out_from_the_shared_port_and_come_back_to_it() {
        let plug = UdpSocket::bind((THEIRS, 10_000)).unwrap();
        let stranger = UdpSocket::bind((Ipv4Addr::new(127, 62, 1, 3), 0)).unwrap();
        let script = std::thread::spawn(move || {
            let mut buffer = [0; 10];
            for answer in ["echo", "sf"] {
                let (length, from) = plug.recv_from(&mut buffer).unwrap();
                assert_eq!(
                    (&buffer[..length], from),
                    (&b"dc"[..], (OURS, 48899).into())
                );
                stranger.send_to(b"not me", from).unwrap();
                plug.send_to(answer.as_bytes(), from).unwrap();
            }
        });
        let interface = Interface {
            name: "lo".into(),
            address: OURS,
            prefix: 24,
            broadcast: Ipv4Addr::new(127, 62, 1, 255),
            loopback: true,
            up: true,
            index: 1,
        };
        let lan = Lan::open(&[interface]).await.unwrap();
        let patient = Patient {
            actions: [Action::Open].into(),
            again: None,
            answers: Vec::new(),
        };
        let mut conversation = Conversation::new(Box::new(patient), THEIRS, &lan);
        let outcome = conversation.outcome().await.unwrap();
        assert_eq!(outcome, Outcome::Version("sf".into()));
        assert!(conversation.has_sent());
        conversation.finish().await.unwrap();
        script.join().unwrap();
    }
}
