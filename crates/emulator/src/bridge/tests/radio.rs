//! Touchlink, searching, deleting: who gets which bulb.

use super::*;

#[test]
fn touchlink_and_then_a_search() {
    let mut bench = RoomBench::square(&[], &["near:foreign"]);
    assert_eq!(bench.search(0, ""), 0, "a bound bulb is not found");
    bench.touchlink(0);
    assert_eq!(bench.owner(0).as_deref(), Some(FIRST));
    assert_eq!(bench.bulb(0).blinked, 1);
    assert!(bench.lights(0).is_empty(), "not before it was searched for");
    assert_eq!(bench.search(0, "{}"), 1);
    assert_eq!(bench.lights(0), [bench.bulb(0).unique_id]);
}

#[test]
fn touchlink_takes_the_nearest_and_then_the_next() {
    let mut bench = RoomBench::square(
        &[],
        &["far:foreign", "near:foreign", "near:dimmer", "near:1"],
    );
    bench.touchlink(0);
    assert_eq!(bench.owner(1).as_deref(), Some(FIRST));
    assert_eq!(bench.owner(2).as_deref(), Some("dimmer"));
    bench.touchlink(0);
    assert_eq!(bench.owner(2).as_deref(), Some(FIRST));
    bench.touchlink(0);
    assert_eq!(bench.owner(0).as_deref(), Some("foreign"), "too far away");
}

#[test]
fn a_bulb_that_is_on_for_half_an_hour_takes_no_touchlink() {
    let mut bench = RoomBench::square(&[], &["near:foreign"]);
    bench.wait(Duration::from_secs(30 * 60));
    bench.touchlink(0);
    assert_eq!(bench.owner(0).as_deref(), Some("foreign"));
    bench.room.power(bench.now, 0, false);
    bench.touchlink(0);
    assert_eq!(bench.owner(0).as_deref(), Some("foreign"), "without power");
    bench.room.power(bench.now, 0, true);
    bench.wait(Duration::from_secs(30 * 60 - 2));
    bench.touchlink(0);
    assert_eq!(bench.owner(0).as_deref(), Some(FIRST));
}

#[test]
fn one_touchlink_at_a_time() {
    let mut bench = RoomBench::square(&[], &["near:foreign", "near:foreign"]);
    let order = r#"{"touchlink":true}"#;
    bench.ask("PUT", "/api/K/config", order);
    bench.ask("PUT", "/api/K/config", order);
    bench.ask("PUT", "/api/K/config", r#"{"touchlink":false}"#);
    bench.wait(TOUCHLINK);
    assert_eq!(bench.owner(0).as_deref(), Some(FIRST));
    assert_eq!(bench.owner(1).as_deref(), Some("foreign"));
}

#[test]
fn a_plain_search_finds_what_is_as_from_the_shop() {
    let mut bench = RoomBench::square(&[], &["far", "near", "near:foreign"]);
    assert_eq!(bench.search(0, ""), 2);
    assert_eq!(bench.search(0, ""), 0, "the list of new ones begins anew");
    assert_eq!(bench.lights(0).len(), 2);
}

#[test]
fn a_serial_calls_a_bulb_out_of_any_network() {
    let mut bench = RoomBench::pair(&["far:foreign", "far:2", "far:foreign"]);
    let serials = [0, 1].map(|index| bench.bulb(index).serial.to_ascii_lowercase());
    let unique = bench.bulb(0).unique_id.replace([':', '-'], "");
    assert!(
        !unique.contains(&serials[0]),
        "the serial cannot be worked out"
    );
    let body = serde_json::json!({"deviceid": serials}).to_string();
    assert_eq!(bench.search(0, &body), 2);
    assert_eq!(bench.owner(1).as_deref(), Some(FIRST));
    let second = bench.ask_at(1, "GET", "/api/K/lights/1", "");
    assert_eq!(
        second["state"]["reachable"], false,
        "the other bridge lists it still"
    );
}

#[test]
fn how_a_search_is_told() {
    let mut bench = RoomBench::square(&[], &["near"]);
    let new = |bench: &mut RoomBench| bench.ask("GET", "/api/K/lights/new", "");
    assert_eq!(new(&mut bench), serde_json::json!({"lastscan": "none"}));
    bench.ask("POST", "/api/K/lights", "");
    assert_eq!(new(&mut bench), serde_json::json!({"lastscan": "active"}));
    bench.wait(Duration::from_secs(3));
    let found = serde_json::json!({"1": {"name": "Hue color lamp 1"}, "lastscan": "active"});
    assert_eq!(new(&mut bench), found, "a bulb is there before the end");
    bench.ask("POST", "/api/K/lights", "");
    bench.wait(Duration::from_secs(4));
    assert_eq!(
        new(&mut bench),
        found,
        "the second search prolongs the first"
    );
    bench.wait(Duration::from_secs(1));
    assert_eq!(new(&mut bench)["lastscan"], "2026-11-23T10:00:08");
}

#[test]
fn a_powered_bulb_that_is_deleted_is_as_from_the_shop() {
    let mut bench = RoomBench::square(&[], &["far:1"]);
    bench.ask("DELETE", "/api/K/lights/1", "");
    assert_eq!(bench.owner(0), None);
    assert_eq!(bench.search(0, ""), 1);
    assert!(
        bench.ask("GET", "/api/K/lights/2", "")["name"].is_string(),
        "a number is never used again"
    );
}

#[test]
fn a_bulb_without_power_that_is_deleted_is_lost() {
    let mut bench = RoomBench::square(&[], &["near:1"]);
    bench.room.power(bench.now, 0, false);
    bench.ask("DELETE", "/api/K/lights/1", "");
    bench.room.power(bench.now, 0, true);
    assert_eq!(bench.owner(0).as_deref(), Some("lost"));
    assert_eq!(bench.search(0, ""), 0);
    bench.touchlink(0);
    assert_eq!(bench.search(0, ""), 1);
}

#[test]
fn a_bulb_that_is_switched_on_during_a_search_is_found() {
    let mut bench = RoomBench::square(&["unpowered"], &["near"]);
    bench.ask("POST", "/api/K/lights", "");
    bench.wait(Duration::from_secs(2));
    bench.room.power(bench.now, 0, true);
    bench.wait(Duration::from_secs(2));
    assert_eq!(bench.lights(0).len(), 1);
}

#[test]
fn the_room_tells_when_something_happens_next() {
    let mut bench = RoomBench::square(&[], &["near:foreign"]);
    assert_eq!(bench.room.poll_timeout(), None);
    bench.ask("PUT", "/api/K/config", r#"{"touchlink":true}"#);
    assert_eq!(bench.room.poll_timeout(), Some(bench.now + TOUCHLINK));
    let begin = bench.now;
    bench.ask("POST", "/api/K/lights", "");
    bench.room.advance(begin + TOUCHLINK);
    assert!(
        bench.room.poll_timeout().unwrap() < begin + SEARCH,
        "the captured bulb joins"
    );
    bench.room.advance(begin + SEARCH);
    assert_eq!(bench.room.poll_timeout(), None);
}
