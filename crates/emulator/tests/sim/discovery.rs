//! The discovery of fifty plugs at 0, 20 and 40 % loss each way.

use std::collections::BTreeSet;
use std::time::Duration;

use emulator::{PlugConfig, Twin};
use jiff::Timestamp;
use plugs::discovery::{DiscoverEvent as Found, Discovery, SearchLink, SearchPlan};
use plugs::{FamilyId, RelayState};

use crate::seeds;
use crate::world::{BROADCAST, CLIENT, FIRST, SimWorld, Weather, WorldEvent};

const PLUGS: u32 = 50;

struct DiscoveryRun {
    found: usize,
    elapsed: Duration,
}

/// Runs one discovery to its end.
fn discover(world: &mut SimWorld) -> DiscoveryRun {
    let link = SearchLink {
        address: CLIENT,
        prefix: 24,
        broadcast: Some(BROADCAST),
    };
    let options = SearchPlan {
        links: vec![link],
        ..SearchPlan::default()
    };
    let mut discovery = Discovery::new(
        plugs::families::all(),
        options,
        world.now,
        Timestamp::UNIX_EPOCH,
    );
    let mut found = BTreeSet::new();
    loop {
        while let Some(event) = discovery.poll_event() {
            match event {
                Found::Found(plug) => {
                    assert!(found.insert(plug.mac), "{} was found twice", plug.mac);
                    let twin = world
                        .twins
                        .iter()
                        .find(|twin| twin.mac() == plug.mac)
                        .expect("a plug that there is");
                    assert_eq!(plug.address, twin.addresses()[0]);
                    if plug.family == FamilyId::RECO {
                        let relay = if twin.relay_is_on() {
                            RelayState::On
                        } else {
                            RelayState::Off
                        };
                        assert_eq!(plug.relay, Some(relay));
                    }
                }
                Found::Updated(_) => {}
                Found::Lost(plug) => panic!("{plug:?} is lost"),
                Found::Done(_) => {
                    return DiscoveryRun {
                        found: found.len(),
                        elapsed: world.elapsed(),
                    };
                }
            }
        }
        while let Some(transmit) = discovery.poll_transmit() {
            world.send(transmit.to, &transmit.bytes);
        }
        match world.next(discovery.poll_timeout()) {
            WorldEvent::Datagram { from, bytes } => {
                discovery.handle_datagram(world.now, hiflying::PORT, from, &bytes);
            }
            WorldEvent::Due => discovery.handle_timeout(world.now),
            other => panic!("{other:?}"),
        }
    }
}

fn home(seed: u64, faults: &[&str]) -> Vec<PlugConfig> {
    let plug = |step: u32| PlugConfig {
        seed,
        relay_on: step.is_multiple_of(3),
        faults: faults.iter().map(|spec| spec.parse().unwrap()).collect(),
        ..PlugConfig::at((u32::from(FIRST) + step).into())
    };
    (0..PLUGS).map(plug).collect()
}

/// Of so many runs, how many found every plug, and how long the slowest took.
fn search(runs: u64, weather: Weather, faults: &[&str]) -> (u64, u64, Duration) {
    let (mut complete, mut total, mut slowest) = (0, 0, Duration::ZERO);
    for seed in seeds(runs) {
        let mut world = SimWorld::new(seed, weather, home(seed, faults));
        let run = discover(&mut world);
        total += 1;
        complete += u64::from(run.found == PLUGS as usize);
        slowest = slowest.max(run.elapsed);
    }
    println!("{weather:?} {faults:?}: complete {complete} of {total}, slowest {slowest:?}");
    (complete, total, slowest)
}

#[test]
fn without_loss_all_are_found_within_a_second() {
    let (complete, total, slowest) = search(40, Weather::FAIR, &[]);
    assert_eq!(complete, total);
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
}

#[test]
fn at_20_percent_loss_nearly_every_run_finds_all() {
    let (complete, total, slowest) = search(40, Weather::foul(0.2), &[]);
    assert!(complete * 1000 >= total * 990, "{complete} of {total}");
    assert!(slowest < Duration::from_secs(4), "{slowest:?}");
}

#[test]
fn at_40_percent_loss_nearly_every_run_finds_all() {
    let (complete, total, slowest) = search(40, Weather::foul(0.4), &[]);
    assert!(complete * 1000 >= total * 990, "{complete} of {total}");
    assert!(slowest < Duration::from_secs(6), "{slowest:?}");
}

#[test]
fn strange_replies_hide_no_plug() {
    for faults in [
        ["five-fields", "trailing-crlf"],
        ["nul-padding", "copies=10"],
        ["garbage", "field-6=x"],
        ["wrong-address=10.0.0.9", "doubled"],
        ["delayed=150ms", "reordered"],
        ["scan-silent", "source-port"],
    ] {
        let (complete, total, _) = search(5, Weather::FAIR, &faults);
        assert_eq!(complete, total, "{faults:?}");
    }
}
