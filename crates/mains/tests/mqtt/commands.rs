//! Messages on command topics that are no commands, old ones, and commands that fail.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::broker::{Listener, connected, publish, publish_with, running, signal, switches};
use crate::home::Home;
use crate::house::{Hub, eventually};

/// Waits until the hub has read everything that was published to it so far.
#[track_caller]
fn settled(listener: &Listener, id: &str) {
    let relay = format!("mains/{id}/relay");
    publish(&format!("{relay}/set"), "OFF");
    listener.sees(&relay, "OFF");
    publish(&format!("{relay}/set"), "TOGGLE");
    listener.sees(&relay, "ON");
}

#[test]
fn what_is_no_command_switches_nothing_and_is_logged() {
    let Some((home, _broker, listener, hub, ids)) = running() else {
        return;
    };
    let set = format!("mains/{}/relay/set", ids[0]);
    for payload in ["true", "ON!", "\u{1F4A1}"] {
        publish(&set, payload);
    }
    let bytes = home.path("bytes");
    std::fs::write(&bytes, b"ON\xff\xfe").unwrap();
    publish_with(&set, &["-f", bytes.to_str().unwrap()]);
    for length in [300, 60_000, 2_000_000] {
        std::fs::write(&bytes, vec![b'N'; length]).unwrap();
        publish_with(&set, &["-f", bytes.to_str().unwrap()]);
    }
    publish("mains/accf23ffffff/relay/set", "ON");
    publish("mains/kitchen/relay/set", "ON");
    publish("mains/g-00000000/relay/set", "ON");
    let delay = format!("mains/{}/delay/set", ids[0]);
    for payload in [
        "",
        "30",
        "{\"state\":\"OFF\"}",
        "{\"state\":\"OFF\",\"minutes\":0}",
        "{\"state\":\"OFF\",\"minutes\":2001}",
    ] {
        publish_with(&delay, &["-m", payload]);
    }
    publish(&format!("mains/{}/identify/set", ids[0]), "please");
    settled(&listener, &ids[0]);
    assert!(switches(&home) <= 2, "{}", switches(&home));
    let record = std::fs::read_to_string(home.path("record.jsonl")).unwrap();
    assert!(!record.contains("AT+YZDELAY"), "{record}");
    home.json(&["hub", "plugs"]).ends_with(0);
    let (_, _, log) = hub.end(Signal::SIGTERM);
    for words in [
        "`ON`, `OFF` or `TOGGLE`, not 'true'",
        "not UTF-8",
        "300 bytes is too long",
        "is too long for a command",
        "no plug AC:CF:23:FF:FF:FF is adopted",
        "'kitchen' is neither a MAC nor the id of a group",
        "minutes",
        "`PRESS`",
    ] {
        assert!(log.contains(words), "{words}: {log}");
    }
}

#[test]
fn a_retained_command_switches_nothing() {
    let Some((home, _broker, listener, hub, ids)) = running() else {
        return;
    };
    let set = format!("mains/{}/relay/set", ids[0]);
    // While the hub is there, and from an earlier time.
    publish_with(&set, &["-r", "-m", "ON"]);
    settled(&listener, &ids[1]);
    assert!(hub.end(Signal::SIGTERM).2.contains("it is retained"));
    let hub = Hub::start(&home, &[]);
    connected(&home);
    settled(&listener, &ids[1]);
    assert_eq!(listener.now()[&format!("mains/{}/relay", ids[0])], "OFF");
    assert!(hub.end(Signal::SIGTERM).2.contains("it is retained"));
    assert!(!recorded_on(&home, "AC:CF:23:4D:00:01"));
}

/// True if a plug was switched on.
fn recorded_on(home: &Home, plug: &str) -> bool {
    let text = std::fs::read_to_string(home.path("record.jsonl")).unwrap();
    text.lines()
        .any(|line| line.contains("AT+YZSWITCH=1,ON") && line.contains(plug))
}

#[test]
fn commands_that_waited_switch_nothing() {
    let Some((home, _broker, listener, mut hub, ids)) = running() else {
        return;
    };
    let set = format!("mains/{}/relay/set", ids[0]);
    // The hub is away.
    drop(hub);
    publish(&set, "ON");
    hub = Hub::start(&home, &[]);
    connected(&home);
    // The hub does not run for a while: commands wait in its socket.
    signal(hub.id(), Signal::SIGSTOP);
    publish(&set, "ON");
    publish(&set, "TOGGLE");
    std::thread::sleep(Duration::from_secs(11));
    signal(hub.id(), Signal::SIGCONT);
    eventually("connected again", || {
        listener
            .all()
            .iter()
            .filter(|it| it.topic == "mains/bridge/state" && it.payload == "online")
            .count()
            >= 3
    });
    settled(&listener, &ids[1]);
    assert!(!recorded_on(&home, "AC:CF:23:4D:00:01"));
    assert!(hub.end(Signal::SIGTERM).2.contains("did not run for 1"));
}

#[test]
fn a_command_that_fails_puts_the_true_state_back() {
    let Some((mut home, _broker, listener, hub, ids)) = running() else {
        return;
    };
    let relay = format!("mains/{}/relay", ids[0]);
    listener.sees(&relay, "OFF");
    home.end_emulators();
    let before = listener.count(&relay);
    publish(&format!("{relay}/set"), "ON");
    eventually("the state is published again", || {
        listener.count(&relay) > before
    });
    assert_eq!(listener.now()[&relay], "OFF");
    let log = hub.end(Signal::SIGTERM).2;
    assert!(log.contains("a command over MQTT failed"), "{log}");
}

#[test]
fn a_plug_identifies_itself_while_it_is_off() {
    let Some((home, _broker, listener, hub, ids)) = running() else {
        return;
    };
    let relay = format!("mains/{}/relay", ids[0]);
    let identify = format!("mains/{}/identify/set", ids[0]);
    listener.sees(&relay, "OFF");
    publish(&identify, "PRESS");
    listener.sees(&relay, "ON");
    listener.sees(&relay, "OFF");
    assert_eq!(switches(&home), 2);
    publish(&format!("{relay}/set"), "ON");
    listener.sees(&relay, "ON");
    publish(&identify, "PRESS");
    settled(&listener, &ids[1]);
    assert_eq!(listener.now()[&relay], "ON");
    assert!(hub.end(Signal::SIGTERM).2.contains("only while it is off"));
}
