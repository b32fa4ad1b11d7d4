//! Energy of yesterday and today by quarter-hours, read in the background, so that no page waits for the history.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use api::{EnergyPeriod, RequestError, Tariff};
use hiflying::Mac;
use hub::Hub;
use hub::energy::{house_quarters, report};
use hub::store::{QUARTER, Quarter};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use parking_lot::Mutex;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::chart;
use crate::past_days::PastDays;

/// Interval at which the energy is read.
const READ_INTERVAL: Duration = Duration::from_secs(20);
/// Delay of the next attempt when the history cannot be read.
const RETRY_DELAY: Duration = Duration::from_secs(5);

/// Half-hours of a day.
const HALVES: i64 = 48;

/// Energy of yesterday and today, as it was read last. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct RecentEnergy(Arc<Mutex<Arc<Recent>>>);

/// Energy of yesterday and today at one time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recent {
    /// Start of today; `None` before the first read.
    pub(crate) today: Option<Timestamp>,
    /// Start of yesterday.
    pub(crate) yesterday: Timestamp,
    /// Mean power of the house by quarter-hours from the start of yesterday on; `None` where no plug has data.
    house: Vec<Option<f64>>,
    /// Energy by plug.
    pub(crate) plugs: HashMap<Mac, RecentPlug>,
    /// Sums until today; `None` before the first read.
    pub(crate) past: Option<Arc<PastDays>>,
}

/// Energy of one plug.
#[derive(Debug, Clone, Default)]
pub(crate) struct RecentPlug {
    /// The last 24 hours as SVG.
    pub(crate) spark: Option<Arc<str>>,
    /// Watt-hours of today.
    pub(crate) today_wh: f64,
    /// Cost of today by currency.
    pub(crate) cost: BTreeMap<String, f64>,
    /// Lifetime total at the time of the read.
    pub(crate) total_wh: Option<u64>,
}

impl RecentEnergy {
    /// Returns what was read last.
    pub(crate) fn get(&self) -> Arc<Recent> {
        Arc::clone(&self.0.lock())
    }

    /// Reads until cancelled; at once when a price has changed.
    pub(crate) async fn run(&self, hub: Hub, cancel: CancellationToken) {
        let mut prices = hub.tariffs().changes();
        let reading = async {
            loop {
                let delay = match self.read(&hub, plugs::now()).await {
                    Ok(()) => READ_INTERVAL,
                    Err(error) => {
                        tracing::debug!(%error, "the energy of today cannot be read");
                        RETRY_DELAY
                    }
                };
                // Either is a reason to read again.
                let _ = timeout(delay, prices.changed()).await;
            }
        };
        cancel.run_until_cancelled(reading).await;
    }

    fn set(&self, recent: Recent) {
        *self.0.lock() = Arc::new(recent);
    }

    /// Reads today and yesterday first; the days before take longer.
    async fn read(&self, hub: &Hub, now: Timestamp) -> Result<(), RequestError> {
        let tariffs: Vec<Tariff> = hub
            .tariffs()
            .all()
            .into_iter()
            .map(|tariff| tariff.body)
            .collect();
        let mut recent = read(hub, now, &tariffs).await?;
        recent.past.clone_from(&self.get().past);
        self.set(recent.clone());
        let today = Zoned::new(now, hub.clock().timezone.clone()).date();
        let is_stale = |past: &Arc<PastDays>| past.is_stale(today, &tariffs);
        if recent.past.as_ref().is_none_or(is_stale) {
            recent.past = Some(Arc::new(PastDays::read(hub, today, tariffs).await?));
            self.set(recent);
        }
        Ok(())
    }
}

async fn read(hub: &Hub, now: Timestamp, tariffs: &[Tariff]) -> Result<Recent, RequestError> {
    let zone = &hub.clock().timezone;
    let (yesterday, today) = days(now, zone)?;
    let views = hub.registry().views();
    let quarters = hub.store().quarters(None, yesterday, now).await;
    let quarters = quarters.map_err(|error| RequestError::from(&error))?;
    let mut recent = Recent {
        today: Some(today),
        yesterday,
        house: house(&quarters, yesterday, now),
        plugs: HashMap::with_capacity(views.len()),
        past: None,
    };
    for row in report(
        quarters.iter().copied(),
        tariffs,
        zone,
        EnergyPeriod::Day,
        today,
        now,
    ) {
        let plug = recent.plugs.entry(row.mac).or_default();
        plug.today_wh += row.energy_wh;
        if let (Some(cost), Some(currency)) = (row.cost, row.currency) {
            *plug.cost.entry(currency).or_default() += cost;
        }
    }
    // Drawn here once, and not for every page.
    let mut of_plugs: HashMap<Mac, Vec<Quarter>> = HashMap::new();
    for quarter in quarters {
        of_plugs.entry(quarter.plug).or_default().push(quarter);
    }
    for (mac, quarters) in of_plugs {
        let means = last_day(&quarters, now);
        let is_known = means.iter().any(Option::is_some);
        recent.plugs.entry(mac).or_default().spark = is_known.then(|| chart::spark(&means).into());
    }
    for view in views {
        let plug = recent.plugs.entry(view.plug.mac).or_default();
        plug.total_wh = view.energy_total_wh;
    }
    Ok(recent)
}

/// Returns the starts of yesterday and today.
fn days(now: Timestamp, zone: &TimeZone) -> Result<(Timestamp, Timestamp), RequestError> {
    let outside = |_| RequestError::unavailable("the clock of the hub is set to no usable date");
    let today = Zoned::new(now, zone.clone())
        .start_of_day()
        .map_err(outside)?;
    let yesterday = today.yesterday().map_err(outside)?;
    let yesterday = yesterday.start_of_day().map_err(outside)?;
    Ok((yesterday.timestamp(), today.timestamp()))
}

impl Recent {
    /// Returns the energy of a plug today in watt-hours. What it used since the read is added from its lifetime total.
    pub(crate) fn today_wh(&self, plug: Mac, total_wh: Option<u64>) -> Option<f64> {
        self.today?;
        let Some(recent) = self.plugs.get(&plug) else {
            return Some(0.0);
        };
        let since = total_wh.zip(recent.total_wh);
        // Below 2^52 watt-hours every number is exact.
        let since = since.map_or(0.0, |(now, then)| now.saturating_sub(then) as f64);
        Some(recent.today_wh + since)
    }

    /// Returns the mean power of all plugs by quarter-hours from `start`, which is that of a day, until `end`; `None` where no plug has data.
    pub(crate) fn house(&self, start: Timestamp, end: Timestamp) -> Vec<Option<f64>> {
        let count = |from: Timestamp, to: Timestamp| {
            usize::try_from(from.duration_until(to).as_secs().max(0) / QUARTER).unwrap_or(0)
        };
        let known = self
            .house
            .iter()
            .skip(count(self.yesterday, start))
            .copied();
        let unknown = std::iter::repeat(None);
        known.chain(unknown).take(count(start, end)).collect()
    }
}

/// Returns the mean power of the house by quarter-hours; `None` where no plug has data.
fn house(quarters: &[Quarter], start: Timestamp, end: Timestamp) -> Vec<Option<f64>> {
    let place = |t: Timestamp| usize::try_from(start.duration_until(t).as_secs() / QUARTER).ok();
    let mut means = vec![None; place(end).map_or(0, |last| last + 1)];
    for quarter in house_quarters(quarters.iter().copied()) {
        if let Some(mean) = place(quarter.t).and_then(|place| means.get_mut(place)) {
            *mean = Some(quarter.energy_wh * 4.0);
        }
    }
    means
}

/// Returns the mean power of a plug by half-hours of the last 24 hours; `None` where there is no data.
fn last_day(quarters: &[Quarter], now: Timestamp) -> Vec<Option<f64>> {
    let half = |t: Timestamp| t.as_second().div_euclid(2 * QUARTER);
    let first = half(now) + 1 - HALVES;
    let mut means: Vec<Option<f64>> = vec![None; usize::try_from(HALVES).unwrap_or(0)];
    for quarter in quarters {
        let place = usize::try_from(half(quarter.t) - first).ok();
        if let Some(mean) = place.and_then(|place| means.get_mut(place)) {
            let watts = quarter.energy_wh * 4.0;
            // The higher one, so that a short peak is seen.
            *mean = Some(mean.map_or(watts, |mean| mean.max(watts)));
        }
    }
    means
}
