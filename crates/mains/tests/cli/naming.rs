//! `name` and the inventory behind it.

use serde_json::{Value, json};

use crate::home::Home;

const PLUGS: [&str; 6] = [
    "--listen",
    "127.24.0.1",
    "--count",
    "4",
    "--mac",
    "ACCF23AABB01",
];

#[test]
fn a_name_is_given_moved_and_taken_away() {
    let mut home = Home::with_network();
    home.emulate(&PLUGS, 4);
    let plug = home
        .json(&["name", "ACCF23AABB01", "kitchen"])
        .ends_with(0)
        .json();
    assert_eq!(
        (&plug["mac"], &plug["name"]),
        (&json!("AC:CF:23:AA:BB:01"), &json!("kitchen"))
    );
    assert_eq!(plug["address"], "127.24.0.1");
    // Known now: it need not be there to be named.
    home.end_emulators();
    assert_eq!(
        home.json(&["name", "kitchen", "caf\u{e9} \u{2615}"])
            .ends_with(0)
            .json()["name"],
        "caf\u{e9} \u{2615}"
    );
    let run = home.run(&["name", "accf23aabb01", "--clear"]).ends_with(0);
    assert!(run.stdout.contains("AC:CF:23:AA:BB:01"), "{run:?}");
    home.json(&["name", "kitchen", "x"]).ends_with(3);
    home.json(&["name", "127.24.0.1", "x"]).ends_with(4);
}

#[test]
fn a_taken_name_is_refused() {
    let mut home = Home::with_network();
    home.emulate(&PLUGS, 4);
    home.run(&["name", "127.24.0.1", "kitchen"]).ends_with(0);
    for name in ["kitchen", "KITCHEN", " kitchen "] {
        let run = home.json(&["name", "127.24.0.2", name]).ends_with(2);
        assert!(run.stdout.contains("AC:CF:23:AA:BB:01"), "{run:?}");
    }
    assert_eq!(
        home.json(&["status", "127.24.0.2"]).json()[0]["name"],
        Value::Null
    );
    assert_eq!(
        home.json(&["status", "kitchen"]).json()[0]["address"],
        "127.24.0.1"
    );
    home.run(&["name", "kitchen", "Kitchen"]).ends_with(0);
}

#[test]
fn what_cannot_be_a_name_is_refused_before_anything_is_asked() {
    let home = Home::new();
    let long = "x".repeat(65);
    for name in [
        "",
        " ",
        "a\nb",
        "\u{1b}[2J",
        "ACCF23123456",
        "192.168.1.1",
        "900000621",
        "::1",
        &long,
    ] {
        assert_eq!(
            home.json(&["name", "127.24.0.9", name])
                .ends_with(2)
                .error_kind(),
            "usage",
            "{name:?}"
        );
    }
    home.json(&["name", "127.24.0.9"]).ends_with(2);
    home.json(&["name", "127.24.0.9", "x", "--clear"])
        .ends_with(2);
}

#[test]
fn names_given_at_the_same_time_are_all_kept() {
    let mut home = Home::with_network();
    home.emulate(&["--listen", "127.24.1.1", "--count", "8"], 8);
    home.json(&["discover", "--expect", "8"]).ends_with(0);
    let running: Vec<_> = (1..=8)
        .map(|last| {
            let serial =
                home.json(&["status", &format!("127.24.1.{last}")]).json()[0]["mac"].clone();
            home.command()
                .args(["name", serial.as_str().unwrap(), &format!("plug {last}")])
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in running {
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
    for last in 1..=8 {
        assert_eq!(
            home.json(&["status", &format!("plug {last}")])
                .ends_with(0)
                .json()[0]["address"],
            format!("127.24.1.{last}")
        );
    }
}

#[test]
fn a_broken_inventory_is_set_aside_and_said() {
    let mut home = Home::with_network();
    home.emulate(&["--listen", "127.24.2.1"], 1);
    let path = home.write("state/inventory.json", "{ this is not JSON");
    let run = home.run(&["status", "127.24.2.1"]).ends_with(0);
    assert!(run.stderr.contains("inventory.json.broken-1"), "{run:?}");
    let aside = path.with_file_name("inventory.json.broken-1");
    assert_eq!(
        std::fs::read_to_string(aside).unwrap(),
        "{ this is not JSON"
    );
    assert_eq!(home.run(&["status", "127.24.2.1"]).ends_with(0).stderr, "");
}

#[test]
fn a_state_directory_that_cannot_be_had_is_7_for_names_only() {
    let mut home = Home::with_network();
    home.emulate(&["--listen", "127.24.3.1"], 1);
    home.write("state", "a file");
    home.json(&["name", "127.24.3.1", "x"]).ends_with(7);
    home.json(&["on", "127.24.3.1"]).ends_with(0);
}

#[test]
fn names_are_completed_by_the_shell() {
    let mut home = Home::with_network();
    home.emulate(&["--listen", "127.18.9.1", "--count", "2"], 2);
    home.run(&["name", "127.18.9.1", "kitchen"]).ends_with(0);
    home.run(&["name", "127.18.9.2", "old kettle"]).ends_with(0);
    let script = home.run(&["completions", "bash"]).ends_with(0).stdout;
    let script = home.write("mains.bash", &script);
    let program = home.command().get_program().to_owned();
    let complete = |words: &str, count: usize| {
        let ask = format!(
            "mains() {{ '{}' \"$@\"; }}; source '{}'; COMP_WORDS=({words}); COMP_CWORD={count}; \
             _mains_plugs mains \"${{COMP_WORDS[COMP_CWORD]}}\" mains; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            program.display(),
            script.display()
        );
        let mut command = std::process::Command::new("bash");
        let environment = home.command();
        command.args(["-c", &ask]).envs(
            environment
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        let run = crate::home::finish(command.output());
        run.stdout.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(complete("mains on k", 2), ["kitchen"]);
    assert_eq!(complete("mains off kitchen o", 3), [r"old\ kettle"]);
    assert!(complete("mains hub set k", 3).contains(&"kitchen".to_owned()));
    assert!(!complete("mains k", 1).contains(&"kitchen".to_owned()));
    for shell in ["zsh", "fish"] {
        let script = home.run(&["completions", shell]).ends_with(0).stdout;
        assert!(script.contains("mains completions --names"), "{shell}");
    }
}
