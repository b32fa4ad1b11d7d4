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
fn requests_as_a_module_reads_them() {
    assert_eq!(AtRequest::parse(b"AT+\r"), Ok(AtRequest::null()));
    assert_eq!(
        AtRequest::parse(b"at+wmode=apsta\r\n"),
        Ok(AtRequest::set("WMODE", "apsta"))
    );
    assert_eq!(
        AtRequest::parse(b"AT+Z\nAT+RELD\n"),
        Ok(AtRequest::query("Z"))
    );
    assert_eq!(
        AtRequest::parse(b"AT+WSSSID=a, b=c \0\0"),
        Ok(AtRequest::set("WSSSID", "a, b=c "))
    );
    assert_eq!(
        AtRequest::parse(b"AT+WSSSID="),
        Ok(AtRequest::set("WSSSID", ""))
    );
    assert_eq!(AtRequest::parse(b"+ok"), Err(ErrorCode::Format));
    assert_eq!(AtRequest::parse(b""), Err(ErrorCode::Format));
    assert_eq!(AtRequest::parse(b"AT+=1"), Err(ErrorCode::Format));
    assert_eq!(AtRequest::parse(b"AT+\xff\r"), Err(ErrorCode::Verb));
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
    fn request_round_trip(
        verb in "[A-Z]{1,8}",
        value in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..80)),
        terminator in prop_oneof![
            Just(Terminator::Cr), Just(Terminator::Lf), Just(Terminator::CrLf), Just(Terminator::None)
        ],
    ) {
        let request = match value {
            Some(value) => AtRequest::set(&verb, value),
            None => AtRequest::query(&verb),
        };
        prop_assert_eq!(AtRequest::parse(&request.emit(terminator)), Ok(request));
    }

    #[test]
    fn reply_round_trip(value in proptest::option::of("[^\r\n\0]{0,60}"), number in -9..9i32) {
        let reply = AtReply::Ok(value.map(AtValue::new));
        prop_assert_eq!(AtReply::parse(&reply.emit()), reply);
        let refusal = AtReply::Error(ErrorCode::from_number(number));
        prop_assert_eq!(AtReply::parse(&refusal.emit()), refusal);
    }

    #[test]
    fn never_panics(bytes: Vec<u8>, verb: String) {
        if let Ok(request) = AtRequest::parse(&bytes) {
            let _ = request.masked();
        }
        let _ = AtReply::parse(&bytes).masked(&verb);
    }
}
