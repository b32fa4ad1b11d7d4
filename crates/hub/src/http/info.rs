//! Status of the hub itself.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use api::{DatabaseDamage, HubEntry, HubLease, HubRole, SiteName};
use axum::Json;
use axum::extract::State;
use hiflying::Mac;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::problem::JsonResult;
use super::query::Params;
use crate::config::Config;
use crate::hub::Hub;
use crate::lease::Lease;
use crate::recorder::Recorder;
use crate::store::SpoolStatus;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(info))
}

/// The status of the hub.
#[derive(Debug, Serialize, ToSchema)]
struct HubInfo {
    #[serde(flatten)]
    process: ProcessInfo,
    /// The time zone of schedules, tariffs and days; null if the system's time zone has no name.
    #[schema(required)]
    timezone: Option<String>,
    /// True if the hub knows its location, from which sunrise and sunset are computed.
    has_place: bool,
    /// True if the plugs are emulated and their history is made up.
    is_simulated: bool,
    plugs: PlugCounts,
    /// The database; null while it cannot be reached.
    #[schema(required)]
    database: Option<DatabaseInfo>,
    /// Damage of the database that was found, oldest first; empty if there is none.
    damage: Vec<DatabaseDamage>,
    /// The scheduled backups; null without any.
    #[schema(required)]
    backup: Option<BackupInfo>,
    /// The site of the hub; empty for the only one, which has no name.
    site: SiteName,
    /// The lease of the active hub; null for a database of its own.
    #[schema(required)]
    lease: Option<HubLease>,
    /// The hubs that share the database and were seen within 30 days, this one included; empty for a database of its own.
    hubs: Vec<HubEntry>,
    /// State of what the hub connects to, by name, e.g. `mqtt`.
    #[serde(flatten)]
    guests: BTreeMap<&'static str, Value>,
}

/// The part of the status that is about the process which is asked; on a standby all else is that of the active hub.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProcessInfo {
    /// The version of Mains.
    version: &'static str,
    /// Time since the hub started, in seconds.
    uptime_s: u64,
    /// The configured interfaces; empty for all that are up and not loopback.
    interfaces: Vec<String>,
    recorder: RecorderInfo,
    /// The file in which readings wait for the database; null without one.
    #[schema(required)]
    spool: Option<SpoolInfo>,
    /// The role of this hub among those that share its database; `active` without others.
    role: HubRole,
}

impl ProcessInfo {
    /// Returns the present status of this process.
    pub(crate) fn of(config: &Config, lease: &Lease, recorder: &Recorder) -> Self {
        let recorder = recorder.status();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            uptime_s: lease.started().elapsed().as_secs(),
            interfaces: config.interfaces.clone(),
            recorder: RecorderInfo {
                buffered: recorder.buffered as u64,
                dropped: recorder.dropped,
                is_working: recorder.last_error.is_none(),
            },
            spool: recorder.spool.map(SpoolInfo::from),
            role: lease.role(),
        }
    }
}

/// Numbers of plugs.
#[derive(Debug, Serialize, ToSchema)]
struct PlugCounts {
    /// Adopted plugs.
    adopted: u64,
    /// Adopted plugs that reply.
    available: u64,
    /// Plugs that were found but are not adopted.
    offered: u64,
    /// Adopted plugs that reply from more than one address: two devices have one MAC.
    duplicates: Vec<DuplicatePlug>,
}

/// A plug that replies from more than one address.
#[derive(Debug, Serialize, ToSchema)]
struct DuplicatePlug {
    #[schema(value_type = String)]
    plug: Mac,
    #[schema(value_type = Vec<String>)]
    addresses: Vec<Ipv4Addr>,
}

/// The recording of readings in the history.
#[derive(Debug, Serialize, ToSchema)]
struct RecorderInfo {
    /// Readings that wait to be written to the database, in memory and in the spool.
    buffered: u64,
    /// Readings missing from the history because the database failed for too long.
    dropped: u64,
    /// True if the database accepts readings now.
    is_working: bool,
}

/// The file on the local disk in which readings wait for the database.
#[derive(Debug, Serialize, ToSchema)]
struct SpoolInfo {
    /// Readings in it.
    readings: u64,
    /// Size of its content, in bytes.
    bytes: u64,
    /// Its maximum size, in bytes.
    limit_bytes: u64,
    /// Readings left out since the hub started because it was full. Their energy is kept.
    dropped: u64,
    /// Its current error; null while it can be used.
    #[schema(required)]
    error: Option<String>,
}

impl From<SpoolStatus> for SpoolInfo {
    fn from(status: SpoolStatus) -> Self {
        Self {
            readings: status.readings,
            bytes: status.bytes,
            limit_bytes: status.limit_bytes,
            dropped: status.dropped,
            error: status.error,
        }
    }
}

/// The scheduled backups.
#[derive(Debug, Serialize, ToSchema)]
struct BackupInfo {
    /// Time of the last one; null before the first.
    #[schema(required)]
    last: Option<Timestamp>,
    /// Attempts that failed since the hub started.
    failed: u64,
    /// Error of the last attempt; null when it succeeded.
    #[schema(required)]
    error: Option<String>,
}

/// The contents and the size of the database.
#[derive(Debug, Serialize, ToSchema)]
struct DatabaseInfo {
    /// Size on disk, in bytes.
    bytes: u64,
    /// Number of raw readings.
    readings: u64,
    /// Number of minute means.
    minutes: u64,
    /// Number of quarter-hour sums.
    quarters: u64,
}

/// Returns the status of the hub.
#[utoipa::path(get, path = "/api/v1/hub", tag = "hub", operation_id = "hub",
    responses((status = 200, description = "The status of the hub", body = HubInfo)))]
async fn info(State(hub): State<Hub>, params: Params) -> JsonResult<HubInfo> {
    params.only(&[])?;
    let stats = hub.registry().stats();
    let duplicates = hub.registry().duplicates().into_iter();
    let database = hub.store().info().await.ok().map(|info| DatabaseInfo {
        bytes: info.bytes,
        readings: info.readings,
        minutes: info.minutes,
        quarters: info.quarters,
    });
    let backup = hub.config().backup.as_ref().map(|_| {
        let status = hub.backups().status();
        BackupInfo {
            last: status.last,
            failed: status.failed,
            error: status.last_error,
        }
    });
    Ok(Json(HubInfo {
        process: ProcessInfo::of(hub.config(), hub.lease(), hub.recorder()),
        timezone: hub.clock().timezone.iana_name().map(str::to_owned),
        has_place: hub.clock().place.is_some(),
        is_simulated: hub.config().is_simulated,
        plugs: PlugCounts {
            adopted: stats.plugs,
            available: stats.available,
            offered: stats.offered,
            duplicates: duplicates
                .map(|(plug, addresses)| DuplicatePlug { plug, addresses })
                .collect(),
        },
        database,
        damage: hub.store().damage(),
        backup,
        site: hub.config().site.clone(),
        lease: hub.lease().shown(),
        hubs: hub.lease().hubs(),
        guests: hub
            .guests()
            .iter()
            .filter_map(|guest| guest.status())
            .collect(),
    }))
}
