//! The verbs that find, switch and read plugs.

use std::net::UdpSocket;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::bench::{StartedProgram, WindowsBench, WineRun, run, twin};

/// Fields that differ between two runs.
const PASSING: [&str; 5] = ["seen", "at", "elapsed_ms", "due", "energy_wh"];

/// Replaces the values that differ between two runs by their type.
fn without_passing(value: &Value) -> Value {
    match value {
        Value::Array(all) => all.iter().map(without_passing).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| {
                let value = match PASSING.contains(&name.as_str()) {
                    true => Value::from(format!("{:?}", std::mem::discriminant(value))),
                    false => without_passing(value),
                };
                (name.clone(), value)
            })
            .collect(),
        other => other.clone(),
    }
}

/// Runs both programs, which must agree in code and document.
#[track_caller]
fn both(bench: &WindowsBench, words: &[&str], code: i32) -> WineRun {
    let native = bench.native_json(words).ends_with(code);
    let windows = bench.json(words).ends_with(code);
    assert_eq!(
        without_passing(&windows.json()),
        without_passing(&native.json()),
        "{words:?}"
    );
    windows
}

#[test]
fn version_and_help_are_the_same() {
    let Some(bench) = WindowsBench::new() else {
        return;
    };
    for words in [&["--version"][..], &["help", "switch"], &["on", "--help"]] {
        let windows = bench.run(words);
        let native = run(&mut bench.native(words));
        // The usage line has the name of the file.
        let text = windows.stdout.replace("mains.exe", "mains");
        assert_eq!((windows.code, &text), (native.code, &native.stdout));
    }
    let help = bench.run(&["serve", "--help"]).ends_with(0).stdout;
    assert!(help.contains("--install-service"), "{help}");
}

#[test]
fn plugs_are_found_and_say_the_same_as_on_this_machine() {
    let Some(mut bench) = WindowsBench::new() else {
        return;
    };
    let twins = bench.emulate(2, 2, &["--load", "60"]);
    let (address, mac) = twins[0].clone();
    let found = bench
        .json(&["discover", "--wait", "3s"])
        .ends_with(0)
        .json();
    for (address, mac) in &twins {
        let is_it = |plug: &&Value| plug["mac"] == **mac && plug["address"] == **address;
        assert_eq!(
            found.as_array().unwrap().iter().filter(is_it).count(),
            1,
            "{found}"
        );
    }
    for words in [
        &["on", &address][..],
        &["status", &address],
        &["version", &address, &twins[1].0],
        &["delay", &address, "off", "30m"],
        &["off", &address],
        &["probe", &address],
        &["at", &address, "VER", "WSCAN"],
        &["at", "--tcp", &address, "VER"],
    ] {
        both(&bench, words, 0);
    }
    let reading = bench.json(&["meter", &address]).ends_with(0).json();
    assert_eq!(reading[0]["plug"], mac);
    assert!(reading[0]["voltage_v"].is_number(), "{reading}");
    let toggled = bench.json(&["toggle", &address]).ends_with(0).json();
    assert_eq!(
        (&toggled[0]["relay"], &toggled[0]["confirmed"]),
        (&"on".into(), &true.into())
    );
    let status = bench.native_json(&["status", &address]).ends_with(0).json();
    assert_eq!(
        status[0]["relay"], "on",
        "the relay is where the program of Windows says"
    );
}

#[test]
fn help_is_in_the_words_of_windows() {
    const LINUX: [&str; 11] = [
        "/etc/", "/var/", "/dev/", "/media/", "~/", "XDG", "systemd", "SIGTERM", "sudo", "chmod",
        "`fg`",
    ];
    let Some(bench) = WindowsBench::new() else {
        return;
    };
    let is_of_linux = |help: &str| LINUX.iter().any(|word| help.contains(word));
    let mut helps = vec![(Vec::new(), mains::cli::Cli::definition())];
    let mut compared = 0;
    while let Some((words, mut verb)) = helps.pop() {
        for below in verb.get_subcommands() {
            helps.push((
                [&words[..], &[below.get_name().to_owned()]].concat(),
                below.clone(),
            ));
        }
        if !is_of_linux(&verb.render_long_help().to_string()) {
            continue;
        }
        compared += 1;
        let words: Vec<&str> = words.iter().map(String::as_str).chain(["--help"]).collect();
        let help = bench.run(&words).ends_with(0).stdout;
        assert!(!is_of_linux(&help), "{words:?}: {help}");
    }
    assert!(compared > 5, "{compared}");
    let help = bench.run(&["name", "--help"]).ends_with(0).stdout;
    assert!(help.contains("%LOCALAPPDATA%"), "{help}");
    let help = bench.run(&["serve", "--help"]).ends_with(0).stdout;
    assert!(help.contains("ServiceProfiles\\LocalService"), "{help}");
}

#[test]
fn a_name_leads_to_the_plug() {
    let Some(mut bench) = WindowsBench::new() else {
        return;
    };
    let (address, mac) = bench.emulate(2, 1, &[]).remove(0);
    let named = bench
        .json(&["name", &address, "K\u{fc}che"])
        .ends_with(0)
        .json();
    assert_eq!(named["name"], "K\u{fc}che");
    let switched = bench.json(&["on", "K\u{fc}che"]).ends_with(0).json();
    assert_eq!(switched[0]["plug"], mac);
    let text = bench.run(&["status", "K\u{fc}che"]).ends_with(0).stdout;
    assert!(text.contains("K\u{fc}che"), "{text}");
    assert!(!text.contains('\u{1b}'), "no colours in a pipe: {text}");
    let coloured = bench
        .run(&["--color", "always", "status", "K\u{fc}che"])
        .ends_with(0);
    assert!(coloured.stdout.contains('\u{1b}'), "{coloured:?}");
}

#[test]
fn watch_prints_readings_over_a_sleep_until_ctrl_c() {
    let Some(mut bench) = WindowsBench::new() else {
        return;
    };
    let (address, mac) = bench.emulate(2, 1, &["--load", "40"]).remove(0);
    let mut watching = StartedProgram::start(&mut bench.windows(&["--json", "watch", &address]), 1);
    watching.sleep_during(std::time::Duration::from_secs(5), || ());
    let after = watching.next_line();
    for line in watching.lines.iter().chain([&after]) {
        let reading: Value = serde_json::from_str(line).unwrap();
        assert_eq!(reading["plug"], mac);
        assert!(
            reading["power_w"].is_number() && reading["relay"].is_string(),
            "{line}"
        );
    }
    let (code, log) = watching.end(Signal::SIGINT);
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn failures_have_the_codes_of_the_contract() {
    let Some(mut bench) = WindowsBench::new() else {
        return;
    };
    let (plug, _) = bench.emulate(2, 1, &[]).remove(0);
    let silent = bench.address(77);
    for (words, code) in [
        (&["on", "nosuchplug"][..], 3),
        (&["--timeout", "2s", "on", &silent], 4),
        (&["delay", &plug, "off", "1s"], 2),
        (&["on"], 2),
        (&["at", &plug, "NOSUCH"], 5),
        (&["--hub", "http://127.0.0.1:1", "energy"], 8),
    ] {
        let run = bench.json(words).ends_with(code);
        let native = bench.native_json(words).ends_with(code);
        assert_eq!(run.json().is_array(), native.json().is_array(), "{words:?}");
    }
    assert_eq!(bench.json(&["on"]).failure().0, "usage");
}

#[test]
fn another_program_on_the_port_is_named() {
    let Some(mut bench) = WindowsBench::new() else {
        return;
    };
    bench.emulate(2, 1, &[]);
    // A program of Windows without anything to share.
    let other = bench.windows(&["emulate", "plug", "--listen", &bench.address(1)]);
    bench.start(other, 1);
    let (kind, message) = bench.json(&["discover"]).ends_with(7).failure();
    assert_eq!(kind, "local");
    assert!(message.contains("48899"), "{message}");
}

#[test]
fn a_program_of_this_machine_on_the_port_is_seen() {
    let Some(bench) = WindowsBench::new() else {
        return;
    };
    let _taken = UdpSocket::bind((bench.address(1).as_str(), 48899)).unwrap();
    let (kind, message) = bench.json(&["discover"]).ends_with(7).failure();
    assert_eq!(kind, "local");
    assert!(message.contains("48899"), "{message}");
}

#[test]
fn two_programs_share_the_port() {
    let Some(mut bench) = WindowsBench::new() else {
        return;
    };
    let (address, mac) = bench.emulate(2, 1, &[]).remove(0);
    let _watching = StartedProgram::start(&mut bench.windows(&["--json", "watch", &address]), 1);
    let found = bench.json(&["status", &address]).ends_with(0).json();
    assert_eq!(found[0]["mac"], mac);
    let replies = bench.json(&["at", &address, "VER"]).ends_with(0).json();
    assert!(
        replies[0]["reply"]
            .as_str()
            .is_some_and(|reply| !reply.is_empty()),
        "{replies}"
    );
}

#[test]
fn a_twin_of_windows_is_a_plug_to_this_machine() {
    let Some(bench) = WindowsBench::new() else {
        return;
    };
    let words = ["emulate", "plug", "--listen", &bench.address(2)];
    let emulating = StartedProgram::start(&mut bench.windows(&words), 1);
    let (address, mac) = twin(&emulating.lines[0]);
    // Over TCP: wine gives the UDP port of all addresses to the twin.
    let replies = bench
        .native_json(&["at", "--tcp", &address, "VER"])
        .ends_with(0)
        .json();
    assert!(
        replies[0]["reply"]
            .as_str()
            .is_some_and(|reply| reply.starts_with("+ok=")),
        "{replies} of {mac}"
    );
    let (code, log) = emulating.end(Signal::SIGINT);
    assert_eq!(code, Some(0), "{log}");
}
