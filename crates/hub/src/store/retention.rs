//! The time for which history is kept.

use api::Period;

/// Ages at which history is removed. Quarters of an hour are kept for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Age at which readings are removed.
    pub readings: Period,
    /// Age at which minutes are removed.
    pub minutes: Period,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            readings: Period::seconds(7 * 24 * 3600),
            minutes: Period::seconds(90 * 24 * 3600),
        }
    }
}
