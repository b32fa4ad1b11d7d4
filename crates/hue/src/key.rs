//! The key with which a program may use a bridge.

use std::fmt;
use std::str::FromStr;

use zeroize::Zeroizing;

/// Keys have some forty characters; nobody's has more than this.
const LONGEST: usize = 128;
/// So much of the beginning of a key, where somebody broke off, is worth hiding.
const TELLING: usize = 4;

/// An application key. Whoever has it controls the bridge: it is wiped from memory and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct AppKey(Zeroizing<String>);

/// The text cannot be an application key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an application key (letters, digits and '-', at most 128)")]
pub struct AppKeyError;

impl AppKey {
    /// Returns the key itself, for a request or the file of keys and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns what somebody said with the key taken out of it. Some servers repeat the path that was asked for, and what
    /// cannot be understood is shown to people.
    pub fn taken_out_of(&self, said: &[u8]) -> Vec<u8> {
        let mut shown = Vec::with_capacity(said.len());
        let mut rest = said;
        while let Some(&first) = rest.first() {
            rest = if let Some(behind) = rest.strip_prefix(self.0.as_bytes()) {
                shown.extend_from_slice(b"<key>");
                behind
            } else if rest.len() >= TELLING && self.0.as_bytes().starts_with(rest) {
                // It broke off within the key.
                shown.extend_from_slice(b"<key>");
                &[]
            } else {
                shown.push(first);
                rest.get(1..).unwrap_or_default()
            };
        }
        shown
    }
}

impl FromStr for AppKey {
    type Err = AppKeyError;

    /// Keys are made of letters, digits and `-`; `_` is let through for emulators. Anything else could change the path that it
    /// becomes a part of.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let is_key = !text.is_empty() && text.len() <= LONGEST && text.bytes().all(is_known);
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
        let shown = key.taken_out_of(b"Cannot GET /api/KEY0KEY1/lights KEY0KEKEY0KEY1");
        assert_eq!(shown, b"Cannot GET /api/<key>/lights KEY0KE<key>");
        // Also where what was said breaks off.
        assert_eq!(key.taken_out_of(b"GET /api/KEY0KEY"), b"GET /api/<key>");
        assert_eq!(key.taken_out_of(b"a key: KEY"), b"a key: KEY");
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
