//! Devices that are no bridge, do not reply, refuse or are unintelligible: exit code, one sentence, and nothing changed.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::fixture::{FIRST, HueFixture, NOBODY};
use crate::home::FinishedRun;

const ID: &str = "001788fffe0000aa";

/// Something at port 80 of an address that answers everything with these bytes, and then hangs up.
fn answers(address: &str, bytes: &'static [u8]) {
    let listener = TcpListener::bind((address, 80)).unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                let _ = stream.read(&mut buffer);
                let _ = stream.write_all(bytes);
            });
        }
    });
}

#[track_caller]
fn one_sentence(run: &FinishedRun, kind: &str) {
    assert_eq!(run.error_kind(), kind, "{run:?}");
    let message = run.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(!message.contains('\n') && message.len() < 500, "{message}");
}

#[test]
fn what_is_no_bridge() {
    let fixture = HueFixture::empty();
    for (last, bytes) in [
        (1, &b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"[..]),
        (2, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"),
        (
            3,
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html><body>router</body></html>",
        ),
        (4, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
        (
            5,
            b"HTTP/1.1 301 Moved\r\nLocation: http://127.94.9.9/\r\nContent-Length: 0\r\n\r\n",
        ),
        (
            6,
            b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{\"name\":",
        ),
        (7, b"SSH-2.0-OpenSSH_9.2p1\r\n"),
        (8, b"\x15\x03\x01\x00\x02\x02\x46"),
        (
            9,
            b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"name\":\"mine\"}",
        ),
    ] {
        let address = format!("127.94.9.{last}");
        answers(&address, bytes);
        let run = fixture.json(&["hue", "pair", &address]);
        assert_eq!(run.code, 6, "{last}: {run:?}");
        run.error_kind();
        fixture
            .run(&["hue", "lights", &address])
            .ends_with(run.code);
    }
    assert!(!fixture.state().join("hue.json").exists());
}

#[test]
fn where_nobody_answers() {
    let fixture = HueFixture::empty();
    one_sentence(
        &fixture.json(&["hue", "pair", NOBODY]).ends_with(4),
        "no_answer",
    );
    one_sentence(
        &fixture.json(&["hue", "lights", ID]).ends_with(3),
        "not_found",
    );
    one_sentence(
        &fixture
            .json(&["hue", "lights", "no-such-host.invalid"])
            .ends_with(4),
        "no_answer",
    );
    // Takes the connection and says nothing; hangs up without a word.
    let silent = TcpListener::bind("127.94.9.20:80").unwrap();
    answers("127.94.9.21", b"");
    let begin = Instant::now();
    one_sentence(
        &fixture
            .json(&["--timeout", "2s", "hue", "lights", "http://127.94.9.20"])
            .ends_with(4),
        "no_answer",
    );
    assert!(
        begin.elapsed() < Duration::from_secs(9),
        "{:?}",
        begin.elapsed()
    );
    drop(silent);
    one_sentence(
        &fixture.json(&["hue", "lights", "127.94.9.21"]).ends_with(4),
        "no_answer",
    );
}

#[test]
fn what_cannot_be_meant() {
    let fixture = HueFixture::empty();
    for words in [
        &["hue"][..],
        &["hue", "fly"],
        &["hue", "pair"],
        &["hue", "pair", "ftp://x"],
        &["hue", "pair", "a b"],
        &["hue", "pair", NOBODY, "--trust-certificate=abc"],
        &["hue", "lights", ""],
        &["hue", "takeover", NOBODY, "--via", "pigeon"],
        &["hue", "takeover", NOBODY, "--serial", "12345"],
        &["hue", "identify", NOBODY],
        &["hue", "move", "1", "--from", NOBODY],
        &["hue", "clip", NOBODY, "get"],
        &["hue", "discover", "--wait", "soon"],
        &["--interface", "nowhere0", "hue", "discover"],
    ] {
        one_sentence(&fixture.json(words).ends_with(2), "usage");
    }
    // A bridge that was never paired with.
    let fixture = HueFixture::with(&["--model", "bsb001"]);
    one_sentence(
        &fixture.json(&["hue", "lights", FIRST]).ends_with(2),
        "usage",
    );
    one_sentence(
        &fixture
            .json(&["--yes", "hue", "takeover", FIRST])
            .ends_with(2),
        "usage",
    );
    fixture
        .json(&["hue", "clip", FIRST, "get", "lights"])
        .ends_with(2);
    fixture
        .json(&["hue", "clip", FIRST, "get", "/api/config"])
        .ends_with(0);
}

/// Part of the message about an unintelligible reply.
const ODD: &str = "unintelligible reply";

/// Each fault of a bridge, what is done with it, the code, and a part of what is said.
const FAULTS: [(&str, &str, i32, &str); 17] = [
    ("key-revoked", "lights", 5, "error 1"),
    ("error=3GET/lights", "lights", 5, "error 3"),
    ("error=901GET/lights", "lights", 5, "error 901"),
    ("busy=GET/lights*1", "lights", 0, ""),
    ("html=GET/lights", "lights", 6, ODD),
    ("empty-list=GET/lights", "lights", 6, ODD),
    ("half=GET/lights", "lights", 6, ""),
    ("giant=GET/lights", "lights", 6, ""),
    ("garbage=GET/lights", "lights", 6, ""),
    ("silent=GET/lights", "lights", 4, "closed before a reply"),
    ("chunked", "lights", 0, ""),
    ("close-delimited", "lights", 0, ""),
    ("lf-only", "lights", 0, ""),
    ("text-numbers", "lights", 0, ""),
    ("503=GET/lights*2", "lights", 0, ""),
    ("full", "search", 5, "error 203"),
    ("empty-list=POST/lights", "search", 6, ODD),
];

#[test]
fn faults_of_a_bridge() {
    for (fault, verb, code, part) in FAULTS {
        let fixture =
            HueFixture::paired(&["--model", "bsb001", "--bulb", "near:1", "--fault", fault]);
        let run = fixture.json(&["hue", verb, FIRST]);
        assert_eq!(run.code, code, "{fault}: {run:?}");
        if code != 0 {
            let message = run.json()["error"]["message"].as_str().unwrap().to_owned();
            let is_named = message.contains(FIRST) || message.contains("001788fffe");
            assert!(message.contains(part) && is_named, "{fault}: {message}");
        }
    }
}

#[test]
fn a_bridge_that_stays_overloaded_is_told_so_within_its_time() {
    let fixture = HueFixture::with(&["--model", "bsb001", "--fault", "429=GET/lights"]);
    let key = fixture.write("key", "0000");
    let key = key.to_str().unwrap();
    let begin = Instant::now();
    let run = fixture
        .json(&["hue", "lights", FIRST, "--app-key-file", key])
        .ends_with(5);
    assert!(
        begin.elapsed() < Duration::from_secs(60),
        "{:?}",
        begin.elapsed()
    );
    one_sentence(&run, "refused");
    assert!(run.stdout.contains("429"), "{run:?}");
}

#[test]
fn a_button_that_nobody_presses() {
    let fixture = HueFixture::unpressed(&["--model", "bsb001"]);
    let begin = Instant::now();
    let run = fixture
        .json(&["--timeout", "3s", "hue", "pair", FIRST])
        .ends_with(5);
    assert!(
        begin.elapsed() < Duration::from_secs(30),
        "{:?}",
        begin.elapsed()
    );
    one_sentence(&run, "refused");
    assert!(
        run.stdout.contains("error 101") && run.stderr.contains("round button"),
        "{run:?}"
    );
    assert!(!fixture.state().join("hue.json").exists());
}

#[test]
fn a_button_that_is_pressed_in_time() {
    let fixture = HueFixture::unpressed(&["--model", "bsb001", "--press-after", "2s"]);
    let run = fixture
        .json(&["--timeout", "20s", "hue", "pair", FIRST])
        .ends_with(0);
    assert!(run.stderr.contains("round button"), "{run:?}");
}

#[test]
fn a_file_of_keys_that_is_damaged_is_left_as_it_is() {
    let fixture = HueFixture::paired(&["--model", "bsb001", "--bulb", "near:1"]);
    let file = fixture.state().join("hue.json");
    std::fs::write(&file, "{ half").unwrap();
    for words in [
        &["hue", "lights", FIRST][..],
        &["hue", "pair", FIRST],
        &["hue", "forget", FIRST],
        &["--yes", "hue", "move", "1", "--from", FIRST, "--to", NOBODY],
    ] {
        let run = fixture.json(words).ends_with(7);
        one_sentence(&run, "local");
        assert!(run.stdout.contains("hue.json"), "{run:?}");
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "{ half");
    // A search needs no key.
    fixture
        .json(&["hue", "discover", "--wait", "1s"])
        .ends_with(0);
}

#[test]
fn without_an_interface_nobody_is_searched() {
    let fixture = HueFixture::empty();
    let search = |words: &[&str]| {
        crate::home::finish(
            fixture
                .command()
                .env_remove("MAINS_INTERFACE")
                .arg("--json")
                .args(words)
                .output(),
        )
    };
    one_sentence(&search(&["hue", "discover"]).ends_with(7), "local");
}

/// There is no internet here; that it is asked at all takes the flag. What replies at home is listed all the same.
#[test]
fn the_cloud_is_asked_only_with_the_flag() {
    let fixture = HueFixture::with(&[]);
    let words = ["hue", "discover", "--cloud", "--wait", "2s"];
    let run = fixture.json(&words).ends_with(0);
    assert_eq!(run.json().as_array().map(Vec::len), Some(1), "{run:?}");
    assert!(
        run.stderr.contains("warning: ") && run.stderr.contains("no reply"),
        "{run:?}"
    );
    let run = crate::home::finish(
        fixture
            .command()
            .env_remove("MAINS_INTERFACE")
            .arg("--json")
            .args(words)
            .output(),
    );
    one_sentence(&run.ends_with(4), "no_answer");
    let fixture = HueFixture::empty();
    let run = fixture
        .json(&["hue", "discover", "--wait", "1s"])
        .ends_with(0);
    assert_eq!(run.json(), serde_json::json!([]));
}

#[test]
fn a_bridge_that_stays_overloaded_is_told_from_a_silent_one_within_the_time_given() {
    let fixture = HueFixture::paired(&[
        "--model",
        "bsb001",
        "--no-announce",
        "--fault",
        "503=GET/lights",
    ]);
    let run = fixture
        .json(&["--timeout", "4s", "hue", "lights", FIRST])
        .ends_with(5);
    one_sentence(&run, "refused");
}
