//! A move that is cut short: by a loss of power, a signal, or a person who has had enough.

use hue::{HueError, Moved};
use proptest::prelude::*;

use crate::moving::{DESK, has_arrived, has_moved, home, move_it, options};
use crate::person::Person;
use crate::world::{Fault, Owner, World};

/// How many things happen in a move without any trouble.
fn things_in_a_move() -> usize {
    let world = home();
    world.end_after(None);
    go(&world).unwrap().unwrap();
    world.happened()
}

/// `None` when it was cut short.
fn go(world: &World) -> Option<Result<Moved, HueError>> {
    move_it(world, "Desk", &Person::absent(), &options())
}

/// Wherever the bulb is, somebody knows: a bridge that lists it, or the journal.
fn is_known(world: &World) -> bool {
    let at_home =
        |bridge| world.owner(DESK) == Owner::Bridge(bridge) && world.listed(bridge, DESK).is_some();
    let is_kept = world
        .records()
        .iter()
        .any(|record| !record.ended && record.name == "Desk");
    at_home(0) || at_home(1) || is_kept
}

/// Gives the command again, undisturbed, until it says that it is done; more than twice is never needed.
fn ends_well(world: &World, is_refused: bool) -> Result<(), TestCaseError> {
    world.end_after(None);
    world.change_bulb(DESK, |bulb| bulb.near = Some(1));
    for _ in 0..2 {
        if let Some(Ok(moved)) = go(world)
            && moved.moved
        {
            // But for a name that the bridge has said it does not take.
            let is_there = has_moved(world) || is_refused && has_arrived(world);
            prop_assert!(is_there, "{:#?}", world.calls());
            prop_assert!(world.records().iter().all(|record| record.ended));
            return Ok(());
        }
    }
    Err(TestCaseError::fail(format!("{:#?}", world.calls())))
}

#[test]
fn cut_short_after_each_thing_that_happens() {
    let things = things_in_a_move();
    assert!(things > 40, "{things}");
    for last in 0..things {
        let world = home();
        world.end_after(Some(last));
        assert!(go(&world).is_none(), "{last}");
        assert!(is_known(&world), "{last}: {:#?}", world.calls());
        ends_well(&world, false).unwrap_or_else(|error| panic!("{last}: {error}"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Cut short again and again, with trouble between.
    #[test]
    fn cut_short_many_times(
        ends in prop::collection::vec(0_usize..90, 1..6),
        faults in prop::collection::vec((0_usize..120, 0_usize..Fault::each().len()), 0..4),
        has_power: bool,
    ) {
        let world = home();
        world.change_bulb(DESK, |bulb| bulb.has_power = has_power);
        let mut is_refused = false;
        for (number, fault) in faults {
            let fault = Fault::each()[fault].clone();
            is_refused |= fault.is_invalid_value();
            world.fail_nth(number, fault);
        }
        for last in ends {
            world.end_after(Some(last));
            let ended = go(&world);
            let is_said = match &ended {
                Some(Ok(moved)) => moved.moved || !moved.notes.is_empty(),
                Some(Err(_)) | None => false,
            };
            prop_assert!(is_said || is_known(&world), "{:?}\n{:#?}", ended, world.calls());
        }
        world.change_bulb(DESK, |bulb| bulb.has_power = true);
        world.clear_faults();
        ends_well(&world, is_refused)?;
    }
}
