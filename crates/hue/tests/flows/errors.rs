//! The error table of the protocol page, each row through a flow that can meet it.

use std::time::Duration;

use hue::flow::{ClipTarget, clip, identify, lights, search, takeover};
use hue::{BridgeErrorKind, HueError, Method, TakeoverOptions};

use crate::move_light::{home, move_named, options};
use crate::operator::ScriptedOperator;
use crate::simulation::{self, BulbOwner, CallFault, Simulation, error};

fn one_lamp() -> Simulation {
    let simulation = Simulation::new();
    simulation.bulb(BulbOwner::Bridge(0), Some(0));
    simulation
}

fn number_of<R: std::fmt::Debug>(result: Option<Result<R, HueError>>) -> u32 {
    match result {
        Some(Err(failure)) => match failure.cause() {
            HueError::Refused { error, .. } => error.number,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

/// A call of a person's own that the bridge answers with this error.
fn refusal(number: u32) -> HueError {
    let simulation = one_lamp();
    simulation.fail("0 PUT", CallFault::Reply(200, error(number, "/config")));
    let transport = simulation.transport(0);
    let path = ClipTarget::parse("config").unwrap();
    let answer = simulation::run(clip(&transport.bridge(), Method::Put, &path, Some(b"{}")));
    answer.unwrap().unwrap().problem.unwrap()
}

#[test]
fn each_row_has_its_words() {
    for (number, advice) in [
        (1, Some("pair with the bridge again")),
        (2, Some("straight quotes")),
        (3, Some("mains hue lights")),
        (4, Some("too old")),
        (5, None),
        (6, Some("too old")),
        (7, None),
        (8, Some("too old")),
        (11, Some("ten serial numbers")),
        (12, None),
        (101, Some("press the round button")),
        (201, Some("switch the light on")),
        (203, Some("delete an unused light")),
        (901, Some("wait a few seconds")),
    ] {
        let problem = refusal(number);
        assert!(
            problem
                .to_string()
                .contains(&format!("(error {number} at /config)")),
            "{problem}"
        );
        match (problem.hint(), advice) {
            (Some(told), Some(expected)) => assert!(told.contains(expected), "{number}: {told}"),
            (told, expected) => assert_eq!(told, expected, "{number}"),
        }
        let HueError::Refused { error, .. } = problem else {
            panic!("{problem:?}")
        };
        assert_ne!(error.kind(), BridgeErrorKind::Other, "{number}");
    }
}

#[test]
fn a_key_that_the_bridge_does_not_know_stops_every_flow() {
    let simulation = one_lamp();
    let transport = simulation.transport(0);
    let mut bridge = transport.bridge();
    bridge.key = Some("another".parse().unwrap());
    let (operator, taking) = (ScriptedOperator::agreeing(), TakeoverOptions::default());
    assert_eq!(number_of(simulation::run(lights(&bridge))), 1);
    assert_eq!(number_of(simulation::run(identify(&bridge, "1"))), 1);
    assert_eq!(
        number_of(simulation::run(search(&bridge, &operator, &[]))),
        1
    );
    // V6.
    assert_eq!(
        number_of(simulation::run(takeover(&bridge, &operator, &taking))),
        1
    );
    assert!(
        simulation
            .calls()
            .iter()
            .all(|call| call.starts_with("0 GET"))
    );
    let simulation = home();
    simulation.fail("1 GET /lights", CallFault::error(1));
    assert_eq!(
        number_of(move_named(
            &simulation,
            "Desk",
            &ScriptedOperator::agreeing(),
            &options()
        )),
        1
    );
}

#[test]
fn a_light_that_is_gone_since_the_list_was_read() {
    let simulation = one_lamp();
    simulation.fail("0 PUT /lights/1/state", CallFault::error(3));
    assert_eq!(
        number_of(simulation::run(identify(
            &simulation.transport(0).bridge(),
            "1"
        ))),
        3
    );
}

#[test]
fn a_serial_number_that_is_mistyped() {
    let simulation = one_lamp();
    simulation.fail("0 POST /lights", CallFault::error(7));
    let options = TakeoverOptions {
        serial: Some("45AF34".parse().unwrap()),
        ..TakeoverOptions::default()
    };
    let transport = simulation.transport(0);
    let result = simulation::run(takeover(
        &transport.bridge(),
        &ScriptedOperator::agreeing(),
        &options,
    ));
    assert_eq!(number_of(result), 7);
}

#[test]
fn a_light_that_is_off_can_blink() {
    let simulation = one_lamp();
    simulation.fail("0 PUT /lights/1/state", CallFault::error(201));
    assert!(
        simulation::run(identify(&simulation.transport(0).bridge(), "1"))
            .unwrap()
            .is_ok()
    );
}

#[test]
fn an_internal_error_is_forgiven_once_but_for_a_touchlink() {
    let simulation = one_lamp();
    simulation.fail("0 POST /lights", CallFault::error(901));
    let transport = simulation.transport(0);
    assert!(
        simulation::run(search(
            &transport.bridge(),
            &ScriptedOperator::agreeing(),
            &[]
        ))
        .unwrap()
        .is_ok()
    );
    assert!(simulation.elapsed() >= Duration::from_secs(45));

    let simulation = one_lamp();
    for _ in 0..2 {
        simulation.fail("0 POST /lights", CallFault::error(901));
    }
    let transport = simulation.transport(0);
    assert_eq!(
        number_of(simulation::run(search(
            &transport.bridge(),
            &ScriptedOperator::agreeing(),
            &[]
        ))),
        901
    );
    assert_eq!(simulation.elapsed(), Duration::from_secs(5));

    let simulation = one_lamp();
    simulation.fail("0 PUT /config", CallFault::error(901));
    let transport = simulation.transport(0);
    let options = TakeoverOptions::default();
    let result = simulation::run(takeover(
        &transport.bridge(),
        &ScriptedOperator::agreeing(),
        &options,
    ));
    assert_eq!(number_of(result), 901);
    assert_eq!(simulation.count("0 PUT /config"), 1);
}

#[test]
fn what_is_no_answer_of_a_bridge() {
    for (status, body) in [
        (200, "[]"),
        (200, "<html><body>Not here</body></html>"),
        (404, "<html>"),
        (405, ""),
        (400, "[]"),
        (200, r#"{"1":{"name":"Lam"#),
    ] {
        let simulation = one_lamp();
        simulation.fail("0 GET /lights", CallFault::Reply(status, body.to_owned()));
        let transport = simulation.transport(0);
        let result = simulation::run(lights(&transport.bridge())).unwrap();
        let shown = result.unwrap_err().to_string();
        assert!(shown.contains(&format!("status {status}")), "{shown}");
        let seen = body.get(..2).unwrap_or("empty");
        assert!(shown.contains(seen), "{shown}");
    }
}
