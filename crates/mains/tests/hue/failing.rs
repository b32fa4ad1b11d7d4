//! Each step of a takeover and of a move fails once at a twin: the code is one of the contract's, nothing is lost, and what is done
//! next brings the bulb where it was to go.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::fixture::{FIRST, HueFixture, SECOND};
use crate::home::FinishedRun;

/// The failures of a request. The last two do what was requested, without a reply.
const FAILURES: [&str; 7] = [
    "busy",
    "status=500",
    "html",
    "empty-list",
    "garbage",
    "half",
    "silent",
];
const TAKEOVER: [&str; 5] = [
    "GET/lights",
    "GET/lights/new",
    "PUT/config",
    "POST/lights",
    "PUT/lights/1/state",
];
const MOVE: [&str; 7] = [
    "GET/lights",
    "GET/lights/new",
    "GET/capabilities",
    "POST/lights",
    "DELETE/lights/1",
    "PUT/lights/1/state",
    "PUT/lights/1",
];

/// `busy` at a place, once: `busy=POST/lights*1`, `status=500POST/lights*1`.
fn once(failure: &str, place: &str) -> String {
    let joint = if failure.contains('=') { "" } else { "=" };
    format!("{failure}{joint}{place}*1")
}

/// Tries every failure at every place, several at the same time; each has a house and a network of its own. `case` tells
/// whether the failure was noticed; returns how often.
fn everywhere(places: &[&str], case: impl Fn(&str) -> bool + Sync) -> usize {
    let (next, noticed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let faults: Vec<String> = places
        .iter()
        .flat_map(|place| FAILURES.map(|failure| once(failure, place)))
        .collect();
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while let Some(fault) = faults.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // A thread keeps the network that it has.
                    let done = std::thread::scope(|one| one.spawn(|| case(fault)).join());
                    match done {
                        Ok(is_noticed) => {
                            noticed.fetch_add(usize::from(is_noticed), Ordering::Relaxed)
                        }
                        Err(panic) => std::panic::resume_unwind(panic),
                    };
                }
            });
        }
    });
    noticed.into_inner()
}

/// Done, or a failure that says what it is in one document.
fn is_told(run: &FinishedRun, fault: &str) {
    assert!(matches!(run.code, 0 | 4 | 5 | 6), "{fault}: {run:?}");
    let error = &run.json()["error"];
    assert_eq!(run.code == 0, error.is_null(), "{fault}: {run:?}");
    if run.code != 0 {
        let message = error["message"].as_str().unwrap();
        assert!(
            !message.is_empty() && !message.contains('\n'),
            "{fault}: {message}"
        );
    }
}

#[test]
fn a_takeover_that_fails_at_any_step() {
    let noticed = everywhere(&TAKEOVER, |fault| {
        let fixture = HueFixture::paired(&[
            "--model",
            "bsb001",
            "--no-announce",
            "--bulb",
            "near:foreign",
            "--fault",
            fault,
        ]);
        let first = fixture.json(&["--yes", "hue", "takeover", FIRST]);
        is_told(&first, fault);
        if fixture.lights(FIRST).is_empty() {
            // What is told after a touchlink: search before the next one.
            fixture.json(&["hue", "search", FIRST]).ends_with(0);
        }
        if fixture.lights(FIRST).is_empty() {
            fixture
                .json(&["--yes", "hue", "takeover", FIRST])
                .ends_with(0);
        }
        assert_eq!(fixture.lights(FIRST).len(), 1, "{fault}: {first:?}");
        first.code != 0
    });
    // An internal error is tried once more, and some failures are no reason to stop.
    assert!(noticed >= 15, "only {noticed} failures were noticed");
}

#[test]
fn a_move_that_fails_at_any_step() {
    let noticed = everywhere(&MOVE, |fault| {
        let fixture = HueFixture::paired(&[
            "--model",
            "bsb001",
            "--count",
            "2",
            "--no-announce",
            "--bulb",
            "near:1",
            "--fault",
            fault,
        ]);
        let mut codes = Vec::new();
        // Both bridges fail once.
        for _ in 0..3 {
            let run = fixture.json(&["--yes", "hue", "move", "1", "--from", FIRST, "--to", SECOND]);
            is_told(&run, fault);
            codes.push(run.code);
            if run.code == 0 {
                assert_eq!(run.json()["moved"], true, "{fault}: {run:?}");
                break;
            }
        }
        assert_eq!(codes.last(), Some(&0), "{fault}: {codes:?}");
        let (here, there) = (fixture.lights(FIRST), fixture.lights(SECOND));
        assert!(here.is_empty(), "{fault}: {here:?}");
        assert_eq!(there.len(), 1, "{fault}: {there:?}");
        codes.len() > 1
    });
    assert!(noticed >= 15, "only {noticed} failures were noticed");
}
