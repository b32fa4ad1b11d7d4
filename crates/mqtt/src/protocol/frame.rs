//! Cuts a stream of bytes into packets, with a limit on their length.

use bytes::{Buf, Bytes, BytesMut};

/// Maximum length of a packet in bytes. The content of longer messages is skipped; commands have a few dozen bytes.
pub(crate) const MAX_PACKET_LENGTH: usize = 64 * 1024;
/// Maximum length of the fixed header: one byte, and up to four with the length.
const MAX_HEADER_LENGTH: usize = 5;
/// Control packet type PUBLISH, in the upper half of the first byte.
pub(crate) const PUBLISH: u8 = 3;

/// A packet, or what is left of one that was too long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MqttFrame {
    /// A whole packet.
    Packet {
        /// The first byte: type and flags.
        header: u8,
        /// Everything after the length.
        body: Bytes,
    },
    /// A message that is too long; its content is skipped.
    TooLong {
        /// Its topic.
        topic: String,
        /// Its packet identifier, if it has to be acknowledged.
        packet_id: Option<u16>,
        /// Length of the packet in bytes.
        length: usize,
    },
}

/// The bytes are not MQTT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Cuts a stream into packets.
#[derive(Debug, Default)]
pub(crate) struct FrameDecoder {
    /// Bytes to skip before the next packet.
    skip: usize,
}

impl FrameDecoder {
    /// Takes the next packet from `input`; `None` until there is a whole one.
    pub(crate) fn next(&mut self, input: &mut BytesMut) -> Result<Option<MqttFrame>, Malformed> {
        let skipped = self.skip.min(input.len());
        input.advance(skipped);
        self.skip -= skipped;
        let Some((header_length, body_length)) = lengths(input)? else {
            return Ok(None);
        };
        let Some(header) = input.first().copied() else {
            return Ok(None);
        };
        let length = header_length + body_length;
        if length > MAX_PACKET_LENGTH {
            return self.too_long(input, header, header_length, length);
        }
        if input.len() < length {
            input.reserve(length - input.len());
            return Ok(None);
        }
        let mut packet = input.split_to(length).freeze();
        packet.advance(header_length);
        Ok(Some(MqttFrame::Packet {
            header,
            body: packet,
        }))
    }

    /// Reads topic and identifier of a message that is too long, and skips the rest.
    fn too_long(
        &mut self,
        input: &mut BytesMut,
        header: u8,
        header_length: usize,
        length: usize,
    ) -> Result<Option<MqttFrame>, Malformed> {
        if header >> 4 != PUBLISH {
            return Err(Malformed);
        }
        let needs_id = header & 0b0110 != 0;
        let body = input.get(header_length..).unwrap_or_default();
        let Some((topic_length, rest)) = body.split_first_chunk::<2>() else {
            return Ok(None);
        };
        let topic_length = usize::from(u16::from_be_bytes(*topic_length));
        let taken = header_length + 2 + topic_length + if needs_id { 2 } else { 0 };
        if taken > length {
            return Err(Malformed);
        }
        if input.len() < taken {
            return Ok(None);
        }
        let (topic, rest) = rest.split_at_checked(topic_length).ok_or(Malformed)?;
        let packet_id = match rest.first_chunk::<2>() {
            Some(id) if needs_id => Some(u16::from_be_bytes(*id)),
            _ => None,
        };
        let frame = MqttFrame::TooLong {
            topic: String::from_utf8_lossy(topic).into_owned(),
            packet_id,
            length,
        };
        input.advance(taken);
        self.skip = length - taken;
        Ok(Some(frame))
    }
}

/// Returns the lengths of the fixed header and of the rest of the packet; `None` until they are there.
fn lengths(input: &[u8]) -> Result<Option<(usize, usize)>, Malformed> {
    let mut length = 0;
    for (index, byte) in input.iter().enumerate().skip(1).take(MAX_HEADER_LENGTH - 1) {
        length |= usize::from(byte & 0x7f) << (7 * (index - 1));
        if byte & 0x80 == 0 {
            return Ok(Some((index + 1, length)));
        }
    }
    if input.len() >= MAX_HEADER_LENGTH {
        return Err(Malformed);
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(bytes: &[u8], chunk: usize) -> Result<Vec<MqttFrame>, Malformed> {
        let mut decoder = FrameDecoder::default();
        let mut input = BytesMut::new();
        let mut frames = Vec::new();
        for part in bytes.chunks(chunk) {
            input.extend_from_slice(part);
            while let Some(frame) = decoder.next(&mut input)? {
                frames.push(frame);
            }
        }
        Ok(frames)
    }

    #[test]
    fn packets_in_pieces_of_any_size() {
        let bytes = [0xd0, 0, 0x40, 2, 0, 7, 0x30, 4, 0, 1, b'a', b'x'];
        for chunk in 1..=bytes.len() {
            let packets = frames(&bytes, chunk).unwrap();
            let [ping, ack, message] = packets.as_slice() else {
                panic!("{packets:?}");
            };
            let packet = |header, body: &'static [u8]| MqttFrame::Packet {
                header,
                body: Bytes::from_static(body),
            };
            assert_eq!(*ping, packet(0xd0, b""));
            assert_eq!(*ack, packet(0x40, &[0, 7]));
            assert_eq!(*message, packet(0x30, &[0, 1, b'a', b'x']));
        }
    }

    #[test]
    fn a_message_that_is_too_long_is_skipped() {
        let content = vec![b'x'; 300_000];
        let length = content.len() + 5;
        let mut bytes = vec![0x32];
        bytes.extend([
            (length & 0x7f) as u8 | 0x80,
            (length >> 7 & 0x7f) as u8 | 0x80,
            (length >> 14) as u8,
        ]);
        bytes.extend([0, 1, b'a', 0, 9]);
        bytes.extend(content);
        bytes.extend([0xd0, 0]);
        for chunk in [1, 7, 100_000, bytes.len()] {
            let packets = frames(&bytes, chunk).unwrap();
            let [long, _] = packets.as_slice() else {
                panic!("{packets:?}");
            };
            let expected = MqttFrame::TooLong {
                topic: "a".to_owned(),
                packet_id: Some(9),
                length: length + 4,
            };
            assert_eq!(*long, expected);
        }
    }

    #[test]
    fn what_is_no_packet_is_an_error() {
        assert_eq!(frames(&[0x30, 0xff, 0xff, 0xff, 0xff], 1), Err(Malformed));
        // Only messages may be long.
        assert_eq!(frames(&[0x90, 0xff, 0xff, 0x7f], 1), Err(Malformed));
        // A topic that is longer than its packet.
        let text = b"HTTP/1.1 400 Bad Request\r\n\r\n";
        assert_eq!(frames(text, 4).map(|all| all.len()), Ok(0));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>, chunk in 1_usize..9) {
            let _ = frames(&bytes, chunk);
        }
    }
}
