//! One command carried out on one plug, without sockets and without a clock.
//!
//! An [`Exchange`] is a family's way to switch or to meter: what is sent when, what counts as a reply, how often it is
//! tried. Its driver owns the socket, and calls in this order:
//!
//! 1. After every call of a `handle_*` method (and once at the beginning) take all of [`Exchange::poll_action`], then
//!    look at [`Exchange::poll_outcome`].
//! 2. The outcome may come before the exchange is over: the first line decides, and what follows is only logged.
//!    Go on until [`ExchangeAction::Release`] or [`ExchangeAction::Close`] to hear the rest, or stop there.
//! 3. Sleep until input, the end of the connection, or [`Exchange::poll_timeout`], and call the matching `handle_*`.

use std::fmt;
use std::time::Instant;

use crate::command::PlugReply;

/// A [`PlugCommand`](crate::PlugCommand) that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// The plug did not reply, in all tries.
    #[error("{0}")]
    NoReply(NoReplyReason),
    /// The plug refused; the text is its own.
    #[error("it answered '{0}'")]
    Refused(String),
    /// The reply is unintelligible; the text is its own, shortened.
    #[error("it answered '{0}'")]
    BadAnswer(String),
}

/// The kind of a plug's silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoReplyReason {
    /// The connection was refused: nothing listens there, or all of the plug's few slots are taken.
    #[error("it refused the connection")]
    Refused,
    /// There is no way to the address, or no device has it.
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

/// The way to a plug for commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlugTransport {
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

/// A task for the driver of an [`Exchange`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExchangeAction {
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

/// One command carried out on one plug; see the module's page for how to drive it.
pub trait Exchange: fmt::Debug + Send {
    /// Notes that the connection stands.
    fn handle_open(&mut self, now: Instant);

    /// Takes bytes from the plug: a piece of the TCP stream, or one datagram.
    fn handle_input(&mut self, now: Instant, bytes: &[u8]);

    /// Notes that the connection did not come about or has ended, and in which way.
    fn handle_closed(&mut self, now: Instant, how: NoReplyReason);

    /// Notes that time has passed.
    fn handle_timeout(&mut self, now: Instant);

    /// Returns when to call [`Exchange::handle_timeout`].
    fn poll_timeout(&self) -> Option<Instant>;

    /// Returns the next thing to do.
    fn poll_action(&mut self) -> Option<ExchangeAction>;

    /// Returns the outcome, once.
    fn poll_outcome(&mut self) -> Option<Result<PlugReply, ExchangeError>>;
}
