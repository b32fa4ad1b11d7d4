//! A client, twins, and the network between them, on one clock that jumps from event to event.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use emulator::twin::{ConnectionId, TwinArrival, TwinOutput};
use emulator::{PlugConfig, RecoTwin, Twin};
use hiflying::smartlink::SMARTLINK_PORT;
use hiflying::{DATA_PORT, PORT};

pub(crate) const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 1);
pub(crate) const FIRST: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 10);
pub(crate) const BROADCAST: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 255);

/// TCP repeats what got lost after this, and then after twice as long each time.
const RETRANSMIT_DELAY: Duration = Duration::from_millis(200);

/// Quality of the network, each way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    pub(crate) loss: f64,
    pub(crate) doubled: f64,
    pub(crate) latency: Duration,
    /// Up to so much more, each datagram its own: what reorders them.
    pub(crate) jitter: Duration,
}

impl Weather {
    /// A home on a good day.
    pub(crate) const FAIR: Self = Self {
        loss: 0.0,
        doubled: 0.0,
        latency: Duration::from_millis(2),
        jitter: Duration::ZERO,
    };

    /// Loss, and now and then a copy or a datagram that comes late.
    pub(crate) const fn foul(loss: f64) -> Self {
        Self {
            loss,
            doubled: 0.02,
            jitter: Duration::from_millis(40),
            ..Self::FAIR
        }
    }
}

/// Something on its way.
#[derive(Debug)]
enum Delivery {
    ToTwin {
        twin: usize,
        arrival: TwinArrival,
        bytes: Vec<u8>,
    },
    ToClient {
        from: SocketAddrV4,
        to_port: u16,
        bytes: Vec<u8>,
    },
    Connect {
        twin: usize,
        at: SocketAddrV4,
    },
    Chunk {
        id: ConnectionId,
        bytes: Vec<u8>,
    },
    Finish {
        id: ConnectionId,
    },
    StreamToClient {
        id: ConnectionId,
        news: StreamEvent,
    },
}

/// An event of the client's TCP connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StreamEvent {
    Open,
    Refused,
    Bytes(Vec<u8>),
    Closed,
}

/// An event for the client.
#[derive(Debug)]
pub(crate) enum WorldEvent {
    Datagram {
        from: SocketAddrV4,
        bytes: Vec<u8>,
    },
    Stream(StreamEvent),
    /// The moment that it asked for.
    Due,
    /// Nothing will ever happen again.
    Nothing,
}

pub(crate) struct SimWorld<T = RecoTwin> {
    pub(crate) now: Instant,
    pub(crate) start: Instant,
    pub(crate) weather: Weather,
    pub(crate) twins: Vec<T>,
    /// When each twin wants to be called, as of when it was last touched.
    due: Vec<Option<Instant>>,
    random: fastrand::Rng,
    flights: BTreeMap<(Instant, u64), Delivery>,
    sequence: u64,
    /// The one TCP connection that the client may have.
    connection: Option<SimConnection>,
    connections: u64,
    /// Every datagram that left the client, lost ones too.
    pub(crate) sent: Vec<Vec<u8>>,
}

struct SimConnection {
    id: ConnectionId,
    twin: usize,
    /// When the last segment arrives, each way: a stream keeps its order.
    up: Instant,
    down: Instant,
}

impl SimWorld {
    pub(crate) fn new(seed: u64, weather: Weather, configs: Vec<PlugConfig>) -> Self {
        Self::of(seed, weather, |now| {
            let configs = configs.into_iter();
            configs.map(|config| RecoTwin::new(config, now)).collect()
        })
    }

    /// A world with one plug.
    pub(crate) fn with(seed: u64, weather: Weather, change: impl FnOnce(&mut PlugConfig)) -> Self {
        let mut config = PlugConfig::at(FIRST);
        config.seed = seed;
        change(&mut config);
        Self::new(seed, weather, vec![config])
    }

    /// Cuts the plug's power for a moment.
    pub(crate) fn restart(&mut self) {
        self.twins[0].restart(self.now);
        self.collect(0);
    }
}

impl<T: Twin> SimWorld<T> {
    /// A world with the twins that are made at its beginning.
    pub(crate) fn of(seed: u64, weather: Weather, twins: impl FnOnce(Instant) -> Vec<T>) -> Self {
        let now = Instant::now();
        let twins = twins(now);
        Self {
            now,
            start: now,
            weather,
            due: twins.iter().map(T::poll_timeout).collect(),
            twins,
            random: fastrand::Rng::with_seed(seed),
            flights: BTreeMap::new(),
            sequence: 0,
            connection: None,
            connections: 0,
            sent: Vec::new(),
        }
    }

    pub(crate) fn twin(&self) -> &T {
        &self.twins[0]
    }

    /// Changes the first twin from outside, as a hand on its button does.
    pub(crate) fn touch<R>(&mut self, change: impl FnOnce(&mut T, Instant) -> R) -> R {
        let result = change(&mut self.twins[0], self.now);
        self.collect(0);
        result
    }

    pub(crate) fn chance(&mut self, share: f64) -> bool {
        self.random.f64() < share
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    fn fly(&mut self, due: Instant, flight: Delivery) {
        self.sequence += 1;
        self.flights.insert((due, self.sequence), flight);
    }

    /// When a datagram arrives: never, once, or twice.
    fn arrivals(&mut self) -> Vec<Instant> {
        let copies = if self.chance(self.weather.loss) {
            0
        } else if self.chance(self.weather.doubled) {
            2
        } else {
            1
        };
        (0..copies).map(|_| self.now + self.travel()).collect()
    }

    fn travel(&mut self) -> Duration {
        self.weather.latency + self.weather.jitter.mul_f64(self.random.f64())
    }

    /// Travel time of a segment, with all its retransmissions.
    fn segment_travel(&mut self) -> Duration {
        let mut travel = self.travel();
        let mut pause = RETRANSMIT_DELAY;
        while self.chance(self.weather.loss) {
            travel += pause;
            pause *= 2;
        }
        travel
    }

    /// Sends a datagram from the client's port 48899.
    pub(crate) fn send(&mut self, to: SocketAddrV4, bytes: &[u8]) {
        self.sent.push(bytes.to_vec());
        let from = SocketAddrV4::new(CLIENT, PORT);
        let broadcast = *to.ip() == BROADCAST;
        let mut targets = Vec::new();
        for (twin, it) in self.twins.iter().enumerate() {
            let addresses = it.addresses().into_iter();
            let hit = addresses.filter(|at| broadcast || at == to.ip());
            targets.extend(hit.map(|at| (twin, SocketAddrV4::new(at, to.port()))));
        }
        for (twin, at) in targets {
            for due in self.arrivals() {
                let arrival = TwinArrival {
                    from,
                    at,
                    broadcast,
                };
                self.fly(
                    due,
                    Delivery::ToTwin {
                        twin,
                        arrival,
                        bytes: bytes.to_vec(),
                    },
                );
            }
        }
    }

    /// Opens the client's TCP connection to the plug's parser; an earlier one is closed.
    pub(crate) fn connect(&mut self, at: Ipv4Addr) {
        self.connect_to(SocketAddrV4::new(at, DATA_PORT));
    }

    /// Opens the client's TCP connection; an earlier one is closed.
    pub(crate) fn connect_to(&mut self, at: SocketAddrV4) {
        self.disconnect();
        let Some(twin) = self
            .twins
            .iter()
            .position(|it| it.addresses().contains(at.ip()))
        else {
            return;
        };
        self.connections += 1;
        let id = ConnectionId(self.connections);
        self.connection = Some(SimConnection {
            id,
            twin,
            up: self.now,
            down: self.now,
        });
        let due = self.now + self.segment_travel();
        self.fly(due, Delivery::Connect { twin, at });
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let travel = self.segment_travel();
        if let Some(connection) = &mut self.connection {
            connection.up = connection.up.max(self.now + travel);
            let (due, id) = (connection.up, connection.id);
            self.fly(
                due,
                Delivery::Chunk {
                    id,
                    bytes: bytes.to_vec(),
                },
            );
        }
    }

    pub(crate) fn disconnect(&mut self) {
        let travel = self.segment_travel();
        if let Some(connection) = self.connection.take() {
            // The connection is forgotten here, so the twin is told by the number of the twin.
            let due = connection.up.max(self.now + travel);
            self.fly(due, Delivery::Finish { id: connection.id });
        }
    }

    fn stream_to_client(&mut self, id: ConnectionId, news: StreamEvent) {
        let travel = self.segment_travel();
        if let Some(connection) = self
            .connection
            .as_mut()
            .filter(|connection| connection.id == id)
        {
            connection.down = connection.down.max(self.now + travel);
            let due = connection.down;
            self.fly(due, Delivery::StreamToClient { id, news });
        }
    }

    /// Runs until something reaches the client or its timer is due.
    pub(crate) fn next(&mut self, due: Option<Instant>) -> WorldEvent {
        loop {
            let flight = self.flights.first_key_value().map(|((at, _), _)| *at);
            let twin = self.due.iter().flatten().min().copied();
            let Some(next) = [flight, twin, due].into_iter().flatten().min() else {
                return WorldEvent::Nothing;
            };
            self.now = self.now.max(next);
            if flight.is_some_and(|at| at <= self.now) {
                let (_, flight) = self.flights.pop_first().unwrap();
                if let Some(event) = self.land(flight) {
                    return event;
                }
            } else if twin.is_some_and(|at| at <= self.now) {
                for twin in 0..self.twins.len() {
                    if self.due[twin].is_some_and(|at| at <= self.now) {
                        self.twins[twin].handle_timeout(self.now);
                        self.collect(twin);
                    }
                }
            } else {
                return WorldEvent::Due;
            }
        }
    }

    /// Lets time pass; what reaches the client is dropped.
    pub(crate) fn wait(&mut self, span: Duration) {
        let until = self.now + span;
        while !matches!(self.next(Some(until)), WorldEvent::Due) {}
    }

    fn land(&mut self, flight: Delivery) -> Option<WorldEvent> {
        let now = self.now;
        match flight {
            Delivery::ToTwin {
                twin,
                arrival,
                bytes,
            } => {
                self.twins[twin].handle_datagram(now, arrival, &bytes);
                self.collect(twin);
            }
            Delivery::ToClient {
                from,
                to_port: PORT | SMARTLINK_PORT,
                bytes,
            } => return Some(WorldEvent::Datagram { from, bytes }),
            // Nobody listens on other ports of the client.
            Delivery::ToClient { .. } => {}
            Delivery::Connect { twin, at } => self.admit(twin, at),
            Delivery::Chunk { id, bytes } => {
                if let Some(twin) = self.twin_of(id) {
                    self.twins[twin].handle_segment(now, id, &bytes);
                    self.collect(twin);
                }
            }
            Delivery::Finish { id } => {
                for twin in 0..self.twins.len() {
                    self.twins[twin].handle_close(now, id);
                    self.collect(twin);
                }
            }
            Delivery::StreamToClient { id, news } => {
                let ends = matches!(news, StreamEvent::Closed | StreamEvent::Refused);
                self.twin_of(id)?;
                if ends {
                    self.connection = None;
                }
                return Some(WorldEvent::Stream(news));
            }
        }
        None
    }

    fn twin_of(&self, id: ConnectionId) -> Option<usize> {
        self.connection
            .as_ref()
            .filter(|connection| connection.id == id)
            .map(|connection| connection.twin)
    }

    fn admit(&mut self, twin: usize, at: SocketAddrV4) {
        let Some(id) = self.connection.as_ref().map(|connection| connection.id) else {
            return;
        };
        // A plug that is not there is silent; one that is there refuses.
        if !self.twins[twin].is_reachable(*at.ip()) {
            return;
        }
        let news = if self.twins[twin].handle_connect(self.now, id, at) {
            StreamEvent::Open
        } else {
            StreamEvent::Refused
        };
        self.stream_to_client(id, news);
        self.collect(twin);
    }

    /// Puts on its way what a twin sends.
    fn collect(&mut self, twin: usize) {
        while let Some(transmit) = self.twins[twin].poll_transmit(self.now) {
            match transmit {
                TwinOutput::Datagram {
                    from, to, bytes, ..
                } => self.datagram_to_client(from, to, &bytes),
                // Nobody listens outside.
                TwinOutput::Connect { .. } => {}
                TwinOutput::Segment { connection, bytes } => {
                    self.stream_to_client(connection, StreamEvent::Bytes(bytes));
                }
                TwinOutput::Close { connection } | TwinOutput::Reset { connection } => {
                    self.stream_to_client(connection, StreamEvent::Closed);
                }
            }
        }
        self.due[twin] = self.twins[twin].poll_timeout();
    }

    fn datagram_to_client(&mut self, from: SocketAddrV4, to: SocketAddrV4, bytes: &[u8]) {
        assert_eq!(*to.ip(), CLIENT);
        for due in self.arrivals() {
            let (to_port, bytes) = (to.port(), bytes.to_vec());
            self.fly(
                due,
                Delivery::ToClient {
                    from,
                    to_port,
                    bytes,
                },
            );
        }
    }
}
