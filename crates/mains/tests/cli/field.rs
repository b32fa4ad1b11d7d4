//! Devices as they are met in the field, by the real binary.

use serde_json::Value;

use crate::home::Home;

#[test]
fn a_plug_that_greets_or_echoes_obeys_and_is_read() {
    for (number, faults) in [&["banner"][..], &["echo"], &["banner", "echo", "split"]]
        .into_iter()
        .enumerate()
    {
        let mut home = Home::with_network();
        let address = format!("127.28.{number}.1");
        let mut words = vec!["--listen", &address];
        for fault in faults {
            words.extend(["--fault", fault]);
        }
        home.emulate(&words, 1);
        let on = home.json(&["on", &address]).ends_with(0).json();
        assert_eq!(
            (&on[0]["relay"], &on[0]["confirmed"]),
            (&"on".into(), &true.into())
        );
        home.json(&["delay", &address, "off", "30m"]).ends_with(0);
        let reading = home.json(&["meter", &address]).ends_with(0).json();
        assert!(reading[0]["voltage_v"].is_number(), "{faults:?} {reading}");
        let version = home.json(&["version", &address]).ends_with(0).json();
        assert_eq!(
            version[0]["version"], "1.0.06a-14 (2014-10-29 21:46 1M)",
            "{faults:?}"
        );
        let console = home.json(&["at", "--tcp", &address, "YZOUT"]).ends_with(0);
        let reply = console.json()[0]["reply"].as_str().unwrap().to_owned();
        assert!(reply.contains("+ok="), "{faults:?} {reply}");
        let raw = home
            .json(&["at", &address, "VER", "WMODE"])
            .ends_with(0)
            .json();
        assert_eq!(raw[1]["reply"], "+ok=STA", "{faults:?} {raw}");
    }
}

#[test]
fn one_odd_field_of_the_meter_is_null() {
    let mut home = Home::with_network();
    home.emulate(&["--listen", "127.28.9.1", "--fault", "odd-field"], 1);
    let run = home.json(&["meter", "127.28.9.1"]).ends_with(0);
    let reading = run.json()[0].clone();
    assert_eq!(reading["power_w"], Value::Null);
    assert!(
        reading["voltage_v"].is_number() && reading["energy_wh"].is_number(),
        "{reading}"
    );
}
