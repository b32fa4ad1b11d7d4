//! Questions and hidden answers, through a terminal.

use std::time::Duration;

use expectrl::process::unix::WaitStatus;
use expectrl::{Eof, Expect as _, Session};

use crate::bench::{HOME, KEY, SetupBench};

const EXPECT_TIMEOUT: Duration = Duration::from_secs(20);

fn in_terminal(bench: &SetupBench, words: &[&str]) -> expectrl::session::OsSession {
    in_terminal_of("dumb", bench, words)
}

fn in_terminal_of(kind: &str, bench: &SetupBench, words: &[&str]) -> expectrl::session::OsSession {
    let mut command = bench.mains(words);
    command.env("TERM", kind);
    // The terminal is all three of its streams.
    command.stdin(std::process::Stdio::inherit());
    command.stdout(std::process::Stdio::inherit());
    command.stderr(std::process::Stdio::inherit());
    let mut session = Session::spawn(command).unwrap();
    session.set_expect_timeout(Some(EXPECT_TIMEOUT));
    session
}

fn rest(session: &mut expectrl::session::OsSession) -> String {
    let found = session.expect(Eof).unwrap();
    String::from_utf8_lossy(found.as_bytes()).into_owned()
}

fn code(session: &expectrl::session::OsSession) -> i32 {
    match session.get_process().wait().unwrap() {
        WaitStatus::Exited(_, code) => code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_network_is_chosen_from_what_the_plug_sees_and_its_key_is_not_shown() {
    let mut bench = SetupBench::new(110);
    let words = [
        "--ap",
        "--home-network",
        "Home:correct horse",
        "--home-network",
        "Next door:secret of others",
    ];
    let (address, mac) = bench.emulate(2, &words).remove(0);
    let mut session = in_terminal(&bench, &["setup", "--module", &address]);
    let listed = session.expect("Which network is yours").unwrap();
    let list = String::from_utf8_lossy(listed.before()).into_owned();
    assert!(list.contains("Next door"), "{list}");
    session.expect("]: ").unwrap();
    session.send_line("99").unwrap();
    session.expect("please answer with a number").unwrap();
    session.expect("]: ").unwrap();
    // The last one is for a name that the plug does not see.
    session.send_line(number(&list, "another one")).unwrap();
    session.expect("Name of your Wi-Fi network").unwrap();
    session
        .send_line("a name that is much too long for any Wi-Fi")
        .unwrap();
    session.expect("Wi-Fi allows 32").unwrap();
    session.expect("Name of your Wi-Fi network").unwrap();
    session.send_line(HOME).unwrap();
    session.expect("Key of 'Home'").unwrap();
    session.send_line("1234567").unwrap();
    session.expect("8 to 63").unwrap();
    session.expect("Key of 'Home'").unwrap();
    session.send_line(KEY).unwrap();
    let output = rest(&mut session);
    assert_eq!(code(&session), 0, "{output}");
    assert!(output.contains(&mac), "{output}");
    assert!(output.contains("confirmed"), "{output}");
    assert!(!output.contains(KEY), "{output}");
}

/// The number before the line with this text.
fn number(list: &str, text: &str) -> String {
    let line = list.lines().find(|line| line.contains(text));
    let line = line.unwrap_or_else(|| panic!("no {text} in {list}"));
    line.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn an_open_network_that_the_plug_sees_needs_no_key() {
    let mut bench = SetupBench::new(113);
    let (address, mac) = bench.fresh(2, "Open house:", &["no-apsta"]);
    let mut session = in_terminal(&bench, &["setup", "--module", &address]);
    let listed = session.expect("Which network is yours").unwrap();
    let list = String::from_utf8_lossy(listed.before()).into_owned();
    session.expect("]: ").unwrap();
    session.send_line(number(&list, "Open house")).unwrap();
    let output = rest(&mut session);
    assert_eq!(code(&session), 0, "{output}");
    assert!(output.contains(&mac), "{output}");
}

#[test]
fn an_open_network_is_an_empty_answer() {
    let mut bench = SetupBench::new(111);
    let (address, _) = bench.fresh(2, "Open house:", &["no-apsta"]);
    let mut session = in_terminal(
        &bench,
        &["setup", "--module", &address, "--ssid", "Open house"],
    );
    session.expect("Key of 'Open house'").unwrap();
    session.send_line("").unwrap();
    let output = rest(&mut session);
    assert_eq!(code(&session), 0, "{output}");
}

#[test]
fn ctrl_c_at_a_question_ends_it_with_the_terminal_as_before() {
    let bench = SetupBench::new(112);
    let address = bench.address(2);
    let mut session = in_terminal(&bench, &["setup", "--module", &address, "--ssid", HOME]);
    session.expect("Key of").unwrap();
    session.send("\u{3}").unwrap();
    let output = rest(&mut session);
    assert_eq!(code(&session), 1, "{output}");
    assert!(output.contains("interrupted"), "{output}");
}

#[test]
fn another_key_can_be_typed_after_a_wrong_one_and_a_network_by_its_name() {
    let mut bench = SetupBench::new(114);
    let words = ["--ap", "--home-network", "Home:correct horse"];
    let (address, mac) = bench.emulate(2, &words).remove(0);
    let mut session = in_terminal(&bench, &["setup", "--module", &address]);
    // The plug takes its time to find out that a key is wrong.
    session.set_expect_timeout(Some(3 * EXPECT_TIMEOUT));
    session.expect("Which network is yours").unwrap();
    session.expect("]: ").unwrap();
    session.send_line(HOME).unwrap();
    session.expect("Key of 'Home'").unwrap();
    session.send_line("a wrong horse").unwrap();
    session.expect("warning:").unwrap();
    session.expect("Key of 'Home'").unwrap();
    session.send_line(KEY).unwrap();
    let output = rest(&mut session);
    assert_eq!(code(&session), 0, "{output}");
    // What comes next stands at the end.
    assert!(
        output.contains(&format!("mains name {mac} <NAME>")),
        "{output}"
    );
}

/// The time left is shown, also after an answered question.
#[test]
fn a_wait_for_the_plug_counts_down() {
    let mut bench = SetupBench::new(118);
    let key = bench.file("key", "another key");
    for (host, more, is_asked) in [(2, &["--key-file", &key][..], false), (3, &[], true)] {
        let (address, _) = bench.fresh(host, "Home:correct horse", &["no-apsta"]);
        let words = [
            "setup",
            "--module",
            &address,
            "--ssid",
            HOME,
            "--no-verify",
            "--wait",
            "9s",
        ];
        let mut session = in_terminal_of("xterm", &bench, &[&words[..], more].concat());
        if is_asked {
            session.expect("Key of 'Home'").unwrap();
            session.send_line("another key").unwrap();
        }
        session.expect("waiting for the plug (7 s left)").unwrap();
        session.expect("waiting for the plug (6 s left)").unwrap();
        rest(&mut session);
        assert_eq!(code(&session), 4);
    }
}
