//! Writes behind: what changes by itself (a relay, an address) is saved a moment later, off the path of switching.
//!
//! What people change is saved before they are told so; see `edit`.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::Inner;

/// How long changes are gathered.
const GATHER: Duration = Duration::from_millis(500);
/// When it is tried again after the store failed.
const AGAIN: Duration = Duration::from_secs(30);
/// How long the last changes may take when the hub ends.
const LAST: Duration = Duration::from_secs(2);

/// Saves what changes until the hub ends.
pub(super) async fn run(inner: Arc<Inner>) {
    let cancel = inner.cancel.clone();
    cancel.run_until_cancelled(save_for_ever(&inner)).await;
    if timeout(LAST, save(&inner)).await.is_err() {
        tracing::warn!("the last changes of some plugs could not be saved in time");
    }
}

async fn save_for_ever(inner: &Inner) {
    let mut is_failing = false;
    loop {
        inner.unsaved.notified().await;
        sleep(GATHER).await;
        while !save(inner).await {
            if !is_failing {
                tracing::warn!("how plugs stand is not saved until the database works again");
            }
            is_failing = true;
            sleep(AGAIN).await;
        }
        if is_failing {
            tracing::info!("how plugs stand is saved again");
        }
        is_failing = false;
    }
}

/// Saves all that changed; tells whether that worked.
async fn save(inner: &Inner) -> bool {
    for slot in inner.slots() {
        // An edit must not be overwritten by the record from before.
        let _editing = inner.editing.lock().await;
        let Some(record) = slot.take_unsaved() else {
            continue;
        };
        if inner.slot(slot.mac).is_none() {
            continue;
        }
        if let Err(error) = inner.store.save_plug(&record).await {
            tracing::debug!(plug = %slot.mac, %error, "not saved");
            slot.still_unsaved();
            return false;
        }
    }
    true
}
