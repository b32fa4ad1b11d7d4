//! Names of plugs and documents in paths and JSON.

use std::fmt;
use std::str::FromStr;

use hiflying::Mac;

use crate::error::excerpt;
use crate::json::json_is_text;

/// The id that the hub assigned to a document, e.g. `g-3f9a02c1`. It is never a MAC.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(String);

/// The text is not the id of a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id (a letter, a dash and eight hex digits)")]
pub struct IdError;

impl Id {
    /// Makes a new one that begins with this letter.
    pub fn random(letter: char) -> Self {
        Self(format!("{letter}-{:08x}", fastrand::u32(..)))
    }

    /// Returns its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Id {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (letter, digits) = text.split_once('-').ok_or(IdError)?;
        let is_id = letter.len() == 1
            && letter.bytes().all(|byte| byte.is_ascii_lowercase())
            && digits.len() == 8
            && digits
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_id.then(|| Self(text.to_owned())).ok_or(IdError)
    }
}

/// The target of a schedule: a plug or a group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SwitchTarget {
    /// One plug.
    Plug(Mac),
    /// Every plug of a group.
    Group(Id),
}

impl fmt::Display for SwitchTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plug(plug) => plug.fmt(f),
            Self::Group(id) => id.fmt(f),
        }
    }
}

impl FromStr for SwitchTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(id) = text.parse() {
            return Ok(Self::Group(id));
        }
        text.parse()
            .map(Self::Plug)
            .map_err(|_| format!("'{}' is neither a MAC nor the id of a group", excerpt(text)))
    }
}

json_is_text!(
    Id,
    "The name that the hub gave to a document.",
    "^[a-z]-[0-9a-f]{8}$",
    ["g-3f9a02c1"]
);
json_is_text!(
    SwitchTarget,
    "A plug, or the id of a group.",
    "^([0-9A-Fa-f]{12}|([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}|g-[0-9a-f]{8})$",
    ["AC:CF:23:12:34:56", "g-3f9a02c1"]
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_never_a_mac() {
        for letter in 'a'..='z' {
            let id = Id::random(letter);
            assert_eq!(id.as_str().parse(), Ok(id.clone()));
            assert_eq!(id.as_str().parse(), Ok(SwitchTarget::Group(id)));
        }
        for text in [
            "",
            "g",
            "g-",
            "G-00000000",
            "g-0000000g",
            "g-000000000",
            "accf23123456",
        ] {
            assert!(text.parse::<Id>().is_err(), "{text}");
        }
        let plug = "accf23123456".parse().unwrap();
        let target: SwitchTarget = "AC:CF:23:12:34:56".parse().unwrap();
        assert_eq!(target, SwitchTarget::Plug(plug));
        assert_eq!(target.to_string(), "AC:CF:23:12:34:56");
        assert!("kitchen".parse::<SwitchTarget>().is_err());
    }
}
