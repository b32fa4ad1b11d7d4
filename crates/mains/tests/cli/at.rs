//! `mains at` with commands as arguments and on standard input.

use std::io::Write;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::home::{FinishedRun, Home, finish};
use crate::module::{ConsoleModule, one, usual};

const PLUG: [u8; 4] = [127, 0, 0, 2];

fn with_input(home: &Home, words: &[&str], input: &[u8]) -> FinishedRun {
    let mut child = spawn(home, words, Stdio::piped());
    // Ended before it has read everything: fine.
    let _ = child.stdin.take().unwrap().write_all(input);
    finish(child.wait_with_output())
}

fn spawn(home: &Home, words: &[&str], stdin: Stdio) -> Child {
    home.command()
        .args(words)
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn a_session_on_udp_byte_by_byte() {
    let home = Home::with_network();
    let module = ConsoleModule::with_session(PLUG, usual);
    let run = home
        .json(&["at", &module.target(), "MID", "at+ver", "AT+WMODE"])
        .ends_with(0);
    assert_eq!(
        run.stdout,
        concat!(
            r#"[{"command":"AT+MID","reply":"+ok=HF-LPB100"},"#,
            r#"{"command":"AT+VER","reply":"+ok=4.12.17 (2019-01-09 10:30 1M)"},"#,
            r#"{"command":"AT+WMODE","reply":"+ok=STA"}]"#,
            "\n"
        )
    );
    module.is_left();
    let heard = module.heard();
    let at = |datagram: &str| heard.iter().position(|heard| heard == datagram).unwrap();
    assert!(
        at("HF-A11ASSISTHREAD") < at("+ok") && at("+ok") < at(r"AT+MID\r"),
        "{heard:?}"
    );
    assert_eq!(heard.last().unwrap(), r"AT+Q\r");
}

#[test]
fn people_see_the_reply_alone_or_below_its_command() {
    let home = Home::with_network();
    let module = ConsoleModule::with_session(PLUG, usual);
    let run = home.run(&["at", &module.target(), "MID"]).ends_with(0);
    assert_eq!(run.stdout, "+ok=HF-LPB100\n");
    let run = home
        .run(&["at", "--udp", &module.target(), "MID", "WMODE"])
        .ends_with(0);
    assert_eq!(run.stdout, "AT+MID\n+ok=HF-LPB100\nAT+WMODE\n+ok=STA\n");
}

#[test]
fn a_network_list_of_several_datagrams_is_one_reply() {
    let home = Home::with_network();
    let module = ConsoleModule::with_session(PLUG, usual);
    let run = home.run(&["at", &module.target(), "WSCAN"]).ends_with(0);
    assert_eq!(
        run.stdout,
        "+ok=\nCh,SSID,BSSID,Security,Indicator\n1,ZJSW_GUEST,3C:E5:A6:61:B4:40,WPA2PSK/AES,76\n\
         1,ZJSW,3C:E5:A6:61:B4:41,OPEN/NONE,74\n"
    );
}

#[test]
fn the_first_refusal_ends_it_and_the_session_is_left() {
    let home = Home::with_network();
    let module = ConsoleModule::with_session(PLUG, |line| match line {
        "AT+WSKEY=OPEN,NONE" => one(b"+ERR=-4\r\n\r\n"),
        line => usual(line),
    });
    let words = [
        "at",
        &module.target(),
        "WSSSID=home",
        "WSKEY=OPEN,NONE",
        "Z",
    ];
    let json = home.json(&words).ends_with(5).json();
    assert_eq!(json.as_array().unwrap().len(), 2);
    assert_eq!(
        json[0],
        serde_json::json!({"command": "AT+WSSSID=home", "reply": "+ok"})
    );
    assert_eq!(json[1]["reply"], "+ERR=-4");
    assert_eq!(json[1]["error"]["kind"], "refused");
    module.is_left();
    assert!(
        !module.heard().contains(&r"AT+Z\r".to_owned()),
        "{:?}",
        module.heard()
    );
    let run = home.run(&words).ends_with(5);
    assert!(
        run.stdout.ends_with("AT+WSKEY=OPEN,NONE\n+ERR=-4\n"),
        "{run:?}"
    );
    assert!(
        run.stderr
            .starts_with("error: AT+WSKEY=OPEN,NONE was refused"),
        "{run:?}"
    );
}

#[test]
fn silence_in_the_middle_is_no_answer_and_the_session_is_left() {
    let home = Home::with_network();
    let module = ConsoleModule::with_session(PLUG, |line| {
        if line == "AT+LVER" {
            Vec::new()
        } else {
            usual(line)
        }
    });
    let json = home
        .json(&["at", &module.target(), "MID", "LVER"])
        .ends_with(4)
        .json();
    assert_eq!(json[0]["reply"], "+ok=HF-LPB100");
    assert_eq!(json[1]["reply"], serde_json::Value::Null);
    assert_eq!(json[1]["error"]["kind"], "no_answer");
    module.is_left();
}

#[test]
fn nonsense_is_a_bad_answer() {
    let home = Home::with_network();
    let module = ConsoleModule::with_session(PLUG, |_| one(b"\x00\x01\xff garbage\r\n\r\n"));
    let json = home
        .json(&["at", &module.target(), "MID"])
        .ends_with(6)
        .json();
    assert_eq!(json[0]["error"]["kind"], "bad_answer");
    module.is_left();
}

#[test]
fn a_silent_restart_is_a_success_and_the_next_command_opens_a_new_session() {
    let home = Home::with_network();
    let module = ConsoleModule::with_session(PLUG, usual);
    let json = home
        .json(&["at", &module.target(), "Z"])
        .ends_with(0)
        .json();
    assert_eq!(
        json,
        serde_json::json!([{"command": "AT+Z", "reply": null}])
    );
    assert_eq!(
        module
            .heard()
            .iter()
            .filter(|heard| *heard == r"AT+Z\r")
            .count(),
        1,
        "{:?}",
        module.heard()
    );
    let json = home
        .json(&["at", &module.target(), "Q", "MID"])
        .ends_with(0)
        .json();
    assert_eq!(json[1]["reply"], "+ok=HF-LPB100");
}

#[test]
fn a_key_is_shown_to_people_who_ask_but_is_not_in_json() {
    let home = Home::with_network();
    let module = ConsoleModule::with_session(PLUG, usual);
    let run = home.json(&["at", &module.target(), "WSKEY"]).ends_with(0);
    assert_eq!(
        run.stdout,
        "[{\"command\":\"AT+WSKEY\",\"reply\":\"+ok=WPA2PSK,AES,***\"}]\n"
    );
    let run = home
        .run(&["-vv", "at", &module.target(), "WSKEY"])
        .ends_with(0);
    assert_eq!(run.stdout, "+ok=WPA2PSK,AES,hunter22\n");
    assert!(!run.stderr.contains("hunter22"), "{}", run.stderr);
}

#[test]
fn keys_are_taken_from_standard_input_only() {
    let home = Home::with_network();
    let module = ConsoleModule::with_session(PLUG, usual);
    for command in [
        "WSKEY=WPA2PSK,AES,correct horse",
        "at+wakey=WPA2PSK,AES,correct horse",
    ] {
        let run = home.json(&["at", &module.target(), command]).ends_with(2);
        assert_eq!(run.error_kind(), "usage");
        assert!(!format!("{run:?}").contains("horse"));
    }
    assert!(module.heard().is_empty(), "{:?}", module.heard());
    let input = b"# the key\nWSKEY=WPA2PSK,AES,correct horse\n\nWSSSID=my home \n";
    let run = with_input(
        &home,
        &["-vv", "--json", "at", &module.target(), "-"],
        input,
    )
    .ends_with(0);
    assert_eq!(
        run.stdout,
        "[{\"command\":\"AT+WSKEY=WPA2PSK,AES,***\",\"reply\":\"+ok\"},\
         {\"command\":\"AT+WSSSID=my home \",\"reply\":\"+ok\"}]\n"
    );
    assert!(!run.stderr.contains("horse"), "{}", run.stderr);
    assert!(
        module
            .heard()
            .contains(&r"AT+WSKEY=WPA2PSK,AES,correct horse\r".to_owned())
    );
    assert!(module.heard().contains(&r"AT+WSSSID=my home \r".to_owned()));
}

#[test]
fn without_a_terminal_lines_are_commands_and_the_first_failure_ends_it() {
    let home = Home::with_network();
    let module = ConsoleModule::with_session(PLUG, usual);
    let run = with_input(&home, &["at", &module.target()], b"MID\nNOPE\nVER\n").ends_with(5);
    assert_eq!(run.stdout, "AT+MID\n+ok=HF-LPB100\nAT+NOPE\n+ERR=-2\n");
    let run = with_input(
        &home,
        &["--json", "at", &module.target()],
        b"MID\nRELD\nVER\n",
    )
    .ends_with(2);
    assert_eq!(run.json().as_array().unwrap().len(), 1);
    assert!(run.stderr.contains("--dangerous"), "{run:?}");
    let run = with_input(&home, &["--json", "at", &module.target()], b"RELD\n").ends_with(2);
    assert_eq!(run.error_kind(), "usage");
    let run = with_input(&home, &["--json", "at", &module.target()], b"").ends_with(0);
    assert_eq!(run.stdout, "[]\n");
    let run = with_input(&home, &["at", &module.target()], &[b'x'; 1_000_000]).ends_with(2);
    assert!(run.stderr.contains("255 bytes"), "{run:?}");
    module.is_left();
    let farewells = module
        .heard()
        .iter()
        .filter(|heard| *heard == r"AT+Q\r")
        .count();
    assert_eq!(farewells, 5, "{:?}", module.heard());
}

#[test]
fn dangerous_verbs_are_not_sent_without_the_flag() {
    let home = Home::with_network();
    let module = ConsoleModule::with_session(PLUG, |line| match line {
        "AT+RELD" => one(b"+ok=rebooting...\r\n\r\n"),
        line => usual(line),
    });
    for command in [
        "RELD",
        "UPURL=http://x",
        "CFGTF",
        "FCLR",
        "NETP=TCP,Server,23,x",
        "WSMAC=8888,ACCF23000000",
    ] {
        let run = home
            .json(&["at", &module.target(), "MID", command])
            .ends_with(2);
        assert_eq!(run.error_kind(), "usage");
        assert!(run.stdout.contains("--dangerous"), "{run:?}");
    }
    assert!(module.heard().is_empty(), "{:?}", module.heard());
    home.run(&["at", &module.target(), "NETP"]).ends_with(0);
    let run = home
        .run(&["at", "--dangerous", &module.target(), "RELD"])
        .ends_with(0);
    assert_eq!(run.stdout, "+ok=rebooting...\n");
    assert_eq!(
        module
            .heard()
            .iter()
            .filter(|heard| *heard == r"AT+RELD\r")
            .count(),
        1
    );
}

#[test]
fn wrong_use_is_told() {
    let home = Home::new();
    for words in [
        &["at"][..],
        &["at", "--udp", "--tcp", "127.0.0.2"],
        &["at", "127.0.0.256", "MID"],
        &["at", "127.0.0.2", "MID?"],
        &["at", "127.0.0.2", "A B"],
        &["at", "127.0.0.2", "VER\rAT+RELD"],
        &["at", "127.0.0.2", "-", "MID"],
        &["at", "127.0.0.2", "WSKEY=WPA2PSK,AES,***"],
        &["at", "--baud", "9600", "127.0.0.2"],
        &["at", "--serial", "/dev/null", "--baud", "fast", "MID"],
    ] {
        assert_eq!(
            home.json(words).ends_with(2).error_kind(),
            "usage",
            "{words:?}"
        );
    }
}

#[test]
fn a_plug_is_found_by_its_name() {
    let home = Home::with_network();
    let module = ConsoleModule::sp2(PLUG);
    home.run(&["name", "127.0.0.2", "kitchen"]).ends_with(0);
    let run = home.run(&["at", "kitchen", "MID"]).ends_with(0);
    assert_eq!(run.stdout, "+ok=HF-LPB100\n");
    module.is_left();
    assert_eq!(
        home.json(&["at", "attic", "MID"]).ends_with(3).error_kind(),
        "not_found"
    );
}

#[test]
fn nobody_there_is_no_answer() {
    let home = Home::with_network();
    // Our own address is not that of a plug, and is known at once.
    for words in [["at", "127.0.0.9", "MID"], ["at", "127.0.0.1", "MID"]] {
        let run = home.json(&words).ends_with(4);
        assert_eq!(run.error_kind(), "no_answer");
    }
    let run = home.json(&["at", "--tcp", "127.0.0.9", "VER"]).ends_with(4);
    assert_eq!(run.error_kind(), "no_answer");
}

#[test]
fn a_taken_port_is_named_when_that_may_be_why() {
    let home = Home::with_network();
    let _holder = std::net::UdpSocket::bind(("127.0.0.1", 48899)).unwrap();
    let module = ConsoleModule::with_session(PLUG, usual);
    let run = home.json(&["at", &module.target(), "MID"]).ends_with(7);
    assert_eq!(run.error_kind(), "local");
    assert!(run.stdout.contains("48899"), "{run:?}");
}

#[test]
fn time_is_bounded_and_the_session_is_left() {
    let home = Home::with_network();
    let module = ConsoleModule::with_session(PLUG, |line| {
        if line == "AT+WSCAN" {
            Vec::new()
        } else {
            usual(line)
        }
    });
    let start = Instant::now();
    let json = home
        .json(&["--timeout", "2s", "at", &module.target(), "MID", "WSCAN"])
        .ends_with(4)
        .json();
    // A search of networks may take longer than that by itself.
    assert!(start.elapsed() < Duration::from_secs(10));
    assert_eq!(json[0]["reply"], "+ok=HF-LPB100");
    assert_eq!(json[1]["error"]["kind"], "no_answer");
    module.is_left();
}

#[test]
fn ctrl_c_leaves_the_session() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let home = Home::with_network();
        let module = ConsoleModule::with_session(PLUG, |line| {
            if line == "AT+WSCAN" {
                Vec::new()
            } else {
                usual(line)
            }
        });
        let child = spawn(&home, &["at", &module.target(), "WSCAN"], Stdio::null());
        module.hears(r"AT+WSCAN\r");
        kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
        let run = finish(child.wait_with_output()).ends_with(1);
        assert!(run.stderr.contains("interrupted"), "{run:?}");
        module.is_left();
    }
}

#[test]
fn a_slow_writer_does_not_lose_the_session() {
    let home = Home::with_network();
    let module = ConsoleModule::with_session(PLUG, usual);
    let mut child = spawn(&home, &["at", &module.target()], Stdio::piped());
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"MID\nWM").unwrap();
    module.hears(r"AT+MID\r");
    stdin.write_all(b"ODE\n").unwrap();
    module.hears(r"AT+WMODE\r");
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    finish(child.wait_with_output()).ends_with(1);
    module.is_left();
}

#[test]
fn an_emulated_plug_is_talked_to() {
    let mut home = Home::with_network();
    home.emulate(&["--listen", "127.0.0.2"], 1);
    let json = home
        .json(&["at", "127.0.0.2", "MID", "WMODE", "WSCAN"])
        .ends_with(0)
        .json();
    assert_eq!(json[0]["reply"], "+ok=HF-LPB100");
    assert_eq!(json[1]["reply"], "+ok=STA");
    assert!(
        json[2]["reply"]
            .as_str()
            .unwrap()
            .contains("Ch,SSID,BSSID,Security,Indicator"),
        "{json}"
    );
    let json = home
        .json(&["at", "--tcp", "127.0.0.2", "YZOUT"])
        .ends_with(0)
        .json();
    assert!(
        json[0]["reply"].as_str().unwrap().starts_with("+ok="),
        "{json}"
    );
}
