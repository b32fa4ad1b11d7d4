//! Procedure B.

use std::time::Duration;

use hue::{
    FlowQuestion, HueError, HueNoReplyReason, HueTransport, Journal, MoveOptions, MoveResult,
    MoveSource, MoveStep, Operator,
};
use serde_json::json;

use crate::operator::ScriptedOperator;
use crate::simulation::{self, BulbOwner, CallFault, Simulation, unique_id};

pub(crate) fn options() -> MoveOptions {
    MoveOptions {
        serial: None,
        via: None,
        rounds: 1,
        now: 1_795_000_000,
    }
}

/// The first bridge has two lamps, the second has one; bulb 1 is to move.
pub(crate) fn home() -> Simulation {
    let simulation = Simulation::new();
    simulation.bulb(BulbOwner::Bridge(0), None);
    simulation.bulb(BulbOwner::Bridge(0), None);
    simulation.bulb(BulbOwner::Bridge(1), None);
    simulation.change(0, |bridge| {
        bridge.lights.get_mut(&2).unwrap().name = "Desk".to_owned();
    });
    simulation
}

pub(crate) const DESK: usize = 1;

/// Moves what is called so from the first bridge to the second.
pub(crate) fn move_named(
    simulation: &Simulation,
    light: &str,
    operator: &ScriptedOperator,
    options: &MoveOptions,
) -> Option<Result<MoveResult, HueError>> {
    let (from, to) = (simulation.transport(0), simulation.transport(1));
    let (from, to) = (from.bridge(), to.bridge());
    let source = MoveSource::Bridge(&from);
    simulation::run(hue::flow::move_light(
        source, &to, light, simulation, operator, options,
    ))
}

pub(crate) fn desk(
    simulation: &Simulation,
    operator: &ScriptedOperator,
    options: &MoveOptions,
) -> Result<MoveResult, HueError> {
    move_named(simulation, "Desk", operator, options).expect("it ends")
}

pub(crate) fn at_home_again(simulation: &Simulation) -> bool {
    simulation.owner(DESK) == BulbOwner::Bridge(0)
        && simulation.listed(0, DESK) == Some((2, "Desk".to_owned()))
}

/// It is where it was to go, under whatever name.
pub(crate) fn has_arrived(simulation: &Simulation) -> bool {
    simulation.owner(DESK) == BulbOwner::Bridge(1)
        && simulation.listed(0, DESK).is_none()
        && simulation.listed(1, DESK).is_some()
}

pub(crate) fn has_moved(simulation: &Simulation) -> bool {
    has_arrived(simulation)
        && simulation
            .listed(1, DESK)
            .is_some_and(|(_, name)| name == "Desk")
}

#[test]
fn a_light_moves() {
    let simulation = home();
    let operator = ScriptedOperator::absent();
    let moved = desk(&simulation, &operator, &options()).unwrap();
    // The shape of the contract.
    assert_eq!(
        serde_json::to_value(&moved).unwrap(),
        json!({"light": unique_id(DESK), "from": "001788fffe010200", "to": "001788fffe010201", "moved": true,
            "steps": ["checked", "opened", "deleted", "appeared", "renamed"]})
    );
    assert!(has_moved(&simulation));
    assert_eq!(
        moved.now.unwrap().id,
        simulation.listed(1, DESK).unwrap().0.to_string()
    );
    let calls = simulation.calls();
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
    let asked = operator.asked.lock().unwrap();
    assert!(matches!(
        asked.as_slice(),
        [
            FlowQuestion::Blinked { .. },
            FlowQuestion::Delete {
                reachable: true,
                ..
            }
        ]
    ));
    let record = &simulation.records()[0];
    assert!(record.ended);
    assert!(!serde_json::to_string(record).unwrap().contains("KEY0"));
}

#[test]
fn a_second_run_says_that_it_is_done() {
    let simulation = home();
    let first = desk(&simulation, &ScriptedOperator::absent(), &options()).unwrap();
    for name in ["Desk", "2", &unique_id(DESK)] {
        let before = simulation.calls().len();
        let operator = ScriptedOperator::who(|_| panic!("there is nothing to ask"));
        let again = move_named(&simulation, name, &operator, &options())
            .unwrap()
            .unwrap();
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
            simulation.calls()[before..]
                .iter()
                .all(|call| call.contains("GET"))
        );
    }
    let error = move_named(
        &simulation,
        "Shelf",
        &ScriptedOperator::absent(),
        &options(),
    )
    .unwrap();
    assert!(matches!(error, Err(HueError::NoSuchLight { .. })));
}

#[test]
fn there_and_back_and_there_again() {
    let simulation = home();
    let (first, second) = (simulation.transport(0), simulation.transport(1));
    let (first, second) = (first.bridge(), second.bridge());
    for round in 0..4 {
        let (from, to) = match round % 2 {
            0 => (&first, &second),
            _ => (&second, &first),
        };
        let source = MoveSource::Bridge(from);
        let operator = ScriptedOperator::absent();
        let options = options();
        let flow = hue::flow::move_light(source, to, "Desk", &simulation, &operator, &options);
        assert!(
            simulation::run(flow).unwrap().unwrap().moved,
            "round {round}"
        );
        assert_eq!(simulation.owner(DESK), BulbOwner::Bridge(1 - round % 2));
    }
}

#[test]
fn nothing_is_changed_without_agreement() {
    let questions: [fn(&FlowQuestion) -> bool; 2] = [
        |question| !matches!(question, FlowQuestion::Blinked { .. }),
        |question| !matches!(question, FlowQuestion::Delete { .. }),
    ];
    for agrees in questions {
        let simulation = home();
        let result = desk(&simulation, &ScriptedOperator::who(agrees), &options());
        assert!(matches!(result, Err(HueError::NotConfirmed)));
        assert!(at_home_again(&simulation) && simulation.records().is_empty());
        assert_eq!(simulation.count("1 POST") + simulation.count("0 DELETE"), 0);
    }
}

#[test]
fn what_cannot_be_is_said_before_anything_is_changed() {
    // The same bridge.
    let simulation = home();
    let transport = simulation.transport(0);
    let bridge = transport.bridge();
    let source = MoveSource::Bridge(&bridge);
    let (operator, options) = (ScriptedOperator::absent(), options());
    let flow = hue::flow::move_light(source, &bridge, "Desk", &simulation, &operator, &options);
    assert!(matches!(
        simulation::run(flow).unwrap(),
        Err(HueError::Usage(_))
    ));
    assert!(simulation.calls().is_empty());

    // No room, told by either.
    for has_capabilities in [true, false] {
        let simulation = home();
        simulation.change(1, |bridge| {
            bridge.room = 0;
            bridge.has_capabilities = has_capabilities;
        });
        let error = desk(&simulation, &ScriptedOperator::absent(), &options).unwrap_err();
        assert!(
            matches!(&error, HueError::Refused { error, .. } if error.number == 203),
            "{error}"
        );
        assert!(at_home_again(&simulation) && simulation.records().is_empty());
    }

    // An old entry of the same bulb.
    let simulation = home();
    simulation.bulb(BulbOwner::Bridge(1), None);
    simulation.change(1, |bridge| {
        for light in bridge.lights.values_mut() {
            light.bulb = DESK;
        }
    });
    let error = desk(&simulation, &ScriptedOperator::absent(), &options).unwrap_err();
    assert!(error.to_string().contains("delete lights/7"), "{error}");
    assert!(at_home_again(&simulation));

    // A bridge that searches without end would take back what it has let go.
    for bridge in [0, 1] {
        let simulation = home();
        simulation.change(bridge, simulation::SimulatedBridge::search_for_ever);
        let error = desk(&simulation, &ScriptedOperator::absent(), &options).unwrap_err();
        assert!(matches!(error, HueError::StillSearching { .. }), "{error}");
        assert_eq!(simulation.count("0 DELETE"), 0);
    }

    // Without a journal nothing is let go.
    let simulation = home();
    simulation.fail_journal(true);
    let error = desk(&simulation, &ScriptedOperator::absent(), &options).unwrap_err();
    let HueError::Local { source, .. } = &error else {
        panic!("{error}");
    };
    assert!(source.to_string().contains("/state/hue-move.json"));
    assert!(at_home_again(&simulation));
}

#[test]
fn a_bulb_that_its_bridge_no_longer_knows_is_gone_from_it() {
    let simulation = home();
    simulation.fail("0 DELETE", CallFault::error(3));
    simulation.change_bulb(DESK, |bulb| bulb.owner = BulbOwner::Nobody);
    let result = desk(&simulation, &ScriptedOperator::absent(), &options()).unwrap();
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
    let simulation = home();
    for bridge in [0, 1] {
        simulation.change(bridge, |bridge| bridge.tells_unique_ids = false);
    }
    let moved = desk(&simulation, &ScriptedOperator::absent(), &options()).unwrap();
    assert!(moved.moved && has_moved(&simulation));
    assert_eq!(moved.light, "Desk");
    // With two new lights nobody knows which it is.
    let simulation = home();
    simulation.bulb(BulbOwner::Nobody, None);
    for bridge in [0, 1] {
        simulation.change(bridge, |bridge| bridge.tells_unique_ids = false);
    }
    let operator = ScriptedOperator::who(|question| {
        matches!(
            question,
            FlowQuestion::Blinked { .. } | FlowQuestion::Delete { .. }
        )
    });
    let moved = desk(&simulation, &operator, &options()).unwrap();
    assert!(!moved.moved);
}

#[test]
fn a_lost_answer_to_the_deletion() {
    // The source can be asked: it has the light no more.
    let simulation = home();
    simulation.fail(
        "0 DELETE",
        CallFault::AnswerLost(HueNoReplyReason::TimedOut),
    );
    let moved = desk(&simulation, &ScriptedOperator::absent(), &options()).unwrap();
    assert!(moved.moved && moved.notes.is_empty() && has_moved(&simulation));
    assert_eq!(simulation.count("0 DELETE"), 1);

    // It cannot be asked, but the light comes.
    let simulation = home();
    simulation.fail("0 DELETE", CallFault::AnswerLost(HueNoReplyReason::Closed));
    let delete = {
        let simulation = home();
        desk(&simulation, &ScriptedOperator::absent(), &options()).unwrap();
        let calls = simulation.calls();
        calls
            .iter()
            .position(|call| call.contains("DELETE"))
            .unwrap()
    };
    simulation.fail_nth(delete + 1, CallFault::Lost(HueNoReplyReason::TimedOut));
    let moved = desk(&simulation, &ScriptedOperator::absent(), &options()).unwrap();
    assert!(moved.moved && has_moved(&simulation));

    // It cannot be asked, and nothing comes: nobody knows, and that is said.
    let simulation = home();
    simulation.change_bulb(DESK, |bulb| bulb.has_power = false);
    simulation.fail("0 DELETE", CallFault::AnswerLost(HueNoReplyReason::Closed));
    // Without power it is not made to blink, so this is the call behind the deletion.
    simulation.fail_nth(delete, CallFault::Lost(HueNoReplyReason::TimedOut));
    let operator =
        ScriptedOperator::who(|question| matches!(question, FlowQuestion::Delete { .. }));
    let error = desk(&simulation, &operator, &options()).unwrap_err();
    assert!(matches!(error.cause(), HueError::NoReply { .. }), "{error}");
    assert!(error.to_string().contains("may still have it"), "{error}");
    assert!(!simulation.records()[0].ended);
}

/// Cuts a move short right before the light is let go.
fn begun(simulation: &Simulation) {
    let calls = {
        let simulation = home();
        desk(&simulation, &ScriptedOperator::absent(), &options()).unwrap();
        simulation.calls()
    };
    let delete = calls.iter().position(|call| call.contains("DELETE"));
    simulation.fail_nth(delete.unwrap(), CallFault::Lost(HueNoReplyReason::TimedOut));
    let error = desk(simulation, &ScriptedOperator::absent(), &options()).unwrap_err();
    assert!(matches!(error, HueError::Unfinished { .. }), "{error}");
    assert!(error.to_string().contains("may still have it"), "{error}");
}

#[test]
fn another_light_that_came_meanwhile_is_not_taken_for_it() {
    let simulation = home();
    for bridge in [0, 1] {
        simulation.change(bridge, |bridge| bridge.tells_unique_ids = false);
    }
    begun(&simulation);
    simulation.bulb(BulbOwner::Bridge(1), None);
    let moved = desk(&simulation, &ScriptedOperator::absent(), &options()).unwrap();
    assert!(moved.moved && has_moved(&simulation));
}

#[test]
fn a_bulb_that_was_taken_over_by_hand_meanwhile_has_moved() {
    let simulation = home();
    begun(&simulation);
    simulation.change_bulb(DESK, |bulb| bulb.owner = BulbOwner::Bridge(1));
    simulation.list(1, DESK);
    let operator = ScriptedOperator::who(|_| panic!("there is nothing to ask"));
    let moved = desk(&simulation, &operator, &options()).unwrap();
    assert!(moved.moved);
    assert_eq!(simulation.listed(1, DESK).unwrap().1, "Desk");
    assert!(
        moved.notes.concat().contains("still lists it"),
        "{:?}",
        moved.notes
    );
    // The source may be gone by then.
    let simulation = home();
    begun(&simulation);
    simulation.change_bulb(DESK, |bulb| bulb.owner = BulbOwner::Bridge(1));
    simulation.list(1, DESK);
    let transport = simulation.transport(1);
    assert!(
        without_source(&simulation, &operator, &transport.bridge())
            .unwrap()
            .moved
    );
}

fn without_source(
    simulation: &Simulation,
    operator: &impl Operator,
    to: &hue::BridgeClient<'_, impl HueTransport>,
) -> Result<MoveResult, HueError> {
    let source: MoveSource<'_, '_, simulation::SimulatedTransport<'_>> = MoveSource::Gone {
        name: "001788fffe010200".to_owned(),
        why: HueError::NoReply {
            at: "192.0.2.10".to_owned(),
            reason: HueNoReplyReason::Unreachable,
        },
    };
    let options = options();
    simulation::run(hue::flow::move_light(
        source, to, "Desk", simulation, operator, &options,
    ))
    .unwrap()
}

#[test]
fn a_source_that_is_gone() {
    let simulation = home();
    let transport = simulation.transport(1);
    let to = transport.bridge();
    let error = without_source(&simulation, &ScriptedOperator::absent(), &to).unwrap_err();
    assert!(matches!(error, HueError::NoReply { .. }));
    // Once the light was let go it is no longer needed.
    let calls = {
        let simulation = home();
        desk(&simulation, &ScriptedOperator::absent(), &options()).unwrap();
        simulation.calls()
    };
    let delete = calls
        .iter()
        .position(|call| call.contains("DELETE"))
        .unwrap();
    simulation.fail_nth(delete + 1, CallFault::error(1));
    let error = desk(&simulation, &ScriptedOperator::absent(), &options()).unwrap_err();
    assert!(matches!(error.cause(), HueError::Refused { .. }), "{error}");
    assert!(error.to_string().contains("belongs to neither"), "{error}");
    let before = simulation.calls().len();
    let moved = without_source(&simulation, &ScriptedOperator::absent(), &to).unwrap();
    assert!(moved.moved && has_moved(&simulation));
    assert!(
        simulation.calls()[before..]
            .iter()
            .all(|call| call.starts_with('1'))
    );
}

/// Every call of the move fails once with everything that can happen to it; then the same command is given again.
#[test]
fn every_step_failing_once() {
    let simulation = home();
    desk(&simulation, &ScriptedOperator::absent(), &options()).unwrap();
    for number in 0..simulation.calls().len() {
        for fault in CallFault::each() {
            fail_at(number, &fault);
        }
    }
}

fn fail_at(number: usize, fault: &CallFault) {
    let simulation = home();
    simulation.fail_nth(number, fault.clone());
    let result = desk(&simulation, &ScriptedOperator::absent(), &options());
    let what = format!("{number} {fault:?}: {result:?}\n{:#?}", simulation.calls());
    let is_told = match &result {
        Ok(moved) => {
            assert_eq!(
                moved.moved,
                simulation.owner(DESK) == BulbOwner::Bridge(1)
                    && simulation.listed(0, DESK).is_none(),
                "{what}"
            );
            moved.moved || !moved.notes.is_empty()
        }
        Err(HueError::Unfinished { state, .. }) => {
            assert!(
                simulation.records().iter().any(|record| !record.ended),
                "{what}"
            );
            state.contains("same command again")
        }
        Err(_) => false,
    };
    // A plain error means that nothing has changed.
    assert!(is_told || at_home_again(&simulation), "{what}");
    assert!(simulation.elapsed() < Duration::from_secs(600), "{what}");
    // The same command again ends it, whatever has happened.
    simulation.change_bulb(DESK, |bulb| bulb.near = Some(1));
    let again = desk(&simulation, &ScriptedOperator::absent(), &options());
    let what = format!("{what}\nagain: {again:?}\n{:#?}", simulation.calls());
    assert!(again.unwrap().moved, "{what}");
    // But for a name that the bridge does not take.
    let refused_name = fault.is_invalid_value() && has_arrived(&simulation);
    assert!(has_moved(&simulation) || refused_name, "{what}");
    assert!(
        simulation
            .records()
            .iter()
            .all(|record: &hue::MoveRecord| record.ended),
        "{what}"
    );
}

#[test]
fn a_journal_that_fails_in_the_middle_is_no_reason_to_stop() {
    let simulation = &home();
    let operator = ScriptedOperator::who(|_| true);
    // It fails from the moment when the light was let go.
    struct FailingJournal<'w>(&'w Simulation);
    impl Journal for FailingJournal<'_> {
        fn records(&self) -> std::io::Result<Vec<hue::MoveRecord>> {
            Journal::records(self.0)
        }
        fn save(&self, record: &hue::MoveRecord) -> std::io::Result<()> {
            match record.has(MoveStep::Deleted) {
                true => Err(std::io::Error::other("/state: read-only file system")),
                false => self.0.save(record),
            }
        }
        fn remove(&self, record: &hue::MoveRecord) -> std::io::Result<()> {
            self.0.remove(record)
        }
    }
    let (from, to) = (simulation.transport(0), simulation.transport(1));
    let (from, to) = (from.bridge(), to.bridge());
    let source = MoveSource::Bridge(&from);
    let (journal, options) = (FailingJournal(simulation), options());
    let flow = hue::flow::move_light(source, &to, "Desk", &journal, &operator, &options);
    let moved = simulation::run(flow).unwrap().unwrap();
    assert!(moved.moved && has_moved(simulation));
    assert!(
        moved.notes.concat().contains("read-only"),
        "{:?}",
        moved.notes
    );
}
