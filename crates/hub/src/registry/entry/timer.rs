//! The timer of a plug that was set through this hub.

use api::DelayResponse;
use jiff::Timestamp;

use super::RegistryEntry;

impl RegistryEntry {
    /// Records the timer that the plug has accepted.
    pub(in crate::registry) fn timer_set(&self, timer: DelayResponse) {
        self.state().timer = Some(timer);
    }

    /// Returns the timer that is not due yet.
    pub(in crate::registry) fn timer(&self, now: Timestamp) -> Option<DelayResponse> {
        self.state().timer.filter(|timer| now < timer.due)
    }
}
