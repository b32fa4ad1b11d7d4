//! Output of a discovery: datagrams to send, and events.

use std::borrow::Cow;
use std::net::SocketAddrV4;

use crate::Plug;

/// A datagram to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscoveryTransmit {
    /// The index of the link to send it on.
    pub link: usize,
    /// Our port to send it from.
    pub local_port: u16,
    /// Its destination.
    pub to: SocketAddrV4,
    /// Its content.
    pub bytes: Cow<'static, [u8]>,
}

/// An event of a discovery.
#[derive(Debug, Clone, PartialEq)]
pub enum DiscoverEvent {
    /// A device that was not known before.
    Found(Plug),
    /// New or changed information about a device that was reported before.
    Updated(Plug),
    /// In a continuous discovery: a device that was reported before no longer replies. It is reported as updated when it does again.
    Lost(Plug),
    /// The end of the discovery.
    Done(DiscoverySummary),
}

/// The summary of a discovery.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DiscoverySummary {
    /// The datagrams that were sent.
    pub probes_sent: u32,
    /// The expected number of plugs that are present and were not heard; usually far below 1. `None` when the discovery ended
    /// before an estimate was possible, or without any reply.
    pub unheard: Option<f64>,
}
