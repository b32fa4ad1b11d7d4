//! The state of the watched plugs, and its table. Pure: now is a parameter.

use std::collections::HashMap;

use api::text::energy;
use hiflying::Mac;
use jiff::Timestamp;
use plugs::{Reading, RelayState};
use serde_json::Value;

use super::news::News;
use crate::inventory::folded;
use crate::plug_table::{figure, relay};
use crate::ui::table::{Cell, Column, Table};
use crate::ui::{BAD, BOLD, DIM, paint};
use api::duration;

/// The state of one plug.
#[derive(Debug, Default)]
struct Row {
    name: Option<String>,
    relay: Option<RelayState>,
    gone: bool,
    reading: Option<Reading>,
    total_wh: Option<f64>,
}

/// The plugs that are watched.
#[derive(Debug, Default)]
pub(super) struct Board {
    rows: HashMap<Mac, Row>,
}

impl Board {
    /// Takes note of what was heard.
    pub(super) fn take(&mut self, news: &News) {
        match news {
            News::Plug { plug, available } => {
                let row = self.rows.entry(plug.mac).or_default();
                row.name.clone_from(&plug.name);
                row.relay = plug.relay.or(row.relay);
                row.gone = !available;
            }
            News::Reading { reading, json, .. } => {
                let row = self.rows.entry(reading.plug).or_default();
                row.total_wh = json
                    .get("energy_total_wh")
                    .and_then(Value::as_f64)
                    .or(row.total_wh);
                row.reading = Some(Reading::clone(reading));
                row.gone = false;
            }
            News::Silent(mac) => self.rows.entry(*mac).or_default().gone = true,
            News::Removed(mac) => drop(self.rows.remove(mac)),
        }
    }

    /// Returns the position of a plug's relay.
    pub(super) fn relay(&self, mac: Mac) -> Option<RelayState> {
        self.rows.get(&mac)?.relay
    }

    /// Returns what a plug is called.
    pub(super) fn name(&self, mac: Mac) -> String {
        let name = self.rows.get(&mac).and_then(|row| row.name.clone());
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
            let name = row.name.as_deref().map(folded);
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
        for (mac, row) in &rows {
            table.row(row.cells(**mac, now));
        }
        format!("{}\n{}", table.render(), paint(DIM, sum(&rows)))
    }
}

impl Row {
    fn cells(&self, mac: Mac, now: Timestamp) -> [Cell; 7] {
        let [power, voltage, current] = figures(self.reading.as_ref().filter(|_| !self.gone));
        let total = self.total_wh.or_else(|| {
            let counter = self.reading.as_ref()?.energy_wh?;
            // Exact up to 9,000 TWh.
            Some(counter as f64)
        });
        let age = self.reading.as_ref().map(|reading| age(reading.at, now));
        let name = self.name.clone().unwrap_or_else(|| mac.to_string());
        [
            Cell::styled(if self.gone { DIM } else { BOLD }, name),
            match self.gone {
                true => Cell::styled(BAD, "gone"),
                false => relay(self.relay),
            },
            power,
            voltage,
            current,
            Cell::maybe(total.map(energy)),
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
        _ => format!(
            "{} ago",
            duration::show(std::time::Duration::from_secs(seconds))
        ),
    }
}

fn sum(rows: &[(&Mac, &Row)]) -> String {
    let there = rows.iter().filter(|(_, row)| !row.gone);
    let watts: f64 = there
        .filter_map(|(_, row)| row.reading.as_ref()?.power_w)
        .sum();
    match rows.len() {
        1 => format!("1 plug, {watts:.1} W"),
        count => format!("{count} plugs, {watts:.1} W"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plugs::{FamilyId, Plug};

    fn now() -> Timestamp {
        "2026-11-22T12:00:00Z".parse().unwrap()
    }

    fn plug(last: u8, name: Option<&str>, relay: RelayState) -> News {
        let mut plug = Plug::new(
            Mac::new([0xac, 0xcf, 0x23, 0, 0, last]),
            FamilyId::RECO,
            [127, 0, 0, last].into(),
            now(),
        );
        plug.name = name.map(str::to_owned);
        plug.relay = Some(relay);
        News::Plug {
            plug: Box::new(plug),
            available: true,
        }
    }

    fn reading(last: u8, power_w: f64, at: &str, total: Value) -> News {
        let mut json = serde_json::json!({
            "plug": format!("AC:CF:23:00:00:{last:02X}"), "at": at, "voltage_v": 226.94, "current_a": null,
            "frequency_hz": 50.0, "power_w": power_w, "energy_wh": 548,
        });
        let reading = serde_json::from_value(json.clone()).unwrap();
        json["energy_total_wh"] = total;
        News::Reading {
            reading: Box::new(reading),
            json,
            fresh: true,
        }
    }

    #[test]
    fn a_picture_of_all() {
        let mut board = Board::default();
        assert_eq!(board.picture(now()), "no plug has been heard yet");
        let mac = |last| Mac::new([0xac, 0xcf, 0x23, 0, 0, last]);
        for news in [
            plug(3, None, RelayState::On),
            plug(1, Some("tv"), RelayState::On),
            plug(2, Some("Fridge"), RelayState::Off),
            plug(4, Some("attic"), RelayState::On),
            plug(5, Some("sold"), RelayState::On),
            reading(1, 78.44, "2026-11-22T11:59:58Z", 12345.into()),
            reading(3, 2000.0, "2026-11-22T12:00:01Z", Value::Null),
            reading(4, 500.0, "2026-11-22T11:00:00Z", Value::Null),
            News::Silent(mac(4)),
            News::Removed(mac(5)),
        ] {
            board.take(&news);
        }
        let picture = board.picture(now());
        insta::assert_snapshot!(anstream::adapter::strip_str(&picture).to_string(), @r"
            NAME               RELAY     POWER  VOLTAGE  CURRENT      ENERGY  METERED
            attic              gone          -        -        -    548.0 Wh   1h ago
            Fridge             off           -        -        -           -        -
            tv                 ON       78.4 W  226.9 V        -  12.345 kWh   2s ago
            AC:CF:23:00:00:03  ON     2000.0 W  226.9 V        -    548.0 Wh      now
            4 plugs, 2078.4 W
            ");
        assert_eq!(
            (board.name(mac(1)), board.name(mac(3))),
            ("tv".into(), "AC:CF:23:00:00:03".into())
        );
    }
}
