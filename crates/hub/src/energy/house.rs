//! Energy of the whole house by quarter-hours.

use std::collections::BTreeMap;

use api::HouseQuarter;

use crate::store::Quarter;

/// Sums the quarter-hours of plugs, in order of time. Quarter-hours without data are omitted.
pub fn house_quarters(quarters: impl IntoIterator<Item = Quarter>) -> Vec<HouseQuarter> {
    let mut sums: BTreeMap<_, (f64, u32)> = BTreeMap::new();
    for quarter in quarters {
        let (energy_wh, plugs) = sums.entry(quarter.t).or_default();
        *energy_wh += quarter.energy_wh;
        *plugs += 1;
    }
    let row = |(t, (energy_wh, plugs))| HouseQuarter {
        t,
        energy_wh,
        plugs,
    };
    sums.into_iter().map(row).collect()
}
