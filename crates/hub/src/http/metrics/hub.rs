//! The figures of the hub itself: of its process, and of what it does.

use std::time::Duration;

use api::{Halted, HubRole, LastRun};
use prometheus_client::metrics::MetricType;

use super::metric::{Metric, flag};
use crate::hub::Hub;
use crate::lease::{Lease, MAX_LAG};
use crate::recorder::{Recorder, RecorderStatus};
use crate::registry::RegistryStats;

/// The figures of the process which is asked; on a standby all others are those of the active hub.
#[derive(Debug, Default)]
pub(super) struct ProcessFigures {
    pub(super) uptime: Duration,
    pub(super) acts: bool,
    pub(super) lease: Option<LeaseFigures>,
    pub(super) recorder: RecorderStatus,
    /// Readings that were lost before they reached the recorder.
    pub(super) lost_readings: u64,
}

/// The figures of what the hub does.
#[derive(Debug, Default)]
pub(super) struct HubFigures {
    pub(super) listeners: u64,
    pub(super) failed_backups: u64,
    pub(super) database_bytes: Option<u64>,
    pub(super) damages: usize,
    pub(super) stats: RegistryStats,
    pub(super) unread_problems: u64,
    pub(super) schedules: RunFigures,
    pub(super) rules: RunFigures,
}

/// The figures of a hub that shares its database.
#[derive(Debug)]
pub(super) struct LeaseFigures {
    pub(super) number: u64,
    pub(super) left: Option<Duration>,
    pub(super) is_current: bool,
    pub(super) others: usize,
}

impl ProcessFigures {
    /// Returns the present figures of a process.
    pub(super) fn of(lease: &Lease, recorder: &Recorder) -> Self {
        Self {
            uptime: lease.started().elapsed(),
            acts: lease.role() == HubRole::Active,
            lease: LeaseFigures::of(lease),
            recorder: recorder.status(),
            lost_readings: 0,
        }
    }
}

impl HubFigures {
    /// Returns the present figures of a hub with so many listeners.
    pub(super) async fn of(hub: &Hub, listeners: u64) -> Self {
        let (schedules, rules) = RunFigures::of(hub);
        Self {
            listeners,
            failed_backups: hub.backups().status().failed,
            database_bytes: hub.store().info().await.ok().map(|info| info.bytes),
            damages: hub.store().damage().len(),
            stats: hub.registry().stats(),
            unread_problems: hub.log().unread(),
            schedules,
            rules,
        }
    }
}

impl LeaseFigures {
    fn of(lease: &Lease) -> Option<Self> {
        let standing = lease.standing();
        let site = standing.site?;
        let others = site.hubs.iter().filter(|hub| hub.id != lease.hub());
        Some(Self {
            number: site.lease.number.max(standing.number.unwrap_or(0)),
            left: lease.time_left(),
            is_current: standing.is_current,
            others: others.filter(|hub| hub.lag <= MAX_LAG).count(),
        })
    }
}

/// Numbers of schedules or rules that do not do what they should.
#[derive(Debug, Default)]
pub(super) struct RunFigures {
    pub(super) failing: u64,
    pub(super) halted: u64,
    pub(super) dangling: u64,
}

impl RunFigures {
    fn count(&mut self, last: Option<&LastRun>, halted: Option<&Halted>, is_dangling: bool) {
        self.failing += u64::from(last.is_some_and(|last| last.error.is_some()));
        self.halted += u64::from(halted.is_some());
        self.dangling += u64::from(is_dangling);
    }

    fn of(hub: &Hub) -> (Self, Self) {
        let (mut schedules, mut rules) = (Self::default(), Self::default());
        for stored in hub
            .schedules()
            .all()
            .iter()
            .filter(|stored| stored.body.enabled)
        {
            let status = hub.view(stored).status;
            let is_dangling = !status.missing.is_empty();
            schedules.count(status.last.as_ref(), status.halted.as_ref(), is_dangling);
        }
        for stored in hub
            .rules()
            .all()
            .iter()
            .filter(|stored| stored.body.enabled)
        {
            let status = hub.view(stored).status;
            let is_dangling = !status.missing.is_empty();
            rules.count(status.last.as_ref(), status.halted.as_ref(), is_dangling);
        }
        (schedules, rules)
    }
}

pub(super) const PROCESS_METRICS: [Metric<ProcessFigures>; 13] = [
    metric(
        "mains_hub_uptime_seconds",
        MetricType::Gauge,
        "Time since the hub started.",
        |process| Some(process.uptime.as_secs_f64().floor()),
    ),
    metric(
        "mains_hub_active",
        MetricType::Gauge,
        "1 if this hub acts, 0 if it is on standby.",
        |process| Some(flag(process.acts)),
    ),
    metric(
        "mains_hub_lease_number",
        MetricType::Gauge,
        "Number of the lease, which rises with each takeover.",
        |process| Some(process.lease.as_ref()?.number as f64),
    ),
    metric(
        "mains_hub_lease_seconds",
        MetricType::Gauge,
        "Time for which this hub may act if it cannot renew the lease.",
        |process| Some(process.lease.as_ref()?.left?.as_secs_f64()),
    ),
    metric(
        "mains_hub_lease_up",
        MetricType::Gauge,
        "1 if this hub reaches the lease in the database.",
        |process| Some(flag(process.lease.as_ref()?.is_current)),
    ),
    metric(
        "mains_hub_other_hubs",
        MetricType::Gauge,
        "Other hubs of the site that have reported to the database within five seconds.",
        |process| {
            let lease = process.lease.as_ref()?;
            lease.is_current.then_some(lease.others as f64)
        },
    ),
    metric(
        "mains_hub_recorder_buffered",
        MetricType::Gauge,
        "Readings that wait to be written to the database.",
        |process| Some(process.recorder.buffered as f64),
    ),
    metric(
        "mains_hub_recorder_written_total",
        MetricType::Counter,
        "Readings written to the history.",
        |process| Some(process.recorder.written as f64),
    ),
    metric(
        "mains_hub_recorder_dropped_total",
        MetricType::Counter,
        "Readings missing from the history.",
        |process| Some((process.recorder.dropped + process.lost_readings) as f64),
    ),
    metric(
        "mains_hub_recorder_up",
        MetricType::Gauge,
        "1 if the database accepts readings.",
        |process| Some(flag(process.recorder.last_error.is_none())),
    ),
    metric(
        "mains_hub_spool_readings",
        MetricType::Gauge,
        "Readings that wait on the local disk for the database.",
        |process| Some(process.recorder.spool.as_ref()?.readings as f64),
    ),
    metric(
        "mains_hub_spool_bytes",
        MetricType::Gauge,
        "Size of the readings that wait on the local disk.",
        |process| Some(process.recorder.spool.as_ref()?.bytes as f64),
    ),
    metric(
        "mains_hub_spool_up",
        MetricType::Gauge,
        "1 if the spool on the local disk can be used.",
        |process| Some(flag(process.recorder.spool.as_ref()?.error.is_none())),
    ),
];

pub(super) const HUB_METRICS: [Metric<HubFigures>; 23] = [
    metric(
        "mains_hub_plugs",
        MetricType::Gauge,
        "Adopted plugs.",
        |hub| Some(hub.stats.plugs as f64),
    ),
    metric(
        "mains_hub_plugs_available",
        MetricType::Gauge,
        "Adopted plugs that reply.",
        |hub| Some(hub.stats.available as f64),
    ),
    metric(
        "mains_hub_plugs_unavailable",
        MetricType::Gauge,
        "Adopted plugs that do not reply.",
        |hub| Some(hub.stats.plugs.saturating_sub(hub.stats.available) as f64),
    ),
    metric(
        "mains_hub_schedules_failing",
        MetricType::Gauge,
        "Enabled schedules whose last run failed.",
        |hub| Some(hub.schedules.failing as f64),
    ),
    metric(
        "mains_hub_schedules_halted",
        MetricType::Gauge,
        "Enabled schedules that are stopped.",
        |hub| Some(hub.schedules.halted as f64),
    ),
    metric(
        "mains_hub_schedules_dangling",
        MetricType::Gauge,
        "Enabled schedules that name removed plugs or groups.",
        |hub| Some(hub.schedules.dangling as f64),
    ),
    metric(
        "mains_hub_rules_failing",
        MetricType::Gauge,
        "Enabled rules whose last run failed.",
        |hub| Some(hub.rules.failing as f64),
    ),
    metric(
        "mains_hub_rules_halted",
        MetricType::Gauge,
        "Enabled rules that are stopped.",
        |hub| Some(hub.rules.halted as f64),
    ),
    metric(
        "mains_hub_rules_dangling",
        MetricType::Gauge,
        "Enabled rules that name removed plugs or groups.",
        |hub| Some(hub.rules.dangling as f64),
    ),
    metric(
        "mains_hub_plugs_offered",
        MetricType::Gauge,
        "Plugs that were found and are not adopted.",
        |hub| Some(hub.stats.offered as f64),
    ),
    metric(
        "mains_hub_connections",
        MetricType::Gauge,
        "Open connections to plugs.",
        |hub| Some(hub.stats.connections as f64),
    ),
    metric(
        "mains_hub_scans_total",
        MetricType::Counter,
        "Broadcasts that probed all plugs.",
        |hub| Some(hub.stats.scans as f64),
    ),
    metric(
        "mains_hub_probes_total",
        MetricType::Counter,
        "Probes to single plugs.",
        |hub| Some(hub.stats.probes as f64),
    ),
    metric(
        "mains_hub_sightings_total",
        MetricType::Counter,
        "Replies to broadcasts and probes.",
        |hub| Some(hub.stats.sightings as f64),
    ),
    metric(
        "mains_hub_readings_total",
        MetricType::Counter,
        "Successful meter readings.",
        |hub| Some(hub.stats.readings as f64),
    ),
    metric(
        "mains_hub_failed_readings_total",
        MetricType::Counter,
        "Failed meter readings.",
        |hub| Some(hub.stats.failed_readings as f64),
    ),
    metric(
        "mains_hub_switches_total",
        MetricType::Counter,
        "Confirmed switches.",
        |hub| Some(hub.stats.switches as f64),
    ),
    metric(
        "mains_hub_failed_switches_total",
        MetricType::Counter,
        "Switches that failed or were not confirmed.",
        |hub| Some(hub.stats.failed_switches as f64),
    ),
    metric(
        "mains_hub_listeners",
        MetricType::Gauge,
        "Clients that receive events.",
        |hub| Some(hub.listeners as f64),
    ),
    metric(
        "mains_hub_failed_backups_total",
        MetricType::Counter,
        "Scheduled backups that failed.",
        |hub| Some(hub.failed_backups as f64),
    ),
    metric(
        "mains_hub_unread_problems",
        MetricType::Gauge,
        "Problems in the log that nobody has seen on the pages.",
        |hub| Some(hub.unread_problems as f64),
    ),
    metric(
        "mains_hub_database_bytes",
        MetricType::Gauge,
        "Size of the database.",
        |hub| hub.database_bytes.map(|bytes| bytes as f64),
    ),
    metric(
        "mains_hub_database_damages",
        MetricType::Gauge,
        "Damages of the database that are shown in the status of the hub.",
        |hub| Some(hub.damages as f64),
    ),
];

const fn metric<T>(
    name: &'static str,
    kind: MetricType,
    help: &'static str,
    value: fn(&T) -> Option<f64>,
) -> Metric<T> {
    Metric {
        name,
        help,
        kind,
        value,
    }
}
