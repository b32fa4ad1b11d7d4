//! A move that is killed at each of its calls, before the bridge has seen it and after it was done, and then made again.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::fixture::HueFixture;
use crate::home::{FinishedRun, finish};
use crate::interceptor::{Interceptor, KillPoint, stand};

/// The addresses of the interceptors.
const FROM: &str = "127.94.1.1";
const TO: &str = "127.94.1.2";
/// More calls than a move makes.
const MANY: usize = 60;

fn two_bridges() -> (HueFixture, Arc<Interceptor>) {
    let mut fixture = HueFixture::empty();
    fixture.start(&[
        "--model",
        "bsb001",
        "--listen",
        "127.94.0.1",
        "--count",
        "2",
        "--http-port",
        "8080",
        "--press-after",
        "0s",
        "--no-announce",
        "--bulb",
        "near:1",
        "--bulb",
        "near:2",
    ]);
    let interceptor = Arc::new(Interceptor::default());
    stand(&format!("{FROM}:80"), "127.94.0.1:8080", &interceptor);
    stand(&format!("{TO}:80"), "127.94.0.2:8080", &interceptor);
    fixture.pair(FROM);
    fixture.pair(TO);
    fixture
        .json(&["hue", "clip", FROM, "put", "lights/1", r#"{"name":"Desk"}"#])
        .ends_with(0);
    (fixture, interceptor)
}

fn verb(fixture: &HueFixture) -> Command {
    let mut command = fixture.command();
    command.args([
        "--json", "--yes", "hue", "move", "Desk", "--from", FROM, "--to", TO,
    ]);
    command
}

fn start(command: &mut Command) -> Child {
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Returns the records of unfinished moves in the journal.
fn journal(fixture: &HueFixture) -> Vec<String> {
    let entries = std::fs::read_dir(fixture.state()).unwrap().flatten();
    entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("hue-move-"))
        .map(|entry| std::fs::read_to_string(entry.path()).unwrap())
        .collect()
}

/// Kills a move at a call, makes it again, and returns whether there was such a call.
fn killed_at(call: usize, when: KillPoint) -> bool {
    let (fixture, interceptor) = two_bridges();
    interceptor.end_at(call, when);
    let child = start(&mut verb(&fixture));
    interceptor.victim(child.id());
    let first = finish(child.wait_with_output());
    let calls = interceptor.calls();
    interceptor.relent();
    let was_killed = first.code == -1;
    if !was_killed {
        assert_eq!(first.code, 0, "call {call}: {first:?} {calls:?}");
    }
    // Whatever happened, the light is at one of the bridges, or the journal knows of it.
    let at = |bridge: &str| {
        fixture
            .names(bridge)
            .iter()
            .filter(|name| *name == "Desk")
            .count()
    };
    let is_deleted = calls.iter().any(|call| call.starts_with("DELETE"));
    assert!(
        at(FROM) == 1 || !journal(&fixture).is_empty(),
        "call {call}: {calls:?}"
    );
    assert!(at(FROM) == 1 || is_deleted, "call {call}: {calls:?}");
    let second = finish(verb(&fixture).output());
    assert_eq!(
        second.code, 0,
        "call {call} {when:?}: {calls:?} then {second:?}"
    );
    assert_eq!(
        second.json()["moved"],
        json!(true),
        "call {call} {when:?}: {second:?}"
    );
    assert_eq!(at(FROM), 0, "call {call} {when:?}: {calls:?}");
    assert_eq!(
        at(TO),
        1,
        "call {call} {when:?}: {calls:?}: {:?}",
        fixture.lights(TO)
    );
    assert_eq!(fixture.lights(TO).len(), 2, "call {call} {when:?}");
    was_killed
}

#[test]
fn killed_at_any_call_and_made_again() {
    let cases = AtomicUsize::new(0);
    let killed = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            // A network for each case: a thread keeps the one that it has.
            scope.spawn(|| {
                loop {
                    let case = cases.fetch_add(1, Ordering::Relaxed);
                    let (call, when) = match case % 2 {
                        0 => (case / 2, KillPoint::Before),
                        _ => (case / 2, KillPoint::After),
                    };
                    if call >= MANY {
                        return;
                    }
                    let killed_here = std::thread::scope(|one| {
                        let run = one.spawn(move || killed_at(call, when));
                        run.join()
                    });
                    match killed_here {
                        Ok(true) => killed.fetch_add(1, Ordering::Relaxed),
                        // It has ended before: there are no more calls.
                        Ok(false) => cases.fetch_max(2 * MANY, Ordering::Relaxed),
                        Err(panic) => std::panic::resume_unwind(panic),
                    };
                }
            });
        }
    });
    let killed = killed.into_inner();
    assert!(killed >= 20, "only {killed} calls were cut short");
    assert!(killed < 2 * MANY, "a move makes more calls than are tried");
}

/// A move that has just let the light go at the first bridge, and is kept waiting there.
fn behind_the_delete() -> (HueFixture, Arc<Interceptor>, Child) {
    let (fixture, interceptor) = two_bridges();
    interceptor.hold_behind_the_delete();
    let child = start(&mut verb(&fixture));
    let begin = Instant::now();
    while !interceptor.is_behind_the_delete() {
        let calls = interceptor.calls();
        assert!(begin.elapsed() < Duration::from_secs(60), "{calls:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
    (fixture, interceptor, child)
}

/// Sends a signal and returns the output of the process.
fn ended_by(signal: Signal, child: Child) -> FinishedRun {
    let process = Pid::from_raw(i32::try_from(child.id()).unwrap());
    kill(process, signal).unwrap();
    finish(child.wait_with_output())
}

#[test]
fn ctrl_c_says_how_to_go_on() {
    let (fixture, interceptor, child) = behind_the_delete();
    let run = ended_by(Signal::SIGINT, child).ends_with(1);
    interceptor.relent();
    let error = &run.json()["error"];
    assert_eq!(error["message"], "interrupted", "{run:?}");
    let hint = error["hint"].as_str().unwrap();
    assert!(
        hint.contains("same command again") && hint.contains("Desk"),
        "{hint}"
    );
    let again = finish(verb(&fixture).output()).ends_with(0);
    assert!(again.stderr.contains("interrupted move"), "{again:?}");
    assert_eq!(fixture.lights(FROM).len(), 0);
}

/// The journal of a move that was cut short, of another light and between other bridges.
const ANOTHER: &str = r#"{"began":7,"from":"001788fffe010203","to":"001788fffe0a0b0c","light":"77","name":"Other",
    "unique_id":"00:17:88:01:00:BD:C7:07-0b","known_at_target":[],"steps":["checked","opened"],"ended":false}"#;

#[test]
fn the_move_of_another_light_is_not_gone_on_with() {
    let (fixture, _plot) = two_bridges();
    std::fs::write(fixture.state().join("hue-move-other.json"), ANOTHER).unwrap();
    let words = ["hue", "move", "Desk", "--from", "127.94.0.99", "--to", TO];
    let run = fixture.json(&words).ends_with(4);
    let hint = run.json()["error"]["hint"].as_str().unwrap().to_owned();
    assert!(!hint.contains("Other"), "{hint}");
    assert!(hint.contains("switched on"), "{hint}");
}

#[test]
fn a_journal_that_cannot_be_read_is_named_once() {
    let (fixture, _plot) = two_bridges();
    std::fs::write(fixture.state().join("hue-move-other.json"), "{").unwrap();
    let run = finish(verb(&fixture).output()).ends_with(7);
    let message = run.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("cannot be read"), "{message}");
    assert_eq!(
        message.matches("hue-move-other.json").count(),
        1,
        "{message}"
    );
    assert_eq!(fixture.names(FROM), ["Desk"]);
}

#[test]
fn a_move_out_of_time_says_how_to_go_on() {
    let (fixture, interceptor) = two_bridges();
    // Or it would be at its end before, on some machines.
    interceptor.hold_behind_the_delete();
    let run = finish(verb(&fixture).args(["--timeout", "5s"]).output()).ends_with(4);
    interceptor.relent();
    let hint = run.json()["error"]["hint"].as_str().unwrap().to_owned();
    assert!(hint.contains("same command again"), "{hint}");
    finish(verb(&fixture).output()).ends_with(0);
    assert_eq!(fixture.lights(TO).len(), 2);
}

/// Ends a move without notice when the first bridge has let the light go, and nobody knows where it is.
fn killed_behind_the_delete() -> (HueFixture, Arc<Interceptor>) {
    let (fixture, interceptor, child) = behind_the_delete();
    assert_eq!(ended_by(Signal::SIGKILL, child).code, -1);
    interceptor.relent();
    (fixture, interceptor)
}

#[test]
fn the_old_bridge_may_be_gone_once_it_has_let_go() {
    let (fixture, interceptor) = killed_behind_the_delete();
    interceptor.leave(&format!("{FROM}:80"));
    let run = finish(verb(&fixture).output()).ends_with(0);
    assert_eq!(run.json()["moved"], true, "{run:?}");
    assert_eq!(
        fixture
            .names(TO)
            .iter()
            .filter(|name| *name == "Desk")
            .count(),
        1
    );
}

#[test]
fn without_the_new_bridge_the_move_waits_in_the_journal() {
    let (fixture, interceptor) = killed_behind_the_delete();
    interceptor.leave(&format!("{TO}:80"));
    let run = finish(verb(&fixture).output()).ends_with(4);
    assert_eq!(run.error_kind(), "no_answer");
    let kept = journal(&fixture);
    assert!(kept.len() == 1 && kept[0].contains("deleted"), "{kept:?}");
    // It says so, and how to go on.
    let hint = run.json()["error"]["hint"].as_str().unwrap().to_owned();
    assert!(hint.contains("same command again"), "{run:?}");
}
