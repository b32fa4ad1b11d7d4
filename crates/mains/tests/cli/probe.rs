//! `mains probe`: what is found out, and that a lying, babbling or silent device costs bounded time.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::home::{Home, finish};
use crate::module::{ConsoleModule, one, usual};

const PLUG: [u8; 4] = [127, 0, 0, 2];
const DENIED: &[u8] = b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n";
const MISSING: &[u8] = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
/// `Basic` and ADMIN:ADMIN in base64.
const ADMIN: &str = "Basic QURNSU46QURNSU4=";

/// A web page played by hand; the script gets each request's header and the connection.
fn web_page(script: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) {
    let listener = TcpListener::bind((Ipv4Addr::from(PLUG), 80)).unwrap();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut header = Vec::new();
            let mut byte = [0];
            while !header.ends_with(b"\r\n\r\n")
                && stream.read(&mut byte).is_ok_and(|count| count == 1)
            {
                header.push(byte[0]);
            }
            if !header.is_empty() {
                script(&String::from_utf8_lossy(&header), &mut stream);
            }
        }
    });
}

fn say(stream: &mut TcpStream, bytes: &[u8]) {
    let _ = stream.write_all(bytes);
}

/// The page of an SP-2: asks for a login, takes ADMIN/ADMIN, has nothing to show.
fn page_of_an_sp2() {
    web_page(|header, stream| {
        say(
            stream,
            if header.contains(ADMIN) {
                MISSING
            } else {
                DENIED
            },
        );
    });
}

fn ids(report: &Value) -> Vec<&str> {
    report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["id"].as_str().unwrap())
        .collect()
}

fn open_ports(report: &Value) -> Vec<(u64, &str, bool)> {
    let ports = report["ports"].as_array().unwrap().iter();
    ports
        .map(|port| {
            (
                port["port"].as_u64().unwrap(),
                port["protocol"].as_str().unwrap(),
                port["open"].as_bool().unwrap(),
            )
        })
        .collect()
}

#[test]
fn a_plug_with_the_factorys_password() {
    let home = Home::with_network();
    let module = ConsoleModule::sp2(PLUG);
    page_of_an_sp2();
    let run = home.json(&["probe", "127.0.0.2"]).ends_with(0);
    let order = [
        "address", "mac", "family", "module", "firmware", "mode", "ports", "words", "findings",
    ];
    let places: Vec<_> = order
        .iter()
        .map(|field| run.stdout.find(&format!("\"{field}\":")).unwrap())
        .collect();
    assert!(places.is_sorted(), "{}", run.stdout);
    let report = run.json();
    assert_eq!(report.as_object().unwrap().len(), order.len());
    assert_eq!(report["address"], "127.0.0.2");
    assert_eq!(report["mac"], "AC:CF:23:12:34:56");
    assert_eq!(report["family"], "reco");
    assert_eq!(report["module"], "HF-LPB100");
    assert_eq!(report["firmware"], "4.12.17 (2019-01-09 10:30 1M)");
    assert_eq!(report["mode"], "sta");
    assert_eq!(
        open_ports(&report),
        [
            (80, "tcp", true),
            (8899, "tcp", false),
            (48899, "udp", true)
        ]
    );
    assert_eq!(report["words"], json!(["HF-A11ASSISTHREAD"]));
    assert_eq!(
        ids(&report),
        [
            "web-default-password",
            "open-configuration-port",
            "default-discovery-word"
        ]
    );
    assert_eq!(report["findings"][0]["severity"], "high");
    assert!(
        report["findings"][0]["text"]
            .as_str()
            .unwrap()
            .contains("mains harden")
    );
    module.is_left();
    let heard = module.heard();
    assert!(
        heard.iter().all(|heard| !heard.contains('=')),
        "only questions: {heard:?}"
    );
    assert!(
        !heard.contains(&r"AT+WSKEY\r".to_owned()),
        "the key is not needed: {heard:?}"
    );
    assert_eq!(heard.last().unwrap(), r"AT+Q\r");
}

#[test]
fn people_get_a_sheet() {
    let home = Home::with_network();
    let _module = ConsoleModule::sp2(PLUG);
    page_of_an_sp2();
    let run = home.run(&["probe", "127.0.0.2"]).ends_with(0);
    for line in [
        "address    127.0.0.2\n",
        "MAC        AC:CF:23:12:34:56\n",
        "family     reco\n",
        "ports      TCP 80     open\n",
        "           TCP 8899   closed or silent\n",
        "words      HF-A11ASSISTHREAD\n",
        "high       web-default-password\n",
    ] {
        assert!(
            run.stdout.contains(line),
            "{line:?} is not in\n{}",
            run.stdout
        );
    }
}

#[test]
fn other_passwords_and_open_pages_are_told_apart() {
    for (page, finding) in [
        (
            (|_: &str, stream: &mut TcpStream| say(stream, DENIED)) as fn(&str, &mut TcpStream),
            None,
        ),
        (
            |_, stream| say(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
            Some("web-no-password"),
        ),
        (|_, stream| say(stream, MISSING), None),
        (
            |header, stream| {
                say(
                    stream,
                    if header.contains("Basic YWRtaW46YWRtaW4=") {
                        MISSING
                    } else {
                        DENIED
                    },
                );
            },
            Some("web-default-password"),
        ),
        // A server that stumbles over a login has not let anybody in.
        (
            |header, stream| {
                say(
                    stream,
                    if header.contains("Basic") {
                        b"HTTP/1.0 500 x\r\n\r\n"
                    } else {
                        DENIED
                    },
                );
            },
            None,
        ),
    ] {
        let home = Home::with_network();
        web_page(page);
        let report = home.json(&["probe", "127.0.0.2"]).ends_with(0).json();
        assert_eq!(ids(&report), Vec::from_iter(finding));
        assert_eq!(report["family"], Value::Null);
        assert_eq!(
            open_ports(&report),
            [
                (80, "tcp", true),
                (8899, "tcp", false),
                (48899, "udp", false)
            ]
        );
    }
}

#[test]
fn a_babbling_web_page_costs_bounded_time() {
    for page in [
        // Headers without end.
        (|_: &str, stream: &mut TcpStream| {
            say(stream, b"HTTP/1.1 401 Unauthorized\r\n");
            while stream
                .write_all(b"X-Filler: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n")
                .is_ok()
            {}
        }) as fn(&str, &mut TcpStream),
        // A line without end.
        |_, stream| while stream.write_all(&[b'z'; 4096]).is_ok() {},
        // A byte now and then.
        |_, stream| {
            while stream.write_all(b"H").is_ok() {
                std::thread::sleep(Duration::from_millis(200));
            }
        },
        // A body without end behind a good header.
        |_, stream| {
            say(
                stream,
                b"HTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: chunked\r\n\r\n",
            );
            while stream.write_all(b"1\r\nx\r\n").is_ok() {}
        },
        |_, stream| say(stream, b"\x00\xff\x01\x02 not HTTP at all\r\n\r\n"),
        |_, stream| say(stream, b"HTTP/9.9 99999 \r\n\r\n"),
        |_, _| {},
        |_, _| std::thread::sleep(Duration::from_secs(60)),
    ] {
        let home = Home::with_network();
        web_page(page);
        let start = Instant::now();
        let report = home.json(&["probe", "127.0.0.2"]).ends_with(0).json();
        assert!(
            start.elapsed() < Duration::from_secs(19),
            "{:?}",
            start.elapsed()
        );
        assert!(ids(&report).is_empty(), "{report}");
    }
}

#[test]
fn a_module_that_falls_silent_gives_half_a_report() {
    let home = Home::with_network();
    let module = ConsoleModule::with_session(PLUG, |line| {
        if line == "AT+VER" {
            usual(line)
        } else {
            Vec::new()
        }
    });
    let report = home.json(&["probe", "127.0.0.2"]).ends_with(0).json();
    assert_eq!(report["family"], "module");
    assert_eq!(report["mac"], "AC:CF:23:12:34:56");
    assert_eq!(report["module"], "HF-LPB100");
    assert_eq!(report["firmware"], "4.12.17 (2019-01-09 10:30 1M)");
    assert_eq!(report["mode"], Value::Null);
    module.is_left();
}

#[test]
fn what_is_known_when_the_time_is_up_is_reported() {
    let home = Home::with_network();
    let module = ConsoleModule::with_session(PLUG, |line| {
        if line == "AT+VER" {
            usual(line)
        } else {
            Vec::new()
        }
    });
    let start = Instant::now();
    let report = home
        .json(&["--timeout", "3s", "probe", "127.0.0.2"])
        .ends_with(0)
        .json();
    assert!(start.elapsed() < Duration::from_secs(8));
    assert_eq!(report["words"], json!(["HF-A11ASSISTHREAD"]));
    module.is_left();
}

#[test]
fn refusals_and_lies_leave_only_that_unknown() {
    let home = Home::with_network();
    let module = ConsoleModule::with_session(PLUG, |line| match line {
        "AT+VER" => one(b"+ERR=-2\r\n\r\n"),
        "AT+MID" => one(b"+ok=\x1b[2Jevil\r\n\r\n"),
        "AT+WMODE" => one(b"+ok=APSTA\r\n\r\n"),
        "AT+WAKEY" => one(b"+ok=WPA2PSK,AES,12345678\r\n\r\n"),
        "AT+SOCKB" => one(b"+ok=TCP,8816,cloud.example\r\n\r\n"),
        "AT+NETP" => one(b"\xff\xff\xff"),
        line => usual(line),
    });
    let run = home.json(&["probe", "127.0.0.2"]).ends_with(0);
    assert!(!run.stdout.contains("12345678"));
    let report = run.json();
    assert_eq!(report["firmware"], Value::Null);
    assert_eq!(report["mode"], "apsta");
    assert!(!report["module"].as_str().unwrap().contains('\u{1b}'));
    let found = ids(&report);
    assert!(
        found.contains(&"default-ap-key") && found.contains(&"calls-a-server"),
        "{found:?}"
    );
    module.is_left();
}

#[test]
fn each_word_is_told_by_itself_even_when_answers_come_twice() {
    let home = Home::with_network();
    let _module = ConsoleModule::start(PLUG, |datagram| match datagram {
        b"HF-A11ASSISTHREAD" | b"my-own-word" => {
            vec![
                b"127.0.0.2,ACCF235676D6,HF-LPB100".to_vec(),
                b"127.0.0.2,ACCF235676D6,HF-LPB100".to_vec(),
            ]
        }
        _ => Vec::new(),
    });
    let report = home
        .json(&["probe", "127.0.0.2", "--word", "my-own-word"])
        .ends_with(0)
        .json();
    assert_eq!(report["words"], json!(["my-own-word", "HF-A11ASSISTHREAD"]));
}

#[test]
fn lost_answers_are_asked_for_again() {
    let home = Home::with_network();
    let count = std::sync::atomic::AtomicUsize::new(0);
    let _module = ConsoleModule::start(PLUG, move |datagram| match datagram {
        // Two of three are lost.
        b"HF-A11ASSISTHREAD"
            if count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) % 3 == 2 =>
        {
            one(b"127.0.0.2,ACCF235676D6,HF-LPB100")
        }
        _ => Vec::new(),
    });
    let report = home.json(&["probe", "127.0.0.2"]).ends_with(0).json();
    assert_eq!(report["words"], json!(["HF-A11ASSISTHREAD"]));
}

#[test]
fn a_host_with_nothing_there_is_no_answer() {
    let home = Home::with_network();
    let start = Instant::now();
    assert_eq!(
        home.json(&["probe", "127.0.0.9"]).ends_with(4).error_kind(),
        "no_answer"
    );
    assert!(
        start.elapsed() < Duration::from_secs(15),
        "{:?}",
        start.elapsed()
    );
    let _holder = std::net::UdpSocket::bind(("127.0.0.1", 48899)).unwrap();
    assert_eq!(
        home.json(&["probe", "127.0.0.9"]).ends_with(7).error_kind(),
        "local"
    );
}

#[test]
fn garbage_on_udp_is_nobody() {
    let home = Home::with_network();
    let _module = ConsoleModule::start(PLUG, |_| vec![vec![0xff; 1400]; 20]);
    assert_eq!(
        home.json(&["probe", "127.0.0.2"]).ends_with(4).error_kind(),
        "no_answer"
    );
}

#[test]
fn wrong_use_is_told() {
    let home = Home::new();
    for words in [
        &["probe"][..],
        &["probe", "kitchen"],
        &["probe", "127.0.0.1.1"],
        &["probe", "::1"],
        &["probe", "255.255.255.255"],
        &["probe", "127.0.0.2:80"],
        &[
            "probe",
            "127.0.0.2",
            "--word",
            "a word that is far too long",
        ],
    ] {
        assert_eq!(
            home.json(words).ends_with(2).error_kind(),
            "usage",
            "{words:?}"
        );
    }
}

#[test]
fn ctrl_c_leaves_the_session() {
    let home = Home::with_network();
    let module = ConsoleModule::with_session(PLUG, |_| Vec::new());
    let mut command = home.command();
    let child = command
        .args(["probe", "127.0.0.2"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    module.hears(r"AT+VER\r");
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    finish(child.wait_with_output()).ends_with(1);
    module.is_left();
}

#[test]
fn an_emulated_plug() {
    let mut home = Home::with_network();
    home.emulate(&["--listen", "127.0.0.2"], 1);
    let report = home.json(&["probe", "127.0.0.2"]).ends_with(0).json();
    assert_eq!(report["family"], "reco");
    assert_eq!(report["module"], "HF-LPB100");
    assert_eq!(report["mode"], "sta");
    assert!(
        open_ports(&report).iter().all(|(_, _, open)| *open),
        "{report}"
    );
    assert_eq!(ids(&report)[0], "web-default-password");
    home.emulate(&["--listen", "127.0.0.3", "--ap"], 1);
    let report = home.json(&["probe", "127.0.0.3"]).ends_with(0).json();
    assert_eq!(report["mode"], "ap");
    assert!(ids(&report).contains(&"setup-mode"));
}

#[test]
fn an_emulated_plug_behind_bad_wifi() {
    let mut home = Home::with_network();
    home.emulate(
        &[
            "--listen",
            "127.0.0.2",
            "--fault",
            "lost=20%",
            "--seed",
            "1",
        ],
        1,
    );
    let report = home.json(&["probe", "127.0.0.2"]).ends_with(0).json();
    assert_eq!(report["family"], "reco");
    assert_eq!(report["words"], json!(["HF-A11ASSISTHREAD"]));
    assert_eq!(report["mode"], "sta");
}
