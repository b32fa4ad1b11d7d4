//! Home Assistant discovery at a real broker.

use std::process::Command;

use nix::sys::signal::Signal;

use crate::broker::{
    Broker, Listener, PLAIN, PORT, configure, connected, home_with_plugs, ids, mosquitto, publish,
    retained, running,
};
use crate::home::Home;
use crate::house::{Hub, eventually};
use crate::needs::{met, namespaces, succeed};

/// Number of topics of discovery that contain these words.
fn announced(words: &str) -> usize {
    let topics = retained().into_keys();
    topics
        .filter(|topic| topic.starts_with("homeassistant/") && topic.contains(words))
        .count()
}

#[test]
fn announced_changed_and_removed() {
    let Some((home, _broker, listener, _hub, ids)) = running() else {
        return;
    };
    let switch = format!("homeassistant/switch/{}_switch/config", ids[0]);
    eventually("the switch is announced", || {
        listener.now().contains_key(&switch)
    });
    home.run(&["name", &ids[0], "kitchen"]).ends_with(0);
    eventually("the name is announced", || {
        listener.now()[&switch].contains("kitchen")
    });

    // A Home Assistant that starts hears everything again; a retained birth message is old.
    let before = listener.count(&switch);
    publish("homeassistant/status", "online");
    eventually("announced again", || listener.count(&switch) > before);

    home.run(&["--yes", "hub", "forget", "kitchen"])
        .ends_with(0);
    eventually("nothing is left of it", || {
        !listener.now().keys().any(|topic| topic.contains(&ids[0]))
    });
    assert!(announced(&ids[1]) > 5);
}

#[test]
fn the_home_of_the_demo_appears_and_goes_with_it() {
    let Some(()) = met(mosquitto()) else { return };
    let home = Home::with_network();
    let _broker = Broker::open(&home);
    let mut command = home.command();
    command.args(["demo", "--mqtt", "mqtt://127.0.0.1"]);
    let demo = Hub::run(command);
    eventually("seven plugs and a group are announced", || {
        announced("_switch/config") == 8
    });
    let kettle = &retained()["homeassistant/switch/accf234d0002_switch/config"];
    assert!(kettle.contains("Kettle"), "{kettle}");
    // It is on in the evening.
    let goal = match retained()["mains/accf234d0004/relay"].as_str() {
        "ON" => "OFF",
        _ => "ON",
    };
    publish("mains/accf234d0004/relay/set", goal);
    Listener::start().sees("mains/accf234d0004/relay", goal);
    assert_eq!(demo.end(Signal::SIGINT).0.code(), Some(0));
    eventually("nothing is left of it", || retained().is_empty());
}

#[test]
fn from_one_form_to_the_other() {
    let Some(()) = met(mosquitto()) else { return };
    let home = home_with_plugs(PLAIN);
    let _broker = Broker::open(&home);
    let hub = Hub::start(&home, &[]);
    connected(&home);
    let ids = ids(&home);
    let switch = format!("homeassistant/switch/{}_switch/config", ids[0]);
    let device = format!("homeassistant/device/{}/config", ids[0]);
    eventually("announced", || retained().contains_key(&switch));
    assert_eq!(hub.end(Signal::SIGTERM).0.code(), Some(0));

    configure(&home, &format!("{PLAIN}\ndiscovery = \"device\""));
    let listener = Listener::start();
    let hub = Hub::start(&home, &[]);
    eventually("the old form is gone", || {
        let now = listener.now();
        now.contains_key(&device) && !now.contains_key(&switch)
    });
    // The request, then the new form, then the emptying.
    let all = listener.all();
    let place = |topic: &str, payload: &str| {
        all.iter()
            .position(|it| !it.is_retained && it.topic == topic && it.payload.starts_with(payload))
    };
    let request = place(&switch, "{\"migrate_discovery\"").unwrap();
    let new = place(&device, "{").unwrap();
    let emptied = all
        .iter()
        .position(|it| it.topic == switch && it.payload.is_empty())
        .unwrap();
    assert!(request < new && new < emptied, "{request} {new} {emptied}");
    assert_eq!(hub.end(Signal::SIGTERM).0.code(), Some(0));
    configure(&home, &format!("{PLAIN}\ndiscovery = \"off\""));
    let _hub = Hub::start(&home, &[]);
    eventually("nothing is announced", || announced("") == 0);
    assert_eq!(
        retained()[&format!("mains/{}/availability", ids[0])],
        "online"
    );
}

#[test]
fn links_lead_to_the_hub_from_other_computers() {
    let Some(()) = met(mosquitto()) else { return };
    let Some(()) = met(namespaces(&[("ip", "iproute2")])) else {
        return;
    };
    let home = home_with_plugs("url = \"mqtt://10.77.0.1\"");
    succeed(Command::new("ip").args(["address", "add", "10.77.0.1/24", "dev", "lo"]));
    let settings = "listener 1883 10.77.0.1\nallow_anonymous true\n";
    let _broker = Broker::start(&home, PORT, settings);
    let file = home.write("password", "a long enough secret\n");
    home.run(&["hub", "password", "--file", file.to_str().unwrap()])
        .ends_with(0);
    let _hub = Hub::start(&home, &["--listen", "0.0.0.0:8480"]);
    connected(&home);
    let ids = ids(&home);
    let link = format!("\"http://10.77.0.1:8480/plugs/{}\"", ids[0]);
    let switch = format!("homeassistant/switch/{}_switch/config", ids[0]);
    eventually("announced", || {
        retained()
            .get(&switch)
            .is_some_and(|config| config.contains(&link))
    });
}
