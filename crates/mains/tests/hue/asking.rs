//! On a terminal: questions and their answers, and a line that counts down.

use std::time::Duration;

use expectrl::process::unix::WaitStatus;
use expectrl::session::OsSession;
use expectrl::{ControlCode, Eof, Expect, Session};

use crate::fixture::{FIRST, HueFixture, SECOND};

fn type_in(fixture: &HueFixture, words: &[&str]) -> OsSession {
    let mut command = fixture.command();
    command
        .args(words)
        .env("TERM", "xterm")
        .stdin(std::process::Stdio::inherit());
    let mut session = Session::spawn(command).unwrap();
    session.set_expect_timeout(Some(Duration::from_secs(30)));
    session
}

#[track_caller]
fn ends_with(mut session: OsSession, code: i32) {
    session.expect(Eof).unwrap();
    let status = session.get_process().wait().unwrap();
    assert!(
        matches!(status, WaitStatus::Exited(_, ended) if ended == code),
        "{status:?}"
    );
}

#[test]
fn a_certificate_is_shown_and_asked_about() {
    let fixture = HueFixture::with(&["--no-announce"]);
    let mut session = type_in(&fixture, &["hue", "pair", FIRST]);
    session.expect("SHA-256").unwrap();
    session.expect("Trust it from now on? [y/N]").unwrap();
    session.send_line("n").unwrap();
    session.expect("nothing was sent").unwrap();
    ends_with(session, 2);
    assert!(!fixture.state().join("hue.json").exists());
    let mut session = type_in(&fixture, &["hue", "pair", FIRST]);
    session.expect("[y/N]").unwrap();
    session.send_line("y").unwrap();
    session.expect("paired with").unwrap();
    ends_with(session, 0);
}

#[test]
fn the_button_is_waited_for_with_a_line_that_counts_down() {
    let fixture = HueFixture::unpressed(&["--model", "bsb001", "--press-after", "3s"]);
    let mut session = type_in(&fixture, &["hue", "pair", FIRST]);
    session
        .expect("press the round button on the bridge (5")
        .unwrap();
    session.expect("s left)").unwrap();
    session.expect("paired with").unwrap();
    ends_with(session, 0);
    // Ctrl-C while nobody presses.
    drop(fixture);
    let fixture = HueFixture::unpressed(&["--model", "bsb001"]);
    let mut session = type_in(&fixture, &["hue", "pair", FIRST]);
    session.expect("press the round button").unwrap();
    session.send(ControlCode::EndOfText).unwrap();
    session.expect("interrupted").unwrap();
    ends_with(session, 1);
}

#[test]
fn a_takeover_tells_what_to_do_before_it_asks() {
    let fixture = HueFixture::paired(&["--bulb", "near:foreign", "--no-announce"]);
    let mut session = type_in(&fixture, &["hue", "takeover", FIRST]);
    session.expect("30 cm").unwrap();
    session.expect("yours? [y/N]").unwrap();
    session.send_line("").unwrap();
    session.expect("not confirmed").unwrap();
    ends_with(session, 2);
    assert!(fixture.lights(FIRST).is_empty());
    let mut session = type_in(&fixture, &["hue", "takeover", FIRST]);
    session.expect("[y/N]").unwrap();
    session.send_line("yes").unwrap();
    session.expect("Hue color lamp 1").unwrap();
    ends_with(session, 0);
    assert_eq!(fixture.lights(FIRST).len(), 1);
}

#[test]
fn a_takeover_that_took_nothing_asks_before_it_tries_again() {
    let fixture = HueFixture::paired(&["--bulb", "far:foreign", "--no-announce"]);
    let mut session = type_in(&fixture, &["hue", "takeover", FIRST]);
    session.expect("[y/N]").unwrap();
    session.send_line("y").unwrap();
    session.expect("once more? [y/N]").unwrap();
    session.send_line("n").unwrap();
    session.expect("no new light appeared").unwrap();
    ends_with(session, 5);
}

#[test]
fn a_move_asks_which_light_and_before_it_deletes() {
    let fixture = HueFixture::paired(&["--count", "2", "--bulb", "near:1", "--no-announce"]);
    let verb = ["hue", "move", "1", "--from", FIRST, "--to", SECOND];
    let mut session = type_in(&fixture, &verb);
    session.expect("is blinking now").unwrap();
    session.expect("[y/N]").unwrap();
    session.send_line("y").unwrap();
    session.expect("will be deleted").unwrap();
    session.expect("Continue? [y/N]").unwrap();
    session.send_line("n").unwrap();
    session.expect("not confirmed").unwrap();
    ends_with(session, 2);
    assert_eq!(
        (fixture.lights(FIRST).len(), fixture.lights(SECOND).len()),
        (1, 0)
    );
    let mut session = type_in(&fixture, &verb);
    for _ in 0..2 {
        session.expect("[y/N]").unwrap();
        session.send_line("y").unwrap();
    }
    session.expect("is on bridge").unwrap();
    ends_with(session, 0);
    assert_eq!(
        (fixture.lights(FIRST).len(), fixture.lights(SECOND).len()),
        (0, 1)
    );
}
