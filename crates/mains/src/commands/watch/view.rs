//! The output of `mains watch`: JSON lines, lines for people, or a picture on the terminal.

use api::{Event, MeterEvent, PlugView};
use jiff::Timestamp;
use plugs::{Capability, Reading, RelayState, families};
use serde::Serialize;
use serde_json::json;

use super::board::{Board, figures};
use crate::error::Failure;
use crate::feed::FeedItem;
use crate::ui::screen::Screen;
use crate::ui::table::{Cell, Column, Growing};
use crate::ui::{BOLD, DIM, Ui};

/// A form of output.
enum WatchForm<'a> {
    Json,
    Lines(Growing<'a, 5>),
    Picture(Screen),
}

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
pub(super) struct WatchView<'a> {
    ui: &'a Ui,
    board: Board,
    form: WatchForm<'a>,
    /// When the picture was drawn last; `None` when something has happened since.
    drawn: Option<Timestamp>,
}

impl<'a> WatchView<'a> {
    pub(super) fn open(ui: &'a Ui) -> Result<Self, Failure> {
        let form = match ui.screen()? {
            _ if ui.is_json() => WatchForm::Json,
            Some(screen) => WatchForm::Picture(screen),
            None => {
                let columns = [
                    Column::text("TIME", 8),
                    Column::text("NAME", 17),
                    Column::figures("POWER", 9),
                    Column::figures("VOLTAGE", 8),
                    Column::figures("CURRENT", 8),
                ];
                WatchForm::Lines(Growing::new(ui, columns))
            }
        };
        Ok(Self {
            ui,
            board: Board::default(),
            form,
            drawn: None,
        })
    }

    /// Takes note of an event, and prints it where it is printed at once.
    pub(super) fn take(&mut self, item: FeedItem) -> Result<(), Failure> {
        self.drawn = None;
        let event = match item {
            FeedItem::Received(received) => received.event,
            FeedItem::Disconnected => {
                self.board.disconnect();
                None
            }
        };
        let Some(event) = event else { return Ok(()) };
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
        match &mut self.form {
            WatchForm::Json => self.ui.document(&JsonLine {
                reading,
                energy_total_wh: metered.energy_total_wh,
                relay: self.board.relay(reading.plug),
            }),
            WatchForm::Lines(table) => table.row(&line(reading, self.board.name(reading.plug))),
            WatchForm::Picture(_) => Ok(()),
        }
    }

    fn switched(&self, view: &PlugView) -> Result<(), Failure> {
        let plug = &view.plug;
        match &self.form {
            WatchForm::Json => self.ui.document(&json!({
                "plug": plug.mac, "at": format!("{:.3}", plug.seen), "relay": plug.relay,
            })),
            WatchForm::Lines(_) | WatchForm::Picture(_) => Ok(()),
        }
    }

    /// Draws the picture, where there is one and it would be another: each second the readings are older.
    pub(super) fn draw(&mut self) -> Result<(), Failure> {
        let WatchForm::Picture(screen) = &mut self.form else {
            return Ok(());
        };
        let now = plugs::now();
        if self
            .drawn
            .is_some_and(|drawn| drawn.as_second() == now.as_second())
        {
            return Ok(());
        }
        self.drawn = Some(now);
        screen.draw(&self.board.picture(now))
    }

    /// Leaves the last picture behind.
    pub(super) fn end(self) -> Result<(), Failure> {
        match self.form {
            WatchForm::Picture(screen) => {
                drop(screen);
                self.ui.data(self.board.picture(plugs::now()))
            }
            WatchForm::Json | WatchForm::Lines(_) => Ok(()),
        }
    }
}

/// Tells whether a plug is metered; a module of unknown trade is no plug, and is not shown line by line either.
fn has_meter(view: &PlugView) -> bool {
    let (families, family) = (families::all(), view.plug.family);
    families.can(family, Capability::Meter) || !families.can(family, Capability::Switch)
}

fn line(reading: &Reading, name: String) -> [Cell; 5] {
    let at = reading.at.to_zoned(jiff::tz::TimeZone::system());
    let time = at.strftime("%H:%M:%S");
    let [power, voltage, current] = figures(Some(reading));
    [
        Cell::styled(DIM, time),
        Cell::styled(BOLD, name),
        power,
        voltage,
        current,
    ]
}
