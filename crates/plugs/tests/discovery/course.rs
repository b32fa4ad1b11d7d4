//! The course of one discovery: its reports, its end, and the addresses that it probes.

use std::net::Ipv4Addr;

use hiflying::DiscoveryWord;
use plugs::discovery::{SearchLink, SearchPlan};
use plugs::{FamilyId, RelayState};

use crate::ms;
use crate::network::{ScriptedDevice, options, plugs, run};

#[test]
fn one_plug_without_loss() {
    let run = run(&plugs(1, 0.0), options(), 1);
    assert_eq!(run.found.len(), 1);
    assert!(run.elapsed <= ms(650), "{:?}", run.elapsed);
    assert!(run.found_after[0] < ms(30), "told at once");
    assert!(run.summary.unheard.unwrap() < 1e-3);
}

#[test]
fn nobody() {
    let run = run(&[], options(), 1);
    assert_eq!(run.elapsed, ms(4000));
    assert_eq!(run.summary.unheard, None);
    assert!(run.summary.probes_sent < 107, "{:?}", run.summary);
}

#[test]
fn as_long_as_the_user_says() {
    for (devices, expected) in [(plugs(0, 0.0), 10_000), (plugs(2, 0.0), 480)] {
        let wait = Some(ms(10_000));
        let run = run(&devices, SearchPlan { wait, ..options() }, 1);
        assert!(
            run.milliseconds().abs_diff(expected) < 100,
            "{:?}",
            run.elapsed
        );
    }
    let wait = Some(ms(100));
    let run = run(&plugs(2, 0.0), SearchPlan { wait, ..options() }, 1);
    assert_eq!((run.elapsed, run.found.len()), (ms(100), 2));
}

#[test]
fn as_many_as_the_user_expects() {
    let expect = Some(3);
    let enough = run(
        &plugs(3, 0.0),
        SearchPlan {
            expect,
            ..options()
        },
        1,
    );
    assert!(enough.elapsed < ms(30), "{:?}", enough.elapsed);
    assert_eq!(enough.found.len(), 3);

    // A module is told as soon as it is certain that it is no more than that.
    let mut devices = plugs(2, 0.0);
    devices.push(ScriptedDevice::module(3, 0.0, DiscoveryWord::HF_A11));
    let with_module = run(
        &devices,
        SearchPlan {
            expect,
            ..options()
        },
        1,
    );
    assert!(with_module.elapsed < ms(700), "{:?}", with_module.elapsed);

    let too_few = run(
        &plugs(2, 0.0),
        SearchPlan {
            expect,
            ..options()
        },
        1,
    );
    assert_eq!((too_few.elapsed, too_few.found.len()), (ms(6000), 2));
    assert!(too_few.summary.probes_sent < 134, "{:?}", too_few.summary);
}

#[test]
fn slow_plugs_are_not_lost() {
    for delay in [80..120, 150..160, 20..300, 400..600] {
        let mut devices = plugs(20, 0.0);
        for device in &mut devices {
            device.delay = delay.clone();
        }
        for seed in 0..50 {
            let run = run(&devices, options(), seed);
            assert_eq!(run.found.len(), 20, "{delay:?}");
            let bound = ms(1500 + 3 * delay.end);
            assert!(run.elapsed < bound, "{delay:?}: {:?}", run.elapsed);
        }
    }
}

#[test]
fn one_slow_plug_does_not_hide_behind_quick_ones() {
    let mut devices = plugs(10, 0.0);
    devices[3].delay = 180..200;
    for seed in 0..100 {
        let run = run(&devices, options(), seed);
        assert_eq!(run.found.len(), 10);
        assert!(run.elapsed < ms(2500), "{:?}", run.elapsed);
    }
}

#[test]
fn a_plug_is_a_plug_though_its_module_answers_first() {
    for seed in 0..200 {
        let mut devices = plugs(5, 0.2);
        devices.push(ScriptedDevice::module(9, 0.2, DiscoveryWord::WIFIKIT));
        let run = run(&devices, options(), seed);
        for device in &devices {
            let plug = &run.found[&device.mac];
            let family = if device.is_plug {
                FamilyId::RECO
            } else {
                FamilyId::MODULE
            };
            assert_eq!(plug.family, family);
            assert_eq!(plug.address, device.address);
            assert_eq!(
                plug.relay,
                device.is_plug.then_some(RelayState::Off),
                "seed {seed}"
            );
        }
    }
}

#[test]
fn the_users_word() {
    let word: DiscoveryWord = "www.usr.cn".parse().unwrap();
    let devices = [ScriptedDevice::module(1, 0.0, word.clone())];
    assert_eq!(run(&devices, options(), 1).found.len(), 0);
    let words = vec![word];
    assert_eq!(
        run(&devices, SearchPlan { words, ..options() }, 1)
            .found
            .len(),
        1
    );
}

#[test]
fn known_addresses_are_asked_directly_until_they_answer() {
    let mut far = ScriptedDevice::plug(3, 0.0);
    far.address = Ipv4Addr::new(192, 168, 5, 3);
    let devices = [
        ScriptedDevice::plug(1, 0.0),
        ScriptedDevice::plug(2, 0.0),
        far.clone(),
    ];
    let direct: Vec<(usize, Ipv4Addr)> = devices.iter().map(|device| (0, device.address)).collect();
    let run = run(
        &devices,
        SearchPlan {
            direct,
            ..options()
        },
        1,
    );
    assert_eq!(run.found.len(), 3, "also the one that no broadcast reaches");
    assert!(run.elapsed < ms(600), "{:?}", run.elapsed);
}

#[test]
fn a_known_plug_that_is_silent_gets_more_patience() {
    let direct = vec![(0, Ipv4Addr::new(10, 77, 0, 9))];
    let gone = run(
        &plugs(5, 0.0),
        SearchPlan {
            direct: direct.clone(),
            ..options()
        },
        1,
    );
    assert_eq!(gone.found.len(), 5);
    assert!(
        gone.elapsed > ms(700) && gone.elapsed < ms(1500),
        "{:?}",
        gone.elapsed
    );

    let mut devices = plugs(5, 0.0);
    devices.push(ScriptedDevice::plug(9, 0.4));
    let incomplete = (0..1000)
        .filter(|&seed| {
            let options = SearchPlan {
                direct: direct.clone(),
                ..options()
            };
            run(&devices, options, seed).found.len() < 6
        })
        .count();
    assert!(incomplete <= 1, "{incomplete} of 1000");
}

#[test]
fn only_direct() {
    let options = SearchPlan {
        links: vec![SearchLink {
            broadcast: None,
            ..options().links[0]
        }],
        direct: vec![
            (0, Ipv4Addr::new(10, 77, 0, 1)),
            (0, Ipv4Addr::new(10, 77, 0, 2)),
        ],
        ..SearchPlan::default()
    };
    let run = run(&plugs(3, 0.0), options, 1);
    assert_eq!(run.found.len(), 2);
    assert!(run.elapsed < ms(700), "{:?}", run.elapsed);
}
