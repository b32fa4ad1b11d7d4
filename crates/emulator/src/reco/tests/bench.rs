//! A bench for the tests of a twin: one client, one clock, raw bytes.

use crate::PlugFault;
use crate::config::Mode;
use crate::reco::*;

pub(super) const PLUG: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 107);
pub(super) const CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 168, 1, 20), 50_000);

pub(super) struct TwinBench {
    pub(super) twin: RecoTwin,
    pub(super) now: Instant,
    pub(super) client: SocketAddrV4,
    pub(super) at: Ipv4Addr,
}

impl TwinBench {
    /// The plug of the published vectors, with faults.
    pub(super) fn new(faults: &[&str]) -> Self {
        Self::with(faults, |_| {})
    }

    pub(super) fn access_point(faults: &[&str], networks: &[&str]) -> Self {
        Self::with(faults, |config| {
            config.mode = Mode::Ap;
            config.home_networks = networks.iter().map(|text| text.parse().unwrap()).collect();
        })
    }

    pub(super) fn with(faults: &[&str], change: impl FnOnce(&mut PlugConfig)) -> Self {
        let mut config = PlugConfig::at(PLUG);
        config.mac = "ACCF23123456".parse().unwrap();
        config.serial = "900000621".parse().unwrap();
        config.faults = faults
            .iter()
            .map(|spec| spec.parse::<PlugFault>().unwrap())
            .collect();
        change(&mut config);
        let now = Instant::now();
        Self {
            twin: RecoTwin::new(config, now),
            now,
            client: CLIENT,
            at: PLUG,
        }
    }

    /// All that the twin sends by itself within `span`, in order.
    pub(super) fn wait(&mut self, span: Duration) -> Vec<Transmit> {
        let end = self.now + span;
        let mut sent = Vec::new();
        loop {
            self.twin.handle_timeout(self.now);
            while let Some(transmit) = self.twin.poll_transmit(self.now) {
                sent.push(transmit);
            }
            match self.twin.poll_timeout() {
                Some(due) if due <= end => self.now = self.now.max(due),
                _ => break,
            }
        }
        self.now = end;
        sent
    }

    /// Sends a datagram and returns the contents of those that come back within 5 s, and to where they went.
    pub(super) fn datagrams(&mut self, bytes: &[u8]) -> Vec<(SocketAddrV4, Vec<u8>)> {
        let arrival = Arrival {
            from: self.client,
            at: self.at,
            broadcast: false,
        };
        self.twin.handle_datagram(self.now, arrival, bytes);
        let sent = self.wait(Duration::from_secs(5));
        sent.into_iter()
            .filter_map(|transmit| match transmit {
                Transmit::Datagram { to, bytes, .. } => Some((to, bytes.to_vec())),
                _ => None,
            })
            .collect()
    }

    /// Sends a datagram and returns what comes back, each as text.
    pub(super) fn ask(&mut self, bytes: &[u8]) -> Vec<String> {
        self.datagrams(bytes)
            .into_iter()
            .map(|(_, bytes)| String::from_utf8(bytes).unwrap())
            .collect()
    }

    /// Opens the AT session.
    pub(super) fn open(&mut self) {
        assert_eq!(self.ask(b"HF-A11ASSISTHREAD").len(), 1);
        assert_eq!(self.ask(b"+ok"), [""; 0]);
    }

    /// One AT command and its one reply, without the terminator.
    pub(super) fn at(&mut self, line: &str) -> String {
        let replies = self.ask(format!("{line}\r").as_bytes());
        assert!(replies.len() <= 1, "{line}: {replies:?}");
        let reply = replies.concat();
        reply
            .strip_suffix("\r\n\r\n")
            .map(str::to_owned)
            .unwrap_or(reply)
    }

    /// Connects, sends one chunk, and returns what comes back within 5 s.
    pub(super) fn tcp(&mut self, chunk: &[u8]) -> Vec<u8> {
        let id = ConnectionId(1);
        assert!(self.twin.tcp_connected(self.now, id, self.at));
        self.twin.handle_tcp(self.now, id, chunk);
        let sent = self.wait(Duration::from_secs(5));
        self.twin.tcp_closed(self.now, id);
        segments(sent).concat()
    }
}

pub(super) fn segments(sent: Vec<Transmit>) -> Vec<Vec<u8>> {
    sent.into_iter()
        .filter_map(|transmit| match transmit {
            Transmit::Segment { bytes, .. } => Some(bytes),
            _ => None,
        })
        .collect()
}
