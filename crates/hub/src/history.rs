//! Questions about the past: history in steps, energy and cost by period, and all rows of a plug.
//!
//! The API, pages and MQTT call the same functions of [`SiteHistory`], with the same defaults and limits.

use std::collections::{BTreeMap, HashSet};

use api::{
    Cost, EnergyPeriod, EnergyRequest, EnergyRow, History, HistoryRequest, HouseQuarter,
    HouseholdRow, RangeRequest, Repricing, RequestError, SiteName, Stored, Tariff, TariffCost,
    TariffKind, TimeRange,
};
use hiflying::Mac;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

use crate::energy::{CostReport, house_quarters, household, report};
use crate::hub::Hub;
use crate::registry::unknown_plug;
use crate::store::{HistoryQuery, HistoryStep, HistorySteps, Store, csv};
use grid::{Grid, MAX_POINTS, outside};

mod grid;

/// Default length of a history.
const DEFAULT_LENGTH: SignedDuration = SignedDuration::from_hours(24);
/// Maximum number of rows of energy.
const MAX_ROWS: i64 = 200_000;
/// Maximum number of days of energy: ten years.
const MAX_DAYS: i64 = 3_660;
/// Maximum length of a range of quarter-hours of the house: a month, and a day before it to compare with.
const MAX_QUARTERS_LENGTH: SignedDuration = SignedDuration::from_hours(32 * 24 + 1);
/// Default number of days of energy.
const DEFAULT_DAYS: i64 = 30;
/// Default number of weeks of energy.
const DEFAULT_WEEKS: i64 = 12;
/// Default number of months of energy.
const DEFAULT_MONTHS: i64 = 12;
/// Default number of years of energy.
const DEFAULT_YEARS: i64 = 5;

/// History of one site, by what it is computed from.
#[derive(Debug)]
pub struct SiteHistory<'a> {
    /// The site.
    pub(crate) site: &'a SiteName,
    /// Its store.
    pub(crate) store: &'a dyn Store,
    /// Its time zone.
    pub(crate) zone: &'a TimeZone,
    /// Its tariffs; none unless costs are asked for.
    pub(crate) tariffs: Vec<Tariff>,
    /// Its plugs; others with history were removed.
    pub(crate) adopted: HashSet<Mac>,
}

impl Hub {
    /// Returns the history of the hub's own site.
    pub fn site_history(&self) -> SiteHistory<'_> {
        let views = self.registry().views();
        SiteHistory {
            site: &self.config().site,
            store: &**self.store(),
            zone: &self.clock().timezone,
            tariffs: Vec::new(),
            adopted: views.iter().map(|view| view.plug.mac).collect(),
        }
    }

    /// Returns the history of the hub's own site with its tariffs, for costs.
    pub fn priced_history(&self) -> SiteHistory<'_> {
        SiteHistory {
            tariffs: bodies(&self.tariffs().all()),
            ..self.site_history()
        }
    }

    /// Returns the effect of a change of tariffs on the costs of the past; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `unavailable` if the store cannot be read.
    pub async fn repriced(
        &self,
        before: &[Stored<Tariff>],
        after: &[Stored<Tariff>],
    ) -> Result<Option<Repricing>, RequestError> {
        let (now, zone) = (plugs::now(), &self.clock().timezone);
        let sides = [bodies(before), bodies(after)];
        let since = changed_since(&sides, zone);
        let Some(since) = since.filter(|since| *since < now) else {
            return Ok(None);
        };
        let mut costs = [BTreeMap::new(), BTreeMap::new()];
        for plug in self.site_history().all_recorded().await? {
            let quarters = self.store().quarters(Some(plug), since, now).await;
            let quarters = quarters.map_err(|error| RequestError::from(&error))?;
            for (tariffs, costs) in sides.iter().zip(&mut costs) {
                let quarters = quarters.iter().copied();
                for row in report(quarters, tariffs, zone, EnergyPeriod::Month, since, now) {
                    if let (Some(cost), Some(currency)) = (row.cost, row.currency) {
                        *costs.entry(currency).or_insert(0.0) += cost;
                    }
                }
            }
        }
        let [before, after] = costs.map(|costs| {
            let cost = |(currency, cost): (String, f64)| Cost {
                cost: (cost * 1e6).round() / 1e6,
                currency,
            };
            let costs = costs.into_iter().map(cost);
            // A price of nothing changes nothing.
            costs.filter(|cost| cost.cost != 0.0).collect::<Vec<_>>()
        });
        Ok((before != after).then_some(Repricing {
            from: since,
            before,
            after,
        }))
    }
}

impl SiteHistory<'_> {
    /// Returns the history of a plug in steps. Steps without data are omitted; the unfinished last step is included.
    ///
    /// # Errors
    ///
    /// [`RequestError`]: `not_found` for an unknown plug, `usage` for an invalid range or step, `unavailable` if the database fails.
    pub async fn history(
        &self,
        plug: Mac,
        request: &HistoryRequest,
    ) -> Result<History, RequestError> {
        self.recorded(plug).await?;
        let zone = self.zone;
        let day_before = |to: Timestamp| to.checked_sub(DEFAULT_LENGTH).map_err(|_| outside());
        let range = request.range.resolve(plugs::now(), zone, day_before)?;
        let grid = Grid::new(range, request.step, zone)?;
        let query = HistoryQuery {
            plug,
            from: range.from,
            to: range.to,
            step: grid.step,
            edges: grid.edges,
            limit: usize::try_from(MAX_POINTS).unwrap_or(usize::MAX),
        };
        let steps = self.store.history(&query).await;
        let HistorySteps { step, points } = steps.map_err(|error| RequestError::from(&error))?;
        Ok(History {
            step_s: match step {
                HistoryStep::Seconds(seconds) => seconds.into(),
                HistoryStep::Edges => grid.seconds,
            },
            points,
        })
    }

    /// Returns energy and cost by period and plug.
    pub async fn energy(&self, request: &EnergyRequest) -> Result<Vec<EnergyRow>, RequestError> {
        let range = self.energy_range(request.range, request.by)?;
        self.energy_rows(range, request.by, &request.plugs).await
    }

    async fn energy_rows(
        &self,
        range: TimeRange,
        by: EnergyPeriod,
        named: &[Mac],
    ) -> Result<Vec<EnergyRow>, RequestError> {
        let zone = self.zone;
        let plugs = self.energy_plugs(named).await?;
        check_size(by, range, plugs.len())?;
        let mut rows = Vec::new();
        // Plug by plug, so that no more than the quarter-hours of one are in memory.
        for plug in plugs {
            let quarters = self.store.quarters(Some(plug), range.from, range.to).await;
            let quarters = quarters.map_err(|error| RequestError::from(&error))?;
            let mut of_plug = report(quarters, &self.tariffs, zone, by, range.from, range.to);
            let removed = !self.adopted.contains(&plug);
            of_plug.iter_mut().for_each(|row| row.removed = removed);
            rows.append(&mut of_plug);
        }
        rows.sort_by(|a, b| (&a.period, a.mac).cmp(&(&b.period, b.mac)));
        Ok(rows)
    }

    /// Returns energy and cost of the present period by tariff.
    pub(crate) async fn costs(&self, by: EnergyPeriod) -> Result<Vec<TariffCost>, RequestError> {
        let to = plugs::now();
        let first = by.first_day(self.zone.to_datetime(to).date());
        let from = self
            .zone
            .to_timestamp(first.into())
            .map_err(|_| outside())?;
        let mut costs = CostReport::new(&self.tariffs, self.zone);
        for plug in self.all_recorded().await? {
            let quarters = self.store.quarters(Some(plug), from, to).await;
            costs.add(quarters.map_err(|error| RequestError::from(&error))?);
        }
        Ok(costs.finish(TimeRange { from, to }))
    }

    /// Returns energy, cost and standing charge of the whole household by period. Periods without data are omitted.
    pub async fn household(
        &self,
        range: RangeRequest,
        by: EnergyPeriod,
    ) -> Result<Vec<HouseholdRow>, RequestError> {
        let range = self.energy_range(range, by)?;
        let rows = self.energy_rows(range, by, &[]).await?;
        Ok(household(&rows, &self.tariffs, self.zone, by, range))
    }

    /// Returns the energy of the house by quarter-hours, removed plugs included; today unless `from` is given. Quarter-hours without
    /// data are omitted; the unfinished last one is included.
    pub async fn house_quarters(
        &self,
        range: RangeRequest,
    ) -> Result<Vec<HouseQuarter>, RequestError> {
        let zone = self.zone;
        let start_of_day = |to: Timestamp| {
            let start = to.to_zoned(zone.clone()).start_of_day();
            Ok(start.map_err(|_| outside())?.timestamp())
        };
        let range = range.resolve(plugs::now(), zone, start_of_day)?;
        if range.from.duration_until(range.to) > MAX_QUARTERS_LENGTH {
            return Err(
                RequestError::usage("from: quarter-hours are of at most 32 days")
                    .at("from")
                    .hint("ask for less time, or for days"),
            );
        }
        let quarters = self.store.quarters(None, range.from, range.to).await;
        Ok(house_quarters(
            quarters.map_err(|error| RequestError::from(&error))?,
        ))
    }

    fn energy_range(
        &self,
        range: RangeRequest,
        by: EnergyPeriod,
    ) -> Result<TimeRange, RequestError> {
        let zone = self.zone;
        let default = |to| default_start(by, to, zone);
        range.resolve(plugs::now(), zone, default)
    }

    /// Returns all stored rows of a plug as CSV; from the beginning unless `from` is given.
    pub async fn export(&self, plug: Mac, range: RangeRequest) -> Result<Vec<u8>, RequestError> {
        self.recorded(plug).await?;
        let zone = self.zone;
        let beginning = |_| Ok(Timestamp::UNIX_EPOCH);
        let range = range.resolve(plugs::now(), zone, beginning)?;
        let mut text = Vec::new();
        let written = csv::export(
            self.store,
            self.site,
            plug,
            (range.from, range.to),
            &mut text,
        )
        .await;
        written.map_err(|error| RequestError::from(&error))?;
        Ok(text)
    }

    /// Checks that a plug is adopted, or has a history from before it was removed.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `not_found` if neither, `unavailable` if the database fails.
    pub(crate) async fn recorded(&self, plug: Mac) -> Result<(), RequestError> {
        if self.adopted.contains(&plug) || self.all_recorded().await?.contains(&plug) {
            return Ok(());
        }
        Err(unknown_plug(plug))
    }

    async fn all_recorded(&self) -> Result<Vec<Mac>, RequestError> {
        let plugs = self.store.recorded().await;
        plugs.map_err(|error| RequestError::from(&error))
    }

    /// Returns the plugs whose energy is requested, sorted; all if none is named, also those that were removed.
    async fn energy_plugs(&self, named: &[Mac]) -> Result<Vec<Mac>, RequestError> {
        for plug in named {
            self.recorded(*plug).await?;
        }
        let mut plugs = named.to_vec();
        if plugs.is_empty() {
            plugs = self.all_recorded().await?;
        }
        plugs.sort();
        plugs.dedup();
        Ok(plugs)
    }
}

/// Returns tariffs without their ids.
pub(crate) fn bodies(stored: &[Stored<Tariff>]) -> Vec<Tariff> {
    stored.iter().map(|stored| stored.body.clone()).collect()
}

/// Returns the first time at which the prices of two sets of tariffs can differ; `None` if they are the same.
fn changed_since(sides: &[Vec<Tariff>; 2], zone: &TimeZone) -> Option<Timestamp> {
    let [before, after] = sides;
    let changed = |these: &[Tariff], others: &[Tariff]| -> Vec<Timestamp> {
        let changed = these.iter().filter(|tariff| !others.contains(tariff));
        let start = |tariff: &Tariff| match tariff.valid_from {
            Some(day) => zone.to_timestamp(day.get().into()).ok(),
            None => Some(Timestamp::UNIX_EPOCH),
        };
        let since = |tariff: &Tariff| {
            let other = others.iter().find(|other| other.name == tariff.name);
            let price = other.and_then(|other| first_new_price(tariff, other));
            price.or_else(|| start(tariff))
        };
        changed.filter_map(since).collect()
    };
    changed(before, after)
        .into_iter()
        .chain(changed(after, before))
        .min()
}

/// Returns the time of the first price in which two tariffs differ that are the same but for their hourly prices.
fn first_new_price(one: &Tariff, other: &Tariff) -> Option<Timestamp> {
    let prices = |tariff: &Tariff| match &tariff.kind {
        TariffKind::Hourly { prices, .. } => Some(prices.clone()),
        TariffKind::Flat { .. } | TariffKind::DayNight { .. } => None,
    };
    let (these, those) = (prices(one)?, prices(other)?);
    let mut with_same = other.clone();
    if let TariffKind::Hourly { prices, .. } = &mut with_same.kind {
        prices.clone_from(&these);
    }
    if with_same != *one {
        return None;
    }
    let (mut these, mut those) = (these.iter(), those.iter());
    loop {
        match (these.next(), those.next()) {
            (Some(a), Some(b)) if a == b => {}
            (a, b) => return a.into_iter().chain(b).map(|price| price.t).min(),
        }
    }
}

/// Returns the default start of sums that end at `to`.
fn default_start(
    by: EnergyPeriod,
    to: Timestamp,
    zone: &TimeZone,
) -> Result<Timestamp, RequestError> {
    let last = by.first_day(zone.to_datetime(to).date());
    let first = match by {
        EnergyPeriod::Day => last.checked_sub((DEFAULT_DAYS - 1).days()),
        EnergyPeriod::Week => last.checked_sub((DEFAULT_WEEKS - 1).weeks()),
        EnergyPeriod::Month => last.checked_sub((DEFAULT_MONTHS - 1).months()),
        EnergyPeriod::Year => last.checked_sub((DEFAULT_YEARS - 1).years()),
    };
    let first = zone.to_timestamp(first.map_err(|_| outside())?.into());
    Ok(first.map_err(|_| outside())?.max(Timestamp::UNIX_EPOCH))
}

fn check_size(by: EnergyPeriod, range: TimeRange, plugs: usize) -> Result<(), RequestError> {
    let days = range.from.duration_until(range.to).as_hours() / 24 + 2;
    let periods = match by {
        EnergyPeriod::Day => days,
        EnergyPeriod::Week => days / 7 + 2,
        EnergyPeriod::Month => days / 28 + 2,
        EnergyPeriod::Year => days / 365 + 2,
    };
    let plugs = i64::try_from(plugs).unwrap_or(i64::MAX);
    if days > MAX_DAYS && by == EnergyPeriod::Day || periods.saturating_mul(plugs) > MAX_ROWS {
        return Err(
            RequestError::usage("from: that is more than one answer has")
                .at("from")
                .hint("ask for less time, fewer plugs, or by month"),
        );
    }
    Ok(())
}
