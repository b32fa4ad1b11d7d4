//! Bridges of Hue, over TLS and with certificates of their own.

use crate::bench::WindowsBench;

#[test]
fn a_bridge_is_paired_and_takes_a_light_over() {
    let Some(mut bench) = WindowsBench::new() else {
        return;
    };
    let bridge = bench.address(3);
    let twin = bench.native(&[
        "emulate",
        "bridge",
        "--listen",
        &bridge,
        "--press-after",
        "0s",
        "--bulb",
        "near:foreign",
        "--fault",
        "search-time=1s",
        "--fault",
        "touchlink-time=200ms",
    ]);
    bench.start(twin, 1);
    let (kind, _) = bench
        .json(&["hue", "lights", &bridge])
        .ends_with(2)
        .failure();
    assert_eq!(kind, "usage", "no key goes to a bridge that was not paired");
    let pair = ["hue", "pair", &bridge, "--trust-certificate"];
    let paired = bench.json(&pair).ends_with(0);
    assert_eq!(paired.json()["paired"], true);
    let kept = std::fs::read_to_string(bench.state().join("hue.json")).unwrap();
    let kept: serde_json::Value = serde_json::from_str(&kept).unwrap();
    let key = kept["bridges"][0]["key"]
        .as_str()
        .unwrap_or_else(|| panic!("a key is kept: {kept}"));
    let taken = bench
        .json(&["--yes", "hue", "takeover", &bridge])
        .ends_with(0);
    assert_eq!(taken.json()["captured"], true);
    let lights = bench.json(&["hue", "lights", &bridge]).ends_with(0);
    assert_eq!(lights.json().as_array().map(Vec::len), Some(1));
    for run in [paired, taken, lights] {
        assert!(
            !run.stdout.contains(key) && !run.stderr.contains(key),
            "{run:?}"
        );
    }
    let forgotten = bench.json(&["hue", "forget", &bridge]);
    forgotten.ends_with(0);
    bench.json(&["hue", "lights", &bridge]).ends_with(2);
}
