//! B10: a bulb that does not come by itself.

use hue::{MoveOptions, MoveStep, Question};

use crate::moving::{DESK, at_home_again, desk, has_moved, home, options};
use crate::person::Person;
use crate::world::{Owner, World};

fn with_serial() -> MoveOptions {
    MoveOptions {
        serial: Some("45AF01".parse().unwrap()),
        ..options()
    }
}

/// A bulb without power cannot be reset, and belongs to nobody's network afterwards but its old one.
fn orphan() -> World {
    let world = home();
    world.change_bulb(DESK, |bulb| bulb.has_power = false);
    world
}

/// Gives the bulb power and holds it to a bridge when the flow asks for it.
fn handy(world: &'static World, at: usize) -> Person {
    Person::who(move |question| {
        if let Question::NearAndFresh { .. } | Question::TakeBack { .. } = question {
            world.change_bulb(DESK, |bulb| {
                bulb.has_power = true;
                bulb.near = Some(at);
            });
        }
        true
    })
}

fn leak(world: World) -> &'static World {
    Box::leak(Box::new(world))
}

#[test]
fn a_bulb_that_could_not_be_reset_is_taken_over() {
    let world = leak(orphan());
    let person = handy(world, 1);
    let moved = desk(world, &person, &options()).unwrap();
    assert!(moved.moved && has_moved(world));
    assert!(moved.steps.contains(&MoveStep::TakenOver));
    let asked = person.asked.lock().unwrap();
    // It is said before that it will not be reset, and it is not asked whether it blinks.
    assert!(matches!(
        asked[0],
        Question::Delete {
            reachable: false,
            ..
        }
    ));
    assert!(asked[0].to_string().contains("cannot be reached"));
}

#[test]
fn a_bulb_that_could_not_be_reset_is_called_by_its_serial_number() {
    // It has power, but its bridge has lost it to somebody else.
    let world = home();
    world.change_bulb(DESK, |bulb| bulb.owner = Owner::Foreign);
    let person = Person::who(|question| match question {
        Question::Delete { .. } => true,
        other => panic!("{other}"),
    });
    let moved = desk(&world, &person, &with_serial()).unwrap();
    assert!(moved.moved && has_moved(&world));
    assert!(moved.steps.contains(&MoveStep::TakenOver));
    assert_eq!(world.count(r#"1 POST /lights {"deviceid":["45AF01"]}"#), 1);
    assert_eq!(world.count("1 PUT /config"), 0);
}

#[test]
fn a_bulb_that_stays_away_is_offered_back() {
    let world = leak(orphan());
    let person = Person::who(move |question| {
        if let Question::TakeBack { .. } = question {
            world.change_bulb(DESK, |bulb| {
                bulb.has_power = true;
                bulb.near = Some(0);
            });
        }
        true
    });
    let moved = desk(world, &person, &options()).unwrap();
    assert!(!moved.moved);
    assert!(
        moved
            .steps
            .ends_with(&[MoveStep::Deleted, MoveStep::TakenBack])
    );
    assert_eq!(world.owner(DESK), Owner::Bridge(0));
    assert_eq!(world.listed(0, DESK).unwrap().1, "Desk");
    assert!(world.records()[0].ended);
    assert!(
        moved.notes.concat().contains("is back at bridge"),
        "{:?}",
        moved.notes
    );
    // And then it can be moved as if nothing had been.
    let moved = desk(world, &Person::absent(), &options()).unwrap();
    assert!(moved.moved && has_moved(world));
}

#[test]
fn a_bulb_that_is_nowhere_is_said_to_be_nowhere() {
    for person in [
        Person::absent(),
        Person::who(|question| matches!(question, Question::Delete { .. })),
    ] {
        let world = orphan();
        let moved = desk(&world, &person, &options()).unwrap();
        assert!(!moved.moved && moved.now.is_none());
        assert!(
            moved.notes.concat().contains("belongs to neither"),
            "{:?}",
            moved.notes
        );
        assert!(!world.records()[0].ended, "it can be gone on with");
        assert_eq!(
            world.count("0 PUT /config"),
            0,
            "nobody has agreed to take it back"
        );
        // Somebody switches it on, holds it to the bridge, and gives the same command again.
        world.change_bulb(DESK, |bulb| {
            bulb.has_power = true;
            bulb.near = Some(1);
        });
        let moved = desk(&world, &Person::absent(), &options()).unwrap();
        assert!(moved.moved && has_moved(&world));
    }
}

#[test]
fn another_bulb_that_was_taken_is_said() {
    let world = orphan();
    world.bulb(Owner::Foreign, Some(1));
    let three = MoveOptions {
        rounds: 3,
        ..options()
    };
    let person = Person::who(|question| !matches!(question, Question::TakeBack { .. }));
    let moved = desk(&world, &person, &three).unwrap();
    assert!(!moved.moved);
    assert!(
        moved.notes.concat().contains("has taken another bulb"),
        "{:?}",
        moved.notes
    );
    assert_eq!(
        world.count("1 PUT /config"),
        1,
        "after a capture there is no further touchlink"
    );
    let heard = person.heard();
    assert_eq!(
        heard.matches("new light: ").count(),
        1,
        "two searches are told as one: {heard}"
    );
}

#[test]
fn a_bridge_that_is_too_old_to_delete() {
    let world = leak(home());
    world.change(0, |bridge| bridge.can_delete = false);
    let moved = desk(world, &handy(world, 1), &options()).unwrap();
    assert!(moved.moved);
    assert_eq!(world.owner(DESK), Owner::Bridge(1));
    assert!(moved.notes[0].contains("too old"), "{:?}", moved.notes);
    assert!(!moved.steps.contains(&MoveStep::Deleted));
    assert!(world.listed(0, DESK).is_some(), "the entry stays");
    // The entry that stays is no reason to move it again.
    let again = desk(world, &Person::who(|_| panic!()), &options()).unwrap();
    assert!(again.moved && again.notes[0].contains("was moved before"));

    // Where nobody takes it over, nothing has happened to it.
    let world = home();
    world.change(0, |bridge| bridge.can_delete = false);
    let moved = desk(&world, &Person::absent(), &options()).unwrap();
    assert!(!moved.moved && at_home_again(&world));
    assert!(
        moved.notes.concat().contains("may have it still"),
        "{:?}",
        moved.notes
    );
}
