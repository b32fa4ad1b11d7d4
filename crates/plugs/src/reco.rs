//! The messages of the Reco4life family (Maginon SP-2, Reco4life P10A), in both directions.
//!
//! Plugs are found, and tell their relay's position, over UDP port 48899 ([`ScanReply`]); they are switched and metered
//! over TCP port 8899 ([`Command`], [`Reply`], [`MeterReply`]). The vendor's words are kept: socket, res, status.
//! Field layouts and tolerances come from `docs/protocol/reco.md`, whose test vectors R1 to R17 are the tests here.
//! Both the client and the emulator use this codec.

mod command;
mod exchange;
mod meter;
mod reply;
mod scan;

use std::borrow::Cow;
use std::net::Ipv4Addr;
use std::time::Instant;

use hiflying::{DiscoveryWord, Mac, PORT};
use jiff::Timestamp;
use jiff::civil::DateTime;

pub use command::{Command, CommandError, Minutes, MinutesError, stamp};
pub use exchange::TcpExchange;
pub use meter::{MeterError, MeterReply};
pub use reply::Reply;
pub use scan::ScanReply;

use crate::exchange::{Exchange, Order};
use crate::family::{Family, Probe};
use crate::{FamilyId, Plug};

/// The datagram that every plug of the family answers with a [`ScanReply`]; no line end.
pub const SCAN_WORD: &[u8] = b"YZ-RECOSCAN";

/// The family of Maginon SP-2 and Reco4life plugs.
#[derive(Debug, Clone, Copy)]
pub struct Reco;

impl Family for Reco {
    fn id(&self) -> FamilyId {
        FamilyId::Reco
    }

    /// An SP-2 answers to this port of the sender, whatever port the scan came from.
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

    fn parse_presence(&self, from: Ipv4Addr, datagram: &[u8], seen: Timestamp) -> Option<Plug> {
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
            ..Plug::new(reply.mac, FamilyId::Reco, from, seen)
        })
    }

    fn exchange(
        &self,
        _mac: Mac,
        order: Order,
        local: DateTime,
        now: Instant,
    ) -> Option<Box<dyn Exchange>> {
        let command = match order {
            Order::Switch(state) => Command::switch(state, local),
            Order::Delay(state, minutes) => Command::delay(state, minutes, local),
            Order::Meter => Command::Meter,
            Order::Version => Command::Version,
        };
        Some(Box::new(TcpExchange::new(command, now)))
    }
}

/// Drops what could follow a message: line ends, the NUL padding of fixed buffers, blanks.
fn trim(bytes: &[u8]) -> &[u8] {
    let is_padding = |byte: &u8| matches!(byte, b'\r' | b'\n' | b'\0' | b' ' | b'\t');
    let start = bytes
        .iter()
        .position(|byte| !is_padding(byte))
        .unwrap_or(bytes.len());
    let end = bytes
        .iter()
        .rposition(|byte| !is_padding(byte))
        .map_or(start, |last| last + 1);
    bytes.get(start..end).unwrap_or_default()
}

/// Text from a peer, fit for a terminal: no control characters, nothing that is not UTF-8.
fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .chars()
        .filter(|c| !c.is_control())
        .collect()
}
