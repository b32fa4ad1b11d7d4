//! `mains energy`: energy and cost of plugs and of the household by period.

use std::collections::BTreeMap;

use api::text::{Names, energy, money};
use api::{EnergyPeriod, EnergyRequest, EnergyRow, HouseholdRow};

use super::documents::options::word;
use super::moment::{self, PastMoment, name_zone};
use crate::context::Context;
use crate::error::{Exit, Outcome};
use crate::hub_names::HubNames;
use crate::ui::table::{Cell, Table};
use crate::ui::{BOLD, DIM, paint};

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Periods are local to the hub (`mains serve`); a week begins on Monday. Costs are calculated by the tariffs (`mains tariff`); without one they \
are unknown, shown as - (JSON: null). A plug that was removed stays in the sums until its history is deleted \
(`mains hub forget --purge`). Energy is taken from the hub's own total, which never decreases, even if the plug's \
counter does.

MOMENT is a date (2026-11-22; as --to its end), a time (2026-11-22T18:00, local to the hub; 2026-11-22T17:00:00Z), a duration \
before now (7d), `yesterday`, `today` or `now`.

Examples:
  mains energy                                     # every plug, by day
  mains energy --by month --from 2026-01-01 fridge
  mains energy --from yesterday --to yesterday
  mains energy --by week --household
  mains --json energy --by month | jq 'map(.cost // 0) | add'
    [{\"mac\":\"AC:CF:23:12:34:56\",\"period\":\"2026-11-22\",\"energy_wh\":1204.5,
      \"cost\":0.39,\"currency\":\"EUR\"},…]

Exit codes: 0 shown (also when there is no data), 2 invalid moment, 3 no such plug, 8 no hub.")]
pub struct EnergyArgs {
    /// Show only these plugs, by name, MAC, serial number or IPv4 address
    #[arg(value_name = "PLUG")]
    plugs: Vec<String>,
    /// Show one row per period
    #[arg(long, default_value = "day", value_name = "day|week|month|year", value_parser = word::<EnergyPeriod>)]
    by: EnergyPeriod,
    /// Show all plugs together, with the standing charge of the tariff
    #[arg(long, conflicts_with = "plugs")]
    household: bool,
    /// Start [default: 30 days, 12 weeks, 12 months or 5 years ago]
    #[arg(long, value_name = "MOMENT")]
    from: Option<PastMoment>,
    /// End [default: now]
    #[arg(long, value_name = "MOMENT")]
    to: Option<PastMoment>,
}

/// Runs the verb.
pub async fn run(context: &Context, args: EnergyArgs) -> Outcome {
    context.bounded(show(context, &args)).await
}

async fn show(context: &Context, args: &EnergyArgs) -> Outcome {
    let hub = context.need_hub()?;
    let names = HubNames::load(&hub).await?;
    let clock = names.clock();
    let request = EnergyRequest {
        range: moment::range(args.from.as_ref(), args.to.as_ref(), &clock),
        by: args.by,
        plugs: names.find_all_recorded(&args.plugs)?,
    };
    if args.household {
        let rows = hub.household(&request).await?;
        return match context.ui.is_json() {
            true => context.ui.document(&rows).map(|()| Exit::DONE),
            false => context.ui.data(household(&rows)).map(|()| Exit::DONE),
        };
    }
    let rows = hub.energy(&request).await?;
    if context.ui.is_json() {
        context.ui.document(&rows)?;
    } else if rows.is_empty() {
        context.ui.status("no data for that time");
    } else {
        context.ui.data(table(&rows, &names))?;
        for line in sums(&rows) {
            context.ui.status(paint(DIM, line));
        }
        name_zone(context, &clock);
    }
    Ok(Exit::DONE)
}

fn table(rows: &[EnergyRow], names: &HubNames) -> String {
    let mut table = Table::new(["PERIOD", "PLUG", ">ENERGY", ">COST"]);
    for row in rows {
        table.row([
            Cell::plain(&row.period),
            match row.removed {
                true => Cell::styled(DIM, format!("{} (removed)", row.mac)),
                false => Cell::styled(BOLD, names.plug(row.mac)),
            },
            Cell::plain(energy(row.energy_wh)),
            Cell::maybe(row.cost.map(|cost| money(cost, row.currency.as_deref()))),
        ]);
    }
    table.render()
}

fn household(rows: &[HouseholdRow]) -> String {
    let mut table = Table::new(["PERIOD", ">ENERGY", ">COST", ">STANDING CHARGE"]);
    for row in rows {
        let money =
            |amount: Option<f64>| amount.map(|amount| money(amount, row.currency.as_deref()));
        table.row([
            Cell::plain(&row.period),
            Cell::plain(energy(row.energy_wh)),
            Cell::maybe(money(row.cost)),
            Cell::maybe(money(row.standing_charge)),
        ]);
    }
    table.render()
}

/// Returns the total in each currency, and the energy without a price.
fn sums(rows: &[EnergyRow]) -> Vec<String> {
    let mut sums: BTreeMap<Option<&str>, (f64, f64)> = BTreeMap::new();
    for row in rows {
        let currency = row.cost.and(row.currency.as_deref());
        let sum = sums.entry(currency).or_default();
        sum.0 += row.energy_wh;
        // Energy without a price adds nothing to the cost.
        sum.1 += row.cost.unwrap_or_default();
    }
    sums.into_iter()
        .map(|(currency, (used, cost))| match currency {
            Some(currency) => format!("{} for {}", energy(used), money(cost, Some(currency))),
            None => format!("{} without a price", energy(used)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::hub_names::tests::names;

    #[test]
    fn a_table_and_its_sums() {
        let rows: Vec<EnergyRow> = serde_json::from_value(json!([
            {"mac": "AC:CF:23:00:00:01", "period": "2026-11-21", "energy_wh": 1204.5, "cost": 0.385, "currency": "EUR"},
            {"mac": "AC:CF:23:00:00:09", "removed": true, "period": "2026-11-21", "energy_wh": 0.5, "cost": null, "currency": null},
            {"mac": "AC:CF:23:00:00:02", "period": "2026-11-21", "energy_wh": 0.5, "cost": null, "currency": null},
            {"mac": "AC:CF:23:00:00:01", "period": "2026-11-22", "energy_wh": 800.0, "cost": 0.256, "currency": "EUR", "new": 1},
        ]))
        .unwrap();
        let table = anstream::adapter::strip_str(&table(&rows, &names())).to_string();
        insta::assert_snapshot!(format!("{table}\n{}", sums(&rows).join("\n")), @r"
            PERIOD      PLUG                            ENERGY      COST
            2026-11-21  lamp                         1.204 kWh  0.39 EUR
            2026-11-21  AC:CF:23:00:00:09 (removed)     0.5 Wh         -
            2026-11-21  Küche                           0.5 Wh         -
            2026-11-22  lamp                          800.0 Wh  0.26 EUR
            1.0 Wh without a price
            2.005 kWh for 0.64 EUR
            ");
    }
}
