//! A key is nowhere but in the file of keys: not in what is printed, logged or shown, not in an argument, not in a file that
//! others can read.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::fixture::{FIRST, HueFixture, SECOND};

/// Every verb that has to do with a key, in an order that leaves each something to do.
const VERBS: [&[&str]; 14] = [
    &["hue", "discover", "--wait", "500ms"],
    &["hue", "lights", FIRST],
    &["hue", "lights", "001788fffe000001"],
    &["hue", "search", FIRST],
    &["hue", "takeover", FIRST],
    &["hue", "takeover", FIRST, "--serial", "000000"],
    &["hue", "identify", FIRST, "1"],
    &["hue", "clip", FIRST, "get", "lights"],
    &[
        "hue",
        "clip",
        FIRST,
        "put",
        "config",
        "{\"touchLink\":true}",
    ],
    &["hue", "clip", FIRST, "get", "no/such/path"],
    &["hue", "clip", FIRST, "get", "/clip/v2/resource/device"],
    &["hue", "move", "1", "--from", FIRST, "--to", SECOND],
    &["hue", "pair", FIRST, "--trust-certificate"],
    &["hue", "forget", FIRST],
];

fn keys(fixture: &HueFixture) -> Vec<String> {
    let kept = std::fs::read_to_string(fixture.state().join("hue.json")).unwrap();
    let is_key = |word: &&str| {
        word.len() >= 32
            && word
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    // Fingerprints of certificates have 64 digits, and are no secret.
    let words = kept
        .split('"')
        .filter(is_key)
        .filter(|word| word.len() != 64);
    words.map(str::to_owned).collect()
}

fn nothing_shows_a_key(model: &str, options: &[&str]) {
    let fixture = HueFixture::paired(&[
        "--model",
        model,
        "--count",
        "2",
        "--mac",
        "00:17:88:00:00:01",
        "--bulb",
        "near:1",
        "--bulb",
        "near:foreign",
    ]);
    let keys = keys(&fixture);
    assert!(keys.len() >= 2, "{keys:?}");
    let typed = format!("/api/{}/lights", keys[0]);
    let typed: &[&str] = &["hue", "clip", FIRST, "get", &typed];
    for verb in [typed].iter().chain(&VERBS) {
        let run = fixture.run(&[&["--yes", "-vv"], options, verb].concat());
        for key in &keys {
            assert!(
                !run.stdout.contains(key) && !run.stderr.contains(key),
                "{verb:?}: {run:?}"
            );
        }
        // Calls are logged, so this looks at something.
        let is_call = verb.contains(&FIRST) && !verb.contains(&"forget");
        assert!(
            !is_call || run.stderr.contains("DEBUG hue::net"),
            "{verb:?}: {run:?}"
        );
    }
    for entry in std::fs::read_dir(fixture.state()).unwrap().flatten() {
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
        let name = entry.file_name();
        assert_eq!(mode & 0o077, 0, "{name:?}");
        assert!(
            name == "hue.json" || keys.iter().all(|key| !text.contains(key)),
            "{name:?}"
        );
    }
}

#[test]
fn no_verb_shows_a_key_to_a_person() {
    nothing_shows_a_key("bsb001", &[]);
}

#[test]
fn no_verb_shows_a_key_to_a_program() {
    nothing_shows_a_key("bsb002", &["--json"]);
}

#[test]
fn a_bridge_that_repeats_the_path_does_not_bring_the_key_out() {
    for fault in [
        "html=GET/lights",
        "status=404GET/lights",
        "half=GET/lights",
        "garbage=GET/lights",
    ] {
        let fixture = HueFixture::paired(&["--model", "bsb001", "--fault", fault]);
        let key = fixture.kept_key();
        let run = fixture.run(&["-vv", "hue", "lights", FIRST]);
        assert_ne!(run.code, 0, "{fault}: {run:?}");
        assert!(
            !run.stdout.contains(&key) && !run.stderr.contains(&key),
            "{fault}: {run:?}"
        );
    }
}

/// A page for "not found" that quotes what was asked for.
#[test]
fn an_echo_of_the_path_is_masked() {
    use std::io::{Read, Write};
    let fixture = HueFixture::empty();
    let listener = std::net::TcpListener::bind("127.94.9.1:80").unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut buffer = [0; 4096];
            let read = stream.read(&mut buffer).unwrap_or(0);
            let request = String::from_utf8_lossy(&buffer[..read]).into_owned();
            let path = request.split(' ').nth(1).unwrap_or_default();
            let body = match path {
                "/api/config" => r#"{"name":"x","swversion":"01032318","apiversion":"1.13.0","bridgeid":"001788FFFE0A0B0C","modelid":"BSB001"}"#.to_owned(),
                path => format!("<html>{path} was not found</html>"),
            };
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    let key = fixture.write("key", "VERYSECRETVERYSECRETVERYSECRET");
    let key = key.to_str().unwrap();
    for words in [
        &["hue", "lights"][..],
        &["hue", "search"],
        &["--yes", "hue", "takeover"],
        &["hue", "pair"],
    ] {
        let run = fixture.run(&[&["-vv"], words, &["127.94.9.1", "--app-key-file", key]].concat());
        assert_eq!(run.code, 6, "{run:?}");
        assert!(
            !run.stderr.contains("VERYSECRET") && !run.stdout.contains("VERYSECRET"),
            "{run:?}"
        );
    }
    let run = fixture
        .run(&[
            "-vv",
            "hue",
            "clip",
            "127.94.9.1",
            "get",
            "lights",
            "--app-key-file",
            key,
        ])
        .ends_with(6);
    assert!(!run.stderr.contains("VERYSECRET"), "{run:?}");
    // Typed into the path, as the bridge's own page wants it, and anywhere else.
    for (path, given) in [
        ("/api/VERYSECRETVERYSECRETVERYSECRET/lights", &[][..]),
        (
            "/debug?VERYSECRETVERYSECRETVERYSECRET",
            &["--app-key-file", key],
        ),
    ] {
        let run = fixture
            .run(&[&["hue", "clip", "127.94.9.1", "get", path], given].concat())
            .ends_with(6);
        assert!(run.stderr.contains("<key>"), "{run:?}");
        assert!(!run.stderr.contains("VERYSECRET"), "{run:?}");
    }
}

#[test]
fn a_key_is_in_no_argument_and_no_core() {
    let fixture = HueFixture::paired(&["--model", "bsb001", "--fault", "hang=GET/lights"]);
    let key = fixture.kept_key();
    let mut child = fixture
        .command()
        .args(["hue", "lights", FIRST])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let process = format!("/proc/{}", child.id());
    let begin = Instant::now();
    let limits = loop {
        let limits = std::fs::read_to_string(format!("{process}/limits")).unwrap_or_default();
        let core = limits
            .lines()
            .find(|line| line.starts_with("Max core file size"));
        if core.is_some_and(|line| line.split_whitespace().nth(4) == Some("0")) {
            break limits;
        }
        assert!(begin.elapsed() < Duration::from_secs(30), "{limits}");
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(!limits.is_empty());
    let arguments = std::fs::read(format!("{process}/cmdline")).unwrap();
    assert!(!String::from_utf8_lossy(&arguments).contains(&key));
    child.kill().unwrap();
    child.wait().unwrap();
}
