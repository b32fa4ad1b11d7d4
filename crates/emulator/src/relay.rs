//! A relay between an app and a plug, which records what passes.
//!
//! To the app it is the plug: it has an address of its own, hears broadcasts, and serves UDP 48899 and TCP 8899. To the plug it is
//! an app. In replies to discovery words and scans it puts its own address into field 1, so that the app goes on talking to it.
//! It is a [`Twin`], so that the same driver serves it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use hiflying::{DATA_PORT, Mac, PORT};
use zeroize::Zeroizing;

use crate::transcript::mask::{ConversationMask, SecretWords};
use crate::transcript::{TranscriptDirection, TranscriptTransport, TranscriptWriter, readdressed};
use crate::twin::{ConnectionId, TcpPort, Twin, TwinArrival, TwinOutput};

/// Port from which datagrams of an app that has another port than 48899 are passed on: a plug that replies to the source port
/// replies there, and one that replies to 48899 whatever the source does so here too.
const SOURCE_PORT: u16 = PORT - 1;
/// Time in which a plug must take a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum number of apps whose conversations are kept apart.
const MAX_APPS: usize = 64;
/// Maximum number of bytes that wait for the connection to the plug.
const MAX_WAITING: usize = 64 << 10;
/// Maximum number of connections of apps at a time; a plug serves fewer.
const MAX_STREAMS: usize = 8;

/// Relay of one plug.
#[derive(Debug)]
pub struct RelayTwin {
    listen: Ipv4Addr,
    plug: Ipv4Addr,
    transcript: TranscriptWriter,
    words: SecretWords,
    /// The app that sent last from port 48899.
    last: Option<SocketAddrV4>,
    /// The app that sent last from another port.
    last_other: Option<SocketAddrV4>,
    apps: HashMap<SocketAddrV4, ConversationMask>,
    /// Peers of connections that are not admitted yet.
    peers: BTreeMap<ConnectionId, SocketAddrV4>,
    /// By the connection of the app.
    streams: BTreeMap<ConnectionId, RelayStream>,
    outbox: VecDeque<TwinOutput>,
}

/// A connection of an app, and the one to the plug that belongs to it.
#[derive(Debug)]
struct RelayStream {
    app: SocketAddrV4,
    plug: Option<ConnectionId>,
    opened: Instant,
    waiting: Vec<u8>,
    mask: ConversationMask,
}

impl RelayTwin {
    /// Makes a relay at `listen` for the plug at `plug`.
    #[must_use]
    pub fn new(listen: Ipv4Addr, plug: Ipv4Addr, transcript: TranscriptWriter) -> Self {
        Self {
            listen,
            plug,
            transcript,
            words: SecretWords::default(),
            last: None,
            last_other: None,
            apps: HashMap::new(),
            peers: BTreeMap::new(),
            streams: BTreeMap::new(),
            outbox: VecDeque::new(),
        }
    }

    fn data_end(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.plug, DATA_PORT)
    }

    fn datagram(&mut self, from_port: u16, to: SocketAddrV4, bytes: &[u8]) {
        self.outbox.push_back(TwinOutput::Datagram {
            from: SocketAddrV4::new(self.listen, from_port),
            to,
            bytes: Zeroizing::new(bytes.to_vec()),
            secret: true,
        });
    }

    fn record(&self, direction: TranscriptDirection, app: SocketAddrV4, masked: &[u8]) {
        let plug = SocketAddrV4::new(self.plug, PORT);
        self.transcript
            .write(TranscriptTransport::Udp, direction, app, plug, masked);
    }

    fn pass_to_plug(&mut self, app: SocketAddrV4, bytes: &[u8]) {
        let is_other = app.port() != PORT;
        let last = if is_other {
            &mut self.last_other
        } else {
            &mut self.last
        };
        *last = Some(app);
        if self.apps.len() >= MAX_APPS && !self.apps.contains_key(&app) {
            self.apps.clear();
        }
        let mask = self.apps.entry(app).or_default();
        let masked = mask.request(&mut self.words, bytes);
        self.record(TranscriptDirection::ToPlug, app, &masked);
        let port = if is_other { SOURCE_PORT } else { PORT };
        self.datagram(port, SocketAddrV4::new(self.plug, PORT), bytes);
    }

    fn pass_to_app(&mut self, port: u16, bytes: &[u8]) {
        let asked = match port {
            PORT => self.last.or(self.last_other),
            _ => self.last_other,
        };
        let Some(asked) = asked else {
            return;
        };
        // To port 48899 whatever the source port was, as this plug does.
        let app = match port {
            PORT => SocketAddrV4::new(*asked.ip(), PORT),
            _ => asked,
        };
        let mask = self.apps.entry(asked).or_default();
        let masked = mask.reply(&mut self.words, bytes);
        self.record(TranscriptDirection::FromPlug, app, &masked);
        let reply = readdressed(bytes, self.listen);
        self.datagram(PORT, app, reply.as_deref().unwrap_or(bytes));
    }

    /// Returns the connection of the app that belongs to a connection to the plug.
    fn app_of(&self, plug: ConnectionId) -> Option<ConnectionId> {
        let mut streams = self.streams.iter();
        streams
            .find(|(_, stream)| stream.plug == Some(plug))
            .map(|(id, _)| *id)
    }

    /// Takes a connection to the plug that has been opened, for the app that waits longest.
    fn attach(&mut self, plug: ConnectionId) -> bool {
        let waiting = self
            .streams
            .values_mut()
            .filter(|stream| stream.plug.is_none());
        let Some(stream) = waiting.min_by_key(|stream| stream.opened) else {
            return false;
        };
        stream.plug = Some(plug);
        let bytes = std::mem::take(&mut stream.waiting);
        if !bytes.is_empty() {
            self.outbox.push_back(TwinOutput::Segment {
                connection: plug,
                bytes,
            });
        }
        true
    }

    fn drop_stream(&mut self, app: ConnectionId) -> Option<RelayStream> {
        let stream = self.streams.remove(&app)?;
        self.transcript.close(stream.app, self.data_end());
        Some(stream)
    }
}

impl Twin for RelayTwin {
    /// Not known: it is the plug's.
    fn mac(&self) -> Mac {
        Mac::new([0; 6])
    }

    fn addresses(&self) -> Vec<Ipv4Addr> {
        vec![self.listen]
    }

    fn is_reachable(&self, _: Ipv4Addr) -> bool {
        true
    }

    fn udp_ports(&self) -> &[u16] {
        &[PORT, SOURCE_PORT]
    }

    fn tcp_ports(&self, _: Ipv4Addr) -> Vec<TcpPort> {
        vec![TcpPort::Command(DATA_PORT)]
    }

    fn handle_datagram(&mut self, _: Instant, arrival: TwinArrival, bytes: &[u8]) {
        let is_of_plug = *arrival.from.ip() == self.plug;
        match arrival.at.port() {
            port if is_of_plug && !arrival.broadcast => self.pass_to_app(port, bytes),
            PORT if !is_of_plug => self.pass_to_plug(arrival.from, bytes),
            _ => {}
        }
    }

    fn handle_peer(&mut self, id: ConnectionId, peer: SocketAddrV4) {
        self.peers.insert(id, peer);
    }

    fn handle_connect(&mut self, now: Instant, id: ConnectionId, at: SocketAddrV4) -> bool {
        let Some(peer) = self.peers.remove(&id) else {
            return false;
        };
        if at.port() != DATA_PORT {
            return peer == self.data_end() && self.attach(id);
        }
        if self.streams.len() >= MAX_STREAMS {
            return false;
        }
        self.transcript.open(peer, self.data_end());
        let (waiting, mask) = (Vec::new(), ConversationMask::default());
        self.streams.insert(
            id,
            RelayStream {
                app: peer,
                plug: None,
                opened: now,
                waiting,
                mask,
            },
        );
        self.outbox.push_back(TwinOutput::Connect {
            from: self.listen,
            to: self.data_end(),
        });
        true
    }

    fn handle_segment(&mut self, _: Instant, id: ConnectionId, bytes: &[u8]) {
        let is_of_app = self.streams.contains_key(&id);
        let app = if is_of_app { Some(id) } else { self.app_of(id) };
        let end = self.data_end();
        let Some((app, stream)) = app.and_then(|app| Some((app, self.streams.get_mut(&app)?)))
        else {
            return;
        };
        let bytes = bytes.to_vec();
        let (direction, masked) = if is_of_app {
            (
                TranscriptDirection::ToPlug,
                stream.mask.request_piece(&mut self.words, &bytes),
            )
        } else {
            (
                TranscriptDirection::FromPlug,
                stream.mask.reply_piece(&mut self.words, &bytes),
            )
        };
        if !masked.is_empty() {
            self.transcript.write(
                TranscriptTransport::Tcp,
                direction,
                stream.app,
                end,
                &masked,
            );
        }
        match (is_of_app, stream.plug) {
            (false, _) => self.outbox.push_back(TwinOutput::Segment {
                connection: app,
                bytes,
            }),
            (true, Some(plug)) => self.outbox.push_back(TwinOutput::Segment {
                connection: plug,
                bytes,
            }),
            (true, None) if stream.waiting.len() + bytes.len() <= MAX_WAITING => {
                stream.waiting.extend(bytes);
            }
            (true, None) => self.outbox.push_back(TwinOutput::Reset { connection: app }),
        }
    }

    fn handle_close(&mut self, _: Instant, id: ConnectionId) {
        self.peers.remove(&id);
        if let Some(stream) = self.drop_stream(id) {
            self.outbox.extend(
                stream
                    .plug
                    .map(|connection| TwinOutput::Close { connection }),
            );
        } else if let Some(app) = self.app_of(id) {
            self.drop_stream(app);
            self.outbox.push_back(TwinOutput::Close { connection: app });
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        let is_late =
            |stream: &RelayStream| stream.plug.is_none() && now >= stream.opened + CONNECT_TIMEOUT;
        let late: Vec<_> = self
            .streams
            .iter()
            .filter(|(_, stream)| is_late(stream))
            .map(|(id, _)| *id)
            .collect();
        for connection in late {
            self.drop_stream(connection);
            self.outbox.push_back(TwinOutput::Reset { connection });
        }
    }

    fn poll_transmit(&mut self, _: Instant) -> Option<TwinOutput> {
        self.outbox.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let waiting = self.streams.values().filter(|stream| stream.plug.is_none());
        waiting.map(|stream| stream.opened + CONNECT_TIMEOUT).min()
    }
}

impl From<RelayTwin> for Box<dyn Twin> {
    fn from(relay: RelayTwin) -> Self {
        Box::new(relay)
    }
}

#[cfg(test)]
mod tests;
