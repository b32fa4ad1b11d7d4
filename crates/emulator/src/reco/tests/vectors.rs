//! The published byte vectors against the twin, compared as raw bytes.

use proptest::prelude::*;

use super::bench::{CLIENT, TwinBench, arrival, segments};
use crate::reco::*;

const END: &str = "\r\n\r\n";

fn to_48899(bytes: &[u8]) -> Vec<(SocketAddrV4, Vec<u8>)> {
    vec![(SocketAddrV4::new(*CLIENT.ip(), 48899), bytes.to_vec())]
}

#[test]
fn the_scan_is_answered_in_six_fields_to_port_48899() {
    let mut bench = TwinBench::new(&[]);
    let expected = to_48899(b"192.168.1.107,ACCF23123456,900000621,0,0,");
    assert_eq!(bench.datagrams(b"YZ-RECOSCAN"), expected);
    bench.tcp(b"AT+YZSWITCH=1,ON,201704031153");
    let expected = to_48899(b"192.168.1.107,ACCF23123456,900000621,0,1,");
    assert_eq!(bench.datagrams(b"YZ-RECOSCAN"), expected);
}

#[test]
fn the_word_is_answered_with_the_identity_and_no_terminator() {
    let mut bench = TwinBench::new(&[]);
    let expected = to_48899(b"192.168.1.107,ACCF23123456,HF-LPB100");
    assert_eq!(bench.datagrams(b"HF-A11ASSISTHREAD"), expected);
    assert_eq!(bench.datagrams(b"hf-a11assisthread\r\n"), expected);
}

#[test]
fn other_datagrams_meet_silence() {
    let mut bench = TwinBench::new(&[]);
    for datagram in [
        b"".as_slice(),
        b"HELLO",
        b"HF-A11ASSISTHREA",
        b"WIFIKIT-214028-READ",
        b"+ok",
        b"AT+VER\r",
        b"AT+RECOSCAN\r",
        b"smartlinkfind",
        b"\xff\x00\xff",
        b"192.168.1.107,ACCF23123456,HF-LPB100",
    ] {
        assert_eq!(bench.ask(datagram), [""; 0], "{datagram:?}");
    }
}

#[test]
fn commands_are_answered_only_after_word_and_confirmation() {
    let mut bench = TwinBench::new(&[]);
    assert_eq!(bench.at("AT+"), "");
    bench.ask(b"HF-A11ASSISTHREAD");
    assert_eq!(bench.at("AT+"), "");
    bench.ask(b"+ok");
    assert_eq!(bench.ask(b"AT+\r"), ["+ok\r\n\r\n"]);
    // The word again: answered, and still in command mode, where `+ok` is a malformed line.
    assert_eq!(bench.ask(b"HF-A11ASSISTHREAD").len(), 1);
    assert_eq!(bench.ask(b"+ok"), ["+ERR=-1\r\n\r\n"]);
    assert_eq!(bench.at("AT+W"), "+ok");
    assert_eq!(bench.at("AT+Q"), "+ok");
    assert_eq!(bench.at("AT+"), "");
}

#[test]
fn a_minute_of_silence_ends_the_session() {
    let mut bench = TwinBench::new(&[]);
    bench.open();
    bench.wait(Duration::from_secs(50));
    assert_eq!(bench.at("AT+W"), "+ok");
    bench.wait(Duration::from_secs(50));
    assert_eq!(bench.at("AT+"), "+ok");
    bench.wait(Duration::from_secs(61));
    assert_eq!(bench.at("AT+"), "");
}

#[test]
fn a_session_belongs_to_an_address() {
    let mut bench = TwinBench::new(&[]);
    bench.open();
    bench.client.set_port(40_000);
    assert_eq!(bench.at("AT+"), "+ok");
    bench.client.set_ip(Ipv4Addr::new(192, 168, 1, 21));
    assert_eq!(bench.at("AT+"), "");
}

#[test]
fn published_replies_of_the_command_reference() {
    let mut bench = TwinBench::new(&[]);
    bench.open();
    for (command, reply) in [
        ("AT+", "+ok"),
        ("AT+VER", "+ok=1.0.06a-14 (2014-10-29 21:46 1M)"),
        ("AT+MID", "+ok=HF-LPB100"),
        ("AT+WSMAC", "+ok=ACCF23123456"),
        ("AT+WAMAC", "+ok=ACCF23123457"),
        ("AT+WMODE", "+ok=STA"),
        ("AT+WSSSID", "+ok=Home"),
        ("AT+WSKEY", "+ok=WPA2PSK,AES,emulated home"),
        (
            "AT+WANN",
            "+ok=DHCP,192.168.1.107,255.255.255.0,192.168.1.1",
        ),
        ("AT+LANN", "+ok=192.168.1.107,255.255.255.0"),
        ("AT+WAP", "+ok=11BGN,Reco900000621,CH1"),
        ("AT+WAKEY", "+ok=WPA2PSK,AES,900000621"),
        ("AT+NETP", "+ok=TCP,Server,8899,192.168.1.107"),
        ("AT+TCPLK", "+ok=off"),
        ("AT+TCPTO", "+ok=300"),
        ("AT+MAXSK", "+ok=5"),
        ("AT+SOCKB", "+ok="),
        ("AT+TMODE", "+ok=throughput"),
        ("AT+UART", "+ok=115200,8,1,None,NFC"),
        ("AT+ASWD", "+ok=HF-A11ASSISTHREAD"),
        ("AT+WEBU", "+ok=ADMIN,ADMIN"),
        ("AT+WEBVER", "+ok=V1.0.24"),
        ("AT+PLANG", "+ok=EN"),
        ("AT+PING=192.168.1.1", "+ok=Success"),
        ("AT+PING=192.168.1.99", "+ok=Timeout"),
        ("AT+PING=example.org", "+ok=Unknown host"),
        ("at+wmode", "+ok=STA"),
        ("AT+LVER", "+ERR=-2"),
        ("AT+EPHY=off", "+ERR=-2"),
        ("AT+FAPSTA=on", "+ERR=-2"),
        ("AT+NOSUCH", "+ERR=-2"),
        ("hello", "+ERR=-1"),
        ("AT+VER=1", "+ERR=-3"),
        ("AT+WRMID", "+ERR=-3"),
        ("AT+WMODE=ROUTER", "+ERR=-4"),
        ("AT+WSMAC=8888,ACCF23000000", "+ERR=-5"),
    ] {
        assert_eq!(
            bench.ask(format!("{command}\r").as_bytes()),
            [format!("{reply}{END}")],
            "{command}"
        );
    }
    let status = bench.at("AT+WSLK");
    assert!(
        status.starts_with("+ok=Home(3CE5A6") && status.len() == "+ok=Home(3CE5A6000000)".len(),
        "{status}"
    );
}

#[test]
fn the_pairing_vectors_with_line_feeds() {
    let mut bench = TwinBench::new(&[]);
    bench.open();
    assert_eq!(bench.ask(b"AT+MID\n"), ["+ok=HF-LPB100\r\n\r\n"]);
    assert_eq!(bench.ask(b"AT+WRMID=NO_MODULE_ID\n"), ["+ok\r\n\r\n"]);
    assert_eq!(bench.ask(b"AT+MID\n"), ["+ok=NO_MODULE_ID\r\n\r\n"]);
    assert_eq!(bench.ask(b"AT+Z\n"), [""; 0]);
    let expected = to_48899(b"192.168.1.107,ACCF23123456,NO_MODULE_ID");
    assert_eq!(bench.datagrams(b"HF-A11ASSISTHREAD"), expected);
}

#[test]
fn any_line_end_ends_a_command_and_the_rest_is_ignored() {
    let mut bench = TwinBench::new(&[]);
    bench.open();
    for datagram in [
        "AT+MID",
        "AT+MID\r",
        "AT+MID\n",
        "AT+MID\r\n",
        "AT+MID\0\0",
        "AT+MID\rAT+RELD\r",
    ] {
        assert_eq!(
            bench.ask(datagram.as_bytes()),
            ["+ok=HF-LPB100\r\n\r\n"],
            "{datagram:?}"
        );
    }
    assert_eq!(bench.ask(b"\rAT+MID\r"), [""; 0]);
}

#[test]
fn a_line_longer_than_the_buffer_is_no_command() {
    let mut bench = TwinBench::new(&[]);
    bench.open();
    let line = |length: usize| format!("AT+WRMID={}", "x".repeat(length - 9));
    assert_eq!(bench.at(&line(255)), "+ERR=-4");
    assert_eq!(bench.at(&line(256)), "+ERR=-1");
}

#[test]
fn settings_count_after_the_restart_and_are_reported_at_once() {
    let mut bench = TwinBench::new(&[]);
    bench.open();
    for (set, query, reply) in [
        ("AT+WMODE=apsta", "AT+WMODE", "+ok=APSTA"),
        ("AT+WSSSID=a, b = c", "AT+WSSSID", "+ok=a, b = c"),
        (
            "AT+WSKEY=wpa2psk,aes,one, two",
            "AT+WSKEY",
            "+ok=WPA2PSK,AES,one, two",
        ),
        ("AT+WSKEY=OPEN,NONE,", "AT+WSKEY", "+ok=OPEN,NONE"),
        (
            "AT+WSKEY=SHARED,WEP-H,0123456789",
            "AT+WSKEY",
            "+ok=SHARED,WEP-H,0123456789",
        ),
        (
            "AT+WANN=static,10.0.0.7,255.0.0.0,10.0.0.1",
            "AT+WANN",
            "+ok=static,10.0.0.7,255.0.0.0,10.0.0.1",
        ),
        (
            "AT+WANN=DHCP,0.0.0.0,0.0.0.0,0.0.0.0",
            "AT+WANN",
            "+ok=DHCP,192.168.1.107,255.255.255.0,192.168.1.1",
        ),
        (
            "AT+NETP=udp,CLIENT,17000,example.org",
            "AT+NETP",
            "+ok=UDP,Client,17000,example.org",
        ),
        (
            "AT+WAP=11BGN,my, net,AUTO",
            "AT+WAP",
            "+ok=11BGN,my, net,AUTO",
        ),
        ("AT+WADHCP=on,150,200", "AT+WADHCP", "+ok=on,150,200"),
        ("AT+TCPTO=600", "AT+TCPTO", "+ok=600"),
        ("AT+MAXSK=1", "AT+MAXSK", "+ok=1"),
        ("AT+SOCKB=NONE", "AT+SOCKB", "+ok="),
        (
            "AT+UART=9600,8,1,None,NFC",
            "AT+UART",
            "+ok=9600,8,1,None,NFC",
        ),
        ("AT+ASWD=my-own-word", "AT+ASWD", "+ok=my-own-word"),
    ] {
        assert_eq!(bench.at(set), "+ok", "{set}");
        assert_eq!(bench.at(query), reply, "{set}");
    }
    assert_eq!(
        bench.ask(b"HF-A11ASSISTHREAD").len(),
        1,
        "the word changes with the restart"
    );
}

#[test]
fn what_no_module_takes_is_refused_and_changes_nothing() {
    let mut bench = TwinBench::new(&[]);
    bench.open();
    for set in [
        "AT+WSSSID=",
        "AT+WSSSID=123456789012345678901234567890123",
        "AT+WSKEY=WPA2PSK,AES,short12",
        "AT+WSKEY=WPA2PSK,AES",
        "AT+WSKEY=OPEN,AES,12345678",
        "AT+WSKEY=OPEN,NONE,key",
        "AT+WSKEY=SHARED,WEP-A,1234",
        "AT+WSKEY=WPA2PSK,AES,0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "AT+WSKEY=WPA3,AES,12345678",
        "AT+WANN=static,10.0.0.7",
        "AT+TCPTO=601",
        "AT+MAXSK=6",
        "AT+MAXSK=0",
        "AT+NETP=TCP,Server,0,1.2.3.4",
        "AT+ASWD=",
        "AT+ASWD=123456789012345678901",
        "AT+WEBU=admin",
        "AT+UART=fast",
        "AT+PLANG=DE",
        "AT+WAKEY=WPAPSK,TKIP,12345678",
        "AT+WAP=11BGN",
    ] {
        assert_eq!(bench.at(set), "+ERR=-4", "{set}");
    }
    assert_eq!(bench.at("AT+WSSSID"), "+ok=Home");
}

#[test]
fn the_scan_list_comes_in_several_datagrams() {
    let mut bench = TwinBench::access_point(&[], &["Home, sweet:secret-key"]);
    bench.open();
    let list = bench.datagrams(b"AT+WSCAN\r");
    assert_eq!(list[0].1, b"+ok=\n\rCh,SSID,BSSID,Security,Indicator\n\r");
    assert_eq!(list.last().unwrap().1, b"\r\n");
    assert_eq!(list.len(), 1 + 4 + 1);
    let row = String::from_utf8(list[1].1.clone()).unwrap();
    assert!(
        row.contains(",Home, sweet,3C:E5:A6:")
            && row.contains(",WPA2PSK/AES,")
            && row.ends_with("\n\r"),
        "{row}"
    );
    let single = {
        let mut bench = TwinBench::access_point(&["one-datagram"], &["Home, sweet:secret-key"]);
        bench.open();
        bench.datagrams(b"AT+WSCAN\r")
    };
    let joined: Vec<u8> = list.into_iter().flat_map(|(_, bytes)| bytes).collect();
    assert_eq!(
        single
            .into_iter()
            .map(|(_, bytes)| bytes)
            .collect::<Vec<_>>(),
        [joined]
    );
}

#[test]
fn published_vectors_of_the_plug_on_tcp() {
    for (chunk, reply) in [
        ("AT+YZSWITCH=1,ON,201704031153", "+ok"),
        ("AT+YZSWITCH=1,ON,201410292146\r\n", "+ok"),
        ("AT+YZSWITCH=1,OFF,201410292146\r\n", "+ok"),
        ("AT+YZDELAY=1,OFF,5,201410292146\r\n", "+ok"),
        ("AT+YZSWITCH=1,ON,time", "+ok"),
        ("AT+YZSWITCH=1,ON,20140810153000\r\n", "+ok"),
        ("at+yzswitch=1,off,201704031153\n", "+ok"),
        ("hello\r\n", "+ERROR"),
        ("AT+VER\r\n", "+ok=1.0.06a-14 (2014-10-29 21:46 1M)"),
        ("AT+WSKEY\r\n", "+ERROR"),
        ("AT+RECOSCAN\r\n", "+ERROR"),
        ("AT+YZSWITCH=1,ON,", "+ERROR"),
        ("AT+YZSWITCH=1,MAYBE,time", "+ERROR"),
        ("AT+YZSWITCH=2,ON,time", "+ERROR"),
        ("AT+YZSWITCH", "+ERROR"),
        ("AT+YZDELAY=1,OFF,0,time", "+ERROR"),
        ("AT+YZDELAY=1,OFF,2001,time", "+ERROR"),
        ("AT+YZOUT=1", "+ERROR"),
    ] {
        let mut bench = TwinBench::new(&[]);
        assert_eq!(
            bench.tcp(chunk.as_bytes()),
            format!("{reply}{END}").as_bytes(),
            "{chunk:?}"
        );
    }
}

#[test]
fn each_line_of_a_chunk_is_a_command_and_each_chunk_a_line() {
    let mut bench = TwinBench::new(&[]);
    assert_eq!(
        bench.tcp(b"AT+YZSWITCH=1,ON,time\r\nhello\r\nAT+YZSWITCH=1,OFF,time"),
        b"+ok\r\n\r\n+ERROR\r\n\r\n+ok\r\n\r\n"
    );
    assert!(!bench.twin.relay_is_on());
    assert_eq!(bench.tcp(b" \r\n\0 "), b"");
    assert_eq!(bench.tcp(b"AT+YZSW"), b"+ERROR\r\n\r\n");
}

#[test]
fn the_meter_has_seven_fields_and_follows_the_relay() {
    let mut bench = TwinBench::with(&[], |config| {
        config.load = "1000".parse().unwrap();
        config.energy_wh = 3548;
    });
    let fields = |reply: Vec<u8>| -> Vec<u64> {
        let reply = String::from_utf8(reply).unwrap();
        let values = reply
            .strip_prefix("+ok=")
            .unwrap()
            .strip_suffix(END)
            .unwrap();
        values
            .split(',')
            .map(|field| field.parse().unwrap())
            .collect()
    };
    let off = fields(bench.tcp(b"AT+YZOUT\r\n"));
    assert_eq!(
        (off[0], off[3], off[4], off[5], off[6], off.len()),
        (0, 0, 0, 3548, 0, 7)
    );
    assert!((22_500..23_500).contains(&off[1]) && (4_990..=5_010).contains(&off[2]));
    bench.tcp(b"AT+YZSWITCH=1,ON,time\r\n");
    bench.wait(Duration::from_secs(3600));
    let on = fields(bench.tcp(b"AT+YZOUT\r\n"));
    assert_eq!((on[3], on[5]), (10_000, 3548 + 1001));
    assert!((420..=450).contains(&on[0]), "{}", on[0]);
}

#[test]
fn a_small_load_reads_no_power_though_there_is_current() {
    let mut bench = TwinBench::with(&[], |config| {
        config.load = crate::Load::Tv;
        config.relay_on = true;
    });
    let reply = String::from_utf8(bench.tcp(b"AT+YZOUT\r\n")).unwrap();
    assert!(
        reply.starts_with("+ok=3,2") && reply.ends_with(",0,0,0,0\r\n\r\n"),
        "{reply}"
    );
}

#[test]
fn a_timer_fires_once_is_replaced_by_the_next_and_cleared_by_a_switch() {
    let mut bench = TwinBench::new(&[]);
    bench.tcp(b"AT+YZDELAY=1,ON,5,time");
    bench.wait(Duration::from_secs(60));
    bench.tcp(b"AT+YZDELAY=1,ON,2,time");
    bench.wait(Duration::from_secs(110));
    assert!(!bench.twin.relay_is_on());
    bench.wait(Duration::from_secs(10));
    assert!(bench.twin.relay_is_on());
    bench.tcp(b"AT+YZSWITCH=1,OFF,time");
    bench.wait(Duration::from_secs(600));
    assert!(!bench.twin.relay_is_on(), "the first timer was replaced");
    bench.tcp(b"AT+YZDELAY=1,ON,1,time");
    bench.tcp(b"AT+YZSWITCH=1,OFF,time");
    bench.wait(Duration::from_secs(600));
    assert!(!bench.twin.relay_is_on(), "cleared");
}

#[test]
fn five_clients_and_no_more_and_none_that_sleeps() {
    let mut bench = TwinBench::new(&[]);
    for id in 0..5 {
        assert!(bench.connect(id));
    }
    assert!(!bench.connect(5));
    bench.wait(Duration::from_secs(200));
    bench.segment(3, b"AT+VER\r\n");
    let mut closed = bench.wait(Duration::from_secs(100));
    closed.retain(|transmit| !matches!(transmit, TwinOutput::Segment { .. }));
    let expected = [0, 1, 2, 4].map(|id| TwinOutput::Close {
        connection: ConnectionId(id),
    });
    assert_eq!(closed, expected);
    assert_eq!(
        bench.wait(Duration::from_secs(200)),
        [TwinOutput::Close {
            connection: ConnectionId(3)
        }]
    );
}

#[test]
fn a_split_reply_comes_in_two_segments() {
    let mut bench = TwinBench::new(&["split"]);
    bench.connect(1);
    bench.segment(1, b"AT+YZSWITCH=1,ON,time");
    let sent = segments(bench.wait(Duration::from_secs(1)));
    assert_eq!(
        (sent.len(), sent.concat().as_slice()),
        (2, b"+ok\r\n\r\n".as_slice())
    );
}

fn input() -> impl Strategy<Value = Vec<u8>> {
    let heads = prop_oneof![
        Just("HF-A11ASSISTHREAD"),
        Just("YZ-RECOSCAN"),
        Just("+ok"),
        Just("AT+"),
        Just("AT+WSKEY="),
        Just("AT+WSSSID="),
        Just("AT+WMODE=APSTA"),
        Just("AT+NETP="),
        Just("AT+WAP="),
        Just("AT+Z\r"),
        Just("AT+WSCAN"),
        Just("AT+YZSWITCH=1,ON,"),
        Just("AT+YZDELAY=1,OFF,"),
        Just("AT+YZOUT"),
        Just(""),
    ];
    (heads, proptest::collection::vec(any::<u8>(), 0..40))
        .prop_map(|(head, tail)| [head.as_bytes(), &tail].concat())
}

proptest! {
    #[test]
    fn no_input_makes_a_twin_panic(
        inputs in proptest::collection::vec((input(), 0u64..400, 0u8..4), 0..40),
        faults in proptest::sample::subsequence(
            vec!["lost=20%", "split", "garbage", "echo", "no-handshake", "delayed=900ms", "babble", "reboot-every=5",
                "close-after-reply", "spike", "strict-commas", "cut-ssid", "counter-reset-every=1s", "wscan-crlf"],
            0..5,
        ),
    ) {
        let mut bench = TwinBench::access_point(&faults, &["Home:secret-key"]);
        for (bytes, pause, way) in inputs {
            bench.wait(Duration::from_millis(pause));
            let arrival = arrival(way == 1);
            match way {
                0 | 1 => bench.twin.handle_datagram(bench.now, arrival, &bytes),
                2 => bench.segment(1, &bytes),
                _ => { bench.connect(1); }
            }
        }
        bench.wait(Duration::from_secs(5));
    }
}
