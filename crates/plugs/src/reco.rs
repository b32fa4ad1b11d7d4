//! The messages of the Reco4life family (Maginon SP-2, Reco4life P10A), in both directions.
//!
//! Plugs are found, and tell their relay's position, over UDP port 48899 ([`ScanReply`]); they are switched and metered
//! over TCP port 8899 ([`Command`], [`Reply`], [`MeterReply`]). The vendor's words are kept: socket, res, status.
//! Field layouts and tolerances come from `docs/protocol/reco.md`, whose test vectors R1 to R17 are the tests here.
//! Both the client and the emulator use this codec.

mod command;
mod meter;
mod reply;
mod scan;

pub use command::{Command, CommandError, Minutes, MinutesError, stamp};
pub use meter::{MeterError, MeterReply};
pub use reply::Reply;
pub use scan::ScanReply;

/// The datagram that every plug of the family answers with a [`ScanReply`]; no line end.
pub const SCAN_WORD: &[u8] = b"YZ-RECOSCAN";

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

/// Strips an ASCII prefix, whatever its case.
fn strip_prefix_ignoring_case<'a>(bytes: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (head, tail) = bytes.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(tail)
}
