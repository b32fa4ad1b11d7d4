//! The plugs' own timers that were set through this hub. A plug cannot be asked for its timer, so they are stored.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::{DelayResponse, ErrorChain};
use hiflying::Mac;
use jiff::Timestamp;
use parking_lot::Mutex;

use crate::store::SettingStore;

const SETTING: &str = "timers";

/// The timers that are not due yet, also of plugs that were removed meanwhile.
#[derive(Debug)]
pub(super) struct PlugTimers {
    settings: Arc<dyn SettingStore>,
    pending: Mutex<BTreeMap<Mac, DelayResponse>>,
    /// Held while they are written, so that the last one is written last.
    saving: tokio::sync::Mutex<()>,
}

impl PlugTimers {
    /// Reads the timers that were set before the hub started. Without them it starts as well.
    pub(super) async fn load(settings: Arc<dyn SettingStore>) -> Self {
        let text = settings.setting(SETTING).await.unwrap_or_else(|error| {
            let error = ErrorChain(&error);
            tracing::warn!(%error, "the plugs' timers cannot be read");
            None
        });
        let pending: Vec<(Mac, DelayResponse)> = text.map_or_else(Vec::new, |text| {
            serde_json::from_str(&text).unwrap_or_else(|error| {
                tracing::warn!(%error, "the plugs' timers cannot be understood");
                Vec::new()
            })
        });
        Self {
            settings,
            pending: Mutex::new(pending.into_iter().collect()),
            saving: tokio::sync::Mutex::default(),
        }
    }

    /// Returns the timer of a plug that is not due yet.
    pub(super) fn of(&self, plug: Mac, now: Timestamp) -> Option<DelayResponse> {
        self.pending
            .lock()
            .get(&plug)
            .copied()
            .filter(|timer| now < timer.due)
    }

    /// Records the timer that a plug has accepted.
    pub(super) fn set(&self, plug: Mac, timer: DelayResponse, now: Timestamp) {
        let mut pending = self.pending.lock();
        pending.retain(|_, timer| now < timer.due);
        pending.insert(plug, timer);
    }

    /// Stores the timers. A failure is logged: the plugs have them.
    pub(super) async fn save(&self) {
        let _saving = self.saving.lock().await;
        let pending: Vec<_> = self.pending.lock().clone().into_iter().collect();
        let text =
            serde_json::to_string(&pending).expect("plain structures can be written as JSON");
        if let Err(error) = self.settings.save_setting(SETTING, Some(&text)).await {
            let error = ErrorChain(&error);
            tracing::warn!(%error, "the plugs' timers cannot be stored; a hub that starts again does not show them");
        }
    }
}
