//! `mains at` in a terminal: editing, completion, history, and leaving.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use expectrl::process::unix::{Signal, WaitStatus};
use expectrl::session::OsSession;
use expectrl::{ControlCode, Eof, Expect, Session};
use nix::sys::termios::{LocalFlags, tcgetattr};

use crate::home::Home;
use crate::module::{ConsoleModule, usual};

const PLUG: [u8; 4] = [127, 0, 0, 2];
const PROMPT: &str = "127.0.0.2> ";

/// The console in a terminal of its own, at its first prompt.
fn start(home: &Home, words: &[&str]) -> OsSession {
    let mut command = home.command();
    command
        .env("TERM", "xterm")
        .stdin(Stdio::inherit())
        .args(["--color", "never", "at"])
        .args(words);
    let mut terminal = Session::spawn(command).unwrap();
    terminal.set_expect_timeout(Some(Duration::from_secs(30)));
    terminal.expect(PROMPT).unwrap();
    terminal
}

/// Waits for the end; returns the exit code.
fn end(terminal: &mut OsSession) -> i32 {
    terminal.expect(Eof).unwrap();
    match terminal.get_process().wait().unwrap() {
        WaitStatus::Exited(_, code) => code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn lines_are_sent_and_answers_shown() {
    let home = Home::with_network();
    let module = ConsoleModule::with_session(PLUG, usual);
    let mut terminal = start(&home, &["127.0.0.2"]);
    terminal.send_line("mid").unwrap();
    terminal.expect("+ok=HF-LPB100\r\n").unwrap();
    terminal.expect(PROMPT).unwrap();
    // A refusal is told and ends nothing.
    terminal.send_line("NOPE").unwrap();
    terminal.expect("+ERR=-2").unwrap();
    terminal.expect("was refused").unwrap();
    terminal.expect(PROMPT).unwrap();
    terminal.send_line("RELD").unwrap();
    terminal.expect("--dangerous").unwrap();
    terminal.expect(PROMPT).unwrap();
    terminal.send_line("quit").unwrap();
    assert_eq!(end(&mut terminal), 0);
    module.is_left();
    assert!(!module.heard().iter().any(|heard| heard.contains("RELD")));
}

#[test]
fn pasted_lines_are_all_sent() {
    let home = Home::with_network();
    let module = ConsoleModule::with_session(PLUG, usual);
    let mut terminal = start(&home, &["127.0.0.2"]);
    terminal.send("MID\rWMODE\rWSCAN\rMID\rquit\r").unwrap();
    assert_eq!(end(&mut terminal), 0);
    let heard = module.heard();
    for line in [r"AT+MID\r", r"AT+WMODE\r", r"AT+WSCAN\r"] {
        assert!(heard.contains(&line.to_owned()), "{line}: {heard:?}");
    }
    module.is_left();
}

#[test]
fn verbs_are_completed_and_explained() {
    let home = Home::with_network();
    let module = ConsoleModule::with_session(PLUG, usual);
    let mut terminal = start(&home, &["127.0.0.2"]);
    terminal.send("wmo").unwrap();
    // The hint shows the rest and what the verb is for.
    terminal.expect("de[=…]").unwrap();
    terminal.send("\t\r").unwrap();
    terminal.expect("+ok=STA").unwrap();
    terminal.expect(PROMPT).unwrap();
    terminal.send_line("help WSKEY").unwrap();
    terminal.expect("AT+WSKEY").unwrap();
    terminal.expect(PROMPT).unwrap();
    terminal.send_line("help").unwrap();
    terminal.expect("WSSSID").unwrap();
    terminal.expect(PROMPT).unwrap();
    terminal.send(ControlCode::EndOfTransmission).unwrap();
    assert_eq!(end(&mut terminal), 0);
    assert!(
        module.heard().contains(&r"AT+WMODE\r".to_owned()),
        "{:?}",
        module.heard()
    );
    module.is_left();
}

#[test]
fn the_history_is_kept_without_keys() {
    let home = Home::with_network();
    let module = ConsoleModule::with_session(PLUG, usual);
    let mut terminal = start(&home, &["127.0.0.2"]);
    for line in [
        "MID",
        "WSKEY=WPA2PSK,AES,correct horse",
        "at+wakey=wpa2psk,aes,correct horse",
        "WSKEY =OPEN,NONE,horse",
    ] {
        terminal.send_line(line).unwrap();
        terminal.expect("+ok").unwrap();
        terminal.expect(PROMPT).unwrap();
    }
    terminal.send_line("not a command, horse").unwrap();
    // The prompt alone would be the one that editing draws again with each character.
    terminal.expect("invalid verb").unwrap();
    terminal.expect(PROMPT).unwrap();
    terminal.send_line("quit").unwrap();
    assert_eq!(end(&mut terminal), 0);
    assert!(
        module
            .heard()
            .contains(&r"AT+WSKEY=WPA2PSK,AES,correct horse\r".to_owned())
    );

    let file = home.state().join("at-history");
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(
        text,
        "#V2\nAT+MID\nAT+WSKEY=WPA2PSK,AES,***\nAT+WAKEY=wpa2psk,aes,***\nAT+WSKEY=OPEN,NONE,***\n"
    );
    assert_eq!(
        std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(
        std::fs::metadata(home.state())
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o700
    );

    // The next session has it: the last line but one, whose key is asked for again and not shown.
    let mut terminal = start(&home, &["127.0.0.2"]);
    terminal.send("\x1b[A\x1b[A\r").unwrap();
    terminal
        .expect("Secret for AT+WAKEY=wpa2psk,aes,***: ")
        .unwrap();
    terminal.send_line("battery staple").unwrap();
    let shown = terminal.expect("+ok").unwrap();
    assert!(!String::from_utf8_lossy(shown.before()).contains("battery"));
    terminal.expect(PROMPT).unwrap();
    terminal.send_line("quit").unwrap();
    assert_eq!(end(&mut terminal), 0);
    assert!(
        module
            .heard()
            .contains(&r"AT+WAKEY=wpa2psk,aes,battery staple\r".to_owned()),
        "{:?}",
        module.heard()
    );
    assert!(!std::fs::read_to_string(&file).unwrap().contains("battery"));
}

#[test]
fn ctrl_c_at_the_prompt_and_during_a_command_leaves_the_session() {
    let home = Home::with_network();
    let module = ConsoleModule::with_session(PLUG, |line| {
        if line == "AT+WSCAN" {
            Vec::new()
        } else {
            usual(line)
        }
    });
    let mut terminal = start(&home, &["127.0.0.2"]);
    terminal.send("half a li").unwrap();
    terminal.send(ControlCode::EndOfText).unwrap();
    assert_eq!(end(&mut terminal), 0);
    module.is_left();

    let left = || {
        let heard = module.heard();
        heard.iter().filter(|line| *line == r"AT+Q\r").count()
    };
    let before = left();
    let mut terminal = start(&home, &["127.0.0.2"]);
    terminal.send_line("WSCAN").unwrap();
    module.hears(r"AT+WSCAN\r");
    terminal.send(ControlCode::EndOfText).unwrap();
    assert_eq!(end(&mut terminal), 1);
    let begin = Instant::now();
    while left() == before {
        let heard = module.heard();
        assert!(begin.elapsed() < Duration::from_secs(5), "{heard:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_signal_at_the_prompt_leaves_the_session_and_the_terminal_in_order() {
    let home = Home::with_network();
    let module = ConsoleModule::with_session(PLUG, usual);
    let mut terminal = start(&home, &["127.0.0.2"]);
    let modes = terminal.get_process().get_raw_handle().unwrap();
    let collects_lines = || {
        tcgetattr(&modes)
            .unwrap()
            .local_flags
            .contains(LocalFlags::ICANON)
    };
    assert!(!collects_lines(), "the editor reads key by key");
    terminal.get_process_mut().signal(Signal::SIGTERM).unwrap();
    assert_eq!(end(&mut terminal), 1);
    assert!(collects_lines());
    module.is_left();
}

#[test]
fn a_history_that_cannot_be_kept_is_no_obstacle() {
    let home = Home::with_network();
    let module = ConsoleModule::with_session(PLUG, usual);
    std::fs::create_dir_all(home.state().join("at-history")).unwrap();
    let mut command = home.command();
    command
        .env("TERM", "xterm")
        .stdin(Stdio::inherit())
        .args(["at", "127.0.0.2"]);
    let mut terminal = Session::spawn(command).unwrap();
    terminal.set_expect_timeout(Some(Duration::from_secs(30)));
    terminal
        .expect("connected to HF-LPB100 (AC:CF:23:12:34:56) at 127.0.0.2")
        .unwrap();
    terminal.expect("cannot keep the history").unwrap();
    terminal.expect(PROMPT).unwrap();
    terminal.send_line("quit").unwrap();
    assert_eq!(end(&mut terminal), 0);
    module.is_left();
}

#[test]
fn a_key_that_the_command_line_leaves_out_is_asked_for() {
    let home = Home::with_network();
    let module = ConsoleModule::with_session(PLUG, usual);
    let mut command = home.command();
    command
        .stdin(Stdio::inherit())
        .args(["at", "127.0.0.2", "WSKEY=WPA2PSK,AES,?"]);
    let mut terminal = Session::spawn(command).unwrap();
    terminal.set_expect_timeout(Some(Duration::from_secs(30)));
    terminal.expect("WSKEY").unwrap();
    terminal.send_line("correct horse").unwrap();
    terminal.expect("+ok").unwrap();
    assert_eq!(end(&mut terminal), 0);
    let sent = r"AT+WSKEY=WPA2PSK,AES,correct horse\r".to_owned();
    assert!(module.heard().contains(&sent), "{:?}", module.heard());
    // Without a terminal there is nobody to ask.
    let run = home.json(&["at", "127.0.0.2", "WSKEY=WPA2PSK,AES,?"]);
    assert_eq!(run.ends_with(2).error_kind(), "usage");
}
