//! The lines of a transcript.

use std::net::SocketAddrV4;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Maximum length of a line of a transcript in bytes: a datagram of full length in hexadecimal and as text.
pub(super) const MAX_LINE: usize = 32 << 10;
/// Maximum number of lines of a transcript that is read.
const MAX_LINES: usize = 200_000;

/// One datagram or segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TranscriptLine {
    /// Time of its arrival.
    pub at: Timestamp,
    /// UDP or TCP.
    pub transport: TranscriptTransport,
    /// Direction.
    pub direction: TranscriptDirection,
    /// The app's end.
    pub peer: SocketAddrV4,
    /// The bytes, keys masked.
    #[serde(with = "hexadecimal", rename = "hex")]
    pub bytes: Vec<u8>,
    /// The bytes as text, where they are text.
    #[serde(default)]
    pub text: Option<String>,
}

/// Transport of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TranscriptTransport {
    /// A datagram of port 48899.
    Udp,
    /// A segment of port 8899.
    Tcp,
}

/// Direction of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TranscriptDirection {
    /// From the app.
    ToPlug,
    /// To the app.
    FromPlug,
}

/// A transcript that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TranscriptError {
    /// A line is none of a transcript.
    #[error("line {number} is not one of a transcript: {reason}")]
    Line {
        /// Number of the line, from 1.
        number: usize,
        /// The reason.
        reason: String,
    },
    /// More lines than a transcript has.
    #[error("more than {MAX_LINES} lines")]
    TooLong,
    /// There is nothing to repeat.
    #[error("no request of an app is recorded in it")]
    Empty,
}

mod hexadecimal {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        serializer.serialize_str(&text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digit = |c: u8| {
            char::from(c)
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        };
        let byte = |pair: &[u8]| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        };
        let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(byte).collect();
        bytes.ok_or_else(|| D::Error::custom("`hex` is not hexadecimal"))
    }
}

/// Reads the lines of a transcript; blank ones are skipped.
///
/// # Errors
///
/// [`TranscriptError`] with the number of the first line that is none.
pub fn parse(text: &str) -> Result<Vec<TranscriptLine>, TranscriptError> {
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let wrong = |reason: String| TranscriptError::Line { number, reason };
        if line.trim().is_empty() {
            continue;
        }
        if line.len() > MAX_LINE {
            return Err(wrong(format!("longer than {MAX_LINE} bytes")));
        }
        if lines.len() >= MAX_LINES {
            return Err(TranscriptError::TooLong);
        }
        lines.push(serde_json::from_str(line).map_err(|error| wrong(error.to_string()))?);
    }
    Ok(lines)
}
