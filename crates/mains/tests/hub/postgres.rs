//! A home that moves from its file into a PostgreSQL database, lives through the server's absence, and moves back.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use jiff::Timestamp;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::home::{FinishedRun, Home, finish};
use crate::house::{Hub, adopt, eventually};
use crate::needs;
use crate::server::PostgresServer;
use crate::year::{self, Density};

/// Runs `mains --json` with a database.
fn with_database(home: &Home, database: &str, words: &[&str]) -> FinishedRun {
    let mut command = home.command();
    command.env("MAINS_HUB_DATABASE", database).arg("--json");
    finish(command.args(words).output())
}

fn start(home: &Home, database: &str) -> Hub {
    let mut command = home.command();
    command
        .env("MAINS_HUB_DATABASE", database)
        .env("MAINS_HUB_METERING", "1s")
        .env("MAINS_HUB_SCAN", "1s");
    Hub::run({
        command.arg("serve");
        command
    })
}

/// Returns the number of readings that are stored.
fn readings(home: &Home) -> usize {
    reading_times(home).len()
}

/// Returns the times of the readings that are stored, from an export.
fn reading_times(home: &Home) -> Vec<Timestamp> {
    let file = home.path("export.csv");
    let _ = std::fs::remove_file(&file);
    let run = home.run(&["hub", "export", "lamp", file.to_str().unwrap()]);
    run.ends_with(0);
    let text = std::fs::read_to_string(file).unwrap();
    let times = text
        .lines()
        .filter_map(|line| line.strip_prefix("reading,"));
    times
        .map(|line| line.split(',').next().unwrap().parse().unwrap())
        .collect()
}

fn switch(home: &Home, state: &str) {
    let told = home.json(&[state, "lamp"]).ends_with(0).json();
    assert_eq!(told[0]["confirmed"], true, "{told}");
}

#[test]
fn a_home_moves_to_a_server_and_back() {
    let mut home = Home::with_network();
    let Some(server) = needs::met(PostgresServer::start()) else {
        return;
    };
    let url = server.config(&server.database()).url.to_string();
    let file = home.state().join("mains.sqlite");
    home.emulate(&["--relay", "on"], 1);
    let hub = start(&home, "");
    adopt(&home, &["127.0.0.2"]);
    home.json(&["name", "127.0.0.2", "lamp"]).ends_with(0);
    home.json(&["group", "add", "lights", "lamp"]).ends_with(0);
    eventually("two readings", || readings(&home) >= 2);
    let migrate = || with_database(&home, "", &["hub", "migrate", "--to", &url]).ends_with(0);
    // While the hub runs, it is its file at that moment that is copied.
    let running = migrate().json();
    assert_eq!(running["from"], file.to_str().unwrap());
    assert!(running["rows"].as_u64() > Some(3), "{running}");
    let before = readings(&home);
    eventually("more readings", || readings(&home) > before + 2);
    home.json(&["group", "remove", "lights"]).ends_with(0);
    home.json(&["group", "add", "lamps", "lamp"]).ends_with(0);
    hub.end(Signal::SIGTERM);
    let left = std::fs::read_dir(home.state()).unwrap();
    let left = left.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_str().unwrap().starts_with(".mains-migrate")
    });
    assert_eq!(left.count(), 0);
    let told = migrate().json();
    assert_eq!(
        (&told["to"], &told["verified"]),
        (&url.as_str().into(), &true.into())
    );
    assert_eq!(told["from"], file.to_str().unwrap());
    // Again is the same.
    assert_eq!(migrate().json(), told);

    let hub = start(&home, &url);
    let before = readings(&home);
    assert!(before >= 2, "{before}");
    let groups = home.json(&["group", "list"]).ends_with(0).json();
    assert_eq!(groups[0]["name"], "lamps", "{groups}");
    assert_eq!(groups.as_array().unwrap().len(), 1, "{groups}");
    eventually("a reading in the database", || readings(&home) > before);
    switch(&home, "off");

    server.tell("stop");
    for state in ["on", "off"] {
        switch(&home, state);
    }
    let run = with_database(&home, &url, &["hub", "check"]).ends_with(2);
    let problems = run.json();
    assert_eq!(problems[0]["key"], "hub.database", "{problems}");
    let is_working = || status(&home)["recorder"]["is_working"].clone();
    eventually("the failure is told", || is_working() == false);
    let spooled = || status(&home)["spool"]["readings"].as_u64().unwrap();
    eventually("readings wait in the spool", || spooled() >= 3);
    server.tell("start");
    eventually("the database is used again", || is_working() == true);
    eventually("what waited is written", || spooled() == 0);

    // A kill while the database is away costs none of the readings that wait.
    // Those of the last second wait in memory for their batch, and go to the spool with the others.
    let away = Timestamp::now() - jiff::SignedDuration::from_secs(2);
    server.tell("stop");
    eventually("the failure is told", || is_working() == false);
    eventually("readings wait in the spool", || spooled() >= 8);
    let (waiting, killed) = (spooled(), Timestamp::now());
    hub.end(Signal::SIGKILL);
    server.tell("start");
    let hub = start(&home, &url);
    eventually("what waited is written", || spooled() == 0);
    let times = reading_times(&home);
    let meanwhile = times.iter().filter(|at| (away..killed).contains(at));
    assert!(meanwhile.count() as u64 >= waiting, "{waiting}: {times:?}");
    hub.end(Signal::SIGTERM);

    let back = home.path("back.sqlite");
    let words = ["hub", "migrate", "--to", back.to_str().unwrap()];
    let told = with_database(&home, &url, &words).ends_with(0).json();
    assert_eq!(told["verified"], true, "{told}");
    let hub = start(&home, back.to_str().unwrap());
    switch(&home, "on");
    hub.end(Signal::SIGTERM);
}

/// Runs the command and kills it at some moment, so many times. Returns how often it had not ended by then.
fn kill_migrations(home: &Home, to: &str, times: u32) -> u32 {
    let mut killed = 0;
    for round in 1..=times {
        let mut command = home.command();
        command.args(["hub", "migrate", "--to", to]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut migration = command.spawn().unwrap();
        let chance = u64::try_from(Timestamp::now().subsec_microsecond() % 500).unwrap();
        std::thread::sleep(Duration::from_millis(chance + 150 * u64::from(round)));
        killed += u32::from(migration.try_wait().unwrap().is_none());
        migration.kill().unwrap();
        migration.wait().unwrap();
    }
    killed
}

fn content(file: &Path) -> [String; 2] {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    // Before it the hub removes what is older than a year.
    runtime.block_on(year::content(file, "2026-01-01T00:00:00Z"))
}

#[test]
fn a_migration_that_is_killed_again_and_again_is_repeated_until_it_is_done() {
    let mut home = Home::with_network();
    let Some(server) = needs::met(PostgresServer::start()) else {
        return;
    };
    let url = server.config(&server.database()).url.to_string();
    let file = home.state().join("mains.sqlite");
    std::fs::create_dir_all(home.state()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(year::write(&file, Density::Coarse, 3));
    let before = content(&file);
    assert!(before.iter().all(|part| part.len() > 100_000));
    let killed = kill_migrations(&home, &url, 6);
    assert!(killed > 0, "each had ended before it was killed");
    assert!(content(&file) == before, "the file is as it was");

    // The same of a running hub, which goes on meanwhile.
    home.emulate(&["--relay", "on"], 1);
    let mut command = home.command();
    command
        .arg("serve")
        .env("MAINS_HUB_METERING", "1s")
        .env("MAINS_HUB_KEEP_READINGS", "365d")
        .env("MAINS_HUB_KEEP_MINUTES", "365d");
    let hub = Hub::run(command);
    adopt(&home, &["127.0.0.2"]);
    home.json(&["name", "127.0.0.2", "lamp"]).ends_with(0);
    let killed = kill_migrations(&home, &url, 6);
    assert!(killed > 0, "each had ended before it was killed");
    let copy = home.state().join(".mains-migrate");
    let migrate = |from: &str, to: &str| {
        let told = with_database(&home, from, &["hub", "migrate", "--to", to]);
        let told = told.ends_with(0).json();
        assert_eq!(told["verified"], true, "{told}");
    };
    migrate("", &url);
    assert!(!copy.exists(), "a copy is left beside the file");
    switch(&home, "off");
    hub.end(Signal::SIGTERM);

    migrate("", &url);
    let back = home.path("back.sqlite");
    migrate(&url, back.to_str().unwrap());
    let after = content(&file);
    assert!(content(&back) == after, "another content on the way back");
    let is_kept = |line: &str| after[0].contains(line.trim_end_matches("]"));
    assert!(before[0].lines().all(is_kept), "history of before is gone");
}

fn status(home: &Home) -> Value {
    home.json(&["hub", "status"]).ends_with(0).json()
}

/// Two homes that have the same name for their site by mistake.
#[test]
fn a_second_hub_with_the_name_of_a_site_is_its_standby_and_says_so() {
    let home = Home::with_network();
    let Some(server) = needs::met(PostgresServer::start()) else {
        return;
    };
    let database = server.database();
    let url = server.config(&database).url.to_string();
    let command = |state: &str, words: &[&str]| {
        let mut command = home.command();
        command
            .env("MAINS_STATE", home.path(state))
            .env("MAINS_HUB_DATABASE", &url)
            .env("MAINS_HUB_SITE", "berlin");
        command.arg("--json").args(words);
        command
    };
    let serve = |state: &str, listen: &str| command(state, &["serve", "--listen", listen]);
    let of_site = "SELECT count(*) FROM pg_namespace WHERE nspname = 'site_berlin'";
    let refused = finish(serve("first", "0.0.0.0:8480").output()).ends_with(2);
    assert!(refused.stdout.contains("no password is set"), "{refused:?}");
    assert_eq!(
        server.execute(&database, of_site),
        "0",
        "nothing was written"
    );

    let first = Hub::run(serve("first", "127.0.0.1:8480"));
    let second = Hub::run(serve("second", "127.0.0.1:8481"));
    let status = |state| {
        finish(command(state, &["hub", "status"]).output())
            .ends_with(0)
            .json()
    };
    let [active, standby] = ["first", "second"].map(status);
    assert_eq!([&active["role"], &standby["role"]], ["active", "standby"]);
    assert_eq!(standby["lease"]["holder"], active["lease"]["holder"]);
    let (_, _, log) = second.end(Signal::SIGTERM);
    for part in [
        "on standby for the site \u{2018}berlin\u{2019}",
        "at http://127.0.0.1:8480",
    ] {
        assert!(log.contains(part), "{log}");
    }

    // Nor can the database of a home be moved into that of the other one.
    let alone = |words: &[&str]| {
        let mut command = command("third", words);
        command.env("MAINS_HUB_DATABASE", "");
        command
    };
    Hub::run(alone(&["serve", "--listen", "127.0.0.1:8482"])).end(Signal::SIGTERM);
    let before = server.execute(&database, "SELECT max(id) FROM site_berlin.log");
    let words = ["hub", "migrate", "--to", &url, "--site", "berlin"];
    finish(alone(&words).output()).ends_with(1);
    assert_eq!(
        server.execute(&database, "SELECT max(id) FROM site_berlin.log"),
        before
    );

    // Logins are bound to sites that there are, also those whose hub has just started.
    let mut hamburg = serve("hamburg", "127.0.0.1:8483");
    let hamburg = Hub::run({
        hamburg.env("MAINS_HUB_SITE", "hamburg");
        hamburg
    });
    let run = |words: &str| {
        let words: Vec<&str> = words.split(' ').collect();
        finish(command("first", &words).output())
    };
    let office = run("hub token add office --scope read --site berlin --site hamburg").ends_with(0);
    assert_eq!(office.json()["sites"], json!(["berlin", "hamburg"]));
    run("hub login-url --site berlin").ends_with(0);
    let refused = run("hub token add typo --site hambrug").ends_with(2).json();
    let hint = refused["error"]["hint"].as_str().unwrap();
    assert!(
        hint.contains("berlin") && hint.contains("hamburg"),
        "{refused}"
    );
    hamburg.end(Signal::SIGTERM);
    first.end(Signal::SIGTERM);
}
