//! The log of past events and what else the hub knows of the past, over restarts and `kill -9`.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::kept::Kept;
use crate::listening::Events;

fn lines(text: &str) -> Vec<Value> {
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn the_log_and_the_time_of_a_switch_survive_a_kill() {
    let mut hub = Kept::start();
    hub.home.run(&["off", "lamp"]).ends_with(0);
    let since = ["events", "--since", "1h", "--no-follow", "--kind", "switch"];
    let entry = loop {
        let run = hub.home.json(&since).ends_with(0);
        if let Some(entry) = lines(&run.stdout).pop() {
            break entry["data"].clone();
        }
    };
    assert_eq!(entry["text"], "lamp turned off");
    assert_eq!(entry["cause"], "the API token ‘admin’");
    let plug = |plugs: &Value| {
        let mut plugs = plugs.as_array().unwrap().iter();
        plugs.find(|plug| plug["name"] == "lamp").unwrap().clone()
    };
    let before = hub.until(&["hub", "plugs"], |plugs| {
        !plug(plugs)["relay_since"].is_null()
    });
    // What was deferred then is on the disk when the plug has been metered twice more.
    let mut readings = BTreeSet::new();
    hub.until(&["hub", "plugs"], |plugs| {
        readings.insert(plug(plugs)["reading"]["at"].to_string());
        readings.len() > 3
    });
    hub.kill();
    let after = hub.until(&["hub", "plugs"], |plugs| plug(plugs)["available"] == true);
    assert_eq!(plug(&after)["relay_since"], plug(&before)["relay_since"]);
    let run = hub.home.json(&since).ends_with(0);
    assert_eq!(lines(&run.stdout).pop().unwrap()["data"], entry);
}

#[test]
fn past_events_are_followed_by_new_ones_over_a_restart() {
    let mut hub = Kept::start();
    hub.home.run(&["off", "lamp"]).ends_with(0);
    let events = Events::of(&hub, &["--since", "1h"]);
    let text = |event: &Value| event["data"]["text"].as_str().unwrap().to_owned();
    let first = events.until(|_| true);
    assert_eq!(
        (first["event"].as_str(), text(&first)),
        (Some("log"), "the hub started".to_owned())
    );
    events.until(|event| text(event) == "lamp turned off");
    hub.home.run(&["on", "lamp"]).ends_with(0);
    let live = events.until(|event| text(event) == "lamp turned on");
    hub.restart();
    let mut last = live["data"]["id"].as_u64().unwrap();
    for expected in ["the hub ended", "the hub started"] {
        let event = events.until(|event| text(event) == expected);
        let id = event["data"]["id"].as_u64().unwrap();
        assert!(id > last, "{event}");
        last = id;
    }
    hub.home.run(&["off", "heater"]).ends_with(0);
    events.until(|event| text(event) == "heater turned off");

    let table = hub.home.run(&["events", "--since", "1h", "--no-follow"]);
    let table = table.ends_with(0);
    assert!(
        table
            .stdout
            .contains("lamp turned off, by the API token ‘admin’"),
        "{table:?}"
    );
    hub.home
        .run(&["events", "--since", "1h", "--kind", "reading"])
        .ends_with(2);
    hub.home.run(&["events", "--kind", "access"]).ends_with(2);
    hub.home.run(&["events", "--no-follow"]).ends_with(2);
}
