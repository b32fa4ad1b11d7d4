//! Hubs that are cut off from the plugs: the active one tells so, a standby then listens for plugs, and the one that hears them gets
//! the lease.

use std::collections::HashSet;
use std::time::Duration;

use hiflying::Mac;
use plugs::families;
use plugs::net::Lan;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use super::Lease;
use crate::registry::{Interfaces, Registry};
use crate::store::Store;

/// Interval at which contact to the plugs is checked.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);
/// Time for replies to a scan, which is also the interval of scans on a standby.
const SCAN_TIME: Duration = Duration::from_secs(2);

/// Tells the other hubs whether the active one hears its plugs, until cancelled.
pub(crate) async fn watch_as_active(lease: Lease, registry: Registry, cancel: CancellationToken) {
    let watching = async {
        loop {
            let without = registry.without_contact();
            lease.set_reaches(without.map(|time| time < registry.contact_timeout()));
            sleep(CHECK_INTERVAL).await;
        }
    };
    cancel.run_until_cancelled(watching).await;
}

/// Listens for plugs while the active hub hears none, until cancelled. To scan is not to switch.
pub(crate) async fn watch_as_standby(
    lease: Lease,
    interfaces: Interfaces,
    store: &dyn Store,
    cancel: CancellationToken,
) {
    let watching = async {
        loop {
            let is_needed = lease
                .active_hub()
                .is_some_and(|hub| hub.reaches == Some(false));
            let reaches = match is_needed {
                true => hears_plugs(&interfaces, store).await,
                false => None,
            };
            lease.set_reaches(reaches);
            sleep(CHECK_INTERVAL).await;
        }
    };
    cancel.run_until_cancelled(watching).await;
}

/// Scans once. Returns whether an adopted plug has replied; `None` if that cannot be found out.
async fn hears_plugs(interfaces: &Interfaces, store: &dyn Store) -> Option<bool> {
    let records = store.plugs().await.ok()?;
    let adopted: HashSet<Mac> = records.iter().map(|record| record.mac).collect();
    let interfaces = interfaces.now().ok()?;
    let lan = Lan::with_families(families::all(), &interfaces)
        .await
        .ok()?;
    let mut reports = lan.reports().await;
    let end = Instant::now() + SCAN_TIME;
    lan.scan_once().await;
    while let Ok(plug) = timeout_at(end, reports.next()).await {
        if adopted.contains(&plug.mac) {
            return Some(true);
        }
    }
    Some(false)
}
