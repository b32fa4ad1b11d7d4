use std::sync::Arc;

use api::MeterEvent;
use plugs::{FamilyId, Plug};
use serde_json::json;

use super::*;

pub(in crate::commands::watch) fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

pub(in crate::commands::watch) fn mac(last: u8) -> Mac {
    Mac::new([0xac, 0xcf, 0x23, 0, 0, last])
}

pub(in crate::commands::watch) fn view(
    last: u8,
    name: Option<&str>,
    relay: RelayState,
) -> PlugView {
    let address = [127, 0, 0, last].into();
    let plug = Plug {
        name: name.map(str::to_owned),
        relay: Some(relay),
        ..Plug::new(mac(last), FamilyId::RECO, address, now())
    };
    PlugView {
        plug,
        available: true,
        reading: None,
        energy_total_wh: None,
        room: None,
        metering: "10s".parse().unwrap(),
        power_on: None,
        relay_since: None,
        still_drawing_w: None,
        often_unplugged: false,
    }
}

pub(in crate::commands::watch) fn plug(last: u8, name: Option<&str>, relay: RelayState) -> Event {
    Event::Plug(Arc::new(view(last, name, relay)))
}

fn reading(last: u8, power_w: f64) -> Reading {
    Reading {
        plug: mac(last),
        at: now(),
        voltage_v: Some(226.94),
        current_a: None,
        frequency_hz: Some(50.0),
        power_w: Some(power_w),
        energy_wh: Some(548),
    }
}

pub(in crate::commands::watch) fn metered(
    last: u8,
    power_w: f64,
    energy_total_wh: Option<u64>,
) -> Event {
    Event::Reading(MeterEvent {
        reading: reading(last, power_w).into(),
        energy_total_wh,
    })
}

pub(in crate::commands::watch) fn ago(seconds: i64) -> Timestamp {
    now() - SignedDuration::from_secs(seconds)
}

/// Five plugs: one that does not reply, one whose reading is stale, one that was never metered, two that are present.
pub(in crate::commands::watch) fn board() -> Board {
    let mut board = Board::default();
    let gone = PlugView {
        available: false,
        reading: Some(reading(4, 500.0)),
        ..view(4, Some("attic"), RelayState::On)
    };
    for (event, seconds) in [
        (plug(3, None, RelayState::On), 60),
        (plug(1, Some("tv"), RelayState::On), 60),
        (plug(2, Some("Fridge"), RelayState::Off), 60),
        (plug(6, Some("cellar"), RelayState::On), 60),
        (plug(5, Some("sold"), RelayState::On), 60),
        (metered(6, 900.0, None), 40),
        (metered(1, 60.0, Some(12340)), 12),
        (metered(1, 78.44, Some(12345)), 2),
        (metered(3, 2000.0, None), 0),
        (Event::Availability(Arc::new(gone)), 3600),
        (Event::PlugRemoved(mac(5)), 0),
    ] {
        board.take(&event, ago(seconds));
    }
    board
}

fn today() -> Vec<EnergyRow> {
    serde_json::from_value(json!([
        {"mac": mac(1), "period": "2026-11-22", "energy_wh": 1000.0, "cost": 0.3, "currency": "EUR"},
        {"mac": mac(1), "period": "2026-11-22", "energy_wh": 200.0, "cost": 0.05, "currency": "EUR"},
        {"mac": mac(2), "period": "2026-11-22", "energy_wh": 34.0, "cost": 0.01, "currency": "EUR"},
        {"mac": mac(5), "period": "2026-11-22", "energy_wh": 9000.0, "cost": 3.0, "currency": "EUR", "removed": true},
    ]))
    .unwrap()
}

#[test]
fn totals_count_what_is_present() {
    let mut board = board();
    let totals = board.totals(now());
    assert_eq!((totals.plugs, totals.on, totals.gone), (5, 3, 1));
    assert!((totals.watts - 2078.44).abs() < 1e-9, "{totals:?}");
    assert_eq!((totals.today_wh, totals.cost), (None, None));
    board.disconnect(now());
    let totals = board.totals(now());
    assert_eq!((totals.plugs, totals.on), (5, 0));
    assert!(totals.watts.abs() < 1e-9, "{totals:?}");
    assert_eq!(board.disconnected(), Some(now()));
    board.take(&plug(1, Some("tv"), RelayState::On), now());
    assert_eq!(board.disconnected(), None);
    assert_eq!(board.totals(now()).on, 3);
}

#[test]
fn energy_of_today_is_that_of_the_watched_plugs() {
    let mut board = board();
    board.set_today(today());
    let totals = board.totals(now());
    assert_eq!(totals.today_wh, Some(1234.0));
    let (cost, currency) = totals.cost.unwrap();
    assert!((cost - 0.36).abs() < 1e-9);
    assert_eq!(currency, "EUR");
    assert_eq!(board.plug(mac(1)).unwrap().today_wh, Some(1200.0));
    assert_eq!(board.plug(mac(3)).unwrap().today_wh, None);
    // A plug that is adopted later has its own.
    board.take(&plug(5, None, RelayState::On), now());
    assert_eq!(board.plug(mac(5)).unwrap().today_wh, Some(9000.0));
    let mut rows = today();
    rows[2].cost = None;
    board.set_today(rows);
    assert_eq!(board.totals(now()).cost, None, "a part has no price");
}

#[test]
fn a_reading_is_present_for_two_intervals_and_a_bit() {
    let board = board();
    let is_present = |last| {
        board
            .plug(mac(last))
            .unwrap()
            .present_reading(now())
            .is_some()
    };
    let present = [1, 2, 3, 4, 6].map(is_present);
    assert_eq!(present, [true, false, true, false, false]);
}

#[test]
fn a_relay_moves_when_that_is_confirmed() {
    let mut board = board();
    board.begin_switch(mac(2), RelayCommand::On);
    assert_eq!(board.relay(mac(2)), Some(RelayState::Off));
    assert_eq!(board.plug(mac(2)).unwrap().pending, Some(RelayCommand::On));
    board.end_switch(mac(2), None);
    assert_eq!(board.relay(mac(2)), Some(RelayState::Off));
    board.begin_switch(mac(2), RelayCommand::On);
    board.end_switch(mac(2), Some(RelayState::On));
    assert_eq!(board.relay(mac(2)), Some(RelayState::On));
    assert_eq!(board.plug(mac(2)).unwrap().pending, None);
    // A plug that was removed meanwhile.
    board.begin_switch(mac(9), RelayCommand::On);
    board.end_switch(mac(9), Some(RelayState::On));
    assert!(board.plug(mac(9)).is_none());
}

#[test]
fn the_past_of_a_hub_stands_before_the_present() {
    let mut board = board();
    let past: History = serde_json::from_value(json!({"step_s": 10, "points": [
        {"t": ago(40), "power_w": 11.0, "power_min_w": null, "power_max_w": null, "energy_wh": 0.0},
        {"t": ago(30), "power_w": null, "power_min_w": null, "power_max_w": null, "energy_wh": 0.0},
        {"t": ago(10), "power_w": 12.0, "power_min_w": null, "power_max_w": null, "energy_wh": 0.0},
    ]}))
    .unwrap();
    board.set_past(mac(1), &past);
    board.set_past(mac(9), &past);
    let slots = board.slots(5, now());
    let expected = [Some(11.0), None, Some(60.0), Some(78.44), Some(78.44)];
    assert_eq!(board.plug(mac(1)).unwrap().trend(slots), expected);
}

#[test]
fn the_trend_of_all_has_the_slots_of_the_shortest_interval() {
    let mut board = board();
    let slots = board.slots(3, now());
    assert_eq!(slots.seconds, 10);
    let total = board.total_trend(slots);
    assert_eq!(total, [Some(960.0), Some(78.44), Some(2078.44)]);
    let quick = PlugView {
        metering: "1s".parse().unwrap(),
        ..view(7, None, RelayState::On)
    };
    board.take(&Event::Plug(Arc::new(quick)), now());
    assert_eq!(board.slots(3, now()).seconds, 5);
    assert_eq!(Board::default().total_trend(slots), []);
}
