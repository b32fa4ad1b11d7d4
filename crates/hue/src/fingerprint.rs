//! The SHA-256 fingerprint of a certificate.

use std::fmt;
use std::str::FromStr;

const LENGTH: usize = 32;

/// The SHA-256 of a whole certificate. It is not secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; LENGTH]);

/// Parse error of a [`Fingerprint`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the SHA-256 of a certificate (64 hex digits, with or without colons)")]
pub struct FingerprintError;

impl Fingerprint {
    /// Wraps a computed digest.
    pub const fn new(digest: [u8; LENGTH]) -> Self {
        Self(digest)
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    /// Accepts the notation of other programs as well: colons between the bytes, capital letters.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b':').collect();
        if digits.len() != 2 * LENGTH {
            return Err(FingerprintError);
        }
        let mut digest = [0; LENGTH];
        for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = str::from_utf8(pair).map_err(|_| FingerprintError)?;
            // `from_str_radix` would accept a sign.
            let is_hex = pair.bytes().all(|digit| digit.is_ascii_hexdigit());
            let read = u8::from_str_radix(pair, 16).ok().filter(|_| is_hex);
            *byte = read.ok_or(FingerprintError)?;
        }
        Ok(Self(digest))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

json_is_text!(Fingerprint);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_other_programs_write_it() {
        let colons = "F0:BD:8E:65:09:E8:2F:77:4D:63:BC:00:9D:53:88:C9:69:FE:3D:CF:7D:6D:54:1D:63:51:B7:2B:89:8D:8A:CF";
        let plain = "f0bd8e6509e82f774d63bc009d5388c969fe3dcf7d6d541d6351b72b898d8acf";
        let fingerprint: Fingerprint = colons.parse().unwrap();
        assert_eq!(fingerprint.to_string(), plain);
        assert_eq!(plain.parse(), Ok(fingerprint));
    }

    #[test]
    fn what_is_no_fingerprint() {
        for text in [
            "",
            "f0bd",
            &"g".repeat(64),
            &"+1".repeat(32),
            &"00".repeat(33),
            &"\u{e4}".repeat(32),
        ] {
            assert!(text.parse::<Fingerprint>().is_err(), "{text:?}");
        }
    }
}
