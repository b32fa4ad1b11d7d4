//! The direct path: only the home network can tell whether the key is right.

use crate::bench::{HOME, KEY, SetupBench};

fn home() -> String {
    format!("{HOME}:{KEY}")
}

/// A module that is back soon, to keep the test short.
const QUICK: [&str; 4] = ["--fault", "restart=100ms", "--fault", "association=50ms"];

#[test]
fn a_module_that_cannot_be_both_goes_the_direct_way() {
    let mut bench = SetupBench::new(20);
    let (address, mac) = bench.fresh(2, &home(), &["no-apsta"]);
    let key = bench.file("key", KEY);
    let run = bench.setup_on(HOME, &key, &address, &[]);
    run.confirmed(&mac);
    assert_eq!(run.step("link"), None, "{run:#?}");
    assert_eq!(run.step("seen"), Some(true), "{run:#?}");
}

#[test]
fn a_wrong_key_on_the_direct_way_ends_with_the_way_back() {
    let mut bench = SetupBench::new(21);
    let (address, mac) = bench.fresh(2, &home(), &["no-apsta"]);
    let key = bench.file("key", "wrong horse!");
    let run = bench.setup_on(HOME, &key, &address, &["--wait", "4s"]);
    let (message, hint) = run.failed(4, "no_answer");
    assert!(message.contains("was not seen"), "{message}");
    assert!(hint.contains("button"), "{hint}");
    assert_eq!(run.json["plug"], mac);
}

#[test]
fn without_proof_of_the_key_it_is_still_looked_for() {
    let mut bench = SetupBench::new(22);
    let (address, mac) = bench.fresh(2, &home(), &[]);
    let key = bench.file("key", KEY);
    let run = bench.setup_on(HOME, &key, &address, &["--no-verify"]);
    run.confirmed(&mac);
    assert_eq!(
        run.step("link"),
        None,
        "nobody asked the plug to prove the key"
    );
}

#[test]
fn a_module_that_does_not_tell_its_link_is_believed_as_a_station() {
    for faults in [&["no-link-verbs"][..], &["no-link-verbs", "no-apsta"]] {
        let mut bench = SetupBench::new(70);
        let (address, mac) = bench.fresh(2, &home(), faults);
        let key = bench.file("key", KEY);
        let run = bench.setup_on(HOME, &key, &address, &[]);
        run.confirmed(&mac);
    }
}

#[test]
fn a_plug_that_is_on_a_network_moves_to_another() {
    let mut bench = SetupBench::new(23);
    let words = [
        "--home-network",
        "Old:old old key",
        "--home-network",
        "New:new new key",
    ];
    let (address, mac) = bench.emulate(2, &words).remove(0);
    let key = bench.file("key", "new new key");
    let run = bench.setup_on("New", &key, &address, &[]);
    run.confirmed(&mac);
    assert!(bench.answers(&mac));
}

#[test]
fn a_move_with_a_wrong_key_is_not_confirmed() {
    let mut bench = SetupBench::new(24);
    let words = [
        "--home-network",
        "Old:old old key",
        "--home-network",
        "New:new new key",
    ];
    let (address, _) = bench.emulate(2, &words).remove(0);
    let key = bench.file("key", "not the key");
    let run = bench.setup_on("New", &key, &address, &["--wait", "4s"]);
    let (_, hint) = run.failed(4, "no_answer");
    assert!(hint.contains("button"), "{hint}");
}

#[test]
fn a_twin_that_answers_as_before_has_not_arrived() {
    let mut bench = SetupBench::new(25);
    // It accepts everything and takes an hour for its restart, so it answers no more; and one that never links.
    for (host, fault) in [(2, "restart=1h"), (3, "fail-join")] {
        let (address, _) = bench.fresh(host, &home(), &["no-apsta", fault]);
        let key = bench.file("key", KEY);
        let run = bench.setup_on(HOME, &key, &address, &["--wait", "3s"]);
        run.failed(4, "no_answer");
    }
}

/// Names and keys that a module can take, with the kind of network that each needs.
const LEGAL: [(&str, &str, &str); 14] = [
    ("plain", "12345678", "wpa2"),
    (
        "63 characters",
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0",
        "wpa2",
    ),
    (
        "thirty-two bytes, right to here.",
        "k = long enough",
        "wpa2",
    ),
    (
        "K\u{fc}che im Stra\u{df}enhaus 12 \u{2615}\u{2615}",
        "schl\u{fc}ssel-\u{1f511}",
        "wpa2",
    ),
    ("comma, and, more", "one, two, three", "wpa2"),
    ("a=b", "key=value", "wpa2"),
    ("it's \"quoted\" `here`", "say \"what's\" `up`", "wpa2"),
    (" spaces around ", "  spaces  ", "wpa2"),
    ("back\\slash:colon", "back\\slash:$HOME;|&", "wpa2"),
    ("Disconnected", "any kind of key", "mixed"),
    ("first generation", "any kind of key", "wpa"),
    ("wep characters", "five5", "wep"),
    ("wep 26", "0123456789abcdef0123456789", "wep"),
    ("open house", "", "wpa2"),
];

/// Sets up one twin for each network, all at the same time, and asserts that each arrives.
fn all_arrive(bench: &mut SetupBench, networks: &[(&str, &str, &str, &[&str])]) {
    let mut plugs = Vec::new();
    let mut runs = Vec::new();
    for (host, (ssid, key, kind, more)) in (2..).zip(networks) {
        let network = format!("{}:{key}", ssid.replace(':', "\\:"));
        let kind = format!("security={kind}");
        let words = ["--ap", "--home-network", &network, "--fault", &kind];
        let direct = ["--fault", "no-apsta"];
        let (address, mac) = bench
            .emulate(host, &[&words[..], &direct, &QUICK].concat())
            .remove(0);
        let file = bench.file(&format!("key{host}"), format!("{key}\n"));
        let mut words = vec!["--ssid", ssid, "--module", &address, "--wait", "30s"];
        match *key {
            "" => words.extend(["--security", "open"]),
            _ => words.extend(["--key-file", &file]),
        }
        words.extend(*more);
        runs.push(words.into_iter().map(ToOwned::to_owned).collect());
        plugs.push(mac);
    }
    for ((run, mac), (ssid, ..)) in bench.setups(&runs).iter().zip(&plugs).zip(networks) {
        assert_eq!(run.code, 0, "{ssid:?}: {run:#?}");
        run.confirmed(mac);
        assert_eq!(run.json["ssid"], *ssid);
    }
}

#[test]
fn any_legal_name_and_key_arrives() {
    let full = LEGAL.iter().filter(|(ssid, ..)| ssid.len() == 32);
    assert_eq!(full.count(), 2, "two are as long as can be");
    let legal = LEGAL.map(|(ssid, key, kind)| (ssid, key, kind, &[][..]));
    all_arrive(&mut SetupBench::new(79), &legal);
}

#[test]
fn wep_keys_of_all_four_lengths_arrive() {
    let keys = [
        "five5",
        "thirteenchars",
        "0123456789",
        "0123456789abcdef0123456789",
    ];
    let mut networks: Vec<(&str, &str, &str, &[&str])> = Vec::new();
    for key in keys {
        networks.push((HOME, key, "wep", &[]));
        networks.push((HOME, key, "wep", &["--security", "wep"]));
    }
    all_arrive(&mut SetupBench::new(27), &networks);
}
