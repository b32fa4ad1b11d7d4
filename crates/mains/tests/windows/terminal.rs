//! Questions in a console of Windows, which wine shows in a pseudo-terminal.

use std::process::Stdio;
use std::time::Duration;

use expectrl::process::unix::WaitStatus;
use expectrl::session::OsSession;
use expectrl::{Eof, Expect as _, Session};

use crate::bench::{WITHIN, WindowsBench};
use crate::setting_up::fresh;

const KEY: &str = "correct horse";

fn in_console(bench: &WindowsBench, words: &[&str]) -> OsSession {
    let mut command = bench.windows(words);
    command.env("TERM", "xterm");
    // The console is all three of its streams.
    command.stdin(Stdio::inherit());
    command.stdout(Stdio::inherit());
    command.stderr(Stdio::inherit());
    let mut session = Session::spawn(command).unwrap();
    session.set_expect_timeout(Some(WITHIN));
    session
}

/// Types an answer. The question is written before the console is ready for it.
fn answer(session: &mut OsSession, keys: &str) {
    std::thread::sleep(Duration::from_millis(500));
    session.send(keys).unwrap();
}

/// Waits for the end; returns the output since the last question, and the exit code.
fn rest(session: &mut OsSession) -> (String, i32) {
    let found = session.expect(Eof).unwrap();
    let output = String::from_utf8_lossy(found.as_bytes()).into_owned();
    match session.get_process().wait().unwrap() {
        WaitStatus::Exited(_, code) => (output, code),
        other => panic!("{other:?}: {output}"),
    }
}

#[test]
fn a_key_is_asked_for_and_not_shown() {
    let Some(mut bench) = WindowsBench::new() else {
        return;
    };
    let (address, mac) = fresh(&mut bench);
    let mut session = in_console(&bench, &["setup", "--module", &address]);
    session.expect("Which network is yours").unwrap();
    // The console moves its cursor over the blank.
    session.expect("]:").unwrap();
    answer(&mut session, "Home\r");
    session.expect("Key of 'Home'").unwrap();
    session.expect("open):").unwrap();
    answer(&mut session, &format!("{KEY}\r"));
    let (output, code) = rest(&mut session);
    assert_eq!(code, 0, "{output}");
    assert!(
        output.contains(&mac) && output.contains("confirmed"),
        "{output}"
    );
    assert!(!output.contains(KEY), "{output}");
    assert!(
        output.contains("\u{1b}[32m"),
        "a console has colours: {output}"
    );
}

#[test]
fn ctrl_c_at_a_hidden_question_changes_nothing() {
    let Some(mut bench) = WindowsBench::new() else {
        return;
    };
    let (address, _) = fresh(&mut bench);
    let words = ["setup", "--module", &address, "--ssid", "Home"];
    let mut session = in_console(&bench, &words);
    session.expect("open):").unwrap();
    answer(&mut session, "\u{3}");
    let (output, code) = rest(&mut session);
    assert_eq!(code, 1, "{output}");
    let mode = bench.json(&["at", &address, "WMODE"]).ends_with(0).json();
    assert_eq!(mode[0]["reply"], "+ok=AP");
}
