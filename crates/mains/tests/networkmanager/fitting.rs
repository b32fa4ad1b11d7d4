//! Which access point and adapter are taken, and a way home that asks for a key.

use crate::bench::{Age, IDLE, NetworkManagerBench, PLUG};
use crate::join::added;
use crate::plug::{Computer, EmulatedPlug, result};

#[test]
fn an_open_access_point_with_the_plugs_name_is_not_joined_without_a_question() {
    // With the plug's own in reach that one is taken, also after the restart.
    let Some(bench) = NetworkManagerBench::new(Age::Modern) else {
        return;
    };
    let computer = Computer::at_home(&bench);
    bench.add_point(&computer.adapter, PLUG.0, 90, "");
    let plug = EmulatedPlug::fresh(41, &[]);
    for named in [&["--plug-ssid", PLUG.0][..], &[]] {
        let (code, json, stderr) = plug.run(&bench, named);
        assert_eq!(code, 0, "{json:#} {stderr}");
    }
    let joined = added(&bench);
    assert!(joined.len() >= 3, "{joined:#?}");
    for profile in &joined {
        assert_eq!(profile["802-11-wireless-security"]["key-mgmt"], "wpa-psk");
        assert_eq!(
            profile["802-11-wireless"]["bssid"],
            joined[0]["802-11-wireless"]["bssid"]
        );
    }
    computer.is_as_before(&bench);

    // Alone it is asked about, with and without a name and a key.
    bench.remove_network(&computer.adapter, PLUG.0);
    bench.add_point(&computer.adapter, PLUG.0, 90, "");
    let before = added(&bench).len();
    for named in [&["--plug-ssid", PLUG.0][..], &[]] {
        let (code, json, _) = plug.run(&bench, named);
        assert_eq!(code, 2, "{json:#}");
        let message = json["error"]["message"].as_str().unwrap();
        assert!(message.contains("is open"), "{message}");
    }
    assert_eq!(added(&bench).len(), before);
    computer.is_as_before(&bench);

    let fresh = EmulatedPlug::fresh(42, &[]);
    let mut command = fresh.setup(&bench, &["--yes"]);
    let (code, json, stderr) = result(&command.output().unwrap());
    assert_eq!(code, 0, "{json:#} {stderr}");
    let profile = added(&bench).pop().unwrap();
    assert_eq!(profile.get("802-11-wireless-security"), None);
}

#[test]
fn every_adapter_is_asked_what_it_sees() {
    let Some(bench) = NetworkManagerBench::new(Age::Modern) else {
        return;
    };
    let computer = Computer::at_home(&bench);
    bench.add_wifi("wlan9", IDLE);
    let plug = EmulatedPlug::fresh(43, &["no-apsta"]);
    for named in [&["--plug-ssid", PLUG.0][..], &[]] {
        let (code, json, stderr) = plug.run(&bench, named);
        assert_eq!(code, 0, "{json:#} {stderr}");
    }
    for profile in added(&bench) {
        assert_eq!(profile["connection"]["interface-name"], "wlan7");
    }
    computer.is_as_before(&bench);

    bench.remove_network(&computer.adapter, PLUG.0);
    let (code, json, _) = plug.run(&bench, &[]);
    assert_eq!(code, 3, "{json:#}");
    let error = json["error"].to_string();
    for part in ["wlan7", "wlan9", "--interface"] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_way_home_whose_key_nobody_gives_is_named() {
    let Some(bench) = NetworkManagerBench::new(Age::Modern) else {
        return;
    };
    let _computer = Computer::at_home(&bench);
    bench.lose_agent();
    let plug = EmulatedPlug::fresh(44, &["no-apsta"]);
    let (code, json, stderr) = plug.run(&bench, &[]);
    assert_eq!(code, 1, "{json:#} {stderr}");
    let told = format!("{json} {stderr}");
    assert!(
        told.contains("nobody could give the key of the connection 'my home'"),
        "{told}"
    );
    assert!(
        told.contains("nmcli --ask connection up id 'my home'"),
        "{told}"
    );
    // The next start has nothing to say.
    assert_eq!(bench.note(), None);
}
