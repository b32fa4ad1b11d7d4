//! Hardware addresses.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A hardware (MAC) address, the one name of a plug that never changes.
///
/// ```
/// use hiflying::Mac;
///
/// let mac: Mac = "accf23123456".parse()?;
/// assert_eq!(mac.to_string(), "AC:CF:23:12:34:56");
/// assert_eq!(format!("{mac:x}"), "accf23123456");
/// assert_eq!(mac, "AC-CF-23-12-34-56".parse()?);
/// assert_eq!(mac.compact(), "ACCF23123456");
/// # Ok::<(), hiflying::MacError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac([u8; 6]);

impl Mac {
    /// Makes an address from its six bytes.
    pub const fn new(octets: [u8; 6]) -> Self {
        Self(octets)
    }

    /// Returns the six bytes.
    pub const fn octets(self) -> [u8; 6] {
        self.0
    }

    /// Returns the twelve upper-case digits without separators that modules send.
    pub fn compact(self) -> String {
        self.0.iter().map(|octet| format!("{octet:02X}")).collect()
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02X}:{b:02X}:{c:02X}:{d:02X}:{e:02X}:{g:02X}")
    }
}

/// Twelve lower-case digits without separators, as in paths, topics, metrics and file names.
impl fmt::LowerHex for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mac({self})")
    }
}

/// The text is not a hardware address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a MAC address (twelve hex digits, e.g. AC:CF:23:12:34:56)")]
pub struct MacError {
    text: String,
}

impl FromStr for Mac {
    type Err = MacError;

    /// Accepts twelve hex digits in any case, in one piece or as pairs with `:` or `-` between them.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || MacError {
            text: text.chars().take(64).collect(),
        };
        let separator = [':', '-']
            .into_iter()
            .find(|separator| text.contains(*separator));
        let (groups, width): (Vec<&str>, _) = match separator {
            Some(separator) => (text.split(separator).collect(), 2),
            None => (vec![text], 12),
        };
        let is_hex = |group: &&str| {
            group.len() == width && group.bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        if groups.len() * width != 12 || !groups.iter().all(is_hex) {
            return Err(error());
        }
        let digits = u64::from_str_radix(&groups.concat(), 16).map_err(|_| error())?;
        let [_, _, octets @ ..] = digits.to_be_bytes();
        Ok(Self(octets))
    }
}

#[cfg(feature = "schema")]
impl utoipa::PartialSchema for Mac {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::Type::String)
            .description(Some("Hardware address of a plug."))
            .pattern(Some("^([0-9A-F]{2}:){5}[0-9A-F]{2}$"))
            .examples(["AC:CF:23:12:34:56"])
            .into()
    }
}

#[cfg(feature = "schema")]
impl utoipa::ToSchema for Mac {
    fn name() -> std::borrow::Cow<'static, str> {
        "Mac".into()
    }
}

impl Serialize for Mac {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Mac {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn notations() {
        let mac = Mac::new([0xAC, 0xCF, 0x23, 0x12, 0x34, 0x56]);
        for text in [
            "ACCF23123456",
            "accf23123456",
            "AC:CF:23:12:34:56",
            "ac-cf-23-12-34-56",
        ] {
            assert_eq!(text.parse(), Ok(mac), "{text}");
        }
    }

    #[test]
    fn other_texts() {
        for text in [
            "",
            "kitchen",
            "192.168.100.254",
            "ACCF2312345",
            "ACCF231234567",
            "ACCF2312345G",
            "+CCF23123456",
            "accf.2312.3456",
            "accf23-123456",
            "accf:2312:3456",
            "AC:CF:23-12-34-56",
            " ACCF23123456",
            "AC CF 23 12 34 56",
            "AC_CF_23_12_34_56",
            ":AC:CF:23:12:34:5",
            "é",
        ] {
            assert!(text.parse::<Mac>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(octets: [u8; 6]) {
            let mac = Mac::new(octets);
            prop_assert_eq!(mac.to_string().parse(), Ok(mac));
            prop_assert_eq!(mac.compact().parse(), Ok(mac));
            prop_assert_eq!(format!("{mac:x}").parse(), Ok(mac));
        }

        #[test]
        fn never_panics(text: String) {
            let _ = text.parse::<Mac>();
        }
    }
}
