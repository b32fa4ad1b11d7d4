//! Energy and cost by tariff.

use std::collections::BTreeMap;

use api::{Tariff, TariffCost, TimeRange};
use jiff::tz::TimeZone;

use super::household::each_charge;
use super::report::{Book, rounded};
use crate::store::Quarter;

#[derive(Default)]
struct CostSum {
    energy_wh: f64,
    cost: f64,
    standing_charge: Option<f64>,
}

/// Sums up energy and cost by tariff.
pub(crate) struct CostReport<'a> {
    tariffs: &'a [Tariff],
    timezone: &'a TimeZone,
    book: Book<'a>,
    /// By name and currency of the tariff; `None` without a price.
    sums: BTreeMap<Option<(&'a str, &'a str)>, CostSum>,
}

impl<'a> CostReport<'a> {
    pub(crate) fn new(tariffs: &'a [Tariff], timezone: &'a TimeZone) -> Self {
        Self {
            tariffs,
            timezone,
            book: Book::new(tariffs),
            sums: BTreeMap::new(),
        }
    }

    /// Adds quarter-hours, plug by plug.
    pub(crate) fn add(&mut self, quarters: impl IntoIterator<Item = Quarter>) {
        for quarter in quarters {
            let local = self.timezone.to_datetime(quarter.t);
            let price = self.book.price(quarter.plug, quarter.t, local);
            let key = price.map(|(_, tariff)| (&*tariff.name, tariff.currency.as_str()));
            let sum = self.sums.entry(key).or_default();
            sum.energy_wh += quarter.energy_wh;
            sum.cost += price.map_or(0.0, |(price, _)| price * quarter.energy_wh / 1000.0);
        }
    }

    /// Adds the standing charges of the days of a range, and returns the sums.
    pub(crate) fn finish(mut self, range: TimeRange) -> Vec<TariffCost> {
        for (_, charge, tariff) in each_charge(self.tariffs, self.timezone, range) {
            let key = (&*tariff.name, tariff.currency.as_str());
            let sum = self.sums.entry(Some(key)).or_default();
            *sum.standing_charge.get_or_insert(0.0) += charge;
        }
        let costs = self.sums.into_iter().map(|(key, sum)| TariffCost {
            tariff: key.map(|(name, _)| name.to_owned()),
            energy_wh: rounded(sum.energy_wh, 1e3),
            cost: key.map(|_| rounded(sum.cost, 1e6)),
            standing_charge: sum.standing_charge.map(|charge| rounded(charge, 1e6)),
            currency: key.map(|(_, currency)| currency.to_owned()),
        });
        costs.collect()
    }
}

#[cfg(test)]
mod tests {
    use hiflying::Mac;
    use serde_json::json;

    use super::*;

    #[test]
    fn each_tariff_has_its_energy_and_its_charge() {
        let tariffs: Vec<Tariff> = serde_json::from_value(json!([
            {"name": "home", "currency": "EUR", "kind": "flat", "price": 0.3, "standing_charge": {"price": 0.5, "per": "day"}},
            {"name": "car", "currency": "CHF", "plugs": ["AC:CF:23:00:00:02"], "valid_from": "2026-11-02", "kind": "flat", "price": 0.2},
        ]))
        .unwrap();
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let at = |text: &str| text.parse().unwrap();
        let quarter = |number, t: &str, energy_wh| Quarter {
            plug: Mac::new([0xAC, 0xCF, 0x23, 0, 0, number]),
            t: at(t),
            energy_wh,
        };
        let mut report = CostReport::new(&tariffs, &zone);
        report.add([quarter(1, "2026-11-01T12:00:00Z", 1000.0)]);
        report.add([
            quarter(2, "2026-11-01T12:00:00Z", 500.0),
            quarter(2, "2026-11-02T12:00:00Z", 2000.0),
        ]);
        let range = TimeRange {
            from: at("2026-10-31T23:00:00Z"),
            to: at("2026-11-02T13:00:00Z"),
        };
        let found = serde_json::to_value(report.finish(range)).unwrap();
        let expected = json!([
            {"tariff": "car", "energy_wh": 2000.0, "cost": 0.4, "standing_charge": null, "currency": "CHF"},
            {"tariff": "home", "energy_wh": 1500.0, "cost": 0.45, "standing_charge": 1.0, "currency": "EUR"},
        ]);
        assert_eq!(found, expected);

        // Energy without a price is told as well.
        let mut report = CostReport::new(&[], &zone);
        report.add([quarter(1, "2026-11-01T12:00:00Z", 1000.0)]);
        let found = serde_json::to_value(report.finish(range)).unwrap();
        let none = json!([{"tariff": null, "energy_wh": 1000.0, "cost": null, "standing_charge": null, "currency": null}]);
        assert_eq!(found, none);
    }
}
