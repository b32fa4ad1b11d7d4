//! The rule that switches off when the load has been on standby for a time, and its ways back on.
//!
//! A plug that is off is switched on again at a local time, by a person, or by a test: on for a short while, and the power drawn in
//! that time decides. Only a switch-off by the rule itself is undone automatically.

use api::{Period, TestPulse, TimeOfDay};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use plugs::RelayState;
use serde::{Deserialize, Serialize};

use super::hold::Hold;
use super::verdict::{Power, Sight, Verdict, later, sooner, watts};
use crate::schedule;

/// The numbers of the rule.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbers {
    pub(super) below_w: f64,
    pub(super) period: Period,
    pub(super) restore_at: Option<TimeOfDay>,
    pub(super) test_pulse: Option<TestPulse>,
}

/// The state of this kind of rule.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct StandbyKillMemory {
    /// The decision to switch off, until the relay has moved.
    killing: Option<Killing>,
    /// The switch-off by the rule.
    off: Option<Off>,
    /// The test in progress.
    testing: Option<Testing>,
    #[serde(skip)]
    hold: Hold,
    /// `true` if a test is due and the relay has not yet moved.
    #[serde(skip)]
    begins_test: bool,
}

/// The decision of the rule to switch off. A restart makes it stale: it then still attributes the switch-off, but no longer causes
/// it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Killing {
    why: String,
    #[serde(skip)]
    is_fresh: bool,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Off {
    since: Timestamp,
    /// Time of the switch-off, or of the end of the last test.
    rested: Timestamp,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Testing {
    since: Timestamp,
    /// The last power that the load drew in this test, in watts.
    #[serde(skip)]
    drew: Option<f64>,
}

impl StandbyKillMemory {
    pub(super) fn look(&mut self, numbers: &Numbers, sight: &Sight<'_>) -> Verdict {
        if sight.has_turned(RelayState::On) {
            self.turned_on(sight);
        } else if sight.has_turned(RelayState::Off) {
            self.turned_off(sight.now);
        }
        match sight.stands() {
            None => {
                self.hold.end();
                Verdict::NOTHING
            }
            Some(RelayState::Off) => self.rest(numbers, sight),
            Some(RelayState::On) => self.watch(numbers, sight),
        }
    }

    fn turned_on(&mut self, sight: &Sight<'_>) {
        // If the test could not begin, and the relay moves much later, somebody wants the load.
        let is_test = self.begins_test && sight.was_ordered;
        self.begins_test = false;
        if is_test {
            self.hold.end();
            self.killing = None;
            self.testing = Some(Testing {
                since: sight.now,
                drew: None,
            });
        } else {
            self.begin_anew();
        }
    }

    fn turned_off(&mut self, now: Timestamp) {
        self.hold.end();
        self.begins_test = false;
        self.testing = None;
        self.off = match (self.killing.take(), self.off) {
            // After a test the time to come back is still that of the first day.
            (Some(_), Some(off)) => Some(Off { rested: now, ..off }),
            (Some(_), None) => Some(Off {
                since: now,
                rested: now,
            }),
            // Somebody else switched off, who may switch on, too.
            (None, _) => None,
        };
    }

    fn begin_anew(&mut self) {
        self.off = None;
        self.testing = None;
        self.killing = None;
        self.hold.end();
    }

    /// Decides while the relay is off.
    fn rest(&mut self, numbers: &Numbers, sight: &Sight<'_>) -> Verdict {
        let Some(off) = self.off else {
            return Verdict::NOTHING;
        };
        let restore = numbers
            .restore_at
            .map(|at| (at, next(at, sight.timezone, off.since)));
        let test = numbers
            .test_pulse
            .map(|test| (test, later(off.rested, test.every.get())));
        if let Some((at, _)) = restore.filter(|(_, due)| due.is_some_and(|due| sight.now >= due)) {
            self.begins_test = false;
            return Verdict::wish(RelayState::On, format!("it is to be on again at {at}"));
        }
        if let Some((test, _)) = test.filter(|(_, due)| sight.now >= *due) {
            self.begins_test = true;
            let why = format!("a test of {} whether it is wanted", test.period);
            return Verdict::wish(RelayState::On, why);
        }
        let restore = restore.and_then(|(_, due)| due);
        Verdict::wake_at(sooner(restore, test.map(|(_, due)| due)))
    }

    /// Decides while the relay is on.
    fn watch(&mut self, numbers: &Numbers, sight: &Sight<'_>) -> Verdict {
        if let Some(power) = sight.power {
            self.killing.take_if(|killing| !killing.is_fresh);
            if power.watts < numbers.below_w {
                self.stands_by(numbers, sight.now, power);
            } else {
                self.begin_anew();
            }
        }
        if let Some(killing) = self.killing.as_ref().filter(|killing| killing.is_fresh) {
            return Verdict::wish(RelayState::Off, killing.why.clone());
        }
        match (self.testing, numbers.test_pulse) {
            (Some(testing), Some(test)) => self.test(numbers, test, testing, sight.now),
            _ => Verdict::NOTHING,
        }
    }

    fn stands_by(&mut self, numbers: &Numbers, now: Timestamp, power: Power) {
        if let Some(testing) = &mut self.testing {
            testing.drew = Some(power.watts);
        }
        let Numbers {
            below_w, period, ..
        } = numbers;
        if self.hold.go_on(now, power) >= period.get() {
            let why = format!("it drew less than {} for {period}", watts(*below_w));
            self.kill(why);
        }
    }

    fn test(
        &mut self,
        numbers: &Numbers,
        test: TestPulse,
        testing: Testing,
        now: Timestamp,
    ) -> Verdict {
        let end = later(testing.since, test.period.get());
        if now < end {
            return Verdict::wake_at(Some(end));
        }
        let Some(drawn) = testing.drew else {
            // Nobody knows what it drew. It is watched like one that a person switched on.
            self.begin_anew();
            return Verdict::NOTHING;
        };
        let (drawn, least) = (watts(drawn), watts(numbers.below_w));
        let why = format!("it drew {drawn} in a test, less than {least}");
        self.kill(why.clone());
        Verdict::wish(RelayState::Off, why)
    }

    fn kill(&mut self, why: String) {
        self.killing = Some(Killing {
            why,
            is_fresh: true,
        });
    }

    pub(super) fn shift(&mut self, shift: impl Fn(&mut Timestamp)) {
        self.hold.shift(&shift);
        if let Some(off) = &mut self.off {
            shift(&mut off.since);
            shift(&mut off.rested);
        }
        if let Some(testing) = &mut self.testing {
            shift(&mut testing.since);
        }
    }
}

/// Returns the first moment after another at which it is this local time.
pub(super) fn next(time: TimeOfDay, timezone: &TimeZone, after: Timestamp) -> Option<Timestamp> {
    let today = timezone.to_datetime(after).date();
    // A local day can be left out altogether, so tomorrow may not be enough.
    (0..=2).find_map(|days| {
        let day = today.checked_add(days.days()).ok()?;
        let due = schedule::instant(day.to_datetime(time.get()), timezone)?;
        (due > after).then_some(due)
    })
}
