//! Terminals: questions, waiting for Enter, Ctrl-C.

use std::time::Duration;

use expectrl::process::unix::WaitStatus;
use expectrl::session::OsSession;
use expectrl::{ControlCode, Eof, Expect, Regex, Session};

use crate::home::{Home, finish};

fn demo(home: &Home) -> OsSession {
    let mut command = home.command();
    command
        .args(["demo", "--tour"])
        .stdin(std::process::Stdio::inherit());
    let mut session = Session::spawn(command).unwrap();
    // A step of the tour runs several commands.
    session.set_expect_timeout(Some(Duration::from_secs(120)));
    session
}

#[track_caller]
fn ends_with_0(mut session: OsSession) {
    session.expect(Eof).unwrap();
    let status = session.get_process().wait().unwrap();
    assert!(matches!(status, WaitStatus::Exited(_, 0)), "{status:?}");
}

#[test]
fn the_tour_waits_and_the_home_stays_up_until_ctrl_c() {
    let home = Home::with_network();
    let mut session = demo(&home);
    loop {
        let found = session
            .expect(expectrl::Any::boxed(vec![
                Box::new("Enter goes on"),
                Box::new("The home stays up"),
            ]))
            .unwrap();
        if found.as_bytes().starts_with(b"The home")
            || found
                .get(0)
                .is_some_and(|text| text.starts_with(b"The home"))
        {
            break;
        }
        session.send_line("").unwrap();
    }
    let told = session.expect(Regex(r"MAINS_STATE=(\S+) ")).unwrap();
    let state = String::from_utf8(told.get(1).unwrap().to_vec()).unwrap();
    session
        .expect("http://127.0.0.1:8480/login?token=")
        .unwrap();
    session.expect("Ctrl-C ends it").unwrap();
    // Another terminal sees the home, and the hub that keeps it.
    let elsewhere = |words: &[&str]| {
        let run = home
            .command()
            .env("MAINS_STATE", &state)
            .args(words)
            .output();
        finish(run).ends_with(0).json()
    };
    let fridge = elsewhere(&["--json", "status", "127.77.0.2"]);
    assert_eq!(fridge[0]["relay"], "on");
    let plugs = elsewhere(&["--json", "hub", "plugs"]);
    assert_eq!(plugs.as_array().unwrap().len(), 5);
    session.send(ControlCode::EndOfText).unwrap();
    ends_with_0(session);
}

#[test]
fn the_tour_can_be_left_at_any_step() {
    let home = Home::with_network();
    let mut session = demo(&home);
    session.expect("Enter goes on").unwrap();
    session.send_line("q").unwrap();
    ends_with_0(session);
    let mut session = demo(&home);
    session.expect("Enter goes on").unwrap();
    session.send(ControlCode::EndOfText).unwrap();
    ends_with_0(session);
}

#[test]
fn a_long_wait_shows_a_spinner() {
    let home = Home::with_network();
    let _silent = std::net::UdpSocket::bind("127.0.0.40:48899").unwrap();
    let wait = |words: &[&str]| {
        let mut command = home.command();
        command.args(words).env("TERM", "xterm");
        command.stdin(std::process::Stdio::inherit());
        let mut session = Session::spawn(command).unwrap();
        session.set_expect_timeout(Some(Duration::from_secs(30)));
        let shown = session.expect(Eof).unwrap();
        String::from_utf8_lossy(shown.as_bytes()).into_owned()
    };
    let shown = wait(&["status", "127.0.0.40"]);
    assert!(shown.contains("waiting for replies (1s)"), "{shown}");
    for silent in ["--quiet", "--json"] {
        let shown = wait(&[silent, "status", "127.0.0.40"]);
        assert!(!shown.contains("waiting"), "{shown}");
    }
}

#[test]
fn plugs_are_named_on_a_walk() {
    let mut home = Home::with_network();
    home.emulate(&["--listen", "127.24.1.1", "--count", "2"], 2);
    home.json(&["name", "--walk"]).ends_with(2);
    home.json(&["name", "--walk", "127.24.1.1"]).ends_with(2);
    let mut command = home.command();
    command
        .args(["name", "--walk"])
        .stdin(std::process::Stdio::inherit());
    let mut session = Session::spawn(command).unwrap();
    session.set_expect_timeout(Some(Duration::from_secs(40)));
    session.expect("plug 1 of 2: AC:CF:23:").unwrap();
    session.expect("Its name").unwrap();
    session.send_line("!").unwrap();
    session.expect("Its name").unwrap();
    session.send_line("kitchen").unwrap();
    session.expect("plug 2 of 2").unwrap();
    session.expect("Its name").unwrap();
    session.send_line("Kitchen").unwrap();
    session.expect("belongs to the plug").unwrap();
    session.expect("Its name").unwrap();
    session.send_line("").unwrap();
    ends_with_0(session);
    home.json(&["on", "kitchen"]).ends_with(0);
}
