//! `record` and `replay`.

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};
use serde_json::Value;

use crate::home::{Home, finish};
use crate::needs;

const RELAY: &str = "127.0.0.3";

/// Starts `mains record` for the twin at 127.0.0.2.
fn record(home: &mut Home, out: &str, packets: &str) {
    let words = [
        "record",
        "--plug",
        "127.0.0.2",
        "--listen",
        RELAY,
        "--out",
        out,
        "--pcapng",
        packets,
    ];
    assert_eq!(home.start(&words, 1), ["ready 127.0.0.3 127.0.0.2"]);
}

fn lines(home: &Home, name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(home.path(name)).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn texts(lines: &[Value]) -> Vec<(String, String, String)> {
    let word = |line: &Value, field: &str| line[field].as_str().unwrap_or_default().to_owned();
    lines
        .iter()
        .map(|line| {
            (
                word(line, "transport"),
                word(line, "direction"),
                word(line, "text"),
            )
        })
        .collect()
}

fn path(home: &Home, name: &str) -> String {
    home.path(name).to_str().unwrap().to_owned()
}

#[test]
fn a_client_uses_the_plug_through_the_relay_and_then_its_recording() {
    let mut home = Home::with_network();
    let mac = home.emulate(
        &[
            "--mac",
            "ACCF23123456",
            "--serial",
            "900000621",
            "--load",
            "60W",
        ],
        1,
    )[0]
    .split(' ')
    .nth(2)
    .unwrap()
    .to_owned();
    let (out, packets) = (path(&home, "sp2.jsonl"), path(&home, "sp2.pcapng"));
    std::fs::write(&out, "").unwrap();
    record(&mut home, &out, &packets);
    // Every kind of use, with the relay as the address of the plug.
    for words in [
        ["on", RELAY],
        ["meter", RELAY],
        ["off", RELAY],
        ["status", RELAY],
        ["version", RELAY],
    ] {
        home.run(&words).ends_with(0);
    }
    let status = home.json(&["status", RELAY]).ends_with(0).json();
    assert_eq!(
        (status[0]["mac"].as_str(), status[0]["address"].as_str()),
        (Some(mac.as_str()), Some(RELAY))
    );
    home.run(&["at", "--udp", RELAY, "WSKEY", "MID"])
        .ends_with(0);
    let found = home.json(&["discover", "--wait", "3s"]).ends_with(0).json();
    assert!(found.to_string().contains(&mac), "{found}");
    home.end_emulators();

    for file in [&out, &packets] {
        assert_eq!(
            std::fs::metadata(file).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
    let lines = lines(&home, "sp2.jsonl");
    for line in &lines {
        let fields: Vec<&String> = line.as_object().unwrap().keys().collect();
        assert_eq!(
            fields,
            ["at", "direction", "hex", "peer", "text", "transport"]
        );
    }
    let texts = texts(&lines);
    let has = |transport: &str, direction: &str, start: &str| {
        texts
            .iter()
            .any(|(a, b, text)| a == transport && b == direction && text.starts_with(start))
    };
    assert!(has("udp", "to_plug", "YZ-RECOSCAN"), "{texts:?}");
    // The plug's own words: its own address.
    assert!(
        has("udp", "from_plug", "127.0.0.2,ACCF23123456,900000621,0,1,"),
        "{texts:?}"
    );
    assert!(has("tcp", "to_plug", "AT+YZSWITCH=1,ON,"), "{texts:?}");
    assert!(has("tcp", "from_plug", "+ok\r\n\r\n"), "{texts:?}");
    assert!(has("udp", "to_plug", "AT+WSKEY"), "{texts:?}");

    // Now the recording is the plug.
    assert_eq!(
        home.start(&["replay", &out], 1),
        [format!("ready 127.0.0.2 {mac}")]
    );
    for (verb, relay) in [("on", "on"), ("off", "off"), ("on", "on")] {
        home.run(&[verb, "127.0.0.2"]).ends_with(0);
        let status = home.json(&["status", "127.0.0.2"]).ends_with(0).json();
        assert_eq!(status[0]["relay"], relay);
    }
    let reading = home.json(&["meter", "127.0.0.2"]).ends_with(0).json();
    assert!(
        reading[0]["voltage_v"].as_f64().unwrap() > 200.0,
        "{reading}"
    );
    let reply = home.json(&["at", "--tcp", "127.0.0.2", "NEVER"]).json();
    assert!(reply.to_string().contains("+ERROR"), "{reply}");
    // A delay was not recorded.
    home.run(&["delay", "127.0.0.2", "off", "5m"]).ends_with(5);
}

#[test]
fn keys_pass_and_are_in_no_file() {
    let mut home = Home::with_network();
    home.emulate(&["--ap", "--home-network", "Home:a-secret-key"], 1);
    let (out, packets) = (path(&home, "a.jsonl"), path(&home, "a.pcapng"));
    record(&mut home, &out, &packets);
    let app = UdpSocket::bind("127.0.0.1:48899").unwrap();
    app.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let ask = |request: &str, is_answered: bool| {
        app.send_to(request.as_bytes(), (RELAY, 48899)).unwrap();
        let mut buffer = [0; 512];
        if is_answered {
            let (length, from) = app.recv_from(&mut buffer).unwrap();
            assert_eq!(from.to_string(), "127.0.0.3:48899");
            return String::from_utf8_lossy(&buffer[..length]).into_owned();
        }
        String::new()
    };
    assert!(ask("HF-A11ASSISTHREAD", true).starts_with("127.0.0.3,"));
    ask("+ok", false);
    assert!(ask("AT+WSKEY=WPA2PSK,AES,a-secret-key\r", true).starts_with("+ok"));
    // The key passes, or the module would not say it.
    assert_eq!(
        ask("AT+WSKEY\r", true).trim_end(),
        "+ok=WPA2PSK,AES,a-secret-key"
    );
    ask("AT+ASWD=own-secret-word\r", true);
    home.end_emulators();
    for file in [&out, &packets] {
        let bytes = std::fs::read(file).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        for secret in ["a-secret-key", "own-secret-word"] {
            let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
            assert!(!text.contains(secret) && !text.contains(&hex), "{text}");
        }
        assert!(text.contains("WPA2PSK,AES,***"), "{text}");
    }
}

#[test]
fn a_connection_of_an_app_is_carried() {
    let mut home = Home::with_network();
    home.emulate(&[], 1);
    let (out, packets) = (path(&home, "a.jsonl"), path(&home, "a.pcapng"));
    record(&mut home, &out, &packets);
    let mut stream = TcpStream::connect((RELAY, 8899)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    for _ in 0..3 {
        stream.write_all(b"AT+YZOUT\r\n").unwrap();
        let mut reply = Vec::new();
        let mut buffer = [0; 256];
        while !reply.ends_with(b"\r\n\r\n") {
            let length = stream.read(&mut buffer).unwrap();
            assert_ne!(length, 0);
            reply.extend_from_slice(&buffer[..length]);
        }
        assert!(reply.starts_with(b"+ok="), "{reply:?}");
    }
    // The plug goes: so does the connection.
    drop(stream);
    if let Some(()) = needs::met(needs::tool("tshark", "--version", "tshark")) {
        let run = Command::new("tshark")
            .args([
                "-o",
                "tcp.check_checksum:TRUE",
                "-o",
                "udp.check_checksum:TRUE",
                "-r",
                &packets,
                "-Y",
                "tcp.payload contains \"YZOUT\" && tcp.checksum.status == 1 && !tcp.analysis.flags",
            ])
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8(run.stdout).unwrap().lines().count(),
            3,
            "{}",
            String::from_utf8_lossy(&run.stderr)
        );
    }
}

#[test]
fn without_a_file_the_transcript_is_the_output() {
    let mut home = Home::with_network();
    home.emulate(&[], 1);
    let child = home
        .command()
        .args(["record", "--plug", "127.0.0.2", "--listen", RELAY])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let app = UdpSocket::bind("127.0.0.1:48899").unwrap();
    app.set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let mut buffer = [0; 512];
    let answered = (0..100).any(|_| {
        let sent = app.send_to(b"YZ-RECOSCAN", (RELAY, 48899));
        sent.is_ok() && app.recv_from(&mut buffer).is_ok()
    });
    assert!(answered);
    kill(
        Pid::from_raw(child.id().try_into().unwrap()),
        Signal::SIGTERM,
    )
    .unwrap();
    let run = finish(child.wait_with_output());
    assert_eq!(run.code, 0, "{run:?}");
    let mut shown = run.stdout.lines();
    assert_eq!(shown.next(), Some("ready 127.0.0.3 127.0.0.2"));
    let line: Value = serde_json::from_str(shown.next().unwrap()).unwrap();
    assert_eq!(
        (line["text"].as_str(), line["peer"].as_str()),
        (Some("YZ-RECOSCAN"), Some("127.0.0.1:48899"))
    );
}

#[test]
fn each_code_of_record() {
    let home = Home::with_network();
    let record = |more: &[&str]| home.run(&[&["record", "--plug", "127.0.0.2"][..], more].concat());
    home.run(&["record"]).ends_with(2);
    home.run(&["record", "--plug", "nowhere"]).ends_with(2);
    let run = record(&["--listen", "127.0.0.2"]).ends_with(2);
    assert!(run.stderr.contains("--listen"), "{run:?}");
    let run = record(&["--listen", "192.0.2.77"]).ends_with(7);
    assert!(
        run.stderr.contains("not an address of this machine"),
        "{run:?}"
    );
    let folder = path(&home, ".");
    record(&["--listen", RELAY, "--out", &folder]).ends_with(7);
    record(&["--listen", RELAY, "--pcapng", &folder]).ends_with(7);
    let _taken = UdpSocket::bind((RELAY, 48899)).unwrap();
    record(&["--listen", RELAY, "--out", &path(&home, "a")]).ends_with(7);
}

#[test]
fn each_code_of_replay() {
    let home = Home::with_network();
    home.run(&["replay"]).ends_with(2);
    let wrong = home.write("wrong.jsonl", "{}\n");
    let run = home.run(&["replay", wrong.to_str().unwrap()]).ends_with(2);
    assert!(
        run.stderr
            .contains("line 1 is not one of a transcript: missing field"),
        "{run:?}"
    );
    let empty = home.write("empty.jsonl", "");
    let run = home.run(&["replay", empty.to_str().unwrap()]).ends_with(2);
    assert!(
        run.stderr.contains("no request of an app is recorded"),
        "{run:?}"
    );
    let pipe = home.path("pipe");
    mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    let run = home.run(&["replay", pipe.to_str().unwrap()]).ends_with(2);
    assert!(run.stderr.contains("not a regular file"), "{run:?}");
    for name in ["missing.jsonl", "."] {
        home.run(&["replay", &path(&home, name)]).ends_with(2);
    }
    let line = r#"{"at":"2026-11-22T12:00:00Z","transport":"udp","direction":"to_plug","peer":"127.0.0.1:48899","hex":"00","text":null}"#;
    let good = home.write("good.jsonl", line);
    let run = home
        .run(&["replay", good.to_str().unwrap(), "--listen", "192.0.2.77"])
        .ends_with(7);
    assert!(
        run.stderr.contains("not an address of this machine"),
        "{run:?}"
    );
}
