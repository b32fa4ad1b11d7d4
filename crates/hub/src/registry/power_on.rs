//! The position of a relay after an outage. Pure.
//!
//! A plug that did not reply may have lost its power or only the network; the two cannot be distinguished. A stopped hub is not an
//! outage in itself: then only a relay whose position has changed counts as one.

use api::PowerOn;
use plugs::RelayState;

/// The reason why the hub did not hear a plug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OutageKind {
    /// The hub has just started.
    Hub,
    /// The plug was gone.
    Plug,
}

/// Returns the position to which the relay has to be moved, if any: it was at `before` when it was last heard, and is at `now`.
pub(super) fn restore(
    policy: Option<PowerOn>,
    silence: OutageKind,
    before: Option<RelayState>,
    now: RelayState,
) -> Option<RelayState> {
    let has_moved = before.is_some_and(|before| before != now);
    if silence == OutageKind::Hub && !has_moved {
        return None;
    }
    let wanted = match policy? {
        PowerOn::On => RelayState::On,
        PowerOn::Off => RelayState::Off,
        PowerOn::Last => before?,
    };
    (wanted != now).then_some(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use RelayState::{Off, On};

    #[test]
    fn after_an_outage_of_the_plug() {
        for (policy, before, now, expected) in [
            (None, Some(On), Off, None),
            (Some(PowerOn::On), Some(On), Off, Some(On)),
            (Some(PowerOn::On), Some(Off), Off, Some(On)),
            (Some(PowerOn::On), None, Off, Some(On)),
            (Some(PowerOn::On), Some(Off), On, None),
            (Some(PowerOn::Off), Some(On), On, Some(Off)),
            (Some(PowerOn::Off), Some(On), Off, None),
            (Some(PowerOn::Last), Some(On), Off, Some(On)),
            (Some(PowerOn::Last), Some(Off), On, Some(Off)),
            (Some(PowerOn::Last), Some(Off), Off, None),
            (Some(PowerOn::Last), None, Off, None),
        ] {
            let found = restore(policy, OutageKind::Plug, before, now);
            assert_eq!(found, expected, "{policy:?} {before:?} {now:?}");
        }
    }

    #[test]
    fn a_new_hub_switches_nothing_that_was_left_as_it_is() {
        for policy in [PowerOn::On, PowerOn::Off, PowerOn::Last] {
            for relay in [On, Off] {
                let policy = Some(policy);
                assert_eq!(restore(policy, OutageKind::Hub, Some(relay), relay), None);
                assert_eq!(restore(policy, OutageKind::Hub, None, relay), None);
            }
        }
        let last = Some(PowerOn::Last);
        assert_eq!(restore(last, OutageKind::Hub, Some(On), Off), Some(On));
        let on = Some(PowerOn::On);
        assert_eq!(restore(on, OutageKind::Hub, Some(On), Off), Some(On));
        assert_eq!(restore(on, OutageKind::Hub, Some(Off), On), None);
    }
}
