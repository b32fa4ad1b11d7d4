//! `mains at --tcp`: the plug's own console.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::home::{Home, finish};
use crate::scripted::ScriptedPlug;

const PLUG: [u8; 4] = [127, 0, 0, 2];

/// Behind an answer: the plug hangs up.
const HANG_UP: u8 = 4;

/// A plug's TCP port that answers every read with the next of these, and tells what it has read.
fn tcp_plug(address: [u8; 4], answers: Vec<&'static [u8]>) -> Receiver<String> {
    let listener = TcpListener::bind((std::net::Ipv4Addr::from(address), 8899)).unwrap();
    let (heard, requests) = channel();
    std::thread::spawn(move || {
        let mut answers = answers.into_iter();
        while let Ok((mut stream, _)) = listener.accept() {
            let mut buffer = [0; 2048];
            while let Ok(length @ 1..) = stream.read(&mut buffer) {
                let _ = heard.send(buffer[..length].escape_ascii().to_string());
                let Some(answer) = answers.next() else { return };
                stream
                    .write_all(answer.strip_suffix(&[HANG_UP]).unwrap_or(answer))
                    .unwrap();
                if answer.ends_with(&[HANG_UP]) {
                    drop(stream);
                    let _ = heard.send("hung up".to_owned());
                    break;
                }
            }
        }
    });
    requests
}

#[test]
fn the_plugs_own_console_on_tcp() {
    let home = Home::with_network();
    let requests = tcp_plug(
        PLUG,
        vec![
            b"+ok=3,22694,5007,0,0,3548,0\r\n\r\n",
            b"+ok\r\n\r\n+error\r\n\r\n",
            b"+ERROR\r\n\r\n",
        ],
    );
    let words = [
        "at",
        "--tcp",
        "127.0.0.2",
        "YZOUT",
        "YZSWITCH=1,OFF,201704031153",
        "HELLO",
        "YZOUT",
    ];
    let json = home.json(&words).ends_with(5).json();
    assert_eq!(
        json[0],
        serde_json::json!({"command": "AT+YZOUT", "reply": "+ok=3,22694,5007,0,0,3548,0"})
    );
    // The second line lies.
    assert!(
        json[1].get("error").is_none() && json[1]["reply"].as_str().unwrap().starts_with("+ok"),
        "{json}"
    );
    assert_eq!(json[2]["error"]["kind"], "refused");
    assert_eq!(json.as_array().unwrap().len(), 3);
    let heard: Vec<String> = requests.try_iter().collect();
    assert_eq!(
        heard,
        [
            r"AT+YZOUT\r\n",
            r"AT+YZSWITCH=1,OFF,201704031153\r\n",
            r"AT+HELLO\r\n"
        ]
    );
}

#[test]
fn a_plug_that_hangs_up_between_two_commands_is_connected_again() {
    let home = Home::with_network();
    let requests = tcp_plug(PLUG, vec![b"+ok=1\r\n\r\n\x04", b"+ok=2\r\n\r\n", b"\x04"]);
    let mut child = home
        .command()
        .args(["--json", "at", "--tcp", "127.0.0.2"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for hangs_up in [true, false, true] {
        stdin.write_all(b"VER\n").unwrap();
        assert_eq!(
            requests.recv_timeout(Duration::from_secs(5)).unwrap(),
            r"AT+VER\r\n"
        );
        if hangs_up {
            let goodbye = requests.recv_timeout(Duration::from_secs(5)).unwrap();
            assert_eq!(goodbye, "hung up");
        }
        // The command may learn of it only now.
        std::thread::sleep(Duration::from_millis(100));
    }
    let json = finish(child.wait_with_output()).ends_with(4).json();
    assert_eq!(
        (json[0]["reply"].as_str(), json[1]["reply"].as_str()),
        (Some("+ok=1"), Some("+ok=2"))
    );
    // In the middle of a command it is told: the plug may have carried it out.
    assert_eq!(json[2]["error"]["kind"], "no_answer");
}

#[test]
fn silence_and_nonsense_on_tcp() {
    let home = Home::with_network();
    let silent = ScriptedPlug::start(PLUG, Box::new(|_, _| None), Some(Box::new(|_, _| None)));
    let json = home
        .json(&["at", "--tcp", &silent.target(), "YZOUT"])
        .ends_with(4)
        .json();
    assert_eq!(json[0]["error"]["kind"], "no_answer");
    let babbling = "x".repeat(100_000);
    let plug = ScriptedPlug::start(
        [127, 0, 0, 3],
        Box::new(|_, _| None),
        Some(Box::new(move |_, _| Some(babbling.clone()))),
    );
    let run = home
        .json(&["at", "--tcp", &plug.target(), "YZOUT"])
        .ends_with(6);
    assert!(run.stdout.len() < 70_000);
}
