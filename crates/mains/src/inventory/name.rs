//! Names of plugs, and similar ones.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use hiflying::Mac;

/// Maximum length in characters; longer names break every table.
const MAX_LENGTH: usize = 64;

/// A name for a plug: any text without control characters that cannot be taken for a MAC, an address or a serial
/// number. Space around it is dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlugName(String);

/// Reasons for which a text cannot be a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing but space.
    #[error("a name cannot be empty")]
    Empty,
    /// Nothing that can be seen, such as U+200B alone.
    #[error("a name needs a visible character")]
    Invisible,
    /// More than 64 characters.
    #[error("a name has at most {MAX_LENGTH} characters")]
    TooLong,
    /// A line end or the like.
    #[error("a name cannot hold control characters")]
    Control,
    /// Would be taken for an option.
    #[error("a name cannot begin with a hyphen, as options do")]
    Option,
    /// Would be taken for something else wherever a plug is named.
    #[error("a name cannot read like {0}")]
    Ambiguous(&'static str),
}

impl PlugName {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PlugName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for PlugName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.chars().any(char::is_control) {
            return Err(NameError::Control);
        }
        let text = text.trim();
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if !api::is_visible(text) {
            return Err(NameError::Invisible);
        }
        if text.chars().count() > MAX_LENGTH {
            return Err(NameError::TooLong);
        }
        if text.starts_with('-') {
            return Err(NameError::Option);
        }
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NameError::Ambiguous("a serial number"));
        }
        if text.parse::<Mac>().is_ok() {
            return Err(NameError::Ambiguous("a MAC"));
        }
        // `256.1.1.1` too: it is a mistyped address.
        let dotted = text.split('.').count() == 4
            && text
                .bytes()
                .all(|byte| byte == b'.' || byte.is_ascii_digit());
        if dotted || text.parse::<IpAddr>().is_ok() || text.parse::<SocketAddr>().is_ok() {
            return Err(NameError::Ambiguous("an address"));
        }
        Ok(Self(text.to_owned()))
    }
}

/// Returns a name in the form in which names are compared.
pub(crate) fn fold(name: &str) -> String {
    name.trim().to_lowercase()
}

/// Returns the names most similar to `wanted`, nearest first.
pub(crate) fn near<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = fold(wanted);
    let mut near: Vec<(usize, &str)> = names
        .map(|name| (strsim::levenshtein(&wanted, &fold(name)), name))
        .filter(|(distance, name)| *distance * 3 <= name.chars().count().max(3))
        .collect();
    near.sort_unstable();
    near.into_iter().map(|(_, name)| name).take(3).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_any_text_that_is_clear() {
        for name in [
            "kitchen",
            "K\u{fc}che \u{1f373}",
            "\u{53f0}\u{6240}",
            "lamp 2",
            "a",
            "1.2.3",
            "x-",
            "on",
            "90000062a",
        ] {
            assert_eq!(name.parse::<PlugName>().unwrap().as_str(), name);
        }
        assert_eq!(" lamp ".parse::<PlugName>().unwrap().as_str(), "lamp");
    }

    #[test]
    fn refuses_what_reads_like_something_else() {
        for name in [
            "",
            "-x",
            "--help",
            "  ",
            "\u{200b}",
            "\u{200b}\u{2060}",
            "a\nb",
            "a\u{7f}",
            "ACCF23123456",
            "ac:cf:23:12:34:56",
            "192.168.1.1",
            "::1",
        ] {
            assert!(name.parse::<PlugName>().is_err(), "{name:?}");
        }
        for name in ["192.168.1.1:8899", "900000621", "7", "123456789012"] {
            assert!(
                matches!(name.parse::<PlugName>(), Err(NameError::Ambiguous(_))),
                "{name:?}"
            );
        }
        assert!("x".repeat(MAX_LENGTH).parse::<PlugName>().is_ok());
        assert_eq!(
            "x".repeat(MAX_LENGTH + 1).parse::<PlugName>(),
            Err(NameError::TooLong)
        );
    }

    #[test]
    fn proposes_names_that_read_alike() {
        let names = ["kitchen", "fridge", "tv", "TV 2"];
        assert_eq!(near("kitchn", names.into_iter()), ["kitchen"]);
        assert_eq!(near("tw", names.into_iter()), ["tv"]);
        assert_eq!(near("cellar", names.into_iter()), Vec::<&str>::new());
    }
}
