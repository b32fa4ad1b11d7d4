//! The hub itself: how it is.

use axum::Json;
use axum::extract::State;
use prometheus_client::metrics::MetricType;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::metrics::HubMetric;
use super::problem::Problem;
use super::query::Params;
use crate::hub::Hub;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(info))
}

/// How the hub is.
#[derive(Debug, Serialize, ToSchema)]
struct HubInfo {
    /// The version of Mains.
    version: &'static str,
    /// For how many seconds it runs.
    uptime_s: u64,
    /// The time zone of schedules, tariffs and days; null where the system has none with a name.
    #[schema(required)]
    timezone: Option<String>,
    /// Whether it knows where the sun rises.
    has_place: bool,
    /// The interfaces that were chosen; empty is all that are up and not loopback.
    interfaces: Vec<String>,
    plugs: PlugCounts,
    recorder: RecorderInfo,
    /// What is kept; null while the database cannot be reached.
    #[schema(required)]
    database: Option<DatabaseInfo>,
}

/// How many plugs there are.
#[derive(Debug, Serialize, ToSchema)]
struct PlugCounts {
    /// Adopted ones.
    adopted: u64,
    /// Those of them that answer.
    available: u64,
    /// Those that were found and are not adopted.
    offered: u64,
}

/// How readings get into history.
#[derive(Debug, Serialize, ToSchema)]
struct RecorderInfo {
    /// Readings that wait for the database.
    buffered: u64,
    /// Readings that history lost, because the database failed for too long.
    dropped: u64,
    /// Whether the database takes them now.
    is_working: bool,
}

/// What is kept, and how big it is.
#[derive(Debug, Serialize, ToSchema)]
struct DatabaseInfo {
    /// Bytes on disk.
    bytes: u64,
    /// Raw readings.
    readings: u64,
    /// Minute means.
    minutes: u64,
    /// Quarter-hour sums.
    quarters: u64,
}

/// How the hub is.
#[utoipa::path(get, path = "/api/v1/hub", tag = "hub", operation_id = "hub",
    responses((status = 200, description = "How it is", body = HubInfo)))]
async fn info(State(hub): State<Hub>, params: Params) -> Result<Json<HubInfo>, Problem> {
    params.only(&[])?;
    let stats = hub.registry().stats();
    let recorder = hub.recorder().status();
    let database = hub.store().info().await.ok().map(|info| DatabaseInfo {
        bytes: info.bytes,
        readings: info.readings,
        minutes: info.minutes,
        quarters: info.quarters,
    });
    Ok(Json(HubInfo {
        version: env!("CARGO_PKG_VERSION"),
        uptime_s: hub.started().elapsed().as_secs(),
        timezone: hub.clock().timezone.iana_name().map(str::to_owned),
        has_place: hub.clock().place.is_some(),
        interfaces: hub.config().interfaces.clone(),
        plugs: PlugCounts {
            adopted: stats.plugs,
            available: stats.available,
            offered: stats.offered,
        },
        recorder: RecorderInfo {
            buffered: recorder.buffered as u64,
            dropped: recorder.dropped,
            is_working: recorder.last_error.is_none(),
        },
        database,
    }))
}

/// The hub's own numbers for `/metrics`.
pub(super) async fn metrics(api: &Api) -> Vec<HubMetric> {
    let stats = api.hub.registry().stats();
    let recorder = api.hub.recorder().status();
    let gauge = |name, help, value: u64| metric(name, help, MetricType::Gauge, value);
    let counter = |name, help, value: u64| metric(name, help, MetricType::Counter, value);
    let mut all = vec![
        gauge(
            "mains_hub_uptime_seconds",
            "For how long the hub runs.",
            api.hub.started().elapsed().as_secs(),
        ),
        gauge("mains_hub_plugs", "Adopted plugs.", stats.plugs),
        gauge(
            "mains_hub_plugs_available",
            "Adopted plugs that answer.",
            stats.available,
        ),
        gauge(
            "mains_hub_plugs_offered",
            "Plugs that were found and are not adopted.",
            stats.offered,
        ),
        gauge(
            "mains_hub_connections",
            "Open connections to plugs.",
            stats.connections,
        ),
        counter(
            "mains_hub_scans_total",
            "Broadcasts that asked every plug.",
            stats.scans,
        ),
        counter(
            "mains_hub_probes_total",
            "Plugs that were asked on their own.",
            stats.probes,
        ),
        counter(
            "mains_hub_sightings_total",
            "Answers to either.",
            stats.sightings,
        ),
        counter(
            "mains_hub_readings_total",
            "Meters that were read.",
            stats.readings,
        ),
        counter(
            "mains_hub_failed_readings_total",
            "Meters that could not be read.",
            stats.failed_readings,
        ),
        counter(
            "mains_hub_switches_total",
            "Relays that were switched.",
            stats.switches,
        ),
        counter(
            "mains_hub_failed_switches_total",
            "Orders to switch that failed.",
            stats.failed_switches,
        ),
        gauge(
            "mains_hub_listeners",
            "Clients that listen to events.",
            api.listeners.count(),
        ),
        gauge(
            "mains_hub_recorder_buffered",
            "Readings that wait for the database.",
            recorder.buffered as u64,
        ),
        counter(
            "mains_hub_recorder_written_total",
            "Readings that are in history.",
            recorder.written,
        ),
        counter(
            "mains_hub_recorder_dropped_total",
            "Readings that history lost.",
            recorder.dropped + stats.lost_readings,
        ),
        gauge(
            "mains_hub_recorder_up",
            "Whether the database takes readings.",
            recorder.last_error.is_none().into(),
        ),
    ];
    if let Ok(info) = api.hub.store().info().await {
        all.push(gauge(
            "mains_hub_database_bytes",
            "Size of the database.",
            info.bytes,
        ));
    }
    all
}

fn metric(name: &'static str, help: &'static str, kind: MetricType, value: u64) -> HubMetric {
    HubMetric {
        name,
        help,
        kind,
        value: value as f64,
    }
}
