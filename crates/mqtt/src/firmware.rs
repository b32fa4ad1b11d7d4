//! Reads the firmware version of each plug once, for the diagnostics.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use hiflying::Mac;
use hub::Hub;
use parking_lot::Mutex;
use plugs::Capability;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::mirror::Firmware;

/// Interval at which plugs are looked for that have not reported their firmware.
const SEARCH_INTERVAL: Duration = Duration::from_secs(5);
/// Delay before a plug that did not report it is asked again.
const RETRY_DELAY: Duration = Duration::from_secs(600);
/// Maximum number of plugs asked at the same time.
const MAX_CONCURRENT: usize = 4;

/// The firmware of the plugs, as far as they have reported it.
#[derive(Debug, Default)]
pub(crate) struct FirmwareReader {
    known: Mutex<Arc<Firmware>>,
    /// Notified when a plug has reported it.
    pub(crate) changed: Notify,
}

impl FirmwareReader {
    /// Returns what is known.
    pub(crate) fn known(&self) -> Arc<Firmware> {
        self.known.lock().clone()
    }

    /// Asks every plug once it is available. Never ends.
    pub(crate) async fn run(&self, hub: &Hub) {
        let mut failed: HashMap<Mac, Instant> = HashMap::new();
        loop {
            tokio::time::sleep(SEARCH_INTERVAL).await;
            failed.retain(|_, since| since.elapsed() < RETRY_DELAY);
            let registry = hub.registry();
            let known = self.known();
            let unknown: Vec<Mac> = registry
                .views()
                .iter()
                .filter(|view| view.available)
                .map(|view| view.plug.mac)
                .filter(|mac| !known.contains_key(mac) && !failed.contains_key(mac))
                .filter(|mac| registry.can(*mac, Capability::Version))
                .collect();
            let asked = unknown
                .into_iter()
                .map(async |mac| (mac, registry.version(mac).await));
            let mut replies = stream::iter(asked).buffer_unordered(MAX_CONCURRENT);
            while let Some((mac, reply)) = replies.next().await {
                match reply {
                    Ok(version) => {
                        let mut known = self.known.lock();
                        Arc::make_mut(&mut known).insert(mac, version);
                        self.changed.notify_one();
                    }
                    Err(error) => {
                        tracing::debug!(plug = %mac, %error, "the firmware is not known");
                        failed.insert(mac, Instant::now());
                    }
                }
            }
        }
    }
}
