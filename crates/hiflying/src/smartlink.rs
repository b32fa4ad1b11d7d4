//! SmartLink: the Wi-Fi key sent in the lengths of broadcast datagrams, which a module hears without being on the network.
//!
//! Every frame is a datagram of that many bytes 0x05 to UDP port 49999; see `docs/protocol/hi-flying.md`, section 8. Anyone in
//! radio range can read the lengths, and so the key. The module takes name and access point from the air, joins, and replies
//! `smart_config <MAC>` to port 49999 of the sender.
//!
//! [`key_frames`] is the encoder, [`SmartLink`] the sender: sans-IO, with the same inputs as [`crate::AtSession`].

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use zeroize::{Zeroize, Zeroizing};

use crate::session::after;
use crate::{Mac, PORT, WifiKey};

/// UDP port to which lengths are sent, and to which a module replies.
pub const SMARTLINK_PORT: u16 = 49999;

/// The datagram that asks for modules that were just provisioned, sent to UDP port 48899.
const FIND: &[u8] = b"smartlinkfind";

/// Content of every frame.
const FILLER: u8 = 0x05;
/// Length of a byte 0; each byte is sent as its value and this.
const BASE: u16 = 76;
/// Length of the frames before a series of blocks.
const PREAMBLE: u16 = BASE;
/// Number of frames before a series of blocks.
const PREAMBLE_FRAMES: usize = 200;
/// Length of the frames at the start of a block: a carriage return.
const START: u16 = 89;
/// Length of the frames after the key: a line feed.
const END: u16 = 86;
/// Length of the frames that carry the number of bytes, for a key without any.
const TRAILER: u16 = 256 + BASE;
/// Number of copies of start, end and trailer.
const COPIES: usize = 3;
/// Number of blocks after one preamble.
const BLOCKS: usize = 5;

const PREAMBLE_INTERVAL: Duration = Duration::from_millis(10);
const FRAME_INTERVAL: Duration = Duration::from_millis(50);
const BYTE_INTERVAL: Duration = Duration::from_millis(100);
/// Further delay after the last frame of the end, and of the trailer.
const END_DELAY: Duration = Duration::from_millis(100);
const BLOCK_DELAY: Duration = Duration::from_millis(500);

/// Time after which modules are asked whether they have joined, and the interval of asking.
const FIND_DELAY: Duration = Duration::from_secs(10);
const FIND_INTERVAL: Duration = Duration::from_secs(1);

/// Maximum length of a confirmation; a real one has 25 bytes.
const MAX_CONFIRMATION: usize = 64;
const CONFIRMATION: &str = "smart_config";

/// One datagram: its length, which can be a byte of the key, and the delay after it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyFrame {
    /// Length in bytes.
    pub length: u16,
    /// Delay until the next frame.
    pub gap: Duration,
}

impl Zeroize for KeyFrame {
    fn zeroize(&mut self) {
        self.length.zeroize();
    }
}

impl std::fmt::Debug for KeyFrame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyFrame(***)")
    }
}

/// Returns the frames of one cycle: a preamble and five blocks. An open network has an empty key.
///
/// ```
/// use hiflying::WifiKey;
/// use hiflying::smartlink::key_frames;
///
/// let frames = key_frames(Some(&WifiKey::new("40824082")));
/// let lengths: Vec<u16> = frames.iter().skip(203).map(|frame| frame.length).collect();
/// assert_eq!(lengths[..8], [128, 124, 132, 126, 128, 124, 132, 126]);
/// ```
pub fn key_frames(key: Option<&WifiKey>) -> Zeroizing<Vec<KeyFrame>> {
    let key = key.map_or(&[][..], WifiKey::as_bytes);
    let frame = |length, gap| KeyFrame { length, gap };
    let count = u16::try_from(key.len()).expect("a key has at most 64 bytes");
    // The exact size at once: a growing buffer would leave copies of the key behind.
    let size = PREAMBLE_FRAMES + BLOCKS * (3 * COPIES + key.len());
    let mut frames = Zeroizing::new(Vec::with_capacity(size));
    frames.extend([frame(PREAMBLE, PREAMBLE_INTERVAL); PREAMBLE_FRAMES]);
    for _ in 0..BLOCKS {
        frames.extend([frame(START, FRAME_INTERVAL); COPIES]);
        let bytes = key.iter().map(|byte| u16::from(*byte) + BASE);
        frames.extend(bytes.map(|length| frame(length, BYTE_INTERVAL)));
        for (length, delay) in [(END, END_DELAY), (TRAILER + count, BLOCK_DELAY)] {
            frames.extend([frame(length, FRAME_INTERVAL); COPIES - 1]);
            frames.push(frame(length, FRAME_INTERVAL + delay));
        }
    }
    frames
}

/// Returns the MAC in a module's confirmation.
pub fn parse_confirmation(datagram: &[u8]) -> Option<Mac> {
    let text = std::str::from_utf8(datagram.get(..MAX_CONFIRMATION).unwrap_or(datagram)).ok()?;
    let text = text.split('\0').next()?;
    let (before, after) = text.split_once(CONFIRMATION)?;
    before
        .trim()
        .is_empty()
        .then(|| after.trim().parse().ok())?
}

/// A datagram to broadcast.
#[derive(Clone, PartialEq, Eq)]
pub struct SmartLinkTransmit {
    /// Destination port.
    pub port: u16,
    /// Content; its length can be a byte of the key.
    pub bytes: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for SmartLinkTransmit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SmartLinkTransmit(to {}, ***)", self.port)
    }
}

/// Sends a key again and again, and listens for modules that have joined.
///
/// ```
/// use std::time::Instant;
///
/// use hiflying::WifiKey;
/// use hiflying::smartlink::{SMARTLINK_PORT, SmartLink};
///
/// let mut sender = SmartLink::new(Some(&WifiKey::new("s3cret-K3y!")), Instant::now());
/// let first = sender.poll_transmit().ok_or("a frame")?;
/// assert_eq!((first.port, first.bytes.len()), (SMARTLINK_PORT, 76));
/// let module = "192.168.1.107".parse().map_err(|_| "an address")?;
/// sender.handle_datagram(module, b"smart_config ACCF23123456");
/// assert_eq!(sender.poll_confirmation().map(|(mac, _)| mac.compact()).as_deref(), Some("ACCF23123456"));
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug)]
pub struct SmartLink {
    frames: Zeroizing<Vec<KeyFrame>>,
    /// Index of the next frame.
    next: usize,
    /// Number of cycles that were sent.
    cycles: u32,
    frame_at: Instant,
    find_at: Instant,
    transmits: std::collections::VecDeque<SmartLinkTransmit>,
    confirmations: std::collections::VecDeque<(Mac, Ipv4Addr)>,
    confirmed: Vec<Mac>,
}

impl SmartLink {
    /// Begins to send at once.
    pub fn new(key: Option<&WifiKey>, now: Instant) -> Self {
        let mut sender = Self {
            frames: key_frames(key),
            next: 0,
            cycles: 0,
            frame_at: now,
            find_at: after(now, FIND_DELAY),
            transmits: std::collections::VecDeque::new(),
            confirmations: std::collections::VecDeque::new(),
            confirmed: Vec::new(),
        };
        sender.handle_timeout(now);
        sender
    }

    /// Runs the timers that are due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.find_at <= now {
            self.find_at = after(now, FIND_INTERVAL);
            self.transmit(PORT, Zeroizing::new(FIND.to_vec()));
        }
        if self.frame_at > now {
            return;
        }
        let Some(frame) = self.frames.get(self.next).copied() else {
            return;
        };
        // From now, not from when it was due: frames must not follow each other faster.
        self.frame_at = after(now, frame.gap);
        self.next += 1;
        if self.next == self.frames.len() {
            self.next = 0;
            self.cycles += 1;
        }
        self.transmit(
            SMARTLINK_PORT,
            Zeroizing::new(vec![FILLER; usize::from(frame.length)]),
        );
    }

    /// Takes a datagram that arrived at our port 49999, from whatever port of the module.
    pub fn handle_datagram(&mut self, from: Ipv4Addr, datagram: &[u8]) {
        if let Some(mac) = parse_confirmation(datagram)
            && !self.confirmed.contains(&mac)
        {
            self.confirmed.push(mac);
            self.confirmations.push_back((mac, from));
        }
    }

    /// Returns the next datagram to broadcast.
    pub fn poll_transmit(&mut self) -> Option<SmartLinkTransmit> {
        self.transmits.pop_front()
    }

    /// Returns when [`SmartLink::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Instant {
        self.frame_at.min(self.find_at)
    }

    /// Returns the next module that has joined and its address, each once.
    pub fn poll_confirmation(&mut self) -> Option<(Mac, Ipv4Addr)> {
        self.confirmations.pop_front()
    }

    /// Returns the number of times that the whole sequence was sent.
    pub fn cycles(&self) -> u32 {
        self.cycles
    }

    fn transmit(&mut self, port: u16, bytes: Zeroizing<Vec<u8>>) {
        self.transmits.push_back(SmartLinkTransmit { port, bytes });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lengths(key: &str) -> Vec<u16> {
        let frames = key_frames(Some(&WifiKey::new(key)));
        frames.iter().map(|frame| frame.length).collect()
    }

    #[test]
    fn published_vectors() {
        for (key, data, trailer) in [
            (
                "40824082",
                &[128, 124, 132, 126, 128, 124, 132, 126][..],
                340,
            ),
            ("password", &[188, 173, 191, 191, 195, 187, 190, 176], 340),
            (
                "s3cret-K3y!",
                &[191, 127, 175, 190, 177, 192, 121, 151, 127, 197, 109],
                343,
            ),
        ] {
            let block = [&[89; 3][..], data, &[86; 3], &[trailer; 3]].concat();
            let expected = [&[76; 200][..], &block.repeat(5)].concat();
            assert_eq!(lengths(key), expected, "{key}");
        }
        let open: Vec<u16> = key_frames(None).iter().map(|frame| frame.length).collect();
        assert_eq!(open[200..209], [89, 89, 89, 86, 86, 86, 332, 332, 332]);
    }

    #[test]
    fn gaps_are_those_of_the_vendors_class() {
        let frames = key_frames(Some(&WifiKey::new("password")));
        let gaps: Vec<u128> = frames.iter().map(|frame| frame.gap.as_millis()).collect();
        assert!(gaps[..200].iter().all(|gap| *gap == 10));
        let block = [&[50, 50, 50][..], &[100; 8], &[50, 50, 150], &[50, 50, 550]];
        assert_eq!(gaps[200..217], block.concat());
        assert_eq!(gaps[200..217], gaps[217..234]);
    }

    #[test]
    fn confirmations() {
        let mac: Mac = "AC:CF:23:12:34:56".parse().unwrap();
        for datagram in [
            &b"smart_config ACCF23123456"[..],
            b"smart_configACCF23123456",
            b"smart_config accf23123456\r\n",
            b"smart_config ACCF23123456\0\0\0",
        ] {
            assert_eq!(parse_confirmation(datagram), Some(mac), "{datagram:?}");
        }
        for datagram in [
            &b"smart_config"[..],
            b"smartlinkfind",
            b"smart_config ACCF231234",
            b"x smart_config ACCF23123456",
            b"\x05\x05\x05",
            b"",
        ] {
            assert_eq!(parse_confirmation(datagram), None, "{datagram:?}");
        }
    }

    #[test]
    fn it_sends_in_order_asks_after_a_while_and_reports_a_module_once() {
        let start = Instant::now();
        let mut now = start;
        let mut sender = SmartLink::new(Some(&WifiKey::new("password")), now);
        let (mut frames, mut finds) = (Vec::new(), Vec::new());
        while sender.cycles() < 2 {
            while let Some(transmit) = sender.poll_transmit() {
                match transmit.port {
                    SMARTLINK_PORT => frames.push(transmit.bytes.len()),
                    _ => finds.push((now - start).as_secs()),
                }
            }
            now = sender.poll_timeout();
            sender.handle_timeout(now);
        }
        let cycle: Vec<usize> = lengths("password").into_iter().map(usize::from).collect();
        assert_eq!(frames[..cycle.len()], cycle);
        assert_eq!(finds[..3], [10, 11, 12]);
        let from = Ipv4Addr::new(192, 168, 1, 107);
        for _ in 0..5 {
            sender.handle_datagram(from, b"smart_config ACCF23123456");
        }
        let (mac, at) = sender.poll_confirmation().unwrap();
        assert_eq!((mac.compact().as_str(), at), ("ACCF23123456", from));
        assert_eq!(sender.poll_confirmation(), None);
        assert!(!format!("{sender:?}").contains("188"));
    }

    proptest! {
        #[test]
        fn every_key_has_its_bytes_between_start_and_end(key in "[ -~]{1,63}") {
            let lengths = lengths(&key);
            let data: Vec<u8> = lengths[203..203 + key.len()].iter().map(|length| u8::try_from(length - 76).unwrap()).collect();
            prop_assert_eq!(data, key.as_bytes());
            // No byte of a key looks like a start, an end or a trailer.
            prop_assert!(!lengths[203..203 + key.len()].iter().any(|length| [89, 86].contains(length) || *length >= 332));
        }

        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = parse_confirmation(&bytes);
        }
    }
}
