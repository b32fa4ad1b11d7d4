//! The first meeting.

use std::time::Duration;

use hue::flow::device_type;
use hue::{AppKey, FlowProgress, HueError, PairOptions};

use crate::operator::ScriptedOperator;
use crate::simulation::{self, CallFault, KEY, Simulation};

fn options() -> PairOptions {
    PairOptions {
        device_type: device_type("mains", "shelf"),
        wait: PairOptions::BUTTON_TIMEOUT,
    }
}

fn pair(simulation: &Simulation, operator: &ScriptedOperator) -> Result<AppKey, HueError> {
    let transport = simulation.transport(0);
    let mut bridge = transport.bridge();
    bridge.key = None;
    simulation::run(hue::flow::pair(&bridge, operator, &options())).expect("it ends")
}

fn pressed_after(seconds: u64) -> Simulation {
    let simulation = Simulation::new();
    simulation.change(0, |bridge| {
        bridge.pressed_at = Some(Duration::from_secs(seconds));
    });
    simulation
}

#[test]
fn the_button_is_waited_for() {
    let simulation = pressed_after(5);
    let operator = ScriptedOperator::agreeing();
    let key = pair(&simulation, &operator).unwrap();
    assert_eq!(key.expose(), KEY);
    // The request of the protocol page.
    let request = r#"0 POST /api {"devicetype":"mains#shelf","generateclientkey":true}"#;
    assert!(simulation.calls().iter().all(|call| call == request));
    assert_eq!(simulation.calls().len(), 6);
    let told = operator.told.lock().unwrap();
    let left = |seconds| FlowProgress::PressTheButton {
        left: Duration::from_secs(seconds),
    };
    assert_eq!(
        told.as_slice(),
        [left(60), left(59), left(58), left(57), left(56)]
    );
}

#[test]
fn the_button_is_not_waited_for_for_ever() {
    let simulation = Simulation::new();
    let error = pair(&simulation, &ScriptedOperator::agreeing()).unwrap_err();
    assert!(
        matches!(&error, HueError::Refused { error, .. } if error.number == 101),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("button"));
    assert_eq!(simulation.elapsed(), Duration::from_secs(60));
    assert_eq!(simulation.calls().len(), 61);

    // Who asks for a button that was pressed just now asks once.
    let simulation = Simulation::new();
    let transport = simulation.transport(0);
    let once = PairOptions {
        wait: Duration::ZERO,
        ..options()
    };
    assert!(
        simulation::run(hue::flow::pair(
            &transport.bridge(),
            &ScriptedOperator::agreeing(),
            &once
        ))
        .unwrap()
        .is_err()
    );
    assert_eq!(
        (simulation.calls().len(), simulation.elapsed()),
        (1, Duration::ZERO)
    );
}

#[test]
fn a_round_bridge_is_not_asked_for_a_client_key() {
    let simulation = pressed_after(0);
    simulation.change(0, |bridge| bridge.make_round(Some("1.13.0")));
    pair(&simulation, &ScriptedOperator::agreeing()).unwrap();
    assert_eq!(
        simulation.calls(),
        [r#"0 POST /api {"devicetype":"mains#shelf"}"#]
    );
}

#[test]
fn everything_that_can_happen() {
    for fault in CallFault::each() {
        let simulation = pressed_after(0);
        simulation.fail("0 POST /api", fault.clone());
        let result = pair(&simulation, &ScriptedOperator::agreeing());
        let forgiven = matches!(&fault, CallFault::Reply(_, body)
            if body.contains("\"type\":101") || body.contains("\"type\":901"));
        assert_eq!(result.is_ok(), forgiven, "{fault:?}: {result:?}");
        // Only what the bridge has answered is asked again.
        assert_eq!(
            simulation.calls().len(),
            1 + usize::from(forgiven),
            "{fault:?}"
        );
    }
    // deconz says it with a status of its own.
    let simulation = pressed_after(0);
    let body = r#"[{"error":{"address":"","description":"link button not pressed","type":101}}]"#;
    simulation.fail("0 POST /api", CallFault::Reply(403, body.to_owned()));
    let key = pair(&simulation, &ScriptedOperator::agreeing()).unwrap();
    assert_eq!((key.expose(), simulation.calls().len()), (KEY, 2));
    // An internal error is forgiven once, five seconds later.
    let simulation = pressed_after(0);
    simulation.fail("0 POST /api", CallFault::error(901));
    simulation.fail("0 POST /api", CallFault::error(901));
    assert!(pair(&simulation, &ScriptedOperator::agreeing()).is_err());
    assert_eq!(simulation.elapsed(), Duration::from_secs(5));
}

#[test]
fn no_error_carries_what_could_be_a_key() {
    for body in [
        r#"[{"success":{"username":"SECRETSECRET","#,
        r#"[{"success":{"username":"SECRET/SECRET"}}]"#,
        r#"[{"success":{"username":7,"clientkey":"SECRET"}}]"#,
        r#"{"username":"SECRET"}"#,
    ] {
        let simulation = Simulation::new();
        simulation.fail("0 POST /api", CallFault::Reply(200, body.to_owned()));
        let error = pair(&simulation, &ScriptedOperator::agreeing()).unwrap_err();
        assert!(matches!(error, HueError::BadReply { .. }), "{error}");
        assert!(
            !format!("{error} {error:?}").contains("SECRET"),
            "{error:?}"
        );
    }
    let simulation = pressed_after(0);
    let paired = pair(&simulation, &ScriptedOperator::agreeing()).unwrap();
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
