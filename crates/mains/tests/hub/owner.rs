//! `mains hub …`: adopting, deciding, replacing, backing up, and who gets in.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::home::{Home, finish};
use crate::house::{Hub, adopt, eventually, plugs};

fn with_two_plugs() -> (Home, Hub) {
    let mut home = Home::with_network();
    home.emulate(
        &[
            "--listen",
            "127.0.0.2",
            "--count",
            "2",
            "--load",
            "60",
            "--relay",
            "on",
        ],
        2,
    );
    let hub = Hub::start(&home, &[]);
    (home, hub)
}

#[test]
fn plugs_are_adopted_and_forgotten() {
    let (home, _hub) = with_two_plugs();
    let adopted = adopt(&home, &["127.0.0.2"]).json();
    assert_eq!(adopted[0]["mac"], "AC:CF:23:00:00:02");
    assert_eq!(adopted[0]["metering"], "10s");
    let again = home.json(&["hub", "adopt", "AC:CF:23:00:00:02", "127.0.0.99"]);
    assert_eq!(again.code, 4, "{again:?}");
    assert_eq!(again.json()[1]["error"]["kind"], "no_answer");
    home.json(&["hub", "adopt", "--all"]).ends_with(0);
    assert_eq!(plugs(&home).len(), 2);
    let none_left = home.json(&["hub", "adopt", "--all"]).ends_with(0);
    assert_eq!(none_left.json(), json!([]));

    home.json(&["hub", "forget", "127.0.0.2"]).ends_with(0);
    assert_eq!(plugs(&home).len(), 1);
    home.json(&["hub", "forget", "127.0.0.2"]).ends_with(3);
    // To delete its history is asked for.
    home.json(&["hub", "forget", "127.0.0.3", "--purge"])
        .ends_with(2);
    home.json(&["--yes", "hub", "forget", "127.0.0.3", "--purge"])
        .ends_with(0);
    assert_eq!(plugs(&home).len(), 0);

    // Many at once are asked for, too.
    home.json(&["hub", "adopt", "--all"]).ends_with(0);
    home.json(&["name", "127.0.0.3", "lamp"]).ends_with(0);
    home.json(&["hub", "forget", "--unnamed"]).ends_with(2);
    home.json(&["--yes", "hub", "forget", "--gone"])
        .ends_with(0);
    assert_eq!(plugs(&home).len(), 2);
    let forgotten = home.json(&["--yes", "hub", "forget", "--unnamed"]);
    assert_eq!(forgotten.ends_with(0).json()[0]["forgotten"], true);
    assert_eq!(plugs(&home)[0]["name"], "lamp");
    home.json(&["hub", "forget", "lamp", "127.0.0.2"])
        .ends_with(3);
    assert_eq!(plugs(&home).len(), 0);
}

#[test]
fn adopt_takes_in_what_is_found() {
    let mut home = Home::with_network();
    home.emulate(&["--listen", "127.0.0.2", "--count", "2"], 2);
    let _hub = Hub::start(&home, &["--adopt"]);
    eventually("adopted", || plugs(&home).len() == 2);
}

#[test]
fn what_is_decided_of_a_plug_stays() {
    let (home, hub) = with_two_plugs();
    adopt(&home, &["127.0.0.2"]);
    let set = |words: &[&str]| {
        let words: Vec<&str> = ["hub", "set", "127.0.0.2"]
            .iter()
            .chain(words)
            .copied()
            .collect();
        home.json(&words)
    };
    let plug = set(&["--room", "Küche", "--metering", "5s", "--power-on", "last"])
        .ends_with(0)
        .json();
    let decided = |plug: &Value| {
        (
            plug["room"].clone(),
            plug["metering"].clone(),
            plug["power_on"].clone(),
        )
    };
    assert_eq!(decided(&plug), (json!("Küche"), json!("5s"), json!("last")));
    set(&["--metering", "500ms"]).ends_with(2);
    set(&[]).ends_with(2);
    assert_eq!(hub.end(Signal::SIGTERM).0.code(), Some(0));
    let _hub = Hub::start(&home, &[]);
    assert_eq!(decided(&plugs(&home)[0]), decided(&plug));
    let plug = set(&["--room", "", "--metering", "default", "--power-on", "none"])
        .ends_with(0)
        .json();
    assert_eq!(decided(&plug), (Value::Null, json!("10s"), Value::Null));
}

#[test]
fn a_new_plug_carries_the_old_one_on() {
    let (home, _hub) = with_two_plugs();
    adopt(&home, &["127.0.0.2"]);
    home.json(&["name", "127.0.0.2", "heater"]).ends_with(0);
    eventually("metered", || !plugs(&home)[0]["energy_total_wh"].is_null());
    let total = plugs(&home)[0]["energy_total_wh"].as_u64().unwrap();
    home.json(&["hub", "replace", "heater", "127.0.0.3"])
        .ends_with(2);
    let new = home
        .json(&["--yes", "hub", "replace", "heater", "127.0.0.3"])
        .ends_with(0)
        .json();
    assert_eq!(
        (&new["name"], &new["address"]),
        (&json!("heater"), &json!("127.0.0.3"))
    );
    assert!(new["energy_total_wh"].as_u64() >= Some(total), "{new}");
    assert_eq!(plugs(&home).len(), 1);
    home.json(&["on", "heater"]).ends_with(0);
    home.json(&["--yes", "hub", "replace", "heater", "nobody"])
        .ends_with(3);
}

#[test]
fn a_backup_is_whole_and_a_hub_can_start_from_it() {
    let (home, _hub) = with_two_plugs();
    adopt(&home, &["127.0.0.2", "127.0.0.3"]);
    home.json(&["name", "127.0.0.2", "kept"]).ends_with(0);
    let file = home.path("copies/backup.sqlite");
    let words = ["hub", "backup", file.to_str().unwrap()];
    home.json(&words).ends_with(1);
    std::fs::create_dir(home.path("copies")).unwrap();
    let told = home.json(&words).ends_with(0).json();
    assert_eq!(told["bytes"], std::fs::metadata(&file).unwrap().len());
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let before = std::fs::read(&file).unwrap();
    let run = home.json(&words).ends_with(2);
    assert!(run.stdout.contains("exists"), "{run:?}");
    assert_eq!(std::fs::read(&file).unwrap(), before, "never overwritten");
    let left: Vec<_> = std::fs::read_dir(home.path("copies")).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");

    let restored = home.path("restored");
    std::fs::create_dir(&restored).unwrap();
    std::fs::copy(&file, restored.join("mains.sqlite")).unwrap();
    let mut command = home.command();
    // Its plugs are another hub's by now; what counts is what it remembers.
    command
        .env("MAINS_STATE", &restored)
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env("MAINS_INTERFACE", "127.0.0.9");
    let _other = Hub::run(command);
    let run = finish(
        home.command()
            .env("MAINS_STATE", &restored)
            .args(["--json", "hub", "plugs"])
            .output(),
    );
    let json = run.ends_with(0).json();
    assert_eq!(json[0]["name"], "kept");
    assert_eq!(json.as_array().unwrap().len(), 2);
}

#[test]
fn tokens_let_programs_in_and_can_be_revoked() {
    let (home, hub) = with_two_plugs();
    let made = home
        .json(&["hub", "token", "add", "grafana"])
        .ends_with(0)
        .json();
    let token = made["token"].as_str().unwrap().to_owned();
    let list = home.json(&["hub", "token", "list"]).ends_with(0);
    assert!(!list.stdout.contains(&token), "{list:?}");
    let names: Vec<Value> = list
        .json()
        .as_array()
        .unwrap()
        .iter()
        .map(|token| token["name"].clone())
        .collect();
    assert_eq!(names, [json!("admin"), json!("grafana")]);
    home.json(&["hub", "token", "add", "grafana"]).ends_with(2);

    let with_it = || {
        finish(
            home.command()
                .env("MAINS_STATE", home.path("elsewhere"))
                .env("MAINS_HUB", &hub.url)
                .env("MAINS_TOKEN", &token)
                .args(["--json", "hub", "plugs"])
                .output(),
        )
    };
    with_it().ends_with(0);
    home.json(&["hub", "token", "revoke", "nobody"])
        .ends_with(3);
    home.json(&["hub", "token", "revoke", "grafana"])
        .ends_with(0);
    with_it().ends_with(2);
    // The one of this computer is made anew.
    home.json(&["hub", "token", "revoke", "admin"]).ends_with(0);
    home.json(&["hub", "plugs"]).ends_with(0);
}

#[test]
fn a_password_comes_from_a_file_or_standard_input() {
    let (home, hub) = with_two_plugs();
    let file = home.write("password", "a long enough secret\n");
    let run = home
        .run(&["hub", "password", "--file", file.to_str().unwrap()])
        .ends_with(0);
    assert!(!run.stdout.contains("secret"), "{run:?}");
    let mut child = home
        .command()
        .args(["--json", "hub", "password", "--stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"another long secret\n")
        .unwrap();
    finish(child.wait_with_output()).ends_with(0);
    home.json(&["hub", "password"]).ends_with(2);
    let empty = home.write("empty", "\n");
    home.json(&["hub", "password", "--file", empty.to_str().unwrap()])
        .ends_with(2);
    home.json(&["hub", "password", "--clear"]).ends_with(0);
    let (_, _, log) = hub.end(Signal::SIGTERM);
    assert!(!log.contains("secret"), "{log}");
}

#[test]
fn a_login_for_a_site_that_there_is_not_is_refused() {
    let home = Home::with_network();
    let file = home.write("password", "a long enough secret\n");
    let file = file.to_str().unwrap();
    let password = ["hub", "password", "--view", "--file", file];
    let set = |options: &[&str]| home.json(&[&password, options].concat());
    let refuse = |words: &[&str]| {
        let run = home.json(words).ends_with(2);
        let text = run.json()["error"].to_string();
        assert!(
            text.contains("berlni") && text.contains("a single site"),
            "{text}"
        );
    };
    // Before there is a hub, and while it runs.
    refuse(&[&password[..], &["--site", "berlni"]].concat());
    let _hub = Hub::start(&home, &[]);
    refuse(&[&password[..], &["--site", "berlni"]].concat());
    refuse(&["hub", "token", "add", "office", "--site", "berlni"]);
    refuse(&["hub", "login-url", "--site", "berlni"]);
    set(&["--all-sites"]).ends_with(0);
    set(&["--all-sites", "--site", "berlin"]).ends_with(2);
}

#[test]
fn with_a_password_others_may_reach_it() {
    let home = Home::with_network();
    let hub = Hub::start(&home, &[]);
    let file = home.write("password", "a long enough secret\n");
    home.run(&["hub", "password", "--file", file.to_str().unwrap()])
        .ends_with(0);
    hub.end(Signal::SIGTERM);
    let hub = Hub::start(&home, &["--listen", "0.0.0.0:8480"]);
    home.json(&["hub", "plugs"]).ends_with(0);
    assert!(hub.login_url.contains("/login?token="), "{}", hub.login_url);
}

#[test]
fn a_password_can_be_set_while_no_hub_runs() {
    let home = Home::with_network();
    let file = home.write("password", "a long enough secret\n");
    home.run(&["hub", "password", "--file", file.to_str().unwrap()])
        .ends_with(0);
    let _hub = Hub::start(&home, &["--listen", "0.0.0.0:8480"]);
    home.json(&["hub", "plugs"]).ends_with(0);
}

#[test]
fn a_login_link_is_fresh_each_time() {
    let (home, hub) = with_two_plugs();
    let link = || home.run(&["hub", "login-url"]).ends_with(0).stdout;
    let (one, two) = (link(), link());
    assert_ne!(one, two);
    assert!(
        one.starts_with(&format!("{}/login?token=", hub.url)),
        "{one}"
    );
    let status = home.json(&["hub", "status"]).ends_with(0).json();
    assert_eq!(status["plugs"]["adopted"], 0);
}

#[test]
fn history_goes_out_and_in_again() {
    let (home, _hub) = with_two_plugs();
    adopt(&home, &["127.0.0.2", "127.0.0.3"]);
    for _ in 0..3 {
        home.json(&["meter", "127.0.0.2"]).ends_with(0);
    }
    let file = home.path("history.csv");
    let file = file.to_str().unwrap();
    eventually("recorded", || {
        let _ = std::fs::remove_file(file);
        home.json(&["hub", "export", "127.0.0.2", file])
            .ends_with(0);
        std::fs::read_to_string(file).unwrap().lines().count() > 3
    });
    home.json(&["hub", "export", "127.0.0.2", file])
        .ends_with(2);
    let told = home
        .json(&["hub", "import", "127.0.0.2", file])
        .ends_with(0)
        .json();
    assert_eq!(told["new"], 0, "what is there stays: {told}");
    assert!(told["rows"].as_u64() > Some(3), "{told}");
    let told = home
        .json(&["hub", "import", "127.0.0.3", file])
        .ends_with(0)
        .json();
    // Its own minute and quarter-hour were there before.
    assert!(told["new"].as_u64() >= Some(3), "{told}");
    let wrong = home.write("wrong.csv", "a,b\n1,2\n");
    let run = home
        .json(&["hub", "import", "127.0.0.3", wrong.to_str().unwrap()])
        .ends_with(2);
    assert!(run.stdout.contains("wrong.csv"), "{run:?}");
    home.json(&["hub", "import", "nobody", file]).ends_with(3);
}
