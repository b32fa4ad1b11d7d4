use proptest::prelude::*;

use super::*;
use crate::transcript;

const LISTEN: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 4);
const APP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, 1), 48899);

/// Makes lines, one second apart, from `transport > request` and `transport < reply`.
fn lines(exchanges: &[&str]) -> Vec<TranscriptLine> {
    let line = |(second, text): (i64, &&str)| {
        let (transport, rest) = text.split_once(' ').unwrap();
        let (direction, content) = rest.split_once(' ').unwrap();
        let is_udp = transport == "udp";
        TranscriptLine {
            at: Timestamp::from_second(1_700_000_000 + second).unwrap(),
            transport: if is_udp {
                TranscriptTransport::Udp
            } else {
                TranscriptTransport::Tcp
            },
            direction: if direction == ">" {
                TranscriptDirection::ToPlug
            } else {
                TranscriptDirection::FromPlug
            },
            peer: if is_udp {
                APP
            } else {
                SocketAddrV4::new(*APP.ip(), 50000)
            },
            bytes: content
                .replace("\\r", "\r")
                .replace("\\n", "\n")
                .into_bytes(),
            text: None,
        }
    };
    (0..).zip(exchanges).map(line).collect()
}

struct ReplayBench {
    twin: ReplayTwin,
    now: Instant,
}

impl ReplayBench {
    fn new(exchanges: &[&str]) -> Self {
        let twin = ReplayTwin::new(LISTEN, &lines(exchanges)).unwrap();
        Self {
            twin,
            now: Instant::now(),
        }
    }

    fn replies(&mut self) -> String {
        self.now += Duration::from_secs(10);
        let mut all = String::new();
        while let Some(output) = self.twin.poll_transmit(self.now) {
            match output {
                TwinOutput::Datagram { bytes, .. } => {
                    all.push_str(&String::from_utf8_lossy(&bytes));
                }
                TwinOutput::Segment { bytes, .. } => all.push_str(&String::from_utf8_lossy(&bytes)),
                other => panic!("{other:?}"),
            }
        }
        all
    }

    fn udp(&mut self, bytes: &str) -> String {
        let arrival = TwinArrival {
            from: APP,
            at: SocketAddrV4::new(LISTEN, PORT),
            broadcast: true,
        };
        self.twin
            .handle_datagram(self.now, arrival, bytes.as_bytes());
        self.replies()
    }

    fn tcp(&mut self, bytes: &str) -> String {
        let id = ConnectionId(1);
        self.twin
            .handle_connect(self.now, id, SocketAddrV4::new(LISTEN, DATA_PORT));
        self.twin.handle_segment(self.now, id, bytes.as_bytes());
        self.replies()
    }
}

const SP2: [&str; 14] = [
    "udp > YZ-RECOSCAN",
    "udp < 192.168.1.107,ACCF23123456,900000621,0,0,",
    "tcp > AT+YZSWITCH=1,ON,201704031153\\r\\n",
    "tcp < +ok\\r\\n\\r\\n",
    "tcp > AT+YZOUT\\r\\n",
    "tcp < +ok=3,22694,5007,0,0,3548,0\\r\\n\\r\\n",
    "tcp > AT+YZOUT\\r\\n",
    "tcp < +ok=8,23678,4999,74,0,22015,0\\r\\n\\r\\n",
    "tcp > AT+YZSWITCH=1,OFF,201704031154\\r\\n",
    "tcp < +ok\\r\\n\\r\\n",
    "tcp > AT+YZDELAY=1,ON,5,201704031154\\r\\n",
    "tcp < +ok\\r\\n\\r\\n",
    "udp > HF-A11ASSISTHREAD",
    "udp < 192.168.1.107,ACCF23123456,HF-LPB100",
];

#[test]
fn switch_and_scan_follow_each_other() {
    let mut bench = ReplayBench::new(&SP2);
    assert_eq!(bench.twin.mac().to_string(), "AC:CF:23:12:34:56");
    let scan = |relay: u8| format!("127.0.0.4,ACCF23123456,900000621,0,{relay},");
    assert_eq!(bench.udp("YZ-RECOSCAN"), scan(0));
    for (state, relay) in [("ON", 1), ("ON", 1), ("OFF", 0), ("ON", 1), ("OFF", 0)] {
        // At another time, with another line end.
        assert_eq!(
            bench.tcp(&format!("AT+YZSWITCH=1,{state},202611301200\n")),
            "+ok\r\n\r\n"
        );
        assert_eq!(bench.udp("YZ-RECOSCAN"), scan(relay));
        assert_eq!(bench.udp("yz-recoscan\r\n"), scan(relay));
    }
    assert_eq!(bench.tcp("AT+YZDELAY=1,ON,5,time"), "+ok\r\n\r\n");
    assert_eq!(bench.udp("YZ-RECOSCAN"), scan(0));
    bench.now += Duration::from_secs(300);
    bench.twin.handle_timeout(bench.now);
    assert_eq!(bench.udp("YZ-RECOSCAN"), scan(1));
    assert_eq!(
        bench.udp("HF-A11ASSISTHREAD"),
        "127.0.0.4,ACCF23123456,HF-LPB100"
    );
}

#[test]
fn queries_take_turns_where_they_were_recorded() {
    let mut bench = ReplayBench::new(&SP2);
    bench.tcp("AT+YZSWITCH=1,ON,201704031153");
    let readings: Vec<String> = (0..3).map(|_| bench.tcp("at+yzout")).collect();
    assert!(
        readings[0].starts_with("+ok=3,") && readings[1].starts_with("+ok=8,"),
        "{readings:?}"
    );
    assert_eq!(readings[0], readings[2]);
}

#[test]
fn what_was_not_recorded() {
    let mut bench = ReplayBench::new(&SP2);
    for request in [
        "hello",
        "AT+YZSWITCH=2,ON,201704031153",
        "AT+YZDELAY=1,ON,6,201704031154",
        "AT+VER\r\n",
        "YZ-RECOSCAN",
    ] {
        assert_eq!(bench.tcp(request), "+ERROR\r\n\r\n", "{request}");
    }
    assert_eq!(
        bench.tcp("AT+VER\r\nAT+YZSWITCH=1,ON,1\r\n"),
        "+ERROR\r\n\r\n+ok\r\n\r\n"
    );
    for request in ["hello", "AT+YZOUT", "WIFIKIT-214028-READ", "***", ""] {
        assert_eq!(bench.udp(request), "", "{request}");
    }
    // Not even that was recorded.
    let twin = ReplayTwin::new(LISTEN, &lines(&["tcp < +ok"]));
    assert_eq!(twin.unwrap_err(), TranscriptError::Empty);
}

/// A plug of an unknown maker: what a query shows after a command is what it showed then.
#[test]
fn commands_of_another_maker_move_through_the_transcript() {
    let mut bench = ReplayBench::new(&[
        "tcp < hello\\r\\n",
        "tcp > AT+STATE",
        "tcp < +ok=off",
        "tcp > AT+POWER=1",
        "tcp < +ok",
        "tcp > AT+STATE",
        "tcp < +ok=on",
        "tcp > AT+POWER=0",
        "tcp < +ok",
        "tcp > AT+STATE",
        "tcp < +ok=off",
    ]);
    assert_eq!(bench.tcp("AT+STATE"), "hello\r\n+ok=off");
    bench.twin.banner.clear();
    for (command, state) in [
        ("AT+POWER=1", "+ok=on"),
        ("AT+POWER=0", "+ok=off"),
        ("AT+POWER=1", "+ok=on"),
        ("AT+POWER=1", "+ok=on"),
    ] {
        assert_eq!(bench.tcp(command), "+ok");
        assert_eq!(bench.tcp("AT+STATE"), state);
        assert_eq!(bench.tcp("AT+STATE"), state);
    }
}

#[test]
fn a_masked_key_stands_for_any() {
    let mut bench =
        ReplayBench::new(&["udp > AT+WSKEY=WPA2PSK,AES,***\\r", "udp < +ok\\r\\n\\r\\n"]);
    assert_eq!(bench.udp("AT+WSKEY=WPA2PSK,AES,another\r"), "+ok\r\n\r\n");
    assert_eq!(bench.udp("AT+WSKEY=OPEN,NONE\r"), "");
}

#[test]
fn replies_go_to_the_port_that_they_went_to() {
    let mut lines = lines(&SP2);
    let ask = |lines: &[TranscriptLine]| {
        let mut twin = ReplayTwin::new(LISTEN, lines).unwrap();
        let from = SocketAddrV4::new(*APP.ip(), 40000);
        let arrival = TwinArrival {
            from,
            at: SocketAddrV4::new(LISTEN, PORT),
            broadcast: false,
        };
        let now = Instant::now();
        twin.handle_datagram(now, arrival, b"YZ-RECOSCAN");
        match twin.poll_transmit(now + MAX_DELAY) {
            Some(TwinOutput::Datagram { to, .. }) => to.port(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(ask(&lines), PORT);
    for line in &mut lines {
        line.peer.set_port(40000);
    }
    assert_eq!(ask(&lines), 40000);
}

proptest! {
    #[test]
    fn no_transcript_and_no_request_panics(
        contents in prop::collection::vec(("(udp|tcp) [<>] ", "(AT\\+|\\+ok|[A-Z=,0-9*]){0,8}.{0,10}"), 1..12),
        requests in prop::collection::vec("(AT\\+|[A-Z=,0-9*]){0,8}.{0,10}", 0..8),
    ) {
        let texts: Vec<String> = contents.iter().map(|(head, text)| format!("{head}{text}")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let lines = lines(&texts);
        let json: Vec<String> = lines.iter().map(|line| serde_json::to_string(line).unwrap()).collect();
        prop_assert_eq!(&transcript::parse(&json.join("\n")).unwrap(), &lines);
        if let Ok(twin) = ReplayTwin::new(LISTEN, &lines) {
            let mut bench = ReplayBench { twin, now: Instant::now() };
            for request in &requests {
                bench.udp(request);
                bench.tcp(request);
            }
        }
    }
}
