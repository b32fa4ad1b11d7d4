//! Another site, as its hub has reported it and as its part of the database has it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use api::{
    DocumentView, ErrorKind, Id, LogEntry, Metering, MissingPlug, PlugView, RequestError, SiteName,
    SiteReport, SiteView, Tariff,
};
use hiflying::Mac;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use plugs::{Plug, Reading};
use serde::Deserialize as _;

use crate::documents::HubDocument;
use crate::history::{SiteHistory, bodies};
use crate::hub::Hub;
use crate::repository::Repository;
use crate::schedule::Clock;
use crate::store::{LogQuery, PlugRecord, SiteRecord, Store, StoreError};

/// Age at which a report is no longer taken for the present.
const MAX_REPORT_AGE: SignedDuration = SignedDuration::from_secs(15);

/// Another site in the hub's database, which is read and never written.
#[derive(Debug)]
pub struct OtherSite {
    site: SiteName,
    url: Option<String>,
    report: SiteReport,
    /// Age of the report when it was read, and that time.
    age: Option<(SignedDuration, Instant)>,
    store: Arc<dyn Store>,
    /// Its time zone; its place is not known here.
    clock: Clock,
    /// Metering interval of plugs without one of their own.
    default_metering: Metering,
}

impl OtherSite {
    pub(super) fn new(record: SiteRecord, store: Arc<dyn Store>, hub: &Hub) -> Self {
        // A hub of another version may report in another form; then nothing is known of its site.
        let report = SiteReport::deserialize(&record.summary);
        let report = report.unwrap_or_else(|_| SiteReport::default());
        let zone = report.timezone.as_deref();
        let zone = zone.and_then(|name| TimeZone::get(name).ok());
        Self {
            clock: Clock {
                timezone: zone.unwrap_or_else(|| hub.clock().timezone.clone()),
                place: None,
            },
            site: record.site,
            url: record.url,
            report,
            age: record.age.map(|age| (age, Instant::now())),
            store,
            default_metering: Metering::Every(hub.config().metering),
        }
    }

    /// Returns its name.
    pub fn name(&self) -> &SiteName {
        &self.site
    }

    /// Returns the address of its hub, if one has reported.
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    pub(super) fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    fn age(&self) -> Option<SignedDuration> {
        let (age, read) = self.age?;
        SignedDuration::try_from(read.elapsed())
            .ok()
            .map(|passed| age.saturating_add(passed))
    }

    /// Returns true if its hub has not reported lately.
    pub fn is_stale(&self) -> bool {
        self.age().is_none_or(|age| age >= MAX_REPORT_AGE)
    }

    /// Returns the site as the API shows it.
    pub fn view(&self) -> SiteView {
        let (is_stale, report) = (self.is_stale(), &self.report);
        let seen = self
            .age()
            .and_then(|age| plugs::now().checked_sub(age).ok());
        let day = |time: Timestamp| self.clock.timezone.to_datetime(time).date();
        let (today, seen_on) = (day(plugs::now()), seen.map(day));
        let is_of_today = seen_on == Some(today);
        let is_of_month =
            seen_on.is_some_and(|seen| seen.first_of_month() == today.first_of_month());
        SiteView {
            site: self.site.clone(),
            plugs: report.plugs,
            unavailable: match is_stale {
                true => report.plugs,
                false => report.unavailable,
            },
            power_w: report.power_w.filter(|_| !is_stale),
            energy_today_wh: report.energy_today_wh.filter(|_| is_of_today),
            today: if is_of_today {
                report.today.clone()
            } else {
                Vec::new()
            },
            month: if is_of_month {
                report.month.clone()
            } else {
                Vec::new()
            },
            url: self.url.clone(),
            seen,
            is_own: false,
            is_stale,
        }
    }

    /// Returns its plugs as they were last known. While the site is stale none of them is available.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `unavailable` if the database cannot be read.
    pub async fn plugs(&self) -> Result<Vec<PlugView>, RequestError> {
        let records = self.records().await?;
        let totals = self.store.energy().await.map_err(unavailable)?;
        let totals: HashMap<Mac, u64> = totals
            .into_iter()
            .map(|(mac, energy)| (mac, energy.total_wh))
            .collect();
        let readings = self.store.last_readings().await.map_err(unavailable)?;
        let mut readings: HashMap<Mac, Reading> = readings
            .into_iter()
            .map(|reading| (reading.plug, reading))
            .collect();
        let view = |record: PlugRecord| {
            let (total, reading) = (totals.get(&record.mac), readings.remove(&record.mac));
            self.plug_view(record, total.copied(), reading)
        };
        Ok(records.into_iter().map(view).collect())
    }

    fn plug_view(
        &self,
        record: PlugRecord,
        energy_total_wh: Option<u64>,
        reading: Option<Reading>,
    ) -> PlugView {
        let family = plugs::families::all();
        let has_meter = family
            .get(record.family)
            .is_none_or(|family| family.capabilities().contains(&plugs::Capability::Meter));
        PlugView {
            available: !self.is_stale() && !self.report.missing.contains(&record.mac),
            reading,
            energy_total_wh,
            room: record.room,
            metering: match has_meter {
                true => record.metering.unwrap_or(self.default_metering),
                false => Metering::Off,
            },
            power_on: record.power_on,
            relay_since: record.relay_since,
            still_drawing_w: None,
            often_unplugged: record.often_unplugged,
            plug: Plug {
                serial: record.serial,
                relay: record.relay,
                model: record.model,
                name: record.name,
                ..Plug::new(record.mac, record.family, record.address, record.seen)
            },
        }
    }

    /// Returns its plugs that do not reply: all of them while it is stale.
    ///
    /// # Errors
    ///
    /// As [`OtherSite::plugs`].
    pub async fn missing(&self) -> Result<Vec<MissingPlug>, RequestError> {
        let is_stale = self.is_stale();
        if !is_stale && self.report.unavailable == 0 {
            return Ok(Vec::new());
        }
        let records = self.records().await?.into_iter();
        let is_missing = |record: &PlugRecord| {
            is_stale || self.report.missing.contains(&record.mac) && !record.often_unplugged
        };
        let missing = records.filter(is_missing).map(|record| MissingPlug {
            mac: record.mac,
            name: record.name,
            room: record.room,
            seen: record.seen,
        });
        Ok(missing.collect())
    }

    /// Returns true if it has adopted a plug.
    ///
    /// # Errors
    ///
    /// As [`OtherSite::plugs`].
    pub async fn has_plug(&self, plug: Mac) -> Result<bool, RequestError> {
        Ok(self.adopted().await?.contains(&plug))
    }

    /// Returns the plugs that it has adopted.
    ///
    /// # Errors
    ///
    /// As [`OtherSite::plugs`].
    async fn adopted(&self) -> Result<HashSet<Mac>, RequestError> {
        let records = self.records().await?;
        Ok(records.iter().map(|record| record.mac).collect())
    }

    async fn records(&self) -> Result<Vec<PlugRecord>, RequestError> {
        self.store.plugs().await.map_err(unavailable)
    }

    /// Returns one of its plugs with the revision of its settings, if it has adopted it.
    ///
    /// # Errors
    ///
    /// As [`OtherSite::plugs`].
    pub async fn plug(&self, plug: Mac) -> Result<Option<(PlugView, u64)>, RequestError> {
        let records = self.records().await?;
        let revision = records.iter().find(|record| record.mac == plug);
        let Some(revision) = revision.map(|record| record.revision) else {
            return Ok(None);
        };
        let mut views = self.plugs().await?.into_iter();
        let view = views.find(|view| view.plug.mac == plug);
        Ok(view.map(|view| (view, revision)))
    }

    /// Returns its documents of one kind, by name, with as much of their status as is stored.
    ///
    /// # Errors
    ///
    /// As [`OtherSite::plugs`].
    pub async fn documents<T: HubDocument>(&self) -> Result<Vec<DocumentView<T>>, RequestError> {
        let repository = self.repository::<T>().await?;
        let all = repository.all();
        let view = |stored| T::stored_status(&repository, &self.clock, stored);
        Ok(all.iter().map(|stored| stored.view(view(stored))).collect())
    }

    /// Returns one of its documents with its revision, if it exists.
    ///
    /// # Errors
    ///
    /// As [`OtherSite::plugs`].
    pub async fn document<T: HubDocument>(
        &self,
        id: &Id,
    ) -> Result<Option<(DocumentView<T>, u64)>, RequestError> {
        let repository = self.repository::<T>().await?;
        let stored = repository.one(id).ok();
        Ok(stored.map(|stored| {
            let status = T::stored_status(&repository, &self.clock, &stored);
            (stored.view(status), stored.revision)
        }))
    }

    async fn repository<T: HubDocument>(&self) -> Result<Repository<T>, RequestError> {
        let repository = Repository::load(self.store.clone()).await;
        repository.map_err(unavailable)
    }

    /// Returns its history, with its tariffs.
    ///
    /// # Errors
    ///
    /// As [`OtherSite::plugs`].
    pub(crate) async fn history(&self) -> Result<SiteHistory<'_>, RequestError> {
        let adopted = self.adopted().await?;
        Ok(SiteHistory {
            site: &self.site,
            store: &*self.store,
            zone: &self.clock.timezone,
            tariffs: bodies(&self.repository::<Tariff>().await?.all()),
            adopted,
        })
    }

    /// Returns entries of its log, newest first.
    ///
    /// # Errors
    ///
    /// As [`OtherSite::plugs`].
    pub async fn log(&self, query: &LogQuery) -> Result<Vec<LogEntry>, RequestError> {
        self.store.log(query).await.map_err(unavailable)
    }

    /// Returns the error for an order that its own hub has to carry out.
    pub fn refusal(&self, what: &str) -> RequestError {
        let site = title(&self.site);
        let hint = match &self.url {
            Some(url) => format!("send it to the hub of that site at {url}"),
            None => "send it to the hub of that site".to_owned(),
        };
        RequestError::new(ErrorKind::Conflict, format!("{what} belongs to {site}")).hint(hint)
    }
}

/// Returns a site in words.
pub fn title(site: &SiteName) -> String {
    match site.is_empty() {
        true => "the site without a name".to_owned(),
        false => format!("the site \u{2018}{site}\u{2019}"),
    }
}

fn unavailable(error: StoreError) -> RequestError {
    RequestError::from(&error)
}
