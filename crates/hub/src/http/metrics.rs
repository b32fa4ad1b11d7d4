//! `/metrics`: the state of the plugs and the hub in the Prometheus text format.
//!
//! Nothing is counted here: each scrape shows the current state. Unknown values, and values measured before a plug became
//! unavailable, are omitted, so that no graph continues with an old value.

use std::fmt;
use std::sync::Arc;

use api::{ErrorKind, PlugView, RequestError};
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

/// Prometheus text format, which every scraper reads.
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Joules per watt-hour.
const JOULES: f64 = 3600.0;

/// A metric of a plug.
struct PlugMetric {
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    value: fn(&PlugView) -> Option<f64>,
}

const PLUG_METRICS: [PlugMetric; 7] = [
    PlugMetric {
        name: "mains_plug_power_watts",
        help: "Active power of the load.",
        kind: MetricType::Gauge,
        value: |view| live(view)?.power_w,
    },
    PlugMetric {
        name: "mains_plug_voltage_volts",
        help: "Mains voltage.",
        kind: MetricType::Gauge,
        value: |view| live(view)?.voltage_v,
    },
    PlugMetric {
        name: "mains_plug_current_amperes",
        help: "Current of the load.",
        kind: MetricType::Gauge,
        value: |view| live(view)?.current_a,
    },
    PlugMetric {
        name: "mains_plug_frequency_hertz",
        help: "Mains frequency.",
        kind: MetricType::Gauge,
        value: |view| live(view)?.frequency_hz,
    },
    PlugMetric {
        name: "mains_plug_energy_joules_total",
        help: "All that the plug ever used.",
        kind: MetricType::Counter,
        value: |view| view.energy_total_wh.map(|wh| wh as f64 * JOULES),
    },
    PlugMetric {
        name: "mains_plug_relay_on",
        help: "Whether the relay is on.",
        kind: MetricType::Gauge,
        value: |view| {
            let relay = view.plug.relay.filter(|_| view.available)?;
            Some(flag(relay == RelayState::On))
        },
    },
    PlugMetric {
        name: "mains_plug_available",
        help: "Whether the plug answers.",
        kind: MetricType::Gauge,
        value: |view| Some(flag(view.available)),
    },
];

fn live(view: &PlugView) -> Option<&Reading> {
    view.reading.as_ref().filter(|_| view.available)
}

fn flag(is_set: bool) -> f64 {
    f64::from(u8::from(is_set))
}

/// A metric of the hub itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct HubMetric {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: MetricType,
    pub(super) value: f64,
}

/// All metrics of a scrape.
#[derive(Debug)]
struct Snapshot {
    plugs: Vec<Arc<PlugView>>,
    hub: Vec<HubMetric>,
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for metric in PLUG_METRICS {
            encode_plugs(&mut encoder, &metric, &self.plugs)?;
        }
        for metric in &self.hub {
            let encoder = encoder.encode_descriptor(metric.name, metric.help, None, metric.kind)?;
            ConstGauge::new(metric.value).encode(encoder)?;
        }
        Ok(())
    }
}

/// Encodes one metric of every plug. In this format the name of a counter ends in `_total` on every line; the encoder would omit it
/// from the `TYPE` line, as OpenMetrics does. So `name` includes the suffix, and the value is encoded as a gauge.
fn encode_plugs(
    encoder: &mut DescriptorEncoder<'_>,
    metric: &PlugMetric,
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

fn text(plugs: Vec<Arc<PlugView>>, hub: Vec<HubMetric>) -> Result<String, RequestError> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Snapshot { plugs, hub }));
    let mut text = String::new();
    encode_registry(&mut text, &registry)
        .map_err(|_| RequestError::new(ErrorKind::Failed, "the metrics cannot be written"))?;
    Ok(text)
}

/// Returns metrics of the plugs and the hub for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "hub", operation_id = "metrics",
    responses((status = 200, description = "Prometheus' text format", body = String, content_type = "text/plain")))]
pub(super) async fn metrics(State(api): State<Api>) -> Result<Response, Problem> {
    let hub = super::info::metrics(&api).await;
    let text = text(api.hub.registry().views(), hub)?;
    Ok(([(CONTENT_TYPE, FORMAT)], text).into_response())
}

#[cfg(test)]
mod tests {
    use hiflying::Mac;
    use plugs::{FamilyId, Plug};

    use super::*;
    use api::{Metering, Period};

    fn view(octet: u8, name: Option<&str>, available: bool) -> Arc<PlugView> {
        let mac = Mac::new([0xac, 0xcf, 0x23, 0, 0, octet]);
        let seen = "2026-11-22T12:00:00Z".parse().unwrap();
        let mut plug = Plug::new(mac, FamilyId::RECO, [127, 74, 0, octet].into(), seen);
        plug.name = name.map(str::to_owned);
        plug.relay = Some(RelayState::On);
        let reading = Reading {
            plug: mac,
            at: seen,
            voltage_v: Some(226.94),
            current_a: Some(0.03),
            frequency_hz: None,
            power_w: Some(0.0),
            energy_wh: Some(3548),
        };
        Arc::new(PlugView {
            plug,
            available,
            reading: Some(reading),
            energy_total_wh: Some(3548),
            room: None,
            metering: Metering::Every(Period::seconds(10)),
            power_on: None,
        })
    }

    #[test]
    fn in_the_names_and_units_of_the_contract() {
        let own = HubMetric {
            name: "mains_hub_dropped_readings_total",
            help: "Readings that were lost.",
            kind: MetricType::Counter,
            value: 2.0,
        };
        let plugs = vec![
            view(1, Some("say \"hi\"\\\nK\u{fc}che"), true),
            view(2, None, false),
        ];
        insta::assert_snapshot!(text(plugs, vec![own]).unwrap(), @r#"
        # HELP mains_plug_power_watts Active power of the load.
        # TYPE mains_plug_power_watts gauge
        mains_plug_power_watts{mac="accf23000001",name="say \"hi\"\\\nKüche"} 0.0
        # HELP mains_plug_voltage_volts Mains voltage.
        # TYPE mains_plug_voltage_volts gauge
        mains_plug_voltage_volts{mac="accf23000001",name="say \"hi\"\\\nKüche"} 226.94
        # HELP mains_plug_current_amperes Current of the load.
        # TYPE mains_plug_current_amperes gauge
        mains_plug_current_amperes{mac="accf23000001",name="say \"hi\"\\\nKüche"} 0.03
        # HELP mains_plug_frequency_hertz Mains frequency.
        # TYPE mains_plug_frequency_hertz gauge
        # HELP mains_plug_energy_joules_total All that the plug ever used.
        # TYPE mains_plug_energy_joules_total counter
        mains_plug_energy_joules_total{mac="accf23000001",name="say \"hi\"\\\nKüche"} 12772800.0
        mains_plug_energy_joules_total{mac="accf23000002",name=""} 12772800.0
        # HELP mains_plug_relay_on Whether the relay is on.
        # TYPE mains_plug_relay_on gauge
        mains_plug_relay_on{mac="accf23000001",name="say \"hi\"\\\nKüche"} 1.0
        # HELP mains_plug_available Whether the plug answers.
        # TYPE mains_plug_available gauge
        mains_plug_available{mac="accf23000001",name="say \"hi\"\\\nKüche"} 1.0
        mains_plug_available{mac="accf23000002",name=""} 0.0
        # HELP mains_hub_dropped_readings_total Readings that were lost.
        # TYPE mains_hub_dropped_readings_total counter
        mains_hub_dropped_readings_total 2.0
        "#);
    }
}
