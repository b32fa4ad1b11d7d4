//! Switching over TCP with the confirmation by scan: what the client believes is what the relay does.

use std::time::{Duration, Instant};

use emulator::Twin;
use hiflying::PORT;
use jiff::civil::date;
use plugs::exchange::{ExchangeAction, ExchangeError, NoReplyReason};
use plugs::{FamilyId, PlugCommand, PlugReply, RelayState, families};

use crate::confirmation::{self, SwitchRun};
use crate::seeds;
use crate::world::{FIRST, SimWorld, StreamEvent, Weather, WorldEvent};

/// Carries out one order on the plug.
fn carry_out(world: &mut SimWorld, order: PlugCommand) -> Result<PlugReply, ExchangeError> {
    let reco = families::all().get(FamilyId::RECO).unwrap();
    let local = date(2026, 11, 22).at(12, 0, 0, 0);
    let mac = world.twin().mac();
    let mut exchange = reco.exchange(mac, order, local, world.now).unwrap();
    loop {
        while let Some(action) = exchange.poll_action() {
            match action {
                ExchangeAction::Open => world.connect(FIRST),
                ExchangeAction::Send(bytes) => world.write(&bytes),
                ExchangeAction::Release | ExchangeAction::Close => world.disconnect(),
            }
        }
        if let Some(outcome) = exchange.poll_outcome() {
            world.disconnect();
            return outcome;
        }
        match world.next(exchange.poll_timeout()) {
            WorldEvent::Stream(StreamEvent::Open) => exchange.handle_open(world.now),
            WorldEvent::Stream(StreamEvent::Bytes(bytes)) => {
                exchange.handle_input(world.now, &bytes);
            }
            WorldEvent::Stream(StreamEvent::Refused) => {
                exchange.handle_closed(world.now, NoReplyReason::Refused);
            }
            WorldEvent::Stream(StreamEvent::Closed) => {
                exchange.handle_closed(world.now, NoReplyReason::Closed);
            }
            WorldEvent::Datagram { .. } => {}
            WorldEvent::Due => exchange.handle_timeout(world.now),
            WorldEvent::Nothing => panic!("the exchange waits for ever"),
        }
    }
}

/// Asks the plug for its state until it is `wanted` or time is over; returns the last answer.
fn look(world: &mut SimWorld, wanted: RelayState) -> Option<RelayState> {
    let reco = families::all().get(FamilyId::RECO).unwrap();
    confirmation::look(world, reco, PORT, wanted, |_| true)
}

/// Switches on and confirms; whether the client is sure that it is on.
fn switch_on(world: &mut SimWorld) -> bool {
    let accepted = carry_out(world, PlugCommand::Switch(RelayState::On)).is_ok();
    accepted && look(world, RelayState::On) == Some(RelayState::On)
}

/// Returns the number of confirmed switches, the total, and the slowest; a relay confirmed as on must be on.
fn confirmed(
    runs: u64,
    weather: Weather,
    faults: &[&str],
    disturb: fn(&mut SimWorld),
) -> (u64, u64, Duration) {
    confirmation::count(runs, &format!("{weather:?} {faults:?}"), |seed| {
        let mut world = SimWorld::with(seed, weather, |config| {
            config.faults = faults.iter().map(|spec| spec.parse().unwrap()).collect();
        });
        disturb(&mut world);
        let is_confirmed = switch_on(&mut world);
        SwitchRun {
            is_confirmed,
            is_on: world.twin().relay_is_on(),
            elapsed: world.elapsed(),
        }
    })
}

fn undisturbed(_: &mut SimWorld) {}

#[test]
fn on_a_good_day_every_switch_is_confirmed_at_once() {
    let (confirmed, total, slowest) = confirmed(500, Weather::FAIR, &[], undisturbed);
    assert_eq!(confirmed, total);
    assert!(slowest < Duration::from_millis(60), "{slowest:?}");
}

#[test]
fn loss_delays_switching_and_seldom_prevents_it() {
    for (loss, least) in [(0.2, 999), (0.4, 980)] {
        let (confirmed, total, _) = confirmed(500, Weather::foul(loss), &[], undisturbed);
        assert!(
            confirmed * 1000 >= total * least,
            "{confirmed} of {total} at {loss}"
        );
    }
}

#[test]
fn strange_replies_are_understood() {
    for fault in [
        "split",
        "second-line",
        "cr-only",
        "lf-only",
        "crlf-only",
        "no-terminator",
        "upper-ok",
        "empty-ok",
        "five-fields",
        "nul-padding",
        "trailing-crlf",
        "doubled",
        "garbage",
        "delayed=300ms",
        "slow-relay=2s",
        "close-after-reply",
        "strict-words",
        "strict-stamp",
        "needs-line-end",
        "clients=1",
        "wrong-address=10.0.0.9",
        "copies=10",
    ] {
        let (confirmed, total, _) = confirmed(10, Weather::FAIR, &[fault], undisturbed);
        assert_eq!(confirmed, total, "{fault}");
    }
}

#[test]
fn what_did_not_happen_is_never_believed() {
    for fault in [
        "stuck-relay",
        "lying-relay",
        "busy",
        "busy-tcp",
        "half-open",
        "babble",
        "reset",
    ] {
        for weather in [Weather::FAIR, Weather::foul(0.3)] {
            let (confirmed, _, _) = confirmed(20, weather, &[fault], undisturbed);
            assert_eq!(confirmed, 0, "{fault}");
        }
    }
    let (sometimes, total, _) =
        confirmed(200, Weather::foul(0.2), &["lying-relay=50%"], undisturbed);
    assert!(sometimes > 0 && sometimes < total);
}

#[test]
fn a_restart_in_between_is_survived_or_admitted() {
    let restart_soon = |world: &mut SimWorld| {
        // The plug has just begun to restart, or will within the exchange.
        world.restart();
        let head_start =
            Duration::from_millis(1490).mul_f64(if world.chance(0.5) { 1.0 } else { 0.5 });
        world.wait(head_start);
    };
    let (confirmed, total, _) = confirmed(300, Weather::foul(0.1), &[], restart_soon);
    assert!(confirmed * 100 >= total * 95, "{confirmed} of {total}");
}

#[test]
fn what_the_meter_says_is_understood() {
    let (mut measured_all, mut total) = (0, 0);
    for seed in seeds(200) {
        total += 1;
        let mut world = SimWorld::with(seed, Weather::foul(0.2), |config| {
            config.load = emulator::Load::Constant(1000.0);
            config.relay_on = true;
            config.energy_wh = 3548;
        });
        world.wait(Duration::from_secs(36));
        if let Ok(PlugReply::Measured(measured)) = carry_out(&mut world, PlugCommand::Meter) {
            assert_eq!(measured.power_w, Some(1000.0));
            // 36 s are 10 Wh; the exchange itself may take some seconds more.
            let counted = measured.energy_wh.unwrap();
            assert!((3558..=3563).contains(&counted), "{counted}");
            let (volts, amperes) = (measured.voltage_v.unwrap(), measured.current_a.unwrap());
            assert!((volts * amperes - 1000.0).abs() < 3.0);
            measured_all += 1;
        }
    }
    assert!(
        measured_all * 100 >= total * 98,
        "{measured_all} of {total}"
    );
}

#[test]
fn a_day_passes_in_a_moment() {
    let before = Instant::now();
    let mut world = SimWorld::with(1, Weather::FAIR, |_| {});
    world.wait(Duration::from_secs(86_400));
    assert!(before.elapsed() < Duration::from_secs(20));
}
