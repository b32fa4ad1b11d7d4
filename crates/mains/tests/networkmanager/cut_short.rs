//! Ctrl-C, `kill`, `kill -9`, a NetworkManager that crashes: the previous connection is restored.

use std::process::{Child, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::bench::{Age, NetworkManagerBench};
use crate::plug::{Computer, EmulatedPlug, ended, result};

const SOON: Duration = Duration::from_secs(20);

fn send(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    kill(pid, signal).unwrap();
}

/// A run that is in the middle of an activation which never ends.
fn hanging(bench: &NetworkManagerBench, plug: &EmulatedPlug) -> Child {
    bench.plan(&["hang"]);
    let child = plug.setup(bench, &[]).spawn().unwrap();
    bench.wait_until("the plug's network is being joined", |now| {
        now["devices"][0]["state"] == 50 && bench.note().is_some()
    });
    child
}

/// A run that is on the plug's network and waits for a module that never comes back.
fn on_the_plugs_network(
    bench: &NetworkManagerBench,
    plug: &EmulatedPlug,
    computer: &Computer,
) -> Child {
    let child = plug.setup(bench, &[]).spawn().unwrap();
    bench.wait_until("the plug's network is joined", |now| {
        now["devices"][0]["state"] == 100
            && now["devices"][0]["active"].as_str() != computer.home.as_deref()
    });
    child
}

#[test]
fn signals_bring_the_computer_home() {
    for (number, signal, word) in [
        (30, Signal::SIGINT, "Ctrl-C"),
        (31, Signal::SIGTERM, "SIGTERM"),
        (32, Signal::SIGHUP, "terminal"),
    ] {
        let Some(bench) = NetworkManagerBench::new(Age::Modern) else {
            return;
        };
        let computer = Computer::at_home(&bench);
        let plug = EmulatedPlug::fresh(number, &[]);
        let child = hanging(&bench, &plug);
        send(&child, signal);
        let (code, json, stderr) = result(&ended(child, SOON));
        assert_eq!(code, 1, "{json:#} {stderr}");
        assert_eq!(json["error"]["kind"], "failed");
        let message = json["error"]["message"].as_str().unwrap();
        assert!(
            message.contains("interrupted") && message.contains(word),
            "{message}"
        );
        computer.is_as_before(&bench);
    }
}

#[test]
fn ctrl_c_on_the_plugs_network_brings_the_computer_home() {
    let Some(bench) = NetworkManagerBench::new(Age::Old) else {
        return;
    };
    let computer = Computer::at_home(&bench);
    let plug = EmulatedPlug::fresh(33, &["restart=1h"]);
    let child = on_the_plugs_network(&bench, &plug, &computer);
    send(&child, Signal::SIGINT);
    let (code, json, stderr) = result(&ended(child, SOON));
    assert_eq!(code, 1, "{json:#} {stderr}");
    computer.is_as_before(&bench);
}

#[test]
fn after_kill_9_a_modern_networkmanager_restores_by_itself() {
    let Some(bench) = NetworkManagerBench::new(Age::Modern) else {
        return;
    };
    let computer = Computer::at_home(&bench);
    let plug = EmulatedPlug::fresh(34, &["restart=1h"]);
    let mut child = on_the_plugs_network(&bench, &plug, &computer);
    send(&child, Signal::SIGKILL);
    child.wait().unwrap();
    assert!(bench.note().is_some(), "the note is left behind");
    bench.wait_until("it is home again", |now| {
        now["devices"][0]["active"].as_str() == computer.home.as_deref()
            && now["devices"][0]["state"] == 100
    });
    // The next start finds nothing left to do, and prints nothing.
    let output = bench
        .mains(&["status", "127.54.34.9", "--timeout", "100ms"])
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!stderr.contains("setup"), "{stderr}");
    computer.is_as_before(&bench);
}

#[test]
fn after_kill_9_the_next_start_tells_and_undo_restores() {
    let Some(bench) = NetworkManagerBench::new(Age::Old) else {
        return;
    };
    let computer = Computer::at_home(&bench);
    let plug = EmulatedPlug::fresh(35, &["restart=1h"]);
    let mut child = on_the_plugs_network(&bench, &plug, &computer);
    // While it runs, another start of mains prints nothing, and may not touch the adapter.
    let status = ["status", "127.54.35.9", "--timeout", "100ms"];
    let output = bench.mains(&status).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!stderr.contains("setup"), "{stderr}");
    let (code, json, _) = plug.run(&bench, &[]);
    assert_eq!(code, 7, "{json:#}");
    assert!(
        json["error"]["message"]
            .as_str()
            .unwrap()
            .contains("another")
    );

    send(&child, Signal::SIGKILL);
    child.wait().unwrap();
    let note = bench.note().expect("the note is left behind");
    assert!(!note.contains("12345678"), "no secret: {note}");
    let output = bench.mains(&status).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.contains("did not put the Wi-Fi back"), "{stderr}");
    assert!(stderr.contains("my home"), "{stderr}");
    assert!(stderr.contains("setup --undo"), "{stderr}");
    let (code, json, stderr) = result(
        &bench
            .mains(&["--json", "setup", "--undo"])
            .output()
            .unwrap(),
    );
    assert_eq!(code, 0, "{json:#} {stderr}");
    assert_eq!(json["connection"], "my home");
    computer.is_as_before(&bench);
}

#[test]
fn agreeing_in_advance_undoes_at_the_next_start() {
    let Some(bench) = NetworkManagerBench::new(Age::Old) else {
        return;
    };
    let computer = Computer::at_home(&bench);
    let plug = EmulatedPlug::fresh(36, &["restart=1h"]);
    let mut child = on_the_plugs_network(&bench, &plug, &computer);
    send(&child, Signal::SIGKILL);
    child.wait().unwrap();
    let words = ["--yes", "status", "127.54.36.9", "--timeout", "100ms"];
    let output = bench.mains(&words).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.contains("back on 'my home'"), "{stderr}");
    computer.is_as_before(&bench);
}

#[test]
fn in_a_terminal_the_next_start_asks() {
    use expectrl::{Eof, Expect as _};
    for (number, answer, restored) in [(41, "y", true), (42, "n", false)] {
        let Some(bench) = NetworkManagerBench::new(Age::Old) else {
            return;
        };
        let computer = Computer::at_home(&bench);
        let plug = EmulatedPlug::fresh(number, &["restart=1h"]);
        let mut child = on_the_plugs_network(&bench, &plug, &computer);
        send(&child, Signal::SIGKILL);
        child.wait().unwrap();
        let nobody = format!("127.54.{number}.9");
        let mut command = bench.mains(&["status", &nobody, "--timeout", "100ms"]);
        command
            .stdin(Stdio::inherit())
            .stdout(Stdio::inherit())
            .stderr(Stdio::inherit());
        let mut session = expectrl::Session::spawn(command).unwrap();
        session.set_expect_timeout(Some(SOON));
        session.expect("put it back now?").unwrap();
        session.send_line(answer).unwrap();
        session.expect(Eof).unwrap();
        if restored {
            computer.is_as_before(&bench);
        } else {
            assert_eq!(bench.note(), None, "nobody is asked twice");
        }
    }
}

#[test]
fn the_next_setup_undoes_what_the_last_has_left() {
    let Some(bench) = NetworkManagerBench::new(Age::Old) else {
        return;
    };
    let computer = Computer::at_home(&bench);
    let plug = EmulatedPlug::fresh(37, &["no-apsta"]);
    let mut child = hanging(&bench, &plug);
    send(&child, Signal::SIGKILL);
    child.wait().unwrap();
    let (code, json, stderr) = plug.run(&bench, &[]);
    assert_eq!(code, 0, "{json:#} {stderr}");
    computer.is_as_before(&bench);
}

#[test]
fn killed_before_the_first_change_leaves_nothing_but_a_note() {
    let Some(bench) = NetworkManagerBench::new(Age::Old) else {
        return;
    };
    let computer = Computer::at_home(&bench);
    let plug = EmulatedPlug::fresh(38, &["restart=1h"]);
    let mut child = on_the_plugs_network(&bench, &plug, &computer);
    send(&child, Signal::SIGKILL);
    child.wait().unwrap();
    // A power cut: profiles in memory are gone, and the adapter is back on what it connects to by itself.
    bench.reboot(&computer.adapter);
    bench.wait_until("it is home again", |now| now["devices"][0]["state"] == 100);
    let (code, json, _) = result(
        &bench
            .mains(&["--json", "setup", "--undo"])
            .output()
            .unwrap(),
    );
    assert_eq!(code, 0, "{json:#}");
    assert_eq!(json["undone"], false, "nothing had to be done");
    computer.is_as_before(&bench);
}

#[test]
fn a_note_without_networkmanager_is_told_and_kept() {
    let Some(mut bench) = NetworkManagerBench::new(Age::Old) else {
        return;
    };
    let computer = Computer::at_home(&bench);
    let plug = EmulatedPlug::fresh(39, &["restart=1h"]);
    let child = on_the_plugs_network(&bench, &plug, &computer);
    bench.end_service();
    send(&child, Signal::SIGINT);
    let (code, json, stderr) = result(&ended(child, SOON));
    // It may hear of the end of NetworkManager before the signal.
    assert!(matches!(code, 1 | 7), "{code} {json:#} {stderr}");
    assert!(bench.note().is_some());
    let (code, json, _) = result(
        &bench
            .mains(&["--json", "setup", "--undo"])
            .output()
            .unwrap(),
    );
    assert_eq!(code, 7, "{json:#}");
    assert!(bench.note().is_some());
}

#[test]
fn an_unreadable_note_is_no_obstacle_for_other_verbs() {
    let Some(bench) = NetworkManagerBench::new(Age::Modern) else {
        return;
    };
    std::fs::create_dir_all(bench.state()).unwrap();
    std::fs::write(bench.state().join("wifi-restore.json"), "{\"version\":").unwrap();
    let output = bench
        .mains(&["discover", "--interface", "127.54.40.1", "--wait", "200ms"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("wifi-restore.json"), "{stderr}");
    let (code, json, _) = result(
        &bench
            .mains(&["--json", "setup", "--undo"])
            .output()
            .unwrap(),
    );
    assert_eq!(code, 7, "{json:#}");
}
