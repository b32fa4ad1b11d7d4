//! `mains energy`: energy and cost of plugs by day or month.

use std::collections::BTreeMap;

use clap::ValueEnum;
use hiflying::Mac;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::documents::names::Names;
use super::documents::people::Clock;
use super::history::energy;
use super::moment::Moment;
use crate::context::Context;
use crate::error::{Exit, Failure, Kind, Outcome};
use crate::ui::table::{Cell, Column, Table};
use crate::ui::{BOLD, DIM, paint};

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Days and months are local to the hub (`mains serve`). Costs are calculated by the tariffs (`mains tariff`); without one they \
are unknown, shown as - (JSON: null). Energy is taken from the hub's own total, which never decreases, even if the plug's \
counter does.

MOMENT is a date (2026-11-22; as --to its end), a time (2026-11-22T18:00, local to the hub; 2026-11-22T17:00:00Z), a duration \
before now (7d), `yesterday`, `today` or `now`.

Examples:
  mains energy                                     # every plug, by day
  mains energy --by month --from 2026-01-01 fridge
  mains energy --from yesterday --to yesterday
  mains --json energy --by month | jq 'map(.cost // 0) | add'
    [{\"mac\":\"AC:CF:23:12:34:56\",\"period\":\"2026-11-22\",\"energy_wh\":1204.5,\"cost\":0.39,\"currency\":\"EUR\"},…]

Exit codes: 0 shown (also when there is no data), 2 invalid moment, 3 no such plug, 8 no hub.")]
pub struct EnergyArgs {
    /// Show only these plugs, by name, MAC, serial number or IPv4 address
    #[arg(value_name = "PLUG")]
    plugs: Vec<String>,
    /// Show one row per day or per month
    #[arg(
        long,
        value_enum,
        default_value = "day",
        value_name = "day|month",
        hide_possible_values = true
    )]
    by: By,
    /// Start [default: 30 days ago; by month: a year ago]
    #[arg(long, value_name = "MOMENT")]
    from: Option<Moment>,
    /// End [default: now]
    #[arg(long, value_name = "MOMENT")]
    to: Option<Moment>,
}

#[derive(Debug, Clone, Copy, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum By {
    Day,
    Month,
}

/// A row of the hub's answer, as far as people need it.
#[derive(Debug, Deserialize)]
struct Row {
    mac: Mac,
    period: String,
    energy_wh: f64,
    cost: Option<f64>,
    currency: Option<String>,
}

/// Asks, and prints.
pub async fn run(context: &Context, args: EnergyArgs) -> Outcome {
    context.bounded(tell(context, &args)).await
}

async fn tell(context: &Context, args: &EnergyArgs) -> Outcome {
    let hub = context.need_hub()?;
    let names = Names::load(&hub).await?;
    let clock = Clock::system();
    let mut call = hub
        .get("energy")
        .query("by", Some(args.by))
        .query("from", args.from.as_ref().map(|from| from.text(&clock)))
        .query("to", args.to.as_ref().map(|to| to.text(&clock)));
    for plug in &args.plugs {
        call = call.query("plug", Some(names.plug(plug)?));
    }
    let answer: Value = call.answer().await?;
    let rows = understood(&answer)?;
    if context.ui.is_json() {
        context.ui.document(&answer)?;
    } else if rows.is_empty() {
        context.ui.status("nothing is known of that time");
    } else {
        context.ui.data(table(&rows, &names))?;
        for line in sums(&rows) {
            context.ui.status(paint(DIM, line));
        }
    }
    Ok(Exit::DONE)
}

fn understood(answer: &Value) -> Result<Vec<Row>, Failure> {
    Vec::deserialize(answer).map_err(|error| {
        let message = "the energy that the hub tells cannot be understood";
        Failure::new(Kind::BadAnswer, message).caused_by(&error)
    })
}

fn table(rows: &[Row], names: &Names) -> String {
    let mut table = Table::new([
        Column::text("PERIOD", 0),
        Column::text("PLUG", 0),
        Column::figures("ENERGY", 0),
        Column::figures("COST", 0),
    ]);
    for row in rows {
        table.row([
            Cell::plain(&row.period),
            Cell::styled(BOLD, names.show(&row.mac.to_string())),
            Cell::plain(energy(row.energy_wh)),
            Cell::maybe(row.cost.map(|cost| money(cost, row.currency.as_deref()))),
        ]);
    }
    table.render()
}

/// Returns what it comes to, in each currency; what has no price is told apart.
fn sums(rows: &[Row]) -> Vec<String> {
    let mut sums: BTreeMap<Option<&str>, (f64, f64)> = BTreeMap::new();
    for row in rows {
        let currency = row.cost.and(row.currency.as_deref());
        let sum = sums.entry(currency).or_default();
        sum.0 += row.energy_wh;
        sum.1 += row.cost.unwrap_or_default();
    }
    sums.into_iter()
        .map(|(currency, (used, cost))| match currency {
            Some(currency) => format!("{} for {}", energy(used), money(cost, Some(currency))),
            None => format!("{} without a price", energy(used)),
        })
        .collect()
}

/// Returns an amount as people read it; of a few cents, fractions matter.
fn money(amount: f64, currency: Option<&str>) -> String {
    let decimals = if amount.abs() < 0.1 && amount != 0.0 {
        4
    } else {
        2
    };
    format!("{amount:.decimals$} {}", currency.unwrap_or_default())
        .trim_end()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::documents::names::tests::names;
    use serde_json::json;

    fn answer() -> Value {
        json!([
            {"mac": "accf23000001", "period": "2026-11-21", "energy_wh": 1204.5, "cost": 0.385, "currency": "EUR"},
            {"mac": "accf23000002", "period": "2026-11-21", "energy_wh": 0.5, "cost": null, "currency": null},
            {"mac": "accf23000001", "period": "2026-11-22", "energy_wh": 800.0, "cost": 0.256, "currency": "EUR", "new": 1},
        ])
    }

    #[test]
    fn a_table_and_what_it_comes_to() {
        let rows = understood(&answer()).unwrap();
        let table = anstream::adapter::strip_str(&table(&rows, &names())).to_string();
        insta::assert_snapshot!(format!("{table}\n{}", sums(&rows).join("\n")), @r"
            PERIOD      PLUG      ENERGY      COST
            2026-11-21  lamp   1.204 kWh  0.39 EUR
            2026-11-21  Küche     0.5 Wh         -
            2026-11-22  lamp    800.0 Wh  0.26 EUR
            0.5 Wh without a price
            2.005 kWh for 0.64 EUR
            ");
    }

    #[test]
    fn amounts() {
        for (amount, expected) in [
            (0.0, "0.00 EUR"),
            (0.00128, "0.0013 EUR"),
            (-0.01, "-0.0100 EUR"),
            (12.345, "12.35 EUR"),
        ] {
            assert_eq!(money(amount, Some("EUR")), expected);
        }
        assert_eq!(money(1.0, None), "1.00");
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        for answer in [json!({}), json!([{"mac": "lamp"}]), json!(null)] {
            assert_eq!(understood(&answer).unwrap_err().kind(), Kind::BadAnswer);
        }
    }
}
