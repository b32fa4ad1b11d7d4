//! Procedure B.

use std::time::Duration;

use hue::{
    Guide, HueError, Journal, MoveOptions, MoveStep, Moved, Question, Silence, Source, Transport,
};
use serde_json::json;

use crate::person::Person;
use crate::world::{self, Fault, Owner, World, unique_id};

pub(crate) fn options() -> MoveOptions {
    MoveOptions {
        serial: None,
        via: None,
        rounds: 1,
        now: 1_795_000_000,
    }
}

/// The first bridge has two lamps, the second has one; bulb 1 is to move.
pub(crate) fn home() -> World {
    let world = World::new();
    world.bulb(Owner::Bridge(0), None);
    world.bulb(Owner::Bridge(0), None);
    world.bulb(Owner::Bridge(1), None);
    world.change(0, |bridge| {
        bridge.lights.get_mut(&2).unwrap().name = "Desk".to_owned();
    });
    world
}

pub(crate) const DESK: usize = 1;

/// Moves what is called so from the first bridge to the second.
pub(crate) fn move_it(
    world: &World,
    light: &str,
    person: &Person,
    options: &MoveOptions,
) -> Option<Result<Moved, HueError>> {
    let (from, to) = (world.way(0), world.way(1));
    let (from, to) = (from.bridge(), to.bridge());
    let source = Source::Bridge(&from);
    world::run(hue::flow::relocate(
        source, &to, light, world, person, options,
    ))
}

pub(crate) fn desk(
    world: &World,
    person: &Person,
    options: &MoveOptions,
) -> Result<Moved, HueError> {
    move_it(world, "Desk", person, options).expect("it ends")
}

pub(crate) fn at_home_again(world: &World) -> bool {
    world.owner(DESK) == Owner::Bridge(0) && world.listed(0, DESK) == Some((2, "Desk".to_owned()))
}

/// It is where it was to go, under whatever name.
pub(crate) fn has_arrived(world: &World) -> bool {
    world.owner(DESK) == Owner::Bridge(1)
        && world.listed(0, DESK).is_none()
        && world.listed(1, DESK).is_some()
}

pub(crate) fn has_moved(world: &World) -> bool {
    has_arrived(world)
        && world
            .listed(1, DESK)
            .is_some_and(|(_, name)| name == "Desk")
}

#[test]
fn a_light_moves() {
    let world = home();
    let person = Person::absent();
    let moved = desk(&world, &person, &options()).unwrap();
    // The shape of the contract.
    assert_eq!(
        serde_json::to_value(&moved).unwrap(),
        json!({"light": unique_id(DESK), "from": "001788fffe010200", "to": "001788fffe010201", "moved": true,
            "steps": ["checked", "opened", "deleted", "appeared", "renamed"]})
    );
    assert!(has_moved(&world));
    assert_eq!(
        moved.now.unwrap().id,
        world.listed(1, DESK).unwrap().0.to_string()
    );
    let calls = world.calls();
    let changes: Vec<&str> = calls
        .iter()
        .filter(|call| !call.contains("GET"))
        .map(String::as_str)
        .collect();
    // B2, B6, B7, B8, B9.
    assert_eq!(
        changes,
        [
            r#"0 PUT /lights/2/state {"alert":"select"}"#,
            "1 POST /lights {}",
            "0 DELETE /lights/2",
            "1 POST /lights {}",
            r#"1 PUT /lights/8 {"name":"Desk"}"#,
            r#"1 PUT /lights/8/state {"alert":"select"}"#,
        ]
    );
    let asked = person.asked.lock().unwrap();
    assert!(matches!(
        asked.as_slice(),
        [
            Question::Blinked { .. },
            Question::Delete {
                reachable: true,
                ..
            }
        ]
    ));
    let record = &world.records()[0];
    assert!(record.ended);
    assert!(!serde_json::to_string(record).unwrap().contains("KEY0"));
}

#[test]
fn a_second_run_says_that_it_is_done() {
    let world = home();
    let first = desk(&world, &Person::absent(), &options()).unwrap();
    for name in ["Desk", "2", &unique_id(DESK)] {
        let before = world.calls().len();
        let person = Person::who(|_| panic!("there is nothing to ask"));
        let again = move_it(&world, name, &person, &options()).unwrap().unwrap();
        assert!(again.moved);
        assert_eq!(
            (again.now, again.steps),
            (first.now.clone(), first.steps.clone())
        );
        assert!(
            again.notes[0].contains("was moved before"),
            "{:?}",
            again.notes
        );
        assert!(
            world.calls()[before..]
                .iter()
                .all(|call| call.contains("GET"))
        );
    }
    let error = move_it(&world, "Shelf", &Person::absent(), &options()).unwrap();
    assert!(matches!(error, Err(HueError::NoSuchLight { .. })));
}

#[test]
fn there_and_back_and_there_again() {
    let world = home();
    let (first, second) = (world.way(0), world.way(1));
    let (first, second) = (first.bridge(), second.bridge());
    for round in 0..4 {
        let (from, to) = match round % 2 {
            0 => (&first, &second),
            _ => (&second, &first),
        };
        let source = Source::Bridge(from);
        let person = Person::absent();
        let options = options();
        let flow = hue::flow::relocate(source, to, "Desk", &world, &person, &options);
        assert!(world::run(flow).unwrap().unwrap().moved, "round {round}");
        assert_eq!(world.owner(DESK), Owner::Bridge(1 - round % 2));
    }
}

#[test]
fn nothing_is_changed_without_agreement() {
    let questions: [fn(&Question) -> bool; 2] = [
        |question| !matches!(question, Question::Blinked { .. }),
        |question| !matches!(question, Question::Delete { .. }),
    ];
    for agrees in questions {
        let world = home();
        let result = desk(&world, &Person::who(agrees), &options());
        assert!(matches!(result, Err(HueError::NotAgreed)));
        assert!(at_home_again(&world) && world.records().is_empty());
        assert_eq!(world.count("1 POST") + world.count("0 DELETE"), 0);
    }
}

#[test]
fn what_cannot_be_is_said_before_anything_is_changed() {
    // The same bridge.
    let world = home();
    let way = world.way(0);
    let bridge = way.bridge();
    let source = Source::Bridge(&bridge);
    let (person, options) = (Person::absent(), options());
    let flow = hue::flow::relocate(source, &bridge, "Desk", &world, &person, &options);
    assert!(matches!(world::run(flow).unwrap(), Err(HueError::Usage(_))));
    assert!(world.calls().is_empty());

    // No room, told by either.
    for has_capabilities in [true, false] {
        let world = home();
        world.change(1, |bridge| {
            bridge.room = 0;
            bridge.has_capabilities = has_capabilities;
        });
        let error = desk(&world, &Person::absent(), &options).unwrap_err();
        assert!(
            matches!(&error, HueError::Refused { error, .. } if error.number == 203),
            "{error}"
        );
        assert!(at_home_again(&world) && world.records().is_empty());
    }

    // An old entry of the same bulb.
    let world = home();
    world.bulb(Owner::Bridge(1), None);
    world.change(1, |bridge| {
        for light in bridge.lights.values_mut() {
            light.bulb = DESK;
        }
    });
    let error = desk(&world, &Person::absent(), &options).unwrap_err();
    assert!(error.to_string().contains("delete lights/7"), "{error}");
    assert!(at_home_again(&world));

    // A bridge that searches without end would take back what it has let go.
    for bridge in [0, 1] {
        let world = home();
        world.change(bridge, world::Sim::search_for_ever);
        let error = desk(&world, &Person::absent(), &options).unwrap_err();
        assert!(matches!(error, HueError::StillSearching { .. }), "{error}");
        assert_eq!(world.count("0 DELETE"), 0);
    }

    // Without a journal nothing is let go.
    let world = home();
    world.fail_journal(true);
    let error = desk(&world, &Person::absent(), &options).unwrap_err();
    let HueError::Local { source, .. } = &error else {
        panic!("{error}");
    };
    assert!(source.to_string().contains("/state/hue-move.json"));
    assert!(at_home_again(&world));
}

#[test]
fn a_bulb_that_its_bridge_no_longer_knows_is_gone_from_it() {
    let world = home();
    world.fail("0 DELETE", Fault::error(3));
    world.change_bulb(DESK, |bulb| bulb.owner = Owner::Nobody);
    let result = desk(&world, &Person::absent(), &options()).unwrap();
    // It is listed there in fact, which is said at the end.
    assert!(!result.moved);
    assert!(
        result.notes.concat().contains("lists it again"),
        "{:?}",
        result.notes
    );
}

#[test]
fn bridges_that_tell_no_unique_ids() {
    let world = home();
    for bridge in [0, 1] {
        world.change(bridge, |bridge| bridge.tells_unique_ids = false);
    }
    let moved = desk(&world, &Person::absent(), &options()).unwrap();
    assert!(moved.moved && has_moved(&world));
    assert_eq!(moved.light, "Desk");
    // With two new lights nobody knows which it is.
    let world = home();
    world.bulb(Owner::Nobody, None);
    for bridge in [0, 1] {
        world.change(bridge, |bridge| bridge.tells_unique_ids = false);
    }
    let person = Person::who(|question| {
        matches!(question, Question::Blinked { .. } | Question::Delete { .. })
    });
    let moved = desk(&world, &person, &options()).unwrap();
    assert!(!moved.moved);
}

#[test]
fn a_lost_answer_to_the_deletion() {
    // The source can be asked: it has the light no more.
    let world = home();
    world.fail("0 DELETE", Fault::AnswerLost(Silence::TimedOut));
    let moved = desk(&world, &Person::absent(), &options()).unwrap();
    assert!(moved.moved && moved.notes.is_empty() && has_moved(&world));
    assert_eq!(world.count("0 DELETE"), 1);

    // It cannot be asked, but the light comes.
    let world = home();
    world.fail("0 DELETE", Fault::AnswerLost(Silence::Closed));
    let delete = {
        let world = home();
        desk(&world, &Person::absent(), &options()).unwrap();
        let calls = world.calls();
        calls
            .iter()
            .position(|call| call.contains("DELETE"))
            .unwrap()
    };
    world.fail_nth(delete + 1, Fault::Lost(Silence::TimedOut));
    let moved = desk(&world, &Person::absent(), &options()).unwrap();
    assert!(moved.moved && has_moved(&world));

    // It cannot be asked, and nothing comes: nobody knows, and that is said.
    let world = home();
    world.change_bulb(DESK, |bulb| bulb.has_power = false);
    world.fail("0 DELETE", Fault::AnswerLost(Silence::Closed));
    // Without power it is not made to blink, so this is the call behind the deletion.
    world.fail_nth(delete, Fault::Lost(Silence::TimedOut));
    let person = Person::who(|question| matches!(question, Question::Delete { .. }));
    let error = desk(&world, &person, &options()).unwrap_err();
    assert!(
        matches!(error.cause(), HueError::NoAnswer { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("may have it still"), "{error}");
    assert!(!world.records()[0].ended);
}

/// Cuts a move short right before the light is let go.
fn begun(world: &World) {
    let calls = {
        let world = home();
        desk(&world, &Person::absent(), &options()).unwrap();
        world.calls()
    };
    let delete = calls.iter().position(|call| call.contains("DELETE"));
    world.fail_nth(delete.unwrap(), Fault::Lost(Silence::TimedOut));
    let error = desk(world, &Person::absent(), &options()).unwrap_err();
    assert!(matches!(error, HueError::Unfinished { .. }), "{error}");
    assert!(error.to_string().contains("may have it still"), "{error}");
}

#[test]
fn another_light_that_came_meanwhile_is_not_taken_for_it() {
    let world = home();
    for bridge in [0, 1] {
        world.change(bridge, |bridge| bridge.tells_unique_ids = false);
    }
    begun(&world);
    world.bulb(Owner::Bridge(1), None);
    let moved = desk(&world, &Person::absent(), &options()).unwrap();
    assert!(moved.moved && has_moved(&world));
}

#[test]
fn a_bulb_that_was_taken_over_by_hand_meanwhile_has_moved() {
    let world = home();
    begun(&world);
    world.change_bulb(DESK, |bulb| bulb.owner = Owner::Bridge(1));
    world.list(1, DESK);
    let person = Person::who(|_| panic!("there is nothing to ask"));
    let moved = desk(&world, &person, &options()).unwrap();
    assert!(moved.moved);
    assert_eq!(world.listed(1, DESK).unwrap().1, "Desk");
    assert!(
        moved.notes.concat().contains("lists it further on"),
        "{:?}",
        moved.notes
    );
    // The source may be gone by then.
    let world = home();
    begun(&world);
    world.change_bulb(DESK, |bulb| bulb.owner = Owner::Bridge(1));
    world.list(1, DESK);
    let way = world.way(1);
    assert!(
        without_source(&world, &person, &way.bridge())
            .unwrap()
            .moved
    );
}

fn without_source(
    world: &World,
    person: &impl Guide,
    to: &hue::Bridge<'_, impl Transport>,
) -> Result<Moved, HueError> {
    let source: Source<'_, '_, world::Way<'_>> = Source::Gone {
        name: "001788fffe010200".to_owned(),
        why: HueError::NoAnswer {
            at: "192.0.2.10".to_owned(),
            how: Silence::Unreachable,
        },
    };
    let options = options();
    world::run(hue::flow::relocate(
        source, to, "Desk", world, person, &options,
    ))
    .unwrap()
}

#[test]
fn a_source_that_is_gone() {
    let world = home();
    let way = world.way(1);
    let to = way.bridge();
    let error = without_source(&world, &Person::absent(), &to).unwrap_err();
    assert!(matches!(error, HueError::NoAnswer { .. }));
    // Once the light was let go it is no longer needed.
    let calls = {
        let world = home();
        desk(&world, &Person::absent(), &options()).unwrap();
        world.calls()
    };
    let delete = calls
        .iter()
        .position(|call| call.contains("DELETE"))
        .unwrap();
    world.fail_nth(delete + 1, Fault::error(1));
    let error = desk(&world, &Person::absent(), &options()).unwrap_err();
    assert!(matches!(error.cause(), HueError::Refused { .. }), "{error}");
    assert!(error.to_string().contains("belongs to neither"), "{error}");
    let before = world.calls().len();
    let moved = without_source(&world, &Person::absent(), &to).unwrap();
    assert!(moved.moved && has_moved(&world));
    assert!(
        world.calls()[before..]
            .iter()
            .all(|call| call.starts_with('1'))
    );
}

/// Every call of the move fails once with everything that can happen to it; then the same command is given again.
#[test]
fn every_step_failing_once() {
    let world = home();
    desk(&world, &Person::absent(), &options()).unwrap();
    for number in 0..world.calls().len() {
        for fault in Fault::each() {
            fail_at(number, &fault);
        }
    }
}

fn fail_at(number: usize, fault: &Fault) {
    let world = home();
    world.fail_nth(number, fault.clone());
    let result = desk(&world, &Person::absent(), &options());
    let what = format!("{number} {fault:?}: {result:?}\n{:#?}", world.calls());
    let is_told = match &result {
        Ok(moved) => {
            assert_eq!(
                moved.moved,
                world.owner(DESK) == Owner::Bridge(1) && world.listed(0, DESK).is_none(),
                "{what}"
            );
            moved.moved || !moved.notes.is_empty()
        }
        Err(HueError::Unfinished { state, .. }) => {
            assert!(world.records().iter().any(|record| !record.ended), "{what}");
            state.contains("same command again")
        }
        Err(_) => false,
    };
    // A plain error means that nothing has changed.
    assert!(is_told || at_home_again(&world), "{what}");
    assert!(world.elapsed() < Duration::from_secs(600), "{what}");
    // The same command again ends it, whatever has happened.
    world.change_bulb(DESK, |bulb| bulb.near = Some(1));
    let again = desk(&world, &Person::absent(), &options());
    let what = format!("{what}\nagain: {again:?}\n{:#?}", world.calls());
    assert!(again.unwrap().moved, "{what}");
    // But for a name that the bridge does not take.
    let refused_name = fault.is_invalid_value() && has_arrived(&world);
    assert!(has_moved(&world) || refused_name, "{what}");
    assert!(
        world
            .records()
            .iter()
            .all(|record: &hue::MoveRecord| record.ended),
        "{what}"
    );
}

#[test]
fn a_journal_that_fails_in_the_middle_is_no_reason_to_stop() {
    let world = &home();
    let person = Person::who(|_| true);
    // It fails from the moment when the light was let go.
    struct Failing<'w>(&'w World);
    impl Journal for Failing<'_> {
        fn records(&self) -> std::io::Result<Vec<hue::MoveRecord>> {
            Journal::records(self.0)
        }
        fn keep(&self, record: &hue::MoveRecord) -> std::io::Result<()> {
            match record.has(MoveStep::Deleted) {
                true => Err(std::io::Error::other("/state: read-only file system")),
                false => self.0.keep(record),
            }
        }
        fn forget(&self, record: &hue::MoveRecord) -> std::io::Result<()> {
            self.0.forget(record)
        }
    }
    let (from, to) = (world.way(0), world.way(1));
    let (from, to) = (from.bridge(), to.bridge());
    let source = Source::Bridge(&from);
    let (journal, options) = (Failing(world), options());
    let flow = hue::flow::relocate(source, &to, "Desk", &journal, &person, &options);
    let moved = world::run(flow).unwrap().unwrap();
    assert!(moved.moved && has_moved(world));
    assert!(
        moved.notes.concat().contains("read-only"),
        "{:?}",
        moved.notes
    );
}
