use std::fmt::Debug;

use proptest::prelude::*;

use super::*;
use crate::settings::Addressing;
use crate::verb;
use crate::wifi::{Auth, Cipher, WifiKey};

fn asks<C: AtCommand<Reply: Debug + PartialEq>>(
    command: &C,
    line: &str,
    raw: &str,
    reply: &C::Reply,
) {
    let request = command.request();
    assert_eq!(
        request.emit(crate::Terminator::None).as_slice(),
        line.as_bytes()
    );
    assert_eq!(
        command.parse(format!("{raw}\r\n\r\n").as_bytes()).as_ref(),
        Ok(reply),
        "{line}"
    );
    assert_eq!(
        command.parse(b"+ERR=-2\r\n\r\n").err(),
        Some(AtCommandError::Refused(ErrorCode::Verb)),
        "{line}"
    );
    assert!(verb::lookup(request.verb()).is_some(), "{line}");
}

fn ip(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

fn text(text: &str) -> String {
    text.to_owned()
}

#[test]
fn typed_queries() {
    let mac = "ACCF23E11F33".parse().unwrap();
    let key = |key: &str| Some(WifiKey::new(key));
    let socket = |role: Option<&str>, port, host: &str| SocketSettings {
        protocol: text("TCP"),
        role: role.map(text),
        port,
        host: text(host),
    };
    asks(
        &Ver,
        "AT+VER",
        "+ok=4.12.17 (2019-01-09 10:30 1M)",
        &text("4.12.17 (2019-01-09 10:30 1M)"),
    );
    asks(&Mid, "AT+MID", "+ok=HF-LPB100", &text("HF-LPB100"));
    asks(&Wsmac, "AT+WSMAC", "+ok=ACCF23E11F33", &mac);
    asks(&Wmode, "AT+WMODE", "+ok=AP", &Mode::Ap);
    asks(&Wmode, "AT+WMODE", "+ok=STA", &Mode::Sta);
    asks(&Wmode, "AT+WMODE", "+ok=APSTA", &Mode::ApSta);
    asks(
        &Wsssid,
        "AT+WSSSID",
        "+ok=my, net ",
        &Ssid::new("my, net ").ok(),
    );
    asks(&Wsssid, "AT+WSSSID", "+ok=", &None);
    let credentials = Credentials {
        auth: Auth::Wpa2Psk,
        cipher: Cipher::Aes,
        key: key("a,b=c d,e"),
    };
    asks(
        &Wskey,
        "AT+WSKEY",
        "+ok=WPA2PSK,AES,a,b=c d,e",
        &credentials,
    );
    asks(&Wskey, "AT+WSKEY", "+ok=OPEN,NONE", &Credentials::open());
    asks(
        &Wslk,
        "AT+WSLK",
        "+ok=Disconnected",
        &LinkStatus::Disconnected,
    );
    asks(&Wslk, "AT+WSLK", "+ok=RF Off", &LinkStatus::RadioOff);
    let linked = |ssid: &str, bssid| LinkStatus::Connected {
        ssid: Ssid::new(ssid).unwrap(),
        bssid,
    };
    asks(
        &Wslk,
        "AT+WSLK",
        "+ok=Cafe (1st)(ACCF23E11F33)",
        &linked("Cafe (1st)", Some(mac)),
    );
    asks(
        &Wslk,
        "AT+WSLK",
        "+ok=home(ac:cf:23:e1:1f:33)",
        &linked("home", Some(mac)),
    );
    asks(
        &Wslk,
        "AT+WSLK",
        "+ok=Disconnected(ACCF23E11F33)",
        &linked("Disconnected", Some(mac)),
    );
    asks(
        &Wslk,
        "AT+WSLK",
        "+ok=Cafe (1st)",
        &linked("Cafe (1st)", None),
    );
    let wan = Wan {
        addressing: Addressing::Dhcp,
        address: ip("192.168.1.123"),
        mask: ip("255.255.255.0"),
        gateway: ip("192.168.1.1"),
    };
    asks(
        &Wann,
        "AT+WANN",
        "+ok=DHCP,192.168.1.123,255.255.255.0,192.168.1.1",
        &wan,
    );
    let fixed = Wan {
        addressing: Addressing::Static,
        ..wan
    };
    asks(
        &Wann,
        "AT+WANN",
        "+ok=STATIC,192.168.1.123,255.255.255.0,192.168.1.1",
        &fixed,
    );
    asks(&Wann, "AT+WANN", "+ok=DHCP", &Wan::DHCP);
    let access_key = Credentials {
        auth: Auth::Wpa2Psk,
        cipher: Cipher::Aes,
        key: key("12345678"),
    };
    asks(&Wakey, "AT+WAKEY", "+ok=WPA2PSK,AES,12345678", &access_key);
    asks(&Wakey, "AT+WAKEY", "+ok=OPEN,NONE,", &Credentials::open());
    asks(
        &Netp,
        "AT+NETP",
        "+ok=TCP,Server,8899,10.10.100.254",
        &socket(Some("Server"), 8899, "10.10.100.254"),
    );
    asks(
        &Sockb,
        "AT+SOCKB",
        "+ok=TCP,8816,cloud.example",
        &Some(socket(None, 8816, "cloud.example")),
    );
    asks(&Sockb, "AT+SOCKB", "+ok=", &None);
    asks(
        &Ping(ip("192.168.1.1")),
        "AT+PING=192.168.1.1",
        "+ok=Success",
        &PingResult::Success,
    );
    asks(
        &Ping(ip("192.168.1.1")),
        "AT+PING=192.168.1.1",
        "+ok=Timeout",
        &PingResult::Timeout,
    );
    asks(
        &Ping(ip("192.168.1.1")),
        "AT+PING=192.168.1.1",
        "+ok=Unknown host",
        &PingResult::UnknownHost,
    );
    asks(
        &Aswd,
        "AT+ASWD",
        "+ok=HF-A11ASSISTHREAD",
        &DiscoveryWord::HF_A11,
    );
    let login = WebLogin {
        user: text("admin"),
        password: text("admin").into(),
    };
    asks(&Webu, "AT+WEBU", "+ok=admin,admin", &login);
    asks(&Fapsta, "AT+FAPSTA", "+ok=on", &OnOff::On);
}

#[test]
fn typed_settings() {
    let done = &();
    asks(&SetWmode(Mode::ApSta), "AT+WMODE=APSTA", "+ok", done);
    asks(
        &SetWsssid(Ssid::new("my net").unwrap()),
        "AT+WSSSID=my net",
        "+ok",
        done,
    );
    asks(
        &SetWskey(Credentials::open()),
        "AT+WSKEY=OPEN,NONE",
        "+ok",
        done,
    );
    asks(
        &SetWskey(Credentials::wpa2(WifiKey::new("pass word"))),
        "AT+WSKEY=WPA2PSK,AES,pass word",
        "+ok",
        done,
    );
    asks(
        &SetWann(Wan::DHCP),
        "AT+WANN=DHCP,0.0.0.0,0.0.0.0,0.0.0.0",
        "+ok",
        done,
    );
    asks(&SetSockb(text("NONE")), "AT+SOCKB=NONE", "+ok", done);
    asks(
        &SetAswd(DiscoveryWord::WIFIKIT),
        "AT+ASWD=WIFIKIT-214028-READ",
        "+ok",
        done,
    );
    let login = WebLogin {
        user: text("admin"),
        password: text("admin").into(),
    };
    asks(&SetWebu(login), "AT+WEBU=admin,admin", "+ok", done);
    asks(&SetFapsta(OnOff::On), "AT+FAPSTA=on", "+ok", done);
}

#[test]
fn malformed_replies() {
    assert!(matches!(
        Wmode.parse(b"+ok=APSTAX\r\n"),
        Err(AtCommandError::Malformed { .. })
    ));
    assert!(matches!(
        Wann.parse(b"+ok=DHCP,1.2.3\r\n"),
        Err(AtCommandError::Malformed { .. })
    ));
    assert!(matches!(
        Ver.parse(b"garbage"),
        Err(AtCommandError::Malformed { .. })
    ));
    assert_eq!(Wslk.parse(b"Disconnected\r"), Ok(LinkStatus::Disconnected));
    assert!(Wslk.parse(b"hello\r").is_err());
}

#[test]
fn a_scan_lists_each_network_once() {
    let raw = b"+ok=\n\rCh,SSID,BSSID,Security,Indicator\n\r1,weak,3C:E5:A6:61:B4:41,OPEN/NONE,10\n\r\
        1,strong,3C:E5:A6:61:B4:40,WPA2PSK/AES,76\n\r1,strong,3C:E5:A6:61:B4:40,WPA2PSK/AES,76\n\r\r\n";
    let names: Vec<_> = Wscan
        .parse(raw)
        .unwrap()
        .into_iter()
        .map(|network| network.ssid)
        .collect();
    assert_eq!(names, [b"strong".to_vec(), b"weak".to_vec()]);
    assert_eq!(
        Wscan.parse(b"+ERR=-5\r\n\r\n"),
        Err(AtCommandError::Refused(ErrorCode::NotPermitted))
    );
}

fn round_trip<T: WireSetting + WireValue + Debug + PartialEq>(
    value: T,
) -> Result<(), TestCaseError> {
    let emitted = value.emit();
    prop_assert_eq!(T::parse(&emitted), Some(value));
    Ok(())
}

proptest! {
    #[test]
    fn values_round_trip(
        address: [u8; 4], mask: [u8; 4], mac: [u8; 6], name in "[^\0\r\n]{1,8}", word in "[A-Za-z]{1,8}", number: u16
    ) {
        let ssid = Ssid::new(name).unwrap();
        round_trip(Wan {
            addressing: Addressing::Static, address: address.into(), mask: mask.into(), gateway: address.into()
        })?;
        let mac = Mac::new(mac);
        let link = [ssid.as_bytes(), format!("({})", mac.compact()).as_bytes()].concat();
        let linked = LinkStatus::Connected { ssid: ssid.clone(), bssid: Some(mac) };
        prop_assert_eq!(LinkStatus::parse(&link), Some(linked));
        let socket = |role| SocketSettings { protocol: word.clone(), role, port: number, host: word.clone() };
        let wire = format!("{word},{word},{number},{word}");
        prop_assert_eq!(SocketSettings::parse(wire.as_bytes()), Some(socket(Some(word.clone()))));
        let wire = format!("{word},{number},{word}");
        prop_assert_eq!(SocketSettings::parse(wire.as_bytes()), Some(socket(None)));
        round_trip(WebLogin { user: word.clone(), password: word.clone().into() })?;
        prop_assert_eq!(<Mac as WireValue>::parse(mac.compact().as_bytes()), Some(mac));
        round_trip(ssid)?;
    }

    #[test]
    fn never_panics(raw: Vec<u8>) {
        let mut reply = b"+ok=".to_vec();
        reply.extend_from_slice(&raw);
        for raw in [raw, reply] {
            let _ = (Ver.parse(&raw), Wmode.parse(&raw), Wsssid.parse(&raw), Wskey.parse(&raw), Wslk.parse(&raw));
            let _ = (Wann.parse(&raw), Netp.parse(&raw), Sockb.parse(&raw), Webu.parse(&raw), Wscan.parse(&raw));
        }
    }
}
