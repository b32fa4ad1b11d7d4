//! `/metrics`: the state of the plugs and the hub in the Prometheus text format.
//!
//! Nothing is counted here: each scrape shows the current state. Unknown values, and values measured before a plug became
//! unavailable, are omitted, so that no graph continues with an old value.

mod hub;
mod metric;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use api::{ErrorKind, PlugView, RequestError, SiteName};
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
use crate::lease::Lease;
use crate::recorder::Recorder;
use hub::{HUB_METRICS, HubFigures, PROCESS_METRICS, ProcessFigures};
use metric::{Metric, flag};

/// Prometheus text format, which every scraper reads.
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Joules per watt-hour.
const JOULES: f64 = 3600.0;

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

/// All figures of a scrape; those of a standby about its process alone.
#[derive(Debug, Default)]
struct Snapshot {
    process: ProcessFigures,
    plugs: Vec<Arc<PlugView>>,
    hub: Option<HubFigures>,
    guests: Vec<GuestMetric>,
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        if let Some(hub) = &self.hub {
            for metric in PLUG_METRICS {
                encode_plugs(&mut encoder, &metric, &self.plugs)?;
            }
            encode_all(&mut encoder, &HUB_METRICS, hub)?;
        }
        encode_all(&mut encoder, &PROCESS_METRICS, &self.process)?;
        for metric in &self.guests {
            let kind = metric.kind.into();
            let encoder = encoder.encode_descriptor(metric.name, metric.help, None, kind)?;
            ConstGauge::new(metric.value as f64).encode(encoder)?;
        }
        Ok(())
    }
}

/// Encodes metrics without labels; unknown values are left out.
fn encode_all<T>(
    encoder: &mut DescriptorEncoder<'_>,
    metrics: &[Metric<T>],
    figures: &T,
) -> fmt::Result {
    for metric in metrics {
        let Some(value) = (metric.value)(figures) else {
            continue;
        };
        let encoder = encoder.encode_descriptor(metric.name, metric.help, None, metric.kind)?;
        ConstGauge::new(value).encode(encoder)?;
    }
    Ok(())
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
    let process = ProcessFigures::of(hub.lease(), hub.recorder());
    let snapshot = match process.acts {
        true => Snapshot {
            process: ProcessFigures {
                lost_readings: hub.registry().stats().lost_readings,
                ..process
            },
            plugs: hub.registry().views(),
            hub: Some(HubFigures::of(hub, api.listeners.count()).await),
            guests: hub
                .guests()
                .iter()
                .flat_map(|guest| guest.metrics())
                .collect(),
        },
        // What is stored of plugs is not their state, and the guests of a standby do not work.
        false => Snapshot {
            process,
            ..Snapshot::default()
        },
    };
    let text = text(snapshot, &hub.config().site)?;
    Ok(([(CONTENT_TYPE, FORMAT)], text).into_response())
}

/// Returns the metrics of the active hub with those of this process, a standby, in place of the other one's.
///
/// # Errors
///
/// [`RequestError`] if they cannot be written.
pub(crate) fn with_own_process(
    active: &str,
    site: &SiteName,
    lease: &Lease,
    recorder: &Recorder,
) -> Result<String, RequestError> {
    let is_of_process = |line: &&str| {
        let line = line.strip_prefix("# ").map_or(*line, |comment| {
            comment.split_once(' ').map_or("", |(_, about)| about)
        });
        let name = line.split([' ', '{']).next();
        PROCESS_METRICS
            .iter()
            .any(|metric| Some(metric.name) == name)
    };
    let others = active.split_inclusive('\n');
    let others: String = others.filter(|line| !is_of_process(line)).collect();
    let own = Snapshot {
        process: ProcessFigures::of(lease, recorder),
        ..Snapshot::default()
    };
    Ok(others + &text(own, site)?)
}

#[cfg(test)]
mod tests;
