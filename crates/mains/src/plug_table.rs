//! Plugs for people: the cells that tables of plugs have in common, and the table of `discover` and `status`, which grows
//! as plugs answer.

use plugs::{Plug, RelayState};

use crate::error::Failure;
use crate::ui::table::{Cell, Column, Growing};
use crate::ui::{BAD, BOLD, DIM, ON, Ui};

/// A table of plugs that grows.
#[derive(Debug)]
pub struct PlugTable<'a>(Growing<'a, 6>);

impl<'a> PlugTable<'a> {
    /// An empty table.
    pub fn new(ui: &'a Ui) -> Self {
        let columns = [
            Column::text("NAME", 16),
            Column::text("RELAY", 5),
            Column::text("ADDRESS", 15),
            Column::text("MAC", 17),
            Column::text("SERIAL", 9),
            Column::text("KIND", 0),
        ];
        Self(Growing::new(ui, columns))
    }

    /// Prints one plug.
    pub fn row(&mut self, plug: &Plug) -> Result<(), Failure> {
        self.0.row(&cells(plug, relay(plug.relay)))
    }

    /// Prints one plug that no longer replies.
    pub fn row_of_gone(&mut self, plug: &Plug) -> Result<(), Failure> {
        self.0.row(&cells(plug, gone()))
    }
}

fn cells(plug: &Plug, relay: Cell) -> [Cell; 6] {
    let kind = match &plug.model {
        Some(model) if !model.is_empty() => format!("{} {model}", plug.family),
        _ => plug.family.to_string(),
    };
    [
        Cell::maybe_styled(BOLD, plug.name.as_ref()),
        relay,
        Cell::plain(plug.address),
        Cell::plain(plug.mac),
        Cell::maybe(plug.serial.as_ref()),
        Cell::styled(DIM, kind),
    ]
}

/// The cell of a relay.
pub(crate) fn relay(state: Option<RelayState>) -> Cell {
    match state {
        Some(RelayState::On) => Cell::styled(ON, "ON"),
        Some(RelayState::Off) => Cell::styled(DIM, "off"),
        None => Cell::unknown(),
    }
}

/// The cell of a relay whose plug does not reply.
pub(crate) fn gone() -> Cell {
    Cell::styled(BAD, "gone")
}

/// A figure of a meter with so many decimals, e.g. `78.4 W`.
pub(crate) fn figure(value: Option<f64>, decimals: usize, unit: &str) -> Cell {
    Cell::maybe(value.map(|value| format!("{} {unit}", rounded(value, decimals))))
}

/// A number with so many decimals; what rounds to zero has no sign.
pub(crate) fn rounded(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(zero) if zero.bytes().all(|byte| matches!(byte, b'0' | b'.')) => zero.to_owned(),
        _ => text,
    }
}

/// Energy that was counted in watt-hours, to the last of them: `3.548 kWh`.
pub(crate) fn counted(energy_wh: Option<u64>) -> Cell {
    let shown = |energy: u64| format!("{}.{:03} kWh", energy / 1000, energy % 1000);
    Cell::maybe(energy_wh.map(shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_has_no_sign() {
        for (value, expected) in [
            (-0.04, "0.0"),
            (-0.0, "0.0"),
            (-0.06, "-0.1"),
            (78.44, "78.4"),
        ] {
            assert_eq!(rounded(value, 1), expected);
        }
    }
}
