//! The output of `mains watch`: JSON lines, lines for people, or a picture on the terminal.

use jiff::Timestamp;
use plugs::{Capability, Plug, Reading, RelayState, families};
use serde::Serialize;
use serde_json::{Value, json};

use super::board::{Board, figures};
use super::news::News;
use crate::error::Failure;
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
    reading: &'a Value,
    relay: Option<RelayState>,
}

/// The output of news.
pub(super) struct WatchView<'a> {
    ui: &'a Ui,
    board: Board,
    form: WatchForm<'a>,
    /// When the picture was drawn last; `None` when there is news since.
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

    /// Takes note of news, and prints it where it is printed at once.
    pub(super) fn take(&mut self, news: News) -> Result<(), Failure> {
        let before = news.mac_of_plug().and_then(|mac| self.board.relay(mac));
        self.board.take(&news);
        self.drawn = None;
        match &news {
            News::Reading {
                reading,
                json,
                fresh: true,
            } => match &mut self.form {
                WatchForm::Json => {
                    let relay = self.board.relay(reading.plug);
                    self.ui.document(&JsonLine {
                        reading: json,
                        relay,
                    })
                }
                WatchForm::Lines(table) => table.row(&line(reading, self.board.name(reading.plug))),
                WatchForm::Picture(_) => Ok(()),
            },
            // A plug without a meter shows its relay alone.
            News::Plug { plug, .. } if plug.relay != before && !has_meter(plug) => {
                match &self.form {
                    WatchForm::Json => {
                        let line = json!({
                            "plug": plug.mac, "at": format!("{:.3}", plug.seen), "relay": plug.relay,
                        });
                        self.ui.document(&line)
                    }
                    WatchForm::Lines(_) | WatchForm::Picture(_) => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// Draws the picture, where there is one and it would be another: each second the readings are older.
    pub(super) fn draw(&mut self) -> Result<(), Failure> {
        let WatchForm::Picture(screen) = &mut self.form else {
            return Ok(());
        };
        let now = Timestamp::now();
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
                self.ui.data(self.board.picture(Timestamp::now()))
            }
            WatchForm::Json | WatchForm::Lines(_) => Ok(()),
        }
    }
}

/// Tells whether a plug is metered; a module of unknown trade is no plug, and is not shown line by line either.
fn has_meter(plug: &Plug) -> bool {
    let families = families::all();
    families.can(plug.family, Capability::Meter) || !families.can(plug.family, Capability::Switch)
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
