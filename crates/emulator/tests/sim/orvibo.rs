//! The Orvibo S20: commands, discovery and subscriptions. What the client believes is what the relay does.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use emulator::{OrviboConfig, OrviboTwin, Twin};
use jiff::Timestamp;
use jiff::civil::date;
use plugs::discovery::{DiscoverEvent, Discovery, SearchLink, SearchPlan};
use plugs::exchange::{ExchangeAction, ExchangeError};
use plugs::{Family, FamilyId, Minutes, PlugCommand, PlugReply, RelayState, families};

use crate::confirmation::{self, SwitchRun};
use crate::seeds;
use crate::world::{BROADCAST, CLIENT, FIRST, SimWorld, Weather, WorldEvent};

const PORT: u16 = 10_000;

type OrviboWorld = SimWorld<OrviboTwin>;

fn orvibo() -> &'static dyn Family {
    families::all().get(FamilyId::ORVIBO).unwrap()
}

fn config(address: Ipv4Addr, seed: u64, faults: &[&str]) -> OrviboConfig {
    OrviboConfig {
        seed,
        name: "Coffee maker".parse().unwrap(),
        faults: faults.iter().map(|spec| spec.parse().unwrap()).collect(),
        ..OrviboConfig::at(address)
    }
}

fn world(seed: u64, weather: Weather, faults: &[&str]) -> OrviboWorld {
    SimWorld::of(seed, weather, |now| {
        vec![OrviboTwin::new(config(FIRST, seed, faults), now)]
    })
}

/// Carries out one command on the plug.
fn carry_out(world: &mut OrviboWorld, command: PlugCommand) -> Result<PlugReply, ExchangeError> {
    let local = date(2026, 11, 22).at(12, 0, 0, 0);
    let mac = world.twin().mac();
    let mut exchange = orvibo().exchange(mac, command, local, world.now).unwrap();
    loop {
        while let Some(action) = exchange.poll_action() {
            match action {
                ExchangeAction::Open => exchange.handle_open(world.now),
                ExchangeAction::Send(bytes) => world.send(SocketAddrV4::new(FIRST, PORT), &bytes),
                ExchangeAction::Release | ExchangeAction::Close => {}
            }
        }
        if let Some(outcome) = exchange.poll_outcome() {
            return outcome;
        }
        match world.next(exchange.poll_timeout()) {
            WorldEvent::Datagram { bytes, .. } => exchange.handle_input(world.now, &bytes),
            WorldEvent::Due => exchange.handle_timeout(world.now),
            other => panic!("{other:?}"),
        }
    }
}

/// Asks the plug for its state until it is `wanted` or time is over; returns the last answer.
fn look(world: &mut OrviboWorld, wanted: RelayState) -> Option<RelayState> {
    // A late report of a switch is no reply to the question.
    let is_answer = |bytes: &[u8]| bytes.starts_with(b"hd\x00\x2Aqa");
    confirmation::look(world, orvibo(), PORT, wanted, is_answer)
}

/// Returns the number of confirmed switches, the total, and the slowest; a relay confirmed as on must be on.
fn confirmed(runs: u64, weather: Weather, faults: &[&str]) -> (u64, u64, Duration) {
    confirmation::count(runs, &format!("{weather:?} {faults:?}"), |seed| {
        let mut world = world(seed, weather, faults);
        let accepted = carry_out(&mut world, PlugCommand::Switch(RelayState::On)).is_ok();
        let is_confirmed = accepted && look(&mut world, RelayState::On) == Some(RelayState::On);
        SwitchRun {
            is_confirmed,
            is_on: world.twin().relay_is_on(),
            elapsed: world.elapsed(),
        }
    })
}

#[test]
fn on_a_good_day_every_switch_is_confirmed_at_once() {
    let (confirmed, total, slowest) = confirmed(500, Weather::FAIR, &[]);
    assert_eq!(confirmed, total);
    assert!(slowest < Duration::from_millis(60), "{slowest:?}");
}

#[test]
fn loss_delays_switching_and_seldom_prevents_it() {
    for (loss, least) in [(0.2, 999), (0.4, 980)] {
        let (confirmed, total, _) = confirmed(500, Weather::foul(loss), &[]);
        assert!(
            confirmed * 1000 >= total * least,
            "{confirmed} of {total} at {loss}"
        );
    }
}

#[test]
fn strange_replies_are_understood() {
    for fault in [
        "copies=10",
        "qh",
        "no-echo",
        "echo-only",
        "first-ignored",
        "settling=10ms",
        "slow-relay=500ms",
        "doubled",
        "reordered",
        "garbage",
        "delayed=300ms",
        "late=1s",
        "subscription=100ms",
        "falls-off",
    ] {
        let (confirmed, total, _) = confirmed(10, Weather::FAIR, &[fault]);
        assert_eq!(confirmed, total, "{fault}");
    }
}

#[test]
fn what_did_not_happen_is_never_believed() {
    for fault in [
        "stuck-relay",
        "lying-relay",
        "wrong-mac",
        "truncated",
        "wrong-length",
        "all-one",
        "subscription=0s",
    ] {
        for weather in [Weather::FAIR, Weather::foul(0.3)] {
            let (confirmed, _, _) = confirmed(20, weather, &[fault]);
            assert_eq!(confirmed, 0, "{fault}");
        }
    }
    let (sometimes, total, _) = confirmed(200, Weather::foul(0.2), &["lying-relay=50%"]);
    assert!(sometimes > 0 && sometimes < total);
}

#[test]
fn a_reported_position_was_really_taken() {
    let (mut confirmed, mut wrong) = (0, 0);
    for (seed, loss) in seeds(300).zip([0.1, 0.2, 0.4].into_iter().cycle()) {
        let mut world = world(seed, Weather::foul(loss), &["doubled=30%"]);
        for wanted in [RelayState::On, RelayState::Off]
            .into_iter()
            .cycle()
            .take(8)
        {
            if carry_out(&mut world, PlugCommand::Switch(wanted)) == Ok(PlugReply::Confirmed) {
                confirmed += 1;
                wrong += u32::from(world.twin().relay_is_on() != (wanted == RelayState::On));
            }
        }
    }
    println!("wrong {wrong} of {confirmed}");
    assert_eq!(wrong, 0);
}

#[test]
fn switching_to_where_it_is_succeeds() {
    for faults in [&[][..], &["quiet-when-same"], &["echo-only"]] {
        let mut world = world(1, Weather::FAIR, faults);
        for _ in 0..2 {
            let outcome = carry_out(&mut world, PlugCommand::Switch(RelayState::On));
            let expected = match faults {
                ["echo-only"] => PlugReply::Accepted,
                _ => PlugReply::Confirmed,
            };
            assert_eq!(outcome, Ok(expected), "{faults:?}");
        }
        assert!(world.twin().relay_is_on());
    }
}

#[test]
fn name_and_firmware_are_read_whole_or_in_pieces() {
    let (mut read, mut total) = (0, 0);
    for seed in seeds(100) {
        for faults in [&[][..], &["split-table"], &["doubled", "copies=10"]] {
            let mut world = world(seed, Weather::foul(0.2), faults);
            let version = carry_out(&mut world, PlugCommand::Version);
            let label = carry_out(&mut world, PlugCommand::Label);
            total += 2;
            if let Ok(version) = version {
                let text = "firmware 9, hardware 4, radio 36".into();
                assert_eq!(version, PlugReply::Version(text));
                read += 1;
            }
            if let Ok(label) = label {
                assert_eq!(label, PlugReply::Label(Some("Coffee maker".into())));
                read += 1;
            }
        }
    }
    println!("read {read} of {total}");
    assert!(read * 100 >= total * 98, "{read} of {total}");
}

#[test]
fn a_table_that_cannot_be_read_is_an_error() {
    let read = |faults: &[&str]| {
        let mut world = world(1, Weather::FAIR, faults);
        carry_out(&mut world, PlugCommand::Version).unwrap_err()
    };
    assert!(matches!(read(&["no-table"]), ExchangeError::NoReply(_)));
    for fault in ["lying-table", "truncated"] {
        let error = read(&[fault]);
        assert!(
            matches!(error, ExchangeError::BadAnswer(_)),
            "{fault}: {error}"
        );
    }
}

#[test]
fn the_countdown_ends_when_it_should() {
    for weather in [Weather::FAIR, Weather::foul(0.3)] {
        let mut world = world(5, weather, &[]);
        let delay = PlugCommand::Delay(RelayState::On, Minutes::new(1092).unwrap());
        assert_eq!(carry_out(&mut world, delay), Ok(PlugReply::Accepted));
        world.wait(Duration::from_secs(1092 * 60 - 60));
        assert!(!world.twin().relay_is_on());
        world.wait(Duration::from_secs(60));
        assert!(world.twin().relay_is_on());
    }
    let mut world = world(5, Weather::FAIR, &["no-countdown"]);
    let delay = PlugCommand::Delay(RelayState::On, Minutes::MIN);
    let error = carry_out(&mut world, delay).unwrap_err();
    assert!(matches!(error, ExchangeError::NoReply(_)), "{error}");
}

#[test]
fn fifty_are_found_in_any_weather() {
    for (loss, runs) in [(0.0, 20), (0.2, 20), (0.4, 20)] {
        let weather = match loss {
            0.0 => Weather::FAIR,
            loss => Weather::foul(loss),
        };
        let (mut complete, mut total, mut slowest) = (0, 0, Duration::ZERO);
        for seed in seeds(runs) {
            let mut world = SimWorld::of(seed, weather, |now| {
                let address = |step: u32| (u32::from(FIRST) + step).into();
                let faults = |step: u32| {
                    if step.is_multiple_of(2) {
                        &["copies=10"][..]
                    } else {
                        &[]
                    }
                };
                let config = |step| config(address(step), seed, faults(step));
                (0..50)
                    .map(|step| OrviboTwin::new(config(step), now))
                    .collect()
            });
            total += 1;
            complete += u32::from(discover(&mut world).len() == 50);
            slowest = slowest.max(world.elapsed());
        }
        println!("{weather:?}: complete {complete} of {total}, slowest {slowest:?}");
        assert!(
            complete * 1000 >= total * 990,
            "{complete} of {total} at {loss}"
        );
    }
}

/// Runs one discovery to its end; returns the MACs of the plugs.
fn discover(world: &mut OrviboWorld) -> BTreeSet<hiflying::Mac> {
    let link = SearchLink {
        address: CLIENT,
        prefix: 24,
        broadcast: Some(BROADCAST),
    };
    let plan = SearchPlan {
        links: vec![link],
        ..SearchPlan::default()
    };
    let mut discovery = Discovery::new(families::all(), plan, world.now, Timestamp::UNIX_EPOCH);
    let mut found = BTreeSet::new();
    loop {
        while let Some(event) = discovery.poll_event() {
            match event {
                DiscoverEvent::Found(plug) | DiscoverEvent::Updated(plug) => {
                    if plug.family == FamilyId::ORVIBO {
                        assert_eq!(plug.model.as_deref(), Some("SOC005"));
                        found.insert(plug.mac);
                    }
                }
                DiscoverEvent::Lost(plug) => panic!("{plug:?} is lost"),
                DiscoverEvent::Done(_) => return found,
            }
        }
        while let Some(transmit) = discovery.poll_transmit() {
            world.send(transmit.to, &transmit.bytes);
        }
        match world.next(discovery.poll_timeout()) {
            // They reply from the port that was asked, to the one that asked.
            WorldEvent::Datagram { from, bytes } => {
                discovery.handle_datagram(world.now, from.port(), from, &bytes);
            }
            WorldEvent::Due => discovery.handle_timeout(world.now),
            other => panic!("{other:?}"),
        }
    }
}

/// Presses the button once a minute for `hours`, while the subscription is renewed. Returns how many presses were reported.
fn reported_presses(seed: u64, weather: Weather, faults: &[&str], hours: u32) -> (u32, u32) {
    let mut world = world(seed, weather, faults);
    let subscription = orvibo().subscription(world.twin().mac()).unwrap();
    let (mut next_renewal, mut next_press) = (world.now, world.now + Duration::from_secs(30));
    let (mut reported, mut presses) = (0, 0);
    let mut last = None;
    while presses < hours * 60 {
        if next_renewal <= world.now {
            world.send(SocketAddrV4::new(FIRST, PORT), &subscription.probe.bytes);
            next_renewal = world.now + subscription.interval;
        }
        if next_press <= world.now {
            world.touch(OrviboTwin::press);
            presses += 1;
            next_press = world.now + Duration::from_secs(60);
            last = Some(world.twin().relay_is_on());
        }
        if let WorldEvent::Datagram { from, bytes } = world.next(Some(next_renewal.min(next_press)))
            && bytes.starts_with(b"hd\x00\x17sf")
        {
            let plug = orvibo().parse_report(*from.ip(), &bytes, Timestamp::UNIX_EPOCH);
            let is_on = plug.unwrap().relay == Some(RelayState::On);
            reported += u32::from(last.take_if(|pressed| *pressed == is_on).is_some());
        }
    }
    println!("{weather:?} {faults:?}: {reported} of {presses} presses reported");
    (reported, presses)
}

#[test]
fn the_subscription_lasts_for_hours() {
    for faults in [&[][..], &["subscription=60s"], &["subscription=5m"]] {
        let (reported, presses) = reported_presses(1, Weather::FAIR, faults, 24);
        assert_eq!(reported, presses, "{faults:?}");
        // A lost report is lost; the subscription is renewed all the same.
        let (reported, presses) = reported_presses(2, Weather::foul(0.2), faults, 24);
        assert!(reported * 100 >= presses * 75, "{reported} of {presses}");
    }
    let (reported, _) = reported_presses(1, Weather::FAIR, &["subscription=0s"], 1);
    assert_eq!(reported, 0);
}
