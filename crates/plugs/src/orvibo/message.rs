//! The datagrams of UDP port 10000 in both directions.
//!
//! Each begins with `hd`, its own length and two letters that name the command. Offsets count from the beginning of the datagram.

use hiflying::Mac;

use crate::RelayState;

/// The datagram to which every S20 replies with `OrviboReply::Discovered`.
pub const DISCOVER: &[u8] = b"hd\x00\x06qa";

const MAGIC: &[u8] = b"hd";
/// Length of the part that every datagram has: magic, length, command.
const HEADER: usize = 6;
/// Bytes after a MAC, which fill it up to twelve.
const PADDING: [u8; 6] = [0x20; 6];
/// The table with the plug's name and its firmware.
const SETTINGS_TABLE: u8 = 4;
/// Place of the first record in a table reply.
const FIRST_RECORD: usize = 30;
/// Number of bytes of the settings record up to the last field that is read.
const SETTINGS_LENGTH: usize = 70;

/// Requests that the plug's unsolicited reports be sent here, and permits commands from here.
pub fn subscribe(mac: Mac) -> Vec<u8> {
    frame(*b"cl", &[&addressed(mac), &reversed(mac), &PADDING])
}

/// Moves the relay; the plug reports its position by `OrviboReply::State`.
pub fn switch(mac: Mac, relay: RelayState) -> Vec<u8> {
    let state = u8::from(relay == RelayState::On);
    frame(*b"dc", &[&addressed(mac), &[0; 4], &[state]])
}

/// Starts the countdown after which the plug moves its relay.
pub fn count_down(mac: Mac, relay: RelayState, seconds: u16) -> Vec<u8> {
    let action = u8::from(relay == RelayState::On);
    let [low, high] = seconds.to_le_bytes();
    frame(*b"cd", &[&addressed(mac), &[0; 4], &[0, action, low, high]])
}

/// Requests the table that `OrviboReply::Settings` is read from.
pub fn read_settings(mac: Mac) -> Vec<u8> {
    let table = [SETTINGS_TABLE, 0, 0, 0, 0, 0, 0];
    frame(*b"rt", &[&addressed(mac), &[0; 4], &table])
}

fn addressed(mac: Mac) -> [u8; 12] {
    let [a, b, c, d, e, f] = mac.octets();
    let [g, h, i, j, k, l] = PADDING;
    [a, b, c, d, e, f, g, h, i, j, k, l]
}

fn reversed(mac: Mac) -> [u8; 6] {
    let mut octets = mac.octets();
    octets.reverse();
    octets
}

fn frame(command: [u8; 2], parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let length = u16::try_from(HEADER + body.len()).expect("requests are short");
    [MAGIC, &length.to_be_bytes(), &command, &body].concat()
}

/// A datagram from a plug.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrviboReply {
    /// The plug's MAC.
    pub mac: Mac,
    /// The rest, by command.
    pub content: OrviboContent,
}

/// The content of a datagram from a plug.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrviboContent {
    /// `qa`, `qg` or `qh`: a reply to a discovery.
    Discovered {
        /// The model, e.g. `SOC005`.
        model: String,
        /// The relay; `None` for a value that is neither on nor off.
        relay: Option<RelayState>,
    },
    /// `cl`: the subscription is accepted.
    Subscribed(RelayState),
    /// `dc`: the switch is acknowledged; it does not show the position of the relay reliably.
    Acknowledged,
    /// `sf`: the relay has this position, after a command or the press of the button.
    State(RelayState),
    /// `cd`: the relay will have this position in so many seconds.
    CountingDown(RelayState, u16),
    /// `rt` of table 4.
    Settings(OrviboSettings),
}

/// The part of table 4 that is of use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrviboSettings {
    /// The name that its owner gave it in the vendor's app.
    pub name: Option<String>,
    /// Version of the hardware.
    pub hardware: u32,
    /// Version of the firmware.
    pub firmware: u32,
    /// Version of the firmware of the radio.
    pub radio: u32,
}

/// A datagram that is not one of an S20.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OrviboReplyError {
    /// It does not begin with `hd`, or is shorter than a header and a MAC.
    #[error("it is no datagram of an S20")]
    Foreign,
    /// The length that it states is not its own.
    #[error("it states another length than its own")]
    Length,
    /// Its command is unknown, or is one of our own requests.
    #[error("its command is unknown")]
    Command,
    /// A field has an impossible value, or is missing.
    #[error("a field is missing or impossible")]
    Field,
}

impl OrviboReply {
    /// Parses a datagram.
    pub fn parse(datagram: &[u8]) -> Result<Self, OrviboReplyError> {
        use OrviboReplyError::{Command, Field, Foreign, Length};
        let frame = OrviboDatagram(datagram);
        let command: [u8; 2] = frame.at(4).filter(|_| frame.has_magic()).ok_or(Foreign)?;
        if stated_length(datagram) != Some(datagram.len()) {
            return Err(Length);
        }
        let content = |content: Option<OrviboContent>| content.ok_or(Field);
        let (place, content) = match (&command, datagram.len()) {
            (b"qa" | b"qg" | b"qh", 42) => (7, content(frame.discovered())?),
            (b"cl", 24) => (6, content(frame.relay(23).map(OrviboContent::Subscribed))?),
            (b"dc", 23) => (6, OrviboContent::Acknowledged),
            (b"sf", 23) => (6, content(frame.relay(22).map(OrviboContent::State))?),
            (b"cd", 26) => (6, content(frame.counting_down())?),
            (b"rt", 30..) => (6, content(frame.settings())?),
            _ => return Err(Command),
        };
        let mac = frame.at(place).filter(|octets| *octets != [0; 6]);
        Ok(Self {
            mac: Mac::new(mac.ok_or(Field)?),
            content,
        })
    }
}

/// Returns the length that a datagram states, if it begins like one of an S20.
pub(super) fn stated_length(datagram: &[u8]) -> Option<usize> {
    let frame = OrviboDatagram(datagram);
    let length = frame.at(2).filter(|_| frame.has_magic())?;
    Some(u16::from_be_bytes(length).into())
}

#[derive(Clone, Copy)]
struct OrviboDatagram<'a>(&'a [u8]);

impl OrviboDatagram<'_> {
    fn has_magic(self) -> bool {
        self.0.starts_with(MAGIC)
    }

    fn at<const LENGTH: usize>(self, offset: usize) -> Option<[u8; LENGTH]> {
        self.0.get(offset..)?.first_chunk().copied()
    }

    fn relay(self, offset: usize) -> Option<RelayState> {
        match self.at(offset)? {
            [0] => Some(RelayState::Off),
            [1] => Some(RelayState::On),
            [_] => None,
        }
    }

    /// The reversed MAC must agree: it is what a datagram has in place of a checksum.
    fn discovered(self) -> Option<OrviboContent> {
        let mac = Mac::new(self.at(7)?);
        let model: [u8; 6] = self.at(31)?;
        let is_it = self.at(19)? == reversed(mac) && model.iter().all(u8::is_ascii_alphanumeric);
        is_it.then(|| OrviboContent::Discovered {
            model: String::from_utf8_lossy(&model).into_owned(),
            relay: self.relay(41),
        })
    }

    fn counting_down(self) -> Option<OrviboContent> {
        let seconds = u16::from_le_bytes(self.at(24)?);
        Some(OrviboContent::CountingDown(self.relay(23)?, seconds))
    }

    fn settings(self) -> Option<OrviboContent> {
        let [table] = self.at(23)?;
        let length = usize::from(u16::from_le_bytes(self.at(28)?));
        let record = self.0.get(FIRST_RECORD..FIRST_RECORD + length)?;
        let mac = Mac::new(self.at(6)?);
        let is_it = table == SETTINGS_TABLE
            && record.len() >= SETTINGS_LENGTH
            && self.at(46)? == reversed(mac);
        let number = |offset| Some(u32::from_le_bytes(self.at(offset)?));
        let settings = OrviboSettings {
            name: name(&self.at(70)?),
            hardware: number(88)?,
            firmware: number(92)?,
            radio: number(96)?,
        };
        is_it.then_some(OrviboContent::Settings(settings))
    }
}

/// Reads the name: text of up to 16 bytes, filled up with blanks; all `FF` where none was given.
fn name(field: &[u8; 16]) -> Option<String> {
    let end = field
        .iter()
        .position(|byte| matches!(byte, 0 | 0xFF))
        .unwrap_or(field.len());
    let text = String::from_utf8_lossy(field.get(..end)?);
    // The last character may have been cut off in its middle.
    let text = text.trim_end_matches(char::REPLACEMENT_CHARACTER).trim();
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests;
