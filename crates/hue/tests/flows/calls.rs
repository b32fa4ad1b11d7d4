//! Lists, searches, blinking, and calls of a person's own.

use std::time::Duration;

use hue::flow::{ClipTarget, clip, identify, lights, search};
use hue::{BulbSerial, ClipReply, HueError, HueNoReplyReason, Method};
use serde_json::{Value, json};

use crate::operator::ScriptedOperator;
use crate::simulation::{self, BulbOwner, CallFault, KEY, Simulation, unique_id};

fn call(
    simulation: &Simulation,
    method: Method,
    path: &str,
    body: Option<&str>,
) -> Result<ClipReply, HueError> {
    let transport = simulation.transport(0);
    let path = ClipTarget::parse(path)?;
    let body = body.map(str::as_bytes);
    simulation::run(clip(&transport.bridge(), method, &path, body)).expect("it ends")
}

fn json(told: &ClipReply) -> Value {
    serde_json::from_slice(&told.body).unwrap()
}

#[test]
fn lights_as_the_bridge_has_them() {
    let simulation = Simulation::new();
    simulation.bulb(BulbOwner::Bridge(0), None);
    simulation.bulb(BulbOwner::Bridge(0), None);
    simulation.change_bulb(1, |bulb| bulb.has_power = false);
    let transport = simulation.transport(0);
    let lights = simulation::run(lights(&transport.bridge()))
        .unwrap()
        .unwrap();
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
    let simulation = Simulation::new();
    simulation.bulb(BulbOwner::Bridge(0), None);
    let transport = simulation.transport(0);
    let bridge = transport.bridge();
    for name in ["1", "Lamp 0", "00:17:88:01:00:00:00:00"] {
        assert_eq!(
            simulation::run(identify(&bridge, name))
                .unwrap()
                .unwrap()
                .id,
            "1"
        );
    }
    assert_eq!(
        simulation.count(r#"0 PUT /lights/1/state {"alert":"select"}"#),
        3
    );
    let error = simulation::run(identify(&bridge, "Shelf"))
        .unwrap()
        .unwrap_err();
    assert!(matches!(error, HueError::NoSuchLight { .. }));
    simulation.bulb(BulbOwner::Bridge(0), None);
    simulation.change(0, |bridge| {
        for light in bridge.lights.values_mut() {
            light.name = "Desk".to_owned();
        }
    });
    let error = simulation::run(identify(&bridge, "Desk"))
        .unwrap()
        .unwrap_err();
    assert!(error.to_string().ends_with("1, 2"), "{error}");
}

#[test]
fn a_search_runs_to_its_end() {
    let simulation = Simulation::new();
    simulation.bulb(BulbOwner::Nobody, None);
    simulation.bulb(BulbOwner::Nobody, None);
    simulation.bulb(BulbOwner::Foreign, None);
    let transport = simulation.transport(0);
    let operator = ScriptedOperator::agreeing();
    let found = simulation::run(search(&transport.bridge(), &operator, &[]))
        .unwrap()
        .unwrap();
    assert_eq!(
        serde_json::to_value(&found).unwrap(),
        json!({"bridge": "001788fffe010200", "new_lights": [
            {"id": "1", "name": "Hue Lamp 1", "unique_id": unique_id(0)},
            {"id": "2", "name": "Hue Lamp 2", "unique_id": unique_id(1)},
        ]})
    );
    assert!((40..50).contains(&simulation.elapsed().as_secs()));
    assert_eq!(
        operator.heard().matches("new light").count(),
        2,
        "each is said once"
    );
    // The list of the search before is not taken for that of this one.
    let again = simulation::run(search(&transport.bridge(), &operator, &[]))
        .unwrap()
        .unwrap();
    assert!(again.new_lights.is_empty());
}

#[test]
fn eleven_serial_numbers_are_two_searches() {
    let simulation = Simulation::new();
    for _ in 0..12 {
        simulation.bulb(BulbOwner::Foreign, None);
    }
    let serials: Vec<BulbSerial> = (0..11)
        .map(|n| format!("45AF{n:02X}").parse().unwrap())
        .collect();
    let transport = simulation.transport(0);
    let found = simulation::run(search(
        &transport.bridge(),
        &ScriptedOperator::agreeing(),
        &serials,
    ))
    .unwrap()
    .unwrap();
    assert_eq!(found.new_lights.len(), 11);
    assert_eq!(simulation.count("0 POST /lights"), 2);
    assert_eq!(simulation.owner(11), BulbOwner::Foreign);
}

#[test]
fn a_search_that_never_ends_is_left() {
    let simulation = Simulation::new();
    simulation.change(0, simulation::SimulatedBridge::search_for_ever);
    let transport = simulation.transport(0);
    // The bridge's own search is waited for, then one is added to it; its end is 40 s later.
    let found = simulation::run(search(
        &transport.bridge(),
        &ScriptedOperator::agreeing(),
        &[],
    ))
    .unwrap()
    .unwrap();
    assert!(found.new_lights.is_empty());
    assert!(simulation.elapsed() < Duration::from_secs(250));
}

#[test]
fn lost_answers_while_it_searches_are_forgiven() {
    let simulation = Simulation::new();
    simulation.bulb(BulbOwner::Nobody, None);
    let transport = simulation.transport(0);
    // The calls before the first poll: two to see what is there, one for the end of the search before, and the start.
    for number in 4..7 {
        simulation.fail_nth(number, CallFault::Lost(HueNoReplyReason::TimedOut));
    }
    simulation.fail_nth(8, CallFault::Busy);
    let found = simulation::run(search(
        &transport.bridge(),
        &ScriptedOperator::agreeing(),
        &[],
    ))
    .unwrap()
    .unwrap();
    assert_eq!(found.new_lights.len(), 1);

    // But not without end.
    let simulation = Simulation::new();
    for number in 4..8 {
        simulation.fail_nth(number, CallFault::Lost(HueNoReplyReason::TimedOut));
    }
    let transport = simulation.transport(0);
    let result = simulation::run(search(
        &transport.bridge(),
        &ScriptedOperator::agreeing(),
        &[],
    ))
    .unwrap();
    assert!(matches!(result, Err(HueError::NoReply { .. })));
    assert_eq!(simulation.calls().len(), 8);

    // A start whose answer was lost has started it.
    let simulation = Simulation::new();
    simulation.bulb(BulbOwner::Nobody, None);
    simulation.fail(
        "0 POST /lights",
        CallFault::AnswerLost(HueNoReplyReason::Closed),
    );
    let transport = simulation.transport(0);
    let found = simulation::run(search(
        &transport.bridge(),
        &ScriptedOperator::agreeing(),
        &[],
    ))
    .unwrap()
    .unwrap();
    assert_eq!((found.new_lights.len(), simulation.count("0 POST")), (1, 1));
}

#[test]
fn any_call_as_it_was_meant() {
    let simulation = Simulation::new();
    simulation.bulb(BulbOwner::Bridge(0), None);
    let told = call(&simulation, Method::Get, "lights", None).unwrap();
    assert!(json(&told)["1"].is_object() && told.problem.is_none());
    let body = r#"{ "name": "Anna’s “desk”" }"#;
    let told = call(&simulation, Method::Put, "lights/1", Some(body)).unwrap();
    assert_eq!(
        json(&told),
        json!([{"success": {"/lights/1/name": "Anna’s “desk”"}}])
    );
    call(&simulation, Method::Get, "/api/config", None).unwrap();
    assert_eq!(
        simulation.calls(),
        [
            "0 GET /lights".to_owned(),
            format!("0 PUT /lights/1 {body}"),
            "0 GET /api/config".to_owned()
        ]
    );
}

#[test]
fn what_is_no_json_is_not_sent() {
    let simulation = Simulation::new();
    let wrong = "{“touchlink”: true}";
    let error = call(&simulation, Method::Put, "config", Some(wrong)).unwrap_err();
    assert!(matches!(error, HueError::Usage(_)));
    assert!(error.to_string().contains("column 2"), "{error}");
    assert!(error.to_string().contains("U+201C"), "{error}");
    assert!(call(&simulation, Method::Get, "config", Some("{}")).is_err());
    for path in [
        "lights 1",
        "lights/\n",
        "k\u{fc}che",
        "a#b",
        "a\"b",
        &"x".repeat(2000),
    ] {
        assert!(
            matches!(ClipTarget::parse(path), Err(HueError::Usage(_))),
            "{path:?}"
        );
    }
    assert!(simulation.calls().is_empty());
}

#[test]
fn what_a_bridge_refuses_is_shown_and_explained() {
    let simulation = Simulation::new();
    let told = call(&simulation, Method::Get, "lights/99", None).unwrap();
    assert!(json(&told)[0]["error"].is_object());
    let problem = told.problem.unwrap();
    assert!(matches!(&problem, HueError::Refused { error, .. } if error.number == 3));

    // A list can be an answer to a question, and an empty one is no success of a change.
    for (method, is_fine) in [
        (Method::Get, true),
        (Method::Put, false),
        (Method::Delete, false),
    ] {
        simulation.fail("0", CallFault::Reply(200, "[]".to_owned()));
        let told = call(&simulation, method, "scenes", None).unwrap();
        assert_eq!(told.problem.is_none(), is_fine, "{method}");
    }
    // A server that repeats the path does not get the key into an error.
    simulation.fail(
        "0",
        CallFault::Reply(404, format!("Cannot GET /api/{KEY}/lights")),
    );
    let error = call(&simulation, Method::Get, "lights", None).unwrap_err();
    assert!(
        error.to_string().contains("Cannot GET /api/<key>/lights"),
        "{error}"
    );
    assert!(!format!("{error:?}").contains("KEY0"));
}

#[test]
fn the_second_interface_says_it_by_the_status() {
    let simulation = Simulation::new();
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
        simulation.fail("0", CallFault::Reply(status, body.to_owned()));
        let told = call(&simulation, Method::Delete, path, None).unwrap();
        assert_eq!(
            (told.status, told.problem.is_none()),
            (status, is_fine),
            "{body}"
        );
    }
    simulation.fail(
        "0",
        CallFault::Reply(403, r#"{"errors":[{"description":"x"}]}"#.to_owned()),
    );
    let told = call(&simulation, Method::Get, path, None).unwrap();
    assert!(told.problem.unwrap().hint().unwrap().contains("pair"));
}

#[test]
fn a_key_is_needed_where_it_is_sent() {
    let simulation = Simulation::new();
    let transport = simulation.transport(0);
    let mut bridge = transport.bridge();
    bridge.key = None;
    let read = |path| ClipTarget::parse(path).unwrap();
    for path in ["lights", "/clip/v2/resource"] {
        let result = simulation::run(clip(&bridge, Method::Get, &read(path), None)).unwrap();
        assert!(matches!(result, Err(HueError::NotPaired(_))));
    }
    assert!(matches!(
        simulation::run(lights(&bridge)).unwrap(),
        Err(HueError::NotPaired(_))
    ));
    assert!(simulation.calls().is_empty());
    assert!(
        simulation::run(clip(&bridge, Method::Get, &read("/api/config"), None))
            .unwrap()
            .is_ok()
    );
}
