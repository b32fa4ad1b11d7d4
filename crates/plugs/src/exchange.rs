//! One order carried out on one plug, without sockets and without a clock.
//!
//! An [`Exchange`] is what a family does to switch or to meter: which transport, what is sent when, what counts as an
//! answer, how often it is tried. Whoever drives it owns the socket, and calls in this order:
//!
//! 1. After every call of a `handle_*` method (and once at the beginning) take all of [`Exchange::poll_action`], then
//!    look at [`Exchange::poll_outcome`].
//! 2. The outcome may come before the conversation is over: the first line decides, and what follows is only logged.
//!    Go on until [`Action::Release`] or [`Action::Close`] to hear the rest, or stop there.
//! 3. Sleep until input, the end of the connection, or [`Exchange::poll_timeout`], and call the matching `handle_*`.

use std::fmt;
use std::time::Instant;

use hiflying::Mac;
use jiff::Timestamp;

use crate::reco::Minutes;
use crate::{Reading, RelayState};

/// What a plug is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Move the relay now. It may be repeated.
    Switch(RelayState),
    /// Move the relay after so many minutes. A later one replaces it.
    Delay(RelayState, Minutes),
    /// Read the meter.
    Meter,
    /// Tell the firmware's version.
    Version,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Switch(state) => write!(f, "switch {state}"),
            Self::Delay(state, minutes) => write!(f, "switch {state} in {minutes} min"),
            Self::Meter => f.write_str("read the meter"),
            Self::Version => f.write_str("tell its version"),
        }
    }
}

/// What came of an [`Order`].
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The plug accepted it. Whether it did it, its presence tells.
    Accepted,
    /// What the meter shows.
    Measured(Measurement),
    /// The firmware's version as the plug words it.
    Version(String),
}

/// What a meter shows, in SI units and watt-hours; `None` where the plug left it empty.
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
    /// Makes it the reading of `plug` at the time `at`.
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

/// Why nothing came of an [`Order`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// The plug did not answer, in all tries.
    #[error("{0}")]
    NoAnswer(Silence),
    /// The plug said no; the text is its own.
    #[error("it answered '{0}'")]
    Refused(String),
    /// The answer cannot be understood; the text is its own, shortened.
    #[error("it answered '{0}'")]
    BadAnswer(String),
}

/// In what way a plug did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Silence {
    /// The connection was refused: nothing listens there, or all of the plug's few slots are taken.
    #[error("it refused the connection")]
    Refused,
    /// There is no way to the address, or nobody has it.
    #[error("there is no way to it")]
    Unreachable,
    /// No connection came about in time.
    #[error("no connection came about")]
    NoConnection,
    /// The connection was closed before an answer.
    #[error("it closed the connection without an answer")]
    Closed,
    /// The address belongs to another plug now.
    #[error("another plug has this address now")]
    Replaced,
    /// Nothing came in time.
    #[error("nothing came back in time")]
    NoReply,
}

/// How a plug is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// A TCP connection, which this exchange has for itself as long as it lasts.
    Tcp {
        /// The plug's port.
        port: u16,
    },
    /// Datagrams from our `local_port`, which is shared.
    Udp {
        /// Our port, from which to send and on which to listen.
        local_port: u16,
        /// The plug's port.
        port: u16,
    },
}

/// What the driver of an [`Exchange`] has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Connect (over UDP: begin to listen), then call [`Exchange::handle_open`] or [`Exchange::handle_closed`].
    Open,
    /// Send these bytes in one write or one datagram.
    Send(Vec<u8>),
    /// All is said, and the connection is as good as new: keep it for the next exchange, or drop it.
    ///
    /// Do not call [`Exchange::handle_closed`] for it. An exchange that begins on a kept connection is told that it is
    /// open as soon as it wants one.
    Release,
    /// Drop the connection. Do not call [`Exchange::handle_closed`] for it.
    Close,
}

/// One order carried out on one plug; see the module's page for how to drive it.
pub trait Exchange: fmt::Debug + Send {
    /// Returns how the plug is spoken to; it does not change.
    fn transport(&self) -> Transport;

    /// Notes that the connection stands.
    fn handle_open(&mut self, now: Instant);

    /// Takes bytes from the plug: a piece of the TCP stream, or one datagram.
    fn handle_input(&mut self, now: Instant, bytes: &[u8]);

    /// Notes that the connection did not come about or has ended, and how.
    fn handle_closed(&mut self, now: Instant, how: Silence);

    /// Notes that time has passed.
    fn handle_timeout(&mut self, now: Instant);

    /// Returns when to call [`Exchange::handle_timeout`].
    fn poll_timeout(&self) -> Option<Instant>;

    /// Returns the next thing to do.
    fn poll_action(&mut self) -> Option<Action>;

    /// Returns what came of it, once.
    fn poll_outcome(&mut self) -> Option<Result<Outcome, ExchangeError>>;
}
