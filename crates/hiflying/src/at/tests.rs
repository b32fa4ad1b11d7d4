use super::*;
use proptest::prelude::*;

fn ok(value: &str) -> AtReply {
    AtReply::Ok(Some(AtValue::new(value)))
}

#[test]
fn requests_on_the_wire() {
    assert_eq!(AtRequest::null().emit(Terminator::Cr).as_slice(), b"AT+\r");
    assert_eq!(
        AtRequest::query("MID").emit(Terminator::Lf).as_slice(),
        b"AT+MID\n"
    );
    assert_eq!(
        AtRequest::query("LVER").emit(Terminator::Lf).as_slice(),
        b"AT+LVER\n"
    );
    assert_eq!(
        AtRequest::set("WRMID", "NO_MODULE_ID")
            .emit(Terminator::Lf)
            .as_slice(),
        b"AT+WRMID=NO_MODULE_ID\n"
    );
    assert_eq!(
        AtRequest::set("WMODE", "STA")
            .emit(Terminator::CrLf)
            .as_slice(),
        b"AT+WMODE=STA\r\n"
    );
    assert_eq!(
        AtRequest::query("Z").emit(Terminator::None).as_slice(),
        b"AT+Z"
    );
}

#[test]
fn a_value_cannot_smuggle_a_second_line() {
    let request = AtRequest::set("WSSSID", "home\rAT+RELD");
    assert_eq!(request.emit(Terminator::Cr).as_slice(), b"AT+WSSSID=home\r");
    assert_eq!(
        AtRequest::query("Z\rAT+RELD")
            .emit(Terminator::Cr)
            .as_slice(),
        b"AT+ZAT+RELD\r"
    );
}

#[test]
fn published_replies() {
    assert_eq!(AtReply::parse(b"+ok\r\n\r\n"), AtReply::Ok(None));
    assert_eq!(
        AtReply::parse(b"+ok=4.12.17 (2019-01-09 10:30 1M)\r\n\r\n"),
        ok("4.12.17 (2019-01-09 10:30 1M)")
    );
    assert_eq!(
        AtReply::parse(b"+ok=08 (2015-04-28 16:57 16B)\r\n\r\n"),
        ok("08 (2015-04-28 16:57 16B)")
    );
    assert_eq!(AtReply::parse(b"+ok=HF-LPB100\r\n\r\n"), ok("HF-LPB100"));
    assert_eq!(
        AtReply::parse(b"+ok=TCP,Server,8899,10.10.100.254\r\n\r\n"),
        ok("TCP,Server,8899,10.10.100.254")
    );
    assert_eq!(
        AtReply::parse(b"+ok=rebooting...\r\n\r\n"),
        ok("rebooting...")
    );
    assert_eq!(
        AtReply::parse(b"+ERR=-3\r\n\r\n"),
        AtReply::Error(ErrorCode::Operator)
    );
}

#[test]
fn published_deviations() {
    // ZengGe lamps: a single `\r`.
    assert_eq!(AtReply::parse(b"+ok\r"), AtReply::Ok(None));
    assert_eq!(
        AtReply::parse(b"+ok=08_15_20210204_ZG-BL\r\n"),
        ok("08_15_20210204_ZG-BL")
    );
    assert_eq!(AtReply::parse(b"+ok=AP"), ok("AP"));
    assert_eq!(AtReply::parse(b"+ok=\r\n\r\n"), ok(""));
    assert_eq!(
        AtReply::parse(b"+err=-1"),
        AtReply::Error(ErrorCode::Format)
    );
    assert_eq!(AtReply::parse(b"+OK=STA\0\0\0\0"), ok("STA"));
    assert_eq!(AtReply::parse(b"\n\r+ok\n\r"), AtReply::Ok(None));
    assert_eq!(
        AtReply::parse(b"Disconnected\r"),
        AtReply::Unknown(AtValue::new("Disconnected"))
    );
    // The second line lies.
    assert_eq!(
        AtReply::parse(b"+ok\r\n\r\n+error\r\n\r\n"),
        AtReply::Ok(None)
    );
    assert_eq!(
        AtReply::parse(b"+ERROR\r\n\r\n"),
        AtReply::Error(ErrorCode::Other(0))
    );
    // Serial echo.
    assert_eq!(AtReply::parse(b"AT+E\n\r+ok\r\n\r\n"), AtReply::Ok(None));
    // Greeting of the firmware.
    for before in [
        "AT+YZCMPVER=MW3_16U\r\n\r\n",
        "welcome\r\n",
        "AT+E\r\nhello\n\r",
    ] {
        let reply = |text: &str| AtReply::parse(format!("{before}{text}\r\n\r\n").as_bytes());
        assert_eq!(reply("+ok=STA"), ok("STA"), "{before}");
        assert_eq!(reply("+ERR=-4"), AtReply::Error(ErrorCode::Parameter));
    }
    assert_eq!(AtReply::parse(b""), AtReply::Unknown(AtValue::new("")));
}

#[test]
fn a_trailing_space_belongs_to_the_value() {
    assert_eq!(AtReply::parse(b"+ok=my net \r\n\r\n"), ok("my net "));
}

#[test]
fn secrets_are_masked() {
    for (request, masked) in [
        (
            AtRequest::set("WSKEY", "WPA2PSK,AES,a,b=c"),
            "AT+WSKEY=WPA2PSK,AES,***",
        ),
        (
            AtRequest::set("WSKEY", "wpa2psk,aes,hunter22"),
            "AT+WSKEY=wpa2psk,aes,***",
        ),
        (AtRequest::set("WSKEY", "OPEN,NONE"), "AT+WSKEY=OPEN,NONE"),
        (AtRequest::set("WSKEY", "OPEN,NONE,"), "AT+WSKEY=OPEN,NONE,"),
        (AtRequest::set("WSKEY", "hunter22"), "AT+WSKEY=***"),
        (
            AtRequest::set("WAKEY", "WPA2PSK,AES,12345678"),
            "AT+WAKEY=WPA2PSK,AES,***",
        ),
        (AtRequest::set("ASWD", "hunter22"), "AT+ASWD=***"),
        (AtRequest::set("WEBU", "admin,hunter22"), "AT+WEBU=***"),
        (AtRequest::set("WSSSID", "home"), "AT+WSSSID=home"),
    ] {
        assert_eq!(request.masked(), masked);
        assert_eq!(format!("{request:?}"), format!("AtRequest({masked})"));
    }
    let reply = AtReply::parse(b"+ok=WPA2PSK,AES,hunter22\r\n\r\n");
    assert!(!format!("{reply:?}").contains("hunter22"));
    assert_eq!(
        AtReply::parse(b"+ok=hunter22\r\n").masked("aswd"),
        "+ok=***"
    );
}

#[test]
fn error_codes() {
    for number in -7..=7 {
        assert_eq!(ErrorCode::from_number(number).number(), number);
    }
}

proptest! {
    #[test]
    fn any_request(
        verb in "[A-Z]{1,8}",
        value in proptest::option::of("[^\r\n\0]{0,80}"),
        terminator in prop_oneof![
            Just(Terminator::Cr), Just(Terminator::Lf), Just(Terminator::CrLf), Just(Terminator::None)
        ],
    ) {
        let end = String::from_utf8_lossy(terminator.as_bytes());
        let (request, line) = match value {
            Some(value) => (AtRequest::set(&verb, &value), format!("AT+{verb}={value}{end}")),
            None => (AtRequest::query(&verb), format!("AT+{verb}{end}")),
        };
        let emitted = request.emit(terminator);
        prop_assert_eq!(emitted.as_slice(), line.as_bytes());
    }

    #[test]
    fn any_reply(value in proptest::option::of("[^\r\n\0]{0,60}"), number in -9..9i32) {
        let raw = value.as_ref().map_or("+ok\r\n\r\n".to_owned(), |value| format!("+ok={value}\r\n\r\n"));
        prop_assert_eq!(AtReply::parse(raw.as_bytes()), AtReply::Ok(value.map(AtValue::new)));
        let refusal = format!("+ERR={number}\r\n\r\n");
        prop_assert_eq!(AtReply::parse(refusal.as_bytes()), AtReply::Error(ErrorCode::from_number(number)));
    }

    #[test]
    fn never_panics(bytes: Vec<u8>, verb: String) {
        let _ = AtRequest::set(&verb, &bytes).masked();
        let _ = AtReply::parse(&bytes).masked(&verb);
    }
}

#[test]
fn a_prompt_before_the_reply_is_ignored() {
    for prompt in [&b"> "[..], b"login: ", b"\xff\xfd\x03"] {
        let reply = |text: &[u8]| AtReply::parse(&[prompt, text, b"\r\n\r\n"].concat());
        assert_eq!(reply(b"+ok"), AtReply::Ok(None));
        assert_eq!(reply(b"+ok=STA"), AtReply::Ok(Some(AtValue::new("STA"))));
        assert!(matches!(reply(b"+ERR=-1"), AtReply::Error(_)));
    }
    // The echo of a value that looks like a reply is none.
    let echo = AtReply::parse(b"AT+WSSSID=my+ok=net\r\n");
    assert!(matches!(echo, AtReply::Unknown(_)), "{echo:?}");
}
