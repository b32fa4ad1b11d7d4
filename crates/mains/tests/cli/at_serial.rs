//! `mains at --serial` on a pseudo-terminal, whose other end is a module played by hand.

use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::home::{Home, finish};
use crate::serial_line::{SerialLine, SerialModule};

#[test]
fn a_session_byte_by_byte() {
    let line = SerialLine::with(|module| {
        module.grant_escape();
        module.expect(b"AT+MID\r");
        module.say(b"AT+MID\n\r+ok=HF-LPB100\r\n\r\n");
        module.expect(b"AT+NOPE\r");
        module.say(b"AT+NOPE\n\r+ERR=-2\r\n\r\n");
        module.let_go();
    });
    let home = Home::new();
    let json = home
        .json(&["at", "--serial", &line.name, "MID", "AT+NOPE", "Z"])
        .ends_with(5)
        .json();
    assert_eq!(
        json[0],
        serde_json::json!({"command": "AT+MID", "reply": "+ok=HF-LPB100"})
    );
    assert_eq!(
        (&json[1]["reply"], &json[1]["error"]["kind"]),
        (&"+ERR=-2".into(), &"refused".into())
    );
    assert_eq!(json.as_array().unwrap().len(), 2);
    line.end();
}

#[test]
fn a_header_without_escape_is_a_plain_console_and_says_so() {
    let line = SerialLine::with(|module| {
        module.expect(b"+++");
        module.say(b"+ERROR\r\n\r\n");
        module.expect(b"AT+YZOUT\r\n");
        module.say(b"+ok=3,22694,5007,0,0,3548,0\r\n\r\n");
        module.expect(b"AT+ENTM\r");
        module.say(b"+ERROR\r\n\r\n");
    });
    let home = Home::new();
    let run = home
        .run(&["at", "--serial", &line.name, "YZOUT"])
        .ends_with(0);
    assert_eq!(run.stdout, "+ok=3,22694,5007,0,0,3548,0\n");
    assert!(run.stderr.contains("plug's own console"), "{run:?}");
    line.end();
}

#[test]
fn a_silent_device_is_no_answer() {
    let line = SerialLine::with(|module| {
        module.expect(b"+++");
        module.expect(b"+++");
        module.expect(b"AT+VER\r\n");
        module.expect(b"AT+ENTM\r");
    });
    let home = Home::new();
    let run = home
        .json(&["at", "--serial", &line.name, "MID"])
        .ends_with(4);
    assert_eq!(run.error_kind(), "no_answer");
    line.end();
}

#[test]
fn what_is_no_serial_port_is_local() {
    let home = Home::new();
    let file = home.write("file", "");
    for (device, words) in [
        ("/dev/there-is-no-such-port", "no serial port"),
        ("/dev/null", "is not a serial port"),
        (file.to_str().unwrap(), "is not a serial port"),
        ("/tmp", "is not a serial port"),
    ] {
        let run = home.json(&["at", "--serial", device, "MID"]).ends_with(7);
        assert_eq!(run.error_kind(), "local");
        assert!(
            run.stdout.contains(words) && run.stdout.contains(device),
            "{run:?}"
        );
    }
}

#[test]
fn an_adapter_that_is_pulled_out_is_local() {
    let line = SerialLine::with(|module| {
        module.grant_escape();
        module.expect(b"AT+MID\r");
        module.unplug();
    });
    let home = Home::new();
    let json = home
        .json(&["at", "--serial", &line.name, "MID"])
        .ends_with(7)
        .json();
    assert_eq!(json[0]["error"]["kind"], "local");
    assert!(
        json[0]["error"]["message"]
            .as_str()
            .unwrap()
            .contains(&line.name),
        "{json}"
    );
    line.end();
}

#[test]
fn signals_and_the_clock_leave_command_mode() {
    let hung = |module: &mut SerialModule| {
        module.grant_escape();
        module.expect(b"AT+WSCAN\r");
        module.let_go();
    };
    let home = Home::new();
    let line = SerialLine::with(hung);
    let run = home
        .json(&["--timeout", "2s", "at", "--serial", &line.name, "WSCAN"])
        .ends_with(4);
    assert_eq!(run.json()[0]["error"]["kind"], "no_answer");
    line.end();

    let (asked, is_asked) = std::sync::mpsc::channel();
    let line = SerialLine::with(move |module| {
        module.grant_escape();
        module.expect(b"AT+WSCAN\r");
        asked.send(()).unwrap();
        module.let_go();
    });
    let child = home
        .command()
        .args(["at", "--serial", &line.name, "WSCAN"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    is_asked.recv().unwrap();
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    finish(child.wait_with_output()).ends_with(1);
    line.end();
}
