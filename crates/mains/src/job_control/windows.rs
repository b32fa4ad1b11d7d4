//! Windows stops no process from the keyboard, and tells the end of a window by a signal.

use crate::error::Failure;

/// Keys of a screen that stop its job: none.
pub(crate) const KEYS: &[(&str, &str)] = &[];

/// Job control that never happens.
#[derive(Debug)]
pub(crate) struct JobControl;

impl JobControl {
    /// Returns a receiver that receives nothing.
    pub(crate) fn listen() -> Result<Self, Failure> {
        Ok(Self)
    }

    /// Waits for ever.
    pub(crate) async fn continued(&mut self) {
        std::future::pending().await
    }

    /// Does nothing.
    pub(crate) async fn stop(&mut self) {}
}

/// Returns false.
pub(crate) fn is_terminal_gone() -> bool {
    false
}
