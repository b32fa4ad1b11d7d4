//! `mains history`: power and energy of a plug over time.

use api::client::Client;
use api::text::energy;
use api::{History, HistoryRequest, Period};
use hiflying::Mac;
use jiff::Zoned;
use jiff::tz::TimeZone;

use super::moment::{self, PastMoment, name_zone};
use crate::context::Context;
use crate::error::{Exit, Failure, Outcome};
use crate::hub_names::HubNames;
use crate::ui::table::{Cell, Table};
use crate::ui::{DIM, paint};

/// Seconds of a day: longer steps have no time of day.
const DAY_S: i64 = 24 * 60 * 60;

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The hub (`mains serve`) keeps readings for days, means per minute for months, and the energy of each quarter of an hour for \
ever (`keep_readings`, `keep_minutes`). Each step has mean, lowest and highest power and the energy used in it. Steps without \
data are left out; the last may be incomplete. Steps over old data are at least as long as what is kept of it. Without --step there are at most 1,500 steps, with it at most 10,000.

MOMENT is a date (2026-11-22; as --to its end), a time (2026-11-22T18:00, local to the hub; 2026-11-22T17:00:00Z), a duration \
before now (24h, 7d), `yesterday`, `today` or `now`.

Examples:
  mains history kitchen                                  # the last 24 hours
  mains history fridge --from 7d --step 1h
  mains history fridge --from 2026-11-01 --to 2026-11-30 --step 1d
  mains history fridge --from 30d --step 15m --csv > fridge.csv
  mains --json history kitchen --from today | jq '[.points[].energy_wh] | add'
    {\"step_s\":60,\"points\":[{\"t\":\"2026-11-22T12:00:00Z\",\"power_w\":78.0,
      \"power_min_w\":77.1,\"power_max_w\":79.4,
      \"energy_wh\":1.3},…]}

Exit codes: 0 shown (also when there is no data), 2 invalid moment or step, 3 no such plug, 8 no hub.")]
pub struct HistoryArgs {
    /// Name, MAC, serial number or IPv4 address
    #[arg(value_name = "PLUG")]
    plug: String,
    /// Start [default: 24 hours before the end]
    #[arg(long, value_name = "MOMENT")]
    from: Option<PastMoment>,
    /// End [default: now]
    #[arg(long, value_name = "MOMENT")]
    to: Option<PastMoment>,
    /// Length of a step, e.g. 1m, 15m, 1h, 1d
    #[arg(long, value_name = "DURATION")]
    step: Option<Period>,
    /// Print the hub's CSV
    #[arg(long)]
    csv: bool,
}

/// Runs the verb.
pub async fn run(context: &Context, args: HistoryArgs) -> Outcome {
    if args.csv && context.ui.is_json() {
        return Err(Failure::usage("`--csv` and `--json` exclude each other"));
    }
    context.bounded(show(context, &args)).await
}

async fn show(context: &Context, args: &HistoryArgs) -> Outcome {
    let hub = context.need_hub()?;
    let names = HubNames::load(&hub).await?;
    let plug = names.find_recorded(&args.plug)?;
    let clock = names.clock();
    let query = HistoryRequest {
        range: moment::range(args.from.as_ref(), args.to.as_ref(), &clock),
        step: args.step,
    };
    if args.csv {
        return csv(context, &hub, plug, &query).await;
    }
    let history = hub.history(plug, &query).await?;
    if context.ui.is_json() {
        context.ui.document(&history)?;
    } else if history.points.is_empty() {
        context.ui.status("no data for that time");
    } else {
        let timezone = clock.now().time_zone();
        context.ui.data(table(&history, timezone))?;
        context.ui.status(paint(DIM, sum(&history)));
        name_zone(context, &clock);
    }
    Ok(Exit::DONE)
}

/// Prints the hub's CSV as it arrives.
async fn csv(context: &Context, hub: &Client, plug: Mac, query: &HistoryRequest) -> Outcome {
    let mut download = hub.history_csv(plug, query).await?;
    // Whole lines only: a character may lie across two pieces.
    let mut pending = Vec::new();
    while let Some(piece) = download.next().await? {
        pending.extend_from_slice(piece.as_ref());
        let whole = pending
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1);
        let lines: Vec<u8> = pending.drain(..whole).collect();
        context.ui.data_raw(&String::from_utf8_lossy(&lines))?;
        if context.ui.is_closed() {
            break;
        }
    }
    context.ui.data_raw(&String::from_utf8_lossy(&pending))?;
    Ok(Exit::DONE)
}

fn table(history: &History, timezone: &TimeZone) -> String {
    let format = match history.step_s {
        step if step >= DAY_S => "%a %Y-%m-%d",
        step if step % 60 == 0 => "%Y-%m-%d %H:%M",
        _ => "%Y-%m-%d %H:%M:%S",
    };
    let watts = |power: Option<f64>| Cell::maybe(power.map(|power| format!("{power:.1} W")));
    let mut table = Table::new(["FROM", ">POWER", ">LOWEST", ">HIGHEST", ">ENERGY"]);
    for point in &history.points {
        let from = Zoned::new(point.t, timezone.clone());
        table.row([
            Cell::plain(from.strftime(format)),
            watts(point.power_w),
            watts(point.power_min_w),
            watts(point.power_max_w),
            Cell::plain(energy(point.energy_wh)),
        ]);
    }
    table.render()
}

fn sum(history: &History) -> String {
    let used: f64 = history.points.iter().map(|point| point.energy_wh).sum();
    // The sum of none is -0.
    let used = used + 0.0;
    match history.points.len() {
        1 => format!("{} in 1 step", energy(used)),
        count => format!("{} in {count} steps", energy(used)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn history(step_s: i64) -> History {
        let points = json!([
            {"t": "2026-11-22T11:00:00Z", "power_w": 78.04, "power_min_w": 0.0, "power_max_w": 2012.5, "energy_wh": 1204.5},
            {"t": "2026-11-22T12:00:00Z", "power_w": null, "power_min_w": null, "power_max_w": null, "energy_wh": 0.25},
        ]);
        History {
            step_s,
            points: serde_json::from_value(points).unwrap(),
        }
    }

    #[test]
    fn a_table_in_local_time() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let bare = |text: String| anstream::adapter::strip_str(&text).to_string();
        insta::assert_snapshot!(bare(table(&history(3600), &zone)), @r"
            FROM               POWER  LOWEST   HIGHEST     ENERGY
            2026-11-22 12:00  78.0 W   0.0 W  2012.5 W  1.204 kWh
            2026-11-22 13:00       -       -         -     0.2 Wh
            ");
        for (step, expected) in [
            (1, "2026-11-22 12:00:00"),
            (60, "2026-11-22 12:00  "),
            (86400, "Sun 2026-11-22  "),
        ] {
            let table = bare(table(&history(step), &zone));
            assert!(
                table.lines().nth(1).unwrap().starts_with(expected),
                "{table}"
            );
        }
        assert_eq!(sum(&history(3600)), "1.205 kWh in 2 steps");
    }
}
