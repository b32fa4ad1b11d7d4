//! What the relay is to be when the plug is back after an outage.
//!
//! Nobody can see from afar whether a plug lost its power or only its Wi-Fi, so both count. After a restart of the hub an outage is
//! assumed only where the relay stands otherwise than before: a power cut in the whole house takes the hub along, but
//! most restarts are no power cut.

use api::PowerOn;
use plugs::RelayState;
use serde::{Deserialize, Serialize};

use super::{Sight, Verdict};

/// What this kind remembers.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct PowerOnMemory {
    /// How the relay stood when the plug last answered.
    before: Option<RelayState>,
    /// The plug answered before, and then no longer.
    is_gone: bool,
    /// What the relay is still to be.
    #[serde(skip)]
    wanted: Option<RelayState>,
    /// The plug has answered in this run.
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
