//! The verbs through a hub: the same output and the same codes as without, and which hub it is.

use serde_json::{Value, json};

use crate::home::{FinishedRun, Home, finish};
use crate::house::{Hub, adopt, eventually, plugs};

/// Removes the values that differ from one moment to the next.
fn settled(mut json: Value) -> Value {
    fn settle(value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(settle),
            Value::Object(fields) => {
                for name in [
                    "seen",
                    "at",
                    "due",
                    "elapsed_ms",
                    "voltage_v",
                    "frequency_hz",
                    "current_a",
                ] {
                    if let Some(value) = fields.get_mut(name) {
                        assert!(!value.is_null(), "{name}");
                        *value = "…".into();
                    }
                }
                // Sentences and hints may differ, the kind may not.
                if let Some(error) = fields.get_mut("error") {
                    *error = error["kind"].take();
                }
                fields.values_mut().for_each(settle);
            }
            _ => {}
        }
    }
    settle(&mut json);
    json
}

/// The verbs in an order in which each finds what it needs.
const VERBS: [&[&str]; 14] = [
    &["status", "127.0.0.2", "AC:CF:23:00:00:03"],
    &["name", "AC:CF:23:00:00:02", "kitchen"],
    &["on", "kitchen", "127.0.0.3"],
    &["meter", "kitchen"],
    &["toggle", "900000002"],
    &[
        "off",
        "KITCHEN",
        "nowhere",
        "127.0.0.99",
        "AC:CF:23:99:99:99",
    ],
    &["version", "127.0.0.2"],
    &["delay", "kitchen", "off", "30m"],
    &["delay", "127.0.0.99", "off", "30m"],
    &["name", "127.0.0.3", "Kitchen"],
    &["on", "127.0.0.4"],
    &["on", "127.0.0.5"],
    &["meter", "127.0.0.6"],
    &["discover"],
];

fn all(home: &Home) -> Vec<(FinishedRun, Value)> {
    let one = |words: &&[&str]| {
        let run = home.json(words);
        let mut json = settled(run.json());
        if words == &["discover"] {
            let found = json.as_array_mut().unwrap();
            found.sort_by_key(|plug| plug["mac"].to_string());
        }
        // What is remembered by heart is named unasked; a hub knows how it stands.
        if words[0] == "name"
            && let Some(plug) = json.as_object_mut()
        {
            plug.retain(|name, _| !["relay", "res"].contains(&name.as_str()));
        }
        (run, json)
    };
    VERBS.iter().map(one).collect()
}

fn emulate(home: &mut Home) {
    for (address, fault) in [
        ("127.0.0.2", None),
        ("127.0.0.3", None),
        ("127.0.0.4", Some("stuck-relay")),
        ("127.0.0.5", Some("busy-tcp")),
        ("127.0.0.6", Some("garbage")),
    ] {
        let mut words = vec!["--listen", address, "--load", "60"];
        words.extend(fault.iter().flat_map(|fault| ["--fault", fault]));
        home.emulate(&words, 1);
    }
}

#[test]
fn verbs_through_a_hub_are_the_verbs_without() {
    let mut home = Home::with_network();
    emulate(&mut home);
    let without = all(&home);
    home.json(&["name", "kitchen", "--clear"]).ends_with(0);
    home.json(&["off", "127.0.0.2", "127.0.0.3"]).ends_with(0);
    let _hub = Hub::start(&home, &[]);
    adopt(
        &home,
        &[
            "127.0.0.2",
            "127.0.0.3",
            "127.0.0.4",
            "127.0.0.5",
            "127.0.0.6",
        ],
    );
    let through = all(&home);
    for ((words, without), through) in VERBS.iter().zip(&without).zip(&through) {
        assert_eq!(without.0.code, through.0.code, "{words:?}: {through:#?}");
        assert_eq!(without.1, through.1, "{words:?}");
    }
    let stuck = |runs: &[(FinishedRun, Value)]| {
        let run = &runs[VERBS
            .iter()
            .position(|words| *words == ["on", "127.0.0.4"])
            .unwrap()]
        .0;
        run.json()[0]["error"].clone()
    };
    assert_eq!(
        stuck(&without),
        stuck(&through),
        "one sentence and one hint"
    );
    let codes: Vec<i32> = through.iter().map(|(run, _)| run.code).collect();
    assert_eq!(codes, [0, 0, 0, 0, 0, 3, 0, 0, 4, 2, 5, 5, 0, 0]);
}

#[test]
fn people_read_the_same_lines() {
    let mut home = Home::with_network();
    emulate(&mut home);
    let _hub = Hub::start(&home, &[]);
    adopt(&home, &["127.0.0.2"]);
    home.run(&["name", "127.0.0.2", "lamp"]).ends_with(0);
    let run = home.run(&["on", "lamp"]).ends_with(0);
    assert!(
        run.stdout.starts_with("lamp is on (confirmed in "),
        "{run:?}"
    );
    assert_eq!(run.stderr, "");
    let run = home.run(&["status", "lamp"]).ends_with(0);
    assert!(run.stdout.contains("lamp              ON"), "{run:?}");
    let run = home.run(&["meter", "lamp"]).ends_with(0);
    assert!(run.stdout.contains("60.0 W"), "{run:?}");
    let run = home.run(&["on", "127.0.0.3"]).ends_with(3);
    assert!(run.stderr.contains("mains hub adopt 127.0.0.3"), "{run:?}");
}

#[test]
fn the_hub_does_it_and_nobody_else_connects() {
    let mut home = Home::with_network();
    let record = home.path("record");
    home.emulate(
        &[
            "--listen",
            "127.0.0.2",
            "--fault",
            "clients=1",
            "--record",
            record.to_str().unwrap(),
        ],
        1,
    );
    let _hub = Hub::start(&home, &[]);
    adopt(&home, &["127.0.0.2"]);
    eventually("metered", || !plugs(&home)[0]["reading"].is_null());
    // The plug takes one client, and the hub is it.
    home.json(&["on", "127.0.0.2"]).ends_with(0);
    home.json(&["meter", "127.0.0.2"]).ends_with(0);
    // From here it is silent: it has no connection left.
    let run = finish(
        home.command()
            .args([
                "--json",
                "--hub",
                "none",
                "--timeout",
                "3s",
                "meter",
                "127.0.0.2",
            ])
            .output(),
    );
    assert_ne!(run.code, 0, "{run:?}");
}

#[test]
fn names_are_shared_with_the_days_without_a_hub() {
    let mut home = Home::with_network();
    emulate(&mut home);
    home.json(&["name", "127.0.0.2", "before"]).ends_with(0);
    let hub = Hub::start(&home, &[]);
    adopt(&home, &["127.0.0.2", "127.0.0.3"]);
    assert_eq!(plugs(&home)[0]["name"], "before");
    home.json(&["name", "127.0.0.3", "later"]).ends_with(0);
    home.json(&["name", "before", "--clear"]).ends_with(0);
    assert_eq!(plugs(&home)[0]["name"], Value::Null);
    assert_eq!(plugs(&home)[1]["name"], "later");
    hub.end(nix::sys::signal::Signal::SIGTERM);
    home.json(&["on", "later"]).ends_with(0);
    home.json(&["on", "before"]).ends_with(3);
}

#[test]
fn a_hub_that_is_named_is_the_one() {
    let mut home = Home::with_network();
    emulate(&mut home);
    let hub = Hub::start(&home, &[]);
    adopt(&home, &["127.0.0.2"]);
    let token = std::fs::read_to_string(home.state().join("admin-token")).unwrap();
    let elsewhere = home.path("elsewhere");
    let ask = |environment: &[(&str, &str)], words: &[&str]| {
        finish(
            home.command()
                .env("MAINS_STATE", &elsewhere)
                .envs(environment.iter().copied())
                .arg("--json")
                .args(words)
                .output(),
        )
    };
    let on = ["on", "127.0.0.2"];
    let named = [
        ("MAINS_HUB", hub.url.as_str()),
        ("MAINS_TOKEN", token.trim()),
    ];
    ask(&named, &on).ends_with(0);
    // By option, and the token by a file.
    let file = home.write("mains.toml", "[hub]\ntoken_file = \"state/admin-token\"\n");
    let file = file.to_str().unwrap();
    ask(
        &[],
        &["--config", file, "--hub", &hub.url, "on", "127.0.0.2"],
    )
    .ends_with(0);
    let short = home.write("short.toml", &format!("hub = \"{}\"\n", hub.url));
    let short = short.to_str().unwrap();
    ask(
        &[("MAINS_TOKEN", token.trim())],
        &["--config", short, "on", "127.0.0.2"],
    )
    .ends_with(0);
    // Who names the one that runs here need not look for its token.
    home.json(&["--hub", &hub.url, "on", "127.0.0.2"])
        .ends_with(0);

    // No token, a wrong one, one that cannot be one.
    for token in [
        None,
        Some("wrong"),
        Some("mains_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        Some("a\nb"),
    ] {
        let mut environment = vec![("MAINS_HUB", hub.url.as_str())];
        environment.extend(token.map(|token| ("MAINS_TOKEN", token)));
        let run = ask(&environment, &on).ends_with(2);
        assert_eq!(run.error_kind(), "usage");
        assert!(run.stdout.contains("MAINS_TOKEN"), "{token:?}: {run:?}");
    }
    let run = ask(&[("MAINS_HUB", "http://127.0.0.1:1")], &on).ends_with(8);
    assert_eq!(run.error_kind(), "unavailable");
    let run = ask(&[("MAINS_HUB", "ftp://127.0.0.1")], &on).ends_with(2);
    assert!(run.stdout.contains("MAINS_HUB"), "{run:?}");
}

#[test]
fn what_is_no_hub_is_told() {
    let home = Home::with_network();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let page = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\ncontent-type: text/html\r\n\r\n<html>";
    let missing = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
    let gateway = "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n";
    let moved = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    let answers = [
        (page, 6),
        (missing, 6),
        (gateway, 8),
        (moved, 6),
        ("nonsense\r\n\r\n", 8),
    ];
    let server = std::thread::spawn(move || {
        use std::io::{Read, Write};
        for (answer, _) in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = [0; 4096];
            let _ = stream.read(&mut buffer).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    for (answer, code) in answers {
        let url = format!("http://{address}");
        let run = home.json(&["--hub", &url, "on", "kitchen"]);
        assert_eq!(run.code, code, "{answer}: {run:?}");
        assert!(run.error_kind() == "bad_answer" || code == 8, "{run:?}");
    }
    server.join().unwrap();
}

#[test]
fn a_hub_of_ours_that_is_silent_is_done_without() {
    let mut home = Home::with_network();
    home.emulate(&["--listen", "127.0.0.2"], 1);
    // Its lock is held and it says where it is, but nobody accepts.
    std::fs::create_dir_all(home.state()).unwrap();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let told = json!({"pid": 1, "url": url}).to_string();
    home.write("state/hub.json", &told);
    home.write("state/admin-token", "mains_x\n");
    let lock = std::fs::File::create(home.state().join("hub.lock")).unwrap();
    lock.lock().unwrap();
    let run = home.run(&["on", "127.0.0.2"]).ends_with(0);
    assert!(run.stdout.contains("is on"), "{run:?}");
    assert!(run.stderr.contains(&url), "{run:?}");
    let run = home.json(&["discover"]).ends_with(0);
    assert_eq!(run.json().as_array().unwrap().len(), 1);
    // What only a hub can do says that it cannot.
    home.json(&["--timeout", "5s", "hub", "plugs"]).ends_with(4);
    // Named, it is not done without.
    home.json(&["--timeout", "2s", "--hub", &url, "on", "127.0.0.2"])
        .ends_with(4);
}

#[test]
fn discover_tells_what_is_offered_and_can_be_made_from_here() {
    let mut home = Home::with_network();
    emulate(&mut home);
    let hub = Hub::start(&home, &[]);
    let found = home.json(&["discover"]).ends_with(0).json();
    assert_eq!(found.as_array().unwrap().len(), 5);
    assert!(
        found[0].get("adopted").is_none(),
        "a plug as always: {found}"
    );
    home.json(&["discover", "--expect", "6"]).ends_with(3);
    assert!(plugs(&home).is_empty(), "nothing is adopted by a search");
    let run = home
        .json(&["--hub", &hub.url, "discover", "--to", "127.0.0.2"])
        .ends_with(2);
    assert_eq!(run.error_kind(), "usage");
}

#[test]
fn plugs_that_have_a_name_are_adopted_at_the_first_start() {
    let mut home = Home::with_network();
    emulate(&mut home);
    home.json(&["name", "127.0.0.2", "kitchen"]).ends_with(0);
    let _hub = Hub::start(&home, &[]);
    eventually("adopted", || plugs(&home).len() == 1);
    home.json(&["on", "kitchen"]).ends_with(0);
    home.json(&["on", "127.0.0.3"]).ends_with(3);
    // One that its owner has removed is not taken in again; its name still leads to it.
    home.json(&["hub", "forget", "kitchen"]).ends_with(0);
    let run = home.json(&["on", "kitchen"]).ends_with(3);
    let error = run.json()[0]["error"].clone();
    assert_eq!(
        error["hint"], "`mains hub adopt kitchen` adds it",
        "{error}"
    );
    let status = home.json(&["status", "kitchen"]).ends_with(0).json();
    assert_eq!(status[0]["mac"], "AC:CF:23:00:00:02");
    home.json(&["hub", "adopt", "kitchen"]).ends_with(0);
    home.json(&["off", "kitchen"]).ends_with(0);
}

#[test]
fn a_group_stands_for_its_plugs_wherever_several_can_stand() {
    let mut home = Home::with_network();
    emulate(&mut home);
    let _hub = Hub::start(&home, &[]);
    adopt(&home, &["127.0.0.2", "127.0.0.3"]);
    home.json(&["name", "127.0.0.2", "lamp"]).ends_with(0);
    home.json(&["group", "add", "Lights", "lamp", "127.0.0.3"])
        .ends_with(0);
    let switched = home.json(&["on", "lights", "lamp"]).ends_with(0).json();
    let plugs: Vec<_> = switched
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["plug"])
        .collect();
    assert_eq!(plugs, ["AC:CF:23:00:00:02", "AC:CF:23:00:00:03"]);
    let status = home.json(&["status", "LIGHTS"]).ends_with(0).json();
    assert_eq!(
        (&status[0]["relay"], &status[1]["relay"]),
        (&json!("on"), &json!("on"))
    );
    let run = home.run(&["meter", "Lights"]).ends_with(0);
    assert!(run.stdout.contains("lamp"), "{run:?}");
    home.json(&["--timeout", "20s", "watch", "nothing"])
        .ends_with(3);
    let off = home.json(&["--yes", "off", "--all"]).ends_with(0).json();
    assert_eq!(off.as_array().unwrap().len(), 2);
}

#[test]
fn status_asks_the_plug_now() {
    let mut home = Home::with_network();
    home.emulate(&["--listen", "127.0.0.2", "--relay", "on"], 1);
    let _hub = Hub::start(&home, &[]);
    adopt(&home, &["127.0.0.2"]);
    let status = home.json(&["status", "127.0.0.2"]).ends_with(0).json();
    assert_eq!(status[0]["relay"], "on");
    home.end_emulators();
    let status = home.json(&["status", "127.0.0.2"]).ends_with(4).json();
    assert_eq!(status[0]["error"]["kind"], "no_answer", "{status}");
}
