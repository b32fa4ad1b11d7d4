//! The grammar of one AT request and one reply, in both directions.
//!
//! A request is `AT+<VERB>[=<value>]` and a line end; a reply is `+ok[=<value>]` or `+ERR=<n>`,
//! then `\r\n\r\n`. There is no quoting: whatever follows the first `=` is the value, byte for
//! byte.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use zeroize::Zeroizing;

use crate::verb::{self, Danger};
use crate::wifi::{Auth, Cipher};

/// Maximum length of an AT command, from `HFAT_MAX_CMD_DATA_LEN` of the vendor's SDK.
pub const MAX_COMMAND: usize = 255;

const PREFIX: &[u8] = b"AT+";

/// End of a request on the wire.
///
/// The manuals say that either of `\r` and `\n` ends a command, and clients of all kinds are in
/// use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Terminator {
    /// `\r`, which nearly every client sends.
    #[default]
    Cr,
    /// `\n`, which the Maginon app sends.
    Lf,
    /// `\r\n`.
    CrLf,
    /// Nothing; one command a datagram.
    None,
}

impl Terminator {
    /// Returns the bytes on the wire.
    pub const fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::Cr => b"\r",
            Self::Lf => b"\n",
            Self::CrLf => b"\r\n",
            Self::None => b"",
        }
    }
}

/// One AT line: a verb with or without a value.
///
/// `Debug` and `Display` show the line with its secrets masked; [`AtRequest::emit`] is the only way
/// to the bytes.
///
/// ```
/// use hiflying::{AtRequest, Terminator};
///
/// let request = AtRequest::set("wskey", "WPA2PSK,AES,correct horse");
/// assert_eq!(request.emit(Terminator::Cr).as_slice(), b"AT+WSKEY=WPA2PSK,AES,correct horse\r");
/// assert_eq!(request.to_string(), "AT+WSKEY=WPA2PSK,AES,***");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct AtRequest {
    verb: String,
    value: Option<Zeroizing<Vec<u8>>>,
}

impl AtRequest {
    /// The null command `AT+`, to which a module in command mode replies `+ok`.
    pub fn null() -> Self {
        Self {
            verb: String::new(),
            value: None,
        }
    }

    /// Makes a query.
    ///
    /// The verb is kept in upper case and without characters that could not be part of one.
    pub fn query(verb: &str) -> Self {
        let verb = verb
            .chars()
            .filter(|&c| is_verb_character(c))
            .collect::<String>()
            .to_ascii_uppercase();
        Self { verb, value: None }
    }

    /// Makes a request that sets a value.
    ///
    /// A module stops reading at the first `\r`, `\n` or NUL, so the value ends there as well.
    pub fn set(verb: &str, value: impl AsRef<[u8]>) -> Self {
        let value = Zeroizing::new(first_line(value.as_ref()).to_vec());
        Self {
            value: Some(value),
            ..Self::query(verb)
        }
    }

    /// Returns the harm that this request can do, in words; nothing for a harmless one.
    pub fn danger(&self) -> Option<&'static str> {
        match verb::lookup(&self.verb)?.danger {
            Danger::Set(harm) if self.value.is_some() => Some(harm),
            Danger::Always(harm) => Some(harm),
            Danger::None | Danger::Set(_) => None,
        }
    }

    /// Returns the verb in upper case; empty for the null command.
    pub fn verb(&self) -> &str {
        &self.verb
    }

    /// Returns what follows the `=`, or nothing for a query.
    pub fn value(&self) -> Option<&[u8]> {
        self.value.as_ref().map(|value| value.as_slice())
    }

    /// Writes the line as it goes over the wire.
    pub fn emit(&self, terminator: Terminator) -> Zeroizing<Vec<u8>> {
        // The exact size at once: a growing buffer would leave copies of a key behind.
        let size =
            PREFIX.len() + self.verb.len() + self.value().map_or(0, |value| value.len() + 1) + 2;
        let mut bytes = Zeroizing::new(Vec::with_capacity(size));
        bytes.extend_from_slice(PREFIX);
        bytes.extend_from_slice(self.verb.as_bytes());
        if let Some(value) = self.value() {
            bytes.push(b'=');
            bytes.extend_from_slice(value);
        }
        bytes.extend_from_slice(terminator.as_bytes());
        bytes
    }

    /// Returns the line as text fit for logs and records: keys and passwords are `***`, and so is what an unknown verb sets.
    pub fn masked(&self) -> String {
        match self.value() {
            None => format!("AT+{}", self.verb),
            // What a maker's own verb sets may be a key.
            Some(_) if !verb::is_known(&self.verb) => format!("AT+{}=***", self.verb),
            Some(value) => format!("AT+{}={}", self.verb, masked_value(&self.verb, value)),
        }
    }
}

impl fmt::Display for AtRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl fmt::Debug for AtRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AtRequest({})", self.masked())
    }
}

/// Reason why a module refused a command (`+ERR=<n>`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ErrorCode {
    /// -1: the line is not an AT command.
    #[error("invalid command format (+ERR=-1)")]
    Format,
    /// -2: the verb is not known to this firmware.
    #[error("unknown command (+ERR=-2)")]
    Verb,
    /// -3: the verb does not take this form, such as setting what can only be asked.
    #[error("invalid operator (+ERR=-3)")]
    Operator,
    /// -4: the value is not acceptable; also the reply to a key that the module cannot use.
    #[error("invalid parameter (+ERR=-4)")]
    Parameter,
    /// -5: not permitted now.
    #[error("operation not permitted (+ERR=-5)")]
    NotPermitted,
    /// Any other number; 0 when the reply carried none.
    #[error("+ERR={0}")]
    Other(i32),
}

impl ErrorCode {
    /// Returns the number on the wire.
    pub const fn number(self) -> i32 {
        match self {
            Self::Format => -1,
            Self::Verb => -2,
            Self::Operator => -3,
            Self::Parameter => -4,
            Self::NotPermitted => -5,
            Self::Other(number) => number,
        }
    }

    /// Returns the meaning of a number on the wire.
    pub const fn from_number(number: i32) -> Self {
        match number {
            -1 => Self::Format,
            -2 => Self::Verb,
            -3 => Self::Operator,
            -4 => Self::Parameter,
            -5 => Self::NotPermitted,
            other => Self::Other(other),
        }
    }
}

/// Reply of a module. The first line that is one decides, because some firmware follows an `+ok` with a
/// stray `+error`.
///
/// ```
/// use hiflying::{ErrorCode, AtReply, AtValue};
///
/// assert_eq!(AtReply::parse(b"+ok=APSTA\r\n\r\n"), AtReply::Ok(Some(AtValue::new("APSTA"))));
/// assert_eq!(AtReply::parse(b"+ERR=-4\r\n\r\n"), AtReply::Error(ErrorCode::Parameter));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AtReply {
    /// `+ok`, with what followed the `=`.
    Ok(Option<AtValue>),
    /// `+ERR=<n>`.
    Error(ErrorCode),
    /// Neither prefix. Information rather than failure: a lamp clone replies `Disconnected` without
    /// `+ok=`.
    Unknown(AtValue),
}

impl AtReply {
    /// Parses a reply in all the shapes that modules and their clones send.
    ///
    /// Takes any case, any line end or none, NUL padding, and before the reply blank lines, a greeting
    /// of the firmware or a prompt, and the echo of the request that a module on a serial line puts first.
    pub fn parse(bytes: &[u8]) -> Self {
        let line = reply_line(bytes);
        // The value in the echo of a request can look like a reply.
        let line = match strip_prefix_ignoring_case(line, PREFIX) {
            Some(_) => line,
            None => without_prompt(line),
        };
        if let Some(rest) = strip_prefix_ignoring_case(line, b"+ok") {
            return Self::Ok(parse_value(rest));
        }
        if let Some(rest) = strip_prefix_ignoring_case(line, b"+err") {
            return Self::Error(ErrorCode::from_number(parse_number(rest)));
        }
        Self::Unknown(AtValue::new(line))
    }

    /// Returns the reply as text fit for logs and records, given the verb of the request.
    pub fn masked(&self, verb: &str) -> String {
        match self {
            Self::Ok(None) => "+ok".to_owned(),
            Self::Ok(Some(value)) => format!("+ok={}", masked_value(verb, value.as_bytes())),
            Self::Error(code) => format!("+ERR={}", code.number()),
            Self::Unknown(value) => masked_value(verb, value.as_bytes()),
        }
    }
}

/// Value that follows `+ok=`: bytes, usually text, sometimes a key.
///
/// Spaces are kept, because a network name may end in one. `Debug` hides a key.
#[derive(Clone, PartialEq, Eq)]
pub struct AtValue(Zeroizing<Vec<u8>>);

impl AtValue {
    /// Makes a value from its bytes.
    pub fn new(bytes: impl AsRef<[u8]>) -> Self {
        Self(Zeroizing::new(bytes.as_ref().to_vec()))
    }

    /// Returns the bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the text, with U+FFFD where it is not UTF-8.
    ///
    /// An owned result is a copy that is not wiped: take keys from [`AtValue::as_bytes`].
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }
}

impl fmt::Debug for AtValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AtValue({:?})", masked_value("", &self.0))
    }
}

/// Returns a value as text with its secrets as `***`: keys for the key verbs and for anything
/// shaped like `<auth>,<cipher>,<key>`, passwords for the password verbs. Of unknown verbs the name tells.
pub fn masked_value(verb: &str, value: &[u8]) -> String {
    // Split as bytes: turning a key into text would leave a copy of it behind.
    let mut fields = value.splitn(3, |&byte| byte == b',');
    let (first, second, third) = (fields.next().unwrap_or(value), fields.next(), fields.next());
    let words = second.filter(|second| is_word::<Auth>(first) && is_word::<Cipher>(second));
    match (words, third) {
        (Some(_), None | Some(b"")) => lossy(value),
        (Some(second), Some(_)) => format!("{},{},***", lossy(first), lossy(second)),
        _ if verb::is_secret(verb) => "***".to_owned(),
        _ => lossy(value),
    }
}

fn is_word<T: FromStr>(field: &[u8]) -> bool {
    std::str::from_utf8(field).is_ok_and(|text| text.trim().parse::<T>().is_ok())
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn is_verb_character(c: char) -> bool {
    c.is_ascii_graphic() && c != '='
}

fn ends_line(byte: &u8) -> bool {
    matches!(byte, b'\r' | b'\n' | 0)
}

fn first_line(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(ends_line).unwrap_or(bytes.len());
    bytes.split_at(end).0
}

/// Strips an ASCII prefix, whatever its case; modules and plugs differ in theirs.
pub fn strip_prefix_ignoring_case<'a>(bytes: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = bytes.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// Returns the line that decides: the first one that is a reply; without one, the first that is neither blank nor an AT
/// command, because some firmware puts a greeting or the echo of the request first.
fn reply_line(bytes: &[u8]) -> &[u8] {
    let lines = || {
        bytes
            .split(ends_line)
            .map(<[u8]>::trim_ascii_start)
            .filter(|line| !line.is_empty())
    };
    let is_command = |line: &&[u8]| strip_prefix_ignoring_case(line, PREFIX).is_some();
    lines()
        .find(|line| is_reply(line))
        .or_else(|| lines().find(|line| !is_command(line)))
        .or_else(|| lines().next())
        .unwrap_or(b"")
}

/// Returns a line from the reply in it on, or as a whole if there is none: a prompt or the options of a telnet server can stand before
/// the reply without a line end.
pub fn without_prompt(line: &[u8]) -> &[u8] {
    let is_whole = |text: &[u8]| {
        let after_ok = strip_prefix_ignoring_case(text, b"+ok");
        after_ok.is_some_and(|rest| matches!(rest.first(), None | Some(b'=')))
            || strip_prefix_ignoring_case(text, b"+err").is_some()
    };
    if is_reply(line) {
        return line;
    }
    let mut starts = (0..line.len()).filter_map(|start| line.get(start..));
    starts.find(|text| is_whole(text)).unwrap_or(line)
}

fn is_reply(line: &[u8]) -> bool {
    strip_prefix_ignoring_case(line, b"+ok").is_some()
        || strip_prefix_ignoring_case(line, b"+err").is_some()
}

/// Tells whether a datagram begins like a reply, and not like the rest of one. A greeting or the echo of the request
/// may stand before it.
pub(crate) fn begins_reply(datagram: &[u8]) -> bool {
    is_reply(reply_line(datagram))
}

fn parse_value(rest: &[u8]) -> Option<AtValue> {
    match rest.split_first() {
        Some((b'=', value)) => Some(AtValue::new(value)),
        // An OEM handler that forgets the `=`: its text is appended straight after `+ok`.
        _ if rest.trim_ascii().is_empty() => None,
        _ => Some(AtValue::new(rest.trim_ascii_start())),
    }
}

fn parse_number(rest: &[u8]) -> i32 {
    let number = || {
        let start = rest
            .iter()
            .position(|byte| matches!(byte, b'-' | b'0'..=b'9'))?;
        let digits = rest.get(start..)?.trim_ascii_end();
        std::str::from_utf8(digits).ok()?.parse().ok()
    };
    // `+ERROR` carries no number.
    number().unwrap_or(0)
}
#[cfg(test)]
mod tests;
