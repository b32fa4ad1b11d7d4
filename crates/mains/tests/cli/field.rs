//! Devices as they are met in the field, by the real binary.

use serde_json::Value;

use crate::home::Home;

#[test]
fn a_plug_that_greets_or_echoes_obeys_and_is_read() {
    let kinds = [
        &["banner"][..],
        &["echo"],
        &["prompt"],
        &["banner", "echo", "split"],
    ];
    for (number, faults) in kinds.into_iter().enumerate() {
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

/// Two devices with one MAC are reported by each verb that hears both; JSON stays as it is.
#[test]
fn a_second_device_with_the_same_mac_is_reported() {
    const MAC: &str = "AC:CF:23:28:10:01";
    let mut home = Home::with_network();
    for address in ["127.28.10.1", "127.28.10.2"] {
        home.emulate(&["--listen", address, "--mac", MAC], 1);
    }
    for words in [
        &["discover"][..],
        &["status"],
        &["status", MAC],
        &["version", MAC],
        &["on", MAC],
    ] {
        // Without a last address there is a scan.
        let _ = std::fs::remove_dir_all(home.state());
        let run = home.json(words).ends_with(0);
        let told = run.stderr.matches("two devices have its MAC").count();
        assert_eq!(told, 1, "{words:?} {run:?}");
        assert!(run.stderr.contains("127.28.10.1") && run.stderr.contains("127.28.10.2"));
        assert_eq!(run.json().as_array().unwrap().len(), 1, "{words:?} {run:?}");
        let quiet = [&["-q"], words].concat();
        assert_eq!(home.json(&quiet).ends_with(0).stderr, "", "{words:?}");
    }
    let report = home.json(&["probe", "127.28.10.1"]).ends_with(0).json();
    let findings = report["findings"].as_array().unwrap().iter();
    let ids: Vec<_> = findings.map(|finding| finding["id"].clone()).collect();
    assert!(ids.contains(&"duplicate-mac".into()), "{report}");
}
