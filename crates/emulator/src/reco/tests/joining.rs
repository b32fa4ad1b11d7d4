//! A fresh plug and a moved one on their way to a network, with the right key and the wrong one.

use super::bench::{PLUG, TwinBench, arrival};
use crate::config::Mode;
use crate::reco::*;

const NEW: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 199);

/// Sets network, key and mode, and waits until the restart is over.
fn join(bench: &mut TwinBench, ssid: &str, key: &str, mode: &str) {
    bench.open();
    for line in [
        format!("AT+WSSSID={ssid}"),
        format!("AT+WSKEY={key}"),
        format!("AT+WMODE={mode}"),
    ] {
        assert_eq!(bench.at(&line), "+ok", "{line}");
    }
    assert_eq!(bench.at("AT+Z"), "");
}

fn answers(bench: &mut TwinBench, at: Ipv4Addr) -> bool {
    bench.at = at;
    let found = !bench.ask(b"YZ-RECOSCAN").is_empty();
    let open = bench.command_port(at).is_some();
    assert_eq!(found, open, "UDP and TCP disagree on {at}");
    found
}

#[test]
fn only_broadcasts_of_its_own_network_are_heard_and_only_on_it() {
    let heard = |network: &str, mode: Mode, from: [u8; 4]| {
        let mut bench = TwinBench::with(&[], |config| {
            config.prefix = Some(24);
            config.mode = mode;
            config.home_networks = vec![network.parse().unwrap()];
        });
        let arrival = TwinArrival {
            from: SocketAddrV4::new(from.into(), 50_000),
            ..arrival(true)
        };
        bench
            .twin
            .handle_datagram(bench.now, arrival, b"YZ-RECOSCAN");
        !bench.wait(Duration::from_secs(1)).is_empty()
    };
    assert!(heard("Home:secret-key", Mode::Sta, [192, 168, 1, 20]));
    assert!(!heard("Home:secret-key", Mode::Sta, [192, 168, 2, 20]));
    assert!(!heard("Home:secret-key", Mode::Ap, [192, 168, 1, 20]));
}

#[test]
fn a_fresh_plug_answers_by_its_access_point() {
    let mut bench = TwinBench::access_point(&[], &["Home:secret-key"]);
    assert_eq!(
        bench.ask(b"HF-A11ASSISTHREAD"),
        ["192.168.1.107,ACCF23123456,HF-LPB100"]
    );
    assert_eq!(
        bench.ask(b"YZ-RECOSCAN"),
        ["192.168.1.107,ACCF23123456,900000621,0,0,"]
    );
    bench.open();
    assert_eq!(bench.at("AT+WMODE"), "+ok=AP");
    assert_eq!(bench.at("AT+WSLK"), "+ok=Disconnected");
    assert_eq!(bench.at("AT+WSLQ"), "+ok=Disconnected");
    assert_eq!(bench.at("AT+WANN"), "+ok=DHCP,0.0.0.0,0.0.0.0,0.0.0.0");
    assert_eq!(bench.at("AT+PING=192.168.1.1"), "+ok=Timeout");
}

#[test]
fn the_right_key_leads_to_the_home_network() {
    for (network, key) in [
        ("Home:secret-key", "WPA2PSK,AES,secret-key"),
        ("a, b = c:p,a=ss word", "WPA2PSK,AES,p,a=ss word"),
        ("Ünïcödé ☕:schlüssel", "WPA2PSK,TKIPAES,schlüssel"),
        ("Cafe:", "OPEN,NONE"),
        ("Old:abcde", "SHARED,WEP-A,abcde"),
    ] {
        let mut bench = TwinBench::access_point(&[], &[network]);
        let ssid = network.split_once(':').unwrap().0;
        join(&mut bench, ssid, key, "STA");
        assert!(answers(&mut bench, PLUG), "{network}");
        assert_eq!(bench.twin.network(), Some(ssid.as_bytes()));
        bench.open();
        assert!(
            bench
                .at("AT+WSLK")
                .starts_with(&format!("+ok={ssid}(3CE5A6"))
        );
    }
}

#[test]
fn a_wrong_key_in_station_mode_is_silence_everywhere_and_for_good() {
    for (ssid, key) in [
        ("Home", "WPA2PSK,AES,secret-kez"),
        ("Home", "OPEN,NONE"),
        ("Hame", "WPA2PSK,AES,secret-key"),
    ] {
        let mut bench = TwinBench::access_point(&[], &["Home:secret-key"]);
        bench.twin.config.home_address = Some(NEW);
        join(&mut bench, ssid, key, "STA");
        bench.wait(Duration::from_secs(3600));
        for at in [PLUG, NEW] {
            assert!(!answers(&mut bench, at), "{ssid} {key}");
            assert!(!bench.connect(1));
            assert_eq!(bench.web_port(at), None);
        }
        assert_eq!(bench.twin.network(), None);
    }
}

#[test]
fn both_modes_at_once_prove_the_key_while_the_access_point_stays() {
    let mut bench = TwinBench::access_point(&[], &["Home:secret-key"]);
    bench.twin.config.home_address = Some(NEW);
    join(&mut bench, "Home", "WPA2PSK,AES,secret-kez", "APSTA");
    assert!(answers(&mut bench, PLUG) && !answers(&mut bench, NEW));
    bench.at = PLUG;
    bench.open();
    assert_eq!(bench.at("AT+WSLK"), "+ok=Disconnected");
    assert_eq!(bench.at("AT+WSKEY=WPA2PSK,AES,secret-key"), "+ok");
    assert_eq!(
        bench.at("AT+WSLK"),
        "+ok=Disconnected",
        "nothing counts before the restart"
    );
    assert_eq!(bench.at("AT+Z"), "");
    bench.open();
    assert!(bench.at("AT+WSLK").starts_with("+ok=Home("));
    assert_eq!(
        bench.at("AT+WANN"),
        "+ok=DHCP,192.168.1.199,255.255.255.0,192.168.1.1"
    );
    assert_eq!(bench.at("AT+PING=192.168.1.1"), "+ok=Success");
    assert!(answers(&mut bench, NEW) && answers(&mut bench, PLUG));
    bench.at("AT+WMODE=STA");
    bench.at("AT+Z");
    assert!(answers(&mut bench, NEW) && !answers(&mut bench, PLUG));
}

#[test]
fn a_plug_in_station_mode_is_moved_and_its_scan_reply_follows() {
    let mut bench = TwinBench::with(&[], |config| {
        config.home_networks = vec![
            "Old:secret-key".parse().unwrap(),
            "New:other-key".parse().unwrap(),
        ];
        config.home_address = Some(NEW);
    });
    assert!(answers(&mut bench, PLUG) && !answers(&mut bench, NEW));
    bench.at = PLUG;
    join(&mut bench, "New", "WPA2PSK,AES,other-key", "STA");
    assert!(answers(&mut bench, NEW) && !answers(&mut bench, PLUG));
    assert_eq!(bench.twin.network(), Some(b"New".as_slice()));
    bench.at = NEW;
    assert_eq!(
        bench.ask(b"YZ-RECOSCAN"),
        ["192.168.1.199,ACCF23123456,900000621,0,0,"]
    );
}

#[test]
fn a_restart_ends_sessions_connections_and_timers_but_not_the_relay() {
    let mut bench = TwinBench::with(&[], |config| config.relay_on = true);
    bench.tcp(b"AT+YZDELAY=1,OFF,1,time");
    bench.open();
    assert!(bench.connect(7));
    bench
        .twin
        .handle_datagram(bench.now, arrival(false), b"AT+Z\r");
    let sent = bench.wait(Duration::from_millis(200));
    assert_eq!(
        sent,
        [TwinOutput::Reset {
            connection: ConnectionId(7)
        }]
    );
    assert!(!bench.twin.is_reachable(PLUG));
    bench.wait(Duration::from_secs(100));
    assert!(bench.twin.is_reachable(PLUG));
    assert_eq!(bench.at("AT+"), "", "the session is over");
    assert!(bench.twin.relay_is_on(), "the timer is gone");
}

#[test]
fn a_factory_reset_brings_the_access_point_and_the_word_back() {
    let mut bench = TwinBench::new(&[]);
    bench.open();
    assert_eq!(bench.at("AT+ASWD=my-own-word"), "+ok");
    bench.at("AT+Z");
    assert_eq!(bench.ask(b"HF-A11ASSISTHREAD"), [""; 0]);
    assert_eq!(bench.ask(b"my-own-word").len(), 1);
    bench.ask(b"+ok");
    assert_eq!(bench.ask(b"AT+RELD\r"), ["+ok=rebooting...\r\n\r\n"]);
    bench.open();
    assert_eq!(bench.at("AT+WMODE"), "+ok=AP");
    assert_eq!(bench.at("AT+WSKEY"), "+ok=OPEN,NONE");
    assert_eq!(bench.twin.network(), None);
}

#[test]
fn a_moved_data_port_is_opened_after_the_restart() {
    let mut bench = TwinBench::new(&[]);
    bench.open();
    bench.at("AT+NETP=TCP,SERVER,8900,192.168.1.107");
    assert_eq!(bench.command_port(PLUG), Some(8899));
    bench.at("AT+Z");
    assert_eq!(bench.command_port(PLUG), Some(8900));
    bench.open();
    bench.at("AT+NETP=UDP,CLIENT,17000,example.org");
    bench.at("AT+Z");
    assert_eq!(bench.command_port(PLUG), None);
}

#[test]
fn a_network_that_smartlink_found_is_told_for_a_minute() {
    let mut bench = TwinBench::access_point(&[], &["Home:secret-key"]);
    join(&mut bench, "Home", "WPA2PSK,AES,secret-key", "STA");
    let to = SocketAddrV4::new(*bench.client.ip(), 49999);
    let expected = vec![(to, b"smart_config ACCF23123456".to_vec())];
    assert_eq!(bench.datagrams(b"smartlinkfind"), expected);
    bench.wait(Duration::from_secs(60));
    assert_eq!(bench.datagrams(b"smartlinkfind"), []);
}
