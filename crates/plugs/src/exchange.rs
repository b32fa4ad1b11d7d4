//! The execution of one command on one plug, without sockets and without a clock.
//!
//! An [`Exchange`] is a family's procedure for switching or metering: the data to send and its timing, the recognition of replies,
//! and the number of tries. Its driver owns the socket, and calls in this order:
//!
//! 1. After every call of a `handle_*` method (and once at the beginning) take all of [`Exchange::poll_action`], then
//!    look at [`Exchange::poll_outcome`].
//! 2. The outcome may come before the exchange is over: the first line decides, and anything after it is only logged. Continue
//!    until [`ExchangeAction::Release`] or [`ExchangeAction::Close`] to receive the rest, or stop there.
//! 3. Sleep until input, the end of the connection, or [`Exchange::poll_timeout`], and call the matching `handle_*`.

use std::fmt;
use std::time::Instant;

use crate::command::PlugReply;

/// A [`PlugCommand`](crate::PlugCommand) that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// The plug did not reply in any try.
    #[error("{0}")]
    NoReply(NoReplyReason),
    /// The plug refused; the text is the plug's.
    #[error("it answered '{0}'")]
    Refused(String),
    /// The reply is unintelligible; the text is the plug's, shortened.
    #[error("it answered '{0}'")]
    BadAnswer(String),
}

/// The reason for a missing reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoReplyReason {
    /// The connection was refused: nothing listens there, or all of the plug's few slots are taken.
    #[error("it refused the connection")]
    Refused,
    /// There is no route to the address, or no device has it.
    #[error("there is no way to it")]
    Unreachable,
    /// No connection was established in time.
    #[error("no connection came about")]
    NoConnection,
    /// The connection was closed before a reply.
    #[error("it closed the connection without an answer")]
    Closed,
    /// The address now belongs to another plug.
    #[error("another plug has this address now")]
    Replaced,
    /// No data arrived in time.
    #[error("nothing came back in time")]
    NoReply,
}

/// The transport for commands to a plug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlugTransport {
    /// A TCP connection, which this exchange uses exclusively.
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
    /// The TCP connection that the plug opens to us. The exchange gets whole messages, and the connection stays open after it.
    Inbound {
        /// Our TCP port, to which plugs connect.
        local_port: u16,
    },
}

/// A task for the driver of an [`Exchange`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExchangeAction {
    /// Connect (over UDP: begin to listen; to a plug that connects to us: wait for it), then call [`Exchange::handle_open`] or [`Exchange::handle_closed`].
    Open,
    /// Send these bytes in one write or one datagram.
    Send(Vec<u8>),
    /// The exchange is complete, and the connection is reusable: keep it for the next exchange, or drop it.
    ///
    /// Do not call [`Exchange::handle_closed`] for it. For an exchange that begins on a kept connection, call
    /// [`Exchange::handle_open`] as soon as it requests one.
    Release,
    /// Drop the connection. Do not call [`Exchange::handle_closed`] for it.
    Close,
}

/// The execution of one command on one plug; see the module's page for how to drive it.
pub trait Exchange: fmt::Debug + Send {
    /// Notifies that the connection is open.
    fn handle_open(&mut self, now: Instant);

    /// Processes bytes from the plug: a piece of the TCP stream, one datagram, or one message of an inbound connection.
    fn handle_input(&mut self, now: Instant, bytes: &[u8]);

    /// Notifies that the connection was not established or has ended, and the reason.
    fn handle_closed(&mut self, now: Instant, how: NoReplyReason);

    /// Advances the time.
    fn handle_timeout(&mut self, now: Instant);

    /// Returns the time for [`Exchange::handle_timeout`].
    fn poll_timeout(&self) -> Option<Instant>;

    /// Returns the next action.
    fn poll_action(&mut self) -> Option<ExchangeAction>;

    /// Returns the outcome, once.
    fn poll_outcome(&mut self) -> Option<Result<PlugReply, ExchangeError>>;
}
