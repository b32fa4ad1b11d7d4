//! The rule that switches off after a fixed time.

use api::Period;
use plugs::RelayState;

use super::verdict::{Sight, Verdict, later};

/// Decides whether the relay has been on for long enough. The time counts from the moment at which the relay was seen to turn on,
/// also over a restart of the hub: a forgotten iron stays hot during a restart.
pub(super) fn look(after: Period, sight: &Sight<'_>) -> Verdict {
    let Some(relay) = sight.relay.filter(|relay| relay.state == RelayState::On) else {
        return Verdict::NOTHING;
    };
    let due = later(relay.since, after.get());
    if sight.now < due {
        return Verdict::wake_at(Some(due));
    }
    Verdict::wish(RelayState::Off, format!("it was on for {after}"))
}
