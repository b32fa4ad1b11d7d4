//! Credentials and their digests.
//!
//! The hub stores only digests of the tokens that it hands out. A token has 256 random bits, so a plain digest is enough: it
//! cannot be guessed, and the duration of a comparison reveals nothing useful.

use std::fmt;

use api::{ErrorKind, RequestError};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// Prefix of every token, so that a leaked one can be recognised.
const TOKEN_PREFIX: &str = "mains_";

/// A token or a password. It is wiped from memory after use and never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential(Zeroizing<String>);

impl Credential {
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
            tracing::error!(%error, "the system provides no random bytes");
            RequestError::new(ErrorKind::Local, "the system provides no random bytes")
        })?;
        let encoded = Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice()));
        Ok(Self::new(format!("{TOKEN_PREFIX}{}", encoded.as_str())))
    }

    /// Returns true for the format of [`random`](Self::random).
    pub fn is_token(&self) -> bool {
        self.0.strip_prefix(TOKEN_PREFIX).is_some_and(|rest| {
            URL_SAFE_NO_PAD
                .decode(rest)
                .is_ok_and(|bytes| Zeroizing::new(bytes).len() == 32)
        })
    }

    /// Returns the text itself, to send or write it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Returns its digest.
    pub(super) fn digest(&self) -> CredentialDigest {
        CredentialDigest::of(&self.0)
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl<'de> Deserialize<'de> for Credential {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// SHA-256 of a credential.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct CredentialDigest([u8; 32]);

impl CredentialDigest {
    pub(super) fn of(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// Returns its stored form.
    pub(super) fn encode(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Reads what [`encode`](Self::encode) wrote.
    pub(super) fn decode(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Debug for CredentialDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_have_a_shape() {
        let (a, b) = (Credential::random().unwrap(), Credential::random().unwrap());
        assert_ne!(a, b);
        assert!(a.is_token() && b.is_token());
        assert_eq!(a.reveal().len(), TOKEN_PREFIX.len() + 43);
        let short = format!("{TOKEN_PREFIX}AAAA");
        for text in ["", "mains_", "hunter2", &short, &a.reveal()[6..]] {
            assert!(!Credential::new(text).is_token(), "{text}");
        }
    }

    #[test]
    fn nobody_sees_it() {
        let secret = Credential::new("hunter2");
        assert!(!format!("{secret:?} {:?}", secret.digest()).contains("hunter2"));
        assert!(!format!("{:?}", secret.digest()).contains(&secret.digest().encode()));
    }

    #[test]
    fn digests_are_sha_256() {
        // FIPS 180-2, "abc".
        let digest = Credential::new("abc").digest();
        assert_eq!(
            digest.encode(),
            "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0"
        );
        assert_eq!(CredentialDigest::decode(&digest.encode()), Some(digest));
        for bad in [
            "",
            "abc",
            "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0A",
            "?",
        ] {
            assert_eq!(CredentialDigest::decode(bad), None, "{bad}");
        }
    }
}
