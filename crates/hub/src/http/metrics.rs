//! `/metrics`: the state of the plugs and the hub in the Prometheus text format.
//!
//! Nothing is counted here: each scrape shows the current state. Unknown values, and values measured before a plug became
//! unavailable, are omitted, so that no graph continues with an old value.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use api::{ErrorKind, Halted, LastRun, PlugView, RequestError, SiteName};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use plugs::{Reading, RelayState};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode_registry;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::Api;
use super::problem::Problem;
use crate::guest::GuestMetric;
use crate::hub::Hub;
use crate::recorder::RecorderStatus;
use crate::registry::RegistryStats;

/// Prometheus text format, which every scraper reads.
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Joules per watt-hour.
const JOULES: f64 = 3600.0;

/// A metric of a plug or of the hub.
struct Metric<T> {
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    /// Returns the value, or `None` if it is unknown.
    value: fn(&T) -> Option<f64>,
}

const PLUG_METRICS: [Metric<PlugView>; 8] = [
    Metric {
        name: "mains_plug_power_watts",
        help: "Active power of the load.",
        kind: MetricType::Gauge,
        value: |view| live(view)?.power_w,
    },
    Metric {
        name: "mains_plug_voltage_volts",
        help: "Mains voltage.",
        kind: MetricType::Gauge,
        value: |view| live(view)?.voltage_v,
    },
    Metric {
        name: "mains_plug_current_amperes",
        help: "Current of the load.",
        kind: MetricType::Gauge,
        value: |view| live(view)?.current_a,
    },
    Metric {
        name: "mains_plug_frequency_hertz",
        help: "Mains frequency.",
        kind: MetricType::Gauge,
        value: |view| live(view)?.frequency_hz,
    },
    Metric {
        name: "mains_plug_energy_joules_total",
        help: "Energy that the plug ever used.",
        kind: MetricType::Counter,
        value: |view| view.energy_total_wh.map(|wh| wh as f64 * JOULES),
    },
    Metric {
        name: "mains_plug_relay_on",
        help: "1 if the relay is on.",
        kind: MetricType::Gauge,
        value: |view| {
            let relay = view.plug.relay.filter(|_| view.available)?;
            Some(flag(relay == RelayState::On))
        },
    },
    Metric {
        name: "mains_plug_available",
        help: "1 if the plug replies.",
        kind: MetricType::Gauge,
        value: |view| Some(flag(view.available)),
    },
    Metric {
        name: "mains_plug_drawing_while_off_watts",
        help: "Power that it draws although its relay is off, as with welded contacts.",
        kind: MetricType::Gauge,
        value: |view| {
            live(view)?;
            Some(view.still_drawing_w.unwrap_or(0.0))
        },
    },
];

fn live(view: &PlugView) -> Option<&Reading> {
    view.reading.as_ref().filter(|_| view.available)
}

fn flag(is_set: bool) -> f64 {
    f64::from(u8::from(is_set))
}

/// The figures of the hub itself.
#[derive(Debug)]
struct HubFigures {
    uptime: Duration,
    stats: RegistryStats,
    recorder: RecorderStatus,
    listeners: u64,
    failed_backups: u64,
    unread_problems: u64,
    database_bytes: Option<u64>,
    damages: usize,
    schedules: RunFigures,
    rules: RunFigures,
}

/// Numbers of schedules or rules that do not do what they should.
#[derive(Debug, Default)]
struct RunFigures {
    failing: u64,
    halted: u64,
    dangling: u64,
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

const HUB_METRICS: [Metric<HubFigures>; 31] = [
    hub_metric(
        "mains_hub_uptime_seconds",
        MetricType::Gauge,
        "Time since the hub started.",
        |hub| Some(hub.uptime.as_secs_f64().floor()),
    ),
    hub_metric(
        "mains_hub_plugs",
        MetricType::Gauge,
        "Adopted plugs.",
        |hub| Some(hub.stats.plugs as f64),
    ),
    hub_metric(
        "mains_hub_plugs_available",
        MetricType::Gauge,
        "Adopted plugs that reply.",
        |hub| Some(hub.stats.available as f64),
    ),
    hub_metric(
        "mains_hub_plugs_unavailable",
        MetricType::Gauge,
        "Adopted plugs that do not reply.",
        |hub| Some(hub.stats.plugs.saturating_sub(hub.stats.available) as f64),
    ),
    hub_metric(
        "mains_hub_schedules_failing",
        MetricType::Gauge,
        "Enabled schedules whose last run failed.",
        |hub| Some(hub.schedules.failing as f64),
    ),
    hub_metric(
        "mains_hub_schedules_halted",
        MetricType::Gauge,
        "Enabled schedules that are stopped.",
        |hub| Some(hub.schedules.halted as f64),
    ),
    hub_metric(
        "mains_hub_schedules_dangling",
        MetricType::Gauge,
        "Enabled schedules that name removed plugs or groups.",
        |hub| Some(hub.schedules.dangling as f64),
    ),
    hub_metric(
        "mains_hub_rules_failing",
        MetricType::Gauge,
        "Enabled rules whose last run failed.",
        |hub| Some(hub.rules.failing as f64),
    ),
    hub_metric(
        "mains_hub_rules_halted",
        MetricType::Gauge,
        "Enabled rules that are stopped.",
        |hub| Some(hub.rules.halted as f64),
    ),
    hub_metric(
        "mains_hub_rules_dangling",
        MetricType::Gauge,
        "Enabled rules that name removed plugs or groups.",
        |hub| Some(hub.rules.dangling as f64),
    ),
    hub_metric(
        "mains_hub_plugs_offered",
        MetricType::Gauge,
        "Plugs that were found and are not adopted.",
        |hub| Some(hub.stats.offered as f64),
    ),
    hub_metric(
        "mains_hub_connections",
        MetricType::Gauge,
        "Open connections to plugs.",
        |hub| Some(hub.stats.connections as f64),
    ),
    hub_metric(
        "mains_hub_scans_total",
        MetricType::Counter,
        "Broadcasts that probed all plugs.",
        |hub| Some(hub.stats.scans as f64),
    ),
    hub_metric(
        "mains_hub_probes_total",
        MetricType::Counter,
        "Probes to single plugs.",
        |hub| Some(hub.stats.probes as f64),
    ),
    hub_metric(
        "mains_hub_sightings_total",
        MetricType::Counter,
        "Replies to broadcasts and probes.",
        |hub| Some(hub.stats.sightings as f64),
    ),
    hub_metric(
        "mains_hub_readings_total",
        MetricType::Counter,
        "Successful meter readings.",
        |hub| Some(hub.stats.readings as f64),
    ),
    hub_metric(
        "mains_hub_failed_readings_total",
        MetricType::Counter,
        "Failed meter readings.",
        |hub| Some(hub.stats.failed_readings as f64),
    ),
    hub_metric(
        "mains_hub_switches_total",
        MetricType::Counter,
        "Confirmed switches.",
        |hub| Some(hub.stats.switches as f64),
    ),
    hub_metric(
        "mains_hub_failed_switches_total",
        MetricType::Counter,
        "Switches that failed or were not confirmed.",
        |hub| Some(hub.stats.failed_switches as f64),
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
        |hub| Some((hub.recorder.dropped + hub.stats.lost_readings) as f64),
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
        |hub| Some(hub.unread_problems as f64),
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

/// All figures of a scrape.
#[derive(Debug)]
struct Snapshot {
    plugs: Vec<Arc<PlugView>>,
    hub: HubFigures,
    guests: Vec<GuestMetric>,
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for metric in PLUG_METRICS {
            encode_plugs(&mut encoder, &metric, &self.plugs)?;
        }
        for metric in HUB_METRICS {
            let Some(value) = (metric.value)(&self.hub) else {
                continue;
            };
            let encoder = encoder.encode_descriptor(metric.name, metric.help, None, metric.kind)?;
            ConstGauge::new(value).encode(encoder)?;
        }
        for metric in &self.guests {
            let kind = metric.kind.into();
            let encoder = encoder.encode_descriptor(metric.name, metric.help, None, kind)?;
            ConstGauge::new(metric.value as f64).encode(encoder)?;
        }
        Ok(())
    }
}

/// Encodes one metric of every plug. In this format the name of a counter ends in `_total` on every line; the encoder would omit it
/// from the `TYPE` line, as OpenMetrics does. So `name` includes the suffix, and the value is encoded as a gauge.
fn encode_plugs(
    encoder: &mut DescriptorEncoder<'_>,
    metric: &Metric<PlugView>,
    plugs: &[Arc<PlugView>],
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(metric.name, metric.help, None, metric.kind)?;
    for view in plugs {
        let Some(value) = (metric.value)(view) else {
            continue;
        };
        let mac = format!("{:x}", view.plug.mac);
        let name = view.plug.name.as_deref().unwrap_or_default();
        let labels = [("mac", mac.as_str()), ("name", name)];
        ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn text(snapshot: Snapshot, site: &SiteName) -> Result<String, RequestError> {
    let label = Some(site).filter(|site| !site.is_empty());
    let label = label.map(|site| (Cow::Borrowed("site"), Cow::Owned(site.to_string())));
    let mut registry = Registry::with_labels(label.into_iter());
    registry.register_collector(Box::new(snapshot));
    let mut text = String::new();
    encode_registry(&mut text, &registry)
        .map_err(|_| RequestError::new(ErrorKind::Failed, "the metrics cannot be written"))?;
    Ok(text)
}

/// Returns metrics of the plugs and the hub for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "hub", operation_id = "metrics",
    responses((status = 200, description = "Metrics in the Prometheus text format", body = String, content_type = "text/plain")))]
pub(super) async fn metrics(State(api): State<Api>) -> Result<Response, Problem> {
    let hub = &api.hub;
    let (schedules, rules) = RunFigures::of(hub);
    let figures = HubFigures {
        schedules,
        rules,
        uptime: hub.started().elapsed(),
        stats: hub.registry().stats(),
        recorder: hub.recorder().status(),
        listeners: api.listeners.count(),
        failed_backups: hub.backups().status().failed,
        unread_problems: hub.log().unread(),
        database_bytes: hub.store().info().await.ok().map(|info| info.bytes),
        damages: hub.store().damage().len(),
    };
    let guests = hub.guests().iter();
    let snapshot = Snapshot {
        plugs: hub.registry().views(),
        hub: figures,
        guests: guests.flat_map(|guest| guest.metrics()).collect(),
    };
    let text = text(snapshot, &hub.config().site)?;
    Ok(([(CONTENT_TYPE, FORMAT)], text).into_response())
}

#[cfg(test)]
mod tests;
