//! Deferred writing: changes that happen without a person (a relay, an address) are saved a moment later, off the path of
//! switching.
//!
//! Changes by people are saved before they get a result; see `edit`.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::state::RegistryState;

/// Time for which changes are gathered.
const SAVE_DELAY: Duration = Duration::from_millis(500);
/// Delay before the next try after the store failed.
const RETRY_DELAY: Duration = Duration::from_secs(30);
/// Maximum time for saving the last changes when the hub ends.
const LAST_SAVE_TIMEOUT: Duration = Duration::from_secs(2);

/// Saves changes until the hub ends.
pub(super) async fn run(inner: Arc<RegistryState>) {
    let cancel = inner.cancel.clone();
    cancel.run_until_cancelled(save_for_ever(&inner)).await;
    if timeout(LAST_SAVE_TIMEOUT, save(&inner)).await.is_err() {
        tracing::warn!("the last changes of some plugs could not be saved in time");
    }
}

async fn save_for_ever(inner: &RegistryState) {
    let mut is_failing = false;
    loop {
        inner.unsaved.notified().await;
        sleep(SAVE_DELAY).await;
        while !save(inner).await {
            if !is_failing {
                tracing::warn!("how plugs stand is not saved until the database works again");
            }
            is_failing = true;
            sleep(RETRY_DELAY).await;
        }
        if is_failing {
            tracing::info!("how plugs stand is saved again");
        }
        is_failing = false;
    }
}

/// Saves all changes; returns whether that succeeded.
async fn save(inner: &RegistryState) -> bool {
    for entry in inner.entries() {
        // An edit must not be overwritten by the record from before.
        let _editing = inner.editing.lock().await;
        let Some(record) = entry.take_unsaved() else {
            continue;
        };
        if inner.entry(entry.mac).is_none() {
            continue;
        }
        if let Err(error) = inner.store.save_plug(&record).await {
            tracing::debug!(plug = %entry.mac, %error, "not saved");
            entry.still_unsaved();
            return false;
        }
    }
    true
}
