//! Replies of the v1 API, and the meaning of its errors.
//!
//! Errors arrive in a list beside successes, with status 200 or another one. An empty list is not a success, although some emulators reply so.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Maximum length of what is quoted of an unintelligible reply.
const MAX_EXCERPT: usize = 200;

/// One error of a bridge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BridgeError {
    /// Its number.
    pub number: u32,
    /// The resource, e.g. `/lights/7`.
    pub address: String,
    /// The description in the bridge's own words.
    pub description: String,
}

impl fmt::Display for BridgeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (error {}", self.description, self.number)?;
        match self.address.as_str() {
            "" => f.write_str(")"),
            address => write!(f, " at {address})"),
        }
    }
}

impl std::error::Error for BridgeError {}

/// A kind of error of a bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BridgeErrorKind {
    /// 1: the key is unknown to the bridge, or was removed.
    Unauthorized,
    /// 2: the body is not JSON.
    InvalidJson,
    /// 3: there is no such light or path.
    NoSuchResource,
    /// 4: the firmware does not support this method here.
    NoSuchMethod,
    /// 5: a parameter is missing in the body.
    MissingParameter,
    /// 6: the firmware does not know this parameter.
    NoSuchParameter,
    /// 7: a value is invalid.
    InvalidValue,
    /// 8: the parameter is read-only on this firmware.
    ReadOnly,
    /// 11: a list has too many items.
    TooMany,
    /// 12: the bridge requires its vendor's portal.
    PortalNeeded,
    /// 101: the link button has not been pressed.
    ButtonNotPressed,
    /// 201: the light is off, and this can only be changed while it is on.
    LightIsOff,
    /// 203: the bridge has no room for another light.
    Full,
    /// 901: an internal error of the bridge.
    Internal,
    /// Any other number.
    Other,
}

impl BridgeErrorKind {
    /// Returns what to do next, in the imperative.
    pub const fn hint(self) -> Option<&'static str> {
        Some(match self {
            Self::Unauthorized => "run `mains hue pair` to pair with the bridge again",
            Self::InvalidJson => "write the body as JSON with straight quotes (\")",
            Self::NoSuchResource => "run `mains hue lights` to list the bridge's lights",
            Self::NoSuchParameter => {
                "check the parameter's name (capitals count); the bridge's firmware may be too old for it"
            }
            Self::NoSuchMethod | Self::ReadOnly => {
                "update the bridge's firmware, which is too old for this"
            }
            Self::TooMany => "give at most ten serial numbers at a time",
            Self::ButtonNotPressed => "press the round button on the bridge, then try again",
            Self::LightIsOff => "switch the light on first",
            Self::Full => "delete an unused light from the bridge first",
            Self::Internal => "wait a few seconds and try again",
            Self::MissingParameter | Self::InvalidValue | Self::PortalNeeded | Self::Other => {
                return None;
            }
        })
    }
}

impl BridgeError {
    /// Makes the error from a v2 reply; the status takes the place of the number.
    pub fn of_status(status: u16, description: &str) -> Self {
        Self {
            number: status.into(),
            address: String::new(),
            description: printable(description),
        }
    }

    /// Returns the kind of the error.
    pub const fn kind(&self) -> BridgeErrorKind {
        match self.number {
            1 => BridgeErrorKind::Unauthorized,
            2 => BridgeErrorKind::InvalidJson,
            3 => BridgeErrorKind::NoSuchResource,
            4 => BridgeErrorKind::NoSuchMethod,
            5 => BridgeErrorKind::MissingParameter,
            6 => BridgeErrorKind::NoSuchParameter,
            7 => BridgeErrorKind::InvalidValue,
            8 => BridgeErrorKind::ReadOnly,
            11 => BridgeErrorKind::TooMany,
            12 => BridgeErrorKind::PortalNeeded,
            101 => BridgeErrorKind::ButtonNotPressed,
            201 => BridgeErrorKind::LightIsOff,
            203 => BridgeErrorKind::Full,
            901 => BridgeErrorKind::Internal,
            // HTTP statuses of the v2 API; no v1 error has one of these numbers.
            403 => BridgeErrorKind::Unauthorized,
            404 => BridgeErrorKind::NoSuchResource,
            405 => BridgeErrorKind::NoSuchMethod,
            507 => BridgeErrorKind::Full,
            _ => BridgeErrorKind::Other,
        }
    }
}

/// An unintelligible reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unintelligible reply ({}): {excerpt}", describe(.status))]
pub struct BadReply {
    /// The HTTP status; 0 if the reply has none.
    pub status: u16,
    /// The first 200 bytes, without control characters.
    pub excerpt: String,
}

impl BadReply {
    /// Quotes the beginning of a reply.
    pub fn new(status: u16, body: &[u8]) -> Self {
        let shown = body.get(..MAX_EXCERPT).unwrap_or(body);
        let text = String::from_utf8_lossy(shown);
        let excerpt: String = text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let excerpt = match excerpt.trim() {
            "" if body.len() > MAX_EXCERPT => {
                format!("{} bytes that begin with blanks", body.len())
            }
            "" => "empty".to_owned(),
            text => format!("\u{2018}{text}\u{2019}"),
        };
        Self { status, excerpt }
    }
}

fn describe(status: &u16) -> String {
    match status {
        0 => "not HTTP".to_owned(),
        status => format!("status {status}"),
    }
}

/// A reply that is not a success.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// The bridge refused.
    #[error(transparent)]
    Api(#[from] BridgeError),
    /// The reply is unintelligible.
    #[error(transparent)]
    Bad(#[from] BadReply),
}

/// Parses the reply to a change, a list of successes. Returns the value of `success` of each item.
///
/// # Errors
///
/// [`ReplyError::Api`] with the error of the lowest number if there is one; [`ReplyError::Bad`] for an empty list and everything
/// else.
pub fn changes(status: u16, body: &[u8]) -> Result<Vec<Value>, ReplyError> {
    let items = match json(status, body)? {
        Value::Array(items) if !items.is_empty() => items,
        _ => return Err(BadReply::new(status, body).into()),
    };
    let successes: Option<Vec<Value>> = items
        .into_iter()
        .map(|mut item| item.get_mut("success").map(Value::take))
        .collect();
    successes.ok_or_else(|| BadReply::new(status, body).into())
}

/// Parses the reply to a `GET`, an object or a list with an error.
pub fn object(status: u16, body: &[u8]) -> Result<serde_json::Map<String, Value>, ReplyError> {
    match json(status, body)? {
        Value::Object(object) => Ok(object),
        _ => Err(BadReply::new(status, body).into()),
    }
}

/// Parses the body, which is an error also if it is a list with one: newer firmware sends such a list with other statuses than 200.
fn json(status: u16, body: &[u8]) -> Result<Value, ReplyError> {
    let value = serde_json::from_slice(body).ok();
    if let Some(error) = value.as_ref().and_then(lowest_error) {
        return Err(error.into());
    }
    let value = value.filter(|_| status == 200);
    value.ok_or_else(|| BadReply::new(status, body).into())
}

/// Returns whether the body is a list with an error.
pub fn is_error(body: &[u8]) -> bool {
    serde_json::from_slice(body).is_ok_and(|value| lowest_error(&value).is_some())
}

fn lowest_error(list: &Value) -> Option<BridgeError> {
    let items = list.as_array()?;
    let errors = items
        .iter()
        .filter_map(|item| parse_error(item.get("error")?));
    errors.min_by_key(|error| error.number)
}

/// Parses an error; some emulators send its number as text.
fn parse_error(error: &Value) -> Option<BridgeError> {
    let number = error.get("type")?;
    let number = number
        .as_u64()
        .or_else(|| number.as_str()?.trim().parse().ok())?;
    let text = |key: &str| printable(error.get(key).and_then(Value::as_str).unwrap_or(""));
    Some(BridgeError {
        number: u32::try_from(number).ok()?,
        address: text("address"),
        description: text("description"),
    })
}

fn printable(text: &str) -> String {
    let plain = text.chars().filter(|c| !c.is_control());
    plain.take(MAX_EXCERPT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(body: &str) -> BridgeError {
        match changes(200, body.as_bytes()) {
            Err(ReplyError::Api(error)) => error,
            other => panic!("{body}: {other:?}"),
        }
    }

    #[test]
    fn touchlink_was_started() {
        // V2, 40 bytes.
        let body = r#"[{"success":{"/config/touchlink":true}}]"#;
        assert_eq!(body.len(), 40);
        let successes = changes(200, body.as_bytes()).unwrap();
        assert_eq!(successes, [serde_json::json!({"/config/touchlink": true})]);
    }

    #[test]
    fn errors_of_the_protocol_page() {
        for (body, meaning) in [
            // V3: wrong case of the name.
            (
                r#"[{"error":{"type":6,"address":"/config/touchLink","description":"parameter, touchLink, not available"}}]"#,
                BridgeErrorKind::NoSuchParameter,
            ),
            // V5: typographic quotes.
            (
                r#"[{"error":{"type":2,"address":"/config","description":"body contains invalid json"}}]"#,
                BridgeErrorKind::InvalidJson,
            ),
            // V6: wrong key.
            (
                r#"[{"error":{"type":1,"address":"/config","description":"unauthorized user"}}]"#,
                BridgeErrorKind::Unauthorized,
            ),
            (
                r#"[{"error":{"type":101,"address":"","description":"link button not pressed"}}]"#,
                BridgeErrorKind::ButtonNotPressed,
            ),
            (
                r#"[{"error":{"type":"1","address":"/","description":"unauthorized user"}}]"#,
                BridgeErrorKind::Unauthorized,
            ),
            (
                r#"[{"error":{"type":901,"address":"/lights","description":"Internal error, 404"}}]"#,
                BridgeErrorKind::Internal,
            ),
            (
                r#"[{"error":{"type":9999,"address":"","description":"?"}}]"#,
                BridgeErrorKind::Other,
            ),
        ] {
            assert_eq!(api(body).kind(), meaning, "{body}");
        }
    }

    #[test]
    fn errors_count_with_any_status() {
        for (status, number) in [
            (403, 101),
            (403, 1),
            (404, 3),
            (400, 2),
            (500, 901),
            (503, 901),
        ] {
            let body =
                format!(r#"[{{"error":{{"address":"","description":"d","type":{number}}}}}]"#);
            let is_it = |error| matches!(error, ReplyError::Api(error) if error.number == number);
            assert!(
                is_it(changes(status, body.as_bytes()).unwrap_err()),
                "{status}"
            );
            assert!(
                is_it(object(status, body.as_bytes()).unwrap_err()),
                "{status}"
            );
            assert!(is_error(body.as_bytes()));
        }
        for body in [
            "[]",
            "{}",
            r#"[{"success":{}}]"#,
            r#"{"error":{"type":1}}"#,
            "<html>",
        ] {
            assert!(!is_error(body.as_bytes()), "{body}");
            assert!(matches!(
                changes(403, body.as_bytes()),
                Err(ReplyError::Bad(_))
            ));
        }
    }

    #[test]
    fn every_row_of_the_error_table() {
        for (number, meaning) in [
            (1, BridgeErrorKind::Unauthorized),
            (2, BridgeErrorKind::InvalidJson),
            (3, BridgeErrorKind::NoSuchResource),
            (4, BridgeErrorKind::NoSuchMethod),
            (5, BridgeErrorKind::MissingParameter),
            (6, BridgeErrorKind::NoSuchParameter),
            (7, BridgeErrorKind::InvalidValue),
            (8, BridgeErrorKind::ReadOnly),
            (11, BridgeErrorKind::TooMany),
            (12, BridgeErrorKind::PortalNeeded),
            (101, BridgeErrorKind::ButtonNotPressed),
            (201, BridgeErrorKind::LightIsOff),
            (203, BridgeErrorKind::Full),
            (901, BridgeErrorKind::Internal),
        ] {
            let body =
                format!(r#"[{{"error":{{"type":{number},"address":"/x","description":"d"}}}}]"#);
            assert_eq!(api(&body).kind(), meaning);
            assert_eq!(api(&body).to_string(), format!("d (error {number} at /x)"));
        }
    }

    #[test]
    fn of_several_errors_the_lowest_counts() {
        let body = r#"[{"success":{"/a":1}},{"error":{"type":8,"address":"/b","description":"b"}},{"error":{"type":6,"address":"/c","description":"c"}}]"#;
        assert_eq!(api(body).number, 6);
    }

    #[test]
    fn what_is_no_reply() {
        for body in [
            "",
            "[]",
            "{}",
            "null",
            "<html><body>404</body></html>",
            r#"[{"success":1}"#,
            "[1]",
            r#"[{"other":1}]"#,
            r#"[{"error":{"type":-1}}]"#,
        ] {
            assert!(
                matches!(changes(200, body.as_bytes()), Err(ReplyError::Bad(_))),
                "{body}"
            );
        }
        let not_found = changes(404, br#"[{"success":{}}]"#).unwrap_err();
        assert!(not_found.to_string().contains("status 404"), "{not_found}");
        let giant = vec![b'x'; 1 << 20];
        assert!(changes(200, &giant).unwrap_err().to_string().len() < 400);
        let blank = vec![b' '; 1 << 20];
        let said = changes(200, &blank).unwrap_err().to_string();
        assert!(said.contains("1048576 bytes"), "{said}");
        let said = BadReply::new(0, b"SSH-2.0").to_string();
        assert!(said.contains("(not HTTP)"), "{said}");
    }

    #[test]
    fn questions() {
        assert!(object(200, b"{}").unwrap().is_empty());
        let unknown = br#"[{"error":{"type":3,"address":"/lights/99","description":"resource, /lights/99, not available"}}]"#;
        assert!(matches!(object(200, unknown), Err(ReplyError::Api(error)) if error.number == 3));
        assert!(matches!(object(200, b"[]"), Err(ReplyError::Bad(_))));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(status: u16, bytes: Vec<u8>) {
            let _ = changes(status, &bytes);
            let _ = object(200, &bytes);
        }
    }
}
