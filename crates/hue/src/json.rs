//! Checks pasted JSON before it is sent to a bridge.
//!
//! Web pages, the vendor's reference among them, typeset quotation marks as U+201C and U+201D. A bridge answers those with "body
//! contains invalid json", which does not say where.

use std::fmt;

use serde::de::IgnoredAny;

/// The first mistake in a text that should be JSON. Line and column count from one, the column in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonProblem {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
    /// The mistake.
    pub kind: JsonProblemKind,
}

/// A kind of mistake in a text that should be JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonProblemKind {
    /// A character that looks like one of JSON's.
    LookAlike {
        /// The character in the text.
        found: char,
        /// The character of JSON's.
        meant: char,
    },
    /// A character without a width.
    Invisible(char),
    /// A byte in Windows-1252 that looks like a character of JSON's.
    Windows1252 {
        /// The byte in the text.
        found: u8,
        /// The character of JSON's.
        meant: char,
    },
    /// A byte that is not valid UTF-8.
    NotUtf8(u8),
    /// Any other mistake, as the parser describes it.
    Syntax(String),
}

impl fmt::Display for JsonProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            1 => write!(f, "column {}: ", self.column)?,
            line => write!(f, "line {line}, column {}: ", self.column)?,
        }
        match &self.kind {
            JsonProblemKind::LookAlike { found, meant } => write!(
                f,
                "\u{2018}{found}\u{2019} (U+{:04X}) is not JSON; write {}",
                u32::from(*found),
                CharName(*meant)
            ),
            JsonProblemKind::Invisible(found) => write!(
                f,
                "invisible character (U+{:04X}); remove it",
                u32::from(*found)
            ),
            JsonProblemKind::Windows1252 { found, meant } => write!(
                f,
                "the byte 0x{found:02X} is a character of Windows-1252; write {}",
                CharName(*meant)
            ),
            JsonProblemKind::NotUtf8(found) => {
                write!(f, "the byte 0x{found:02X} is not UTF-8")
            }
            JsonProblemKind::Syntax(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for JsonProblem {}

/// Writes a character of JSON's with its code point.
struct CharName(char);

impl fmt::Display for CharName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ' ' => f.write_str("a plain space (U+0020)"),
            '"' => f.write_str("a straight quotation mark \" (U+0022)"),
            other => write!(f, "{other} (U+{:04X})", u32::from(other)),
        }
    }
}

/// Checks that a text is JSON, strictly, and returns it.
///
/// ```
/// assert!(hue::json::check(br#"{"touchlink":true}"#).is_ok());
/// let problem = hue::json::check("{\u{201c}touchlink\u{201d}:true}".as_bytes()).unwrap_err();
/// assert_eq!(problem.column, 2);
/// assert!(problem.to_string().contains("U+201C"));
/// ```
///
/// # Errors
///
/// [`JsonProblem`] with the first look-alike character outside the strings, if there is one, or else the parser's error.
pub fn check(text: &[u8]) -> Result<&str, JsonProblem> {
    let (Ok(text), Ok(IgnoredAny)) = (
        std::str::from_utf8(text),
        serde_json::from_slice::<IgnoredAny>(text),
    ) else {
        return Err(problem(text));
    };
    Ok(text)
}

fn problem(text: &[u8]) -> JsonProblem {
    let (readable, bad_byte) = split_utf8(text);
    if let Some((at, found, meant)) = look_alike(readable) {
        let kind = match meant {
            Some(meant) => JsonProblemKind::LookAlike { found, meant },
            None => JsonProblemKind::Invisible(found),
        };
        let before = readable.get(..at);
        return at_end(before.expect("the offset is a character's"), kind);
    }
    if let Some(found) = bad_byte {
        let kind = match windows_1252(found) {
            Some(meant) => JsonProblemKind::Windows1252 { found, meant },
            None => JsonProblemKind::NotUtf8(found),
        };
        return at_end(readable, kind);
    }
    syntax(readable)
}

/// Returns the leading UTF-8, and the first byte that is not.
fn split_utf8(text: &[u8]) -> (&str, Option<u8>) {
    let mut chunks = text.utf8_chunks();
    match chunks.next() {
        None => ("", None),
        Some(chunk) => (chunk.valid(), chunk.invalid().first().copied()),
    }
}

/// Returns a problem located right behind a text.
fn at_end(before: &str, kind: JsonProblemKind) -> JsonProblem {
    let line = before.rsplit_once('\n').map_or(before, |(_, line)| line);
    JsonProblem {
        line: before.matches('\n').count() + 1,
        column: line.chars().count() + 1,
        kind,
    }
}

/// Returns the parser's error, with its column converted from bytes to characters.
fn syntax(text: &str) -> JsonProblem {
    let Err(error) = serde_json::from_str::<IgnoredAny>(text) else {
        return at_end(
            text,
            JsonProblemKind::Syntax("unexpected text after the JSON".to_owned()),
        );
    };
    let message = error.to_string();
    let message = message
        .split_once(" at line ")
        .map_or(message.as_str(), |(message, _)| message);
    // The parser counts lines from one, and has line 0 for an empty text.
    let line_number = error.line().max(1);
    let line = text.split('\n').nth(line_number - 1);
    let line = line.expect("the parser reports a line of the text");
    let bytes = error.column().saturating_sub(1);
    let before = line.char_indices().take_while(|(at, _)| *at < bytes);
    JsonProblem {
        line: line_number,
        column: before.count() + 1,
        kind: JsonProblemKind::Syntax(message.to_owned()),
    }
}

/// Finds the first character outside the strings that looks like one of JSON's. Inside a string every character is allowed; only
/// in an unterminated string the first look-alike of its end is reported.
fn look_alike(text: &str) -> Option<(usize, char, Option<char>)> {
    let mut string: Option<Option<(usize, char, Option<char>)>> = None;
    let mut is_escaped = false;
    for (at, c) in text.char_indices() {
        match &mut string {
            Some(_) if is_escaped => is_escaped = false,
            Some(_) if c == '\\' => is_escaped = true,
            Some(_) if c == '"' => string = None,
            Some(suspect) => {
                if suspect.is_none() && meant(c) == Some(Some('"')) {
                    *suspect = Some((at, c, Some('"')));
                }
            }
            None if c == '"' => string = Some(None),
            None => {
                if let Some(meant) = meant(c) {
                    return Some((at, c, meant));
                }
            }
        }
    }
    string.flatten()
}

/// Returns the character of JSON's that a character resembles; `Some(None)` for an invisible one.
fn meant(c: char) -> Option<Option<char>> {
    let meant = match c {
        // Double quotation marks of several languages, primes, and single quotation marks.
        '\u{201c}'..='\u{201f}'
        | '\u{ab}'
        | '\u{bb}'
        | '\u{2033}'
        | '\u{2036}'
        | '\u{301d}'..='\u{301f}'
        | '\u{ff02}'
        | '\u{2ba}'
        | '\u{2dd}'
        | '\u{275d}'
        | '\u{275e}'
        | '\''
        | '\u{2018}'..='\u{201b}'
        | '\u{2032}'
        | '\u{2035}'
        | '\u{2039}'
        | '\u{203a}'
        | '\u{b4}'
        | '`'
        | '\u{275b}'
        | '\u{275c}'
        | '\u{ff07}'
        | '\u{2b9}'
        | '\u{2bc}' => '"',
        // Non-breaking spaces and spaces of other widths.
        '\u{a0}'
        | '\u{1680}'
        | '\u{2000}'..='\u{200a}'
        | '\u{202f}'
        | '\u{205f}'
        | '\u{3000}'
        | '\u{2028}'
        | '\u{2029}'
        | '\u{85}' => ' ',
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{ff0d}' => '-',
        '\u{ff1a}' | '\u{a789}' | '\u{2236}' => ':',
        '\u{ff0c}' | '\u{3001}' => ',',
        '\u{ff5b}' => '{',
        '\u{ff5d}' => '}',
        '\u{ff3b}' => '[',
        '\u{ff3d}' => ']',
        '\u{ff0e}' => '.',
        '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{ad}' => return Some(None),
        _ => return None,
    };
    Some(Some(meant))
}

/// Returns the character of JSON's that a byte in Windows-1252 resembles.
fn windows_1252(byte: u8) -> Option<char> {
    match byte {
        0x84 | 0x93 | 0x94 | 0xab | 0xbb | 0x82 | 0x8b | 0x91 | 0x92 | 0x9b | 0xb4 => Some('"'),
        0x96 | 0x97 => Some('-'),
        0xa0 => Some(' '),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &[u8]) -> JsonProblem {
        check(text).expect_err("it is wrong")
    }

    #[test]
    fn typographic_quotes_of_the_protocol_page() {
        // V5, 23 bytes.
        let body = b"\x7b\xe2\x80\x9c\x74\x6f\x75\x63\x68\x6c\x69\x6e\x6b\xe2\x80\x9d\x3a\x20\x74\x72\x75\x65\x7d";
        assert_eq!(body.len(), 23);
        let problem = wrong(body);
        assert_eq!((problem.line, problem.column), (1, 2));
        assert_eq!(
            problem.to_string(),
            "column 2: \u{2018}\u{201c}\u{2019} (U+201C) is not JSON; write a straight quotation mark \" (U+0022)"
        );
    }

    #[test]
    fn each_character_that_is_mistaken_for_a_quotation_mark() {
        for mark in [
            '\u{201c}', '\u{201d}', '\u{2018}', '\u{2019}', '\u{2033}', '\u{ab}', '\u{bb}',
            '\u{201e}', '\u{201a}', '\u{2032}', '\'', '`', '\u{ff02}',
        ] {
            let problem = wrong(format!("{{{mark}on{mark}:true}}").as_bytes());
            let kind = JsonProblemKind::LookAlike {
                found: mark,
                meant: '"',
            };
            assert_eq!(problem.kind, kind);
            assert_eq!(problem.column, 2);
        }
    }

    #[test]
    fn other_characters_nobody_sees_the_difference_of() {
        for (text, column, meant) in [
            ("{\u{a0}\"on\":true}", 2, Some(' ')),
            ("{\"on\"\u{ff1a}true}", 6, Some(':')),
            ("{\"bri\":\u{2212}1}", 8, Some('-')),
            ("[1\u{ff0c}2]", 3, Some(',')),
            ("\u{feff}{}", 1, None),
            ("{\"\u{e4}\u{f6}\":\u{200b}1}", 7, None),
        ] {
            let problem = wrong(text.as_bytes());
            assert_eq!(problem.column, column, "{text:?}");
            match (problem.kind, meant) {
                (JsonProblemKind::LookAlike { meant, .. }, Some(expected)) => {
                    assert_eq!(meant, expected);
                }
                (JsonProblemKind::Invisible(_), None) => {}
                other => panic!("{text:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn bytes_of_another_character_set() {
        let problem = wrong(b"{\x93on\x94: true}");
        assert_eq!((problem.line, problem.column), (1, 2));
        assert!(problem.to_string().contains("0x93"), "{problem}");
        assert!(problem.to_string().contains("U+0022"), "{problem}");
        let problem = wrong(b"{\"name\": \"K\xfcche\"}");
        assert_eq!(problem.kind, JsonProblemKind::NotUtf8(0xfc));
        assert_eq!(problem.column, 12);
    }

    #[test]
    fn marks_within_a_string_are_welcome() {
        for text in [
            "{\"name\":\"Anna\u{2019}s \u{201c}desk\u{201d}\"}",
            "[\"\u{a0}\"]",
            "\"\\\"\u{201c}\"",
            "true",
            " {}\n",
        ] {
            assert_eq!(check(text.as_bytes()), Ok(text));
        }
        // And are not blamed for what is wrong elsewhere.
        let problem = wrong("{\"name\":\"Anna\u{2019}s\",}".as_bytes());
        assert!(
            matches!(problem.kind, JsonProblemKind::Syntax(_)),
            "{problem}"
        );
        assert_eq!(problem.column, 18);
        // But in a string that never ends the last mark was meant to be its end.
        let problem = wrong("{\"on\u{201d}:true}".as_bytes());
        assert_eq!(problem.column, 5);
    }

    #[test]
    fn what_is_plainly_wrong() {
        for (text, place) in [
            ("", (1, 1)),
            ("{\"on\":tru}", (1, 10)),
            ("{\n  \"on\" true\n}", (2, 8)),
            ("{} {}", (1, 4)),
            ("{on:true}", (1, 2)),
        ] {
            let problem = wrong(text.as_bytes());
            assert_eq!((problem.line, problem.column), place, "{text:?}: {problem}");
            assert!(
                matches!(problem.kind, JsonProblemKind::Syntax(_)),
                "{problem}"
            );
        }
        // Deep nesting is refused by the parser, not by the stack.
        assert!(check("[".repeat(1 << 20).as_bytes()).is_err());
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_the_parser(bytes: Vec<u8>) {
            let is_json = serde_json::from_slice::<serde_json::Value>(&bytes).is_ok();
            proptest::prop_assert_eq!(check(&bytes).is_ok(), is_json);
        }

        #[test]
        fn the_place_is_in_the_text(text in "[{}\\[\\]\":,a\u{201c}\u{201d}\u{a0}\n1 ]{0,20}") {
            if let Err(problem) = check(text.as_bytes()) {
                let line = text.split('\n').nth(problem.line - 1).unwrap();
                proptest::prop_assert!(problem.column <= line.chars().count() + 1, "{}", problem);
            }
        }
    }
}
