//! Each exit code of the contract, from a real run. Code 8 is for hub, broker and database, which do not exist yet.

use std::net::UdpSocket;

use crate::home::{FinishedRun, Home};
use crate::scripted::{ScriptedPlug, scan_reply};

/// The kind in the JSON of a run: of the whole, or of the first plug that failed.
fn kind(run: &FinishedRun) -> Option<String> {
    let json = run.json();
    let failed = json
        .as_array()
        .and_then(|array| array.iter().find(|element| element.get("error").is_some()));
    let error = failed.unwrap_or(&json).get("error")?;
    assert!(error["message"].is_string(), "{json}");
    assert!(
        error["hint"].is_string() || error["hint"].is_null(),
        "{json}"
    );
    Some(error["kind"].as_str().unwrap().to_owned())
}

#[track_caller]
fn check(home: &Home, words: &[&str], code: i32, expected: Option<&str>) {
    let run = home.json(words).ends_with(code);
    assert_eq!(kind(&run).as_deref(), expected, "{run:?}");
    // For people: the same code, and the reason on stderr alone.
    let run = home.run(words).ends_with(code);
    assert_eq!(run.stderr.contains("error: "), code != 0, "{run:?}");
    assert!(!run.stdout.contains("error: "), "{run:?}");
}

#[test]
fn every_code_has_its_kind() {
    let home = Home::with_network();
    let obedient = ScriptedPlug::obedient([127, 26, 0, 1]);
    let stuck = {
        let udp = |_: &str, _| Some(scan_reply([127, 26, 0, 5], false));
        ScriptedPlug::start(
            [127, 26, 0, 5],
            Box::new(udp),
            Some(Box::new(|_, _| Some("+ok\r\n\r\n".to_owned()))),
        )
    };
    let babbling = {
        let udp = |_: &str, _| Some(scan_reply([127, 26, 0, 6], false));
        ScriptedPlug::start(
            [127, 26, 0, 6],
            Box::new(udp),
            Some(Box::new(|_, _| Some("\u{7}what?".to_owned()))),
        )
    };
    check(&home, &["on", &obedient.target()], 0, None);
    check(&home, &["on", "--nonsense"], 2, Some("usage"));
    check(&home, &["on", "nobody"], 3, Some("not_found"));
    check(&home, &["on", "127.26.0.4"], 4, Some("no_answer"));
    check(&home, &["on", &stuck.target()], 5, Some("refused"));
    check(&home, &["meter", &babbling.target()], 6, Some("bad_answer"));
    let taken = UdpSocket::bind("127.0.0.1:48899").unwrap();
    check(
        &home,
        &["--timeout", "2s", "status", &obedient.target()],
        7,
        Some("local"),
    );
    drop(taken);
    check(&home, &["status", &obedient.target()], 0, None);
}

#[test]
fn what_has_no_kind_of_its_own_is_1() {
    let home = Home::new();
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = home
        .command()
        .args(["completions", "bash"])
        .stdout(full)
        .output();
    assert_eq!(crate::home::finish(output).code, 1);
}

#[test]
fn a_plug_cannot_steer_the_terminal() {
    let home = Home::with_network();
    let address = [127, 26, 1, 1];
    let udp = move |_: &str, _| {
        Some("127.26.1.1,ACCF23123456,9\u{1b}[2J21,0,1,\u{1b}]0;x\u{7}".to_owned())
    };
    let tcp = |_: &str, _| Some("+ok=1.0\u{1b}[31m evil\u{202e}\r\n\r\n".to_owned());
    let plug = ScriptedPlug::start(address, Box::new(udp), Some(Box::new(tcp)));
    for words in [
        ["status", "127.26.1.1"],
        ["version", "127.26.1.1"],
        ["meter", "127.26.1.1"],
        ["on", "127.26.1.1"],
    ] {
        let run = home.run(&words);
        let unsafe_bytes = |text: &str| text.contains(['\u{1b}', '\u{7}', '\u{202e}']);
        assert!(
            !unsafe_bytes(&run.stdout) && !unsafe_bytes(&run.stderr),
            "{run:?}"
        );
    }
    assert!(!plug.requests().is_empty());
}

#[test]
fn the_timeout_bounds_every_plug() {
    let home = Home::with_network();
    let begin = std::time::Instant::now();
    let run = home
        .json(&["--timeout", "300ms", "on", "127.26.2.1", "127.26.2.2"])
        .ends_with(4);
    assert!(
        begin.elapsed() < std::time::Duration::from_millis(4500),
        "{:?}",
        begin.elapsed()
    );
    let json = run.json();
    assert_eq!(json.as_array().unwrap().len(), 2);
    for element in json.as_array().unwrap() {
        assert_eq!(element["error"]["kind"], "no_answer");
    }
}

/// Some firewalls let the plug's TCP port through and keep its datagrams out.
#[test]
fn a_plug_that_is_silent_on_udp_is_told_over_tcp() {
    let home = Home::with_network();
    let address = [127, 26, 3, 1];
    let tcp = |request: &str, _| Some(crate::scripted::standard_reply(request));
    let plug = ScriptedPlug::start(address, Box::new(|_, _| None), Some(Box::new(tcp)));
    let target = plug.target();
    let element = |words: &[&str], code| home.json(words).ends_with(code).json()[0].clone();
    let reading = element(&["meter", &target], 0);
    assert_eq!(
        (reading["plug"].as_str(), reading["energy_wh"].as_u64()),
        (Some("127.26.3.1"), Some(3548))
    );
    assert_eq!(element(&["version", &target], 0)["plug"], "127.26.3.1");
    assert_eq!(
        home.json(&["delay", &target, "off", "2h"])
            .ends_with(0)
            .json()["minutes"],
        120
    );
    assert_eq!(element(&["off", &target], 4)["confirmed"], false);
    assert!(
        plug.requests()
            .iter()
            .any(|request| request.starts_with("AT+YZSWITCH=1,OFF,"))
    );
    // What needs the datagrams cannot be done.
    assert_eq!(
        element(&["status", &target], 4)["error"]["kind"],
        "no_answer"
    );
    assert_eq!(
        element(&["toggle", &target], 4)["error"]["kind"],
        "no_answer"
    );
    assert!(
        !plug
            .requests()
            .iter()
            .any(|request| request.starts_with("AT+YZSWITCH=1,ON,"))
    );
}

#[test]
fn refusal_and_babble_over_tcp_alone_are_told_as_such() {
    let home = Home::with_network();
    for (last, reply, code) in [(1, "+ERROR\r\n\r\n", 5), (2, "<html>", 6)] {
        let tcp = move |_: &str, _| Some(reply.to_owned());
        let plug = ScriptedPlug::start(
            [127, 26, 4, last],
            Box::new(|_, _| None),
            Some(Box::new(tcp)),
        );
        home.json(&["meter", &plug.target()]).ends_with(code);
        home.json(&["on", &plug.target()]).ends_with(code);
    }
}
