//! Packets in the pcapng format, as an observer between the app and the plug would capture them.
//!
//! The relay has no packets, only datagrams and streams, so each is put into one of raw IPv4, with checksums over what is
//! written: where a key is masked, the packet is one that would have carried the mask.

use std::collections::HashMap;
use std::net::SocketAddrV4;
use std::sync::Arc;

use etherparse::PacketBuilder;
use jiff::Timestamp;
use parking_lot::Mutex;

use super::line::{TranscriptDirection, TranscriptTransport};
use crate::record::RecordWriter;

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const BYTE_ORDER: u32 = 0x1a2b_3c4d;
const INTERFACE: u32 = 1;
const PACKET: u32 = 6;
/// Link type of packets that begin with an IP header.
const RAW_IP: u32 = 101;
/// Option of an interface: times are in nanoseconds (9), then the end of the options.
const NANOSECONDS: [u8; 12] = [9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0];
const TIME_TO_LIVE: u8 = 64;
const WINDOW: u16 = 65535;

/// Writes packets; clones write to the same file.
#[derive(Debug, Clone)]
pub(super) struct PacketWriter {
    out: RecordWriter,
    streams: Arc<Mutex<HashMap<SocketAddrV4, TcpSequence>>>,
}

/// Next sequence number of either side.
#[derive(Debug, Clone, Copy, Default)]
struct TcpSequence {
    app: u32,
    plug: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TcpFlag {
    Syn,
    Data,
    Fin,
}

impl PacketWriter {
    /// Begins a section.
    pub(super) fn new(out: RecordWriter) -> Self {
        let mut section = BYTE_ORDER.to_le_bytes().to_vec();
        // Version 1.0, and a length that is not given.
        section.extend([1, 0, 0, 0]);
        section.extend([0xff; 8]);
        let mut interface = RAW_IP.to_le_bytes().to_vec();
        // No limit of the length.
        interface.extend([0; 4]);
        interface.extend(NANOSECONDS);
        out.append_bytes(
            &[
                block(SECTION_HEADER, &section),
                block(INTERFACE, &interface),
            ]
            .concat(),
        );
        Self {
            out,
            streams: Arc::default(),
        }
    }

    pub(super) fn write(
        &self,
        at: Timestamp,
        transport: TranscriptTransport,
        direction: TranscriptDirection,
        app: SocketAddrV4,
        plug: SocketAddrV4,
        bytes: &[u8],
    ) {
        match transport {
            TranscriptTransport::Udp => {
                let (from, to) = ends(direction, app, plug);
                let builder =
                    PacketBuilder::ipv4(from.ip().octets(), to.ip().octets(), TIME_TO_LIVE)
                        .udp(from.port(), to.port());
                let mut packet = Vec::with_capacity(builder.size(bytes.len()));
                if builder.write(&mut packet, bytes).is_ok() {
                    self.packet(at, &packet);
                }
            }
            TranscriptTransport::Tcp => {
                self.segment(at, direction, app, plug, TcpFlag::Data, bytes);
            }
        }
    }

    /// Writes the handshake of a connection.
    pub(super) fn open(&self, at: Timestamp, app: SocketAddrV4, plug: SocketAddrV4) {
        self.streams.lock().insert(app, TcpSequence::default());
        self.both(at, app, plug, TcpFlag::Syn);
    }

    /// Writes the end of a connection.
    pub(super) fn close(&self, at: Timestamp, app: SocketAddrV4, plug: SocketAddrV4) {
        self.both(at, app, plug, TcpFlag::Fin);
        self.streams.lock().remove(&app);
    }

    /// Writes a flag of either end, and the acknowledgement of the second.
    fn both(&self, at: Timestamp, app: SocketAddrV4, plug: SocketAddrV4, flag: TcpFlag) {
        for (direction, flag) in [
            (TranscriptDirection::ToPlug, flag),
            (TranscriptDirection::FromPlug, flag),
            (TranscriptDirection::ToPlug, TcpFlag::Data),
        ] {
            self.segment(at, direction, app, plug, flag, &[]);
        }
    }

    fn segment(
        &self,
        at: Timestamp,
        direction: TranscriptDirection,
        app: SocketAddrV4,
        plug: SocketAddrV4,
        flag: TcpFlag,
        bytes: &[u8],
    ) {
        let (from, to) = ends(direction, app, plug);
        let (sequence, acknowledged) = {
            let mut streams = self.streams.lock();
            let numbers = streams.entry(app).or_default();
            let (own, other) = match direction {
                TranscriptDirection::ToPlug => (&mut numbers.app, numbers.plug),
                TranscriptDirection::FromPlug => (&mut numbers.plug, numbers.app),
            };
            let sequence = *own;
            let length = word(bytes.len()) + u32::from(flag != TcpFlag::Data);
            *own = own.wrapping_add(length);
            (sequence, other)
        };
        let builder = PacketBuilder::ipv4(from.ip().octets(), to.ip().octets(), TIME_TO_LIVE).tcp(
            from.port(),
            to.port(),
            sequence,
            WINDOW,
        );
        let is_first = flag == TcpFlag::Syn && direction == TranscriptDirection::ToPlug;
        let builder = if is_first {
            builder
        } else {
            builder.ack(acknowledged)
        };
        let builder = match flag {
            TcpFlag::Syn => builder.syn(),
            TcpFlag::Fin => builder.fin(),
            TcpFlag::Data if bytes.is_empty() => builder,
            TcpFlag::Data => builder.psh(),
        };
        let mut packet = Vec::with_capacity(builder.size(bytes.len()));
        if builder.write(&mut packet, bytes).is_ok() {
            self.packet(at, &packet);
        }
    }

    fn packet(&self, at: Timestamp, packet: &[u8]) {
        let nanoseconds =
            u64::try_from(at.as_nanosecond()).expect("it is after 1970 and before 2500");
        let [a, b, c, d, e, f, g, h] = nanoseconds.to_le_bytes();
        let length = word(packet.len()).to_le_bytes();
        let mut body = vec![0; 4];
        // The upper half of the time stands first.
        body.extend([e, f, g, h, a, b, c, d]);
        body.extend(length);
        body.extend(length);
        body.extend(packet);
        self.out.append_bytes(&block(PACKET, &body));
    }
}

fn ends(
    direction: TranscriptDirection,
    app: SocketAddrV4,
    plug: SocketAddrV4,
) -> (SocketAddrV4, SocketAddrV4) {
    match direction {
        TranscriptDirection::ToPlug => (app, plug),
        TranscriptDirection::FromPlug => (plug, app),
    }
}

/// Returns a block: kind, length, content in whole words, length again.
fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let padding = body.len().next_multiple_of(4) - body.len();
    let length = word(body.len() + padding + 12).to_le_bytes();
    let mut block = kind.to_le_bytes().to_vec();
    block.extend(length);
    block.extend(body);
    block.extend(std::iter::repeat_n(0, padding));
    block.extend(length);
    block
}

fn word(length: usize) -> u32 {
    u32::try_from(length).expect("a packet is short")
}
