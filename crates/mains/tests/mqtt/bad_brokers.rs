//! Brokers that misbehave, and wrong settings: each has a clear word, and the hub goes on.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use nix::sys::signal::Signal;

use crate::broker::{Broker, PLAIN, PORT, connected, home_with_plugs, mosquitto, status};
use crate::house::{Hub, eventually};
use crate::needs::met;
use crate::proxy::{self, Behaviour, THROUGH_PROXY};

/// Starts a broker that does this with each connection.
fn scripted(serve: impl Fn(TcpStream) + Send + Sync + Clone + 'static) {
    let listener = TcpListener::bind(("127.0.0.1", PORT)).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let serve = serve.clone();
            std::thread::spawn(move || serve(stream));
        }
    });
}

/// Runs a hub against a broker until its status has these words.
#[track_caller]
fn shows(words: &str, serve: impl Fn(TcpStream) + Send + Sync + Clone + 'static) {
    let home = home_with_plugs(PLAIN);
    scripted(serve);
    let hub = Hub::start(&home, &[]);
    eventually(words, || {
        status(&home)["error"]
            .as_str()
            .is_some_and(|it| it.contains(words))
    });
    home.json(&["toggle", "127.77.0.1"]).ends_with(0);
    home.json(&["hub", "plugs"]).ends_with(0);
    let (status, _, log) = hub.end(Signal::SIGTERM);
    assert_eq!(status.code(), Some(0));
    assert!(log.contains(words), "{words}: {log}");
    // A few attempts, not hundreds.
    assert!(
        log.lines()
            .filter(|line| line.contains("MQTT broker"))
            .count()
            < 8,
        "{log}"
    );
}

#[test]
fn one_that_closes_at_once() {
    // The system may call it a reset.
    shows("the connection", drop);
}

#[test]
fn one_that_sends_garbage() {
    shows("not MQTT", |mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    });
}

#[test]
fn one_that_never_answers() {
    shows("did not reply in time", |mut stream| {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    });
}

#[test]
fn one_that_grants_nothing() {
    shows(
        "refused the subscription to `mains/+/relay/set`",
        |mut stream| {
            let mut first = [0; 1024];
            let _ = stream.read(&mut first);
            let _ = stream.write_all(&[0x20, 3, 0, 0, 0]);
            // The identifier of the subscription is the first one: no topic is granted.
            let _ = stream.write_all(&[0x90, 7, 0, 1, 0, 0x87, 0x87, 0x87, 0x87]);
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest);
        },
    );
}

#[test]
fn one_that_is_not_there() {
    let home = home_with_plugs(PLAIN);
    let hub = Hub::start(&home, &[]);
    eventually("the reason is shown", || {
        status(&home)["error"]
            .as_str()
            .is_some_and(|it| it.contains("127.0.0.1:1883"))
    });
    let run = home.json(&["mqtt", "check"]).ends_with(8);
    let steps = run.json()["steps"].clone();
    assert_eq!(steps[0]["step"], "resolve");
    assert_eq!(
        (&steps[1]["step"], &steps[1]["ok"]),
        (&"connect".into(), &false.into())
    );
    assert_eq!(steps[2], serde_json::Value::Null);
    let run = home
        .json(&["mqtt", "check", "mqtt://broker.invalid"])
        .ends_with(8);
    assert_eq!(run.json()["steps"][0]["ok"], false);
    assert_eq!(hub.end(Signal::SIGTERM).0.code(), Some(0));
}

#[test]
fn one_that_speaks_an_older_version() {
    let Some(()) = met(mosquitto()) else { return };
    let home = home_with_plugs(THROUGH_PROXY);
    let _broker = Broker::open(&home);
    let behaviour = std::sync::Arc::new(Behaviour::default());
    behaviour
        .refuses_5
        .store(true, std::sync::atomic::Ordering::Relaxed);
    proxy::start(behaviour);
    let check = home.json(&["mqtt", "check"]).ends_with(0).json();
    assert_eq!(check["steps"][3]["detail"], "MQTT 3.1.1");
    let hub = Hub::start(&home, &[]);
    connected(&home);
    assert_eq!(status(&home)["version"], "3.1.1");
    assert_eq!(hub.end(Signal::SIGTERM).0.code(), Some(0));
}

#[test]
fn settings_that_cannot_be_are_named_with_their_line() {
    let home = home_with_plugs("");
    for (lines, words) in [
        ("url = \"mqtt://nas\"\nbase = \"mains/#\"", "wildcards"),
        ("url = \"mqtt://nas\"\nbase = \"+\"", "wildcards"),
        ("url = \"mqtt://nas\"\nbase = \"/mains\"", "level is empty"),
        (
            "url = \"mqtt://nas\"\ndiscovery = \"yes\"",
            "`entity`, `device` or `off`",
        ),
        (
            "url = \"mqtt://me:secret@nas\"\nbase = \"x\"",
            "`password_file`",
        ),
        ("url = \"mqtt://nas\"\npassword = \"x\"", "password"),
    ] {
        crate::broker::configure(&home, lines);
        let run = home.run(&["serve"]).ends_with(2);
        let line = if lines.contains("secret") { 6 } else { 7 };
        assert!(
            run.stderr.contains(&format!("mains.toml:{line}: ")),
            "{run:?}"
        );
        assert!(run.stderr.contains(words), "{run:?}");
    }
    crate::broker::configure(&home, "url = \"mqtt://nas\"\nca_file = \"ca.pem\"");
    let run = home.json(&["mqtt", "check"]).ends_with(2);
    assert!(run.stdout.contains("mqtts://"), "{run:?}");
    crate::broker::configure(&home, "");
    assert_eq!(
        home.json(&["mqtt", "check"]).ends_with(2).error_kind(),
        "usage"
    );
}
