//! Names that people choose.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use unicode_width::UnicodeWidthChar as _;

use crate::error::RequestError;
use crate::json::json_is_text;

/// Maximum length of a name in characters.
const MAX_LENGTH: usize = 64;

/// The name of a plug, a room, a group, a schedule, …
///
/// Every script is allowed; control characters and spaces at its ends are not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl Name {
    /// Checks a name that is given anew.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `usage` at `name` if it is none, cannot be seen, or would be taken for an option by the command line.
    pub fn check_new(name: &str) -> Result<(), RequestError> {
        let problem = match name.parse::<Self>() {
            Err(problem) => problem,
            // Other languages count this mark among the spaces.
            Ok(_) if name.trim_matches('\u{feff}') != name => {
                "a name cannot begin or end with a space".to_owned()
            }
            Ok(_) if !is_visible(name) => "a name needs a visible character".to_owned(),
            // In a sentence they would reverse the words after it.
            Ok(_) if name.contains(['\u{202d}', '\u{202e}']) => {
                "a name cannot have characters that override the direction of the text".to_owned()
            }
            Ok(_) if name.starts_with('-') => {
                "a name cannot begin with a hyphen, as options do".to_owned()
            }
            Ok(_) => return Ok(()),
        };
        Err(RequestError::usage(problem).at("name"))
    }
}

/// Returns whether a text has at least one character that can be seen.
pub fn is_visible(text: &str) -> bool {
    // Blank, but counted as letters: a Hangul filler and the Braille pattern without dots.
    let is_blank = |character| matches!(character, '\u{115f}' | '\u{2800}');
    text.chars().any(|character| {
        !character.is_whitespace()
            && !is_blank(character)
            && character.width().is_some_and(|it| it > 0)
    })
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let problem = if text.trim().is_empty() {
            "a name cannot be empty".to_owned()
        } else if text.trim() != text {
            "a name cannot begin or end with a space".to_owned()
        } else if text.chars().any(char::is_control) {
            "a name cannot have control characters".to_owned()
        } else if text.chars().count() > MAX_LENGTH {
            format!("a name has at most {MAX_LENGTH} characters")
        } else {
            return Ok(Self(text.to_owned()));
        };
        Err(problem)
    }
}

json_is_text!(
    Name,
    "A name in any script, without control characters or spaces at its ends.",
    r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$",
    ["kitchen"],
    1..=64
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_every_script() {
        for name in ["kitchen", "Küche", "台所", "مطبخ", "кухня", "🍳", "a b"] {
            assert_eq!(&*name.parse::<Name>().unwrap(), name);
        }
        let long = "x".repeat(65);
        for name in ["", " ", "a ", "\ta", "a\nb", "\u{0}", "a\u{7f}b", &long] {
            assert!(name.parse::<Name>().is_err(), "{name:?}");
        }
        for name in [
            "-a",
            "\u{200b}",
            "\u{200b}\u{feff}",
            "\u{3164}",
            "\u{2800}",
            "\u{ad}",
            "\u{202e}",
            "\u{e0020}",
            "lamp\u{202e}pmal",
            "\u{202d}lamp",
        ] {
            assert!(Name::check_new(name).is_err(), "{name:?}");
        }
        assert_eq!(Name::check_new("\u{202b}x"), Ok(()));
    }
}
