//! `mains mqtt check` beside a hub that runs.

use crate::broker::{retained, running};

#[test]
fn every_step_is_shown_and_no_hub_is_disturbed() {
    let Some((home, _broker, listener, _hub, _)) = running() else {
        return;
    };
    let document = home.json(&["mqtt", "check"]).ends_with(0).json();
    assert_eq!(document["broker"], "mqtt://127.0.0.1:1883");
    let steps: Vec<&str> = document["steps"]
        .as_array()
        .unwrap()
        .iter()
        .inspect(|step| assert_eq!(step["ok"], true, "{step}"))
        .map(|step| step["step"].as_str().unwrap())
        .collect();
    let expected = ["resolve", "connect", "tls", "login", "publish", "read_back"];
    assert_eq!(steps, expected);
    let text = home.run(&["mqtt", "check"]).ends_with(0).stdout;
    assert_eq!(
        text.lines().filter(|line| line.starts_with("ok ")).count(),
        6,
        "{text}"
    );
    assert_eq!(listener.count("mains/bridge/state"), 1);
    assert!(!retained().contains_key("mains/bridge/check"));
}
