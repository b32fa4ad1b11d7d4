//! The figures of the hub itself.

use std::time::Duration;

use api::{Halted, HubRole, LastRun};
use prometheus_client::metrics::MetricType;

use super::metric::{Metric, flag};
use crate::hub::Hub;
use crate::lease::{Lease, MAX_LAG};
use crate::recorder::RecorderStatus;
use crate::registry::RegistryStats;

/// The figures of the hub itself.
#[derive(Debug, Default)]
pub(super) struct HubFigures {
    pub(super) uptime: Duration,
    pub(super) lease: Option<LeaseFigures>,
    pub(super) recorder: RecorderStatus,
    pub(super) listeners: u64,
    pub(super) failed_backups: u64,
    pub(super) database_bytes: Option<u64>,
    pub(super) damages: usize,
    /// `None` on a standby, which cannot tell.
    pub(super) acting: Option<ActingFigures>,
}

/// The figures of a hub that shares its database.
#[derive(Debug)]
pub(super) struct LeaseFigures {
    pub(super) number: u64,
    pub(super) left: Option<Duration>,
    pub(super) is_current: bool,
    pub(super) others: usize,
}

/// The figures of a hub that acts.
#[derive(Debug, Default)]
pub(super) struct ActingFigures {
    pub(super) stats: RegistryStats,
    pub(super) unread_problems: u64,
    pub(super) schedules: RunFigures,
    pub(super) rules: RunFigures,
}

impl HubFigures {
    /// Returns the present figures of a hub with so many listeners.
    pub(super) async fn of(hub: &Hub, listeners: u64) -> Self {
        let acting = hub.lease().role() == HubRole::Active;
        Self {
            uptime: hub.started().elapsed(),
            lease: LeaseFigures::of(hub.lease()),
            recorder: hub.recorder().status(),
            listeners,
            failed_backups: hub.backups().status().failed,
            database_bytes: hub.store().info().await.ok().map(|info| info.bytes),
            damages: hub.store().damage().len(),
            acting: acting.then(|| ActingFigures::of(hub)),
        }
    }
}

impl ActingFigures {
    fn of(hub: &Hub) -> Self {
        let (schedules, rules) = RunFigures::of(hub);
        Self {
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

pub(super) const HUB_METRICS: [Metric<HubFigures>; 36] = [
    hub_metric(
        "mains_hub_uptime_seconds",
        MetricType::Gauge,
        "Time since the hub started.",
        |hub| Some(hub.uptime.as_secs_f64().floor()),
    ),
    hub_metric(
        "mains_hub_active",
        MetricType::Gauge,
        "1 if this hub acts, 0 if it is on standby.",
        |hub| Some(flag(hub.acting.is_some())),
    ),
    hub_metric(
        "mains_hub_lease_number",
        MetricType::Gauge,
        "Number of the lease, which rises with each takeover.",
        |hub| Some(hub.lease.as_ref()?.number as f64),
    ),
    hub_metric(
        "mains_hub_lease_seconds",
        MetricType::Gauge,
        "Time for which this hub may act if it cannot renew the lease.",
        |hub| Some(hub.lease.as_ref()?.left?.as_secs_f64()),
    ),
    hub_metric(
        "mains_hub_lease_up",
        MetricType::Gauge,
        "1 if this hub reaches the lease in the database.",
        |hub| Some(flag(hub.lease.as_ref()?.is_current)),
    ),
    hub_metric(
        "mains_hub_other_hubs",
        MetricType::Gauge,
        "Other hubs of the site that have reported to the database within five seconds.",
        |hub| {
            let lease = hub.lease.as_ref()?;
            lease.is_current.then_some(lease.others as f64)
        },
    ),
    hub_metric(
        "mains_hub_plugs",
        MetricType::Gauge,
        "Adopted plugs.",
        |hub| Some(hub.acting.as_ref()?.stats.plugs as f64),
    ),
    hub_metric(
        "mains_hub_plugs_available",
        MetricType::Gauge,
        "Adopted plugs that reply.",
        |hub| Some(hub.acting.as_ref()?.stats.available as f64),
    ),
    hub_metric(
        "mains_hub_plugs_unavailable",
        MetricType::Gauge,
        "Adopted plugs that do not reply.",
        |hub| {
            let stats = &hub.acting.as_ref()?.stats;
            Some(stats.plugs.saturating_sub(stats.available) as f64)
        },
    ),
    hub_metric(
        "mains_hub_schedules_failing",
        MetricType::Gauge,
        "Enabled schedules whose last run failed.",
        |hub| Some(hub.acting.as_ref()?.schedules.failing as f64),
    ),
    hub_metric(
        "mains_hub_schedules_halted",
        MetricType::Gauge,
        "Enabled schedules that are stopped.",
        |hub| Some(hub.acting.as_ref()?.schedules.halted as f64),
    ),
    hub_metric(
        "mains_hub_schedules_dangling",
        MetricType::Gauge,
        "Enabled schedules that name removed plugs or groups.",
        |hub| Some(hub.acting.as_ref()?.schedules.dangling as f64),
    ),
    hub_metric(
        "mains_hub_rules_failing",
        MetricType::Gauge,
        "Enabled rules whose last run failed.",
        |hub| Some(hub.acting.as_ref()?.rules.failing as f64),
    ),
    hub_metric(
        "mains_hub_rules_halted",
        MetricType::Gauge,
        "Enabled rules that are stopped.",
        |hub| Some(hub.acting.as_ref()?.rules.halted as f64),
    ),
    hub_metric(
        "mains_hub_rules_dangling",
        MetricType::Gauge,
        "Enabled rules that name removed plugs or groups.",
        |hub| Some(hub.acting.as_ref()?.rules.dangling as f64),
    ),
    hub_metric(
        "mains_hub_plugs_offered",
        MetricType::Gauge,
        "Plugs that were found and are not adopted.",
        |hub| Some(hub.acting.as_ref()?.stats.offered as f64),
    ),
    hub_metric(
        "mains_hub_connections",
        MetricType::Gauge,
        "Open connections to plugs.",
        |hub| Some(hub.acting.as_ref()?.stats.connections as f64),
    ),
    hub_metric(
        "mains_hub_scans_total",
        MetricType::Counter,
        "Broadcasts that probed all plugs.",
        |hub| Some(hub.acting.as_ref()?.stats.scans as f64),
    ),
    hub_metric(
        "mains_hub_probes_total",
        MetricType::Counter,
        "Probes to single plugs.",
        |hub| Some(hub.acting.as_ref()?.stats.probes as f64),
    ),
    hub_metric(
        "mains_hub_sightings_total",
        MetricType::Counter,
        "Replies to broadcasts and probes.",
        |hub| Some(hub.acting.as_ref()?.stats.sightings as f64),
    ),
    hub_metric(
        "mains_hub_readings_total",
        MetricType::Counter,
        "Successful meter readings.",
        |hub| Some(hub.acting.as_ref()?.stats.readings as f64),
    ),
    hub_metric(
        "mains_hub_failed_readings_total",
        MetricType::Counter,
        "Failed meter readings.",
        |hub| Some(hub.acting.as_ref()?.stats.failed_readings as f64),
    ),
    hub_metric(
        "mains_hub_switches_total",
        MetricType::Counter,
        "Confirmed switches.",
        |hub| Some(hub.acting.as_ref()?.stats.switches as f64),
    ),
    hub_metric(
        "mains_hub_failed_switches_total",
        MetricType::Counter,
        "Switches that failed or were not confirmed.",
        |hub| Some(hub.acting.as_ref()?.stats.failed_switches as f64),
    ),
    hub_metric(
        "mains_hub_listeners",
        MetricType::Gauge,
        "Clients that receive events.",
        |hub| Some(hub.listeners as f64),
    ),
    hub_metric(
        "mains_hub_recorder_buffered",
        MetricType::Gauge,
        "Readings that wait to be written to the database.",
        |hub| Some(hub.recorder.buffered as f64),
    ),
    hub_metric(
        "mains_hub_recorder_written_total",
        MetricType::Counter,
        "Readings written to the history.",
        |hub| Some(hub.recorder.written as f64),
    ),
    hub_metric(
        "mains_hub_recorder_dropped_total",
        MetricType::Counter,
        "Readings missing from the history.",
        |hub| {
            let acting = hub.acting.as_ref();
            let lost = acting.map_or(0, |acting| acting.stats.lost_readings);
            Some((hub.recorder.dropped + lost) as f64)
        },
    ),
    hub_metric(
        "mains_hub_recorder_up",
        MetricType::Gauge,
        "1 if the database accepts readings.",
        |hub| Some(flag(hub.recorder.last_error.is_none())),
    ),
    hub_metric(
        "mains_hub_spool_readings",
        MetricType::Gauge,
        "Readings that wait on the local disk for the database.",
        |hub| Some(hub.recorder.spool.as_ref()?.readings as f64),
    ),
    hub_metric(
        "mains_hub_spool_bytes",
        MetricType::Gauge,
        "Size of the readings that wait on the local disk.",
        |hub| Some(hub.recorder.spool.as_ref()?.bytes as f64),
    ),
    hub_metric(
        "mains_hub_spool_up",
        MetricType::Gauge,
        "1 if the spool on the local disk can be used.",
        |hub| Some(flag(hub.recorder.spool.as_ref()?.error.is_none())),
    ),
    hub_metric(
        "mains_hub_failed_backups_total",
        MetricType::Counter,
        "Scheduled backups that failed.",
        |hub| Some(hub.failed_backups as f64),
    ),
    hub_metric(
        "mains_hub_unread_problems",
        MetricType::Gauge,
        "Problems in the log that nobody has seen on the pages.",
        |hub| Some(hub.acting.as_ref()?.unread_problems as f64),
    ),
    hub_metric(
        "mains_hub_database_bytes",
        MetricType::Gauge,
        "Size of the database.",
        |hub| hub.database_bytes.map(|bytes| bytes as f64),
    ),
    hub_metric(
        "mains_hub_database_damages",
        MetricType::Gauge,
        "Damages of the database that are shown in the status of the hub.",
        |hub| Some(hub.damages as f64),
    ),
];

const fn hub_metric(
    name: &'static str,
    kind: MetricType,
    help: &'static str,
    value: fn(&HubFigures) -> Option<f64>,
) -> Metric<HubFigures> {
    Metric {
        name,
        help,
        kind,
        value,
    }
}
