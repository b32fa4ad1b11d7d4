//! Plugs for people: the table of `discover` and `status`, which grows as plugs answer.

use plugs::{Plug, RelayState};

use crate::error::Failure;
use crate::ui::table::{Cell, Column, Table};
use crate::ui::{BOLD, DIM, ON, Ui};

/// A table of plugs that grows.
#[derive(Debug)]
pub struct PlugTable<'a> {
    ui: &'a Ui,
    table: Table<6>,
    begun: bool,
}

impl<'a> PlugTable<'a> {
    /// An empty table; the heading comes with the first row.
    pub fn new(ui: &'a Ui) -> Self {
        let columns = [
            Column::text("NAME", 16),
            Column::text("RELAY", 5),
            Column::text("ADDRESS", 15),
            Column::text("MAC", 17),
            Column::text("SERIAL", 9),
            Column::text("KIND", 0),
        ];
        Self {
            ui,
            table: Table::new(columns),
            begun: false,
        }
    }

    /// Prints one plug.
    pub fn row(&mut self, plug: &Plug) -> Result<(), Failure> {
        if !self.begun {
            self.begun = true;
            self.ui.data(self.table.stream_heading())?;
        }
        self.ui.data(self.table.stream_row(&cells(plug)))
    }
}

fn cells(plug: &Plug) -> [Cell; 6] {
    let relay = match plug.relay {
        Some(RelayState::On) => Cell::styled(ON, "ON"),
        Some(RelayState::Off) => Cell::styled(DIM, "off"),
        None => Cell::maybe(None::<&str>),
    };
    let kind = match &plug.model {
        Some(model) if !model.is_empty() => format!("{} {model}", plug.family),
        _ => plug.family.to_string(),
    };
    [
        plug.name.as_ref().map_or_else(
            || Cell::maybe(None::<&str>),
            |name| Cell::styled(BOLD, name),
        ),
        relay,
        Cell::plain(plug.address),
        Cell::plain(plug.mac),
        Cell::maybe(plug.serial.as_ref()),
        Cell::styled(DIM, kind),
    ]
}
