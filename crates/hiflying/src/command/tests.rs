use std::fmt::Debug;

use proptest::prelude::*;

use super::*;
use crate::settings::Addressing;
use crate::verb::{self, VERBS};
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
fn every_question_of_the_reference() {
    let mac = "ACCF23E11F33".parse().unwrap();
    let key = |key: &str| Some(WifiKey::new(key));
    let socket = |role: Option<&str>, port, host: &str| Socket {
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
    asks(
        &Lver,
        "AT+LVER",
        "+ok=08 (2015-04-28 16:57 16B)",
        &text("08 (2015-04-28 16:57 16B)"),
    );
    asks(&Mid, "AT+MID", "+ok=HF-LPB100", &text("HF-LPB100"));
    asks(&Wsmac, "AT+WSMAC", "+ok=ACCF23E11F33", &mac);
    asks(&Wamac, "AT+WAMAC", "+ok=ACCF23E11F33", &mac);
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
    asks(
        &Wslq,
        "AT+WSLQ",
        "+ok=Disconnected",
        &LinkQuality::Disconnected,
    );
    asks(&Wslq, "AT+WSLQ", "+ok=76", &LinkQuality::Level(76));
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
    asks(
        &Lann,
        "AT+LANN",
        "+ok=10.10.100.254,255.255.255.0",
        &Lan {
            address: ip("10.10.100.254"),
            mask: ip("255.255.255.0"),
        },
    );
    asks(
        &Wadhcp,
        "AT+WADHCP",
        "+ok=on",
        &DhcpServer {
            state: OnOff::On,
            pool: None,
        },
    );
    asks(
        &Wadhcp,
        "AT+WADHCP",
        "+ok=on,150,200",
        &DhcpServer {
            state: OnOff::On,
            pool: Some((150, 200)),
        },
    );
    let access_point = AccessPoint {
        standard: text("11BGN"),
        ssid: Ssid::new("AP_1,2").unwrap(),
        channel: text("CH1"),
    };
    asks(&Wap, "AT+WAP", "+ok=11BGN,AP_1,2,CH1", &access_point);
    let access_key = Credentials {
        auth: Auth::Wpa2Psk,
        cipher: Cipher::Aes,
        key: key("12345678"),
    };
    asks(&Wakey, "AT+WAKEY", "+ok=WPA2PSK,AES,12345678", &access_key);
    asks(&Wakey, "AT+WAKEY", "+ok=OPEN,NONE,", &Credentials::open());
    asks(&Wsdns, "AT+WSDNS", "+ok=8.8.8.8", &ip("8.8.8.8"));
    asks(
        &Netp,
        "AT+NETP",
        "+ok=TCP,Server,8899,10.10.100.254",
        &socket(Some("Server"), 8899, "10.10.100.254"),
    );
    asks(&Tcplk, "AT+TCPLK", "+ok=on", &OnOff::On);
    asks(&Tcpto, "AT+TCPTO", "+ok=300", &300);
    asks(&Tcpdis, "AT+TCPDIS", "+ok=off", &OnOff::Off);
    asks(&Maxsk, "AT+MAXSK", "+ok=5", &5);
    asks(
        &Sockb,
        "AT+SOCKB",
        "+ok=TCP,8816,cloud.example",
        &Some(socket(None, 8816, "cloud.example")),
    );
    asks(&Sockb, "AT+SOCKB", "+ok=", &None);
    asks(
        &Tmode,
        "AT+TMODE",
        "+ok=throughput",
        &TransferMode::Throughput,
    );
    let uart = |baud| Uart {
        baud,
        data_bits: 8,
        stop_bits: 1,
        parity: text("None"),
        flow: text("NFC"),
    };
    asks(&UartLine, "AT+UART", "+ok=9600,8,1,None,NFC", &uart(9600));
    asks(
        &UartLine,
        "AT+UART",
        "+ok=115200,8,1,None,NFC",
        &uart(115_200),
    );
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
    asks(&Webver, "AT+WEBVER", "+ok=V1.0.24", &text("V1.0.24"));
    asks(&Plang, "AT+PLANG", "+ok=CN", &Language::Chinese);
    asks(&Ephy, "AT+EPHY", "+ok=off", &OnOff::Off);
    asks(&Fapsta, "AT+FAPSTA", "+ok=on", &OnOff::On);
    asks(&Cfgrd, "AT+CFGRD", "+ok=x", &text("x"));
    asks(
        &Help,
        "AT+H",
        "+ok=\r\nAT+VER\r\nAT+Z",
        &vec![text("AT+VER"), text("AT+Z")],
    );
}

#[test]
fn every_order_of_the_reference() {
    let done = &();
    asks(&Null, "AT+", "+ok", done);
    asks(&ToggleEcho, "AT+E", "+ok", done);
    asks(&SetEcho(OnOff::Off), "AT+E=off", "+ok", done);
    asks(
        &SetWrmid(text("NO_MODULE_ID")),
        "AT+WRMID=NO_MODULE_ID",
        "+ok",
        done,
    );
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
    let lan = Lan {
        address: ip("10.10.100.254"),
        mask: ip("255.255.255.0"),
    };
    asks(
        &SetLann(lan),
        "AT+LANN=10.10.100.254,255.255.255.0",
        "+ok",
        done,
    );
    let server = DhcpServer {
        state: OnOff::On,
        pool: Some((150, 200)),
    };
    asks(&SetWadhcp(server), "AT+WADHCP=on,150,200", "+ok", done);
    let access_point = AccessPoint {
        standard: text("11BGN"),
        ssid: Ssid::new("x").unwrap(),
        channel: text("AUTO"),
    };
    asks(&SetWap(access_point), "AT+WAP=11BGN,x,AUTO", "+ok", done);
    asks(
        &SetWakey(Credentials::open()),
        "AT+WAKEY=OPEN,NONE",
        "+ok",
        done,
    );
    asks(&SetWsdns(ip("9.9.9.9")), "AT+WSDNS=9.9.9.9", "+ok", done);
    asks(&SetTcpto(600), "AT+TCPTO=600", "+ok", done);
    asks(&SetTcpdis(OnOff::Off), "AT+TCPDIS=off", "+ok", done);
    asks(&SetMaxsk(5), "AT+MAXSK=5", "+ok", done);
    asks(&SetSockb(text("NONE")), "AT+SOCKB=NONE", "+ok", done);
    asks(
        &SetTmode(TransferMode::Command),
        "AT+TMODE=cmd",
        "+ok",
        done,
    );
    let uart = Uart {
        baud: 9600,
        data_bits: 8,
        stop_bits: 1,
        parity: text("None"),
        flow: text("NFC"),
    };
    asks(&SetUart(uart), "AT+UART=9600,8,1,None,NFC", "+ok", done);
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
    asks(&SetPlang(Language::English), "AT+PLANG=EN", "+ok", done);
    asks(&SetEphy(OnOff::Off), "AT+EPHY=off", "+ok", done);
    asks(&SetFapsta(OnOff::On), "AT+FAPSTA=on", "+ok", done);
    asks(&Entm, "AT+ENTM", "+ok", done);
    asks(&Smtlk, "AT+SMTLK", "+ok", done);
    asks(&Cfgtf, "AT+CFGTF", "+ok", done);
    asks(&Fclr, "AT+FCLR", "+ok", done);
    asks(
        &Upurl(text("http://x/y")),
        "AT+UPURL=http://x/y",
        "+ok",
        done,
    );
    asks(&Reld, "AT+RELD", "+ok=rebooting...", done);
    asks(&Restart, "AT+Z", "+ok", done);
    asks(&KeepAlive, "AT+W", "+ok", done);
    asks(&Quit, "AT+Q", "+ok", done);
}

#[test]
fn silence_is_success_where_modules_are_silent() {
    assert_eq!(Restart.parse(b""), Ok(()));
    assert_eq!(Quit.parse(b"\r\n"), Ok(()));
    assert!(Null.parse(b"").is_err());
}

#[test]
fn answers_that_make_no_sense() {
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

fn round_trip<T: WireValue + Debug + PartialEq>(value: T) -> Result<(), TestCaseError> {
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
        round_trip(Lan { address: address.into(), mask: mask.into() })?;
        round_trip(Wan {
            addressing: Addressing::Static, address: address.into(), mask: mask.into(), gateway: address.into()
        })?;
        round_trip(LinkStatus::Connected { ssid: ssid.clone(), bssid: Some(Mac::new(mac)) })?;
        round_trip(AccessPoint { standard: word.clone(), ssid: ssid.clone(), channel: word.clone() })?;
        round_trip(Socket { protocol: word.clone(), role: Some(word.clone()), port: number, host: word.clone() })?;
        round_trip(Socket { protocol: word.clone(), role: None, port: number, host: word.clone() })?;
        round_trip(Uart { baud: number.into(), data_bits: 8, stop_bits: 1, parity: word.clone(), flow: word.clone() })?;
        round_trip(WebLogin { user: word.clone(), password: word.clone().into() })?;
        round_trip(Mac::new(mac))?;
        round_trip(ssid)?;
        round_trip(number)?;
        round_trip(LinkQuality::Level(number.into()))?;
    }

    #[test]
    fn never_panics(raw: Vec<u8>) {
        let _ = (Wmode.parse(&raw), Wsssid.parse(&raw), Wskey.parse(&raw), Wslk.parse(&raw), Wslq.parse(&raw));
        let _ = (Wann.parse(&raw), Lann.parse(&raw), Wadhcp.parse(&raw), Wap.parse(&raw), Netp.parse(&raw));
        let _ = (UartLine.parse(&raw), Webu.parse(&raw), Help.parse(&raw), Wscan.parse(&raw), Restart.parse(&raw));
        let mut reply = b"+ok=".to_vec();
        reply.extend_from_slice(&raw);
        let _ = (Wmode.parse(&reply), Wsssid.parse(&reply), Wskey.parse(&reply), Wslk.parse(&reply));
        let _ = (Wann.parse(&reply), Lann.parse(&reply), Wadhcp.parse(&reply), Wap.parse(&reply), Netp.parse(&reply));
        let _ = (UartLine.parse(&reply), Webu.parse(&reply), Help.parse(&reply), Wscan.parse(&reply));
    }
}

#[test]
fn no_verb_without_a_typed_command() {
    let source = include_str!("../command.rs");
    for info in VERBS {
        assert!(
            source.contains(&format!("\"{}\"", info.name)),
            "AT+{} has no typed command",
            info.name
        );
    }
}
