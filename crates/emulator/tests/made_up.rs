//! A made-up device on ports of its own that reports unasked: server, records and ready lines serve any twin alike.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail like tests"
)]

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use emulator::twin::{ConnectionId, TcpPort, TwinArrival, TwinOutput};
use emulator::{PlugConfig, RecoTwin, RecordWriter, Twin, server};
use hiflying::Mac;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::oneshot;
use tokio::time::timeout;

const LAMP_PORT: u16 = 10_000;
const REPORT_INTERVAL: Duration = Duration::from_millis(200);

/// A lamp: answers `who` with its MAC, reports its state to the sender of `watch`, dials in to the sender of `call`, and is
/// switched over TCP.
#[derive(Debug)]
struct ReportingLamp {
    address: Ipv4Addr,
    is_lit: bool,
    watcher: Option<(SocketAddrV4, SocketAddrV4)>,
    next_report: Instant,
    outgoing: VecDeque<TwinOutput>,
}

impl ReportingLamp {
    fn at(address: Ipv4Addr) -> Self {
        Self {
            address,
            is_lit: false,
            watcher: None,
            next_report: Instant::now(),
            outgoing: VecDeque::new(),
        }
    }

    fn datagram(&mut self, from: SocketAddrV4, to: SocketAddrV4, text: &str) {
        self.outgoing.push_back(TwinOutput::Datagram {
            from,
            to,
            bytes: text.as_bytes().to_vec().into(),
            secret: false,
        });
    }
}

impl Twin for ReportingLamp {
    fn mac(&self) -> Mac {
        let [_, b, c, d] = self.address.octets();
        Mac::new([0x02, 0, 0, b, c, d])
    }

    fn addresses(&self) -> Vec<Ipv4Addr> {
        vec![self.address]
    }

    fn is_reachable(&self, at: Ipv4Addr) -> bool {
        at == self.address
    }

    fn udp_ports(&self) -> &[u16] {
        &[LAMP_PORT]
    }

    fn tcp_ports(&self, _: Ipv4Addr) -> Vec<TcpPort> {
        vec![TcpPort::Command(LAMP_PORT)]
    }

    fn handle_datagram(&mut self, now: Instant, arrival: TwinArrival, bytes: &[u8]) {
        match bytes {
            b"who" => self.datagram(arrival.at, arrival.from, &format!("lamp {}", self.mac())),
            b"watch" => {
                self.watcher = Some((arrival.at, arrival.from));
                self.next_report = now;
            }
            b"call" => self.outgoing.push_back(TwinOutput::Connect {
                from: *arrival.at.ip(),
                to: arrival.from,
            }),
            _ => {}
        }
    }

    fn handle_connect(&mut self, _: Instant, connection: ConnectionId, at: SocketAddrV4) -> bool {
        if at.port() != LAMP_PORT {
            let bytes = b"here I am".to_vec();
            self.outgoing
                .push_back(TwinOutput::Segment { connection, bytes });
        }
        true
    }

    fn handle_segment(&mut self, _: Instant, connection: ConnectionId, bytes: &[u8]) {
        self.is_lit = bytes == b"on";
        let bytes = b"done".to_vec();
        self.outgoing
            .push_back(TwinOutput::Segment { connection, bytes });
        self.outgoing.push_back(TwinOutput::Close { connection });
    }

    fn handle_timeout(&mut self, now: Instant) {
        if let Some((from, to)) = self.watcher
            && self.next_report <= now
        {
            let state = if self.is_lit { "lit" } else { "dark" };
            self.datagram(from, to, state);
            self.next_report = now + REPORT_INTERVAL;
        }
    }

    fn poll_transmit(&mut self, _: Instant) -> Option<TwinOutput> {
        self.outgoing.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.watcher.map(|_| self.next_report)
    }
}

async fn receive(socket: &UdpSocket) -> String {
    let mut buffer = [0; 256];
    let received = timeout(Duration::from_secs(10), socket.recv(&mut buffer)).await;
    let length = received
        .unwrap_or_else(|_| panic!("nothing comes"))
        .unwrap();
    String::from_utf8(buffer[..length].to_vec()).unwrap()
}

#[tokio::test]
async fn any_twin_is_served_beside_a_plug() {
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("record.jsonl");
    let [first, second, third] = [2, 3, 4].map(|last| Ipv4Addr::new(127, 81, 1, last));
    let plug = RecoTwin::new(PlugConfig::at(third), Instant::now());
    let twins: Vec<Box<dyn Twin>> = vec![
        Box::new(ReportingLamp::at(first)),
        Box::new(ReportingLamp::at(second)),
        Box::new(plug),
    ];
    let (stop, stopped) = oneshot::channel::<()>();
    let (ready, mut is_ready) = tokio::sync::mpsc::unbounded_channel();
    let serving = tokio::spawn(server::run(
        twins,
        Some(RecordWriter::create(&record).unwrap()),
        move |twin| ready.send(twin.mac.to_string()).unwrap(),
        async { drop(stopped.await) },
    ));
    for mac in [
        "02:00:00:51:01:02",
        "02:00:00:51:01:03",
        "AC:CF:23:51:01:04",
    ] {
        assert_eq!(is_ready.recv().await.as_deref(), Some(mac));
    }

    let client = UdpSocket::bind(("127.81.1.1", 0)).await.unwrap();
    client.set_broadcast(true).unwrap();
    let everywhere = SocketAddrV4::new([127, 255, 255, 255].into(), LAMP_PORT);
    client.send_to(b"who", everywhere).await.unwrap();
    let mut found = [receive(&client).await, receive(&client).await];
    found.sort();
    assert_eq!(
        found,
        ["lamp 02:00:00:51:01:02", "lamp 02:00:00:51:01:03"],
        "a broadcast on the lamps' own port reaches them alone"
    );

    client.send_to(b"watch", (first, LAMP_PORT)).await.unwrap();
    assert_eq!(receive(&client).await, "dark");
    let mut stream = TcpStream::connect((first, LAMP_PORT)).await.unwrap();
    stream.write_all(b"on").await.unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    assert_eq!(reply, "done");
    while receive(&client).await != "lit" {}
    assert_eq!(receive(&client).await, "lit", "it goes on to report");

    let server = TcpListener::bind(client.local_addr().unwrap())
        .await
        .unwrap();
    client.send_to(b"call", (second, LAMP_PORT)).await.unwrap();
    let (mut dialled, from) = server.accept().await.unwrap();
    assert_eq!(from.ip(), second);
    let mut greeting = [0; 9];
    dialled.read_exact(&mut greeting).await.unwrap();
    dialled.write_all(b"off").await.unwrap();
    let mut reply = String::new();
    dialled.read_to_string(&mut reply).await.unwrap();
    assert_eq!((&greeting, reply.as_str()), (b"here I am", "done"));

    drop(stop);
    serving.await.unwrap().unwrap();
    let record = std::fs::read_to_string(&record).unwrap();
    for part in [
        r#""plug":"02:00:00:51:01:02","transport":"udp""#,
        r#""direction":"in","text":"watch""#,
        r#""direction":"out","text":"lit""#,
        r#""transport":"tcp""#,
    ] {
        assert!(record.contains(part), "{part}: {record}");
    }
}
