//! Energy of yesterday and today by quarter-hours, read in the background, so that no page waits for the history.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api::{EnergyPeriod, RequestError, Tariff};
use hiflying::Mac;
use hub::Hub;
use hub::energy::report;
use hub::store::QUARTER;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::past_days::PastDays;

/// Interval at which the energy is read.
const READ_INTERVAL: Duration = Duration::from_secs(20);
/// Delay of the next attempt when the history cannot be read.
const RETRY_DELAY: Duration = Duration::from_secs(5);

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
    /// Time of the read.
    pub(crate) at: Timestamp,
    /// Energy by plug.
    pub(crate) plugs: HashMap<Mac, RecentPlug>,
    /// Sums until today; `None` before the first read.
    pub(crate) past: Option<Arc<PastDays>>,
}

/// Energy of one plug.
#[derive(Debug, Clone, Default)]
pub(crate) struct RecentPlug {
    /// Watt-hours by the start of the quarter-hour.
    pub(crate) quarters: BTreeMap<Timestamp, f64>,
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
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
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
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(recent);
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
        at: now,
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
    for quarter in quarters {
        let plug = recent.plugs.entry(quarter.plug).or_default();
        plug.quarters.insert(quarter.t, quarter.energy_wh);
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

    /// Returns the mean power of all plugs by quarter-hours of the day that begins at `start`, until `end`; `None` where no plug has data.
    pub(crate) fn house(&self, start: Timestamp, end: Timestamp) -> Vec<Option<f64>> {
        let count = start.duration_until(end).as_secs().max(0) / QUARTER;
        let mut means = vec![None; usize::try_from(count).unwrap_or(0)];
        for plug in self.plugs.values() {
            for (t, energy_wh) in plug.quarters.range(start..end) {
                let index = start.duration_until(*t).as_secs() / QUARTER;
                let mean = usize::try_from(index)
                    .ok()
                    .and_then(|index| means.get_mut(index));
                if let Some(mean) = mean {
                    *mean = Some(mean.unwrap_or(0.0) + energy_wh * 4.0);
                }
            }
        }
        means
    }

    /// Returns the mean power of a plug by half-hours of the last 24 hours; `None` where there is no data.
    pub(crate) fn spark(&self, plug: Mac) -> Option<Vec<Option<f64>>> {
        let quarters = &self.plugs.get(&plug)?.quarters;
        let end = self.at.as_second().div_euclid(2 * QUARTER) + 1;
        let mut means = Vec::with_capacity(48);
        for half in end - 48..end {
            let start = Timestamp::from_second(half * 2 * QUARTER).ok()?;
            let stop = start
                .checked_add(SignedDuration::from_secs(2 * QUARTER))
                .ok()?;
            // The higher one, so that a short peak is seen.
            let mean = quarters
                .range(start..stop)
                .map(|(_, wh)| wh * 4.0)
                .reduce(f64::max);
            means.push(mean);
        }
        means.iter().any(Option::is_some).then_some(means)
    }
}
