//! The error table of the protocol page, each row through a flow that can meet it.

use std::time::Duration;

use hue::flow::{ClipTarget, clip, identify, lights, search, takeover};
use hue::{HueError, Method, TakeoverOptions};

use crate::moving::{home, move_it, options};
use crate::person::Person;
use crate::world::{self, Fault, Owner, World, error};

fn one_lamp() -> World {
    let world = World::new();
    world.bulb(Owner::Bridge(0), Some(0));
    world
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
    let world = one_lamp();
    world.fail("0 PUT", Fault::Reply(200, error(number, "/config")));
    let way = world.way(0);
    let path = ClipTarget::read("config").unwrap();
    let answer = world::run(clip(&way.bridge(), Method::Put, &path, Some(b"{}")));
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
        (203, Some("delete a light")),
        (901, Some("wait some seconds")),
    ] {
        let problem = refusal(number);
        assert!(
            problem
                .to_string()
                .contains(&format!("(error {number} at /config)")),
            "{problem}"
        );
        match (problem.advice(), advice) {
            (Some(told), Some(expected)) => assert!(told.contains(expected), "{number}: {told}"),
            (told, expected) => assert_eq!(told, expected, "{number}"),
        }
        let HueError::Refused { error, .. } = problem else {
            panic!("{problem:?}")
        };
        assert_ne!(error.meaning().words(), "the bridge refused", "{number}");
    }
}

#[test]
fn a_key_that_the_bridge_does_not_know_stops_every_flow() {
    let world = one_lamp();
    let way = world.way(0);
    let mut bridge = way.bridge();
    bridge.key = Some("another".parse().unwrap());
    let (person, taking) = (Person::agreeing(), TakeoverOptions::default());
    assert_eq!(number_of(world::run(lights(&bridge))), 1);
    assert_eq!(number_of(world::run(identify(&bridge, "1"))), 1);
    assert_eq!(number_of(world::run(search(&bridge, &person, &[]))), 1);
    // V6.
    assert_eq!(
        number_of(world::run(takeover(&bridge, &person, &taking))),
        1
    );
    assert!(world.calls().iter().all(|call| call.starts_with("0 GET")));
    let world = home();
    world.fail("1 GET /lights", Fault::error(1));
    assert_eq!(
        number_of(move_it(&world, "Desk", &Person::agreeing(), &options())),
        1
    );
}

#[test]
fn a_light_that_is_gone_since_the_list_was_read() {
    let world = one_lamp();
    world.fail("0 PUT /lights/1/state", Fault::error(3));
    assert_eq!(
        number_of(world::run(identify(&world.way(0).bridge(), "1"))),
        3
    );
}

#[test]
fn a_serial_number_that_is_mistyped() {
    let world = one_lamp();
    world.fail("0 POST /lights", Fault::error(7));
    let options = TakeoverOptions {
        serial: Some("45AF34".parse().unwrap()),
        ..TakeoverOptions::default()
    };
    let way = world.way(0);
    let result = world::run(takeover(&way.bridge(), &Person::agreeing(), &options));
    assert_eq!(number_of(result), 7);
}

#[test]
fn a_light_that_is_off_can_blink() {
    let world = one_lamp();
    world.fail("0 PUT /lights/1/state", Fault::error(201));
    assert!(
        world::run(identify(&world.way(0).bridge(), "1"))
            .unwrap()
            .is_ok()
    );
}

#[test]
fn an_internal_error_is_forgiven_once_but_for_a_touchlink() {
    let world = one_lamp();
    world.fail("0 POST /lights", Fault::error(901));
    let way = world.way(0);
    assert!(
        world::run(search(&way.bridge(), &Person::agreeing(), &[]))
            .unwrap()
            .is_ok()
    );
    assert!(world.elapsed() >= Duration::from_secs(45));

    let world = one_lamp();
    for _ in 0..2 {
        world.fail("0 POST /lights", Fault::error(901));
    }
    let way = world.way(0);
    assert_eq!(
        number_of(world::run(search(&way.bridge(), &Person::agreeing(), &[]))),
        901
    );
    assert_eq!(world.elapsed(), Duration::from_secs(5));

    let world = one_lamp();
    world.fail("0 PUT /config", Fault::error(901));
    let way = world.way(0);
    let options = TakeoverOptions::default();
    let result = world::run(takeover(&way.bridge(), &Person::agreeing(), &options));
    assert_eq!(number_of(result), 901);
    assert_eq!(world.count("0 PUT /config"), 1);
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
        let world = one_lamp();
        world.fail("0 GET /lights", Fault::Reply(status, body.to_owned()));
        let way = world.way(0);
        let result = world::run(lights(&way.bridge())).unwrap();
        let shown = result.unwrap_err().to_string();
        assert!(shown.contains(&format!("status {status}")), "{shown}");
        let seen = body.get(..2).unwrap_or("nothing");
        assert!(shown.contains(seen), "{shown}");
    }
}
