//! `mains meter`: one reading.

use plugs::plug::UNKNOWN_MAC;
use plugs::{Capability, Reading};
use serde::ser::{self, Serialize, Serializer};

use super::targets::{ReadPlugs, Selection, each, mac_or_given};
use crate::context::Context;
use crate::error::Outcome;
use crate::plug_table::{counted, figure};
use crate::resolve::{Reach, Target};
use crate::ui::BOLD;
use crate::ui::table::{Cell, Column, Growing};

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Units: power in watts, voltage in volts, current in amperes, frequency in hertz, energy in kilowatt-hours (JSON: \
watt-hours) since the plug's counter began. A field that the plug left empty is shown as - (JSON: null). A small load can \
read 0 W although a current flows. Without a PLUG, every plug with a meter is read.

Examples:
  mains meter
  mains meter kitchen
  mains --json meter kitchen
    [{\"plug\":\"AC:CF:23:12:34:56\",\"at\":\"2026-11-22T12:00:00.123Z\",
      \"voltage_v\":226.94,\"current_a\":0.03,
      \"frequency_hz\":50.07,\"power_w\":0.0,\"energy_wh\":3548}]

Exit codes: 0 read, 3 no such plug, 4 no reply, 5 refused, 6 unintelligible reply, 7 port 48899 taken; with several plugs that of \
the first failure in order.")]
pub struct MeterArgs {
    #[command(flatten)]
    targets: ReadPlugs,
}

/// Reads and prints.
pub async fn run(context: &Context, args: MeterArgs) -> Outcome {
    let work = async |reach: &Reach<'_>, target: &Target| {
        let reading = reach.meter(target).await;
        Ok(reading.map(|reading| Metered::of(target, reading)).into())
    };
    let columns = [
        Column::text("PLUG", 17),
        Column::figures("POWER", 9),
        Column::figures("VOLTAGE", 9),
        Column::figures("CURRENT", 8),
        Column::figures("FREQUENCY", 9),
        Column::figures("ENERGY", 11),
    ];
    let mut table = Growing::new(&context.ui, columns);
    let selection = Selection::of(&args.targets.plugs, Capability::Meter);
    each(context, selection, work, |target, metered| {
        table.row(&cells(target, &metered.reading))
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
        if self.reading.plug != UNKNOWN_MAC {
            return self.reading.serialize(serializer);
        }
        let mut object = serde_json::to_value(&self.reading).map_err(ser::Error::custom)?;
        if let Some(plug) = object.get_mut("plug") {
            *plug = self.plug.clone().into();
        }
        object.serialize(serializer)
    }
}

fn cells(target: &Target, reading: &Reading) -> [Cell; 6] {
    [
        Cell::styled(BOLD, target.shown()),
        figure(reading.power_w, 1, "W"),
        figure(reading.voltage_v, 2, "V"),
        figure(reading.current_a, 2, "A"),
        figure(reading.frequency_hz, 2, "Hz"),
        counted(reading.energy_wh),
    ]
}
