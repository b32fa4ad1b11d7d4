//! Lists, searches, blinking, and calls of a person's own.

use std::time::Duration;

use hue::flow::{ClipTarget, clip, identify, lights, search};
use hue::{Clip, HueError, Method, Serial, Silence};
use serde_json::{Value, json};

use crate::person::Person;
use crate::world::{self, Fault, KEY, Owner, World, unique_id};

fn call(world: &World, method: Method, path: &str, body: Option<&str>) -> Result<Clip, HueError> {
    let way = world.way(0);
    let path = ClipTarget::read(path)?;
    let body = body.map(str::as_bytes);
    world::run(clip(&way.bridge(), method, &path, body)).expect("it ends")
}

fn json(told: &Clip) -> Value {
    serde_json::from_slice(&told.body).unwrap()
}

#[test]
fn lights_as_the_bridge_has_them() {
    let world = World::new();
    world.bulb(Owner::Bridge(0), None);
    world.bulb(Owner::Bridge(0), None);
    world.change_bulb(1, |bulb| bulb.has_power = false);
    let way = world.way(0);
    let lights = world::run(lights(&way.bridge())).unwrap().unwrap();
    assert_eq!(
        serde_json::to_value(lights).unwrap(),
        json!([
            {"id": "1", "name": "Lamp 0", "unique_id": unique_id(0), "model": "LCT007", "reachable": true},
            {"id": "2", "name": "Lamp 1", "unique_id": unique_id(1), "model": "LCT007", "reachable": false},
        ])
    );
}

#[test]
fn a_light_blinks_by_any_of_its_names() {
    let world = World::new();
    world.bulb(Owner::Bridge(0), None);
    let way = world.way(0);
    let bridge = way.bridge();
    for name in ["1", "Lamp 0", "00:17:88:01:00:00:00:00"] {
        assert_eq!(
            world::run(identify(&bridge, name)).unwrap().unwrap().id,
            "1"
        );
    }
    assert_eq!(
        world.count(r#"0 PUT /lights/1/state {"alert":"select"}"#),
        3
    );
    let error = world::run(identify(&bridge, "Shelf")).unwrap().unwrap_err();
    assert!(matches!(error, HueError::NoSuchLight { .. }));
    world.bulb(Owner::Bridge(0), None);
    world.change(0, |bridge| {
        for light in bridge.lights.values_mut() {
            light.name = "Desk".to_owned();
        }
    });
    let error = world::run(identify(&bridge, "Desk")).unwrap().unwrap_err();
    assert!(error.to_string().ends_with("1, 2"), "{error}");
}

#[test]
fn a_search_runs_to_its_end() {
    let world = World::new();
    world.bulb(Owner::Nobody, None);
    world.bulb(Owner::Nobody, None);
    world.bulb(Owner::Foreign, None);
    let way = world.way(0);
    let person = Person::agreeing();
    let found = world::run(search(&way.bridge(), &person, &[]))
        .unwrap()
        .unwrap();
    assert_eq!(
        serde_json::to_value(&found).unwrap(),
        json!({"bridge": "001788fffe010200", "new_lights": [
            {"id": "1", "name": "Hue Lamp 1", "unique_id": unique_id(0)},
            {"id": "2", "name": "Hue Lamp 2", "unique_id": unique_id(1)},
        ]})
    );
    assert!((40..50).contains(&world.elapsed().as_secs()));
    assert_eq!(
        person.heard().matches("new light").count(),
        2,
        "each is said once"
    );
    // The list of the search before is not taken for that of this one.
    let again = world::run(search(&way.bridge(), &person, &[]))
        .unwrap()
        .unwrap();
    assert!(again.new_lights.is_empty());
}

#[test]
fn eleven_serial_numbers_are_two_searches() {
    let world = World::new();
    for _ in 0..12 {
        world.bulb(Owner::Foreign, None);
    }
    let serials: Vec<Serial> = (0..11)
        .map(|n| format!("45AF{n:02X}").parse().unwrap())
        .collect();
    let way = world.way(0);
    let found = world::run(search(&way.bridge(), &Person::agreeing(), &serials))
        .unwrap()
        .unwrap();
    assert_eq!(found.new_lights.len(), 11);
    assert_eq!(world.count("0 POST /lights"), 2);
    assert_eq!(world.owner(11), Owner::Foreign);
}

#[test]
fn a_search_that_never_ends_is_left() {
    let world = World::new();
    world.change(0, world::Sim::search_for_ever);
    let way = world.way(0);
    // The bridge's own search is waited for, then one is added to it; its end is 40 s later.
    let found = world::run(search(&way.bridge(), &Person::agreeing(), &[]))
        .unwrap()
        .unwrap();
    assert!(found.new_lights.is_empty());
    assert!(world.elapsed() < Duration::from_secs(250));
}

#[test]
fn lost_answers_while_it_searches_are_forgiven() {
    let world = World::new();
    world.bulb(Owner::Nobody, None);
    let way = world.way(0);
    // The calls before the first poll: two to see what is there, one for the end of the search before, and the start.
    for number in 4..7 {
        world.fail_nth(number, Fault::Lost(Silence::TimedOut));
    }
    world.fail_nth(8, Fault::Busy);
    let found = world::run(search(&way.bridge(), &Person::agreeing(), &[]))
        .unwrap()
        .unwrap();
    assert_eq!(found.new_lights.len(), 1);

    // But not without end.
    let world = World::new();
    for number in 4..8 {
        world.fail_nth(number, Fault::Lost(Silence::TimedOut));
    }
    let way = world.way(0);
    let result = world::run(search(&way.bridge(), &Person::agreeing(), &[])).unwrap();
    assert!(matches!(result, Err(HueError::NoAnswer { .. })));
    assert_eq!(world.calls().len(), 8);

    // A start whose answer was lost has started it.
    let world = World::new();
    world.bulb(Owner::Nobody, None);
    world.fail("0 POST /lights", Fault::AnswerLost(Silence::Closed));
    let way = world.way(0);
    let found = world::run(search(&way.bridge(), &Person::agreeing(), &[]))
        .unwrap()
        .unwrap();
    assert_eq!((found.new_lights.len(), world.count("0 POST")), (1, 1));
}

#[test]
fn any_call_as_it_was_meant() {
    let world = World::new();
    world.bulb(Owner::Bridge(0), None);
    let told = call(&world, Method::Get, "lights", None).unwrap();
    assert!(json(&told)["1"].is_object() && told.problem.is_none());
    let body = r#"{ "name": "Anna’s “desk”" }"#;
    let told = call(&world, Method::Put, "lights/1", Some(body)).unwrap();
    assert_eq!(
        json(&told),
        json!([{"success": {"/lights/1/name": "Anna’s “desk”"}}])
    );
    call(&world, Method::Get, "/api/config", None).unwrap();
    assert_eq!(
        world.calls(),
        [
            "0 GET /lights".to_owned(),
            format!("0 PUT /lights/1 {body}"),
            "0 GET /api/config".to_owned()
        ]
    );
}

#[test]
fn what_is_no_json_is_not_sent() {
    let world = World::new();
    let wrong = "{“touchlink”: true}";
    let error = call(&world, Method::Put, "config", Some(wrong)).unwrap_err();
    assert!(matches!(error, HueError::Usage(_)));
    assert!(error.to_string().contains("column 2"), "{error}");
    assert!(error.to_string().contains("U+201C"), "{error}");
    assert!(call(&world, Method::Get, "config", Some("{}")).is_err());
    for path in [
        "lights 1",
        "lights/\n",
        "k\u{fc}che",
        "a#b",
        "a\"b",
        &"x".repeat(2000),
    ] {
        assert!(
            matches!(ClipTarget::read(path), Err(HueError::Usage(_))),
            "{path:?}"
        );
    }
    assert!(world.calls().is_empty());
}

#[test]
fn what_a_bridge_refuses_is_shown_and_explained() {
    let world = World::new();
    let told = call(&world, Method::Get, "lights/99", None).unwrap();
    assert!(json(&told)[0]["error"].is_object());
    let problem = told.problem.unwrap();
    assert!(matches!(&problem, HueError::Refused { error, .. } if error.number == 3));

    // A list can be an answer to a question, and an empty one is no success of a change.
    for (method, is_fine) in [
        (Method::Get, true),
        (Method::Put, false),
        (Method::Delete, false),
    ] {
        world.fail("0", Fault::Reply(200, "[]".to_owned()));
        let told = call(&world, method, "scenes", None).unwrap();
        assert_eq!(told.problem.is_none(), is_fine, "{method}");
    }
    // A server that repeats the path does not get the key into an error.
    world.fail(
        "0",
        Fault::Reply(404, format!("Cannot GET /api/{KEY}/lights")),
    );
    let error = call(&world, Method::Get, "lights", None).unwrap_err();
    assert!(
        error.to_string().contains("Cannot GET /api/<key>/lights"),
        "{error}"
    );
    assert!(!format!("{error:?}").contains("KEY0"));
}

#[test]
fn the_second_interface_says_it_by_the_status() {
    let world = World::new();
    let path = "/clip/v2/resource/device/1";
    for (status, body, is_fine) in [
        (200, r#"{"errors":[],"data":[{"rid":"1"}]}"#, true),
        (
            207,
            r#"{"errors":[{"description":"partly"}],"data":[]}"#,
            false,
        ),
        (
            403,
            r#"{"errors":[{"description":"forbidden"}],"data":[]}"#,
            false,
        ),
        (404, r#"{"errors":[{"description":"Not Found"}]}"#, false),
        (507, r#"{"errors":[{"description":"full"}]}"#, false),
        (503, r#"{"errors":[]}"#, false),
        (200, r#"{"data":[]}"#, false),
    ] {
        world.fail("0", Fault::Reply(status, body.to_owned()));
        let told = call(&world, Method::Delete, path, None).unwrap();
        assert_eq!(
            (told.status, told.problem.is_none()),
            (status, is_fine),
            "{body}"
        );
    }
    world.fail(
        "0",
        Fault::Reply(403, r#"{"errors":[{"description":"x"}]}"#.to_owned()),
    );
    let told = call(&world, Method::Get, path, None).unwrap();
    assert!(told.problem.unwrap().advice().unwrap().contains("pair"));
}

#[test]
fn a_key_is_needed_where_it_is_sent() {
    let world = World::new();
    let way = world.way(0);
    let mut bridge = way.bridge();
    bridge.key = None;
    let read = |path| ClipTarget::read(path).unwrap();
    for path in ["lights", "/clip/v2/resource"] {
        let result = world::run(clip(&bridge, Method::Get, &read(path), None)).unwrap();
        assert!(matches!(result, Err(HueError::NotPaired(_))));
    }
    assert!(matches!(
        world::run(lights(&bridge)).unwrap(),
        Err(HueError::NotPaired(_))
    ));
    assert!(world.calls().is_empty());
    assert!(
        world::run(clip(&bridge, Method::Get, &read("/api/config"), None))
            .unwrap()
            .is_ok()
    );
}
