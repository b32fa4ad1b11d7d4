//! A recorded request, and which requests are the same.

use std::time::Duration;

const MASK: &[u8] = b"***";
/// Verbs whose last value is a time of day, which a plug does not check.
const TIMED_VERBS: [&[u8]; 2] = [b"YZSWITCH", b"YZDELAY"];

/// A recorded request without what differs from time to time: line ends, case of the verb, times, masked keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RecordedRequest {
    key: Vec<u8>,
    /// A masked key ends it, in the place of which any other may stand.
    is_masked: bool,
}

impl RecordedRequest {
    pub(super) fn new(bytes: &[u8]) -> Self {
        let key = normalised(bytes);
        match key.strip_suffix(MASK) {
            Some(start) => Self {
                key: start.to_vec(),
                is_masked: true,
            },
            None => Self {
                key,
                is_masked: false,
            },
        }
    }

    pub(super) fn matches(&self, bytes: &[u8]) -> bool {
        let key = normalised(bytes);
        if self.is_masked {
            // Not a mask alone, which would stand for everything.
            return !self.key.is_empty()
                && key
                    .get(..self.key.len())
                    .is_some_and(|start| start.eq_ignore_ascii_case(&self.key));
        }
        key.eq_ignore_ascii_case(&self.key)
    }

    /// Tells whether it sets a value.
    pub(super) fn sets(&self) -> bool {
        self.key.starts_with(b"AT+") && self.key.contains(&b'=')
    }
}

/// Splits `AT+<VERB>=<value>`.
fn command(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let (start, rest) = bytes.split_at_checked(3)?;
    let mut parts = rest.splitn(2, |byte| *byte == b'=');
    let (verb, value) = (parts.next()?, parts.next()?);
    start
        .eq_ignore_ascii_case(b"AT+")
        .then(|| (verb.trim_ascii().to_ascii_uppercase(), value))
}

fn trimmed(bytes: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b'\r' | b'\n' | 0 | b' ');
    let end = bytes
        .iter()
        .rposition(|byte| !is_blank(byte))
        .map_or(0, |last| last + 1);
    bytes.split_at(end).0
}

fn normalised(bytes: &[u8]) -> Vec<u8> {
    let bytes = trimmed(bytes);
    let Some((verb, value)) = command(bytes) else {
        return bytes.to_vec();
    };
    let mut key = [b"AT+", verb.as_slice(), b"="].concat();
    let comma = value.iter().rposition(|byte| *byte == b',');
    let (fields, last) = value.split_at(comma.map_or(0, |comma| comma + 1));
    let is_time =
        comma.is_some() && (10..=14).contains(&last.len()) && last.iter().all(u8::is_ascii_digit);
    if is_time || (comma.is_some() && TIMED_VERBS.contains(&verb.as_slice())) {
        key.extend(fields);
        key.extend(b"<time>");
    } else {
        key.extend(value);
    }
    key
}

/// Change of the relay that a Reco command makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RelayChange {
    /// State of the relay.
    pub(super) on: bool,
    /// Delay, of a timer.
    pub(super) after: Option<Duration>,
}

impl RelayChange {
    /// Returns the change that a request makes, if it is one.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let (verb, value) = command(trimmed(bytes))?;
        let value = std::str::from_utf8(value).ok()?;
        let mut fields = value.split(',').skip(1);
        let state = fields.next()?.trim();
        let on = state.eq_ignore_ascii_case("ON");
        if !on && !state.eq_ignore_ascii_case("OFF") {
            return None;
        }
        match verb.as_slice() {
            b"YZSWITCH" => Some(Self { on, after: None }),
            b"YZDELAY" => {
                let minutes: u16 = fields.next()?.trim().parse().ok()?;
                Some(Self {
                    on,
                    after: Some(Duration::from_secs(60 * u64::from(minutes))),
                })
            }
            _ => None,
        }
    }
}
