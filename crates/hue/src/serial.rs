//! The serial number that is printed on a bulb.
//!
//! No bridge reports it and it cannot be derived from a unique id: it has to be read from the lamp.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// The six hex digits on the body of a bulb, in upper case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BulbSerial(String);

/// Parse error of a [`BulbSerial`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a serial number (the six hex digits on the bulb, e.g. 45AF34)")]
pub struct BulbSerialError;

impl BulbSerial {
    /// Returns the six digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BulbSerial {
    type Err = BulbSerialError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let is_serial = text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_serial
            .then(|| Self(text.to_ascii_uppercase()))
            .ok_or(BulbSerialError)
    }
}

impl fmt::Display for BulbSerial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Serialize for BulbSerial {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_hex_digits() {
        let serial: BulbSerial = " 45af34\n".parse().unwrap();
        assert_eq!(serial.as_str(), "45AF34");
        for text in ["", "45AF3", "45AF345", "45AF3G", "45 F34", "\u{ff14}5AF34"] {
            assert_eq!(text.parse::<BulbSerial>(), Err(BulbSerialError), "{text:?}");
        }
    }
}
