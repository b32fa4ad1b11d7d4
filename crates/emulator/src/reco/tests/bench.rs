//! A bench for the tests of a twin: one client, one clock, raw bytes.

use crate::PlugFault;
use crate::config::Mode;
use crate::reco::*;

pub(super) const PLUG: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 107);
pub(super) const CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 168, 1, 20), 50_000);

/// A datagram of the client to the plug.
pub(super) fn arrival(broadcast: bool) -> TwinArrival {
    TwinArrival {
        from: CLIENT,
        at: SocketAddrV4::new(PLUG, hiflying::PORT),
        broadcast,
    }
}

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
    pub(super) fn wait(&mut self, span: Duration) -> Vec<TwinOutput> {
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
        let arrival = TwinArrival {
            from: self.client,
            at: SocketAddrV4::new(self.at, hiflying::PORT),
            broadcast: false,
        };
        self.twin.handle_datagram(self.now, arrival, bytes);
        let sent = self.wait(Duration::from_secs(5));
        sent.into_iter()
            .filter_map(|transmit| match transmit {
                TwinOutput::Datagram { to, bytes, .. } => Some((to, bytes.to_vec())),
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
        assert!(self.connect(1));
        self.segment(1, chunk);
        let sent = self.wait(Duration::from_secs(5));
        self.twin.handle_close(self.now, ConnectionId(1));
        segments(sent).concat()
    }

    /// Opens a connection to the command port.
    pub(super) fn connect(&mut self, id: u64) -> bool {
        let at = SocketAddrV4::new(self.at, 8899);
        self.twin.handle_connect(self.now, ConnectionId(id), at)
    }

    pub(super) fn segment(&mut self, id: u64, bytes: &[u8]) {
        self.twin.handle_segment(self.now, ConnectionId(id), bytes);
    }

    pub(super) fn command_port(&self, at: Ipv4Addr) -> Option<u16> {
        let ports = self.twin.tcp_ports(at);
        ports.iter().find_map(|port| match port {
            TcpPort::Command(number) => Some(*number),
            TcpPort::Web(_) => None,
        })
    }

    pub(super) fn web_port(&self, at: Ipv4Addr) -> Option<u16> {
        let ports = self.twin.tcp_ports(at);
        ports.iter().find_map(|port| match port {
            TcpPort::Web(number) => Some(*number),
            TcpPort::Command(_) => None,
        })
    }

    pub(super) fn web_login(&mut self, authorization: &str) -> String {
        self.web(&format!(
            "GET / HTTP/1.1\r\nAuthorization: {authorization}\r\n\r\n"
        ))
    }

    /// Asks the web server for a page.
    pub(super) fn web(&mut self, request: &str) -> String {
        let (id, at) = (ConnectionId(9), SocketAddrV4::new(self.at, 80));
        assert!(self.twin.handle_connect(self.now, id, at));
        self.twin.handle_segment(self.now, id, request.as_bytes());
        let sent = self.wait(Duration::ZERO);
        let closed = TwinOutput::Close { connection: id };
        assert!(sent.is_empty() || sent.contains(&closed), "{sent:?}");
        self.twin.handle_close(self.now, id);
        String::from_utf8(segments(sent).concat()).unwrap()
    }
}

pub(super) fn segments(sent: Vec<TwinOutput>) -> Vec<Vec<u8>> {
    sent.into_iter()
        .filter_map(|transmit| match transmit {
            TwinOutput::Segment { bytes, .. } => Some(bytes),
            _ => None,
        })
        .collect()
}
