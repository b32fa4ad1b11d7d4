//! States of plugs as other programs see them.

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::broker::{
    Broker, Listener, PLAIN, configure, connected, home_with_plugs, ids, mosquitto, publish,
    retained, running, status, switches,
};
use crate::home::Home;
use crate::house::{Hub, eventually};
use crate::needs::met;

#[test]
fn every_plug_has_its_topics_and_its_switch() {
    let Some((home, _broker, listener, hub, ids)) = running() else {
        return;
    };
    listener.sees("mains/bridge/state", "online");
    for id in &ids {
        listener.sees(&format!("mains/{id}/availability"), "online");
        listener.sees(&format!("mains/{id}/relay"), "OFF");
    }
    let relay = format!("mains/{}/relay", ids[0]);

    // From outside in, and from inside out.
    publish(&format!("{relay}/set"), "ON");
    listener.sees(&relay, "ON");
    home.run(&["off", &ids[0]]).ends_with(0);
    listener.sees(&relay, "OFF");
    publish(&format!("{relay}/set"), "toggle");
    listener.sees(&relay, "ON");
    let log = home.json(&["hub", "status"]).ends_with(0);
    assert_eq!(log.json()["mqtt"]["version"], "5");
    assert_eq!(switches(&home), 3, "each command reached the plug once");
    let other = format!("mains/{}/relay", ids[1]);
    assert_eq!(listener.now()[&other], "OFF");

    let meter = format!("mains/{}/meter", ids[0]);
    eventually("the load is metered", || {
        let text = listener.now().get(&meter).cloned().unwrap_or_default();
        let reading: Value = serde_json::from_str(&text).unwrap_or_default();
        reading["power_w"].as_f64().is_some_and(|watts| watts > 1.0)
            && reading["energy_total_wh"].is_u64()
            && reading["plug"].as_str().is_some_and(|mac| mac.len() == 17)
    });
    let info: Value =
        serde_json::from_str(&listener.now()[&format!("mains/{}/info", ids[0])]).unwrap();
    assert!(
        info["address"].as_str().unwrap().starts_with("127.77."),
        "{info}"
    );

    publish(
        &format!("mains/{}/delay/set", ids[1]),
        "{\"state\":\"ON\",\"minutes\":2000}",
    );
    eventually("the timer is set", || {
        let text = std::fs::read_to_string(home.path("record.jsonl")).unwrap();
        text.contains("AT+YZDELAY=1,ON,2000")
    });

    // All of it is kept for clients that come later, and an orderly end is told.
    let kept = retained();
    assert_eq!(kept[&relay], "ON");
    assert!(
        !kept.keys().any(|topic| topic.ends_with("/set")),
        "{kept:?}"
    );
    assert_eq!(hub.end(Signal::SIGTERM).0.code(), Some(0));
    assert_eq!(retained()["mains/bridge/state"], "offline");
    assert_eq!(retained()[&relay], "ON");
}

#[test]
fn a_group_is_one_switch() {
    let Some(()) = met(mosquitto()) else { return };
    let home = home_with_plugs(PLAIN);
    let _broker = Broker::open(&home);
    let listener = Listener::start();
    let _hub = Hub::start(&home, &[]);
    let ids = ids(&home);
    home.run(&["group", "add", "lamps", &ids[0], &ids[1]])
        .ends_with(0);
    let groups = home.json(&["group", "list"]).ends_with(0).json();
    let group = groups[0]["id"].as_str().unwrap();
    let relay = format!("mains/{group}/relay");
    listener.sees(&format!("mains/{group}/availability"), "online");
    listener.sees(&relay, "OFF");
    publish(&format!("{relay}/set"), "ON");
    listener.sees(&relay, "ON");
    for id in &ids {
        listener.sees(&format!("mains/{id}/relay"), "ON");
    }
    home.run(&["off", &ids[0]]).ends_with(0);
    listener.sees(&format!("mains/{}/relay", ids[0]), "OFF");
    assert_eq!(listener.now()[&relay], "ON", "one of them is on");
    home.run(&["--yes", "group", "remove", "lamps"])
        .ends_with(0);
    eventually("the group's topics are empty", || {
        !listener
            .now()
            .keys()
            .any(|topic| topic.contains(group) && !topic.ends_with("/set"))
    });
}

#[test]
fn a_hub_that_is_killed_and_a_plug_that_is_gone_are_offline() {
    let Some(()) = met(mosquitto()) else { return };
    let mut home = home_with_plugs(PLAIN);
    let _broker = Broker::open(&home);
    let listener = Listener::start();
    let hub = Hub::start(&home, &[]);
    let ids = ids(&home);
    let availability = format!("mains/{}/availability", ids[0]);
    listener.sees(&availability, "online");
    home.end_emulators();
    listener.sees(&availability, "offline");
    assert_eq!(status(&home)["state"], "connected");
    drop(hub);
    listener.sees("mains/bridge/state", "offline");
}

#[test]
fn metrics_count_messages() {
    let Some(()) = met(mosquitto()) else { return };
    let home = home_with_plugs(PLAIN);
    let _broker = Broker::open(&home);
    let hub = Hub::start(&home, &[]);
    connected(&home);
    ids(&home);
    let token = std::fs::read_to_string(home.state().join("admin-token")).unwrap();
    let metrics = || {
        use std::io::{Read as _, Write as _};
        let address = hub.url.trim_start_matches("http://");
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        let token = token.trim();
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    };
    eventually("messages are counted", || {
        let text = metrics();
        text.contains("\nmains_mqtt_connected 1")
            && text.contains("\nmains_mqtt_published_total ")
            && !text.contains("\nmains_mqtt_published_total 0")
    });
}

#[test]
fn a_plug_without_a_meter_has_a_switch_and_nothing_of_energy() {
    let Some(()) = met(mosquitto()) else {
        return;
    };
    let mut home = Home::with_network();
    configure(&home, PLAIN);
    home.emulate_device("s20", &["--listen", "127.77.0.9"], 1);
    let _broker = Broker::open(&home);
    let listener = Listener::start();
    let hub = Hub::start(&home, &[]);
    connected(&home);
    let id = "accf234d0009";
    let relay = format!("mains/{id}/relay");
    listener.sees(&relay, "OFF");
    publish(&format!("{relay}/set"), "ON");
    listener.sees(&relay, "ON");
    listener.sees(&format!("mains/{id}/availability"), "online");
    let is_told = || {
        let kept = retained();
        kept.keys()
            .any(|topic| topic.starts_with("homeassistant/switch/") && topic.contains(id))
    };
    eventually("Home Assistant is told", is_told);
    let kept = retained();
    assert!(!kept.contains_key(&format!("mains/{id}/meter")), "{kept:?}");
    for (topic, payload) in kept.iter().filter(|(topic, _)| topic.contains(id)) {
        for class in ["power", "energy", "voltage", "current", "frequency"] {
            let class = format!("\"device_class\":\"{class}\"");
            assert!(!payload.contains(&class), "{topic}: {payload}");
        }
    }
    assert_eq!(hub.end(Signal::SIGTERM).0.code(), Some(0));
}
