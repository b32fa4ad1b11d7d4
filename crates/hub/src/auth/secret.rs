//! Secrets that people and programs show to get in, and how they are recognised.
//!
//! The hub keeps only digests of what it hands out. A token has 256 random bits, so a plain digest is enough: there is
//! nothing to guess, and how long a comparison takes tells nothing that helps.

use std::fmt;

use api::{ErrorKind, RequestError};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// What every token begins with, so that a leaked one is recognised for what it is.
const PREFIX: &str = "mains_";

/// A text that nobody may see: a token, a password. It is wiped from memory after use.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// Makes a token of 256 bits from the system's random source.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `local` when the system has no random bytes.
    pub fn random() -> Result<Self, RequestError> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(bytes.as_mut_slice()).map_err(|error| {
            tracing::error!(%error, "the system gives no random bytes");
            RequestError::new(ErrorKind::Local, "the system gives no random bytes")
        })?;
        let encoded = Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice()));
        Ok(Self::new(format!("{PREFIX}{}", encoded.as_str())))
    }

    /// Tells whether it has the shape of what [`random`](Self::random) makes.
    pub fn is_token(&self) -> bool {
        self.0.strip_prefix(PREFIX).is_some_and(|rest| {
            URL_SAFE_NO_PAD
                .decode(rest)
                .is_ok_and(|bytes| Zeroizing::new(bytes).len() == 32)
        })
    }

    /// Returns the text itself, to send or to write it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Returns what it is recognised by.
    pub(super) fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// What a secret is recognised by: its SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Digest([u8; 32]);

impl Digest {
    pub(super) fn of(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// Returns it as it is kept.
    pub(super) fn encode(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Reads what [`encode`](Self::encode) wrote.
    pub(super) fn decode(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_have_a_shape() {
        let (a, b) = (Secret::random().unwrap(), Secret::random().unwrap());
        assert_ne!(a, b);
        assert!(a.is_token() && b.is_token());
        assert_eq!(a.reveal().len(), PREFIX.len() + 43);
        let short = format!("{PREFIX}AAAA");
        for text in ["", "mains_", "hunter2", &short, &a.reveal()[6..]] {
            assert!(!Secret::new(text).is_token(), "{text}");
        }
    }

    #[test]
    fn nobody_sees_it() {
        let secret = Secret::new("hunter2");
        assert!(!format!("{secret:?} {:?}", secret.digest()).contains("hunter2"));
        assert!(!format!("{:?}", secret.digest()).contains(&secret.digest().encode()));
    }

    #[test]
    fn digests_are_sha_256() {
        // FIPS 180-2, "abc".
        let digest = Secret::new("abc").digest();
        assert_eq!(
            digest.encode(),
            "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0"
        );
        assert_eq!(Digest::decode(&digest.encode()), Some(digest));
        for bad in [
            "",
            "abc",
            "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0A",
            "?",
        ] {
            assert_eq!(Digest::decode(bad), None, "{bad}");
        }
    }
}
