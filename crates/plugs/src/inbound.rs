//! Connections that plugs open to us, without sockets and without a clock.
//!
//! Some plugs have no server: they connect to a TCP port of a server and take commands over that connection. A family of such plugs
//! has the transport [`PlugTransport::Inbound`](crate::exchange::PlugTransport::Inbound) and makes an [`InboundSession`] for each
//! connection. The session identifies the plug, keeps the connection alive and reads the plug's reports; commands are
//! [exchanges](crate::exchange), as for every other family.
//!
//! The driver of a session owns the socket. After each `handle_*` method, and once at the beginning, it takes all of
//! [`InboundSession::poll_transmit`] and [`InboundSession::poll_event`].

use std::fmt;

use jiff::Timestamp;

use crate::Plug;

/// The course of one connection that a plug has opened to us. Its buffers are bounded.
pub trait InboundSession: fmt::Debug + Send {
    /// Processes a piece of the stream from the plug, received at `seen`.
    fn handle_input(&mut self, seen: Timestamp, bytes: &[u8]);

    /// Requests a report from the plug. Where a plug cannot be asked, its last report may stand for one while the connection lives.
    fn handle_probe(&mut self, seen: Timestamp);

    /// Returns the next bytes to send: the session's own greeting, replies and requests.
    fn poll_transmit(&mut self) -> Option<Vec<u8>>;

    /// Returns the next event.
    fn poll_event(&mut self) -> Option<InboundEvent>;
}

/// An event of a connection that a plug has opened to us.
#[derive(Debug, Clone, PartialEq)]
pub enum InboundEvent {
    /// The plug's report of itself. The first one identifies the plug; before it no command is sent.
    Report(Plug),
    /// A complete message, for the exchange in progress.
    Message(Vec<u8>),
}
