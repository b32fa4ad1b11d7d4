//! Procedure A.

use std::time::Duration;

use hue::{
    FlowProgress, FlowQuestion, HueError, HueNoReplyReason, TakeoverMethod, TakeoverOptions,
    TakeoverResult, TouchlinkMethod,
};
use serde_json::json;

use crate::operator::ScriptedOperator;
use crate::simulation::{self, BulbOwner, CallFault, Simulation, TouchlinkPort, unique_id};

fn take(
    simulation: &Simulation,
    operator: &ScriptedOperator,
    options: &TakeoverOptions,
) -> Result<TakeoverResult, HueError> {
    let transport = simulation.transport(0);
    simulation::run(hue::flow::takeover(&transport.bridge(), operator, options)).expect("it ends")
}

fn auto() -> TakeoverOptions {
    TakeoverOptions::default()
}

fn by(via: TouchlinkMethod) -> TakeoverOptions {
    TakeoverOptions {
        via: Some(via),
        ..auto()
    }
}

fn with_serial(serial: &str) -> TakeoverOptions {
    TakeoverOptions {
        serial: Some(serial.parse().unwrap()),
        ..auto()
    }
}

/// A bulb of a dimmer's, held to the first bridge, which has a lamp of its own.
fn kit() -> Simulation {
    let simulation = Simulation::new();
    simulation.bulb(BulbOwner::Bridge(0), None);
    simulation.bulb(BulbOwner::Foreign, Some(0));
    simulation
}

/// The same with a round bridge.
fn round(api: Option<&str>) -> Simulation {
    let simulation = kit();
    simulation.change(0, |bridge| bridge.make_round(api));
    simulation
}

#[test]
fn a_bulb_of_a_kit_is_taken_over() {
    let simulation = kit();
    let operator = ScriptedOperator::absent();
    let taken = take(&simulation, &operator, &auto()).unwrap();
    assert!(taken.is_success());
    // The shape of the contract.
    assert_eq!(
        serde_json::to_value(&taken).unwrap(),
        json!({"bridge": "001788fffe010200", "via": "rest", "captured": true,
            "new_lights": [{"id": "2", "name": "Hue Lamp 2", "unique_id": unique_id(1)}]})
    );
    assert_eq!(simulation.owner(1), BulbOwner::Bridge(0));
    let changes: Vec<String> = simulation
        .calls()
        .into_iter()
        .filter(|call| !call.starts_with("0 GET"))
        .collect();
    assert_eq!(
        changes,
        [
            r#"0 PUT /config {"touchlink":true}"#,
            "0 POST /lights {}",
            r#"0 PUT /lights/2/state {"alert":"select"}"#
        ]
    );
    // It does not wait for the end of the search, but for the ten seconds that a touchlink takes.
    let elapsed = simulation.elapsed();
    assert!((10..20).contains(&elapsed.as_secs()), "{elapsed:?}");
    let asked = operator.asked.lock().unwrap();
    assert!(matches!(
        asked.as_slice(),
        [FlowQuestion::NearAndFresh { .. }]
    ));
    assert!(
        operator
            .heard()
            .contains("new light: \u{2018}Hue Lamp 2\u{2019}")
    );
}

#[test]
fn nothing_is_changed_without_agreement() {
    let simulation = kit();
    let declining = ScriptedOperator::who(|_| false);
    let error = take(&simulation, &declining, &auto()).unwrap_err();
    assert!(matches!(error, HueError::NotConfirmed));
    assert!(
        simulation
            .calls()
            .iter()
            .all(|call| call.starts_with("0 GET"))
    );
}

#[test]
fn rest_cannot_say_that_there_is_no_bulb() {
    let simulation = Simulation::new();
    let operator = ScriptedOperator::absent();
    let taken = take(&simulation, &operator, &auto()).unwrap();
    assert_eq!((taken.captured, taken.is_success()), (None, false));
    assert!(taken.new_lights.is_empty());
    assert!(
        taken.notes.concat().contains("--serial"),
        "{:?}",
        taken.notes
    );
    // Once more the search, and never the touchlink.
    assert_eq!(simulation.count("0 PUT /config"), 1);
    assert_eq!(simulation.count("0 POST /lights"), 2);
    assert!(simulation.elapsed() < Duration::from_secs(10 + 2 * 120 + 10));
}

#[test]
fn port_30000_says_what_happened() {
    let simulation = round(Some("1.3.0"));
    let taken = take(&simulation, &ScriptedOperator::absent(), &auto()).unwrap();
    assert_eq!(
        (taken.via, taken.captured),
        (TakeoverMethod::Tcp30000, Some(true))
    );
    assert_eq!(taken.new_lights.len(), 1);
    assert_eq!(simulation.count("0 PUT /config"), 0);

    let simulation = round(None);
    simulation.change_bulb(1, |bulb| bulb.near = None);
    let taken = take(&simulation, &ScriptedOperator::absent(), &auto()).unwrap();
    assert_eq!(
        (taken.via, taken.captured),
        (TakeoverMethod::Tcp30000, Some(false))
    );
    // It is searched all the same, for the bulb may belong to nobody.
    assert_eq!(simulation.count("0 POST /lights"), 1);
    assert!(!taken.is_success());

    let simulation = round(None);
    simulation.change_bulb(1, |bulb| bulb.owner = BulbOwner::Nobody);
    simulation.change(0, |bridge| bridge.port_30000 = Some(TouchlinkPort::Failing));
    let taken = take(&simulation, &ScriptedOperator::absent(), &auto()).unwrap();
    assert_eq!(taken.captured, Some(true), "it appeared");
    assert_eq!(taken.new_lights[0].unique_id, Some(unique_id(1)));
}

#[test]
fn silence_on_port_30000_is_neither_yes_nor_no() {
    let simulation = round(Some("1.8.0"));
    simulation.change(0, |bridge| bridge.port_30000 = Some(TouchlinkPort::Silent));
    let operator = ScriptedOperator::absent();
    let taken = take(&simulation, &operator, &auto()).unwrap();
    assert_eq!(taken.captured, Some(true), "it appeared");
    assert!(
        operator
            .told
            .lock()
            .unwrap()
            .contains(&FlowProgress::Captured(None))
    );

    simulation.change_bulb(1, |bulb| bulb.near = None);
    let taken = take(&simulation, &ScriptedOperator::absent(), &auto()).unwrap();
    assert_eq!(taken.captured, None);
}

#[test]
fn the_other_way_is_tried_once_with_a_reason() {
    // Firmware that says 6 or 8 has port 30000.
    for number in [6, 8] {
        let simulation = round(Some("1.9.0"));
        simulation.change(0, |bridge| bridge.touchlink_error = Some(number));
        let operator = ScriptedOperator::absent();
        let taken = take(&simulation, &operator, &auto()).unwrap();
        assert_eq!(
            (taken.via, taken.captured),
            (TakeoverMethod::Tcp30000, Some(true))
        );
        assert!(
            taken.notes[0].contains("does not support touchlink"),
            "{:?}",
            taken.notes
        );
        assert!(operator.heard().contains("trying tcp30000 instead"));
        assert_eq!(simulation.count("0 [Link,Touchlink]"), 1);
        let shown = serde_json::to_value(&taken).unwrap();
        assert!(shown["notes"].is_array(), "the reason is in the result");
    }
    // Firmware that does not tell its version may have the call.
    let simulation = round(None);
    simulation.change(0, |bridge| bridge.port_30000 = None);
    let taken = take(&simulation, &ScriptedOperator::absent(), &auto()).unwrap();
    assert_eq!(taken.via, TakeoverMethod::Rest);
    assert!(
        taken.notes[0].contains("does not offer port 30000"),
        "{:?}",
        taken.notes
    );
    assert_eq!(simulation.count("0 PUT /config"), 1);
}

#[test]
fn where_no_way_is_left_the_serial_number_is() {
    let simulation = round(None);
    simulation.change(0, |bridge| {
        bridge.port_30000 = None;
        bridge.touchlink_error = Some(6);
    });
    for (options, expected) in [
        (auto(), "error 6"),
        (by(TouchlinkMethod::Rest), "error 6"),
        (
            by(TouchlinkMethod::Tcp30000),
            "bridge 192.0.2.10 does not reply on port 30000",
        ),
    ] {
        let operator = ScriptedOperator::absent();
        let error = take(&simulation, &operator, &options).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(operator.heard().contains("--serial"));
    }
    assert_eq!(simulation.count("0 POST /lights"), 0, "nothing was begun");
}

#[test]
fn a_way_that_was_given_has_no_fall_back() {
    let simulation = round(Some("1.13.0"));
    simulation.change(0, |bridge| bridge.touchlink_error = Some(6));
    let error = take(
        &simulation,
        &ScriptedOperator::absent(),
        &by(TouchlinkMethod::Rest),
    )
    .unwrap_err();
    assert!(matches!(error, HueError::Refused { error, .. } if error.number == 6));
    assert_eq!(simulation.count("0 [Link,Touchlink]"), 0);
    // The square bridge never had the port.
    let simulation = kit();
    simulation.change(0, |bridge| bridge.touchlink_error = Some(6));
    assert!(take(&simulation, &ScriptedOperator::absent(), &auto()).is_err());
    assert_eq!(simulation.count("0 [Link,Touchlink]"), 0);
}

#[test]
fn a_touchlink_is_repeated_only_where_the_person_says_so() {
    let failing = || {
        let simulation = round(None);
        simulation.change(0, |bridge| bridge.port_30000 = Some(TouchlinkPort::Failing));
        simulation
    };
    let three = TakeoverOptions {
        rounds: 3,
        ..auto()
    };
    let simulation = failing();
    take(&simulation, &ScriptedOperator::agreeing(), &three).unwrap();
    assert_eq!(simulation.count("0 [Link,Touchlink]"), 3);
    for (operator, options) in [
        (ScriptedOperator::absent(), &three),
        (ScriptedOperator::agreeing(), &auto()),
    ] {
        let simulation = failing();
        take(&simulation, &operator, options).unwrap();
        assert_eq!(simulation.count("0 [Link,Touchlink]"), 1);
    }
    // And not after a capture, also when the light does not show up.
    let simulation = round(None);
    simulation.change(0, |bridge| {
        bridge.port_30000 = Some(TouchlinkPort::Boasting);
    });
    let taken = take(&simulation, &ScriptedOperator::agreeing(), &three).unwrap();
    assert_eq!(simulation.count("0 [Link,Touchlink]"), 1);
    assert_eq!(simulation.count("0 POST /lights"), 2);
    assert_eq!(taken.captured, Some(true));
    assert!(
        taken.notes.concat().contains("no new light"),
        "{:?}",
        taken.notes
    );
}

#[test]
fn a_lost_answer_to_the_touchlink_is_not_asked_for_again() {
    for reason in [HueNoReplyReason::TimedOut, HueNoReplyReason::Closed] {
        let simulation = kit();
        simulation.fail("0 PUT /config", CallFault::AnswerLost(reason));
        let taken = take(&simulation, &ScriptedOperator::absent(), &auto()).unwrap();
        assert_eq!(simulation.count("0 PUT /config"), 1);
        assert_eq!(taken.captured, Some(true));
        assert!(taken.notes[0].contains("may have"), "{:?}", taken.notes);
    }
}

#[test]
fn a_bulb_has_light_by_its_serial_number() {
    let simulation = kit();
    simulation.change_bulb(1, |bulb| bulb.near = None);
    let operator = ScriptedOperator::who(|_| panic!("there is nothing to ask"));
    let taken = take(&simulation, &operator, &with_serial("45af01")).unwrap();
    assert_eq!(
        (taken.via, taken.captured),
        (TakeoverMethod::Serial, Some(true))
    );
    assert_eq!(
        simulation.count(r#"0 POST /lights {"deviceid":["45AF01"]}"#),
        1
    );
    assert_eq!(simulation.count("0 PUT /config"), 0);

    let taken = take(&simulation, &operator, &with_serial("45AF77")).unwrap();
    assert_eq!(taken.captured, Some(false));
    assert_eq!(serde_json::to_value(taken.via).unwrap(), "serial");
}

#[test]
fn a_bulb_from_the_factory_needs_no_touchlink() {
    let options = TakeoverOptions {
        search_first: true,
        ..auto()
    };
    let simulation = kit();
    simulation.change_bulb(1, |bulb| bulb.owner = BulbOwner::Nobody);
    let taken = take(&simulation, &ScriptedOperator::who(|_| false), &options).unwrap();
    assert_eq!(
        (taken.via, taken.captured),
        (TakeoverMethod::Search, Some(true))
    );
    assert_eq!(simulation.count("0 PUT /config"), 0);
    // A bound one needs it after all.
    let simulation = kit();
    let taken = take(&simulation, &ScriptedOperator::absent(), &options).unwrap();
    assert_eq!(taken.via, TakeoverMethod::Rest);
}

#[test]
fn a_light_that_the_bridge_had_lost_comes_back() {
    let simulation = Simulation::new();
    simulation.bulb(BulbOwner::Bridge(0), Some(0));
    simulation.change_bulb(0, |bulb| bulb.owner = BulbOwner::Foreign);
    let taken = take(&simulation, &ScriptedOperator::absent(), &auto()).unwrap();
    assert_eq!(taken.captured, Some(true));
    assert!(taken.new_lights.is_empty());
    assert!(
        taken.notes.concat().contains("is reachable now"),
        "{:?}",
        taken.notes
    );
}

#[test]
fn a_search_of_somebody_else_is_waited_for() {
    let simulation = kit();
    simulation.somebody_searches(0);
    let operator = ScriptedOperator::absent();
    let taken = take(&simulation, &operator, &auto()).unwrap();
    assert!(taken.is_success());
    let heard = operator.heard();
    assert_eq!(
        heard.matches("is already searching for lights").count(),
        1,
        "{heard}"
    );
    assert!(simulation.elapsed() > Duration::from_secs(40));
}

#[test]
fn what_fails_when_it_is_there_is_said() {
    let simulation = kit();
    simulation.fail("0 PUT /lights/2/state", CallFault::error(901));
    let taken = take(&simulation, &ScriptedOperator::absent(), &auto()).unwrap();
    assert!(
        taken.is_success() && taken.notes.is_empty(),
        "one internal error is forgiven"
    );

    let simulation = kit();
    simulation.fail("0 PUT /lights/2/state", CallFault::error(3));
    let taken = take(&simulation, &ScriptedOperator::absent(), &auto()).unwrap();
    assert!(taken.is_success());
    assert!(
        taken.notes[0].contains("could not be made to blink"),
        "{:?}",
        taken.notes
    );
}

/// Every call of the flow fails once with everything that can happen to it.
#[test]
fn every_step_failing_once() {
    for via in [TouchlinkMethod::Rest, TouchlinkMethod::Tcp30000] {
        let simulation = round(Some("1.13.0"));
        take(&simulation, &ScriptedOperator::absent(), &by(via)).unwrap();
        for number in 0..simulation.calls().len() {
            for fault in CallFault::each() {
                fail_at(number, &fault, via);
            }
        }
    }
}

fn fail_at(number: usize, fault: &CallFault, via: TouchlinkMethod) {
    let simulation = round(Some("1.13.0"));
    simulation.fail_nth(number, fault.clone());
    let result = take(&simulation, &ScriptedOperator::absent(), &by(via));
    let calls = simulation.calls();
    let what = format!("{number} {fault:?}: {result:?}\n{calls:#?}");
    assert!(
        simulation.count("0 PUT /config") + simulation.count("0 [Link,Touchlink]") <= 1,
        "{what}"
    );
    assert!(simulation.elapsed() < Duration::from_secs(400), "{what}");
    let begun = calls.iter().position(|call| call.contains("ouchlink"));
    match result {
        Ok(taken) => {
            let is_there = simulation.listed(0, 1).is_some();
            assert_eq!(
                taken.is_success(),
                is_there || taken.captured == Some(true),
                "{what}"
            );
            assert_eq!(taken.new_lights.is_empty(), !is_there, "{what}");
        }
        // What fails behind the touchlink says that there was one.
        Err(error) => match begun {
            Some(begun) if number > begun => {
                assert!(matches!(error, HueError::Unfinished { .. }), "{what}");
                assert!(error.to_string().contains("mains hue search"), "{what}");
            }
            _ => assert!(!matches!(error, HueError::Unfinished { .. }), "{what}"),
        },
    }
}
