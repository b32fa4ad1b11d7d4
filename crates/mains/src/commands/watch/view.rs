//! The output of `mains watch`: JSON lines, lines for people, or a picture on the terminal.

use jiff::Timestamp;
use plugs::Reading;

use super::News;
use super::board::{Board, figures};
use crate::commands::documents::people::Clock;
use crate::error::Failure;
use crate::ui::screen::Screen;
use crate::ui::table::{Cell, Column, Growing};
use crate::ui::{BOLD, DIM, Ui};

/// A form of output.
enum Form<'a> {
    Json,
    Lines(Growing<'a, 5>),
    Picture(Screen),
}

/// The output of news.
pub(super) struct View<'a> {
    ui: &'a Ui,
    board: Board,
    form: Form<'a>,
    /// When the picture was drawn last; `None` when there is news since.
    drawn: Option<Timestamp>,
}

impl<'a> View<'a> {
    pub(super) fn open(ui: &'a Ui) -> Result<Self, Failure> {
        let form = match ui.screen()? {
            _ if ui.is_json() => Form::Json,
            Some(screen) => Form::Picture(screen),
            None => {
                let columns = [
                    Column::text("TIME", 8),
                    Column::text("NAME", 17),
                    Column::figures("POWER", 9),
                    Column::figures("VOLTAGE", 8),
                    Column::figures("CURRENT", 8),
                ];
                Form::Lines(Growing::new(ui, columns))
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
        self.board.take(&news);
        self.drawn = None;
        let News::Reading {
            reading,
            json,
            fresh: true,
        } = &news
        else {
            return Ok(());
        };
        match &mut self.form {
            Form::Json => self.ui.document(json),
            Form::Lines(table) => table.row(&line(reading, self.board.name(reading.plug))),
            Form::Picture(_) => Ok(()),
        }
    }

    /// Draws the picture, where there is one and it would be another: each second the readings are older.
    pub(super) fn draw(&mut self) -> Result<(), Failure> {
        let Form::Picture(screen) = &mut self.form else {
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
            Form::Picture(screen) => {
                drop(screen);
                self.ui.data(self.board.picture(Timestamp::now()))
            }
            Form::Json | Form::Lines(_) => Ok(()),
        }
    }
}

fn line(reading: &Reading, name: String) -> [Cell; 5] {
    let time = Clock::at(reading.at, jiff::tz::TimeZone::system()).time();
    let [power, voltage, current] = figures(Some(reading));
    [
        Cell::styled(DIM, time),
        Cell::styled(BOLD, name),
        power,
        voltage,
        current,
    ]
}
