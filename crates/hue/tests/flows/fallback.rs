//! B10: a bulb that does not come by itself.

use hue::{FlowQuestion, MoveOptions, MoveStep};

use crate::move_light::{DESK, at_home_again, desk, has_moved, home, options};
use crate::operator::ScriptedOperator;
use crate::simulation::{BulbOwner, Simulation};

fn with_serial() -> MoveOptions {
    MoveOptions {
        serial: Some("45AF01".parse().unwrap()),
        ..options()
    }
}

/// A bulb without power cannot be reset, and belongs to nobody's network afterwards but its old one.
fn orphan() -> Simulation {
    let simulation = home();
    simulation.change_bulb(DESK, |bulb| bulb.has_power = false);
    simulation
}

/// Gives the bulb power and holds it to a bridge when the flow asks for it.
fn handy(simulation: &'static Simulation, at: usize) -> ScriptedOperator {
    ScriptedOperator::who(move |question| {
        if let FlowQuestion::NearAndFresh { .. } | FlowQuestion::TakeBack { .. } = question {
            simulation.change_bulb(DESK, |bulb| {
                bulb.has_power = true;
                bulb.near = Some(at);
            });
        }
        true
    })
}

fn leak(simulation: Simulation) -> &'static Simulation {
    Box::leak(Box::new(simulation))
}

#[test]
fn a_bulb_that_could_not_be_reset_is_taken_over() {
    let simulation = leak(orphan());
    let operator = handy(simulation, 1);
    let moved = desk(simulation, &operator, &options()).unwrap();
    assert!(moved.moved && has_moved(simulation));
    assert!(moved.steps.contains(&MoveStep::TakenOver));
    let asked = operator.asked.lock().unwrap();
    // It is said before that it will not be reset, and it is not asked whether it blinks.
    assert!(matches!(
        asked[0],
        FlowQuestion::Delete {
            reachable: false,
            ..
        }
    ));
    assert!(asked[0].to_string().contains("unreachable"));
}

#[test]
fn a_bulb_that_could_not_be_reset_has_light_by_its_serial_number() {
    // It has power, but its bridge has lost it to somebody else.
    let simulation = home();
    simulation.change_bulb(DESK, |bulb| bulb.owner = BulbOwner::Foreign);
    let operator = ScriptedOperator::who(|question| match question {
        FlowQuestion::Delete { .. } => true,
        other => panic!("{other}"),
    });
    let moved = desk(&simulation, &operator, &with_serial()).unwrap();
    assert!(moved.moved && has_moved(&simulation));
    assert!(moved.steps.contains(&MoveStep::TakenOver));
    assert_eq!(
        simulation.count(r#"1 POST /lights {"deviceid":["45AF01"]}"#),
        1
    );
    assert_eq!(simulation.count("1 PUT /config"), 0);
}

#[test]
fn a_bulb_that_stays_away_is_offered_back() {
    let simulation = leak(orphan());
    let operator = ScriptedOperator::who(move |question| {
        if let FlowQuestion::TakeBack { .. } = question {
            simulation.change_bulb(DESK, |bulb| {
                bulb.has_power = true;
                bulb.near = Some(0);
            });
        }
        true
    });
    let moved = desk(simulation, &operator, &options()).unwrap();
    assert!(!moved.moved);
    assert!(
        moved
            .steps
            .ends_with(&[MoveStep::Deleted, MoveStep::TakenBack])
    );
    assert_eq!(simulation.owner(DESK), BulbOwner::Bridge(0));
    assert_eq!(simulation.listed(0, DESK).unwrap().1, "Desk");
    assert!(simulation.records()[0].ended);
    assert!(
        moved.notes.concat().contains("is back on bridge"),
        "{:?}",
        moved.notes
    );
    // And then it can be moved as if nothing had been.
    let moved = desk(simulation, &ScriptedOperator::absent(), &options()).unwrap();
    assert!(moved.moved && has_moved(simulation));
}

#[test]
fn a_bulb_that_is_nowhere_is_said_to_be_nowhere() {
    for operator in [
        ScriptedOperator::absent(),
        ScriptedOperator::who(|question| matches!(question, FlowQuestion::Delete { .. })),
    ] {
        let simulation = orphan();
        let moved = desk(&simulation, &operator, &options()).unwrap();
        assert!(!moved.moved && moved.now.is_none());
        assert!(
            moved.notes.concat().contains("belongs to neither"),
            "{:?}",
            moved.notes
        );
        assert!(!simulation.records()[0].ended, "it can be gone on with");
        assert_eq!(
            simulation.count("0 PUT /config"),
            0,
            "nobody has agreed to take it back"
        );
        // Somebody switches it on, holds it to the bridge, and gives the same command again.
        simulation.change_bulb(DESK, |bulb| {
            bulb.has_power = true;
            bulb.near = Some(1);
        });
        let moved = desk(&simulation, &ScriptedOperator::absent(), &options()).unwrap();
        assert!(moved.moved && has_moved(&simulation));
    }
}

#[test]
fn another_bulb_that_was_taken_is_said() {
    let simulation = orphan();
    simulation.bulb(BulbOwner::Foreign, Some(1));
    let three = MoveOptions {
        rounds: 3,
        ..options()
    };
    let operator =
        ScriptedOperator::who(|question| !matches!(question, FlowQuestion::TakeBack { .. }));
    let moved = desk(&simulation, &operator, &three).unwrap();
    assert!(!moved.moved);
    assert!(
        moved.notes.concat().contains("has taken another bulb"),
        "{:?}",
        moved.notes
    );
    assert_eq!(
        simulation.count("1 PUT /config"),
        1,
        "after a capture there is no further touchlink"
    );
    let heard = operator.heard();
    assert_eq!(
        heard.matches("new light: ").count(),
        1,
        "two searches are told as one: {heard}"
    );
}

#[test]
fn a_bridge_that_is_too_old_to_delete() {
    let simulation = leak(home());
    simulation.change(0, |bridge| bridge.can_delete = false);
    let moved = desk(simulation, &handy(simulation, 1), &options()).unwrap();
    assert!(moved.moved);
    assert_eq!(simulation.owner(DESK), BulbOwner::Bridge(1));
    assert!(moved.notes[0].contains("too old"), "{:?}", moved.notes);
    assert!(!moved.steps.contains(&MoveStep::Deleted));
    assert!(simulation.listed(0, DESK).is_some(), "the entry stays");
    // The entry that stays is no reason to move it again.
    let again = desk(simulation, &ScriptedOperator::who(|_| panic!()), &options()).unwrap();
    assert!(again.moved && again.notes[0].contains("was moved before"));

    // Where nobody takes it over, nothing has happened to it.
    let simulation = home();
    simulation.change(0, |bridge| bridge.can_delete = false);
    let moved = desk(&simulation, &ScriptedOperator::absent(), &options()).unwrap();
    assert!(!moved.moved && at_home_again(&simulation));
    assert!(
        moved.notes.concat().contains("may still have it"),
        "{:?}",
        moved.notes
    );
}
