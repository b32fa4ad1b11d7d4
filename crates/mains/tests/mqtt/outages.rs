//! Brokers that go and come back, and two hubs that are taken for one.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::broker::{
    Broker, Listener, PLAIN, configure, connected, home_with_plugs, ids, mosquitto, publish,
    publish_with, retained, running, status, switches,
};
use crate::home::Home;
use crate::house::{Hub, eventually};
use crate::needs::met;
use crate::proxy::{self, Behaviour, THROUGH_PROXY};

#[test]
fn a_restarted_broker_has_everything_again_within_five_seconds() {
    let Some(()) = met(mosquitto()) else { return };
    let home = home_with_plugs(PLAIN);
    let mut broker = Broker::open(&home);
    let _hub = Hub::start(&home, &[]);
    connected(&home);
    ids(&home);
    eventually("announced", || retained().len() > 30);
    let topics = || retained().into_keys().collect::<Vec<_>>();
    let before = topics();
    broker.kill();
    broker.restart();
    let begin = Instant::now();
    while topics() != before {
        assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", topics());
    }
    // Both are in the log of past events.
    let past = home.run(&[
        "events",
        "--since",
        "1h",
        "--no-follow",
        "--kind",
        "problem",
    ]);
    let past = past.ends_with(0).stdout;
    assert!(
        past.contains("no connection to the MQTT broker mqtt://"),
        "{past}"
    );
    assert!(past.contains("is connected again"), "{past}");
}

#[test]
fn commands_during_an_outage_switch_nothing_later() {
    let Some(()) = met(mosquitto()) else { return };
    let home = home_with_plugs(PLAIN);
    let mut broker = Broker::open(&home);
    let _hub = Hub::start(&home, &[]);
    connected(&home);
    let ids = ids(&home);
    let set = format!("mains/{}/relay/set", ids[0]);
    let relay = format!("mains/{}/relay", ids[0]);
    // Under load: readings go on, and commands come until the end and during it.
    for _ in 0..5 {
        publish(&set, "OFF");
    }
    let before = switches(&home);
    broker.kill();
    for _ in 0..10 {
        assert!(!publish_with(&set, &["-m", "TOGGLE"]).status.success());
    }
    eventually("the outage is shown", || {
        status(&home)["state"] == "disconnected"
    });
    // A minute, so that the delay between two attempts is the longest.
    std::thread::sleep(Duration::from_secs(60));
    home.json(&["on", &ids[1]]).ends_with(0);
    // A client that kept a command for later publishes it before the hub is back: the broker must not keep it for the hub.
    broker.restart();
    publish(&set, "TOGGLE");
    let listener = Listener::start();
    eventually("connected again", || status(&home)["state"] == "connected");
    listener.sees(&format!("mains/{}/relay", ids[1]), "ON");
    listener.sees(&relay, "OFF");
    let _ = publish_with(&format!("mains/{}/relay/set", ids[1]), &["-m", "TOGGLE"]);
    listener.sees(&format!("mains/{}/relay", ids[1]), "OFF");
    assert_eq!(listener.now()[&relay], "OFF");
    assert!(switches(&home) <= before + 2 + 5, "{}", switches(&home));
}

#[test]
fn a_plug_that_is_deleted_while_the_broker_is_away_leaves_nothing() {
    let Some(()) = met(mosquitto()) else { return };
    let mut home = home_with_plugs(PLAIN);
    // It keeps what it has.
    let store = home.path("store");
    std::fs::create_dir(&store).unwrap();
    let keeping = format!(
        "allow_anonymous true\npersistence true\npersistence_location {}/\nautosave_interval 1\nautosave_on_changes true\n",
        store.display()
    );
    let mut broker = Broker::start(&home, crate::broker::PORT, &keeping);
    let hub = Hub::start(&home, &[]);
    connected(&home);
    let ids = ids(&home);
    let of = |id: &str| {
        retained()
            .into_keys()
            .filter(|topic| topic.contains(id))
            .count()
    };
    eventually("announced", || of(&ids[0]) > 10 && of(&ids[1]) > 10);
    std::thread::sleep(Duration::from_millis(300));
    broker.kill();
    home.run(&["--yes", "hub", "forget", &ids[0]]).ends_with(0);
    // Also over a restart of the hub.
    assert_eq!(hub.end(Signal::SIGTERM).0.code(), Some(0));
    // After a restart the hub would adopt it again.
    home.end_emulators();
    broker.restart();
    assert!(of(&ids[0]) > 10, "the broker has kept it");
    let _hub = Hub::start(&home, &[]);
    eventually("it is gone", || of(&ids[0]) == 0);
    assert!(of(&ids[1]) > 10);
}

#[test]
fn a_will_of_an_earlier_hub_is_put_right() {
    let Some((_home, _broker, listener, _hub, _ids)) = running() else {
        return;
    };
    let state = "mains/bridge/state";
    listener.sees(state, "online");
    let before = listener.count(state);
    // The broker publishes it when it finds that a hub that was active before is cut off, after the next one has begun.
    let will = publish_with(state, &["-r", "-m", "offline"]);
    assert!(will.status.success(), "{will:?}");
    eventually("the will and the present state", || {
        listener.count(state) >= before + 2
    });
    listener.sees(state, "online");
    assert_eq!(retained()[state], "online");
}

#[test]
fn a_slow_broker_gets_the_newest_state() {
    let Some(()) = met(mosquitto()) else { return };
    let home = home_with_plugs(THROUGH_PROXY);
    let _broker = Broker::open(&home);
    let behaviour = Arc::new(Behaviour::default());
    proxy::start(Arc::clone(&behaviour));
    let _hub = Hub::start(&home, &[]);
    connected(&home);
    let ids = ids(&home);
    let listener = Listener::start();
    let relay = format!("mains/{}/relay", ids[0]);
    listener.sees(&relay, "OFF");
    behaviour.is_slow.store(true, Ordering::Relaxed);
    for _ in 0..3 {
        home.json(&["on", &ids[0]]).ends_with(0);
        home.json(&["off", &ids[0]]).ends_with(0);
    }
    home.json(&["on", &ids[0]]).ends_with(0);
    listener.sees(&relay, "ON");
    assert_eq!(status(&home)["state"], "connected");
}

#[test]
fn publishing_resumes_after_a_full_window() {
    let Some(()) = met(mosquitto()) else { return };
    let home = home_with_plugs(THROUGH_PROXY);
    let mut broker = Broker::open(&home);
    let behaviour = Arc::new(Behaviour::default());
    proxy::start(Arc::clone(&behaviour));
    let _hub = Hub::start(&home, &[]);
    connected(&home);
    let ids = ids(&home);
    // No acknowledgement comes any more: readings fill the window of 20 messages.
    behaviour.swallows_replies.store(true, Ordering::Relaxed);
    std::thread::sleep(Duration::from_secs(2));
    for _ in 0..6 {
        home.json(&["toggle", &ids[0]]).ends_with(0);
        home.json(&["toggle", &ids[1]]).ends_with(0);
    }
    broker.kill();
    behaviour.swallows_replies.store(false, Ordering::Relaxed);
    broker.restart();
    let listener = Listener::start();
    listener.sees("mains/bridge/state", "online");
    let relay = format!("mains/{}/relay", ids[0]);
    home.json(&["on", &ids[0]]).ends_with(0);
    listener.sees(&relay, "ON");
    publish(&format!("{relay}/set"), "OFF");
    listener.sees(&relay, "OFF");
}

#[test]
fn two_hubs_with_one_client_id() {
    let Some(()) = met(mosquitto()) else { return };
    let home = home_with_plugs(THROUGH_PROXY);
    let _broker = Broker::open(&home);
    let behaviour = Arc::new(Behaviour::default());
    proxy::start(Arc::clone(&behaviour));
    let first = Hub::start(&home, &[]);
    connected(&home);
    let id = status(&home)["client_id"].as_str().unwrap().to_owned();
    // A copied state directory, on another computer.
    let copy = Home::new();
    std::fs::create_dir(copy.state()).unwrap();
    std::fs::copy(
        home.state().join("mqtt.json"),
        copy.state().join("mqtt.json"),
    )
    .unwrap();
    configure(&copy, THROUGH_PROXY);
    let mut command = copy.command();
    command.args([
        "serve",
        "--listen",
        "127.0.0.1:8490",
        "--interface",
        "127.0.0.2",
    ]);
    command.env("MAINS_INTERFACE", "127.0.0.2");
    let second = Hub::run(command);
    eventually("the first is thrown out", || {
        status(&home)["state"] == "disconnected"
    });
    let before = behaviour.connections.load(Ordering::Relaxed);
    std::thread::sleep(Duration::from_secs(4));
    let more = behaviour.connections.load(Ordering::Relaxed) - before;
    assert!(more <= 4, "{more} connections in 4 s");
    eventually("the client id is named", || {
        status(&home)["error"]
            .as_str()
            .is_some_and(|it| it.contains(&id))
    });
    drop(second);
    assert!(first.end(Signal::SIGTERM).2.contains(&id));
}
