//! `on`, `off` and `toggle` against a plug that says exactly what the test wants.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::home::Home;
use crate::scripted::{MAC, ScriptedPlug, scan_reply, standard_reply};

const ADDRESS: [u8; 4] = [127, 20, 0, 1];

fn talking(
    udp: impl Fn(usize) -> Option<String> + Send + Sync + 'static,
    tcp: &'static str,
) -> ScriptedPlug {
    ScriptedPlug::start(
        ADDRESS,
        Box::new(move |_, count| udp(count)),
        Some(Box::new(move |_, _| Some(tcp.to_owned()))),
    )
}

#[test]
fn on_is_confirmed_by_the_plug() {
    let home = Home::with_network();
    let plug = ScriptedPlug::obedient(ADDRESS);
    let run = home.json(&["on", &plug.target()]).ends_with(0);
    let result = &run.json()[0];
    assert_eq!(
        (&result["plug"], &result["relay"], &result["confirmed"]),
        (&json!(MAC), &json!("on"), &json!(true))
    );
    assert!(result["elapsed_ms"].is_number(), "{result}");
    assert!(result.get("error").is_none(), "{result}");
    let requests = plug.requests();
    assert!(
        requests
            .iter()
            .any(|request| request.starts_with("AT+YZSWITCH=1,ON,")),
        "{requests:?}"
    );

    let run = home.run(&["off", &plug.target()]).ends_with(0);
    assert!(run.stdout.contains("127.20.0.1 is off"), "{run:?}");
    assert_eq!(run.stderr, "");
}

#[test]
fn toggle_reads_first() {
    let home = Home::with_network();
    let plug = ScriptedPlug::obedient(ADDRESS);
    assert_eq!(
        home.json(&["toggle", &plug.target()]).ends_with(0).json()[0]["relay"],
        "on"
    );
    assert_eq!(
        home.json(&["toggle", &plug.target()]).ends_with(0).json()[0]["relay"],
        "off"
    );
}

#[test]
fn a_relay_that_does_not_move_is_5_with_result_and_error() {
    let home = Home::with_network();
    let plug = talking(|_| Some(scan_reply(ADDRESS, false)), "+ok\r\n\r\n");
    let run = home.json(&["on", &plug.target()]).ends_with(5);
    let result = &run.json()[0];
    assert_eq!(
        (&result["relay"], &result["confirmed"]),
        (&json!("off"), &json!(false))
    );
    assert_eq!(result["plug"], MAC);
    assert_eq!(result["error"]["kind"], "refused");
    let run = home.run(&["on", &plug.target()]).ends_with(5);
    assert!(run.stderr.starts_with("error: "), "{run:?}");
}

#[test]
fn a_slow_relay_is_waited_for() {
    let home = Home::with_network();
    let switched: Arc<std::sync::Mutex<Option<Instant>>> = Arc::default();
    let shown = switched.clone();
    let udp = move |_: &str, _| {
        let on = shown
            .lock()
            .unwrap()
            .is_some_and(|at: Instant| at.elapsed() > Duration::from_millis(700));
        Some(scan_reply(ADDRESS, on))
    };
    let tcp = move |request: &str, _| {
        switched.lock().unwrap().get_or_insert_with(Instant::now);
        Some(standard_reply(request))
    };
    let plug = ScriptedPlug::start(ADDRESS, Box::new(udp), Some(Box::new(tcp)));
    let run = home.json(&["on", &plug.target()]).ends_with(0);
    assert!(
        run.json()[0]["elapsed_ms"].as_f64().unwrap() >= 700.0,
        "{run:?}"
    );
}

#[test]
fn accepted_but_never_seen_again_is_4_with_result_and_error() {
    let home = Home::with_network();
    let plug = talking(|_| None, "+ok\r\n\r\n");
    let run = home.json(&["on", &plug.target()]).ends_with(4);
    let result = &run.json()[0];
    assert_eq!(
        (&result["relay"], &result["confirmed"]),
        (&json!(null), &json!(false))
    );
    assert_eq!(result["error"]["kind"], "no_answer");
}

#[test]
fn a_refusal_is_5_and_babble_is_6() {
    let home = Home::with_network();
    let plug = talking(|_| Some(scan_reply(ADDRESS, false)), "+ERROR\r\n\r\n");
    let element = home.json(&["on", &plug.target()]).ends_with(5).json()[0].clone();
    assert_eq!(
        (&element["plug"], &element["error"]["kind"]),
        (&json!("127.20.0.1"), &json!("refused"))
    );
    drop(plug);
    let address = [127, 20, 0, 2];
    let udp = move |_: &str, _| Some(scan_reply(address, false));
    let plug = ScriptedPlug::start(
        address,
        Box::new(udp),
        Some(Box::new(|_, _| Some("<html>\r\n\r\n".to_owned()))),
    );
    let element = home.json(&["on", &plug.target()]).ends_with(6).json()[0].clone();
    assert_eq!(element["error"]["kind"], "bad_answer");
}

#[test]
fn a_second_line_that_lies_is_not_believed() {
    let home = Home::with_network();
    let on = Arc::new(AtomicUsize::new(0));
    let shown = on.clone();
    let udp = move |_: &str, _| Some(scan_reply(ADDRESS, shown.load(Ordering::SeqCst) > 0));
    let tcp = move |_: &str, _| {
        on.fetch_add(1, Ordering::SeqCst);
        Some("+ok\r\n\r\n+error\r\n\r\n".to_owned())
    };
    let plug = ScriptedPlug::start(ADDRESS, Box::new(udp), Some(Box::new(tcp)));
    assert_eq!(
        home.json(&["on", &plug.target()]).ends_with(0).json()[0]["confirmed"],
        true
    );
}

#[test]
fn nothing_at_the_address_is_4_and_a_closed_port_too() {
    let home = Home::with_network();
    let element = home.json(&["on", "127.20.0.9"]).ends_with(4).json()[0].clone();
    assert_eq!(
        (&element["plug"], &element["error"]["kind"]),
        (&json!("127.20.0.9"), &json!("no_answer"))
    );
    let plug = ScriptedPlug::start(
        ADDRESS,
        Box::new(|_, _| Some(scan_reply(ADDRESS, false))),
        None,
    );
    let element = home.json(&["on", &plug.target()]).ends_with(4).json()[0].clone();
    assert_eq!(element["error"]["kind"], "no_answer");
    assert!(element["error"]["hint"].is_string());
}
