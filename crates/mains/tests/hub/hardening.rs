//! `mains harden` through a hub: the hub does it for its plugs, and knows their new words.

use serde_json::{Value, json};

use crate::home::{FinishedRun, Home, finish};
use crate::house::{Hub, adopt, eventually};

const PLUG: &str = "127.0.0.2";
const MAC: &str = "AC:CF:23:00:00:02";

fn start(faults: &[&str]) -> (Home, Hub) {
    let mut home = Home::with_network();
    let mut words = vec!["--listen", PLUG, "--count", "2"];
    for fault in ["restart=300ms", "association=100ms"].iter().chain(faults) {
        words.extend(["--fault", fault]);
    }
    home.emulate(&words, 2);
    let hub = Hub::start(&home, &[]);
    adopt(&home, &[PLUG]);
    (home, hub)
}

fn states(report: &Value) -> Vec<&str> {
    let steps = report["steps"].as_array().unwrap().iter();
    steps.map(|step| step["state"].as_str().unwrap()).collect()
}

/// Sends a request with a scope's token.
fn post(home: &Home, hub: &Hub, token: &str, body: &str) -> (u16, Value) {
    let mut command = std::process::Command::new("curl");
    command
        .args(["-s", "-X", "POST", "-w", "\n%{http_code}", "-H"])
        .arg(format!("Authorization: Bearer {}", token.trim()))
        .args(["-H", "Content-Type: application/json", "-d", body])
        .arg(format!("{}/api/v1/plugs/accf23000002/harden", hub.url))
        .current_dir(home.path("."));
    let run: FinishedRun = finish(command.output());
    let (document, status) = run.stdout.rsplit_once('\n').unwrap();
    (
        status.parse().unwrap(),
        serde_json::from_str(document).unwrap_or_default(),
    )
}

#[test]
fn the_hub_hardens_the_plugs_that_it_keeps_and_all_goes_on() {
    let (home, _hub) = start(&[]);
    let plan = home
        .json(&["harden", PLUG, "--dry-run"])
        .ends_with(0)
        .json();
    assert_eq!(plan["plug"], MAC);
    assert_eq!(states(&plan), ["open", "open", "closed", "closed"]);
    let report = home.json(&["--yes", "harden", MAC]).ends_with(0).json();
    assert_eq!(states(&report), ["closed"; 4]);
    assert!(home.state().join("harden-accf23000002.json").exists());
    // Switching, metering and the console go on beside each other.
    eventually("it replies again", || home.json(&["on", MAC]).code == 0);
    home.json(&["at", PLUG, "MID"]).ends_with(0);
    let log = home
        .run(&["events", "--since", "1h", "--no-follow"])
        .ends_with(0);
    assert!(log.stdout.contains("discovery-word is closed"), "{log:?}");
    // One that the hub does not keep is reached beside it.
    let other = home
        .json(&["--yes", "harden", "127.0.0.3", "--only", "web-password"])
        .ends_with(0);
    assert_eq!(states(&other.json()), ["closed"]);
    let undone = home.json(&["harden", MAC, "--undo"]).ends_with(0).json();
    assert_eq!(states(&undone), ["open", "open", "skipped", "skipped"]);
}

#[test]
fn the_path_needs_an_administrator_and_tells_no_secret() {
    let (home, hub) = start(&["forgets=WEBU"]);
    let admin = std::fs::read_to_string(home.state().join("admin-token")).unwrap();
    let weak = home
        .json(&["hub", "token", "add", "tablet", "--scope", "switch"])
        .ends_with(0)
        .json();
    let weak = weak["token"].as_str().unwrap();
    assert_eq!(post(&home, &hub, weak, r#"{"dry_run":true}"#).0, 403);
    assert_eq!(post(&home, &hub, &admin, r#"{"only":["wifi"]}"#).0, 400);
    let (status, plan) = post(&home, &hub, &admin, r#"{"dry_run":true}"#);
    assert_eq!((status, &plan["dry_run"]), (200, &json!(true)));
    let body = r#"{"only":["discovery-word","web-password"]}"#;
    let (status, report) = post(&home, &hub, &admin, body);
    assert_eq!((status, states(&report)), (200, vec!["closed", "failed"]));
    assert_eq!(report["error"]["kind"], "refused");
    let record = std::fs::read_to_string(home.state().join("harden-accf23000002.json")).unwrap();
    let record: Value = serde_json::from_str(&record).unwrap();
    let word = record["words"][0].as_str().unwrap();
    assert!(!report.to_string().contains(word));
    let run = home.json(&["harden", PLUG, "--undo"]).ends_with(0).json();
    assert_eq!(states(&run)[0], "open");
}
