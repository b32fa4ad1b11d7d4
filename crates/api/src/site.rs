//! The name of a site: a house or a branch with a hub of its own.

use std::fmt;
use std::str::FromStr;

use crate::json::json_is_text;

/// Maximum length of a name in characters.
const MAX_LENGTH: usize = 32;

/// Name of a site, which is a part of topics and of the name of a schema; empty for the only site.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SiteName(String);

impl SiteName {
    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns true for the only site, which has no name.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for SiteName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for SiteName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if text.len() > MAX_LENGTH {
            return Err(format!(
                "the name of a site has at most {MAX_LENGTH} characters"
            ));
        }
        if !text.chars().all(is_plain) || text.starts_with('-') {
            return Err(
                "the name of a site has lower-case letters a to z, digits and hyphens, and begins with no hyphen"
                    .to_owned(),
            );
        }
        Ok(Self(text.to_owned()))
    }
}

json_is_text!(
    SiteName,
    "Name of a site; empty for the only site, which has no name.",
    "^([a-z0-9][a-z0-9-]{0,31})?$",
    ["berlin"],
    0..=32
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parts_of_topics() {
        let longest = "x".repeat(MAX_LENGTH);
        for name in ["", "berlin", "haus-2", "7", &longest] {
            assert_eq!(name.parse::<SiteName>().unwrap().as_str(), name);
        }
        let long = "x".repeat(MAX_LENGTH + 1);
        for name in [
            "Berlin", "-a", "a b", "a/b", "a_b", "a+", "köln", "a\n", &long,
        ] {
            assert!(name.parse::<SiteName>().is_err(), "{name:?}");
        }
    }
}
