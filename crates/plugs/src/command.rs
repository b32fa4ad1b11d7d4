//! Commands to a plug and their replies, without any family's notation.

use std::fmt;
use std::time::Duration;

use hiflying::Mac;
use jiff::Timestamp;
use serde::Serialize;

use crate::{Reading, RelayState};

/// An ability of the members of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// Moving a relay. A device without this is not a plug.
    Switch,
    /// Metering.
    Meter,
    /// A timer of the plug's own.
    Timer,
    /// Reporting the firmware's version.
    Version,
    /// Storing a name that its owner gave it in the vendor's app.
    Label,
    /// Unsolicited reports of a change of the relay.
    Push,
}

/// A command to a plug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlugCommand {
    /// Moves the relay now. It may be repeated.
    Switch(RelayState),
    /// Moves the relay after this delay. A later one replaces it.
    Delay(RelayState, Minutes),
    /// Reads the meter.
    Meter,
    /// Reads the firmware's version.
    Version,
    /// Reads the name that the plug stores.
    Label,
}

impl PlugCommand {
    /// Returns the ability that a plug needs for this command.
    pub const fn capability(self) -> Capability {
        match self {
            Self::Switch(_) => Capability::Switch,
            Self::Delay(..) => Capability::Timer,
            Self::Meter => Capability::Meter,
            Self::Version => Capability::Version,
            Self::Label => Capability::Label,
        }
    }
}

impl fmt::Display for PlugCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Switch(state) => write!(f, "switch {state}"),
            Self::Delay(state, minutes) => write!(f, "switch {state} in {minutes} min"),
            Self::Meter => f.write_str("read the meter"),
            Self::Version => f.write_str("read the version"),
            Self::Label => f.write_str("read the name"),
        }
    }
}

/// A plug's reply to a [`PlugCommand`].
#[derive(Debug, Clone, PartialEq)]
pub enum PlugReply {
    /// Accepted. Only a later presence report confirms that the relay moved.
    Accepted,
    /// Carried out: the plug has reported its relay in the commanded position after the command.
    Confirmed,
    /// The meter's values.
    Measured(Measurement),
    /// The firmware's version, as the plug reports it.
    Version(String),
    /// The name that the plug stores; `None` when none was given.
    Label(Option<String>),
}

/// The outcome of a switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switched {
    /// The relay as it was last read; `None` without a report since the command began.
    pub relay: Option<RelayState>,
    /// `true` when the relay was read back in the commanded position. If not, the plug accepted the command and did not carry it
    /// out, or has not reported since.
    pub confirmed: bool,
    /// The time from the call to the confirmation.
    pub elapsed: Duration,
}

/// A meter's values in SI units and watt-hours; `None` where the plug left one empty.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Measurement {
    /// Voltage in volts.
    pub voltage_v: Option<f64>,
    /// Current in amperes.
    pub current_a: Option<f64>,
    /// Mains frequency in hertz.
    pub frequency_hz: Option<f64>,
    /// Active power in watts.
    pub power_w: Option<f64>,
    /// The plug's own counter in watt-hours.
    pub energy_wh: Option<u64>,
}

impl Measurement {
    /// Converts it to the reading of `plug` at the time `at`.
    pub fn reading(self, plug: Mac, at: Timestamp) -> Reading {
        Reading {
            plug,
            at,
            voltage_v: self.voltage_v,
            current_a: self.current_a,
            frequency_hz: self.frequency_hz,
            power_w: self.power_w,
            energy_wh: self.energy_wh,
        }
    }
}

/// The delay of a plug's own timer: 1 to 2000 whole minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Minutes(u16);

impl Minutes {
    /// The shortest delay. The effect of 0 is unknown.
    pub const MIN: Self = Self(1);
    /// The longest delay, according to a comment in one client.
    pub const MAX: Self = Self(2000);

    /// Makes a delay of this many minutes.
    ///
    /// # Errors
    ///
    /// [`MinutesError`] outside of 1..=2000.
    pub const fn new(minutes: u16) -> Result<Self, MinutesError> {
        if minutes >= Self::MIN.0 && minutes <= Self::MAX.0 {
            Ok(Self(minutes))
        } else {
            Err(MinutesError)
        }
    }

    /// Returns the number of minutes.
    pub const fn count(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Minutes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The delay is outside the range of the plug's timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a plug's timer takes 1 to 2000 whole minutes")]
pub struct MinutesError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes() {
        assert_eq!(Minutes::new(0), Err(MinutesError));
        assert_eq!(Minutes::new(1), Ok(Minutes::MIN));
        assert_eq!(Minutes::new(2000), Ok(Minutes::MAX));
        assert_eq!(Minutes::new(2001), Err(MinutesError));
    }
}
