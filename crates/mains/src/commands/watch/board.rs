//! The state of the watched plugs, and its table. Pure: now is a parameter.

use std::collections::HashMap;
use std::time::Duration;

use api::text::energy;
use api::{Event, Metering, PlugView};
use hiflying::Mac;
use jiff::{SignedDuration, Timestamp};
use plugs::{Reading, RelayState};

use crate::inventory::folded;
use crate::plug_table::{figure, gone, relay, rounded};
use crate::ui::table::{Cell, Column, Table};
use crate::ui::{BAD, BOLD, DIM, paint};
use api::duration;

/// Age beyond two intervals of metering at which a reading no longer counts as present.
const STALE_DELAY: SignedDuration = SignedDuration::from_secs(15);

/// The state of one plug.
#[derive(Debug)]
struct Row {
    view: PlugView,
    /// Our time of the last reading: a hub's clock can differ.
    metered: Option<Timestamp>,
}

/// The plugs that are watched.
#[derive(Debug, Default)]
pub(super) struct Board {
    rows: HashMap<Mac, Row>,
    /// `true` while the hub cannot be reached.
    is_disconnected: bool,
}

impl Board {
    /// Takes note of an event.
    pub(super) fn take(&mut self, event: &Event, now: Timestamp) {
        self.is_disconnected = false;
        match event {
            Event::Plug(view) | Event::Availability(view) => self.update(view, now),
            Event::Reading(event) => {
                if let Some(row) = self.rows.get_mut(&event.reading.plug) {
                    row.view.energy_total_wh = event.energy_total_wh.or(row.view.energy_total_wh);
                    row.view.reading = Some(Reading::clone(&event.reading));
                    row.metered = Some(now);
                }
            }
            Event::PlugRemoved(mac) => drop(self.rows.remove(mac)),
            _ => {}
        }
    }

    /// Takes note of a lost connection: nothing is known until the next event.
    pub(super) fn disconnect(&mut self) {
        self.is_disconnected = true;
    }

    fn update(&mut self, view: &PlugView, now: Timestamp) {
        let mut view = view.clone();
        let known = self.rows.remove(&view.plug.mac);
        if let Some(known) = &known {
            view.plug.relay = view.plug.relay.or(known.view.plug.relay);
        }
        let is_known = |known: &Row| known.view.reading == view.reading;
        let metered = match known.filter(is_known) {
            Some(known) => known.metered,
            None => view.reading.as_ref().map(|reading| reading.at.min(now)),
        };
        self.rows.insert(view.plug.mac, Row { view, metered });
    }

    /// Returns the position of a plug's relay.
    pub(super) fn relay(&self, mac: Mac) -> Option<RelayState> {
        self.rows.get(&mac)?.view.plug.relay
    }

    /// Returns what a plug is called.
    pub(super) fn name(&self, mac: Mac) -> String {
        let name = self
            .rows
            .get(&mac)
            .and_then(|row| row.view.plug.name.clone());
        name.unwrap_or_else(|| mac.to_string())
    }

    /// Returns the table, and what all of them draw together.
    pub(super) fn picture(&self, now: Timestamp) -> String {
        if self.rows.is_empty() {
            return "no plug has been heard yet".to_owned();
        }
        let mut rows: Vec<(&Mac, &Row)> = self.rows.iter().collect();
        // Those with a name first, by name.
        rows.sort_by_cached_key(|(mac, row)| {
            let name = row.view.plug.name.as_deref().map(folded);
            (name.is_none(), name, mac.octets())
        });
        let mut table = Table::new([
            Column::text("NAME", 0),
            Column::text("RELAY", 0),
            Column::figures("POWER", 9),
            Column::figures("VOLTAGE", 7),
            Column::figures("CURRENT", 7),
            Column::figures("ENERGY", 11),
            Column::figures("METERED", 0),
        ]);
        for (_, row) in &rows {
            table.row(row.cells(self.is_disconnected, now));
        }
        let sum = match self.is_disconnected {
            true => paint(BAD, "the hub cannot be reached; reconnecting"),
            false => paint(DIM, sum(&rows, now)),
        };
        format!("{}\n{sum}", table.render())
    }
}

impl Row {
    /// Returns the reading, unless it is too old to be shown as present.
    fn present_reading(&self, now: Timestamp) -> Option<&Reading> {
        let interval = match self.view.metering {
            Metering::Every(period) => period.get(),
            Metering::Off => Duration::ZERO,
        };
        let limit = SignedDuration::try_from(interval * 2).ok()? + STALE_DELAY;
        let is_present =
            |metered: Timestamp| self.view.available && now.duration_since(metered) <= limit;
        self.view
            .reading
            .as_ref()
            .filter(|_| self.metered.is_some_and(is_present))
    }

    fn cells(&self, is_disconnected: bool, now: Timestamp) -> [Cell; 7] {
        let view = &self.view;
        let present = self.present_reading(now).filter(|_| !is_disconnected);
        let [power, voltage, current] = figures(present);
        let total = view
            .energy_total_wh
            .or(view.reading.as_ref().and_then(|reading| reading.energy_wh));
        let age = self.metered.map(|metered| age(metered, now));
        let name = view.plug.name.clone();
        let name = name.unwrap_or_else(|| view.plug.mac.to_string());
        let is_gone = is_disconnected || !view.available;
        [
            Cell::styled(if is_gone { DIM } else { BOLD }, name),
            match (is_disconnected, view.available) {
                (true, _) => Cell::unknown(),
                (false, false) => gone(),
                (false, true) => relay(view.plug.relay),
            },
            power,
            voltage,
            current,
            // Exact up to 9,000 TWh.
            Cell::maybe(total.map(|total| energy(total as f64))),
            Cell::maybe_styled(DIM, age),
        ]
    }
}

/// Power, voltage and current; dashes where they are not known.
pub(super) fn figures(reading: Option<&Reading>) -> [Cell; 3] {
    [
        figure(reading.and_then(|reading| reading.power_w), 1, "W"),
        figure(reading.and_then(|reading| reading.voltage_v), 1, "V"),
        figure(reading.and_then(|reading| reading.current_a), 2, "A"),
    ]
}

fn age(at: Timestamp, now: Timestamp) -> String {
    let seconds = at.duration_until(now).as_secs().max(0).unsigned_abs();
    match seconds {
        0 => "now".to_owned(),
        _ => format!("{} ago", duration::show(Duration::from_secs(seconds))),
    }
}

fn sum(rows: &[(&Mac, &Row)], now: Timestamp) -> String {
    let present = rows.iter().filter_map(|(_, row)| row.present_reading(now));
    let watts: f64 = present.filter_map(|reading| reading.power_w).sum();
    let watts = rounded(watts, 1);
    match rows.len() {
        1 => format!("1 plug, {watts} W"),
        count => format!("{count} plugs, {watts} W"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use api::MeterEvent;
    use plugs::{FamilyId, Plug};

    use super::*;

    fn now() -> Timestamp {
        "2026-11-22T12:00:00Z".parse().unwrap()
    }

    fn mac(last: u8) -> Mac {
        Mac::new([0xac, 0xcf, 0x23, 0, 0, last])
    }

    fn view(last: u8, name: Option<&str>, relay: RelayState) -> PlugView {
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

    fn plug(last: u8, name: Option<&str>, relay: RelayState) -> Event {
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

    fn metered(last: u8, power_w: f64, energy_total_wh: Option<u64>) -> Event {
        Event::Reading(MeterEvent {
            reading: reading(last, power_w).into(),
            energy_total_wh,
        })
    }

    fn ago(seconds: i64) -> Timestamp {
        now() - SignedDuration::from_secs(seconds)
    }

    fn board() -> Board {
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
            (metered(1, 78.44, Some(12345)), 2),
            (metered(3, 2000.0, None), 0),
            (Event::Availability(Arc::new(gone)), 3600),
            (Event::PlugRemoved(mac(5)), 0),
        ] {
            board.take(&event, ago(seconds));
        }
        board
    }

    fn bare(picture: &str) -> String {
        anstream::adapter::strip_str(picture).to_string()
    }

    #[test]
    fn a_picture_of_all() {
        assert_eq!(
            Board::default().picture(now()),
            "no plug has been heard yet"
        );
        let board = board();
        insta::assert_snapshot!(bare(&board.picture(now())), @r"
            NAME               RELAY     POWER  VOLTAGE  CURRENT      ENERGY  METERED
            attic              gone          -        -        -    548.0 Wh   1h ago
            cellar             ON            -        -        -    548.0 Wh  40s ago
            Fridge             off           -        -        -           -        -
            tv                 ON       78.4 W  226.9 V        -  12.345 kWh   2s ago
            AC:CF:23:00:00:03  ON     2000.0 W  226.9 V        -    548.0 Wh      now
            5 plugs, 2078.4 W
            ");
        assert_eq!(
            (board.name(mac(1)), board.name(mac(3))),
            ("tv".into(), "AC:CF:23:00:00:03".into())
        );
    }

    #[test]
    fn old_figures_are_not_shown_as_present_when_the_hub_is_gone() {
        let mut board = board();
        board.disconnect();
        insta::assert_snapshot!(bare(&board.picture(now())), @r"
            NAME               RELAY  POWER  VOLTAGE  CURRENT      ENERGY  METERED
            attic              -          -        -        -    548.0 Wh   1h ago
            cellar             -          -        -        -    548.0 Wh  40s ago
            Fridge             -          -        -        -           -        -
            tv                 -          -        -        -  12.345 kWh   2s ago
            AC:CF:23:00:00:03  -          -        -        -    548.0 Wh      now
            the hub cannot be reached; reconnecting
            ");
        board.take(&plug(1, Some("tv"), RelayState::On), now());
        assert!(board.picture(now()).contains("plugs, 20"), "it is back");
    }
}
