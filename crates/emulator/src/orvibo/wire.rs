//! Reading requests and writing replies of UDP port 10000.

use hiflying::Mac;

/// Blanks that fill a MAC up to twelve bytes.
const BLANKS: [u8; 6] = *b"      ";

/// A request that a twin understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OrviboRequest {
    /// `qa`: every device replies.
    Discover,
    /// `qg`: the device with this MAC replies.
    DiscoverOne(Mac),
    /// `cl`.
    Subscribe(Mac),
    /// `dc`: on or off.
    Switch(Mac, bool),
    /// `hb`.
    KeepAlive(Mac),
    /// `cd` with 1 at offset 22.
    ReadCountdown(Mac),
    /// `cd` with 0 at offset 22: position and seconds.
    SetCountdown(Mac, bool, u16),
    /// `rt`: the number of the table.
    ReadTable(Mac, u8),
}

impl OrviboRequest {
    /// Reads a datagram; `None` for one that a device ignores.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (head, body) = bytes.split_first_chunk::<6>()?;
        let [b'h', b'd', high, low, first, second] = *head else {
            return None;
        };
        if usize::from(u16::from_be_bytes([high, low])) != bytes.len() {
            return None;
        }
        if (first, second) == (b'q', b'a') {
            return body.is_empty().then_some(Self::Discover);
        }
        let (octets, body) = body.split_first_chunk::<6>()?;
        let (blanks, body) = body.split_first_chunk::<6>()?;
        if *blanks != BLANKS {
            return None;
        }
        let mac = Mac::new(*octets);
        match (&[first, second], body) {
            (b"qg", []) => Some(Self::DiscoverOne(mac)),
            (b"cl", [reversed @ .., b' ', b' ', b' ', b' ', b' ', b' ']) => {
                let is_it = reversed.iter().rev().eq(octets.iter());
                is_it.then_some(Self::Subscribe(mac))
            }
            (b"dc", [0, 0, 0, 0, on @ (0 | 1)]) => Some(Self::Switch(mac, *on == 1)),
            (b"hb", [0, 0, 0, 0]) => Some(Self::KeepAlive(mac)),
            (b"cd", [0, 0, 0, 0, 1, ..]) if body.len() == 8 => Some(Self::ReadCountdown(mac)),
            (b"cd", [0, 0, 0, 0, 0, on @ (0 | 1), low, high]) => {
                let seconds = u16::from_le_bytes([*low, *high]);
                Some(Self::SetCountdown(mac, *on == 1, seconds))
            }
            (b"rt", [0, 0, 0, 0, table, ..]) if body.len() == 11 => {
                Some(Self::ReadTable(mac, *table))
            }
            _ => None,
        }
    }
}

/// A datagram under construction. Its length is filled in at the end.
pub(super) struct OrviboFrame(Vec<u8>);

impl OrviboFrame {
    pub(super) fn new(command: &[u8; 2]) -> Self {
        Self([b"hd\0\0", &command[..]].concat())
    }

    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn mac(self, mac: Mac) -> Self {
        self.bytes(&mac.octets()).bytes(&BLANKS)
    }

    pub(super) fn reversed_mac(self, mac: Mac) -> Self {
        let [a, b, c, d, e, f] = mac.octets();
        self.bytes(&[f, e, d, c, b, a]).bytes(&BLANKS)
    }

    pub(super) fn zeros(self, count: usize) -> Self {
        self.bytes(&vec![0; count])
    }

    pub(super) fn finish(self) -> Vec<u8> {
        let mut bytes = self.0;
        let length = u16::try_from(bytes.len()).expect("a reply is short");
        let [high, low] = length.to_be_bytes();
        if let [_, _, third, fourth, ..] = &mut bytes[..] {
            (*third, *fourth) = (high, low);
        }
        bytes
    }
}

/// Content of table 4.
pub(super) struct TableFour<'a> {
    pub(super) mac: Mac,
    /// Up to 16 bytes; empty for a device that was given no name.
    pub(super) name: &'a [u8],
    pub(super) address: std::net::Ipv4Addr,
    /// Seconds until the countdown ends.
    pub(super) countdown: u16,
}

impl TableFour<'_> {
    /// Writes the reply of 168 bytes.
    pub(super) fn write(&self) -> Vec<u8> {
        const DOMAIN: &[u8] = b"vicenter.orvibo.com";
        let record = [
            &[1, 0, 0, 0][..],
            b"            ",
            &self.reversed(),
            b"888888      ",
            &self.name_field(),
            &[1, 0],
            &u32::to_le_bytes(4),
            &u32::to_le_bytes(9),
            &u32::to_le_bytes(36),
            // Port, address and port of the vendor's server, which no longer exists.
            &[0x10, 0x27, 0, 0, 0, 0, 0x10, 0x27],
            &filled(DOMAIN, 40, 0),
            &self.address.octets(),
            &[0; 4],
            &[255, 255, 255, 0],
            &[1, 1, 0, 0, 0, 0],
            &self.countdown.to_le_bytes(),
        ]
        .concat();
        let length = u16::try_from(record.len()).expect("the record is short");
        OrviboFrame::new(b"rt")
            .mac(self.mac)
            .bytes(&[2, 0, 0, 0, 0, 4, 0, 1, 0, 0])
            .bytes(&length.to_le_bytes())
            .bytes(&record)
            .finish()
    }

    fn reversed(&self) -> Vec<u8> {
        let mut octets = self.mac.octets().to_vec();
        octets.reverse();
        filled(&octets, 12, b' ')
    }

    fn name_field(&self) -> Vec<u8> {
        match self.name {
            [] => vec![0xFF; 16],
            name => filled(name, 16, b' '),
        }
    }
}

/// Fills a field up to its length; what is too long is cut off.
fn filled(text: &[u8], length: usize, filler: u8) -> Vec<u8> {
    let mut field = text.to_vec();
    field.resize(length, filler);
    field
}
