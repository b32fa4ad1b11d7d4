//! The state of the watched plugs. Pure: now is a parameter.

use std::collections::HashMap;
use std::time::Duration;

use api::{EnergyRow, Event, History, Metering, PlugView};
use hiflying::Mac;
use jiff::{SignedDuration, Timestamp};
use plugs::{Capability, Reading, RelayCommand, RelayState, families};

use super::trend::{self, Trend, TrendSlots};

/// Age beyond two intervals of metering at which a reading no longer counts as present.
const STALE_DELAY: SignedDuration = SignedDuration::from_secs(15);
/// Shortest and longest slot of a trend, in seconds.
const MIN_SLOT_SECONDS: u64 = 5;
const MAX_SLOT_SECONDS: u64 = 60;

/// The state of one plug.
#[derive(Debug)]
pub(super) struct BoardPlug {
    /// The plug as it was reported last.
    pub(super) view: PlugView,
    /// Our time of the last reading: a hub's clock can differ.
    pub(super) metered: Option<Timestamp>,
    /// The command that is being carried out.
    pub(super) pending: Option<RelayCommand>,
    /// Energy of today in watt-hours, where a hub knows it.
    pub(super) today_wh: Option<f64>,
    trend: Trend,
}

/// The plugs that are watched.
#[derive(Debug, Default)]
pub(super) struct Board {
    plugs: HashMap<Mac, BoardPlug>,
    /// Energy and cost of today, as the hub reported it last.
    today: Vec<EnergyRow>,
    /// The time since when the hub cannot be reached.
    disconnected: Option<Timestamp>,
}

/// Sums of all plugs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct BoardTotals {
    /// Number of plugs.
    pub(super) plugs: usize,
    /// Number of plugs that are on.
    pub(super) on: usize,
    /// Number of plugs that do not reply.
    pub(super) gone: usize,
    /// Power of all present readings in watts.
    pub(super) watts: f64,
    /// Energy of today in watt-hours, where a hub knows it.
    pub(super) today_wh: Option<f64>,
    /// Cost of that energy and its currency, where all of it has a price in one.
    pub(super) cost: Option<(f64, String)>,
}

impl Board {
    /// Takes note of an event.
    pub(super) fn take(&mut self, event: &Event, now: Timestamp) {
        self.disconnected = None;
        match event {
            Event::Plug(view) | Event::Availability(view) => self.update(view, now),
            Event::Reading(event) => {
                if let Some(plug) = self.plugs.get_mut(&event.reading.plug) {
                    plug.view.energy_total_wh = event.energy_total_wh.or(plug.view.energy_total_wh);
                    plug.view.reading = Some(Reading::clone(&event.reading));
                    plug.metered = Some(now);
                    plug.trend.add(now, event.reading.power_w);
                }
            }
            Event::PlugRemoved(mac) => drop(self.plugs.remove(mac)),
            _ => {}
        }
    }

    /// Takes note of a lost connection: nothing is known until the next event.
    pub(super) fn disconnect(&mut self, now: Timestamp) {
        self.disconnected = self.disconnected.or(Some(now));
        for plug in self.plugs.values_mut() {
            plug.trend.interrupt(now);
        }
    }

    /// Returns the time since when the hub cannot be reached.
    pub(super) fn disconnected(&self) -> Option<Timestamp> {
        self.disconnected
    }

    fn update(&mut self, view: &PlugView, now: Timestamp) {
        let mut view = view.clone();
        let mac = view.plug.mac;
        let Some(known) = self.plugs.get_mut(&mac) else {
            let metered = view.reading.as_ref().map(|reading| reading.at.min(now));
            let mut trend = Trend::default();
            if let (true, Some(at), Some(reading)) = (view.available, metered, &view.reading) {
                trend.add(at, reading.power_w);
            }
            let plug = BoardPlug {
                view,
                metered,
                pending: None,
                today_wh: self.today_of(mac),
                trend,
            };
            self.plugs.insert(mac, plug);
            return;
        };
        view.plug.relay = view.plug.relay.or(known.view.plug.relay);
        if known.view.reading != view.reading {
            known.metered = view.reading.as_ref().map(|reading| reading.at.min(now));
        }
        if !view.available {
            known.trend.interrupt(now);
        }
        known.view = view;
    }

    /// Takes note of the energy and cost of today.
    pub(super) fn set_today(&mut self, rows: Vec<EnergyRow>) {
        self.today = rows;
        let macs: Vec<Mac> = self.plugs.keys().copied().collect();
        for mac in macs {
            let today = self.today_of(mac);
            if let Some(plug) = self.plugs.get_mut(&mac) {
                plug.today_wh = today;
            }
        }
    }

    /// Takes note of what a plug used before it was watched.
    pub(super) fn set_past(&mut self, mac: Mac, past: &History) {
        let interval = self.slots(1, Timestamp::UNIX_EPOCH).seconds;
        let (half, per_step) = (interval / 2, (past.step_s / interval).max(1));
        if let Some(plug) = self.plugs.get_mut(&mac) {
            // A step of the past can be longer than the interval at which the trend needs samples.
            let samples = past.points.iter().flat_map(|point| {
                let at =
                    move |number| point.t + SignedDuration::from_secs(half + number * interval);
                (0..per_step).map(move |number| (at(number), point.power_w))
            });
            plug.trend.precede(samples);
        }
    }

    fn today_of(&self, mac: Mac) -> Option<f64> {
        let rows = self.today.iter().filter(|row| row.mac == mac);
        rows.map(|row| row.energy_wh)
            .reduce(|sum, energy| sum + energy)
    }

    /// Takes note that a command was sent.
    pub(super) fn begin_switch(&mut self, mac: Mac, action: RelayCommand) {
        if let Some(plug) = self.plugs.get_mut(&mac) {
            plug.pending = Some(action);
        }
    }

    /// Takes note of the outcome of a command; `confirmed` is the position that the plug has reported.
    pub(super) fn end_switch(&mut self, mac: Mac, confirmed: Option<RelayState>) {
        if let Some(plug) = self.plugs.get_mut(&mac) {
            plug.pending = None;
            plug.view.plug.relay = confirmed.or(plug.view.plug.relay);
        }
    }

    /// Returns a plug.
    pub(super) fn plug(&self, mac: Mac) -> Option<&BoardPlug> {
        self.plugs.get(&mac)
    }

    /// Returns all plugs, in no order.
    pub(super) fn plugs(&self) -> impl Iterator<Item = &BoardPlug> {
        self.plugs.values()
    }

    /// Returns the position of a plug's relay.
    pub(super) fn relay(&self, mac: Mac) -> Option<RelayState> {
        self.plug(mac)?.view.plug.relay
    }

    /// Returns the name of a plug, else its MAC.
    pub(super) fn name(&self, mac: Mac) -> String {
        self.plug(mac)
            .map_or_else(|| mac.to_string(), BoardPlug::name)
    }

    /// Returns the sums.
    pub(super) fn totals(&self, now: Timestamp) -> BoardTotals {
        let is_known = self.disconnected.is_none();
        let present: Vec<&BoardPlug> = self
            .plugs()
            .filter(|plug| is_known && plug.view.available)
            .collect();
        let is_on = |plug: &&&BoardPlug| plug.view.plug.relay == Some(RelayState::On);
        let readings = present.iter().filter_map(|plug| plug.present_reading(now));
        let rows = || {
            let rows = self.today.iter();
            rows.filter(|row| self.plugs.contains_key(&row.mac))
        };
        BoardTotals {
            plugs: self.plugs.len(),
            on: present.iter().filter(is_on).count(),
            gone: self.plugs().filter(|plug| !plug.view.available).count(),
            watts: readings.filter_map(|reading| reading.power_w).sum(),
            today_wh: rows()
                .map(|row| row.energy_wh)
                .reduce(|sum, more| sum + more),
            cost: cost(rows()),
        }
    }

    /// Returns the slots of the trends: as long as the shortest interval of metering, within bounds.
    pub(super) fn slots(&self, count: usize, now: Timestamp) -> TrendSlots {
        let intervals = self.plugs().filter_map(|plug| match plug.view.metering {
            Metering::Every(period) => Some(period.get().as_secs()),
            Metering::Off => None,
        });
        let seconds = intervals.min().unwrap_or(MIN_SLOT_SECONDS);
        let seconds = seconds.clamp(MIN_SLOT_SECONDS, MAX_SLOT_SECONDS);
        TrendSlots {
            count,
            seconds: i64::try_from(seconds).expect("at most a minute"),
            now,
        }
    }

    /// Returns the power of all plugs together over the last minutes.
    pub(super) fn total_trend(&self, slots: TrendSlots) -> Vec<Option<f64>> {
        let mut total = Vec::new();
        for plug in self.plugs() {
            trend::sum(&mut total, plug.trend(slots));
        }
        total
    }
}

/// Returns the cost of rows and its currency; `None` unless all energy has a price in one currency.
fn cost<'a>(rows: impl Iterator<Item = &'a EnergyRow>) -> Option<(f64, String)> {
    let mut total: Option<(f64, String)> = None;
    for row in rows.filter(|row| row.energy_wh > 0.0) {
        let (cost, currency) = (row.cost?, row.currency.clone()?);
        total = match total {
            None => Some((cost, currency)),
            Some((sum, known)) if known == currency => Some((sum + cost, known)),
            Some(_) => return None,
        };
    }
    total
}

impl BoardPlug {
    /// Returns its name, else its MAC.
    pub(super) fn name(&self) -> String {
        let plug = &self.view.plug;
        plug.name.clone().unwrap_or_else(|| plug.mac.to_string())
    }

    /// Returns true if it is a plug of a family with this ability.
    pub(super) fn can(&self, ability: Capability) -> bool {
        families::all().can(self.view.plug.family, ability)
    }

    /// Returns the reading, unless it is too old to be shown as present.
    pub(super) fn present_reading(&self, now: Timestamp) -> Option<&Reading> {
        let limit = self.stale_limit();
        let is_present =
            |metered: Timestamp| self.view.available && now.duration_since(metered) <= limit;
        self.view
            .reading
            .as_ref()
            .filter(|_| self.metered.is_some_and(is_present))
    }

    fn stale_limit(&self) -> SignedDuration {
        let interval = match self.view.metering {
            Metering::Every(period) => period.get(),
            Metering::Off => Duration::ZERO,
        };
        SignedDuration::try_from(interval * 2).map_or(SignedDuration::MAX, |interval| {
            interval.saturating_add(STALE_DELAY)
        })
    }

    /// Returns its lifetime energy in watt-hours, from a hub, else what its own counter shows.
    pub(super) fn energy_wh(&self) -> Option<u64> {
        let own = self.view.reading.as_ref();
        self.view
            .energy_total_wh
            .or(own.and_then(|reading| reading.energy_wh))
    }

    /// Returns its power over the last minutes.
    pub(super) fn trend(&self, slots: TrendSlots) -> Vec<Option<f64>> {
        self.trend.slots(slots, self.stale_limit())
    }
}

#[cfg(test)]
pub(super) mod tests {
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

    pub(in crate::commands::watch) fn plug(
        last: u8,
        name: Option<&str>,
        relay: RelayState,
    ) -> Event {
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
}
