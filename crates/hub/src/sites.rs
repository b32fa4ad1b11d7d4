//! The sites in the hub's database: what this hub reports to the others, and what the others have reported.
//!
//! Other sites are read, never written: what is to change there is told with the address of their own hub. Everything that a request
//! needs to know of which sites there are is in memory, so that a site that is cut off from the database goes on alone.

mod other;
mod selection;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use api::{EnergyPeriod, RequestError, SiteName, SiteReport, SiteView, TariffCost};
use hiflying::Mac;
use plugs::Capability;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::hub::Hub;
use crate::store::{Store, StoreError};
pub use other::{OtherSite, title};
pub use selection::SiteSelection;
pub(crate) use selection::{forbidden, no_such};

/// Interval between two looks for other sites.
const REFRESH_INTERVAL: Duration = Duration::from_secs(3);
/// Interval between two readings of the plugs of other sites.
const FOREIGN_INTERVAL: Duration = Duration::from_secs(15);
/// Age at which the energy of the day is computed again.
const MAX_TODAY_AGE: Duration = Duration::from_secs(5);
/// Age at which the cost of the month is computed again.
const MAX_MONTH_AGE: Duration = Duration::from_secs(300);
/// Maximum share of time that computing takes.
const MAX_SHARE: u32 = 20;
/// Maximum number of plugs in a report.
const MAX_MISSING: usize = 1_000;

/// The sites in the hub's database. Clones share their state.
#[derive(Debug, Clone, Default)]
pub struct Sites(Arc<SitesShared>);

#[derive(Debug, Default)]
struct SitesShared {
    others: RwLock<Vec<Arc<OtherSite>>>,
    /// Time at which the plugs of other sites were read.
    foreign: tokio::sync::Mutex<Option<Instant>>,
    today: tokio::sync::Mutex<Costs>,
    month: tokio::sync::Mutex<Costs>,
}

/// Costs that were computed, and when.
#[derive(Debug, Default)]
struct Costs {
    rows: Option<Vec<TariffCost>>,
    valid_until: Option<Instant>,
}

impl Sites {
    /// Returns the other sites, by name.
    pub fn others(&self) -> Vec<Arc<OtherSite>> {
        let others = self.0.others.read();
        others.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns another site by its name.
    pub fn other(&self, site: &SiteName) -> Option<Arc<OtherSite>> {
        let mut others = self.others().into_iter();
        others.find(|other| other.name() == site)
    }

    /// Looks for other sites until cancelled.
    pub async fn run(self, hub: Hub, cancel: CancellationToken) {
        if hub.config().postgres.is_none() {
            return;
        }
        let looking = async {
            loop {
                if let Err(error) = self.refresh(&hub).await {
                    tracing::debug!(%error, "the other sites cannot be read");
                }
                let report = match self.others().is_empty() {
                    // Without a reader nothing is computed.
                    true => hub.live_report(),
                    false => hub.site_report().await,
                };
                let report = serde_json::to_value(report);
                hub.lease()
                    .set_summary(report.expect("a report is a tree with text keys"));
                sleep(REFRESH_INTERVAL).await;
            }
        };
        cancel.run_until_cancelled(looking).await;
    }

    /// Looks for other sites.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `unavailable` if the database cannot be read. Then the sites stay as they were.
    pub async fn refresh(&self, hub: &Hub) -> Result<(), RequestError> {
        let unavailable = |error| RequestError::from(&error);
        let records = hub.store().other_sites().await.map_err(unavailable)?;
        let mut others = Vec::with_capacity(records.len());
        for record in records {
            let known = self.other(&record.site);
            let store: Arc<dyn Store> = match known {
                Some(known) => known.store().clone(),
                None => {
                    let site = &record.site;
                    tracing::info!(%site, "another site is in the database");
                    hub.store().site_reader(site).map_err(unavailable)?
                }
            };
            others.push(Arc::new(OtherSite::new(record, store, hub)));
        }
        others.sort_by(|a, b| a.name().cmp(b.name()));
        self.find_foreign(hub).await.map_err(unavailable)?;
        let mut present = self
            .0
            .others
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *present = others;
        Ok(())
    }

    /// Tells the registry which plugs belong to other sites.
    async fn find_foreign(&self, hub: &Hub) -> Result<(), StoreError> {
        let mut found = self.0.foreign.lock().await;
        if found.is_some_and(|found| found.elapsed() < FOREIGN_INTERVAL) {
            return Ok(());
        }
        let owners = hub.store().plugs_of_other_sites().await?;
        hub.registry().set_foreign(HashMap::from_iter(owners));
        *found = Some(Instant::now());
        Ok(())
    }

    /// Returns the costs of the present day and month; `None` while they are not known.
    async fn costs(&self, hub: &Hub) -> [Option<Vec<TariffCost>>; 2] {
        let today = self.0.today.lock().await;
        let today = Costs::renewed(today, hub, EnergyPeriod::Day, MAX_TODAY_AGE).await;
        let month = self.0.month.lock().await;
        let month = Costs::renewed(month, hub, EnergyPeriod::Month, MAX_MONTH_AGE).await;
        [today, month]
    }
}

impl Costs {
    /// Computes the costs of the present period if they are old; a database that fails leaves them.
    async fn renewed(
        mut costs: tokio::sync::MutexGuard<'_, Self>,
        hub: &Hub,
        by: EnergyPeriod,
        max_age: Duration,
    ) -> Option<Vec<TariffCost>> {
        let begun = Instant::now();
        if costs.valid_until.is_some_and(|until| begun < until) {
            return costs.rows.clone();
        }
        match hub.priced_history().costs(by).await {
            Ok(rows) => costs.rows = Some(rows),
            Err(error) => tracing::debug!(%error, "the costs of the site cannot be computed"),
        }
        costs.valid_until = Some(begun + max_age.max(begun.elapsed() * MAX_SHARE));
        costs.rows.clone()
    }
}

impl Hub {
    /// Returns what the hub reports to the hubs of other sites.
    pub async fn site_report(&self) -> SiteReport {
        let [today, month] = self.sites().costs(self).await;
        SiteReport {
            energy_today_wh: today.as_deref().map(energy),
            today: today.into_iter().flatten().collect(),
            month: month.into_iter().flatten().collect(),
            ..self.live_report()
        }
    }

    /// Returns as much of the report as needs no history.
    fn live_report(&self) -> SiteReport {
        let views = self.registry().views();
        let missing = || views.iter().filter(|view| !view.available);
        let live = views.iter().filter(|view| view.available);
        let powers: Vec<f64> = live
            .filter_map(|view| view.reading.as_ref()?.power_w)
            .collect();
        let has_meter = |mac: Mac| self.registry().can(mac, Capability::Meter);
        let is_unknown = powers.is_empty() && views.iter().any(|view| has_meter(view.plug.mac));
        SiteReport {
            plugs: views.len() as u64,
            unavailable: missing().count() as u64,
            power_w: (!is_unknown).then(|| sum(powers)),
            timezone: self.clock().timezone.iana_name().map(str::to_owned),
            missing: missing()
                .map(|view| view.plug.mac)
                .take(MAX_MISSING)
                .collect(),
            ..SiteReport::default()
        }
    }

    /// Returns the hub's own site.
    pub async fn own_site(&self) -> SiteView {
        let report = self.site_report().await;
        SiteView {
            site: self.config().site.clone(),
            plugs: report.plugs,
            unavailable: report.unavailable,
            power_w: report.power_w,
            energy_today_wh: report.energy_today_wh,
            today: report.today,
            month: report.month,
            url: None,
            seen: Some(plugs::now()),
            is_own: true,
            is_stale: false,
        }
    }
}

/// Returns the energy of all tariffs.
fn energy(costs: &[TariffCost]) -> f64 {
    sum(costs.iter().map(|cost| cost.energy_wh))
}

/// Returns the sum of numbers.
fn sum(numbers: impl IntoIterator<Item = f64>) -> f64 {
    // That of none is -0; adding 0 turns it into 0.
    numbers.into_iter().sum::<f64>() + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_not_less_than_nothing() {
        for none in [energy(&[]), sum([])] {
            assert!(none == 0.0 && none.is_sign_positive(), "{none:?}");
        }
    }
}
