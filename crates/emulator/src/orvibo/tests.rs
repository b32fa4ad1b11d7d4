//! The published byte vectors against the twin, compared as raw bytes, and each fault.

use proptest::prelude::*;

use super::*;

const PLUG: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 107);
const CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 168, 1, 20), 10_000);
/// The MACs of the vectors O3 and O11.
const FE22: &str = "ACCF2355FE22";
const C019: &str = "ACCF232419C0";

const DISCOVER: &str = "68 64 00 06 71 61";
const SUBSCRIBE: &str =
    "68 64 00 1E 63 6C AC CF 23 55 FE 22 20 20 20 20 20 20 22 FE 55 23 CF AC 20 20 20 20 20 20";
const SUBSCRIBED_OFF: &str =
    "68 64 00 18 63 6C AC CF 23 55 FE 22 20 20 20 20 20 20 00 00 00 00 00 00";
const SWITCH_ON: &str = "68 64 00 17 64 63 AC CF 23 55 FE 22 20 20 20 20 20 20 00 00 00 00 01";
const SWITCH_OFF: &str = "68 64 00 17 64 63 AC CF 23 55 FE 22 20 20 20 20 20 20 00 00 00 00 00";
const NOW_ON: &str = "68 64 00 17 73 66 AC CF 23 55 FE 22 20 20 20 20 20 20 00 00 00 00 01";
const NOW_OFF: &str = "68 64 00 17 73 66 AC CF 23 55 FE 22 20 20 20 20 20 20 00 00 00 00 00";
const ECHO: &str = "68 64 00 17 64 63 AC CF 23 55 FE 22 20 20 20 20 20 20 01 00 00 00 00";
const READ_TABLE_4: &str =
    "68 64 00 1D 72 74 AC CF 23 55 FE 22 20 20 20 20 20 20 00 00 00 00 04 00 00 00 00 00 00";
const OFF_IN_10510_S: &str =
    "68 64 00 1A 63 64 AC CF 23 55 FE 22 20 20 20 20 20 20 00 00 00 00 00 00 0E 29";
const READ_COUNTDOWN: &str =
    "68 64 00 1A 63 64 AC CF 23 55 FE 22 20 20 20 20 20 20 00 00 00 00 01 00 00 00";

fn hex(text: &str) -> Vec<u8> {
    text.split_ascii_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect()
}

fn shown(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    digits.join(" ")
}

struct OrviboBench {
    twin: OrviboTwin,
    now: Instant,
}

impl OrviboBench {
    fn new(faults: &[&str]) -> Self {
        Self::with(faults, |_| {})
    }

    fn with(faults: &[&str], change: impl FnOnce(&mut OrviboConfig)) -> Self {
        let mut config = OrviboConfig {
            mac: FE22.parse().unwrap(),
            name: "Coffee maker".parse().unwrap(),
            faults: faults.iter().map(|spec| spec.parse().unwrap()).collect(),
            ..OrviboConfig::at(PLUG)
        };
        change(&mut config);
        let now = Instant::now();
        let twin = OrviboTwin::new(config, now);
        Self { twin, now }
    }

    fn subscribed(faults: &[&str]) -> Self {
        let mut bench = Self::new(faults);
        bench.ask(SUBSCRIBE);
        bench
    }

    /// Everything that the twin sends within `span`, to anybody.
    fn pass(&mut self, span: Duration) -> Vec<(SocketAddrV4, Vec<u8>)> {
        let end = self.now + span;
        let mut sent = Vec::new();
        loop {
            self.twin.handle_timeout(self.now);
            while let Some(output) = self.twin.poll_transmit(self.now) {
                if let TwinOutput::Datagram { to, bytes, .. } = output {
                    sent.push((to, bytes.to_vec()));
                }
            }
            match self.twin.poll_timeout() {
                Some(due) if due <= end => self.now = self.now.max(due),
                _ => break,
            }
        }
        self.now = end;
        sent
    }

    fn datagram(&mut self, from: SocketAddrV4, port: u16, bytes: &[u8]) {
        let arrival = TwinArrival {
            from,
            at: SocketAddrV4::new(PLUG, port),
            broadcast: false,
        };
        self.twin.handle_datagram(self.now, arrival, bytes);
    }

    /// Returns the replies to the client within 100 ms.
    fn ask(&mut self, request: &str) -> Vec<String> {
        self.datagram(CLIENT, COMMAND_PORT, &hex(request));
        self.news()
    }

    fn news(&mut self) -> Vec<String> {
        let sent = self.pass(Duration::from_millis(100)).into_iter();
        sent.filter(|(to, _)| *to == CLIENT)
            .map(|(_, bytes)| shown(&bytes))
            .collect()
    }
}

#[test]
fn o1_o3_discovery() {
    let mut bench = OrviboBench::with(&[], |config| config.relay_on = true);
    // The clock of O3 counts from 1900; the twin's has just started.
    assert_eq!(
        bench.ask(DISCOVER),
        [
            "68 64 00 2A 71 61 00 AC CF 23 55 FE 22 20 20 20 20 20 20 22 FE 55 23 CF AC 20 20 20 20 20 20 53 4F 43 30 30 35 00 00 00 00 01"
        ]
    );
    bench.pass(Duration::from_secs(3600));
    let reply = bench.ask(DISCOVER).concat();
    assert!(reply.ends_with("30 30 35 10 0E 00 00 01"), "{reply}");
}

#[test]
fn o2_o5_discovery_of_one() {
    let mut bench = OrviboBench::with(&[], |config| {
        config.mac = C019.parse().unwrap();
        config.model = OrviboModel::Soc001;
    });
    assert_eq!(
        bench.ask("68 64 00 12 71 67 AC CF 23 24 19 C0 20 20 20 20 20 20"),
        [
            "68 64 00 2A 71 67 00 AC CF 23 24 19 C0 20 20 20 20 20 20 C0 19 24 23 CF AC 20 20 20 20 20 20 53 4F 43 30 30 31 00 00 00 00 00"
        ]
    );
    let other = "68 64 00 12 71 67 AC CF 23 55 FE 22 20 20 20 20 20 20";
    assert_eq!(bench.ask(other), [""; 0]);
}

#[test]
fn o6_to_o11_subscription_and_switch() {
    let mut bench = OrviboBench::new(&[]);
    assert_eq!(bench.ask(SWITCH_ON), [""; 0], "not subscribed");
    assert_eq!(bench.ask(SUBSCRIBE), [SUBSCRIBED_OFF]);
    assert_eq!(bench.ask(SWITCH_ON), [ECHO, NOW_ON]);
    assert!(bench.twin.relay_is_on());
    assert_eq!(bench.ask(SWITCH_OFF), [ECHO, NOW_OFF]);
    let other = "68 64 00 17 64 63 AC CF 23 24 19 C0 20 20 20 20 20 20 00 00 00 00 01";
    assert_eq!(bench.ask(other), [""; 0]);
    assert!(!bench.twin.relay_is_on());
}

#[test]
fn o12_o13_table_1() {
    let mut bench = OrviboBench::with(&[], |config| config.mac = C019.parse().unwrap());
    bench.ask(
        "68 64 00 1E 63 6C AC CF 23 24 19 C0 20 20 20 20 20 20 C0 19 24 23 CF AC 20 20 20 20 20 20",
    );
    assert_eq!(
        bench.ask(
            "68 64 00 1D 72 74 AC CF 23 24 19 C0 20 20 20 20 20 20 00 00 00 00 01 00 00 00 00 00 00"
        ),
        [
            "68 64 00 2C 72 74 AC CF 23 24 19 C0 20 20 20 20 20 20 02 00 00 00 00 01 00 01 00 00 06 00 04 00 04 00 17 00 06 00 03 00 03 00 02 00"
        ]
    );
}

#[test]
fn table_4_has_the_published_layout() {
    let mut bench = OrviboBench::subscribed(&[]);
    let table = hex(&bench.ask(READ_TABLE_4).concat());
    assert_eq!(table.len(), 168);
    assert_eq!(table[..6], hex("68 64 00 A8 72 74"));
    assert_eq!((table[23], &table[28..30]), (4, &[0x8A, 0][..]));
    assert_eq!(table[46..58], hex("22 FE 55 23 CF AC 20 20 20 20 20 20"));
    assert_eq!(&table[58..64], b"888888");
    assert_eq!(&table[70..86], b"Coffee maker    ");
    assert_eq!(table[88..100], hex("04 00 00 00 09 00 00 00 24 00 00 00"));
    assert_eq!(&table[108..127], b"vicenter.orvibo.com");
    assert_eq!(table[148..152], PLUG.octets());
    let mut nameless = OrviboBench::with(&[], |config| config.name = OrviboName::default());
    nameless.ask(SUBSCRIBE);
    let table = hex(&nameless.ask(READ_TABLE_4).concat());
    assert_eq!(table[70..86], [0xFF; 16]);
}

#[test]
fn o17_keep_alive() {
    let mut bench = OrviboBench::new(&[]);
    let request = "68 64 00 16 68 62 AC CF 23 55 FE 22 20 20 20 20 20 20 00 00 00 00";
    let reply = "68 64 00 17 68 62 AC CF 23 55 FE 22 20 20 20 20 20 20 00 00 00 00 00";
    assert_eq!(bench.ask(request), [reply]);
}

#[test]
fn o18_o19_countdown() {
    let mut bench = OrviboBench::with(&[], |config| config.relay_on = true);
    bench.ask(SUBSCRIBE);
    assert_eq!(bench.ask(OFF_IN_10510_S), [OFF_IN_10510_S]);
    bench.pass(Duration::from_secs(100));
    let left = "68 64 00 1A 63 64 AC CF 23 55 FE 22 20 20 20 20 20 20 00 00 00 00 00 00 AA 28";
    assert_eq!(bench.ask(READ_COUNTDOWN), [left]);
    bench.pass(Duration::from_secs(10_409));
    assert!(bench.twin.relay_is_on());
    bench.pass(Duration::from_secs(2));
    assert!(!bench.twin.relay_is_on());
    // A switch ends it.
    bench.ask(SUBSCRIBE);
    bench.ask(OFF_IN_10510_S);
    bench.ask(SWITCH_ON);
    let none = "68 64 00 1A 63 64 AC CF 23 55 FE 22 20 20 20 20 20 20 00 00 00 00 00 00 00 00";
    assert_eq!(bench.ask(READ_COUNTDOWN), [none]);
}

#[test]
fn pairing_goes_to_the_source_port_and_restart_is_silent() {
    let mut bench = OrviboBench::with(&[], |config| {
        config.mode = crate::Mode::Ap;
        config.home_networks = vec!["Home:its key is".parse().unwrap()];
    });
    let client = SocketAddrV4::new(*CLIENT.ip(), 9884);
    let ask = |bench: &mut OrviboBench, text: &[u8]| {
        bench.datagram(client, UDP_PORT, text);
        let replies = bench.pass(Duration::from_secs(3)).into_iter();
        let text = |(to, bytes): (SocketAddrV4, Vec<u8>)| {
            assert_eq!(to, client, "replies go to the source port");
            String::from_utf8(bytes).unwrap()
        };
        replies.map(text).collect::<Vec<_>>()
    };
    assert_eq!(
        ask(&mut bench, b"HF-A11ASSISTHREAD"),
        ["192.168.1.107,ACCF2355FE22,HF-LPB100"]
    );
    assert_eq!(ask(&mut bench, b"YZ-RECOSCAN"), [""; 0]);
    for (request, reply) in [
        (&b"+ok"[..], None),
        (b"AT+LVER\n", Some("+ok=08 (2015-04-28 16:57 16B)\r\n\r\n")),
        (b"AT+MID\n", Some("+ok=HF-LPB100\r\n\r\n")),
        (b"AT+WRMID=NO_MODULE_ID\n", Some("+ok\r\n\r\n")),
        (b"AT+MID\n", Some("+ok=NO_MODULE_ID\r\n\r\n")),
        (b"AT+WAP\n", Some("+ok=11BGN,WiWo-S20,CH1\r\n\r\n")),
        (b"AT+WAKEY\n", Some("+ok=OPEN,NONE\r\n\r\n")),
        (b"AT+WSSSID=Home\n", Some("+ok\r\n\r\n")),
        (b"AT+WSKEY=WPA2PSK,AES,its key is\n", Some("+ok\r\n\r\n")),
        (b"AT+WMODE=STA\n", Some("+ok\r\n\r\n")),
        (b"AT+Z\n", None),
    ] {
        assert_eq!(ask(&mut bench, request), Vec::from_iter(reply));
    }
    assert!(bench.twin.is_reachable(PLUG), "it has joined");
    assert_eq!(bench.ask(DISCOVER).len(), 1);
}

#[test]
fn subscribers_are_told_of_the_button_until_their_time_is_over() {
    let mut bench = OrviboBench::new(&[]);
    bench.twin.press(bench.now);
    assert_eq!(bench.news(), [""; 0], "nobody has subscribed");
    let reply = bench.ask(SUBSCRIBE).concat();
    assert!(reply.ends_with("00 01"), "{reply}");
    bench.twin.press(bench.now);
    assert_eq!(bench.news(), [NOW_OFF]);
    bench.pass(Duration::from_secs(179));
    bench.twin.press(bench.now);
    assert_eq!(bench.news(), [NOW_ON]);
    bench.pass(Duration::from_secs(1));
    bench.twin.press(bench.now);
    assert_eq!(bench.news(), [""; 0]);
    assert_eq!(bench.ask(SWITCH_ON), [""; 0]);
}

#[test]
fn a_restart_ends_subscriptions() {
    let mut bench = OrviboBench::subscribed(&[]);
    bench.ask(SWITCH_ON);
    bench.twin.restart(bench.now);
    assert_eq!(bench.ask(DISCOVER), [""; 0]);
    bench.pass(Duration::from_secs(5));
    assert_eq!(bench.twin.subscriptions(bench.now), 0);
    assert!(bench.twin.relay_is_on());
    let reply = bench.ask(DISCOVER).concat();
    assert!(
        reply.ends_with("00 00 01"),
        "its clock starts again: {reply}"
    );
    let mut bench = OrviboBench::subscribed(&["falls-off"]);
    bench.ask(SWITCH_ON);
    bench.twin.restart(bench.now);
    assert!(!bench.twin.relay_is_on());
}

#[test]
fn every_subscriber_is_told_and_the_seventeenth_takes_the_place_of_the_first() {
    let mut bench = OrviboBench::new(&[]);
    for port in 10_000..10_017 {
        let client = SocketAddrV4::new(*CLIENT.ip(), port);
        bench.datagram(client, COMMAND_PORT, &hex(SUBSCRIBE));
    }
    bench.pass(Duration::from_millis(10));
    bench.twin.press(bench.now);
    let told = bench.pass(Duration::from_millis(10));
    let ports: Vec<u16> = told.iter().map(|(to, _)| to.port()).collect();
    assert_eq!(ports, Vec::from_iter(10_001..10_017));
}

#[test]
fn malformed_requests_meet_silence() {
    let mut bench = OrviboBench::subscribed(&[]);
    let mut requests: Vec<Vec<u8>> = [DISCOVER, SUBSCRIBE, SWITCH_ON, READ_TABLE_4, OFF_IN_10510_S]
        .into_iter()
        .flat_map(|request| {
            let good = hex(request);
            let longer = [&good[..], &[0]].concat();
            let shorter = good[..good.len() - 1].to_vec();
            let (mut magic, mut letters) = (good.clone(), good);
            magic[0] = b'H';
            letters[4] = b'z';
            [longer, shorter, magic, letters]
        })
        .collect();
    requests.push(hex(&SWITCH_ON.replace("00 00 01", "00 00 02")));
    requests.push(hex(&SWITCH_ON.replace("20 20 20", "20 20 21")));
    requests.push(hex(&SUBSCRIBE.replace("22 FE 55 23", "22 FE 55 24")));
    requests.push(Vec::new());
    for request in requests {
        bench.datagram(CLIENT, COMMAND_PORT, &request);
        assert_eq!(bench.news(), [""; 0], "{}", shown(&request));
    }
    assert!(!bench.twin.relay_is_on());
}

#[test]
fn faults_do_what_they_say() {
    let asked = |faults: &[&str], request: &str| OrviboBench::subscribed(faults).ask(request);
    assert_eq!(OrviboBench::new(&["copies=10"]).ask(DISCOVER).len(), 10);
    assert_eq!(asked(&["discovery-silent"], DISCOVER), [""; 0]);
    let all_one = asked(&["all-one"], DISCOVER).concat();
    assert!(all_one.starts_with("68 64 00 29 71 61"), "{all_one}");
    assert_eq!(hex(&all_one).len(), 41);
    assert_eq!(asked(&["all-one"], SUBSCRIBE), [""; 0]);
    let one = "68 64 00 12 71 67 AC CF 23 55 FE 22 20 20 20 20 20 20";
    assert!(
        asked(&["qh"], one)
            .concat()
            .starts_with("68 64 00 2A 71 68")
    );
    assert!(asked(&["odd-state"], DISCOVER).concat().ends_with("02"));
    assert_eq!(asked(&["no-echo"], SWITCH_ON), [NOW_ON]);
    assert_eq!(asked(&["echo-only"], SWITCH_ON), [ECHO]);
    assert_eq!(asked(&["silent-switch"], SWITCH_ON), [""; 0]);
    assert_eq!(asked(&["quiet-when-same"], SWITCH_OFF), [""; 0]);
    assert_eq!(asked(&["stuck-relay"], SWITCH_ON), [ECHO]);
    assert_eq!(asked(&["no-table"], READ_TABLE_4), [""; 0]);
    assert_eq!(asked(&["split-table"], READ_TABLE_4).len(), 2);
    assert_eq!(asked(&["no-countdown"], OFF_IN_10510_S), [""; 0]);
    assert_eq!(hex(&asked(&["truncated"], SUBSCRIBE).concat()).len(), 21);
    let lying = asked(&["wrong-length"], SUBSCRIBE).concat();
    assert!(lying.starts_with("68 64 00 19"), "{lying}");
    let other = asked(&["wrong-mac"], SUBSCRIBE).concat();
    assert!(
        other.starts_with("68 64 00 18 63 6C AC CF 23 67"),
        "{other}"
    );
    assert_eq!(
        hex(&asked(&["lying-table"], READ_TABLE_4).concat())[28],
        0xFF
    );

    let mut bench = OrviboBench::subscribed(&["lying-relay"]);
    assert_eq!(bench.ask(SWITCH_ON), [ECHO]);
    assert!(!bench.twin.relay_is_on());
    let mut bench = OrviboBench::subscribed(&["first-ignored"]);
    assert_eq!(bench.ask(SWITCH_ON), [""; 0]);
    assert_eq!(bench.ask(SWITCH_ON), [ECHO, NOW_ON]);
    let mut bench = OrviboBench::subscribed(&["settling=200ms"]);
    assert_eq!(bench.ask(SWITCH_ON), [""; 0]);
    assert_eq!(bench.ask(SWITCH_ON), [ECHO, NOW_ON]);
    let mut bench = OrviboBench::subscribed(&["slow-relay=1s"]);
    assert_eq!(bench.ask(SWITCH_ON), [ECHO]);
    assert_eq!(bench.pass(Duration::from_secs(1)).len(), 1);
    assert!(bench.twin.relay_is_on());
    let mut bench = OrviboBench::subscribed(&["subscription=300s"]);
    bench.pass(Duration::from_secs(299));
    assert_eq!(bench.ask(SWITCH_ON), [ECHO, NOW_ON]);
    let mut bench = OrviboBench::subscribed(&["press=10s"]);
    let told = bench.pass(Duration::from_secs(45));
    let told: Vec<String> = told.iter().map(|(_, bytes)| shown(bytes)).collect();
    assert_eq!(told, [NOW_ON, NOW_OFF, NOW_ON, NOW_OFF]);
    let mut bench = OrviboBench::subscribed(&["deaf-to-broadcast"]);
    let arrival = TwinArrival {
        from: CLIENT,
        at: SocketAddrV4::new(PLUG, COMMAND_PORT),
        broadcast: true,
    };
    bench
        .twin
        .handle_datagram(bench.now, arrival, &hex(DISCOVER));
    assert_eq!(bench.news(), [""; 0]);
    assert_eq!(bench.ask(DISCOVER).len(), 1);
}

#[test]
fn models_and_names() {
    for model in OrviboModel::ALL {
        assert_eq!(model.to_string().parse(), Ok(model));
    }
    for wrong in ["", "soc", "soc003", "IRD013"] {
        assert!(wrong.parse::<OrviboModel>().is_err());
    }
    assert!("sixteen bytes ok".parse::<OrviboName>().is_ok());
    for wrong in ["seventeen bytes !", "a\nb"] {
        assert!(wrong.parse::<OrviboName>().is_err());
    }
}

proptest! {
    #[test]
    fn never_panics(datagrams: Vec<Vec<u8>>) {
        let mut bench = OrviboBench::subscribed(&[]);
        for datagram in datagrams {
            bench.datagram(CLIENT, COMMAND_PORT, &datagram);
            bench.pass(Duration::from_millis(10));
        }
    }

    #[test]
    fn never_panics_on_bodies(letters in prop::sample::select(vec!["qa", "qg", "cl", "dc", "hb", "cd", "rt"]), body: Vec<u8>) {
        let mut bench = OrviboBench::subscribed(&[]);
        let request = OrviboFrame::new(letters.as_bytes().first_chunk().unwrap());
        let mac = FE22.parse().unwrap();
        bench.datagram(CLIENT, COMMAND_PORT, &request.mac(mac).bytes(&body).finish());
        bench.pass(Duration::from_secs(70_000));
    }
}
