//! Each fault of the catalogue shows in what a client sees.

use super::bench::{CLIENT, PLUG, TwinBench, arrival, segments};
use super::setting_faults::SETTING_CASES;
use crate::PlugFault;
use crate::reco::*;

/// A fault and what it does; none may be missing.
pub(super) type PlugFaultCase = (&'static str, fn(TwinBench));

fn at(bench: &mut TwinBench, line: &str) -> Vec<String> {
    bench.ask(format!("{line}\r").as_bytes())
}

/// Opens a session and runs one command.
fn after_opening(mut bench: TwinBench, line: &str) -> Vec<String> {
    bench.open();
    at(&mut bench, line)
}

fn scan(mut bench: TwinBench) -> Vec<(SocketAddrV4, Vec<u8>)> {
    bench.datagrams(b"YZ-RECOSCAN")
}

/// Replies to a thousand scans: the number of scans for each number of replies.
fn answers_to_a_thousand(mut bench: TwinBench) -> usize {
    (0..1000)
        .map(|_| bench.datagrams(b"YZ-RECOSCAN").len())
        .sum()
}

const REPLY: &[u8] = b"192.168.1.107,ACCF23123456,900000621,0,0,";

fn switch_on(bench: &mut TwinBench) -> String {
    String::from_utf8(bench.tcp(b"AT+YZSWITCH=1,ON,201704031153\r\n")).unwrap()
}

fn meter(mut bench: TwinBench) -> String {
    bench.tcp(b"AT+YZSWITCH=1,ON,201704031153\r\n");
    let reply = String::from_utf8(bench.tcp(b"AT+YZOUT\r\n")).unwrap();
    reply.trim_end().trim_start_matches("+ok=").to_owned()
}

fn loaded(spec: &str) -> TwinBench {
    TwinBench::with(&[spec], |config| {
        config.load = "1000".parse().unwrap();
        config.energy_wh = 42;
    })
}

fn fresh(spec: &str) -> TwinBench {
    TwinBench::access_point(&[spec], &["Home, sweet:secret-key"])
}

fn joined(spec: &str) -> TwinBench {
    let mut bench = TwinBench::access_point(&[spec], &["Home:secret-key"]);
    bench.open();
    for line in [
        "AT+WSSSID=Home",
        "AT+WSKEY=WPA2PSK,AES,secret-key",
        "AT+WMODE=APSTA",
        "AT+Z",
    ] {
        bench.at(line);
    }
    bench.open();
    bench
}

#[rustfmt::skip]
const CASES: &[PlugFaultCase] = &[
    ("lost=40%", |bench| {
        let answers = answers_to_a_thousand(bench);
        assert!((300..420).contains(&answers), "{answers}");
    }),
    ("lost-in=40%", |bench| {
        let answers = answers_to_a_thousand(bench);
        assert!((540..660).contains(&answers), "{answers}");
    }),
    ("lost-out=100%", |mut bench| {
        assert!(bench.datagrams(b"HF-A11ASSISTHREAD").is_empty());
        bench.ask(b"+ok");
        bench.ask(b"AT+Z\r");
        assert!(bench.twin.wifi.network().is_some(), "the restart is over by now");
    }),
    ("doubled", |bench| assert_eq!(scan(bench).len(), 2)),
    ("delayed=900ms", |mut bench| {
        let arrival = arrival(false);
        let start = bench.now;
        let mut waits = Vec::new();
        for _ in 0..100 {
            bench.twin.handle_datagram(bench.now, arrival, b"YZ-RECOSCAN");
            waits.push(bench.twin.poll_timeout().unwrap() - bench.now);
            bench.wait(Duration::from_secs(1));
        }
        assert!(waits.iter().all(|wait| *wait <= Duration::from_millis(900)));
        assert!(waits.iter().any(|wait| *wait > Duration::from_millis(600)));
        assert_eq!(bench.now - start, Duration::from_secs(100));
    }),
    ("late=100ms", |mut bench| {
        for _ in 0..3 {
            bench.twin.handle_datagram(bench.now, arrival(false), b"YZ-RECOSCAN");
            let wait = bench.twin.poll_timeout().unwrap() - bench.now;
            assert!((Duration::from_millis(100)..Duration::from_millis(110)).contains(&wait), "{wait:?}");
            bench.wait(Duration::from_secs(1));
        }
    }),
    ("reordered", |mut bench| {
        let arrival = arrival(false);
        let mut order = Vec::new();
        for word in [b"YZ-RECOSCAN".as_slice(), b"HF-A11ASSISTHREAD"].repeat(50) {
            bench.twin.handle_datagram(bench.now, arrival, word);
            order.extend(bench.wait(Duration::from_millis(10)));
        }
        let scans: Vec<bool> = order.iter().map(|transmit| matches!(transmit, TwinOutput::Datagram { bytes, .. } if bytes.as_slice() == REPLY)).collect();
        assert!(scans.windows(2).any(|pair| pair[0] == pair[1]), "everything in order");
    }),
    ("split", |bench| {
        let pieces = after_opening(bench, "AT+MID");
        assert_eq!((pieces.len(), pieces.concat().as_str()), (2, "+ok=HF-LPB100\r\n\r\n"));
    }),
    ("garbage", |bench| {
        let datagrams = scan(bench);
        assert_eq!((datagrams.len(), datagrams[1].1.as_slice()), (2, REPLY));
    }),
    ("source-port", |bench| assert_eq!(scan(bench)[0].0, CLIENT)),
    ("deaf-to-broadcast", |mut bench| {
        let arrival = arrival(true);
        bench.twin.handle_datagram(bench.now, arrival, b"YZ-RECOSCAN");
        assert_eq!(bench.wait(Duration::from_secs(1)), []);
        assert_eq!(scan(bench).len(), 1);
    }),
    ("cr-only", |bench| assert_eq!(after_opening(bench, "AT+"), ["+ok\r"])),
    ("lf-only", |bench| assert_eq!(after_opening(bench, "AT+"), ["+ok\n"])),
    ("crlf-only", |bench| assert_eq!(after_opening(bench, "AT+"), ["+ok\r\n"])),
    ("no-terminator", |mut bench| {
        assert_eq!(switch_on(&mut bench), "+ok");
        assert_eq!(after_opening(bench, "AT+NOSUCH"), ["+ERR=-2"]);
    }),
    ("lower-err", |mut bench| {
        assert_eq!(bench.tcp(b"hello"), b"+error\r\n\r\n");
        assert_eq!(after_opening(bench, "AT+NOSUCH"), ["+err=-2\r\n\r\n"]);
    }),
    ("upper-ok", |mut bench| assert_eq!(switch_on(&mut bench), "+OK\r\n\r\n")),
    ("empty-ok", |bench| assert_eq!(after_opening(bench, "AT+"), ["+ok=\r\n\r\n"])),
    ("echo", |mut bench| {
        assert_eq!(bench.tcp(b"AT+VER\r\n"), b"AT+VER\n\r+ok=1.0.06a-14 (2014-10-29 21:46 1M)\r\n\r\n");
        assert_eq!(after_opening(bench, "AT+"), ["AT+\n\r+ok\r\n\r\n"]);
    }),
    ("banner", |mut bench| {
        assert_eq!(switch_on(&mut bench), "AT+YZCMPVER=MW3_16U_5408_5.0B-S\r\n\r\n+ok\r\n\r\n");
    }),
    ("prompt", |mut bench| assert_eq!(switch_on(&mut bench), "> +ok\r\n\r\n")),
    ("scan-silent", |mut bench| {
        assert_eq!(bench.ask(b"YZ-RECOSCAN"), [""; 0]);
        bench.open();
    }),
    ("word-silent", |mut bench| {
        assert_eq!(bench.ask(b"HF-A11ASSISTHREAD"), [""; 0]);
        assert_eq!(scan(bench).len(), 1);
    }),
    ("exact-word", |mut bench| {
        assert_eq!(bench.ask(b"hf-a11assisthread"), [""; 0]);
        bench.open();
    }),
    ("word=www.usr.cn", |mut bench| {
        assert_eq!(bench.ask(b"HF-A11ASSISTHREAD"), [""; 0]);
        assert_eq!(bench.ask(b"www.usr.cn").len(), 1);
    }),
    ("five-fields", |bench| assert_eq!(scan(bench)[0].1, &REPLY[..REPLY.len() - 1])),
    ("field-6=x", |bench| assert_eq!(scan(bench)[0].1, b"192.168.1.107,ACCF23123456,900000621,0,0,x")),
    ("res=1", |bench| assert_eq!(scan(bench)[0].1, b"192.168.1.107,ACCF23123456,900000621,1,0,")),
    ("trailing-crlf", |mut bench| {
        assert_eq!(bench.ask(b"HF-A11ASSISTHREAD"), ["192.168.1.107,ACCF23123456,HF-LPB100\r\n"]);
        assert_eq!(scan(bench)[0].1, [REPLY, b"\r\n"].concat());
    }),
    ("nul-padding", |bench| {
        let reply = scan(bench).remove(0).1;
        assert!(reply.starts_with(REPLY) && reply[REPLY.len()..].iter().all(|byte| *byte == 0) && reply.len() == 64);
    }),
    ("wrong-address=10.0.0.9", |bench| assert_eq!(scan(bench)[0].1, b"10.0.0.9,ACCF23123456,900000621,0,0,")),
    ("copies=10", |bench| assert_eq!(scan(bench).len(), 10)),
    ("module=", |mut bench| assert_eq!(bench.ask(b"HF-A11ASSISTHREAD"), ["192.168.1.107,ACCF23123456,"])),
    ("four-fields", |mut bench| assert_eq!(bench.ask(b"HF-A11ASSISTHREAD")[0].split(',').count(), 4)),
    ("no-handshake", |mut bench| {
        assert_eq!(at(&mut bench, "AT+MID"), ["+ok=HF-LPB100\r\n\r\n"]);
        assert_eq!(bench.ask(b"hello"), [""; 0]);
    }),
    ("ok-answers-ok", |mut bench| {
        bench.ask(b"HF-A11ASSISTHREAD");
        assert_eq!(bench.ask(b"+ok"), ["+ok\r\n\r\n"]);
        assert_eq!(bench.at("AT+"), "+ok");
    }),
    ("ok-answers-err", |mut bench| {
        bench.ask(b"HF-A11ASSISTHREAD");
        assert_eq!(bench.ask(b"+ok"), ["+ERR=-1\r\n\r\n"]);
        assert_eq!(bench.at("AT+"), "+ok");
    }),
    ("session-by-port", |mut bench| {
        bench.open();
        bench.client.set_port(1234);
        assert_eq!(bench.at("AT+"), "");
    }),
    ("session-idle=7s", |mut bench| {
        bench.open();
        bench.wait(Duration::from_secs(3));
        assert_eq!(bench.at("AT+"), "");
    }),
    ("deaf=cr", |mut bench| {
        bench.open();
        assert_eq!(bench.ask(b"AT+\r"), [""; 0]);
        assert_eq!(bench.ask(b"AT+\n").len() + bench.ask(b"AT+\r\n").len() + bench.ask(b"AT+").len(), 3);
    }),
    ("reboot=3", |mut bench| {
        bench.open();
        assert_eq!(["AT+", "AT+", "AT+", "AT+"].map(|line| bench.at(line)), ["+ok", "+ok", "", ""]);
        bench.open();
        assert!((0..10).all(|_| bench.at("AT+") == "+ok"), "once only");
    }),
    ("reboot-every=3", |mut bench| {
        for _ in 0..3 {
            bench.open();
            assert_eq!(["AT+", "AT+", "AT+"].map(|line| bench.at(line)), ["+ok", "+ok", ""]);
        }
    }),
    ("busy-at", |bench| assert_eq!(after_opening(bench, "AT+"), ["+ERR=-5\r\n\r\n"])),
    ("no-apsta", |mut bench| {
        bench.open();
        assert_eq!(bench.at("AT+WMODE=APSTA"), "+ERR=-4");
        assert_eq!(bench.at("AT+WMODE=AP"), "+ok");
    }),
    ("strict-commas", |mut bench| {
        bench.open();
        assert_eq!(bench.at("AT+WSSSID=a,b"), "+ERR=-4");
        assert_eq!(bench.at("AT+WSKEY=WPA2PSK,AES,one,two,three"), "+ERR=-4");
        assert_eq!(bench.at("AT+WSKEY=WPA2PSK,AES,one two three"), "+ok");
    }),
    ("cut-ssid", |mut bench| {
        bench.open();
        assert_eq!(bench.at("AT+WSSSID=Home, sweet"), "+ok");
        assert_eq!(bench.at("AT+WSSSID"), "+ok=Home");
    }),
    ("exact-case", |mut bench| {
        bench.open();
        assert_eq!(bench.at("AT+WMODE=apsta"), "+ERR=-4");
        assert_eq!(bench.at("AT+WSKEY=wpa2psk,aes,secret-key"), "+ERR=-4");
        assert_eq!(bench.at("AT+WSKEY=WPA2PSK,AES,secret-key"), "+ok");
        assert_eq!(bench.at("AT+WSKEY=OPEN,NONE,"), "+ok");
    }),
    ("hex-key", |mut bench| {
        bench.open();
        assert_eq!(bench.at(&format!("AT+WSKEY=WPA2PSK,AES,{}", "0f".repeat(32))), "+ok");
        assert_eq!(bench.at(&format!("AT+WSKEY=WPA2PSK,AES,{}", "0g".repeat(32))), "+ERR=-4");
    }),
    ("ethernet-verbs", |mut bench| {
        bench.open();
        assert_eq!(bench.at("AT+EPHY=off"), "+ok");
        assert_eq!(bench.at("AT+FAPSTA"), "+ok=off");
    }),
    ("no-link-verbs", |mut bench| {
        bench.open();
        assert_eq!(bench.at("AT+WSLK"), "+ERR=-2");
        assert_eq!(bench.at("AT+WSLQ"), "+ERR=-2");
        assert_eq!(bench.at("AT+WMODE"), "+ok=STA");
    }),
    ("query-only-unknown", |bench| assert_eq!(after_opening(bench, "AT+VER=1"), ["+ERR=-2\r\n\r\n"])),
    ("z-answers", |mut bench| {
        bench.open();
        assert_eq!(bench.at("AT+Z"), "+ok");
        assert_eq!(bench.at("AT+"), "");
    }),
    ("q-silent", |mut bench| {
        bench.open();
        assert_eq!(bench.at("AT+Q"), "");
        assert_eq!(bench.at("AT+"), "");
    }),
    ("w-silent", |mut bench| {
        bench.open();
        assert_eq!(bench.at("AT+W"), "");
        assert_eq!(bench.at("AT+"), "+ok");
    }),
    ("short-help", |bench| assert_eq!(after_opening(bench, "AT+H"), ["+ok=\r\n\r\n"])),
    ("open-comma", |bench| {
        drop(bench);
        assert_eq!(after_opening(fresh("open-comma"), "AT+WSKEY"), ["+ok=OPEN,NONE,\r\n\r\n"]);
    }),
    ("version=4.12.17 (2019-01-09 10:30 1M)", |mut bench| {
        assert_eq!(bench.tcp(b"AT+VER"), b"+ok=4.12.17 (2019-01-09 10:30 1M)\r\n\r\n");
        assert_eq!(after_opening(bench, "AT+VER"), ["+ok=4.12.17 (2019-01-09 10:30 1M)\r\n\r\n"]);
    }),
    ("one-datagram", |bench| assert_eq!(after_opening(bench, "AT+WSCAN").len(), 1)),
    ("wscan-refused", |bench| assert_eq!(after_opening(bench, "AT+WSCAN"), ["+ERR=-5\r\n\r\n"])),
    ("wscan-nine-columns", |_| {
        let list = after_opening(fresh("wscan-nine-columns"), "AT+WSCAN");
        assert!(list[2].ends_with(",\n\r") && list[2].matches(',').count() == 9, "{list:?}");
        assert_eq!(hiflying::wscan::parse(list.concat().as_bytes()).len(), 4);
    }),
    ("wscan-lf", |bench| {
        let list = after_opening(bench, "AT+WSCAN");
        assert_eq!(list[0], "+ok=\nCh,SSID,BSSID,Security,Indicator\n");
        assert!(!list.concat().contains('\r') && list.last().unwrap() == "\n");
    }),
    ("wscan-crlf", |bench| {
        let list = after_opening(bench, "AT+WSCAN");
        assert_eq!(list[0], "+ok=\r\nCh,SSID,BSSID,Security,Indicator\r\n");
        assert!(list[1].ends_with("\r\n"));
    }),
    ("wslk-bare", |bench| assert_eq!(after_opening(bench, "AT+WSLK"), ["+ok=Home\r\n\r\n"])),
    ("wslk-colons", |bench| assert!(after_opening(bench, "AT+WSLK")[0].starts_with("+ok=Home(3C:E5:A6:"))),
    ("wslk-parens", |bench| assert_eq!(after_opening(bench, "AT+WSLK"), ["+ok=(Home)\r"])),
    ("wslk-bssid", |bench| assert!(after_opening(bench, "AT+WSLK")[0].starts_with("+ok=3ce5a6"))),
    ("wslk-no-prefix", |_| assert_eq!(after_opening(fresh("wslk-no-prefix"), "AT+WSLK"), ["Disconnected\r\n\r\n"])),
    ("rf-off", |_| assert_eq!(after_opening(fresh("rf-off"), "AT+WSLK"), ["+ok=RF Off\r\n\r\n"])),
    ("comes-and-goes=60s", |_| {
        let mut bench = loaded("comes-and-goes=60s");
        bench.twin.press(bench.now, true);
        bench.wait(Duration::from_secs(61));
        assert_eq!(bench.datagrams(b"YZ-RECOSCAN"), []);
        bench.wait(Duration::from_secs(60));
        assert_eq!(bench.datagrams(b"YZ-RECOSCAN").len(), 1);
        // On from 0 to 60 s and from 120 s on: 1 kW for 131 s since the start.
        let now = bench.now;
        assert!(bench.twin.meter_reply(now).ends_with(",10000,0,61,0"));
    }),
    ("restart=9s", |mut bench| {
        bench.open();
        bench.at("AT+Z");
        assert!(!bench.twin.is_reachable(PLUG));
        bench.wait(Duration::from_secs(5));
        assert!(bench.twin.is_reachable(PLUG));
    }),
    ("association=9s", |mut bench| {
        bench.open();
        bench.at("AT+Z");
        bench.wait(Duration::from_secs(4));
        assert!(!bench.twin.is_reachable(PLUG));
        bench.wait(Duration::from_secs(2));
        assert!(bench.twin.is_reachable(PLUG));
    }),
    ("fail-join", |_| assert_eq!(joined("fail-join").at("AT+WSLK"), "+ok=Disconnected")),
    ("no-lease", |_| {
        let mut bench = joined("no-lease");
        assert!(bench.at("AT+WSLK").starts_with("+ok=Home("));
        assert_eq!(bench.at("AT+WANN"), "+ok=DHCP,0.0.0.0,0.0.0.0,0.0.0.0");
    }),
    ("no-router", |_| {
        let mut bench = joined("no-router");
        assert!(bench.at("AT+WSLK").starts_with("+ok=Home("));
        assert_eq!(bench.at("AT+PING=192.168.1.1"), "+ok=Timeout");
    }),
    ("security=mixed", |_| {
        let list = after_opening(fresh("security=mixed"), "AT+WSCAN").concat();
        assert!(list.contains("Home, sweet,3C:E5:A6:") && list.contains("WPAPSKWPA2PSK/TKIPAES"), "{list}");
    }),
    ("busy", |mut bench| assert!(!bench.connect(1))),
    ("half-open", |mut bench| {
        assert_eq!(switch_on(&mut bench), "");
        assert!(!bench.twin.relay_is_on());
    }),
    ("babble", |mut bench| {
        let babble = bench.tcp(b"AT+VER\r\n");
        assert!(babble.len() > 100_000 && !babble.contains(&b'\n') && !babble.contains(&b'\r'));
    }),
    ("busy-tcp", |mut bench| assert_eq!(switch_on(&mut bench), "+ERROR\r\n\r\n")),
    ("close-after-reply", |mut bench| {
        bench.connect(1);
        bench.segment(1, b"AT+VER\r\n");
        let sent = bench.wait(Duration::from_secs(1));
        assert!(matches!(sent.as_slice(), [TwinOutput::Segment { .. }, TwinOutput::Close { .. }]));
    }),
    ("reset", |mut bench| {
        bench.connect(1);
        bench.segment(1, b"AT+VER\r\n");
        assert_eq!(bench.wait(Duration::from_secs(1)), [TwinOutput::Reset { connection: ConnectionId(1) }]);
    }),
    ("needs-line-end", |mut bench| {
        assert_eq!(bench.tcp(b"AT+VER"), b"");
        assert!(bench.tcp(b"AT+VER\n").starts_with(b"+ok"));
    }),
    ("strict-words", |mut bench| {
        assert_eq!(bench.tcp(b"AT+YZSWITCH=1,on,time"), b"+ERROR\r\n\r\n");
        assert_eq!(bench.tcp(b"at+ver"), b"+ERROR\r\n\r\n");
        assert_eq!(switch_on(&mut bench), "+ok\r\n\r\n");
    }),
    ("strict-stamp", |mut bench| {
        assert_eq!(bench.tcp(b"AT+YZSWITCH=1,ON,time"), b"+ERROR\r\n\r\n");
        assert_eq!(switch_on(&mut bench), "+ok\r\n\r\n");
    }),
    ("any-socket", |mut bench| {
        assert_eq!(bench.tcp(b"AT+YZSWITCH=2,ON,time"), b"+ok\r\n\r\n");
        assert!(bench.twin.relay_is_on());
    }),
    ("clients=1", |mut bench| {
        assert!(bench.connect(1));
        assert!(!bench.connect(2));
    }),
    ("tcp-idle=2s", |mut bench| {
        bench.connect(1);
        assert_eq!(bench.wait(Duration::from_secs(2)), [TwinOutput::Close { connection: ConnectionId(1) }]);
    }),
    ("stuck-relay", |mut bench| {
        assert_eq!(switch_on(&mut bench), "+ok\r\n\r\n");
        assert_eq!(scan(bench)[0].1, REPLY);
    }),
    ("lying-relay=50%", |mut bench| {
        let switched = (0..200).filter(|_| {
            switch_on(&mut bench);
            let on = bench.twin.relay_is_on();
            bench.twin.outlet.switch(bench.now, 1, false, &RecoBehaviour::default(), &mut fastrand::Rng::with_seed(0));
            on
        });
        assert!((60..140).contains(&switched.count()));
    }),
    ("welded-relay", |_| {
        let mut bench = loaded("welded-relay");
        assert_eq!(bench.datagrams(b"YZ-RECOSCAN")[0].1, REPLY);
        assert!(String::from_utf8(bench.tcp(b"AT+YZOUT")).unwrap().contains(",10000,0,"));
    }),
    ("slow-relay=7s", |mut bench| {
        assert_eq!(switch_on(&mut bench), "+ok\r\n\r\n");
        assert!(!bench.twin.relay_is_on());
        bench.wait(Duration::from_secs(2));
        assert!(bench.twin.relay_is_on());
    }),
    ("second-line", |mut bench| {
        assert_eq!(switch_on(&mut bench), "+ok\r\n\r\n+error\r\n\r\n");
        assert!(bench.twin.relay_is_on());
    }),
    ("silent-switch", |mut bench| {
        assert_eq!(switch_on(&mut bench), "");
        assert!(bench.twin.relay_is_on());
    }),
    ("falls-off", |mut bench| {
        switch_on(&mut bench);
        bench.twin.restart(bench.now);
        assert!(!bench.twin.relay_is_on());
    }),
    ("empty-meter", |_| assert_eq!(meter(loaded("empty-meter")), ",,,,,,")),
    ("empty-power", |_| assert!(meter(loaded("empty-power")).ends_with(",,0,43,0"))),
    ("zero-power", |_| assert!(meter(loaded("zero-power")).ends_with(",0,0,43,0"))),
    ("odd-field", |_| assert!(meter(loaded("odd-field")).ends_with(",-1,0,43,0"))),
    ("six-fields", |_| assert!(meter(loaded("six-fields")).ends_with(",10000,0,43"))),
    ("nine-fields", |_| assert!(meter(loaded("nine-fields")).ends_with(",10000,0,43,0,0,0"))),
    ("meter-refused", |_| assert_eq!(meter(loaded("meter-refused")), "+ERROR")),
    ("spike", |_| {
        let mut bench = loaded("spike=100%");
        bench.twin.outlet.switch(bench.now, 1, true, &RecoBehaviour::default(), &mut fastrand::Rng::with_seed(0));
        let reply = String::from_utf8(bench.tcp(b"AT+YZOUT")).unwrap();
        assert!(reply.contains(",10000000,0,10000042,0"), "{reply}");
    }),
    ("counter-reset", |_| {
        let mut bench = loaded("counter-reset");
        bench.twin.restart(bench.now);
        bench.wait(Duration::from_secs(5));
        assert!(bench.tcp(b"AT+YZOUT").ends_with(b",0,0,0,0\r\n\r\n"));
    }),
    ("counter-reset-every=1h", |_| {
        let mut bench = loaded("counter-reset-every=1h");
        switch_on(&mut bench);
        bench.wait(Duration::from_secs(3 * 3600));
        let reply = String::from_utf8(bench.tcp(b"AT+YZOUT")).unwrap();
        assert!(reply.ends_with(",10000,0,1,0\r\n\r\n"), "{reply}");
    }),
    ("no-web", |bench| assert_eq!(bench.web_port(PLUG), None)),
    ("web-password", |mut bench| assert!(bench.web_login("Basic QURNSU46QURNSU4=").starts_with("HTTP/1.1 401 "))),
];

#[test]
fn every_fault_shows() {
    for (spec, check) in CASES.iter().chain(SETTING_CASES) {
        println!("{spec}");
        check(TwinBench::new(&[spec]));
    }
}

#[test]
fn no_fault_lacks_a_case() {
    let shown: Vec<_> = CASES
        .iter()
        .chain(SETTING_CASES)
        .map(|(spec, _)| spec.parse::<PlugFault>().unwrap().name())
        .collect();
    for (spec, _) in PlugFault::catalogue() {
        let name = spec.split(['=', '[']).next().unwrap();
        assert!(shown.contains(&name), "{spec}");
    }
}

#[test]
fn split_replies_on_tcp_keep_their_order_under_jitter() {
    let mut bench = TwinBench::new(&["split", "delayed=2s"]);
    bench.connect(1);
    bench.segment(1, b"AT+VER\r\nAT+YZSWITCH=1,ON,time\r\nhello\r\n");
    let sent = segments(bench.wait(Duration::from_secs(9)));
    assert_eq!(sent.len(), 6);
    assert_eq!(
        sent.concat(),
        b"+ok=1.0.06a-14 (2014-10-29 21:46 1M)\r\n\r\n+ok\r\n\r\n+ERROR\r\n\r\n"
    );
}
