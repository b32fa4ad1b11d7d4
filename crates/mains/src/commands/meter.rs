//! `mains meter`: one reading.

use plugs::Reading;
use serde::ser::{self, Serialize, Serializer};

use super::targets::{Plugs, each, mac_or_given};
use crate::context::Context;
use crate::error::{Failure, Outcome};
use crate::resolve::{NOBODY, Reach, Target};
use crate::ui::table::{Cell, Column, Table};
use crate::ui::{BOLD, Ui};

/// Options of `mains meter`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Units: power in watts, voltage in volts, current in amperes, frequency in hertz, energy in kilowatt-hours (JSON: \
watt-hours) since the plug began to count. What the plug leaves empty is shown as - (JSON: null). A small load can \
read 0 W although a current flows.

Examples:
  mains meter kitchen
  mains --json meter kitchen
    [{\"plug\":\"AC:CF:23:12:34:56\",\"at\":\"2026-11-22T12:00:00.123Z\",\"voltage_v\":226.94,\"current_a\":0.03,
      \"frequency_hz\":50.07,\"power_w\":0.0,\"energy_wh\":3548}]

Exit codes: 0 read, 3 no such plug, 4 no answer, 5 refused, 6 babble, 7 port 48899 taken; with several plugs that of \
the first failure in order.")]
pub struct Args {
    #[command(flatten)]
    targets: Plugs,
}

/// Reads and prints.
pub async fn run(context: &Context, args: Args) -> Outcome {
    let work = async |reach: &Reach<'_>, target: &Target, located| {
        let reading = reach.meter(located).await;
        Ok(reading.map(|reading| Metered::of(target, reading)).into())
    };
    let mut readings = Readings::new(&context.ui);
    each(context, &args.targets.plugs, work, |target, metered| {
        readings.row(target, &metered.reading)
    })
    .await
}

/// A reading, and what stands for its plug.
struct Metered {
    plug: String,
    reading: Reading,
}

impl Metered {
    fn of(target: &Target, reading: Reading) -> Self {
        let plug = mac_or_given(target, reading.plug);
        Self { plug, reading }
    }
}

/// The reading's own form; only a plug that has not told its MAC is named as it was given.
impl Serialize for Metered {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.reading.plug != NOBODY {
            return self.reading.serialize(serializer);
        }
        let mut object = serde_json::to_value(&self.reading).map_err(ser::Error::custom)?;
        if let Some(plug) = object.get_mut("plug") {
            *plug = self.plug.clone().into();
        }
        object.serialize(serializer)
    }
}

/// A table that grows as plugs answer.
struct Readings<'a> {
    ui: &'a Ui,
    table: Table<6>,
    begun: bool,
}

impl<'a> Readings<'a> {
    fn new(ui: &'a Ui) -> Self {
        let columns = [
            Column::text("PLUG", 17),
            Column::figures("POWER", 9),
            Column::figures("VOLTAGE", 9),
            Column::figures("CURRENT", 8),
            Column::figures("FREQUENCY", 9),
            Column::figures("ENERGY", 11),
        ];
        Self {
            ui,
            table: Table::new(columns),
            begun: false,
        }
    }

    fn row(&mut self, target: &Target, reading: &Reading) -> Result<(), Failure> {
        if !self.begun {
            self.begun = true;
            self.ui.data(self.table.stream_heading())?;
        }
        self.ui.data(self.table.stream_row(&cells(target, reading)))
    }
}

fn cells(target: &Target, reading: &Reading) -> [Cell; 6] {
    let figure = |value: Option<f64>, decimals: usize, unit| {
        Cell::maybe(value.map(|value| format!("{value:.decimals$} {unit}")))
    };
    // Watt-hours beyond what a float holds exactly would be 9,000 TWh.
    let energy = reading
        .energy_wh
        .map(|energy| format!("{}.{:03} kWh", energy / 1000, energy % 1000));
    [
        Cell::styled(BOLD, target.as_given()),
        figure(reading.power_w, 1, "W"),
        figure(reading.voltage_v, 2, "V"),
        figure(reading.current_a, 2, "A"),
        figure(reading.frequency_hz, 2, "Hz"),
        Cell::maybe(energy),
    ]
}
