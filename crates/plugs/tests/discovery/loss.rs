//! Completeness of discovery on networks that lose datagrams: statistics over many networks.
//!
//! `MAINS_TEST_SCALE=20` runs twenty times as many as by default.

use std::time::Duration;

use hiflying::DiscoveryWord;

use crate::ms;
use crate::network::{ScriptedDevice, options, plugs, run};

/// The results of many runs on the same network with different seeds.
struct Many {
    runs: usize,
    incomplete: usize,
    mean: Duration,
    /// The time within which 99 of 100 runs are done.
    usual: Duration,
    probes: f64,
}

fn many(devices: &[ScriptedDevice], runs: u32) -> Many {
    let scale = std::env::var("MAINS_TEST_SCALE").ok();
    let runs = runs * scale.and_then(|scale| scale.parse().ok()).unwrap_or(1);
    let mut incomplete = 0;
    let mut times = Vec::new();
    let mut probes = 0;
    for seed in 0..runs {
        let run = run(devices, options(), u64::from(seed) + 1);
        if run.found.len() < devices.len() {
            incomplete += 1;
        }
        times.push(run.elapsed);
        probes += run.summary.probes_sent;
    }
    times.sort_unstable();
    let many = Many {
        runs: times.len(),
        incomplete,
        mean: times.iter().sum::<Duration>() / runs,
        usual: times[times.len() * 99 / 100],
        probes: f64::from(probes) / f64::from(runs),
    };
    println!(
        "{} devices, loss {:.0} % each way: {} of {} runs incomplete, {:?} on average, 99 % within {:?}, {:.1} datagrams",
        devices.len(),
        devices[0].loss * 100.0,
        many.incomplete,
        many.runs,
        many.mean,
        many.usual,
        many.probes
    );
    many
}

impl Many {
    /// Checks that all devices are found in at least 99.9 % of the runs.
    fn finds_everything(&self) {
        assert!(
            self.incomplete * 1000 <= self.runs,
            "{} of {} incomplete",
            self.incomplete,
            self.runs
        );
    }
}

#[test]
fn fifty_plugs_without_loss() {
    let many = many(&plugs(50, 0.0), 300);
    assert_eq!(many.incomplete, 0);
    assert!(many.usual < ms(400), "{:?}", many.usual);
    assert!(many.probes <= 20.0, "{}", many.probes);
}

#[test]
fn fifty_plugs_at_twenty_percent_loss() {
    let many = many(&plugs(50, 0.2), 1000);
    many.finds_everything();
    assert!(many.usual < ms(2000), "{:?}", many.usual);
}

#[test]
fn fifty_plugs_at_forty_percent_loss() {
    let many = many(&plugs(50, 0.4), 1000);
    many.finds_everything();
    assert!(many.usual < ms(4000), "{:?}", many.usual);
}

#[test]
fn fifty_plugs_that_answer_one_word_only() {
    let mut devices = plugs(50, 0.4);
    for device in &mut devices {
        device.word = None;
    }
    let many = many(&devices, 1000);
    many.finds_everything();
    assert!(many.usual < ms(4000), "{:?}", many.usual);
}

#[test]
fn few_plugs_at_forty_percent_loss() {
    for count in [1, 2, 3, 5, 10] {
        many(&plugs(count, 0.4), 1000).finds_everything();
    }
}

#[test]
fn two_hundred_plugs() {
    let quiet = many(&plugs(200, 0.0), 50);
    assert_eq!(quiet.incomplete, 0);
    assert!(quiet.usual < ms(400), "{:?}", quiet.usual);
    many(&plugs(200, 0.2), 50).finds_everything();
}

#[test]
fn modules_among_plugs_at_forty_percent_loss() {
    let mut devices = plugs(10, 0.4);
    devices.push(ScriptedDevice::module(11, 0.4, DiscoveryWord::HF_A11));
    devices.push(ScriptedDevice::module(12, 0.4, DiscoveryWord::WIFIKIT));
    many(&devices, 1000).finds_everything();
}

#[test]
fn weak_plugs_among_good_ones() {
    let mut devices = plugs(50, 0.0);
    for device in &mut devices[..10] {
        device.loss = 0.4;
    }
    many(&devices, 300).finds_everything();
}

#[test]
fn copies_do_not_feign_a_good_network() {
    let mut devices = plugs(10, 0.4);
    for device in &mut devices {
        device.copies = 10;
        device.delay = 1..120;
    }
    many(&devices, 500).finds_everything();
}
