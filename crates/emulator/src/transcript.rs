//! The transcript of what an app and a plug send each other: JSON lines, and packets for Wireshark.

mod line;
pub(crate) mod mask;
mod pcapng;

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;

use hiflying::Mac;

pub use self::line::{
    TranscriptDirection, TranscriptError, TranscriptLine, TranscriptTransport, parse,
};
use self::pcapng::PacketWriter;
use crate::record::RecordWriter;

/// Returns bytes as text, where they are.
fn as_text(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let is_text = !text.contains(|c: char| c.is_control() && !"\r\n\t\0".contains(c));
    is_text.then(|| text.to_owned())
}

/// Writes transcripts. Clones write to the same files.
#[derive(Debug, Clone, Default)]
pub struct TranscriptWriter {
    lines: Option<RecordWriter>,
    packets: Option<PacketWriter>,
}

impl TranscriptWriter {
    /// Writes JSON lines to a place.
    #[must_use]
    pub fn with_lines(mut self, lines: RecordWriter) -> Self {
        self.lines = Some(lines);
        self
    }

    /// Appends packets to a file, as a new section where it has some, which is made readable for its owner alone.
    pub fn with_packets(mut self, file: &Path) -> io::Result<Self> {
        self.packets = Some(PacketWriter::new(RecordWriter::create(file)?));
        Ok(self)
    }

    /// Writes one datagram or segment, which is masked already. `plug` is the plug's end.
    pub(crate) fn write(
        &self,
        transport: TranscriptTransport,
        direction: TranscriptDirection,
        peer: SocketAddrV4,
        plug: SocketAddrV4,
        bytes: &[u8],
    ) {
        let at = crate::clock::now();
        if let Some(lines) = &self.lines {
            let (bytes, text) = (bytes.to_vec(), as_text(bytes));
            lines.append(&TranscriptLine {
                at,
                transport,
                direction,
                peer,
                bytes,
                text,
            });
        }
        if let Some(packets) = &self.packets {
            packets.write(at, transport, direction, peer, plug, bytes);
        }
    }

    /// Notes that a connection of the app begins.
    pub(crate) fn open(&self, peer: SocketAddrV4, plug: SocketAddrV4) {
        if let Some(packets) = &self.packets {
            packets.open(crate::clock::now(), peer, plug);
        }
    }

    /// Notes that a connection of the app has ended.
    pub(crate) fn close(&self, peer: SocketAddrV4, plug: SocketAddrV4) {
        if let Some(packets) = &self.packets {
            packets.close(crate::clock::now(), peer, plug);
        }
    }
}

/// Returns the MAC of a reply to a discovery word or scan: an address, a MAC, and more.
pub(crate) fn presence(bytes: &[u8]) -> Option<Mac> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut fields = text
        .split(',')
        .map(|field| field.trim_matches(['\0', '\r', '\n', ' ']));
    fields.next()?.parse::<Ipv4Addr>().ok()?;
    let mac = fields.next().filter(|mac| mac.len() == 12)?;
    mac.parse().ok()
}

/// Returns a reply to a discovery word or scan with another address in field 1 and all else unchanged; nothing for other bytes.
pub(crate) fn readdressed(bytes: &[u8], address: Ipv4Addr) -> Option<Vec<u8>> {
    presence(bytes)?;
    let comma = bytes.iter().position(|byte| *byte == b',')?;
    let mut changed = address.to_string().into_bytes();
    changed.extend_from_slice(bytes.get(comma..)?);
    Some(changed)
}

#[cfg(test)]
mod tests;
