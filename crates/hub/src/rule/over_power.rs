//! The rule that switches off when the load has drawn too much for a time; only a person may switch on again.

use api::Period;
use jiff::Timestamp;
use plugs::RelayState;
use serde::{Deserialize, Serialize};

use super::hold::Hold;
use super::verdict::{Sight, Verdict, watts};

/// The state of this kind of rule. A cut-off survives a restart, both before and after it is carried out.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct OverPowerMemory {
    /// The reason for the cut-off, pending or carried out.
    cut: Option<String>,
    #[serde(skip)]
    hold: Hold,
}

impl OverPowerMemory {
    pub(super) fn is_cut(&self) -> bool {
        self.cut.is_some()
    }

    pub(super) fn look(&mut self, above_w: f64, period: Period, sight: &Sight<'_>) -> Verdict {
        if sight.has_turned(RelayState::On) {
            self.hold.end();
            // After an outage a plug may turn on by itself, and is cut off again.
            if sight.by_person {
                self.cut = None;
            }
        }
        if sight.stands() != Some(RelayState::On) {
            self.hold.end();
            return Verdict::NOTHING;
        }
        if let Some(power) = sight.power {
            if power.watts <= above_w {
                self.hold.end();
            } else if self.hold.go_on(sight.now, power) >= period.get() && self.cut.is_none() {
                let (drawn, most) = (watts(power.watts), watts(above_w));
                self.cut = Some(format!("it drew {drawn}, more than {most} for {period}"));
            }
        }
        match &self.cut {
            Some(why) => Verdict::wish(RelayState::Off, why.clone()),
            None => Verdict::NOTHING,
        }
    }

    pub(super) fn shift(&mut self, shift: impl Fn(&mut Timestamp)) {
        self.hold.shift(shift);
    }
}
