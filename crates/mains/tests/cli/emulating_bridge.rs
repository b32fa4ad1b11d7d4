//! `emulate bridge`: ports, options, keys of the terminal.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::home::{Home, finish};
use crate::needs;

/// Running bridges with their output.
struct BridgeProcess {
    child: Child,
    ready: Vec<String>,
}

impl BridgeProcess {
    fn start(mut command: Command, words: &[&str], count: usize) -> Self {
        let mut child = command
            .args(["emulate", "bridge"])
            .args(words)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = (0..count).map(|_| lines.next().expect("a bridge is ready").unwrap());
        let ready = ready.collect();
        Self { child, ready }
    }

    /// Ends them as Ctrl-C does; returns what was said on stderr.
    fn end(mut self) -> String {
        kill(
            Pid::from_raw(self.child.id().try_into().unwrap()),
            Signal::SIGINT,
        )
        .unwrap();
        let mut said = String::new();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        assert!(self.child.wait().unwrap().success(), "{said}");
        said
    }
}

/// Asks by HTTP with bytes written by hand.
fn ask(address: &str, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream
        .write_all(format!("{head}{body}").as_bytes())
        .unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    let status = reply.split(' ').nth(1).unwrap().parse().unwrap();
    (status, reply)
}

fn json(reply: &str) -> Value {
    serde_json::from_str(reply.split("\r\n\r\n").nth(1).unwrap()).unwrap()
}

#[test]
fn each_model_serves_what_it_has() {
    let home = Home::new();
    let ports = [
        "--http-port",
        "8093",
        "--https-port",
        "8094",
        "--touchlink-port",
        "8095",
        "--no-announce",
    ];
    for (host, model, http, doors) in [
        (1, "bsb001", 200, [true, false, true]),
        (2, "bsb002", 200, [true, true, false]),
        (3, "bsb003", 301, [true, true, false]),
    ] {
        let address = format!("127.93.2.{host}");
        let words = ["--listen", &address, "--model", model];
        let bridges = BridgeProcess::start(home.command(), &[&words[..], &ports].concat(), 1);
        assert!(
            bridges.ready[0].starts_with(&format!("ready {address} ")),
            "{:?}",
            bridges.ready
        );
        let (status, reply) = ask(&format!("{address}:8093"), "GET", "/api/config", "");
        assert_eq!(status, http, "{reply}");
        if status == 200 {
            assert_eq!(json(&reply)["modelid"], model.to_ascii_uppercase());
        } else {
            assert!(
                reply.contains(&format!("location: https://{address}:8094/api/config")),
                "{reply}"
            );
        }
        let open =
            [8093, 8094, 8095].map(|port| TcpStream::connect((address.as_str(), port)).is_ok());
        assert_eq!(open, doors, "{model}");
        bridges.end();
    }
}

#[test]
fn the_bulbs_are_told_on_stderr_and_lights_are_listed() {
    let home = Home::new();
    let words = [
        "--listen",
        "127.93.2.10",
        "--count",
        "2",
        "--http-port",
        "8093",
        "--https-port",
        "8094",
        "--mac",
        "00:17:88:00:00:ff",
        "--press-after",
        "0s",
        "--bulb",
        "near:1",
        "--bulb",
        "far:foreign",
        "--bulb",
        "near",
        "--no-announce",
    ];
    let bridges = BridgeProcess::start(home.command(), &words, 2);
    assert_eq!(
        bridges.ready,
        [
            "ready 127.93.2.10 00:17:88:00:00:FF",
            "ready 127.93.2.11 00:17:88:00:01:00"
        ]
    );
    let key = |address: &str| {
        let (_, reply) = ask(address, "POST", "/api", r#"{"devicetype":"a#b"}"#);
        json(&reply)[0]["success"]["username"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    for (address, lights) in [("127.93.2.10:8093", 1), ("127.93.2.11:8093", 0)] {
        let (_, reply) = ask(address, "GET", &format!("/api/{}/lights", key(address)), "");
        assert_eq!(json(&reply).as_object().unwrap().len(), lights, "{reply}");
    }
    let said = bridges.end();
    let bulbs: Vec<&str> = said.lines().filter(|line| line.contains("bulb ")).collect();
    assert_eq!(bulbs.len(), 3, "{said}");
    assert!(
        bulbs[0].contains("near, bound to 001788fffe0000ff, serial "),
        "{said}"
    );
    assert!(
        bulbs[1].contains("far, bound to foreign, serial "),
        "{said}"
    );
    assert!(bulbs[2].contains("near, new, serial "), "{said}");
}

#[test]
fn a_taken_port_is_named_with_its_flag() {
    let home = Home::new();
    let taken = std::net::TcpListener::bind("127.93.2.20:8093").unwrap();
    let words = [
        "emulate",
        "bridge",
        "--listen",
        "127.93.2.20",
        "--http-port",
        "8093",
        "--https-port",
        "8094",
    ];
    let run = home.json(&words).ends_with(7);
    assert_eq!(run.error_kind(), "local");
    let error = &run.json()["error"];
    assert!(
        error["message"].as_str().unwrap().contains("8093"),
        "{error}"
    );
    assert!(
        error["hint"].as_str().unwrap().contains("--http-port"),
        "{error}"
    );
    drop(taken);
    let elsewhere = home
        .json(&[
            "emulate",
            "bridge",
            "--listen",
            "192.0.2.1",
            "--http-port",
            "8093",
        ])
        .ends_with(7);
    assert!(
        elsewhere.json()["error"]["message"]
            .as_str()
            .unwrap()
            .contains("192.0.2.1")
    );
}

#[test]
fn what_cannot_be_is_usage() {
    let home = Home::new();
    for words in [
        ["--listen", "0.0.0.0"].as_slice(),
        &["--listen", "127.93.2.1", "--listen", "127.93.2.1"],
        &["--listen", "127.255.255.250", "--count", "10"],
        &["--count", "0"],
        &["--http-port", "0"],
        &["--http-port", "70000"],
        &["--model", "bsb004"],
        &["--api", "2.0"],
        &["--bulb", "nearby"],
        &["--bulb", "near:2"],
        &["--bulb", "near:0"],
        &["--press-after", "soon"],
        &["--fault", "nonsense"],
        &["--fault", "html=*0"],
        &["--mac", "x"],
    ] {
        let words: Vec<&str> = ["emulate", "bridge"].iter().chain(words).copied().collect();
        assert_eq!(
            home.json(&words).ends_with(2).error_kind(),
            "usage",
            "{words:?}"
        );
    }
}

#[test]
fn faults_are_listed_and_a_wrong_one_gets_a_hint() {
    let home = Home::new();
    let run = home
        .run(&["emulate", "bridge", "--fault", "help"])
        .ends_with(0);
    for fault in [
        "html",
        "touchlink-failed",
        "cert-expired",
        "search-time=D",
        "busy",
    ] {
        assert!(run.stdout.contains(fault), "{run:?}");
    }
    let run = home
        .run(&["emulate", "bridge", "--fault", "touchlink-fail"])
        .ends_with(2);
    assert!(
        run.stderr.contains("did you mean `touchlink-failed`"),
        "{run:?}"
    );
}

#[test]
fn a_record_holds_every_exchange_and_no_key() {
    let home = Home::new();
    let record = home.path("record.jsonl");
    let words = [
        "--listen",
        "127.93.2.30",
        "--model",
        "bsb001",
        "--http-port",
        "8093",
        "--touchlink-port",
        "8095",
        "--press-after",
        "0s",
        "--no-announce",
        "--record",
        record.to_str().unwrap(),
    ];
    let bridges = BridgeProcess::start(home.command(), &words, 1);
    let (_, reply) = ask(
        "127.93.2.30:8093",
        "POST",
        "/api",
        r#"{"devicetype":"a#b"}"#,
    );
    let key = json(&reply)[0]["success"]["username"]
        .as_str()
        .unwrap()
        .to_owned();
    ask(
        "127.93.2.30:8093",
        "PUT",
        &format!("/api/{key}/config"),
        r#"{"touchlink":true}"#,
    );
    ask("127.93.2.30:8093", "GET", &format!("/api/{key}/config"), "");
    bridges.end();
    let text = std::fs::read_to_string(record).unwrap();
    assert!(!text.contains(&key), "{text}");
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 6, "{text}");
    assert_eq!(
        lines[2]["text"],
        "PUT /api/***/config\n{\"touchlink\":true}"
    );
    assert_eq!(
        lines[3]["text"],
        "200\n[{\"success\":{\"/config/touchlink\":true}}]"
    );
    assert!(
        lines
            .iter()
            .all(|line| line["transport"] == "http" && line["bridge"].is_string()),
        "{text}"
    );
}

#[test]
fn ends_with_its_timeout() {
    let home = Home::new();
    let words = [
        "--timeout",
        "300ms",
        "emulate",
        "bridge",
        "--listen",
        "127.93.2.40",
        "--http-port",
        "8093",
        "--https-port",
        "8094",
    ];
    let run = finish(home.command().args(words).output()).ends_with(0);
    assert_eq!(run.stdout.lines().count(), 1, "{run:?}");
}

#[test]
fn keys_of_the_terminal_press_the_button_and_cycle_the_bulbs() {
    use expectrl::{Expect, Session};
    let home = Home::new();
    let mut command = home.command();
    command.stdin(Stdio::inherit()).args([
        "emulate",
        "bridge",
        "--listen",
        "127.93.2.50",
        "--http-port",
        "8093",
        "--https-port",
        "8094",
        "--no-announce",
        "--fault",
        "unpowered",
        "--bulb",
        "far:1",
    ]);
    let mut terminal = Session::spawn(command).unwrap();
    terminal.set_expect_timeout(Some(Duration::from_secs(20)));
    terminal.expect("ready 127.93.2.50").unwrap();
    let pair = || {
        json(
            &ask(
                "127.93.2.50:8093",
                "POST",
                "/api",
                r#"{"devicetype":"a#b"}"#,
            )
            .1,
        )
    };
    assert_eq!(pair()[0]["error"]["type"], 101);
    terminal.send("b").unwrap();
    terminal.expect("link buttons pressed").unwrap();
    let key = pair()[0]["success"]["username"]
        .as_str()
        .unwrap()
        .to_owned();
    let reachable = || {
        json(
            &ask(
                "127.93.2.50:8093",
                "GET",
                &format!("/api/{key}/lights/1"),
                "",
            )
            .1,
        )["state"]["reachable"]
            .clone()
    };
    assert_eq!(reachable(), false);
    terminal.send("p").unwrap();
    terminal.expect("switched off and on").unwrap();
    assert_eq!(reachable(), true);
    terminal.send("\x03").unwrap();
    terminal.expect(expectrl::Eof).unwrap();
}

/// Each test that uses the fixed ports of mDNS and SSDP has a network of its own.
#[test]
fn bridges_are_found_by_what_they_announce() {
    use std::net::{Ipv4Addr, UdpSocket};
    if !needs::own_network() {
        return needs::skip("no network namespace can be made here");
    }
    let home = Home::new();
    let words = [
        "--listen",
        "127.93.2.60",
        "--http-port",
        "8093",
        "--https-port",
        "8094",
    ];
    let bridges = BridgeProcess::start(home.command(), &words, 1);
    // A socket beside the groups' ports, as a client's is that only asks.
    let hear = |question: &[u8], to: (Ipv4Addr, u16)| {
        // Bound to an address of the interface, it sends to groups from there.
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        socket.send_to(question, to).unwrap();
        let mut answer = [0; 2048];
        let (length, from) = socket.recv_from(&mut answer).expect("an answer");
        assert_eq!(from.ip(), Ipv4Addr::new(127, 93, 2, 60));
        String::from_utf8_lossy(&answer[..length]).into_owned()
    };
    let mdns = hear(
        b"\0\x07\0\0\0\x01\0\0\0\0\0\0\x04_hue\x04_tcp\x05local\0\0\x0c\0\x01",
        (Ipv4Addr::new(224, 0, 0, 251), 5353),
    );
    assert!(
        mdns.contains("Hue Bridge - 5D023C") && mdns.contains("bridgeid=001788fffe5d023c"),
        "{mdns:?}"
    );
    let ssdp = hear(
        b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: upnp:rootdevice\r\n\r\n",
        (Ipv4Addr::new(239, 255, 255, 250), 1900),
    );
    assert!(
        ssdp.contains("LOCATION: http://127.93.2.60:8093/description.xml\r\n"),
        "{ssdp}"
    );
    bridges.end();
}
