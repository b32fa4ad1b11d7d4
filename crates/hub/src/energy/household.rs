//! Energy, cost and standing charge of the whole household.

use std::collections::{BTreeMap, BTreeSet};

use api::{EnergyPeriod, EnergyRow, HouseholdRow, Tariff, TimeRange};
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::report::rounded;

#[derive(Default)]
struct HouseholdSum {
    energy_wh: f64,
    cost: Option<f64>,
    standing_charge: Option<f64>,
}

/// Sums up the rows of all plugs by period and currency, and adds the standing charge of the days within the range. A period without
/// a row has no charge either.
pub fn household(
    rows: &[EnergyRow],
    tariffs: &[Tariff],
    timezone: &TimeZone,
    by: EnergyPeriod,
    range: TimeRange,
) -> Vec<HouseholdRow> {
    let mut sums: BTreeMap<(&str, Option<&str>), HouseholdSum> = BTreeMap::new();
    for row in rows {
        let sum = sums.entry((&row.period, row.currency.as_deref()));
        let sum = sum.or_default();
        sum.energy_wh += row.energy_wh;
        if let Some(cost) = row.cost {
            *sum.cost.get_or_insert(0.0) += cost;
        }
    }
    let periods: BTreeSet<&str> = rows.iter().map(|row| row.period.as_str()).collect();
    for (day, charge, tariff) in each_charge(tariffs, timezone, range) {
        let period = by.period(by.first_day(day));
        if let Some(period) = periods.get(period.as_str()) {
            let currency = Some(tariff.currency.as_str());
            let sum = sums.entry((*period, currency)).or_default();
            *sum.standing_charge.get_or_insert(0.0) += charge;
        }
    }
    let rows = sums
        .into_iter()
        .map(|((period, currency), sum)| HouseholdRow {
            period: period.to_owned(),
            energy_wh: rounded(sum.energy_wh, 1e3),
            cost: sum.cost.map(|cost| rounded(cost, 1e6)),
            standing_charge: sum.standing_charge.map(|charge| rounded(charge, 1e6)),
            currency: currency.map(str::to_owned),
        });
    rows.collect()
}

/// Returns the local days of a range that have a standing charge, with it and its tariff.
pub(super) fn each_charge<'a>(
    tariffs: &'a [Tariff],
    timezone: &TimeZone,
    range: TimeRange,
) -> impl Iterator<Item = (Date, f64, &'a Tariff)> {
    let first = timezone.to_datetime(range.from).date();
    let last = timezone.to_datetime(range.to - jiff::SignedDuration::from_nanos(1));
    std::iter::successors(Some(first), |day| day.tomorrow().ok())
        .take_while(move |day| *day <= last.date())
        .filter_map(|day| {
            let (charge, tariff) = charge(tariffs, day)?;
            Some((day, charge, tariff))
        })
}

/// Returns the standing charge of a day and its tariff.
fn charge(tariffs: &[Tariff], day: Date) -> Option<(f64, &Tariff)> {
    let valid = tariffs.iter().filter(|tariff| {
        tariff.plugs.is_empty() && tariff.valid_from.is_none_or(|from| from.get() <= day)
    });
    let tariff = valid.max_by_key(|tariff| tariff.valid_from)?;
    let charge = tariff.standing_charge?;
    Some((charge.of_day(day), tariff))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_plugs_and_the_charge_of_each_day() {
        let rows: Vec<EnergyRow> = serde_json::from_value(json!([
            {"mac": "AC:CF:23:00:00:01", "period": "2026-10", "energy_wh": 1000.0, "cost": 0.3, "currency": "EUR"},
            {"mac": "AC:CF:23:00:00:02", "period": "2026-10", "energy_wh": 500.0, "cost": 0.15, "currency": "EUR"},
            {"mac": "AC:CF:23:00:00:02", "period": "2026-11", "energy_wh": 5.0, "cost": null, "currency": null},
        ]))
        .unwrap();
        let tariffs: Vec<Tariff> = serde_json::from_value(json!([
            {"name": "old", "currency": "EUR", "kind": "flat", "price": 0.3, "standing_charge": {"price": 9.3, "per": "month"}},
            {"name": "new", "currency": "CHF", "valid_from": "2026-11-21", "kind": "hourly", "standing_charge": {"price": 0.5, "per": "day"}},
            {"name": "one", "currency": "EUR", "valid_from": "2026-11-01", "plugs": ["AC:CF:23:00:00:02"], "kind": "hourly"},
        ]))
        .unwrap();
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let at = |text: &str| text.parse().unwrap();
        let range = TimeRange {
            from: at("2026-09-30T22:00:00Z"),
            to: at("2026-11-22T12:00:00Z"),
        };
        let found = household(&rows, &tariffs, &zone, EnergyPeriod::Month, range);
        let expected = json!([
            {"period": "2026-10", "energy_wh": 1500.0, "cost": 0.45, "standing_charge": 9.3, "currency": "EUR"},
            {"period": "2026-11", "energy_wh": 5.0, "cost": null, "standing_charge": null, "currency": null},
            // Two days of November; the one that has begun counts as a whole.
            {"period": "2026-11", "energy_wh": 0.0, "cost": null, "standing_charge": 1.0, "currency": "CHF"},
            {"period": "2026-11", "energy_wh": 0.0, "cost": null, "standing_charge": 6.2, "currency": "EUR"},
        ]);
        assert_eq!(serde_json::to_value(found).unwrap(), expected);
        assert_eq!(
            household(&[], &tariffs, &zone, EnergyPeriod::Month, range),
            []
        );
    }
}
