use super::*;
use proptest::prelude::*;

fn ok(value: &str) -> Reply {
    Reply::Ok(Some(Value::new(value)))
}

#[test]
fn requests_on_the_wire() {
    assert_eq!(Request::null().emit(Terminator::Cr).as_slice(), b"AT+\r");
    assert_eq!(
        Request::query("MID").emit(Terminator::Lf).as_slice(),
        b"AT+MID\n"
    );
    assert_eq!(
        Request::query("LVER").emit(Terminator::Lf).as_slice(),
        b"AT+LVER\n"
    );
    assert_eq!(
        Request::set("WRMID", "NO_MODULE_ID")
            .emit(Terminator::Lf)
            .as_slice(),
        b"AT+WRMID=NO_MODULE_ID\n"
    );
    assert_eq!(
        Request::set("WMODE", "STA")
            .emit(Terminator::CrLf)
            .as_slice(),
        b"AT+WMODE=STA\r\n"
    );
    assert_eq!(
        Request::query("Z").emit(Terminator::None).as_slice(),
        b"AT+Z"
    );
}

#[test]
fn requests_as_a_module_reads_them() {
    assert_eq!(Request::parse(b"AT+\r"), Ok(Request::null()));
    assert_eq!(
        Request::parse(b"at+wmode=apsta\r\n"),
        Ok(Request::set("WMODE", "apsta"))
    );
    assert_eq!(Request::parse(b"AT+Z\nAT+RELD\n"), Ok(Request::query("Z")));
    assert_eq!(
        Request::parse(b"AT+WSSSID=a, b=c \0\0"),
        Ok(Request::set("WSSSID", "a, b=c "))
    );
    assert_eq!(
        Request::parse(b"AT+WSSSID="),
        Ok(Request::set("WSSSID", ""))
    );
    assert_eq!(Request::parse(b"+ok"), Err(ErrorCode::Format));
    assert_eq!(Request::parse(b""), Err(ErrorCode::Format));
    assert_eq!(Request::parse(b"AT+=1"), Err(ErrorCode::Format));
    assert_eq!(Request::parse(b"AT+\xff\r"), Err(ErrorCode::Verb));
}

#[test]
fn a_value_cannot_smuggle_a_second_line() {
    let request = Request::set("WSSSID", "home\rAT+RELD");
    assert_eq!(request.emit(Terminator::Cr).as_slice(), b"AT+WSSSID=home\r");
    assert_eq!(
        Request::query("Z\rAT+RELD").emit(Terminator::Cr).as_slice(),
        b"AT+ZAT+RELD\r"
    );
}

#[test]
fn published_replies() {
    assert_eq!(Reply::parse(b"+ok\r\n\r\n"), Reply::Ok(None));
    assert_eq!(
        Reply::parse(b"+ok=4.12.17 (2019-01-09 10:30 1M)\r\n\r\n"),
        ok("4.12.17 (2019-01-09 10:30 1M)")
    );
    assert_eq!(
        Reply::parse(b"+ok=08 (2015-04-28 16:57 16B)\r\n\r\n"),
        ok("08 (2015-04-28 16:57 16B)")
    );
    assert_eq!(Reply::parse(b"+ok=HF-LPB100\r\n\r\n"), ok("HF-LPB100"));
    assert_eq!(
        Reply::parse(b"+ok=TCP,Server,8899,10.10.100.254\r\n\r\n"),
        ok("TCP,Server,8899,10.10.100.254")
    );
    assert_eq!(
        Reply::parse(b"+ok=rebooting...\r\n\r\n"),
        ok("rebooting...")
    );
    assert_eq!(
        Reply::parse(b"+ERR=-3\r\n\r\n"),
        Reply::Error(ErrorCode::Operator)
    );
}

#[test]
fn published_deviations() {
    // ZengGe lamps: a single `\r`.
    assert_eq!(Reply::parse(b"+ok\r"), Reply::Ok(None));
    assert_eq!(
        Reply::parse(b"+ok=08_15_20210204_ZG-BL\r\n"),
        ok("08_15_20210204_ZG-BL")
    );
    assert_eq!(Reply::parse(b"+ok=AP"), ok("AP"));
    assert_eq!(Reply::parse(b"+ok=\r\n\r\n"), ok(""));
    assert_eq!(Reply::parse(b"+err=-1"), Reply::Error(ErrorCode::Format));
    assert_eq!(Reply::parse(b"+OK=STA\0\0\0\0"), ok("STA"));
    assert_eq!(Reply::parse(b"\n\r+ok\n\r"), Reply::Ok(None));
    assert_eq!(
        Reply::parse(b"Disconnected\r"),
        Reply::Unknown(Value::new("Disconnected"))
    );
    // The second line lies.
    assert_eq!(Reply::parse(b"+ok\r\n\r\n+error\r\n\r\n"), Reply::Ok(None));
    assert_eq!(
        Reply::parse(b"+ERROR\r\n\r\n"),
        Reply::Error(ErrorCode::Other(0))
    );
    // Serial echo.
    assert_eq!(Reply::parse(b"AT+E\n\r+ok\r\n\r\n"), Reply::Ok(None));
    assert_eq!(Reply::parse(b""), Reply::Unknown(Value::new("")));
}

#[test]
fn a_trailing_space_belongs_to_the_value() {
    assert_eq!(Reply::parse(b"+ok=my net \r\n\r\n"), ok("my net "));
}

#[test]
fn secrets_are_masked() {
    for (request, masked) in [
        (
            Request::set("WSKEY", "WPA2PSK,AES,a,b=c"),
            "AT+WSKEY=WPA2PSK,AES,***",
        ),
        (
            Request::set("WSKEY", "wpa2psk,aes,hunter22"),
            "AT+WSKEY=wpa2psk,aes,***",
        ),
        (Request::set("WSKEY", "OPEN,NONE"), "AT+WSKEY=OPEN,NONE"),
        (Request::set("WSKEY", "OPEN,NONE,"), "AT+WSKEY=OPEN,NONE,"),
        (Request::set("WSKEY", "hunter22"), "AT+WSKEY=***"),
        (
            Request::set("WAKEY", "WPA2PSK,AES,12345678"),
            "AT+WAKEY=WPA2PSK,AES,***",
        ),
        (Request::set("ASWD", "hunter22"), "AT+ASWD=***"),
        (Request::set("WEBU", "admin,hunter22"), "AT+WEBU=***"),
        (Request::set("WSSSID", "home"), "AT+WSSSID=home"),
    ] {
        assert_eq!(request.masked(), masked);
        assert_eq!(format!("{request:?}"), format!("Request({masked})"));
    }
    let reply = Reply::parse(b"+ok=WPA2PSK,AES,hunter22\r\n\r\n");
    assert!(!format!("{reply:?}").contains("hunter22"));
    assert_eq!(Reply::parse(b"+ok=hunter22\r\n").masked("aswd"), "+ok=***");
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
            Some(value) => Request::set(&verb, value),
            None => Request::query(&verb),
        };
        prop_assert_eq!(Request::parse(&request.emit(terminator)), Ok(request));
    }

    #[test]
    fn reply_round_trip(value in proptest::option::of("[^\r\n\0]{0,60}"), number in -9..9i32) {
        let reply = Reply::Ok(value.map(Value::new));
        prop_assert_eq!(Reply::parse(&reply.emit()), reply);
        let refusal = Reply::Error(ErrorCode::from_number(number));
        prop_assert_eq!(Reply::parse(&refusal.emit()), refusal);
    }

    #[test]
    fn never_panics(bytes: Vec<u8>, verb: String) {
        if let Ok(request) = Request::parse(&bytes) {
            let _ = request.masked();
        }
        let _ = Reply::parse(&bytes).masked(&verb);
    }
}
