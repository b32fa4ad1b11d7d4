//! The steps of the tour.

use std::time::Duration;

use super::super::directory::SSID;
use super::super::network::{DemoNetwork, FRESH_AT_HOME};
use super::super::twins::FRESH;

/// Last byte of an address without a plug.
const EMPTY: u8 = 99;

/// Time in which the hub meters each plug twice and stores the difference.
const METERED_TWICE: Duration = Duration::from_secs(6);

/// One stop of the tour.
pub(super) struct TourStep {
    /// Introduction to what is about to be seen.
    pub(super) text: String,
    /// The fresh plug is unboxed now.
    pub(super) unboxes: bool,
    /// Delay before the first command.
    pub(super) delay: Duration,
    pub(super) commands: Vec<Vec<String>>,
    /// The exit code that each command ends with.
    pub(super) code: i32,
}

/// Splits commands at blanks; a word in braces stands for the text of this name.
fn step(text: &str, code: i32, commands: &[&str], names: &[(&str, &str)]) -> TourStep {
    let filled = |word: &str| {
        let fill = |word: String, (name, text): &(&str, &str)| word.replace(name, text);
        names.iter().fold(word.to_owned(), fill)
    };
    let words = |command: &&str| command.split_whitespace().map(filled).collect();
    TourStep {
        text: filled(text),
        unboxes: false,
        delay: Duration::ZERO,
        commands: commands.iter().map(words).collect(),
        code,
    }
}

/// Returns the tour of the home without a hub.
pub(super) fn of_the_home(network: &DemoNetwork) -> Vec<TourStep> {
    let [kitchen, fridge, tv, empty] =
        [1, 2, 3, EMPTY].map(|last| network.address(last).to_string());
    let names = [
        ("{kitchen}", kitchen.as_str()),
        ("{fridge}", fridge.as_str()),
        ("{tv}", tv.as_str()),
        ("{empty}", empty.as_str()),
    ];
    let step = |text, code, commands: &[&str]| step(text, code, commands, &names);
    vec![
        step(
            "Which plugs are there? One question to the whole network, asked until no plug can have been missed.",
            0,
            &["discover"],
        ),
        step(
            "A plug can be named by address, MAC or serial number. A name of your own is nicer.",
            0,
            &[
                "name {kitchen} kitchen",
                "name {fridge} fridge",
                "name {tv} tv",
            ],
        ),
        step(
            "What do they use just now?",
            0,
            &["meter kitchen fridge tv"],
        ),
        step(
            "Switching is done when the plug reports that its relay has moved, and not before.",
            0,
            &["on kitchen", "meter kitchen", "off kitchen tv"],
        ),
        step(
            "And when nothing is plugged in there? One sentence, a hint, and an exit code for scripts (here 4).",
            4,
            &["on {empty}"],
        ),
    ]
}

/// Returns the tour of the setup of the fresh plug.
pub(super) fn of_the_setup(network: &DemoNetwork, key_file: &str) -> Vec<TourStep> {
    let [fresh, home] = [FRESH, FRESH_AT_HOME].map(|last| network.address(last).to_string());
    let names = [
        ("{fresh}", fresh.as_str()),
        ("{home}", home.as_str()),
        ("{ssid}", SSID),
        ("{key-file}", key_file),
    ];
    let step = |text, commands: &[&str]| step(text, 0, commands, &names);
    vec![
        TourStep {
            unboxes: true,
            ..step(
                "Now the fifth plug comes out of its box: {fresh} stands for its own access point. What is it?",
                &["probe {fresh}"],
            )
        },
        step(
            "Put it on your Wi-Fi. The key comes from a file, never from the command line. The plug tries it before \
             it gives up its own network, so a wrong one costs nothing.",
            &[
                "setup --module {fresh} --wifi manual --ssid {ssid} --key-file {key-file} --to {home} --name lamp --yes",
            ],
        ),
        step("There it is.", &["discover", "on lamp"]),
        step(
            "For programs: one JSON document, always of the same form.",
            &["--json meter lamp"],
        ),
    ]
}

/// Returns the tour of what a hub adds, once it runs.
pub(super) fn of_the_hub() -> Vec<TourStep> {
    let step = |text, commands: &[&str]| step(text, 0, commands, &[]);
    vec![
        step(
            "It has taken in every plug. From now on it keeps contact with them, and the verbs go through it by themselves.",
            &["hub plugs", "off lamp"],
        ),
        step(
            "It switches by the clock and the sun, and by what a plug does: the TV goes off when it only stands by.",
            &[
                "schedule add evening --targets lamp --action on --sun sunset --offset -15m",
                "rule add standby --kind standby-kill --plug tv --below 10 --for 5m",
                "schedule list",
            ],
        ),
        TourStep {
            delay: METERED_TWICE,
            ..step(
                "And it remembers what each of them used. It has metered them for some seconds now.",
                &["history fridge --step 1m", "energy"],
            )
        },
    ]
}
