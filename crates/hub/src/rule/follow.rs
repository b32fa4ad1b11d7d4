//! On when another plug's load draws, off when it no longer does.
//!
//! It acts when the leader changes, not all the time: whoever switches the plug by hand in between has it as he wants until then.

use api::Period;
use jiff::Timestamp;
use plugs::RelayState;
use serde::{Deserialize, Serialize};

use super::hold::Hold;
use super::{Power, Sight, Verdict, watts};

/// What this kind remembers.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct FollowMemory {
    /// What the leader did last, by which the plug goes.
    led: Option<Led>,
    /// The opposite, as long as the delay goes on.
    #[serde(skip)]
    hold: Hold,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Led {
    to: RelayState,
    why: String,
    /// The plug has been there once.
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
