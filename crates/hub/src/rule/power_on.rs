//! The rule that sets the relay when the plug is back after an outage.
//!
//! The hub cannot distinguish a plug without power from one without Wi-Fi, so both count as outages. After a restart of the hub, an
//! outage is assumed only if the relay's position has changed: a power cut in the whole house also stops the hub, but most restarts
//! are not power cuts.

use api::PowerOn;
use plugs::RelayState;
use serde::{Deserialize, Serialize};

use super::verdict::{Sight, Verdict};

/// The state of this kind of rule.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct PowerOnMemory {
    /// The position of the relay when the plug last replied.
    before: Option<RelayState>,
    /// `true` if the plug replied before and no longer does.
    is_gone: bool,
    /// The position to which the relay must still be moved.
    #[serde(skip)]
    wanted: Option<RelayState>,
    /// `true` if the plug has replied since the hub started.
    #[serde(skip)]
    has_answered: bool,
}

impl PowerOnMemory {
    pub(super) fn look(&mut self, state: PowerOn, sight: &Sight<'_>) -> Verdict {
        if !sight.available {
            self.is_gone |= self.has_answered;
            return Verdict::NOTHING;
        }
        let Some(stands) = sight.stands() else {
            return Verdict::NOTHING;
        };
        if self.is_back(stands) {
            self.wanted = match state {
                PowerOn::On => Some(RelayState::On),
                PowerOn::Off => Some(RelayState::Off),
                PowerOn::Last => self.before,
            };
        } else if sight.has_moved {
            // Whoever moved it since knows better.
            self.wanted = None;
        }
        self.has_answered = true;
        self.is_gone = false;
        match self.wanted.filter(|wanted| *wanted != stands) {
            Some(wanted) => Verdict::wish(
                wanted,
                format!("it was {stands} when it was back after an outage"),
            ),
            None => {
                self.wanted = None;
                self.before = Some(stands);
                Verdict::NOTHING
            }
        }
    }

    fn is_back(&self, stands: RelayState) -> bool {
        let was_moved_unseen = self.before.is_some_and(|before| before != stands);
        self.is_gone || (!self.has_answered && was_moved_unseen)
    }
}
