//! A move that is cut short: by a loss of power, a signal, or a person who has had enough.

use hue::{HueError, MoveResult};
use proptest::prelude::*;

use crate::move_light::{DESK, has_arrived, has_moved, home, move_named, options};
use crate::operator::ScriptedOperator;
use crate::simulation::{BulbOwner, CallFault, Simulation};

/// Counts the events of an undisturbed move.
fn things_in_a_move() -> usize {
    let simulation = home();
    simulation.end_after(None);
    go(&simulation).unwrap().unwrap();
    simulation.happened()
}

/// `None` when it was cut short.
fn go(simulation: &Simulation) -> Option<Result<MoveResult, HueError>> {
    move_named(simulation, "Desk", &ScriptedOperator::absent(), &options())
}

/// Wherever the bulb is, somebody knows: a bridge that lists it, or the journal.
fn is_known(simulation: &Simulation) -> bool {
    let at_home = |bridge| {
        simulation.owner(DESK) == BulbOwner::Bridge(bridge)
            && simulation.listed(bridge, DESK).is_some()
    };
    let is_kept = simulation
        .records()
        .iter()
        .any(|record| !record.ended && record.name == "Desk");
    at_home(0) || at_home(1) || is_kept
}

/// Gives the command again, undisturbed, until it says that it is done; more than twice is never needed.
fn ends_well(simulation: &Simulation, is_refused: bool) -> Result<(), TestCaseError> {
    simulation.end_after(None);
    simulation.change_bulb(DESK, |bulb| bulb.near = Some(1));
    for _ in 0..2 {
        if let Some(Ok(moved)) = go(simulation)
            && moved.moved
        {
            // But for a name that the bridge has said it does not take.
            let is_there = has_moved(simulation) || is_refused && has_arrived(simulation);
            prop_assert!(is_there, "{:#?}", simulation.calls());
            prop_assert!(simulation.records().iter().all(|record| record.ended));
            return Ok(());
        }
    }
    Err(TestCaseError::fail(format!("{:#?}", simulation.calls())))
}

#[test]
fn cut_short_after_each_thing_that_happens() {
    let things = things_in_a_move();
    assert!(things > 40, "{things}");
    for last in 0..things {
        let simulation = home();
        simulation.end_after(Some(last));
        assert!(go(&simulation).is_none(), "{last}");
        assert!(is_known(&simulation), "{last}: {:#?}", simulation.calls());
        ends_well(&simulation, false).unwrap_or_else(|error| panic!("{last}: {error}"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Cut short again and again, with trouble between.
    #[test]
    fn cut_short_many_times(
        ends in prop::collection::vec(0_usize..90, 1..6),
        faults in prop::collection::vec((0_usize..120, 0_usize..CallFault::each().len()), 0..4),
        has_power: bool,
    ) {
        let simulation = home();
        simulation.change_bulb(DESK, |bulb| bulb.has_power = has_power);
        let mut is_refused = false;
        for (number, fault) in faults {
            let fault = CallFault::each()[fault].clone();
            is_refused |= fault.is_invalid_value();
            simulation.fail_nth(number, fault);
        }
        for last in ends {
            simulation.end_after(Some(last));
            let ended = go(&simulation);
            let is_said = match &ended {
                Some(Ok(moved)) => moved.moved || !moved.notes.is_empty(),
                Some(Err(_)) | None => false,
            };
            prop_assert!(is_said || is_known(&simulation), "{:?}\n{:#?}", ended, simulation.calls());
        }
        simulation.change_bulb(DESK, |bulb| bulb.has_power = true);
        simulation.clear_faults();
        ends_well(&simulation, is_refused)?;
    }
}
