//! Off, when it has been on for so long.

use api::Period;
use plugs::RelayState;

use super::{Sight, Verdict, later};

/// The time counts from when the relay was seen to turn on, also over a restart of the hub: an iron that was forgotten is no cooler
/// for it.
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
