//! The screen of `mains watch` in a real terminal: what it shows, its keys, and what it leaves behind.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use serde_json::Value;

use crate::home::Home;
use crate::house::{Hub, adopt, eventually, plugs};
use crate::tmux::Tmux;

/// Plugs that are on, each with a load of 60 W: `fridge` at 127.0.0.2, then those without a name.
fn emulated(home: &mut Home, count: usize) {
    let number = count.to_string();
    let words = [
        "--listen",
        "127.0.0.2",
        "--count",
        &number,
        "--relay",
        "on",
        "--load",
        "60",
    ];
    home.emulate(&words, count);
    home.run(&["name", "127.0.0.2", "fridge"]).ends_with(0);
}

/// The relay, as the plug itself reports it.
fn relay(home: &Home, address: &str) -> Value {
    let run = home
        .json(&["--hub", "none", "status", address])
        .ends_with(0);
    run.json()[0]["relay"].clone()
}

fn row<'a>(screen: &'a str, name: &str) -> &'a str {
    let row = screen.lines().find(|line| line.contains(name));
    row.unwrap_or_else(|| panic!("no {name}:\n{screen}"))
}

fn has_row(name: &'static str, texts: &'static [&'static str]) -> impl Fn(&str) -> bool {
    move |screen| {
        let row = screen.lines().find(|line| line.contains(name));
        row.is_some_and(|row| texts.iter().all(|text| row.contains(text)))
    }
}

#[test]
fn plugs_are_shown_switched_filtered_and_sorted() {
    let mut home = Home::with_network();
    emulated(&mut home, 3);
    home.run(&["name", "127.0.0.3", "attic"]).ends_with(0);
    let Some(terminal) = Tmux::open(&home, 110, 20) else {
        return;
    };
    terminal.mains("watch");
    let first = terminal.shows(&[
        "3 plugs",
        "3 on",
        "180.0 W",
        "without a hub",
        "VOLTAGE",
        "fridge",
    ]);
    assert!(
        row(&first, "fridge").contains("ON") && row(&first, "fridge").contains("60.0 W"),
        "{first}"
    );
    assert!(terminal.is_taken_over());
    // Nothing is switched before a plug is chosen.
    terminal.keys(&["Space"]);
    terminal.shows(&["choose a plug with the arrow keys"]);
    terminal.keys(&["Down", "Down"]);
    terminal.until("the cursor", has_row("▶ fridge", &["ON"]));
    std::thread::sleep(Duration::from_millis(800));
    terminal.keys(&["Space"]);
    terminal.shows(&["fridge is off (confirmed in"]);
    terminal.until("the relay", has_row("▶ fridge", &["off"]));
    assert_eq!(relay(&home, "127.0.0.2"), "off");
    assert_eq!(relay(&home, "127.0.0.3"), "on");
    terminal.shows(&["2 on", "120.0 W"]);
    // Others may switch, too.
    home.run(&["on", "fridge"]).ends_with(0);
    terminal.until("the other switch", has_row("fridge", &["ON", "60.0 W"]));
    terminal.keys(&["s"]);
    terminal.shows(&["POWER▾", "by power"]);
    terminal.keys(&["S"]);
    terminal.shows(&["POWER▴", "by power, reversed"]);
    terminal.text("/att");
    let filtered = terminal.shows(&["/att", "filter: att (1 of 3)"]);
    assert!(
        filtered.contains("attic") && !filtered.contains("▶ fridge"),
        "{filtered}"
    );
    terminal.keys(&["Escape"]);
    terminal.shows(&["fridge", "attic"]);
    terminal.keys(&["?"]);
    terminal.shows(&["switch the selected plug on or off", "Ctrl-Z"]);
    terminal.keys(&["q"]);
    terminal.shows(&["fridge"]);
    terminal.keys(&["q"]);
    terminal.ended_with(0);
}

#[test]
fn it_fits_whatever_size_the_terminal_gets() {
    let mut home = Home::with_network();
    emulated(&mut home, 2);
    let Some(terminal) = Tmux::open(&home, 120, 16) else {
        return;
    };
    terminal.mains("watch");
    terminal.shows(&["fridge", "VOLTAGE", "CURRENT", "METERED", "ADDRESS"]);
    let is_drawn =
        |screen: &str| screen.contains("2 plugs") && has_row("fridge", &["ON", "60.0 W"])(screen);
    terminal.resize(60, 16);
    // Until it is drawn anew, the terminal shows the left part of the wider screen.
    terminal.until("fewer columns", |screen| {
        is_drawn(screen) && screen.contains("METERED") && !screen.contains("ADDRESS")
    });
    terminal.resize(40, 12);
    let narrow = terminal.until("whole columns", |screen| {
        is_drawn(screen) && !screen.contains("METERED")
    });
    let is_narrow = |line: &str| line.chars().count() <= 40;
    assert!(narrow.lines().all(is_narrow), "{narrow}");
    terminal.resize(12, 3);
    terminal.resize(120, 16);
    terminal.shows(&["fridge", "ADDRESS"]);
    terminal.keys(&["C-c"]);
    terminal.ended_with(0);
}

#[test]
fn no_colour_where_none_is_wanted() {
    let mut home = Home::with_network();
    emulated(&mut home, 1);
    for (variables, words, is_styled) in [
        (&[("TERM", "xterm")][..], "watch", true),
        (&[("NO_COLOR", "1")][..], "watch", false),
        (&[("TERM", "xterm")][..], "--color never watch", false),
    ] {
        let Some(terminal) = Tmux::open_with(&home, 80, 12, variables) else {
            return;
        };
        terminal.mains(words);
        terminal.shows(&["fridge", "60.0 W"]);
        terminal.keys(&["Down"]);
        terminal.until("the cursor", has_row("▶ fridge", &["ON"]));
        let styled = terminal.styled_screen();
        assert_eq!(styled.contains("\u{1b}["), is_styled, "{words}: {styled:?}");
        terminal.keys(&["q"]);
        terminal.ended_with(0);
    }
}

#[test]
fn a_hub_that_is_gone_is_said_and_its_figures_are_not_shown_as_present() {
    let mut home = Home::with_network();
    emulated(&mut home, 1);
    let hub = Hub::start(&home, &[]);
    adopt(&home, &["127.0.0.2"]);
    let Some(terminal) = Tmux::open(&home, 100, 14) else {
        return;
    };
    terminal.mains("watch");
    let shown = terminal.shows(&[
        "hub http://127.0.0.1:8480",
        "1 on",
        "60.0 W",
        "Wh today",
        "TODAY",
    ]);
    assert!(row(&shown, "fridge").contains("ON"), "{shown}");
    terminal.keys(&["Down", "Enter"]);
    terminal.shows(&["fridge is off (confirmed in"]);
    assert_eq!(relay(&home, "127.0.0.2"), "off");
    assert_eq!(plugs(&home)[0]["relay"], "off");
    std::thread::sleep(Duration::from_millis(800));
    terminal.keys(&["Enter"]);
    terminal.until("it is on", has_row("fridge", &["ON", " 60.0 W"]));
    // It neither answers nor closes its connections, as one whose computer lost power.
    hub.freeze();
    let gone = terminal.shows(&["the hub cannot be reached", "reconnecting"]);
    let row = row(&gone, "fridge");
    assert!(row.contains("(60.0 W)") && !row.contains("ON"), "{gone}");
    hub.end(Signal::SIGKILL);
    let hub = Hub::start(&home, &[]);
    let back = terminal.shows(&["1 on"]);
    assert!(!back.contains("cannot be reached"), "{back}");
    // A switch that the hub cannot carry out any more says so.
    hub.end(Signal::SIGKILL);
    terminal.shows(&["the hub cannot be reached"]);
    terminal.keys(&["Space"]);
    terminal.shows(&["error: fridge: "]);
    terminal.keys(&["q"]);
    terminal.ended_with(0);
}

#[test]
fn a_plug_that_does_not_obey_and_one_that_is_gone() {
    let mut home = Home::with_network();
    home.emulate(&["--listen", "127.0.0.2", "--fault", "stuck-relay"], 1);
    home.run(&["name", "127.0.0.2", "stuck"]).ends_with(0);
    let Some(terminal) = Tmux::open(&home, 80, 18) else {
        return;
    };
    terminal.mains("watch");
    terminal.until("the plug", has_row("stuck", &["off"]));
    terminal.keys(&["Down", "Space"]);
    terminal.until("pending", has_row("▶ stuck", &["→on"]));
    terminal.shows(&["error: stuck accepted `on`, but its relay is still off"]);
    terminal.until("as it was", has_row("▶ stuck", &["off"]));
    home.end_emulators();
    let gone = terminal.shows(&["gone", "does not reply, last heard"]);
    assert!(row(&gone, "▶ stuck").contains("gone"), "{gone}");
    terminal.keys(&["q"]);
    terminal.ended_with(0);
}

#[test]
fn signals_end_it_and_the_terminal_is_as_before() {
    let mut home = Home::with_network();
    emulated(&mut home, 1);
    let Some(terminal) = Tmux::open(&home, 80, 12) else {
        return;
    };
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT] {
        terminal.line("clear");
        terminal.mains("watch");
        terminal.shows(&["fridge"]);
        terminal.signal(signal);
        terminal.ended_with(0);
    }
    terminal.line("clear");
    terminal.mains("--timeout 3s watch");
    terminal.shows(&["fridge"]);
    terminal.ended_with(0);
}

#[test]
fn it_ends_with_its_terminal_also_where_hang_ups_are_ignored() {
    let mut home = Home::with_network();
    emulated(&mut home, 1);
    for before in ["", "trap '' HUP; "] {
        let Some(terminal) = Tmux::open(&home, 80, 12) else {
            return;
        };
        terminal.line(&format!("{before}$MAINS watch"));
        terminal.shows(&["fridge"]);
        let process = terminal.process();
        drop(terminal);
        eventually("its end", || {
            let state = std::fs::read_to_string(format!("/proc/{process}/stat"));
            // One that nobody waits for stays in the list.
            state.is_ok_and(|state| state.contains(") Z ")) || kill(process, None).is_err()
        });
    }
}

#[test]
fn it_can_be_stopped_and_goes_on() {
    let mut home = Home::with_network();
    emulated(&mut home, 1);
    let Some(terminal) = Tmux::open(&home, 80, 24) else {
        return;
    };
    // Without a list, which a stopped job would end.
    terminal.line("$MAINS watch");
    terminal.shows(&["fridge"]);
    terminal.keys(&["C-z"]);
    terminal.shows(&["Stopped"]);
    terminal.is_restored();
    terminal.line("fg");
    terminal.shows(&["fridge", "1 plug"]);
    assert!(terminal.is_taken_over());
    // A stop that it cannot prepare for.
    terminal.signal(Signal::SIGSTOP);
    terminal.shows(&["Stopped"]);
    terminal.line("fg");
    terminal.shows(&["fridge", "1 plug", "quit"]);
    terminal.keys(&["?"]);
    terminal.shows(&["Ctrl-Z"]);
    terminal.keys(&["C-c"]);
    // What is typed before it has ended is a key of the screen.
    terminal.shows(&["shell%fg"]);
    terminal.line("echo \"code=$?\"");
    terminal.ended_with(0);
}

#[test]
fn messages_and_the_log_do_not_tear_it() {
    let mut home = Home::with_network();
    emulated(&mut home, 1);
    let Some(terminal) = Tmux::open(&home, 100, 14) else {
        return;
    };
    terminal.mains("-v watch");
    terminal.shows(&["fridge", "60.0 W"]);
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(3) {
        let screen = terminal.screen();
        assert!(!screen.contains("DEBUG"), "{screen}");
        std::thread::sleep(Duration::from_millis(100));
    }
    terminal.keys(&["q"]);
    let ended = terminal.ended_with(0);
    assert!(ended.contains("DEBUG"), "{ended}");
}

#[test]
fn a_failure_is_reported_on_the_terminal_that_was_there_before() {
    let mut home = Home::with_network();
    emulated(&mut home, 1);
    let hub = Hub::start(&home, &[]);
    adopt(&home, &["127.0.0.2"]);
    let words = ["hub", "token", "add", "guest", "--scope", "read"];
    let token = home.json(&words).ends_with(0).json();
    let Some(terminal) = Tmux::open(&home, 100, 14) else {
        return;
    };
    let secret = token["token"].as_str().unwrap();
    home.write("token", secret);
    let watch = format!("--hub {} watch", hub.url);
    terminal.line("export MAINS_TOKEN=$(cat $HOME/token); clear");
    terminal.mains(&watch);
    terminal.until("the plug", has_row("fridge", &["ON"]));
    terminal.keys(&["Down", "Space"]);
    // Who may only look cannot switch.
    terminal.shows(&["error: fridge: "]);
    terminal.until("as it was", has_row("▶ fridge", &["ON"]));
    assert!(!terminal.screen().contains(secret));
    home.json(&["hub", "token", "revoke", "guest"]).ends_with(0);
    let ended = terminal.ended_with(2);
    assert!(ended.contains("error: the hub at"), "{ended}");
    // One that cannot be reached to begin with takes nothing over.
    drop(hub);
    terminal.line("clear");
    terminal.mains(&watch);
    terminal.ended_with(8);
}

#[test]
fn lines_where_no_screen_is_possible_or_wanted() {
    let mut home = Home::with_network();
    emulated(&mut home, 1);
    let Some(terminal) = Tmux::open(&home, 100, 14) else {
        return;
    };
    for words in [
        "TERM=dumb $MAINS --timeout 5s watch",
        "$MAINS -q --timeout 5s watch",
        "$MAINS --timeout 5s watch </dev/null",
        "$MAINS --timeout 5s watch | cat",
    ] {
        terminal.line("clear");
        terminal.line(&format!("{words}; echo code=$?"));
        terminal.until("lines", has_row("fridge", &["60.0 W", ":"]));
        assert!(!terminal.is_taken_over(), "{words}");
        let ended = terminal.ended_with(0);
        assert!(ended.contains("TIME"), "{words}: {ended}");
    }
}

/// The program of the next test: a screen, and a failure of its own code in it.
#[test]
#[ignore = "not a test: the program of the test of a panic"]
fn fails_in_a_screen() {
    let ui = mains::ui::Ui::new(mains::ui::UiOptions::default());
    let mut screen = ui.screen().unwrap();
    screen
        .draw(|frame| frame.render_widget("the screen", frame.area()))
        .unwrap();
    std::thread::sleep(Duration::from_secs(2));
    panic!("a failure of its own code");
}

#[test]
fn a_panic_leaves_the_terminal_as_it_was() {
    let home = Home::new();
    let Some(terminal) = Tmux::open(&home, 120, 20) else {
        return;
    };
    let program = std::env::current_exe().unwrap();
    let words = "--ignored --exact screen::fails_in_a_screen --nocapture";
    terminal.line(&format!("{} {words}; echo code=$?", program.display()));
    terminal.shows(&["the screen"]);
    assert!(terminal.is_taken_over());
    let ended = terminal.ended_with(101);
    assert!(ended.contains("a failure of its own code"), "{ended}");
}
