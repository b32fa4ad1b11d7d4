//! The rule that switches on while another plug's load draws power, and off when it no longer does.
//!
//! It acts only on changes of the leader: a manual switch in between stays in effect until the next change.

use api::Period;
use jiff::Timestamp;
use plugs::RelayState;
use serde::{Deserialize, Serialize};

use super::hold::Hold;
use super::verdict::{Power, Sight, Verdict, watts};

/// The state of this kind of rule.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct FollowMemory {
    /// The last state of the leader, which the plug follows.
    led: Option<Led>,
    /// The opposite state, while the delay is running.
    #[serde(skip)]
    hold: Hold,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Led {
    to: RelayState,
    why: String,
    /// `true` once the plug has been in this position.
    is_followed: bool,
}

impl FollowMemory {
    pub(super) fn look(
        &mut self,
        above_w: f64,
        hysteresis_w: f64,
        delay: Option<Period>,
        sight: &Sight<'_>,
    ) -> Verdict {
        if let Some(power) = sight.leader {
            self.watch(above_w, hysteresis_w, delay, sight.now, power);
        }
        let Some(led) = &mut self.led else {
            return Verdict::NOTHING;
        };
        if sight.stands() == Some(led.to) {
            led.is_followed = true;
        }
        if led.is_followed {
            return Verdict::NOTHING;
        }
        Verdict::wish(led.to, led.why.clone())
    }

    fn watch(
        &mut self,
        above_w: f64,
        hysteresis_w: f64,
        delay: Option<Period>,
        now: Timestamp,
        power: Power,
    ) {
        let led = self.led.as_ref().map(|led| led.to);
        let lower = above_w - hysteresis_w;
        let to = match led {
            // Between the two it stays what it was.
            Some(RelayState::On) if power.watts > lower => RelayState::On,
            _ if power.watts > above_w => RelayState::On,
            _ => RelayState::Off,
        };
        if led == Some(to) {
            self.hold.end();
            return;
        }
        if self.hold.go_on(now, power) < delay.map(Period::get).unwrap_or_default() {
            return;
        }
        self.hold.end();
        let (drawn, most) = (watts(power.watts), watts(above_w));
        let why = match to {
            RelayState::On => format!("the leader draws {drawn}, more than {most}"),
            RelayState::Off => format!("the leader draws {drawn}, no longer more than {most}"),
        };
        self.led = Some(Led {
            to,
            why,
            is_followed: false,
        });
    }

    pub(super) fn shift(&mut self, shift: impl Fn(&mut Timestamp)) {
        self.hold.shift(shift);
    }
}
