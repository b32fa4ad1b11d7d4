//! Conversion of a wish into one order at a time, with increasing delays between retries.

use std::time::Duration;

use jiff::Timestamp;
use plugs::RelayState;

use super::verdict::{Decision, Observation, Verdict, later, sooner};

/// Time until an order that was carried out shows its effect; if it has not by then, it may be repeated.
const SETTLE: Duration = Duration::from_secs(10);
/// Delay after the first failure of an order; it doubles each time.
const FIRST_RETRY: Duration = Duration::from_secs(5);
/// Maximum delay after a failed order.
const LAST_RETRY: Duration = Duration::from_secs(300);

/// The progress of an order.
#[derive(Debug, Clone, Default)]
pub(super) struct Attempt {
    order: Option<Flight>,
    failures: u32,
    /// Earliest time of the next order.
    not_before: Option<Timestamp>,
    was_available: bool,
}

/// An order, and the time within which its effect must be observed; `None` while it is carried out.
#[derive(Debug, Clone, Copy)]
struct Flight {
    to: RelayState,
    until: Option<Timestamp>,
}

impl Attempt {
    pub(super) fn decide(
        &mut self,
        now: Timestamp,
        seen: &Observation,
        verdict: Verdict,
    ) -> Decision {
        let is_back = seen.available && !self.was_available;
        self.was_available = seen.available;
        if is_back {
            // Whatever failed before may go now.
            self.rest();
        }
        let Some(order) = verdict.wish else {
            self.rest();
            return Decision {
                switch: None,
                wake_at: verdict.wake_at,
            };
        };
        let is_moot = seen.relay.is_none_or(|relay| relay == order.to);
        if is_moot || !seen.available || self.is_in_flight() {
            return Decision {
                switch: None,
                wake_at: verdict.wake_at,
            };
        }
        if let Some(at) = self.not_before.filter(|at| now < *at) {
            return Decision {
                switch: None,
                wake_at: sooner(Some(at), verdict.wake_at),
            };
        }
        self.order = Some(Flight {
            to: order.to,
            until: None,
        });
        Decision {
            switch: Some(order),
            wake_at: verdict.wake_at,
        }
    }

    fn is_in_flight(&self) -> bool {
        self.order.is_some_and(|flight| flight.until.is_none())
    }

    pub(super) fn is_ordered(&self, to: RelayState, now: Timestamp) -> bool {
        self.order
            .is_some_and(|flight| flight.to == to && flight.until.is_none_or(|until| now <= until))
    }

    pub(super) fn done(&mut self, now: Timestamp, is_done: bool, stands: Option<RelayState>) {
        let Some(flight) = &mut self.order else {
            return;
        };
        flight.until = Some(later(now, SETTLE));
        if stands == Some(flight.to) {
            self.rest();
        } else if is_done {
            self.failures = 0;
            self.not_before = Some(later(now, SETTLE));
        } else {
            let doubled = FIRST_RETRY.saturating_mul(2_u32.saturating_pow(self.failures));
            self.failures = self.failures.saturating_add(1);
            self.not_before = Some(later(now, doubled.min(LAST_RETRY)));
        }
    }

    /// Resets the retries; an order in progress stays in progress.
    fn rest(&mut self) {
        self.failures = 0;
        self.not_before = None;
    }

    pub(super) fn shift(&mut self, shift: impl Fn(&mut Timestamp)) {
        self.not_before.as_mut().map(&shift);
        let until = self.order.as_mut().and_then(|flight| flight.until.as_mut());
        until.map(&shift);
    }
}
