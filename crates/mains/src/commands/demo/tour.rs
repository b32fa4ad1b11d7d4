//! What the tour shows, step by step.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::place::SSID;
use super::twins::{FRESH, FRESH_AT_HOME};

/// An address of the home where nothing is plugged in.
const EMPTY: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 99);

/// What was used is known from the second reading on, and written down a second later.
const METERED_TWICE: Duration = Duration::from_secs(6);

/// One stop of the tour.
pub(super) struct Step {
    /// What is about to be seen, and why.
    pub(super) says: &'static str,
    /// Whether the fresh plug is plugged in now.
    pub(super) unboxes: bool,
    /// How long the home is left alone before.
    pub(super) rests: Duration,
    pub(super) commands: Vec<Vec<String>>,
    /// The exit code that each command ends with.
    pub(super) code: i32,
}

fn step(says: &'static str, code: i32, commands: &[&[&str]]) -> Step {
    let words = |command: &&[&str]| command.iter().map(|word| (*word).to_owned()).collect();
    Step {
        says,
        unboxes: false,
        rests: Duration::ZERO,
        commands: commands.iter().map(words).collect(),
        code,
    }
}

/// The home, without a hub.
pub(super) fn of_the_home(key_file: &str) -> Vec<Step> {
    let (fresh, fresh_at_home, empty) = (
        FRESH.to_string(),
        FRESH_AT_HOME.to_string(),
        EMPTY.to_string(),
    );
    vec![
        step(
            "Which plugs are there? One question to the whole network, asked until no plug can have been missed.",
            0,
            &[&["discover"]],
        ),
        step(
            "A plug can be named by address, MAC or serial number. A name of your own is nicer.",
            0,
            &[
                &["name", "127.77.0.1", "kitchen"],
                &["name", "127.77.0.2", "fridge"],
                &["name", "127.77.0.3", "tv"],
            ],
        ),
        step(
            "What do they use just now?",
            0,
            &[&["meter", "kitchen", "fridge", "tv"]],
        ),
        step(
            "Switching is done when the plug says that its relay has moved, and not before.",
            0,
            &[
                &["on", "kitchen"],
                &["meter", "kitchen"],
                &["off", "kitchen", "tv"],
            ],
        ),
        step(
            "And when nothing is plugged in there? One sentence, a hint, and an exit code for scripts (here 4).",
            4,
            &[&["on", &empty]],
        ),
        Step {
            unboxes: true,
            ..step(
                "Now the fifth plug comes out of its box: 127.77.0.5 stands for its own access point. What is it?",
                0,
                &[&["probe", &fresh]],
            )
        },
        step(
            "Put it on your Wi-Fi. The key comes from a file, never from the command line. The plug tries it before \
             it gives up its own network, so a wrong one costs nothing.",
            0,
            &[&[
                "setup",
                "--module",
                &fresh,
                "--wifi",
                "manual",
                "--ssid",
                SSID,
                "--key-file",
                key_file,
                "--to",
                &fresh_at_home,
                "--name",
                "lamp",
                "--yes",
            ]],
        ),
        step("There it is.", 0, &[&["discover"], &["on", "lamp"]]),
        step(
            "For programs: one JSON document, always of the same form.",
            0,
            &[&["--json", "meter", "lamp"]],
        ),
    ]
}

/// What a hub adds, once it runs.
pub(super) fn of_the_hub() -> Vec<Step> {
    vec![
        step(
            "It has taken in every plug. From now on it keeps contact with them, and the verbs go through it by themselves.",
            0,
            &[&["hub", "plugs"], &["off", "lamp"]],
        ),
        step(
            "It switches by the clock and the sun, and by what a plug does: the TV goes off when it only stands by.",
            0,
            &[
                &[
                    "schedule",
                    "add",
                    "evening",
                    "--targets",
                    "lamp",
                    "--action",
                    "on",
                    "--sun",
                    "sunset",
                    "--offset",
                    "-15m",
                ],
                &[
                    "rule",
                    "add",
                    "standby",
                    "--kind",
                    "standby-kill",
                    "--plug",
                    "tv",
                    "--below",
                    "10",
                    "--for",
                    "5m",
                ],
                &["schedule", "list"],
            ],
        ),
        Step {
            rests: METERED_TWICE,
            ..step(
                "And it remembers what each of them used. It has metered them for some seconds now.",
                0,
                &[&["history", "fridge", "--step", "1m"], &["energy"]],
            )
        },
    ]
}
