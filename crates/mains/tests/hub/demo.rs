//! `mains demo`: the emulated home with its past and its hub, as somebody meets it who has no plug yet.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::home::{FinishedRun, Home, finish};
use crate::house::{Hub, eventually};

fn demo(home: &Home, words: &[&str]) -> Command {
    let temporary = home.path("tmp");
    fs::create_dir_all(&temporary).unwrap();
    let plain = home.command();
    // Tests that `nohup` started pass on that SIGHUP is ignored.
    let mut command = Command::new("env");
    command
        .arg("--default-signal=HUP")
        .arg(plain.get_program())
        .env_clear()
        .envs(
            plain
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .stdin(Stdio::null())
        .arg("demo")
        .args(words)
        .env("TMPDIR", temporary)
        // What a desktop would set; without a terminal no browser is opened.
        .env("DISPLAY", ":99");
    command
}

/// The folders of demos.
fn folders(home: &Home) -> Vec<PathBuf> {
    let entries = fs::read_dir(home.path("tmp")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// Runs a verb at the demo with this folder.
fn at(home: &Home, folder: &Path, words: &[&str]) -> Value {
    run_at(home, folder, words).json()
}

fn run_at(home: &Home, folder: &Path, words: &[&str]) -> FinishedRun {
    let mut command = home.command();
    command
        .env("MAINS_STATE", folder.join("state"))
        .env("MAINS_CONFIG", "/dev/null")
        .arg("--json")
        .args(words);
    finish(command.output()).ends_with(0)
}

/// A page as a browser gets it that opens the link.
fn page(link: &str, path: &str) -> String {
    let (host, login) = link
        .strip_prefix("http://")
        .unwrap()
        .split_once('/')
        .unwrap();
    let get = |path: &str, cookie: &str| {
        let mut stream = TcpStream::connect(host).unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nCookie: {cookie}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        reply
    };
    let reply = get(&format!("/{login}"), "");
    let cookie = reply
        .lines()
        .find_map(|line| line.strip_prefix("set-cookie: "))
        .unwrap_or_else(|| panic!("{reply}"));
    get(path, cookie.split(';').next().unwrap())
}

fn names(list: &Value) -> Vec<&str> {
    let list = list.as_array().unwrap().iter();
    let mut names: Vec<&str> = list.map(|it| it["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    names
}

#[test]
fn the_home_has_loads_a_past_and_what_its_owner_has_set_up() {
    let home = Home::with_network();
    // A configuration that nothing could start with.
    home.write(".config/mains/mains.toml", "nonsense = 1\n");
    let demo = Hub::run(demo(&home, &[]));
    let folder = folders(&home).swap_remove(0);
    let at = |words: &[&str]| at(&home, &folder, words);

    let plugs = at(&["hub", "plugs"]);
    assert_eq!(
        names(&plugs),
        [
            "Floor lamp",
            "Fridge",
            "Heater",
            "Kettle",
            "String lights",
            "TV",
            "Washing machine"
        ]
    );
    for plug in plugs.as_array().unwrap() {
        assert!(plug["room"].is_string(), "{plug}");
        assert!(plug["reading"]["voltage_v"].is_f64(), "{plug}");
    }
    // One that is not adopted is heard; the one in its box is not.
    let found = at(&["discover", "--wait", "3s"]);
    assert_eq!(found.as_array().unwrap().len(), 8, "{found}");

    assert_eq!(names(&at(&["group", "list"])), ["Evening lights"]);
    let schedules = at(&["schedule", "list"]);
    assert_eq!(schedules.as_array().unwrap().len(), 4);
    assert!(
        schedules
            .as_array()
            .unwrap()
            .iter()
            .all(|it| it["next"].is_string())
    );
    assert!(
        schedules
            .as_array()
            .unwrap()
            .iter()
            .all(|it| it["last"]["confirmed"] == true
                && it["upcoming"].as_array().unwrap().len() == 3)
    );
    let rules = at(&["rule", "list"]);
    let acted: Vec<_> = rules
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| !it["last"].is_null())
        .collect();
    assert_eq!(
        (rules.as_array().unwrap().len(), acted.len()),
        (4, 2),
        "{rules}"
    );
    let log = run_at(&home, &folder, &["events", "--since", "32d", "--no-follow"]);
    let log = log
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["data"].take());
    let log: Vec<Value> = log
        .filter(|it| it["text"].as_str().unwrap().ends_with("(simulated)"))
        .collect();
    assert!((100..1000).contains(&log.len()), "{}", log.len());
    for (kind, text) in [
        ("schedule", "the schedule \u{2018}Dusk\u{2019} turned on"),
        (
            "rule",
            "the rule \u{2018}Heater forgotten\u{2019} turned off",
        ),
        ("switch", "Floor lamp turned on"),
        ("availability", "String lights is back"),
    ] {
        let is_there =
            |it: &Value| it["kind"] == kind && it["text"].as_str().unwrap().starts_with(text);
        assert!(log.iter().any(is_there), "{text}");
    }
    assert!(log.iter().all(|it| it["problem"] == false));
    assert_eq!(names(&at(&["tariff", "list"])), ["Household"]);
    assert_eq!(at(&["hub", "status"])["is_simulated"], true);

    let page = page(&demo.login_url, "/");
    assert!(page.contains("This is a simulated home. Thirty days of history are made up."));
    assert!(page.contains("Washing machine"));
    assert!(!home.state().exists(), "the demo keeps to itself");
    thirty_days_are_what_the_loads_use(&home, &folder, &plugs);
}

fn thirty_days_are_what_the_loads_use(home: &Home, folder: &Path, plugs: &Value) {
    let now = jiff::Timestamp::now();
    let from = (now - jiff::SignedDuration::from_hours(30 * 24)).to_string();
    let energy = at(home, folder, &["energy", "--by", "day", "--from", &from]);
    let rows = energy.as_array().unwrap();
    // Watt-hours of a whole day, and of all of them.
    for (name, day, mean) in [
        ("Fridge", 400.0..1000.0, 550.0..900.0),
        ("Kettle", 60.0..2500.0, 300.0..1500.0),
        ("TV", 80.0..450.0, 150.0..400.0),
        ("Floor lamp", 0.0..420.0, 100.0..400.0),
        ("Heater", 0.0..2500.0, 400.0..1300.0),
        ("Washing machine", 20.0..1200.0, 250.0..700.0),
        ("String lights", 0.0..200.0, 40.0..180.0),
    ] {
        let plug = plugs
            .as_array()
            .unwrap()
            .iter()
            .find(|plug| plug["name"] == name);
        let mac = &plug.unwrap()["mac"];
        let days: Vec<f64> = rows
            .iter()
            .filter(|row| row["mac"] == *mac)
            .map(|row| row["energy_wh"].as_f64().unwrap())
            .collect();
        // The first and the last day are not whole.
        let whole = &days[1..days.len() - 1];
        assert!(whole.len() >= 28, "{name}: {days:?}");
        assert!(whole.iter().all(|wh| day.contains(wh)), "{name}: {days:?}");
        let of_a_day = whole.iter().sum::<f64>() / whole.len() as f64;
        assert!(mean.contains(&of_a_day), "{name}: {of_a_day} Wh a day");
    }
    assert!(
        rows.iter()
            .all(|row| row["cost"].is_f64() && row["currency"] == "EUR")
    );
}

#[test]
fn nothing_is_left_when_a_signal_ends_it() {
    let home = Home::with_network();
    for signal in [Signal::SIGINT, Signal::SIGHUP] {
        let demo = Hub::run(demo(&home, &[]));
        assert_eq!(folders(&home).len(), 1);
        let (status, _, log) = demo.end(signal);
        assert_eq!(status.code(), Some(0), "{signal}: {log}");
        assert_eq!(folders(&home), Vec::<PathBuf>::new(), "{signal}");
    }
    // While the past is still being written, too.
    let mut child = demo(&home, &[]).stdout(Stdio::null()).spawn().unwrap();
    eventually("the database is there", || {
        folders(&home)
            .iter()
            .any(|folder| folder.join("state/mains.sqlite").exists())
    });
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, Signal::SIGTERM).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(folders(&home), Vec::<PathBuf>::new());
}

#[test]
fn demos_run_side_by_side_and_clean_up_after_killed_ones() {
    let home = Home::with_network();
    let first = Hub::run(demo(&home, &[]));
    let killed = folders(&home).swap_remove(0);
    let second = Hub::run(demo(&home, &[]));
    let alive = folders(&home)
        .into_iter()
        .find(|folder| *folder != killed)
        .unwrap();
    assert_ne!(first.url, second.url);
    // Each sees its own plugs alone.
    for folder in [&killed, &alive] {
        let found = at(&home, folder, &["discover", "--wait", "3s"]);
        assert_eq!(found.as_array().unwrap().len(), 8, "{found}");
    }
    first.end(Signal::SIGKILL);
    assert!(killed.join("state").exists());
    let _third = Hub::run(demo(&home, &[]));
    assert!(!killed.exists(), "the next demo removes it");
    assert!(alive.join("state").exists());
    assert_eq!(folders(&home).len(), 2);
    drop(second);
}
