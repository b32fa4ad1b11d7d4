//! The first meeting.

use std::time::Duration;

use hue::flow::device_type;
use hue::{HueError, PairOptions, Paired, Progress, Silence};

use crate::person::Person;
use crate::world::{self, Fault, KEY, World};

fn options() -> PairOptions {
    PairOptions {
        device_type: device_type("mains", "shelf"),
        wait: PairOptions::WAIT,
    }
}

fn pair(world: &World, person: &Person) -> Result<Paired, HueError> {
    let way = world.way(0);
    let mut bridge = way.bridge();
    bridge.key = None;
    world::run(hue::flow::pair(&bridge, person, &options())).expect("it ends")
}

fn pressed_after(seconds: u64) -> World {
    let world = World::new();
    world.change(0, |bridge| {
        bridge.pressed_at = Some(Duration::from_secs(seconds));
    });
    world
}

#[test]
fn the_button_is_waited_for() {
    let world = pressed_after(5);
    let person = Person::agreeing();
    let paired = pair(&world, &person).unwrap();
    assert_eq!(paired.key.expose(), KEY);
    assert!(paired.client_key.is_some());
    assert_eq!(paired.id.unwrap().as_str(), "001788fffe010200");
    // The request of the protocol page.
    let request = r#"0 POST /api {"devicetype":"mains#shelf","generateclientkey":true}"#;
    assert!(world.calls().iter().all(|call| call == request));
    assert_eq!(world.calls().len(), 6);
    let told = person.told.lock().unwrap();
    let left = |seconds| Progress::PressTheButton {
        left: Duration::from_secs(seconds),
    };
    assert_eq!(
        told.as_slice(),
        [left(60), left(59), left(58), left(57), left(56)]
    );
}

#[test]
fn the_button_is_not_waited_for_for_ever() {
    let world = World::new();
    let error = pair(&world, &Person::agreeing()).unwrap_err();
    assert!(
        matches!(&error, HueError::Refused { error, .. } if error.number == 101),
        "{error}"
    );
    assert!(error.advice().unwrap().contains("button"));
    assert_eq!(world.elapsed(), Duration::from_secs(60));
    assert_eq!(world.calls().len(), 61);

    // Who asks for a button that was pressed just now asks once.
    let world = World::new();
    let way = world.way(0);
    let once = PairOptions {
        wait: Duration::ZERO,
        ..options()
    };
    assert!(
        world::run(hue::flow::pair(&way.bridge(), &Person::agreeing(), &once))
            .unwrap()
            .is_err()
    );
    assert_eq!((world.calls().len(), world.elapsed()), (1, Duration::ZERO));
}

#[test]
fn a_round_bridge_has_no_client_key() {
    let world = pressed_after(0);
    world.change(0, |bridge| bridge.make_round(Some("1.13.0")));
    let paired = pair(&world, &Person::agreeing()).unwrap();
    assert!(paired.client_key.is_none());
    assert_eq!(
        world.calls(),
        [r#"0 POST /api {"devicetype":"mains#shelf"}"#]
    );
}

#[test]
fn the_oldest_bridge_tells_its_id_to_who_has_a_key() {
    let oldest = || {
        let world = pressed_after(0);
        world.change(0, |bridge| bridge.make_round(None));
        world
    };
    let world = oldest();
    assert_eq!(
        pair(&world, &Person::agreeing())
            .unwrap()
            .id
            .unwrap()
            .as_str(),
        "001788fffe010200"
    );
    // That it does not is no reason to lose the key.
    let world = oldest();
    world.fail("0 GET /config", Fault::Lost(Silence::TimedOut));
    let paired = pair(&world, &Person::agreeing()).unwrap();
    assert_eq!((paired.id, paired.key.expose()), (None, KEY));
}

#[test]
fn everything_that_can_happen() {
    for fault in Fault::each() {
        let world = pressed_after(0);
        world.fail("0 POST /api", fault.clone());
        let result = pair(&world, &Person::agreeing());
        let forgiven = matches!(&fault, Fault::Reply(_, body)
            if body.contains("\"type\":101") || body.contains("\"type\":901"));
        assert_eq!(result.is_ok(), forgiven, "{fault:?}: {result:?}");
        // Only what the bridge has answered is asked again.
        assert_eq!(world.calls().len(), 1 + usize::from(forgiven), "{fault:?}");
    }
    // An internal error is forgiven once, five seconds later.
    let world = pressed_after(0);
    world.fail("0 POST /api", Fault::error(901));
    world.fail("0 POST /api", Fault::error(901));
    assert!(pair(&world, &Person::agreeing()).is_err());
    assert_eq!(world.elapsed(), Duration::from_secs(5));
}

#[test]
fn no_error_carries_what_could_be_a_key() {
    for body in [
        r#"[{"success":{"username":"SECRETSECRET","#,
        r#"[{"success":{"username":"SECRET/SECRET"}}]"#,
        r#"[{"success":{"username":7,"clientkey":"SECRET"}}]"#,
        r#"{"username":"SECRET"}"#,
    ] {
        let world = World::new();
        world.fail("0 POST /api", Fault::Reply(200, body.to_owned()));
        let error = pair(&world, &Person::agreeing()).unwrap_err();
        assert!(matches!(error, HueError::BadReply { .. }), "{error}");
        assert!(
            !format!("{error} {error:?}").contains("SECRET"),
            "{error:?}"
        );
    }
    let world = pressed_after(0);
    let paired = pair(&world, &Person::agreeing()).unwrap();
    assert!(!format!("{paired:?}").contains("KEY0"));
}

#[test]
fn a_program_has_a_name_that_a_bridge_takes() {
    assert_eq!(device_type("mains", "shelf"), "mains#shelf");
    assert_eq!(device_type("mains", ""), "mains");
    assert_eq!(device_type("mains", "K\u{fc}che#1\"\n"), "mains#Kche1");
    let longest = device_type(&"a".repeat(30), &"b".repeat(30));
    assert_eq!(longest.len(), 40);
}
