//! The Reco4life family (Maginon SP-2, Reco4life P10A).
//!
//! Plugs are found, and report their relay's position, over UDP port 48899 ([`ScanReply`]); they are switched and metered
//! over TCP port 8899 ([`command_line`], [`RecoReply`], [`MeterReply`]). The vendor's words are kept: socket, res, status.
//! Field layouts and tolerances come from `docs/protocol/reco.md`, whose test vectors R1 to R17 are the tests here.
//! The emulator has a codec of its own, so that an error here is not mirrored there.

mod command;
mod exchange;
mod meter;
mod reply;
mod scan;
mod text;

use std::borrow::Cow;
use std::net::Ipv4Addr;
use std::time::Instant;

use hiflying::{DATA_PORT, DiscoveryWord, Mac, PORT};
use jiff::Timestamp;
use jiff::civil::DateTime;

pub use command::command_line;
pub use exchange::RecoExchange;
pub use meter::{MeterError, MeterReply};
pub use reply::RecoReply;
pub use scan::ScanReply;

use crate::command::{Capability, PlugCommand};
use crate::exchange::{Exchange, PlugTransport};
use crate::family::{Family, Probe};
use crate::{FamilyId, Plug};

/// The datagram to which every plug of the family replies with a [`ScanReply`]; no line end.
pub const SCAN_WORD: &[u8] = b"YZ-RECOSCAN";

/// The family of Maginon SP-2 and Reco4life plugs.
#[derive(Debug, Clone, Copy)]
pub struct Reco;

impl Family for Reco {
    fn id(&self) -> FamilyId {
        FamilyId::RECO
    }

    fn capabilities(&self) -> &'static [Capability] {
        use Capability::{Meter, Switch, Timer, Version};
        &[Switch, Meter, Timer, Version]
    }

    /// Returns 48899: an SP-2 replies to this port of the sender, regardless of the source port of the scan.
    fn local_port(&self) -> u16 {
        PORT
    }

    fn needs_local_port(&self) -> bool {
        true
    }

    fn probes(&self, _words: &[DiscoveryWord]) -> Vec<Probe> {
        vec![Probe {
            port: PORT,
            bytes: Cow::Borrowed(SCAN_WORD),
        }]
    }

    fn parse_report(&self, from: Ipv4Addr, datagram: &[u8], seen: Timestamp) -> Option<Plug> {
        let reply = ScanReply::parse(datagram)?;
        if reply.address != from {
            tracing::debug!(%from, says = %reply.address, mac = %reply.mac, "a plug believes that it has another address");
        }
        let known = |text: String| (!text.is_empty()).then_some(text);
        Some(Plug {
            serial: known(reply.serial),
            relay: reply.status,
            res: known(reply.res),
            extra: reply.extra.and_then(known),
            ..Plug::new(reply.mac, FamilyId::RECO, from, seen)
        })
    }

    fn transport(&self) -> Option<PlugTransport> {
        Some(PlugTransport::Tcp { port: DATA_PORT })
    }

    fn exchange(
        &self,
        _mac: Mac,
        command: PlugCommand,
        local: DateTime,
        now: Instant,
    ) -> Option<Box<dyn Exchange>> {
        Some(Box::new(RecoExchange::new(command, local, now)?))
    }
}
