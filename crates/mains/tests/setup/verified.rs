//! The verified path: the key is proven while the module's own access point is still there.

use crate::bench::{HOME, KEY, SetupBench};

fn home() -> String {
    format!("{HOME}:{KEY}")
}

#[test]
fn a_right_key_puts_the_plug_on_the_network() {
    let mut bench = SetupBench::new(1);
    let (address, mac) = bench.fresh(2, &home(), &[]);
    let key = bench.file("key", format!("{KEY}\n"));
    let run = bench.setup_on(HOME, &key, &address, &[]);
    run.confirmed(&mac);
    assert_eq!(run.json["ssid"], HOME);
    for step in [
        "find",
        "ssid",
        "key",
        "read-back",
        "link",
        "lease",
        "station",
        "seen",
    ] {
        assert_eq!(run.step(step), Some(true), "{step}: {run:#?}");
    }
    assert!(bench.answers(&mac), "it is found by its MAC");
}

#[test]
fn a_wrong_key_leaves_the_plug_reachable_and_says_so() {
    let mut bench = SetupBench::new(2);
    let (address, mac) = bench.fresh(2, &home(), &[]);
    let key = bench.file("key", "wrong horse!\n");
    let run = bench.setup_on(HOME, &key, &address, &[]);
    let (message, hint) = run.failed(5, "refused");
    assert!(message.contains("wrong key"), "{message}");
    assert!(hint.contains("own network"), "{hint}");
    assert_eq!(run.json["plug"], mac);
    assert!(bench.answers(&address), "the plug is still reachable");
    // And it is as it was: the right key works at once.
    let key = bench.file("key", KEY);
    bench.setup_on(HOME, &key, &address, &[]).confirmed(&mac);
}

#[test]
fn a_network_out_of_reach_is_told_from_a_wrong_key() {
    let mut bench = SetupBench::new(3);
    let (address, _) = bench.fresh(2, &home(), &[]);
    let key = bench.file("key", KEY);
    let run = bench.setup_on("Elsewhere", &key, &address, &[]);
    let (message, _) = run.failed(5, "refused");
    assert!(message.contains("out of range"), "{message}");
    assert!(bench.answers(&address));
}

#[test]
fn a_name_is_stored_with_the_plug() {
    let mut bench = SetupBench::new(4);
    let (address, mac) = bench.fresh(2, &home(), &[]);
    let key = bench.file("key", KEY);
    bench
        .setup_on(HOME, &key, &address, &["--name", "kitchen"])
        .confirmed(&mac);
    assert!(bench.answers("kitchen"));
}

#[test]
fn a_plug_that_gets_another_address_is_found_there() {
    let mut bench = SetupBench::new(6);
    let there = bench.address(77);
    let network = home();
    let words = ["--ap", "--home-network", &network, "--home-address", &there];
    let (address, mac) = bench.emulate(2, &words).remove(0);
    let key = bench.file("key", KEY);
    let run = bench.setup_on(HOME, &key, &address, &[]);
    run.confirmed(&mac);
    let steps = run.json["steps"].as_array().unwrap();
    let seen = steps.iter().find(|step| step["step"] == "seen").unwrap();
    let detail = seen["detail"].as_str().unwrap();
    assert!(detail.contains(&there), "{detail}");
    assert!(bench.answers(&there));
    assert!(!bench.answers(&address));
}

#[test]
fn a_key_can_come_from_standard_input() {
    let mut bench = SetupBench::new(7);
    let (address, mac) = bench.fresh(2, &home(), &["no-apsta", "restart=100ms"]);
    let words = ["--ssid", HOME, "--key-stdin", "--module", &address];
    bench
        .setup_with_input(&words, format!("{KEY}\r\n").as_bytes())
        .confirmed(&mac);
}
