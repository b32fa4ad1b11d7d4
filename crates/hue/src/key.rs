//! The application key, the secret by which a bridge knows a program.

use std::fmt;
use std::str::FromStr;

use zeroize::Zeroizing;

/// An application key. It gives full control of the bridge, so it is wiped from memory and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct AppKey(Zeroizing<String>);

/// Parse error of an [`AppKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an application key (letters, digits and '-', at most 128)")]
pub struct AppKeyError;

impl AppKey {
    /// Maximum length accepted; keys have about forty characters.
    pub const MAX_LENGTH: usize = 128;

    /// Returns the key itself, for a request or the key file and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Replaces the key with `<key>` in a text that will be shown. Some servers quote the requested path in error pages.
    pub fn mask(&self, text: &[u8]) -> Vec<u8> {
        /// Minimum length of a truncated key at the end of the text that is masked as well.
        const MIN_PREFIX: usize = 4;
        let mut shown = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some((first, behind_first)) = rest.split_first() {
            rest = if let Some(behind) = rest.strip_prefix(self.0.as_bytes()) {
                shown.extend_from_slice(b"<key>");
                behind
            } else if rest.len() >= MIN_PREFIX && self.0.as_bytes().starts_with(rest) {
                shown.extend_from_slice(b"<key>");
                &[]
            } else {
                shown.push(*first);
                behind_first
            };
        }
        shown
    }
}

impl FromStr for AppKey {
    type Err = AppKeyError;

    /// Keys consist of letters, digits and `-`; emulators also use `_`. Any other character could change the path that the key is
    /// inserted into.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let is_key =
            !text.is_empty() && text.len() <= Self::MAX_LENGTH && text.bytes().all(is_allowed);
        is_key
            .then(|| Self(Zeroizing::new(text.to_owned())))
            .ok_or(AppKeyError)
    }
}

impl fmt::Debug for AppKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppKey(\u{2026})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_taken_out_wherever_it_stands() {
        let key: AppKey = "KEY0KEY1".parse().unwrap();
        let shown = key.mask(b"Cannot GET /api/KEY0KEY1/lights KEY0KEKEY0KEY1");
        assert_eq!(shown, b"Cannot GET /api/<key>/lights KEY0KE<key>");
        // Also where what was said breaks off.
        assert_eq!(key.mask(b"GET /api/KEY0KEY"), b"GET /api/<key>");
        assert_eq!(key.mask(b"a key: KEY"), b"a key: KEY");
    }

    #[test]
    fn only_what_cannot_change_a_path() {
        let key: AppKey = "KEY0-key_1".parse().unwrap();
        assert_eq!(key.expose(), "KEY0-key_1");
        assert!(!format!("{key:?}").contains("KEY0"));
        for text in [
            "",
            "a/b",
            "a b",
            "a%2f",
            "..",
            "a\n",
            "\u{e4}",
            &"x".repeat(129),
        ] {
            assert!(text.parse::<AppKey>().is_err(), "{text:?}");
        }
    }
}
