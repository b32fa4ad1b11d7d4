//! The rule that switches on again after any switch-off.

use api::Period;
use plugs::RelayState;

use super::verdict::{Sight, Verdict, later};

pub(super) fn look(after: Option<Period>, sight: &Sight<'_>) -> Verdict {
    let Some(relay) = sight.relay.filter(|relay| relay.state == RelayState::Off) else {
        return Verdict::NOTHING;
    };
    let Some(after) = after else {
        return Verdict::wish(RelayState::On, "it was off".to_owned());
    };
    let due = later(relay.since, after.get());
    if sight.now < due {
        return Verdict::wake_at(Some(due));
    }
    Verdict::wish(RelayState::On, format!("it was off for {after}"))
}
