//! Joining the plug's network and coming back, undisturbed.

use crate::bench::{Age, HOME, IDLE, NetworkManagerBench, PLUG};
use crate::plug::{Computer, EmulatedPlug, result};

/// The profiles that were added: their settings, in order.
pub fn added(bench: &NetworkManagerBench) -> Vec<serde_json::Value> {
    let report = bench.report();
    let events = report["events"].as_array().unwrap();
    events
        .iter()
        .filter(|event| event[0] == "add2" || event[0] == "add_unsaved")
        .map(|event| event.as_array().unwrap().last().unwrap().clone())
        .collect()
}

#[test]
fn a_plug_is_set_up_and_the_computer_is_back_home() {
    for (number, age) in [(1, Age::Modern), (2, Age::Old)] {
        let Some(bench) = NetworkManagerBench::new(age) else {
            return;
        };
        let computer = Computer::at_home(&bench);
        let plug = EmulatedPlug::fresh(number, &[]);
        let (code, json, stderr) = plug.run(&bench, &["--plug-ssid", PLUG.0]);
        assert_eq!(code, 0, "{age:?}: {json:#} {stderr}");
        assert_eq!(json["plug"], plug.mac.as_str());
        assert_eq!(json["confirmed"], true);
        computer.is_as_before(&bench);
        // Joined again after the plug's restart for the proof; each time for a moment and without a default route.
        let added = added(&bench);
        assert!(added.len() >= 2, "{added:#?}");
        for profile in added {
            assert_eq!(profile["connection"]["autoconnect"], "0");
            assert_eq!(profile["ipv4"]["never-default"], "1");
            assert_eq!(profile["802-11-wireless"]["ssid"], PLUG.0);
        }
    }
}

#[test]
fn an_idle_adapter_is_idle_again() {
    let Some(bench) = NetworkManagerBench::new(Age::Modern) else {
        return;
    };
    let computer = Computer::idle(&bench);
    let plug = EmulatedPlug::fresh(3, &["no-apsta"]);
    // The only plug in reach needs no name.
    let (code, json, stderr) = plug.run(&bench, &[]);
    assert_eq!(code, 0, "{json:#} {stderr}");
    computer.is_as_before(&bench);
}

#[test]
fn who_may_not_add_connections_for_all_adds_one_of_his_own() {
    let Some(bench) = NetworkManagerBench::new(Age::Strict) else {
        return;
    };
    let computer = Computer::at_home(&bench);
    let plug = EmulatedPlug::fresh(22, &["no-apsta"]);
    let (code, json, stderr) = plug.run(&bench, &[]);
    assert_eq!(code, 0, "{json:#} {stderr}");
    let report = bench.report();
    let events = report["events"].as_array().unwrap();
    assert!(
        events.iter().any(|event| event[0] == "denied"),
        "{report:#}"
    );
    let permissions = added(&bench)[0]["connection"]["permissions"].to_string();
    assert!(permissions.contains("user:"), "{permissions}");
    computer.is_as_before(&bench);
}

#[test]
fn the_idle_one_of_two_adapters_is_taken() {
    let Some(bench) = NetworkManagerBench::new(Age::Modern) else {
        return;
    };
    let busy = Computer::at_home(&bench);
    let idle = bench.add_wifi("wlan9", IDLE);
    bench.add_network(&idle, PLUG.0, PLUG.1);
    let plug = EmulatedPlug::fresh(4, &["no-apsta"]);
    let (code, json, stderr) = plug.run(&bench, &[]);
    assert_eq!(code, 0, "{json:#} {stderr}");
    busy.is_as_before(&bench);
    for profile in added(&bench) {
        assert_eq!(profile["connection"]["interface-name"], "wlan9");
    }
}

#[test]
fn the_stock_mock_is_served_too() {
    let Some(bench) = NetworkManagerBench::stock() else {
        return;
    };
    let adapter = bench.stock_wifi("wlan7", IDLE);
    bench.stock_network(&adapter, PLUG.0);
    let plug = EmulatedPlug::fresh(5, &["no-apsta"]);
    let (code, json, stderr) = plug.run(&bench, &["--plug-ssid", PLUG.0]);
    // This mock has no `Disconnect` on a device: the failure to restore is reported, and noted for later.
    assert_eq!(json["plug"], plug.mac.as_str(), "{code} {json:#} {stderr}");
    assert_eq!(json["confirmed"], true, "{json:#} {stderr}");
}

#[test]
fn a_wrong_key_for_the_plugs_network_is_refused() {
    for (number, age) in [(6, Age::Modern), (7, Age::Old)] {
        let Some(bench) = NetworkManagerBench::new(age) else {
            return;
        };
        let computer = Computer::at_home(&bench);
        let plug = EmulatedPlug::fresh(number, &[]);
        let (code, json, stderr) = plug.run_with_key(&bench, "87654321");
        assert_eq!(code, 5, "{json:#} {stderr}");
        let message = json["error"]["message"].as_str().unwrap();
        assert!(message.contains("refused the key"), "{message}");
        computer.is_as_before(&bench);
    }
}

#[test]
fn the_computer_is_back_although_it_went_home_by_itself_at_the_same_moment() {
    let Some(bench) = NetworkManagerBench::new(Age::Modern) else {
        return;
    };
    let computer = Computer::at_home(&bench);
    bench.hurry();
    let plug = EmulatedPlug::fresh(26, &[]);
    let (code, json, stderr) = plug.run_with_key(&bench, "87654321");
    assert_eq!(code, 5, "{json:#} {stderr}");
    let went = bench.report()["events"].to_string();
    assert!(went.contains("autoconnect"), "{went}");
    computer.is_as_before(&bench);
}

#[test]
fn a_key_that_fits_no_network_touches_nothing() {
    let Some(bench) = NetworkManagerBench::new(Age::Modern) else {
        return;
    };
    let computer = Computer::at_home(&bench);
    let plug = EmulatedPlug::fresh(8, &[]);
    let (code, json, _) = plug.run_with_key(&bench, "short");
    assert_eq!(code, 2, "{json:#}");
    assert!(added(&bench).is_empty());
    computer.is_as_before(&bench);
}

#[test]
fn an_access_point_that_vanishes_or_gives_no_address_is_no_answer() {
    for (number, plan, word) in [(9, "vanish", "vanished"), (10, "no-dhcp", "no address")] {
        let Some(bench) = NetworkManagerBench::new(Age::Modern) else {
            return;
        };
        let computer = Computer::at_home(&bench);
        bench.plan(&[plan]);
        let plug = EmulatedPlug::fresh(number, &[]);
        let (code, json, stderr) = plug.run(&bench, &[]);
        assert_eq!(code, 4, "{json:#} {stderr}");
        let message = json["error"]["message"].as_str().unwrap();
        assert!(message.contains(word), "{message}");
        computer.is_as_before(&bench);
    }
}

#[test]
fn a_slow_activation_is_waited_for() {
    let Some(bench) = NetworkManagerBench::new(Age::Modern) else {
        return;
    };
    let computer = Computer::at_home(&bench);
    bench.plan(&["slow:300"]);
    let plug = EmulatedPlug::fresh(11, &["no-apsta"]);
    let (code, json, stderr) = plug.run(&bench, &[]);
    assert_eq!(code, 0, "{json:#} {stderr}");
    computer.is_as_before(&bench);
}

#[test]
fn an_activation_that_hangs_ends_with_the_timeout() {
    let Some(bench) = NetworkManagerBench::new(Age::Modern) else {
        return;
    };
    let computer = Computer::at_home(&bench);
    bench.plan(&["hang"]);
    let plug = EmulatedPlug::fresh(12, &[]);
    let mut command = plug.setup(&bench, &[]);
    command.env("MAINS_TIMEOUT", "2s");
    let (code, json, stderr) = result(&command.output().unwrap());
    assert_eq!(code, 4, "{json:#} {stderr}");
    computer.is_as_before(&bench);
}

#[test]
fn a_wrong_home_key_brings_the_computer_home_as_well() {
    let Some(bench) = NetworkManagerBench::new(Age::Modern) else {
        return;
    };
    let computer = Computer::at_home(&bench);
    let plug = EmulatedPlug::fresh(13, &["fail-join"]);
    let (code, json, stderr) = plug.run(&bench, &[]);
    assert_eq!(code, 5, "{json:#} {stderr}");
    computer.is_as_before(&bench);
}

#[test]
fn what_is_not_there_is_local_and_has_a_hint() {
    let Some(bare) = NetworkManagerBench::bare() else {
        return;
    };
    let plug = EmulatedPlug::fresh(14, &[]);
    let (code, json, _) = plug.run(&bare, &[]);
    assert_eq!(code, 7, "{json:#}");
    let message = json["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("NetworkManager is not running"),
        "{message}"
    );
    assert!(
        json["error"]["hint"]
            .as_str()
            .unwrap()
            .contains("--wifi manual")
    );

    let Some(bench) = NetworkManagerBench::new(Age::Modern) else {
        return;
    };
    let (code, json, _) = plug.run(&bench, &[]);
    assert_eq!(code, 7, "{json:#}");
    let message = json["error"]["message"].as_str().unwrap();
    assert!(message.contains("no Wi-Fi adapter"), "{message}");

    bench.add_wifi("wlan7", 20);
    let (code, json, _) = plug.run(&bench, &[]);
    assert_eq!(code, 7, "{json:#}");
    let message = json["error"]["message"].as_str().unwrap();
    assert!(message.contains("wlan7"), "{message}");
}

#[test]
fn no_plug_in_reach_is_not_found() {
    let Some(bench) = NetworkManagerBench::new(Age::Modern) else {
        return;
    };
    let computer = Computer::at_home(&bench);
    bench.remove_network(&computer.adapter, PLUG.0);
    let plug = EmulatedPlug::fresh(15, &[]);
    let (code, json, stderr) = plug.run(&bench, &[]);
    assert_eq!(code, 3, "{json:#} {stderr}");
    computer.is_as_before(&bench);
}

#[test]
fn several_plugs_need_a_choice_or_all() {
    let Some(bench) = NetworkManagerBench::new(Age::Modern) else {
        return;
    };
    let computer = Computer::at_home(&bench);
    bench.add_network(&computer.adapter, "Reco900000622", "another key");
    let plug = EmulatedPlug::fresh(16, &["no-apsta"]);
    let (code, json, _) = plug.run(&bench, &[]);
    assert_eq!(code, 2, "{json:#}");
    assert!(
        json["error"]["hint"]
            .as_str()
            .unwrap()
            .contains("--plug-ssid")
    );
    computer.is_as_before(&bench);

    // One key file for both: the second refuses it, and the first is set up all the same.
    let (code, json, stderr) = plug.run(&bench, &["--all"]);
    assert_eq!(code, 5, "{json:#} {stderr}");
    let list = json.as_array().unwrap();
    assert_eq!(list.len(), 2, "{json:#}");
    let good = list
        .iter()
        .find(|one| one["plug"] == plug.mac.as_str())
        .unwrap();
    assert_eq!(good["confirmed"], true, "{json:#}");
    let bad = list
        .iter()
        .find(|one| one["plug"] == "Reco900000622")
        .unwrap();
    assert_eq!(bad["error"]["kind"], "refused", "{json:#}");
    computer.is_as_before(&bench);
}

#[test]
fn a_temporary_connection_is_not_left() {
    let Some(bench) = NetworkManagerBench::new(Age::Modern) else {
        return;
    };
    let mut computer = Computer::idle(&bench);
    computer.home = Some(bench.use_connection(&computer.adapter, "guest", HOME, true));
    let plug = EmulatedPlug::fresh(17, &[]);
    let (code, json, stderr) = plug.run(&bench, &[]);
    assert_eq!(code, 7, "{json:#} {stderr}");
    let message = json["error"]["message"].as_str().unwrap();
    assert!(message.contains("temporary"), "{message}");
    computer.is_as_before(&bench);
}

#[test]
fn who_has_joined_the_plugs_network_by_hand_is_not_brought_back_to_it() {
    let Some(bench) = NetworkManagerBench::new(Age::Modern) else {
        return;
    };
    let computer = Computer::idle(&bench);
    bench.use_connection(&computer.adapter, "the plug, by hand", PLUG, false);
    let plug = EmulatedPlug::fresh(18, &["no-apsta"]);
    let (code, json, stderr) = plug.run(&bench, &[]);
    assert_eq!(code, 0, "{json:#} {stderr}");
    assert_eq!(bench.note(), None);
}

#[test]
fn a_key_never_reaches_the_log_of_a_join() {
    let Some(bench) = NetworkManagerBench::new(Age::Modern) else {
        return;
    };
    let computer = Computer::at_home(&bench);
    let plug = EmulatedPlug::fresh(19, &["no-apsta"]);
    let output = plug
        .setup(&bench, &["-vvv"])
        .env("RUST_LOG", "trace")
        .output()
        .unwrap();
    let (code, json, stderr) = result(&output);
    assert_eq!(code, 0, "{json:#} {stderr}");
    for key in [PLUG.1, HOME.1] {
        assert!(!stderr.contains(key), "{stderr}");
        assert!(!json.to_string().contains(key), "{json}");
    }
    computer.is_as_before(&bench);
}

#[test]
fn a_home_network_that_has_gone_is_told_and_can_be_restored_later() {
    let Some(bench) = NetworkManagerBench::new(Age::Modern) else {
        return;
    };
    let computer = Computer::at_home(&bench);
    let plug = EmulatedPlug::fresh(20, &["no-apsta"]);
    let child = plug.setup(&bench, &[]).spawn().unwrap();
    bench.wait_until("the plug's network is joined", |now| {
        now["devices"][0]["state"] == 100
            && now["devices"][0]["active"].as_str() != computer.home.as_deref()
    });
    bench.remove_network(&computer.adapter, HOME.0);
    let (code, json, stderr) = result(&child.wait_with_output().unwrap());
    assert_eq!(code, 1, "{json:#} {stderr}");
    let message = json["error"]["message"].as_str().unwrap();
    assert!(message.contains("'my home'"), "{message}");
    assert_eq!(
        json["confirmed"], true,
        "the plug itself is set up: {json:#}"
    );
    assert!(bench.note().is_some());
    bench.add_network(&computer.adapter, HOME.0, HOME.1);
    let (code, json, stderr) = result(
        &bench
            .mains(&["--json", "setup", "--undo"])
            .output()
            .unwrap(),
    );
    assert_eq!(code, 0, "{json:#} {stderr}");
    computer.is_as_before(&bench);
}

#[test]
fn in_a_terminal_the_plug_is_chosen_and_a_mistyped_key_can_be_typed_again() {
    use expectrl::{Eof, Expect as _};
    let Some(bench) = NetworkManagerBench::new(Age::Modern) else {
        return;
    };
    let computer = Computer::at_home(&bench);
    bench.add_network(&computer.adapter, "Reco900000622", "another key");
    bench.add_network(&computer.adapter, "WiWo-S20", "");
    let plug = EmulatedPlug::fresh(21, &["no-apsta"]);
    let home = bench.file("home.key", HOME.1);
    let mut words = vec![
        "--interface",
        "127.54.21.1",
        "setup",
        "--wifi",
        "networkmanager",
    ];
    words.extend([
        "--ssid",
        HOME.0,
        "--key-file",
        &home,
        "--module",
        &plug.address,
    ]);
    let mut command = bench.mains(&words);
    command.env("TERM", "dumb");
    command
        .stdin(std::process::Stdio::inherit())
        .stdout(std::process::Stdio::inherit())
        .stderr(std::process::Stdio::inherit());
    let mut session = expectrl::Session::spawn(command).unwrap();
    session.set_expect_timeout(Some(std::time::Duration::from_secs(20)));
    let listed = session.expect("Which plug").unwrap();
    let list = String::from_utf8_lossy(listed.before()).into_owned();
    assert!(
        list.contains("Orvibo S20") && !list.contains(HOME.0),
        "{list}"
    );
    let line = list.lines().find(|line| line.contains(PLUG.0)).unwrap();
    session.expect("]: ").unwrap();
    session
        .send_line(line.split_whitespace().next().unwrap())
        .unwrap();
    session.expect("Key of 'Reco900000621'").unwrap();
    session.send_line("87654321").unwrap();
    session.expect("refused the key").unwrap();
    session.expect("Key of 'Reco900000621'").unwrap();
    session.send_line(PLUG.1).unwrap();
    let output = session.expect(Eof).unwrap();
    let output = String::from_utf8_lossy(output.as_bytes()).into_owned();
    assert!(output.contains(&plug.mac), "{output}");
    assert!(output.contains("confirmed"), "{output}");
    assert!(!output.contains(PLUG.1), "{output}");
    computer.is_as_before(&bench);
}
