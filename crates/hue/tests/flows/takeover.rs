//! Procedure A.

use std::time::Duration;

use hue::{HueError, Progress, Question, Silence, Takeover, TakeoverOptions, Via, Way};
use serde_json::json;

use crate::person::Person;
use crate::world::{self, Fault, Owner, Port, World, unique_id};

fn take(world: &World, person: &Person, options: &TakeoverOptions) -> Result<Takeover, HueError> {
    let way = world.way(0);
    world::run(hue::flow::takeover(&way.bridge(), person, options)).expect("it ends")
}

fn auto() -> TakeoverOptions {
    TakeoverOptions::default()
}

fn by(via: Via) -> TakeoverOptions {
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
fn kit() -> World {
    let world = World::new();
    world.bulb(Owner::Bridge(0), None);
    world.bulb(Owner::Foreign, Some(0));
    world
}

/// The same with a round bridge.
fn round(api: Option<&str>) -> World {
    let world = kit();
    world.change(0, |bridge| bridge.make_round(api));
    world
}

#[test]
fn a_bulb_of_a_kit_is_taken_over() {
    let world = kit();
    let person = Person::absent();
    let taken = take(&world, &person, &auto()).unwrap();
    assert!(taken.is_success());
    // The shape of the contract.
    assert_eq!(
        serde_json::to_value(&taken).unwrap(),
        json!({"bridge": "001788fffe010200", "via": "rest", "captured": true,
            "new_lights": [{"id": "2", "name": "Hue Lamp 2", "unique_id": unique_id(1)}]})
    );
    assert_eq!(world.owner(1), Owner::Bridge(0));
    let changes: Vec<String> = world
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
    let elapsed = world.elapsed();
    assert!((10..20).contains(&elapsed.as_secs()), "{elapsed:?}");
    let asked = person.asked.lock().unwrap();
    assert!(matches!(asked.as_slice(), [Question::NearAndFresh { .. }]));
    assert!(
        person
            .heard()
            .contains("new light: \u{2018}Hue Lamp 2\u{2019}")
    );
}

#[test]
fn nothing_is_changed_without_agreement() {
    let world = kit();
    let declining = Person::who(|_| false);
    let error = take(&world, &declining, &auto()).unwrap_err();
    assert!(matches!(error, HueError::NotAgreed));
    assert!(world.calls().iter().all(|call| call.starts_with("0 GET")));
}

#[test]
fn rest_cannot_say_that_there_is_no_bulb() {
    let world = World::new();
    let person = Person::absent();
    let taken = take(&world, &person, &auto()).unwrap();
    assert_eq!((taken.captured, taken.is_success()), (None, false));
    assert!(taken.new_lights.is_empty());
    assert!(
        taken.notes.concat().contains("--serial"),
        "{:?}",
        taken.notes
    );
    // Once more the search, and never the touchlink.
    assert_eq!(world.count("0 PUT /config"), 1);
    assert_eq!(world.count("0 POST /lights"), 2);
    assert!(world.elapsed() < Duration::from_secs(10 + 2 * 120 + 10));
}

#[test]
fn port_30000_says_what_happened() {
    let world = round(Some("1.3.0"));
    let taken = take(&world, &Person::absent(), &auto()).unwrap();
    assert_eq!((taken.via, taken.captured), (Way::Tcp30000, Some(true)));
    assert_eq!(taken.new_lights.len(), 1);
    assert_eq!(world.count("0 PUT /config"), 0);

    let world = round(None);
    world.change_bulb(1, |bulb| bulb.near = None);
    let taken = take(&world, &Person::absent(), &auto()).unwrap();
    assert_eq!((taken.via, taken.captured), (Way::Tcp30000, Some(false)));
    // It is searched all the same, for the bulb may belong to nobody.
    assert_eq!(world.count("0 POST /lights"), 1);
    assert!(!taken.is_success());

    let world = round(None);
    world.change_bulb(1, |bulb| bulb.owner = Owner::Nobody);
    world.change(0, |bridge| bridge.port_30000 = Some(Port::Failing));
    let taken = take(&world, &Person::absent(), &auto()).unwrap();
    assert_eq!(taken.captured, Some(true), "it appeared");
    assert_eq!(taken.new_lights[0].unique_id, Some(unique_id(1)));
}

#[test]
fn silence_on_port_30000_is_neither_yes_nor_no() {
    let world = round(Some("1.8.0"));
    world.change(0, |bridge| bridge.port_30000 = Some(Port::Silent));
    let person = Person::absent();
    let taken = take(&world, &person, &auto()).unwrap();
    assert_eq!(taken.captured, Some(true), "it appeared");
    assert!(
        person
            .told
            .lock()
            .unwrap()
            .contains(&Progress::Captured(None))
    );

    world.change_bulb(1, |bulb| bulb.near = None);
    let taken = take(&world, &Person::absent(), &auto()).unwrap();
    assert_eq!(taken.captured, None);
}

#[test]
fn the_other_way_is_tried_once_with_a_reason() {
    // Firmware that says 6 or 8 has port 30000.
    for number in [6, 8] {
        let world = round(Some("1.9.0"));
        world.change(0, |bridge| bridge.touchlink_error = Some(number));
        let person = Person::absent();
        let taken = take(&world, &person, &auto()).unwrap();
        assert_eq!((taken.via, taken.captured), (Way::Tcp30000, Some(true)));
        assert!(
            taken.notes[0].contains("does not know touchlink"),
            "{:?}",
            taken.notes
        );
        assert!(person.heard().contains("trying tcp30000 instead"));
        assert_eq!(world.count("0 [Link,Touchlink]"), 1);
        let shown = serde_json::to_value(&taken).unwrap();
        assert!(shown["notes"].is_array(), "the reason is in the result");
    }
    // Firmware that does not tell its version may have the call.
    let world = round(None);
    world.change(0, |bridge| bridge.port_30000 = None);
    let taken = take(&world, &Person::absent(), &auto()).unwrap();
    assert_eq!(taken.via, Way::Rest);
    assert!(
        taken.notes[0].contains("does not offer port 30000"),
        "{:?}",
        taken.notes
    );
    assert_eq!(world.count("0 PUT /config"), 1);
}

#[test]
fn where_no_way_is_left_the_serial_number_is() {
    let world = round(None);
    world.change(0, |bridge| {
        bridge.port_30000 = None;
        bridge.touchlink_error = Some(6);
    });
    for (options, expected) in [
        (auto(), "error 6"),
        (by(Via::Rest), "error 6"),
        (
            by(Via::Tcp30000),
            "bridge 192.0.2.10 does not answer on port 30000",
        ),
    ] {
        let person = Person::absent();
        let error = take(&world, &person, &options).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(person.heard().contains("--serial"));
    }
    assert_eq!(world.count("0 POST /lights"), 0, "nothing was begun");
}

#[test]
fn a_way_that_was_given_has_no_fall_back() {
    let world = round(Some("1.13.0"));
    world.change(0, |bridge| bridge.touchlink_error = Some(6));
    let error = take(&world, &Person::absent(), &by(Via::Rest)).unwrap_err();
    assert!(matches!(error, HueError::Refused { error, .. } if error.number == 6));
    assert_eq!(world.count("0 [Link,Touchlink]"), 0);
    // The square bridge never had the port.
    let world = kit();
    world.change(0, |bridge| bridge.touchlink_error = Some(6));
    assert!(take(&world, &Person::absent(), &auto()).is_err());
    assert_eq!(world.count("0 [Link,Touchlink]"), 0);
}

#[test]
fn a_touchlink_is_repeated_only_where_the_person_says_so() {
    let failing = || {
        let world = round(None);
        world.change(0, |bridge| bridge.port_30000 = Some(Port::Failing));
        world
    };
    let three = TakeoverOptions {
        rounds: 3,
        ..auto()
    };
    let world = failing();
    take(&world, &Person::agreeing(), &three).unwrap();
    assert_eq!(world.count("0 [Link,Touchlink]"), 3);
    for (person, options) in [(Person::absent(), &three), (Person::agreeing(), &auto())] {
        let world = failing();
        take(&world, &person, options).unwrap();
        assert_eq!(world.count("0 [Link,Touchlink]"), 1);
    }
    // And not after a capture, also when the light does not show up.
    let world = round(None);
    world.change(0, |bridge| bridge.port_30000 = Some(Port::Boasting));
    let taken = take(&world, &Person::agreeing(), &three).unwrap();
    assert_eq!(world.count("0 [Link,Touchlink]"), 1);
    assert_eq!(world.count("0 POST /lights"), 2);
    assert_eq!(taken.captured, Some(true));
    assert!(
        taken.notes.concat().contains("none is new"),
        "{:?}",
        taken.notes
    );
}

#[test]
fn a_lost_answer_to_the_touchlink_is_not_asked_for_again() {
    for how in [Silence::TimedOut, Silence::Closed] {
        let world = kit();
        world.fail("0 PUT /config", Fault::AnswerLost(how));
        let taken = take(&world, &Person::absent(), &auto()).unwrap();
        assert_eq!(world.count("0 PUT /config"), 1);
        assert_eq!(taken.captured, Some(true));
        assert!(taken.notes[0].contains("may have"), "{:?}", taken.notes);
    }
}

#[test]
fn a_bulb_is_called_by_its_serial_number() {
    let world = kit();
    world.change_bulb(1, |bulb| bulb.near = None);
    let person = Person::who(|_| panic!("there is nothing to ask"));
    let taken = take(&world, &person, &with_serial("45af01")).unwrap();
    assert_eq!((taken.via, taken.captured), (Way::Serial, Some(true)));
    assert_eq!(world.count(r#"0 POST /lights {"deviceid":["45AF01"]}"#), 1);
    assert_eq!(world.count("0 PUT /config"), 0);

    let taken = take(&world, &person, &with_serial("45AF77")).unwrap();
    assert_eq!(taken.captured, Some(false));
    assert_eq!(serde_json::to_value(taken.via).unwrap(), "serial");
}

#[test]
fn a_bulb_from_the_factory_needs_no_touchlink() {
    let options = TakeoverOptions {
        plain_first: true,
        ..auto()
    };
    let world = kit();
    world.change_bulb(1, |bulb| bulb.owner = Owner::Nobody);
    let taken = take(&world, &Person::who(|_| false), &options).unwrap();
    assert_eq!((taken.via, taken.captured), (Way::Search, Some(true)));
    assert_eq!(world.count("0 PUT /config"), 0);
    // A bound one needs it after all.
    let world = kit();
    let taken = take(&world, &Person::absent(), &options).unwrap();
    assert_eq!(taken.via, Way::Rest);
}

#[test]
fn a_light_that_the_bridge_had_lost_comes_back() {
    let world = World::new();
    world.bulb(Owner::Bridge(0), Some(0));
    world.change_bulb(0, |bulb| bulb.owner = Owner::Foreign);
    let taken = take(&world, &Person::absent(), &auto()).unwrap();
    assert_eq!(taken.captured, Some(true));
    assert!(taken.new_lights.is_empty());
    assert!(
        taken.notes.concat().contains("can be reached now"),
        "{:?}",
        taken.notes
    );
}

#[test]
fn a_search_of_somebody_else_is_waited_for() {
    let world = kit();
    world.somebody_searches(0);
    let person = Person::absent();
    let taken = take(&world, &person, &auto()).unwrap();
    assert!(taken.is_success());
    let heard = person.heard();
    assert_eq!(
        heard.matches("is looking for lights already").count(),
        1,
        "{heard}"
    );
    assert!(world.elapsed() > Duration::from_secs(40));
}

#[test]
fn what_fails_when_it_is_there_is_said() {
    let world = kit();
    world.fail("0 PUT /lights/2/state", Fault::error(901));
    let taken = take(&world, &Person::absent(), &auto()).unwrap();
    assert!(
        taken.is_success() && taken.notes.is_empty(),
        "one internal error is forgiven"
    );

    let world = kit();
    world.fail("0 PUT /lights/2/state", Fault::error(3));
    let taken = take(&world, &Person::absent(), &auto()).unwrap();
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
    for via in [Via::Rest, Via::Tcp30000] {
        let world = round(Some("1.13.0"));
        take(&world, &Person::absent(), &by(via)).unwrap();
        for number in 0..world.calls().len() {
            for fault in Fault::each() {
                fail_at(number, &fault, via);
            }
        }
    }
}

fn fail_at(number: usize, fault: &Fault, via: Via) {
    let world = round(Some("1.13.0"));
    world.fail_nth(number, fault.clone());
    let result = take(&world, &Person::absent(), &by(via));
    let calls = world.calls();
    let what = format!("{number} {fault:?}: {result:?}\n{calls:#?}");
    assert!(
        world.count("0 PUT /config") + world.count("0 [Link,Touchlink]") <= 1,
        "{what}"
    );
    assert!(world.elapsed() < Duration::from_secs(400), "{what}");
    let begun = calls.iter().position(|call| call.contains("ouchlink"));
    match result {
        Ok(taken) => {
            let is_there = world.listed(0, 1).is_some();
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
