//! Relays that conduct although they are off, because their contacts have welded together. No clock and no sockets.

use jiff::{SignedDuration, Timestamp};

/// Minimum power in watts that shows that a relay conducts.
const MIN_DRAWN_WATTS: f64 = 2.0;
/// Time for which a relay that is off must conduct to count as welded: the meter follows the relay with a delay.
const WELDED_AFTER: SignedDuration = SignedDuration::from_secs(5);

/// The evidence that a relay is welded.
#[derive(Debug, Default)]
pub(super) struct WeldedRelay {
    /// Time of the first reading of a row that show power while it is off.
    drawing_since: Option<Timestamp>,
    /// Power in watts, once it counts as welded.
    drawn_w: Option<f64>,
}

impl WeldedRelay {
    /// Returns the power in watts that it draws although it is off. It stays until a reading while it is off shows otherwise.
    pub(super) fn drawn_w(&self) -> Option<f64> {
        self.drawn_w
    }

    /// Records that the relay is on, so that power proves nothing.
    pub(super) fn is_on(&mut self) {
        self.drawing_since = None;
    }

    /// Applies a reading while the relay is off. Returns whether it is welded if that has changed.
    pub(super) fn read_while_off(&mut self, at: Timestamp, watts: f64) -> Option<bool> {
        let was_welded = self.drawn_w.is_some();
        if watts < MIN_DRAWN_WATTS {
            *self = Self::default();
        } else {
            let since = *self.drawing_since.get_or_insert(at);
            if was_welded || at.duration_since(since) >= WELDED_AFTER {
                self.drawn_w = Some(watts);
            }
        }
        let is_welded = self.drawn_w.is_some();
        (is_welded != was_welded).then_some(is_welded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn power_for_some_seconds_while_off_is_the_evidence() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut relay = WeldedRelay::default();
        // The meter follows the relay with a delay.
        assert_eq!(relay.read_while_off(at(0), 2000.0), None);
        assert_eq!(relay.read_while_off(at(2), 0.3), None);
        assert_eq!(relay.read_while_off(at(3), 2000.0), None);
        relay.is_on();
        assert_eq!(relay.read_while_off(at(20), 2000.0), None);
        assert_eq!(relay.read_while_off(at(25), 1900.0), Some(true));
        assert_eq!(relay.read_while_off(at(30), 1800.0), None);
        assert_eq!(relay.drawn_w(), Some(1800.0));
        relay.is_on();
        assert_eq!(relay.drawn_w(), Some(1800.0));
        assert_eq!(relay.read_while_off(at(40), 0.0), Some(false));
        assert_eq!(relay.drawn_w(), None);
    }
}
