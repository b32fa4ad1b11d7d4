//! The lifetime total of a plug, which never decreases.
//!
//! A plug's own counter can restart at 0 (a power cut, a factory reset), can show an erratic value once, and is a different one
//! when the plug is replaced. The total follows it as long as it stays within the limits of a 16 A plug:
//!
//! 1. It rose by no more than 16 A × 250 V could have used since: the total grows by as much.
//! 2. It fell to no more than could have been used since: it began again, and the total grows by its new value. Should it
//!    go on afterwards where it was before, then it was a slip, and the total goes on as if it had not happened.
//! 3. Anything else is impossible and left out. Two such values that agree with each other are another counter: it is
//!    followed from then on, and its distance to the one before counts for nothing. In the same way two values that agree begin
//!    the total of a new plug, since the first alone may be a spike.
//!
//! No load can exceed the limit, so neither can the total. Each reading may exceed it by one watt-hour, the smallest step of the
//! counter.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use plugs::Reading;

use crate::store::{EnergyState, Used};

/// Maximum power of a plug: 16 A at 250 V, in watts.
const MAX_POWER_W: f64 = 16.0 * 250.0;
/// The smallest step of a counter, in watt-hours.
const STEP_WH: f64 = 1.0;
/// Maximum first value of a counter, in watt-hours: more than a plug can have used in thirty years.
const MAX_COUNTER_WH: u64 = 1_100_000_000;
/// Seconds assumed between two readings when the clock was set back, because the elapsed time is unknown; and at least, where
/// another clock may have told the first of them.
const GRANTED_S: f64 = 60.0;
/// Seconds within which the total can return to the previous counter.
const RETURN_S: f64 = 15.0 * 60.0;

/// The lifetime total of one plug.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lifetime {
    state: Option<EnergyState>,
    /// The total on the counter that was followed before this one, in case that counter returns.
    left: Option<Left>,
    /// An impossible or a first value; a second one that agrees with it makes it a counter.
    suspect: Option<Mark>,
    /// Watt-hours that a slip added in excess; the next rises are set off against them, since the total cannot decrease.
    ahead_wh: u64,
    /// `true` until the first counter after [`resume`](Self::resume).
    is_resumed: bool,
}

/// The effect of one reading on the total.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Taken {
    /// Energy used since the previous reading. `None` if unknown.
    pub used: Option<Used>,
    /// The total after the reading. `None` before the first counter.
    pub state: Option<EnergyState>,
    /// An event to log; returned once for each event, not for each reading.
    pub note: Option<Note>,
}

/// An irregularity of a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// The counter restarted.
    Reset {
        /// Its previous value, in watt-hours.
        from: u64,
        /// Its present value, in watt-hours.
        to: u64,
    },
    /// The counter continued from its value before an apparent restart.
    Returned {
        /// Its present value, in watt-hours.
        to: u64,
    },
    /// The counter shows more than can have been used; the value is left out.
    Impossible {
        /// Its last plausible value in watt-hours, if there was one.
        from: Option<u64>,
        /// The value shown, in watt-hours.
        to: u64,
    },
    /// The counter confirms a value that cannot have been used: it is followed from there, and the jump is not counted.
    Jumped {
        /// Its previous value, in watt-hours.
        from: u64,
        /// Its present value, in watt-hours.
        to: u64,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reset { from, to } => write!(
                f,
                "its energy counter began again ({from} Wh, then {to} Wh); the lifetime total goes on"
            ),
            Self::Returned { to } => {
                write!(f, "its energy counter is back where it was, at {to} Wh")
            }
            Self::Impossible {
                from: Some(from),
                to,
            } => write!(
                f,
                "its energy counter went from {from} Wh to {to} Wh, which nobody can have used; left out"
            ),
            Self::Impossible { from: None, to } => write!(
                f,
                "its energy counter shows {to} Wh, which nobody can have used; left out"
            ),
            Self::Jumped { from, to } => write!(
                f,
                "its energy counter stays at {to} Wh after {from} Wh; the jump is not counted"
            ),
        }
    }
}

/// The value of a counter at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Mark {
    counter_wh: u64,
    at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Left {
    mark: Mark,
    total_wh: u64,
    /// Time at which the counter that is followed now took over.
    at: Timestamp,
    /// `true` if it stood above the counter that took over, so that a rise leads back to it.
    is_above: bool,
}

impl Mark {
    /// Returns the energy used until `now`, if it is possible.
    fn rise_to(self, now: Self) -> Option<u64> {
        let rise = now.counter_wh.checked_sub(self.counter_wh)?;
        can_use(rise, self.at, now.at).then_some(rise)
    }
}

/// Returns the time from which a plug can have used energy, where another clock may have told the first of two times: that of a hub
/// before a takeover can be ahead by just the gap.
pub(crate) fn granted(from: Timestamp, until: Timestamp) -> Timestamp {
    let latest = until.saturating_sub(SignedDuration::from_secs_f64(GRANTED_S));
    from.min(latest.unwrap_or(Timestamp::MIN))
}

/// Returns true if a plug can use so much energy between two readings.
pub(crate) fn can_use(energy_wh: u64, from: Timestamp, until: Timestamp) -> bool {
    energy_wh as f64 <= MAX_POWER_W * seconds(from, until) / 3600.0 + STEP_WH
}

/// Returns the seconds between two readings, or the assumed time if the clock was set back.
fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    let seconds = to.duration_since(from).as_secs_f64();
    if seconds < 0.0 { GRANTED_S } else { seconds }
}

impl Lifetime {
    /// Continues from a stored total. With no counter in `state`, as after a plug was replaced, the next counter is taken as the
    /// beginning and adds nothing.
    pub fn resume(state: EnergyState) -> Self {
        Self {
            state: Some(state),
            is_resumed: true,
            ..Self::default()
        }
    }

    /// Returns the total; `None` before the first counter.
    pub fn state(&self) -> Option<EnergyState> {
        self.state
    }

    /// Takes a reading in. The first two counters of a plug that agree begin its total.
    pub fn take(&mut self, reading: &Reading) -> Taken {
        let Some(counter_wh) = reading.energy_wh else {
            return self.taken(None, None);
        };
        let now = Mark {
            counter_wh,
            at: reading.at,
        };
        match self.state {
            Some(state) => match state.counter_wh {
                Some(counter_wh) => {
                    let reference = Mark {
                        counter_wh,
                        at: state.at,
                    };
                    self.follow(reference, state.total_wh, now)
                }
                None => self.begin(now, state.total_wh),
            },
            None => self.begin_anew(now),
        }
    }

    /// Begins a total with the second of two counters that agree, because a first one alone may be a spike.
    fn begin_anew(&mut self, now: Mark) -> Taken {
        if now.counter_wh > MAX_COUNTER_WH {
            return self.impossible(now, None);
        }
        match self
            .suspect
            .and_then(|first| Some((first, first.rise_to(now)?)))
        {
            Some((first, rise)) => self.grow(first.at, first.counter_wh, rise, now, None),
            None => {
                self.suspect = Some(now);
                self.taken(None, None)
            }
        }
    }

    fn begin(&mut self, now: Mark, total_wh: u64) -> Taken {
        if now.counter_wh > MAX_COUNTER_WH {
            return self.impossible(now, None);
        }
        self.set(now, total_wh);
        self.taken(None, None)
    }

    fn follow(&mut self, reference: Mark, total_wh: u64, now: Mark) -> Taken {
        let granted = match self.is_resumed {
            true => granted(reference.at, now.at),
            false => reference.at,
        };
        let bound = Mark {
            at: granted,
            ..reference
        };
        if let Some(rise) = bound.rise_to(now) {
            self.forget_left(now.at);
            return self.grow(reference.at, total_wh, rise, now, None);
        }
        if let Some((left, rise)) = self.returned(reference, now) {
            self.left = None;
            // What the slip added is already in the total.
            let goal = left.total_wh.saturating_add(rise);
            self.ahead_wh = self.ahead_wh.saturating_add(total_wh.saturating_sub(goal));
            let rise = goal.saturating_sub(total_wh);
            let note = Note::Returned { to: now.counter_wh };
            return self.grow(left.mark.at, total_wh, rise, now, Some(note));
        }
        let (from, to) = (reference.counter_wh, now.counter_wh);
        if to < from && can_use(to, granted, now.at) {
            self.leave(reference, total_wh, now);
            return self.grow(
                reference.at,
                total_wh,
                to,
                now,
                Some(Note::Reset { from, to }),
            );
        }
        let other = self
            .suspect
            .and_then(|mark| Some((mark, mark.rise_to(now)?)));
        if let Some((suspect, rise)) = other {
            self.leave(reference, total_wh, now);
            return self.grow(
                suspect.at,
                total_wh,
                rise,
                now,
                Some(Note::Jumped { from, to }),
            );
        }
        self.impossible(now, Some(from))
    }

    fn leave(&mut self, mark: Mark, total_wh: u64, now: Mark) {
        self.left = Some(Left {
            mark,
            total_wh,
            at: now.at,
            is_above: mark.counter_wh > now.counter_wh,
        });
    }

    fn forget_left(&mut self, now: Timestamp) {
        self.left = self.left.filter(|left| seconds(left.at, now) <= RETURN_S);
    }

    fn returned(&self, reference: Mark, now: Mark) -> Option<(Left, u64)> {
        let is_above = now.counter_wh > reference.counter_wh;
        let left = self.left.filter(|left| left.is_above == is_above)?;
        Some((left, left.mark.rise_to(now)?))
    }

    fn grow(
        &mut self,
        since: Timestamp,
        total_wh: u64,
        rise: u64,
        now: Mark,
        note: Option<Note>,
    ) -> Taken {
        let paid = rise.min(self.ahead_wh);
        self.ahead_wh -= paid;
        let rise = rise - paid;
        self.set(now, total_wh.saturating_add(rise));
        let used = Used {
            since: since.min(now.at),
            energy_wh: rise as f64,
        };
        self.taken(Some(used), note)
    }

    fn set(&mut self, now: Mark, total_wh: u64) {
        self.suspect = None;
        self.is_resumed = false;
        self.state = Some(EnergyState {
            total_wh,
            counter_wh: Some(now.counter_wh),
            at: now.at,
        });
    }

    /// Leaves a value out, and reports it if the previous value was plausible.
    fn impossible(&mut self, now: Mark, from: Option<u64>) -> Taken {
        let is_first = self.suspect.replace(now).is_none();
        let to = now.counter_wh;
        self.taken(None, is_first.then_some(Note::Impossible { from, to }))
    }

    fn taken(&self, used: Option<Used>, note: Option<Note>) -> Taken {
        Taken {
            used,
            state: self.state,
            note,
        }
    }
}

#[cfg(test)]
mod tests;
