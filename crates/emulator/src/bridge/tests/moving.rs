//! Two bridges of one room: a bulb goes from one to the other.

use super::*;

#[test]
fn the_documented_order_moves_a_bulb() {
    let mut bench = RoomBench::pair(&["far:1"]);
    let id = bench.bulb(0).unique_id;
    bench.ask_at(1, "POST", "/api/K/lights", "");
    bench.ask_at(0, "DELETE", "/api/K/lights/1", "");
    assert_eq!(bench.search(1, ""), 1);
    assert_eq!((bench.lights(0), bench.lights(1)), (vec![], vec![id]));
    assert_eq!(bench.owner(0).as_deref(), Some(SECOND));
}

#[test]
fn a_bridge_that_searches_itself_takes_its_bulb_back() {
    let mut bench = RoomBench::pair(&["far:1"]);
    bench.ask_at(0, "POST", "/api/K/lights", "");
    bench.ask_at(1, "POST", "/api/K/lights", "");
    bench.ask_at(0, "DELETE", "/api/K/lights/1", "");
    bench.wait(SEARCH);
    assert_eq!(bench.owner(0).as_deref(), Some(FIRST));
    assert!(bench.lights(1).is_empty());
}

#[test]
fn an_unreachable_bulb_needs_the_fall_back() {
    let mut bench = RoomBench::pair(&["near:1"]);
    bench.room.power(bench.now, 0, false);
    bench.ask_at(1, "POST", "/api/K/lights", "");
    bench.ask_at(0, "DELETE", "/api/K/lights/1", "");
    bench.room.power(bench.now, 0, true);
    assert_eq!(bench.search(1, ""), 0);
    bench.touchlink(1);
    assert_eq!(bench.search(1, ""), 1);
}

#[test]
fn a_bridge_that_is_robbed_lists_a_bulb_that_it_does_not_reach() {
    let mut bench = RoomBench::pair(&["near:1"]);
    bench.touchlink(1);
    bench.search(1, "");
    assert_eq!(bench.lights(0), bench.lights(1));
    assert_eq!(
        bench.ask_at(0, "GET", "/api/K/lights/1", "")["state"]["reachable"],
        false
    );
    bench.ask_at(0, "DELETE", "/api/K/lights/1", "");
    assert_eq!(
        bench.owner(0).as_deref(),
        Some(SECOND),
        "it is not its to reset"
    );
}

#[test]
fn a_bulb_comes_home_under_its_old_number() {
    let mut bench = RoomBench::pair(&["near:1"]);
    bench.touchlink(1);
    bench.touchlink(0);
    assert_eq!(bench.search(0, ""), 0, "known already, so not new");
    assert_eq!(
        bench.ask("GET", "/api/K/lights/1", "")["state"]["reachable"],
        true
    );
}
