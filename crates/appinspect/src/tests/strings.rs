use super::*;
use crate::runs::PrintableRuns;
use crate::text::{TextKind, classify};

fn found(text: &str, kind: TextKind) -> Vec<(FindingKind, String)> {
    let mut all = Vec::new();
    classify(text, kind, &known(), &mut |kind, value| {
        all.push((kind, value.to_owned()));
    });
    all
}

fn of_constant(text: &str) -> Vec<(FindingKind, String)> {
    found(text, TextKind::Constant)
}

/// The commands and words that the origin lists of the app of the SP-2.
#[test]
fn what_the_sp2_app_contains() {
    for command in [
        "AT+YZSWITCH=1,ON,201410292146\r\n",
        "AT+YZDELAY=1,OFF,5,201410292146\r\n",
        "AT+YZOUT\r\n",
        "AT+VER\r\n",
        "AT+EPHY=off\n",
        "AT+PING=\n",
        "AT+Q\n",
        "AT+WMODE=APSTA\n",
        "AT+WSKEY=OPEN,NONE\n",
        "AT+WSSSID=",
        "AT+Z\n",
        "AT+",
        "at+wmode=sta",
    ] {
        assert_eq!(
            of_constant(command),
            [(FindingKind::AtCommand, command.trim_end().to_owned())]
        );
    }
    for word in [
        "HF-A11ASSISTHREAD",
        "WIFIKIT-214028-READ",
        "YZ-RECOSCAN",
        "www.usr.cn",
        "NEW-DEVICESCAN",
    ] {
        assert_eq!(
            of_constant(word),
            [(FindingKind::DiscoveryWord, word.to_owned())]
        );
    }
    assert_eq!(
        of_constant("48899"),
        [(FindingKind::Port, "48899".to_owned())]
    );
}

#[test]
fn addresses_hosts_and_urls() {
    use FindingKind::{Address, Host, Port, Url};
    for (text, expected) in [
        ("10.10.100.254", vec![(Address, "10.10.100.254")]),
        ("192.168.1.", vec![(Address, "192.168.1.")]),
        ("255.255.255.255", vec![(Address, "255.255.255.255")]),
        ("api.reco4life.com", vec![(Host, "api.reco4life.com")]),
        (
            "mqtt.example.cn:1883",
            vec![(Host, "mqtt.example.cn"), (Port, "1883")],
        ),
        (
            "10.0.0.200:8899",
            vec![(Address, "10.0.0.200"), (Port, "8899")],
        ),
        (
            "http://www.reco4life.com/wiki.",
            vec![(Url, "http://www.reco4life.com/wiki")],
        ),
        (
            "see https://x.example.org:8443/a?b=c, or not",
            vec![(Url, "https://x.example.org:8443/a?b=c"), (Port, "8443")],
        ),
        (
            "tcp://%s:17000",
            vec![(Url, "tcp://%s:17000"), (Port, "17000")],
        ),
    ] {
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(kind, value)| (kind, value.to_owned()))
            .collect();
        assert_eq!(of_constant(text), expected, "{text}");
    }
}

#[test]
fn what_only_looks_like_it() {
    for text in [
        "",
        "a",
        "AT",
        "FORMAT+X",
        "STAT+1",
        "1.2.3.4",
        "2.5.4.3",
        "255.255.255.0",
        "0.0.0.0",
        "com.example.plug",
        "java.net",
        "classes.dex",
        "index.html",
        "://",
        "http://",
        "what://x.y",
        "3.14",
        "1234",
        "8080",
        "256.1.1.1",
        "-.com",
        "ADMIN",
    ] {
        assert_eq!(of_constant(text), [], "{text}");
    }
    // In bytes of any kind, three letters are no command.
    for text in ["xAT+Zq", "AT+k3", "AT+ZZq!", "AT+", "window.top = self.top"] {
        assert_eq!(found(text, TextKind::Run), [], "{text}");
    }
}

#[test]
fn runs_are_found_across_pieces_and_in_utf16() {
    let wide: Vec<u8> = "AT+WIDE".bytes().flat_map(|byte| [byte, 0]).collect();
    let bytes = [b"\0\x01AT+ONE\0".as_slice(), &[0xff], &wide, b"\xffAT+TWO"].concat();
    for size in 1..bytes.len() {
        let (mut runs, mut all) = (PrintableRuns::default(), Vec::new());
        let mut found = |text: &str| all.push(text.to_owned());
        for piece in bytes.chunks(size) {
            runs.feed(piece, &mut found);
        }
        runs.end(&mut found);
        assert_eq!(all, ["AT+ONE", "AT+WIDE", "AT+TWO"], "{size}");
    }
}

#[test]
fn a_run_that_is_too_long_keeps_what_stands_across_a_cut() {
    let mut bytes = vec![b'x'; limits::MAX_STRING - 5];
    bytes.extend_from_slice(b" AT+ACROSS=1 ");
    bytes.extend(std::iter::repeat_n(b'y', limits::MAX_STRING * 3));
    let report = look(&archive(&[("a.txt", &bytes)]), "a.jar").unwrap();
    assert_eq!(values(&report, FindingKind::AtCommand).len(), 1);
    assert!(values(&report, FindingKind::AtCommand)[0].starts_with("AT+ACROSS=1"));
}

proptest! {
    #[test]
    fn no_text_panics(text in ".{0,200}") {
        found(&text, TextKind::Constant);
        found(&text, TextKind::Run);
    }

    #[test]
    fn no_mixture_panics(parts in prop::collection::vec(prop_oneof!["AT\\+", "://", "http", "[.:,;\" =]", "[0-9]{1,3}", ".", "é"], 0..40)) {
        let text = parts.concat();
        found(&text, TextKind::Constant);
        found(&text, TextKind::Run);
    }
}
