//! The trait of a family of plugs.
//!
//! A family states the [`Capability`]s of its members, the datagrams that they reply to, the parsing of their reports, and the
//! execution of a [`PlugCommand`]. Discovery, presence, switching, the hub and the command access families only through this trait,
//! and offer exactly the stated capabilities. The families that Mains knows are listed in [`crate::families`].
//!
//! [`Orvibo`](crate::orvibo::Orvibo) is an example: one file, one row in the table, and nothing else. Its port is opened when a member
//! is searched for or known, and datagrams that arrive there go to this family alone; it replies to the source port, so where another
//! program has the port, any other serves; confirming is not its concern, because a switch ends with a presence probe for every family.
//!
//! A family whose members connect to a TCP port of ours, as G-Homa plugs do, has the transport [`PlugTransport::Inbound`] and an
//! [`InboundSession`], which identifies the plug and reads its reports. The port is opened when a member is searched for or known.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hiflying::{DiscoveryWord, Mac};
use jiff::Timestamp;
use jiff::civil::DateTime;

use crate::command::{Capability, Minutes, PlugCommand};
use crate::exchange::{Exchange, PlugTransport};
use crate::inbound::InboundSession;
use crate::{FamilyId, Plug};

/// A family of plugs.
pub trait Family: fmt::Debug + Sync {
    /// Returns the family's name.
    fn id(&self) -> FamilyId;

    /// Returns the abilities of its members.
    fn capabilities(&self) -> &'static [Capability];

    /// Returns the local UDP port that reports come to, whatever port the probe came from. A family without datagrams returns
    /// [`hiflying::PORT`], which is open anyway.
    fn local_port(&self) -> u16;

    /// Returns whether members reply to that port only, and so are not heard while another program has it.
    fn needs_local_port(&self) -> bool;

    /// Returns the datagrams that members reply to; `words` are discovery words given by the user.
    fn probes(&self, words: &[DiscoveryWord]) -> Vec<Probe>;

    /// Parses a member's report of itself, a reply to a probe or unsolicited, heard from `from` at `seen`.
    ///
    /// Returns `None` for every other datagram, including our own probes.
    fn parse_report(&self, from: Ipv4Addr, datagram: &[u8], seen: Timestamp) -> Option<Plug>;

    /// Returns the transport for commands to members; `None` for devices that accept none.
    fn transport(&self) -> Option<PlugTransport>;

    /// Begins to execute `command` on the member with this `mac`; `local` is the local time, which some plugs are sent.
    ///
    /// `None` when members of this family lack the [`PlugCommand::capability`].
    fn exchange(
        &self,
        mac: Mac,
        command: PlugCommand,
        local: DateTime,
        now: Instant,
    ) -> Option<Box<dyn Exchange>>;

    /// Returns the datagram that renews a member's unsolicited reports, for families that need one.
    fn subscription(&self, _mac: Mac) -> Option<Subscription> {
        None
    }

    /// Returns the longest delay of a member's own timer.
    fn max_delay(&self) -> Minutes {
        Minutes::MAX
    }

    /// Begins the session on a connection that a member at `from` has opened to us; for families whose transport is
    /// [`PlugTransport::Inbound`], and `None` for all others.
    fn inbound_session(&self, _from: Ipv4Addr) -> Option<Box<dyn InboundSession>> {
        None
    }
}

/// Returns our TCP port to which members of a family connect.
#[cfg(feature = "net")]
pub(crate) fn inbound_port(family: &dyn Family) -> Option<u16> {
    match family.transport() {
        Some(PlugTransport::Inbound { local_port }) => Some(local_port),
        _ => None,
    }
}

/// A datagram that plugs reply to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Its destination UDP port.
    pub port: u16,
    /// Its content.
    pub bytes: Cow<'static, [u8]>,
}

/// A datagram that must be sent to a plug at regular intervals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The datagram.
    pub probe: Probe,
    /// The interval of the datagram.
    pub interval: Duration,
}

/// A list of families. Where a device replies as more than one, the earlier row wins.
#[derive(Debug, Clone)]
pub struct Families(Arc<[&'static dyn Family]>);

impl Families {
    /// Makes a list.
    pub fn new(families: impl IntoIterator<Item = &'static dyn Family>) -> Self {
        Self(families.into_iter().collect())
    }

    /// Returns the families in order.
    pub fn iter(&self) -> impl Iterator<Item = &'static dyn Family> + Clone {
        self.0.iter().copied()
    }

    /// Returns the family with this id.
    pub fn get(&self, id: FamilyId) -> Option<&'static dyn Family> {
        self.iter().find(|family| family.id() == id)
    }

    /// Returns whether members of this family have an ability.
    pub fn can(&self, id: FamilyId, capability: Capability) -> bool {
        self.get(id)
            .is_some_and(|family| family.capabilities().contains(&capability))
    }

    /// Returns the families whose members can be switched.
    #[cfg(feature = "net")]
    pub(crate) fn of_plugs(&self) -> impl Iterator<Item = &'static dyn Family> + Clone {
        self.iter()
            .filter(|family| family.capabilities().contains(&Capability::Switch))
    }

    /// Returns the families that a member of this one can be distinguished from: those whose reports arrive at the same local port.
    /// Families whose members connect to us are not among them, because their port is opened only for them.
    #[cfg(feature = "net")]
    pub(crate) fn beside(&self, id: FamilyId) -> Self {
        let Some(member) = self.get(id) else {
            return self.clone();
        };
        Self::new(self.iter().filter(|family| {
            family.id() == id
                || family.local_port() == member.local_port() && inbound_port(*family).is_none()
        }))
    }

    /// Parses a report that arrived at our `local_port`.
    pub fn parse_report(
        &self,
        local_port: u16,
        from: Ipv4Addr,
        datagram: &[u8],
        seen: Timestamp,
    ) -> Option<Plug> {
        self.iter()
            .filter(|family| family.local_port() == local_port)
            .find_map(|family| family.parse_report(from, datagram, seen))
    }
}
