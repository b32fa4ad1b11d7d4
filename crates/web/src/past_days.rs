//! Sums of the house that whole days decide: the month until today, and the standby power. They are read in the background, seldom.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use api::{
    EnergyPeriod, EnergyRequest, HistoryPoint, HistoryRequest, Moment, Period, RangeRequest,
    RequestError, Tariff, TimeRange,
};
use hiflying::Mac;
use hub::Hub;
use hub::store::QUARTER;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use plugs::Capability;
use tokio::time::Instant;

/// Age at which sums are read again: history can be imported, and plugs removed.
const MAX_AGE: Duration = Duration::from_secs(3600);
/// Number of nights of which the standby power is the median.
pub(crate) const STANDBY_NIGHTS: i64 = 7;
/// Minimum number of nights with data.
const MIN_NIGHTS: usize = 3;
/// Length of a night in hours, from midnight.
const NIGHT_HOURS: i8 = 5;
/// Minimum number of quarter-hours with data in a night.
const MIN_QUARTERS: usize = 8;

/// Sums until the start of a day.
#[derive(Debug, Default)]
pub(crate) struct PastDays {
    /// Energy of the month in watt-hours; `None` without data.
    pub(crate) month_wh: Option<f64>,
    /// Cost of the month by currency.
    pub(crate) month_cost: BTreeMap<String, f64>,
    /// Standby power in watts of the plugs of which enough nights are known: the lowest quarter-hour of a night, in the median.
    pub(crate) standby_w: HashMap<Mac, f64>,
    key: Option<(Date, Vec<Tariff>, Instant)>,
}

impl PastDays {
    /// Returns true if these are the sums of another day or other prices, or old.
    pub(crate) fn is_stale(&self, today: Date, tariffs: &[Tariff]) -> bool {
        self.key.as_ref().is_none_or(|(day, prices, read)| {
            *day != today || prices != tariffs || read.elapsed() > MAX_AGE
        })
    }

    /// Reads the sums until the start of a day.
    pub(crate) async fn read(
        hub: &Hub,
        today: Date,
        tariffs: Vec<Tariff>,
    ) -> Result<Self, RequestError> {
        let mut past = Self {
            key: Some((today, tariffs, Instant::now())),
            ..Self::default()
        };
        let month = today.first_of_month();
        if month < today {
            let request = EnergyRequest {
                range: range(month, today),
                by: EnergyPeriod::Month,
                plugs: Vec::new(),
            };
            for row in hub.priced_history().energy(&request).await? {
                *past.month_wh.get_or_insert(0.0) += row.energy_wh;
                if let (Some(cost), Some(currency)) = (row.cost, row.currency) {
                    *past.month_cost.entry(currency).or_default() += cost;
                }
            }
        }
        let nights = nights(today, &hub.clock().timezone);
        for view in hub.registry().views() {
            let mac = view.plug.mac;
            if hub.registry().can(mac, Capability::Meter)
                && let Some(watts) = standby(hub, mac, today, &nights).await?
            {
                past.standby_w.insert(mac, watts);
            }
        }
        Ok(past)
    }
}

/// Returns the range of whole days.
fn range(first: Date, end: Date) -> RangeRequest {
    let last = end.yesterday().unwrap_or(end);
    RangeRequest {
        from: Some(Moment::Day(first)),
        to: Some(Moment::Day(last)),
    }
}

/// Returns the nights before a day.
fn nights(today: Date, zone: &TimeZone) -> Vec<TimeRange> {
    let at =
        |day: Date, hour| -> Option<Timestamp> { zone.to_timestamp(day.at(hour, 0, 0, 0)).ok() };
    let night = |back: i64| {
        let day = today.checked_sub(back.days()).ok()?;
        Some(TimeRange {
            from: at(day, 0)?,
            to: at(day, NIGHT_HOURS)?,
        })
    };
    (1..=STANDBY_NIGHTS).filter_map(night).collect()
}

async fn standby(
    hub: &Hub,
    plug: Mac,
    today: Date,
    nights: &[TimeRange],
) -> Result<Option<f64>, RequestError> {
    let Ok(first) = today.checked_sub(STANDBY_NIGHTS.days()) else {
        return Ok(None);
    };
    let request = HistoryRequest {
        range: range(first, today),
        step: Some(Period::seconds(QUARTER.unsigned_abs())),
    };
    match hub.site_history().history(plug, &request).await {
        Ok(history) => Ok(median_base(&history.points, nights)),
        // It was removed meanwhile.
        Err(error) if error.kind() == api::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn median_base(points: &[HistoryPoint], nights: &[TimeRange]) -> Option<f64> {
    let base = |night: &TimeRange| {
        let of_night = points
            .iter()
            .filter(|point| (night.from..night.to).contains(&point.t));
        let known: Vec<_> = of_night.filter_map(|point| point.power_w).collect();
        let lowest = known.iter().copied().reduce(f64::min);
        lowest.filter(|_| known.len() >= MIN_QUARTERS)
    };
    let mut bases: Vec<_> = nights.iter().filter_map(base).collect();
    bases.sort_by(f64::total_cmp);
    let median = bases.get(bases.len() / 2).copied();
    median.filter(|_| bases.len() >= MIN_NIGHTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Quarter-hours of all nights: a base of each, and a compressor that runs every second quarter-hour.
    fn points(nights: &[TimeRange], bases: &[f64], quarters: i64) -> Vec<HistoryPoint> {
        let point = |night: &TimeRange, base: f64, quarter: i64| {
            let t = night.from + (quarter * 15).minutes();
            let power = base + if quarter % 2 == 0 { 80.0 } else { 0.0 };
            HistoryPoint {
                t,
                power_w: Some(power),
                power_min_w: Some(0.0),
                power_max_w: Some(power),
                energy_wh: power / 4.0,
            }
        };
        let nights = nights.iter().zip(bases);
        nights
            .flat_map(|(night, base)| {
                (0..quarters).map(move |quarter| point(night, *base, quarter))
            })
            .collect()
    }

    #[test]
    fn standby_is_the_lowest_of_a_night_in_the_median() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let nights = nights("2026-11-29".parse().unwrap(), &zone);
        assert_eq!(nights.len(), 7);
        assert_eq!(nights[0].from.to_string(), "2026-11-27T23:00:00Z");
        assert_eq!(nights[0].to.to_string(), "2026-11-28T04:00:00Z");
        let known = points(&nights, &[2.0, 300.0, 2.5, 0.0, 2.4], 20);
        assert_eq!(median_base(&known, &nights), Some(2.4));
        // Two nights are no habit, and a night of an hour is none.
        assert_eq!(
            median_base(&points(&nights, &[2.0, 2.0], 20), &nights),
            None
        );
        assert_eq!(median_base(&points(&nights, &[2.0; 7], 4), &nights), None);
        assert_eq!(median_base(&[], &nights), None);
    }
}
