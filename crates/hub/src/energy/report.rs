//! Energy that each plug used and its cost, by period.

use std::collections::BTreeMap;

use api::{EnergyPeriod, EnergyRow, Tariff};
use hiflying::Mac;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use crate::store::Quarter;

#[derive(Default)]
struct Sum {
    energy_wh: f64,
    cost: f64,
}

/// Sums up the energy of plugs from `from` until before `to`, by period and then by plug. Each quarter-hour has the price that was
/// valid at its start.
pub fn report(
    quarters: impl IntoIterator<Item = Quarter>,
    tariffs: &[Tariff],
    timezone: &TimeZone,
    by: EnergyPeriod,
    from: Timestamp,
    to: Timestamp,
) -> Vec<EnergyRow> {
    let mut sums: BTreeMap<(Date, Mac, Option<&str>), Sum> = BTreeMap::new();
    let mut book = Book::new(tariffs);
    for quarter in quarters {
        if !(from..to).contains(&quarter.t) {
            continue;
        }
        let local = timezone.to_datetime(quarter.t);
        let price = book.price(quarter.plug, quarter.t, local);
        let key = (
            by.first_day(local.date()),
            quarter.plug,
            price.map(|(_, tariff)| tariff.currency.as_str()),
        );
        let sum = sums.entry(key).or_default();
        sum.energy_wh += quarter.energy_wh;
        sum.cost += price.map_or(0.0, |(price, _)| price * quarter.energy_wh / 1000.0);
    }
    let priced = |day, plug| {
        sums.range((day, plug, Some(""))..)
            .next()
            .is_some_and(|((d, p, _), _)| (*d, *p) == (day, plug))
    };
    let rows = sums.iter().filter(|((day, plug, currency), sum)| {
        // Nothing without a price is not worth a row beside another.
        currency.is_some() || sum.energy_wh != 0.0 || !priced(*day, *plug)
    });
    rows.map(|((day, plug, currency), sum)| EnergyRow {
        mac: *plug,
        removed: false,
        period: by.period(*day),
        energy_wh: rounded(sum.energy_wh, 1e3),
        cost: currency.map(|_| rounded(sum.cost, 1e6)),
        currency: currency.map(str::to_owned),
    })
    .collect()
}

/// Removes the rounding noise of binary fractions.
pub(super) fn rounded(value: f64, parts: f64) -> f64 {
    // Adding 0 turns -0 into 0.
    (value * parts).round() / parts + 0.0
}

/// The tariffs, by the plugs to which they apply.
pub(super) struct Book<'a> {
    tariffs: &'a [Tariff],
    /// The tariffs of the plug that was looked up last, in order of precedence; kept because quarters come plug by plug.
    of: Option<(Mac, Vec<&'a Tariff>)>,
}

impl<'a> Book<'a> {
    pub(super) fn new(tariffs: &'a [Tariff]) -> Self {
        Self { tariffs, of: None }
    }

    /// Returns the price of a time and the tariff that has it.
    pub(super) fn price(
        &mut self,
        plug: Mac,
        time: Timestamp,
        local: DateTime,
    ) -> Option<(f64, &'a Tariff)> {
        let of = self.of.take().filter(|(of, _)| *of == plug);
        let (_, tariffs) = self
            .of
            .insert(of.unwrap_or_else(|| (plug, for_plug(self.tariffs, plug))));
        let holds = |tariff: &&&Tariff| {
            tariff
                .valid_from
                .is_none_or(|from| from.get() <= local.date())
        };
        let tariff = tariffs.iter().find(holds)?;
        Some((tariff.price(time, local)?, tariff))
    }
}

/// Returns the tariffs for a plug: those that name it before those for all, later ones before earlier.
fn for_plug(tariffs: &[Tariff], plug: Mac) -> Vec<&Tariff> {
    let names = |tariff: &Tariff| tariff.plugs.contains(&plug);
    let mut found: Vec<_> = tariffs
        .iter()
        .filter(|tariff| tariff.plugs.is_empty() || names(tariff))
        .collect();
    found.sort_by(|a, b| {
        let order = |tariff: &Tariff| (!tariff.plugs.is_empty(), tariff.valid_from);
        order(b).cmp(&order(a)).then_with(|| a.name.cmp(&b.name))
    });
    found
}

#[cfg(test)]
mod tests;
