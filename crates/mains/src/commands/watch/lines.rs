//! The output of `mains watch` line by line: JSON, or lines for people.

use api::{Event, MeterEvent, PlugView};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use plugs::{Capability, Reading, RelayState, families};
use serde::Serialize;
use serde_json::json;

use super::board::Board;
use crate::error::Failure;
use crate::feed::FeedItem;
use crate::plug_table::{figure, relay};
use crate::ui::table::{Cell, Column, Growing};
use crate::ui::{BOLD, DIM, Ui};

/// A reading as a line of JSON, with the relay beside it.
#[derive(Serialize)]
struct JsonLine<'a> {
    #[serde(flatten)]
    reading: &'a Reading,
    /// Only a hub has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    energy_total_wh: Option<u64>,
    relay: Option<RelayState>,
}

/// The output of events.
pub(super) struct WatchLines<'a> {
    ui: &'a Ui,
    board: Board,
    /// The table of lines for people.
    table: Growing<'a, 5>,
}

impl<'a> WatchLines<'a> {
    pub(super) fn new(ui: &'a Ui) -> Self {
        let columns = [
            Column::text("TIME", 8),
            Column::text("NAME", 17),
            Column::figures("POWER", 9),
            Column::figures("VOLTAGE", 8),
            Column::figures("CURRENT", 8),
        ];
        Self {
            ui,
            board: Board::default(),
            table: Growing::new(ui, columns),
        }
    }

    /// Prints what an item of the feed says, if it is news.
    pub(super) fn take(&mut self, item: FeedItem) -> Result<(), Failure> {
        let FeedItem::Received(received) = item else {
            return Ok(());
        };
        let Some(event) = received.event else {
            return Ok(());
        };
        let before = match &event {
            Event::Plug(view) | Event::Availability(view) => self.board.relay(view.plug.mac),
            _ => None,
        };
        self.board.take(&event, plugs::now());
        match &event {
            Event::Reading(metered) => self.metered(metered),
            // A plug without a meter shows its relay alone.
            Event::Plug(view) | Event::Availability(view)
                if view.plug.relay != before && !has_meter(view) =>
            {
                self.switched(view)
            }
            _ => Ok(()),
        }
    }

    fn metered(&mut self, metered: &MeterEvent) -> Result<(), Failure> {
        let reading = &metered.reading;
        if self.ui.is_json() {
            return self.ui.document(&JsonLine {
                reading,
                energy_total_wh: metered.energy_total_wh,
                relay: self.board.relay(reading.plug),
            });
        }
        let name = self.board.name(reading.plug);
        self.table.row(&[
            time(reading.at),
            Cell::styled(BOLD, name),
            figure(reading.power_w, 1, "W"),
            figure(reading.voltage_v, 1, "V"),
            figure(reading.current_a, 2, "A"),
        ])
    }

    fn switched(&mut self, view: &PlugView) -> Result<(), Failure> {
        let plug = &view.plug;
        if self.ui.is_json() {
            return self.ui.document(&json!({
                "plug": plug.mac, "at": format!("{:.3}", plug.seen), "relay": plug.relay,
            }));
        }
        let name = self.board.name(plug.mac);
        self.table.row(&[
            time(plug.seen),
            Cell::styled(BOLD, name),
            relay(plug.relay),
            Cell::unknown(),
            Cell::unknown(),
        ])
    }
}

/// Tells whether a plug is metered; a module of unknown trade is no plug, and is not shown line by line either.
fn has_meter(view: &PlugView) -> bool {
    let (families, family) = (families::all(), view.plug.family);
    families.can(family, Capability::Meter) || !families.can(family, Capability::Switch)
}

fn time(at: Timestamp) -> Cell {
    let at = at.to_zoned(TimeZone::system());
    Cell::styled(DIM, at.strftime("%H:%M:%S"))
}
