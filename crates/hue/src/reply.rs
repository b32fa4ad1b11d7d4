//! What a bridge answers to a call of the first interface, and what its errors mean.
//!
//! Errors arrive with status 200, in a list beside successes. An empty list is no success, although some emulators mean
//! it so.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// So much of a reply that is not understood is shown.
const EXCERPT: usize = 200;

/// One error of a bridge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiError {
    /// Its number.
    pub number: u32,
    /// What it is about, e.g. `/lights/7`.
    pub address: String,
    /// The bridge's own words.
    pub description: String,
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (error {}", self.description, self.number)?;
        match self.address.as_str() {
            "" => f.write_str(")"),
            address => write!(f, " at {address})"),
        }
    }
}

impl std::error::Error for ApiError {}

/// What an error of a bridge means to whoever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Meaning {
    /// 1: the key is unknown to the bridge, or was removed.
    Unauthorized,
    /// 2: the body is not JSON.
    InvalidJson,
    /// 3: there is no such light, or no such path.
    NoSuchResource,
    /// 4: the firmware does not know this method here.
    NoSuchMethod,
    /// 5: something is missing in the body.
    MissingParameter,
    /// 6: the firmware does not know this parameter.
    NoSuchParameter,
    /// 7: a value is not what it may be.
    InvalidValue,
    /// 8: the parameter cannot be changed on this firmware.
    ReadOnly,
    /// 11: too many items in a list.
    TooMany,
    /// 12: the bridge wants its vendor's portal.
    PortalNeeded,
    /// 101: the link button has not been pressed.
    ButtonNotPressed,
    /// 201: the light is off, and then this cannot be changed.
    LightIsOff,
    /// 203: the bridge has no room for another light.
    Full,
    /// 901: something is wrong inside the bridge.
    Internal,
    /// Any other number.
    Other,
}

impl Meaning {
    /// Says it in a sentence without a full stop.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Unauthorized => "the bridge does not know this application key (any more)",
            Self::InvalidJson => "what was sent is not JSON to the bridge",
            Self::NoSuchResource => "the bridge has no such light, or no such path",
            Self::NoSuchMethod => "the bridge's firmware cannot do this here",
            Self::MissingParameter => "something is missing in what was sent",
            Self::NoSuchParameter => "the bridge's firmware does not know this parameter",
            Self::InvalidValue => "a value is not what the bridge takes there",
            Self::ReadOnly => "the bridge's firmware does not let this be changed",
            Self::TooMany => "there are too many items in a list",
            Self::PortalNeeded => "the bridge wants its vendor's portal for this",
            Self::ButtonNotPressed => "the button on the bridge has not been pressed",
            Self::LightIsOff => "the light is off, and this can only be changed while it is on",
            Self::Full => "the bridge has no room for another light",
            Self::Internal => "something went wrong inside the bridge",
            Self::Other => "the bridge refused",
        }
    }

    /// Returns what can be done about it.
    pub const fn advice(self) -> Option<&'static str> {
        match self {
            Self::Unauthorized => Some("pair with the bridge again: `mains hue pair`"),
            Self::InvalidJson => {
                Some("the body must be JSON with straight quotes (\"), as `mains hue clip` checks")
            }
            Self::NoSuchResource => Some("`mains hue lights` shows what the bridge has"),
            Self::NoSuchParameter => Some(
                "its name is misspelt (capitals count), or the bridge's firmware is too old for it",
            ),
            Self::NoSuchMethod | Self::ReadOnly => {
                Some("the bridge's firmware is too old for this")
            }
            Self::TooMany => Some("give at most ten serial numbers at a time"),
            Self::ButtonNotPressed => Some("press the round button on the bridge, then try again"),
            Self::LightIsOff => Some("switch the light on first"),
            Self::Full => Some("delete a light that is no longer used from the bridge first"),
            Self::Internal => Some("wait some seconds and try again"),
            Self::MissingParameter | Self::InvalidValue | Self::PortalNeeded | Self::Other => None,
        }
    }
}

impl ApiError {
    /// Makes it from what the second interface says; the status stands for the number.
    pub fn of_status(status: u16, description: &str) -> Self {
        Self {
            number: status.into(),
            address: String::new(),
            description: shown(description),
        }
    }

    /// Returns what it means.
    pub const fn meaning(&self) -> Meaning {
        match self.number {
            1 => Meaning::Unauthorized,
            2 => Meaning::InvalidJson,
            3 => Meaning::NoSuchResource,
            4 => Meaning::NoSuchMethod,
            5 => Meaning::MissingParameter,
            6 => Meaning::NoSuchParameter,
            7 => Meaning::InvalidValue,
            8 => Meaning::ReadOnly,
            11 => Meaning::TooMany,
            12 => Meaning::PortalNeeded,
            101 => Meaning::ButtonNotPressed,
            201 => Meaning::LightIsOff,
            203 => Meaning::Full,
            901 => Meaning::Internal,
            // Statuses of the second interface; no error of the first has such a number.
            403 => Meaning::Unauthorized,
            404 => Meaning::NoSuchResource,
            405 => Meaning::NoSuchMethod,
            507 => Meaning::Full,
            _ => Meaning::Other,
        }
    }
}

/// A reply that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the reply cannot be understood ({}): {excerpt}", told(.status))]
pub struct BadReply {
    /// The HTTP status; 0 where what came has none.
    pub status: u16,
    /// The first 200 bytes, without control characters.
    pub excerpt: String,
}

impl BadReply {
    /// Makes it from what came.
    pub fn new(status: u16, body: &[u8]) -> Self {
        let shown = body.get(..EXCERPT).unwrap_or(body);
        let text = String::from_utf8_lossy(shown);
        let excerpt: String = text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let excerpt = match excerpt.trim() {
            "" if body.len() > EXCERPT => format!("{} bytes that begin with blanks", body.len()),
            "" => "nothing".to_owned(),
            text => format!("\u{2018}{text}\u{2019}"),
        };
        Self { status, excerpt }
    }
}

fn told(status: &u16) -> String {
    match status {
        0 => "no HTTP".to_owned(),
        status => format!("status {status}"),
    }
}

/// Why a call came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// The bridge said no.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// Nobody can tell what it said.
    #[error(transparent)]
    Bad(#[from] BadReply),
}

/// Reads the reply to a change: a list, of which every item is a success.
///
/// Returns what stands behind `success` in each item.
///
/// # Errors
///
/// [`ReplyError::Api`] with the error of the lowest number when there is one; [`ReplyError::Bad`] for an empty list and
/// everything else.
pub fn changes(status: u16, body: &[u8]) -> Result<Vec<Value>, ReplyError> {
    let items = match json(status, body)? {
        Value::Array(items) if !items.is_empty() => items,
        _ => return Err(BadReply::new(status, body).into()),
    };
    if let Some(error) = lowest_error(&items) {
        return Err(error.into());
    }
    let successes: Option<Vec<Value>> = items
        .into_iter()
        .map(|mut item| item.get_mut("success").map(Value::take))
        .collect();
    successes.ok_or_else(|| BadReply::new(status, body).into())
}

/// Reads the reply to a question: an object, or a list with an error.
///
/// # Errors
///
/// As [`changes`].
pub fn object(status: u16, body: &[u8]) -> Result<serde_json::Map<String, Value>, ReplyError> {
    match json(status, body)? {
        Value::Object(object) => Ok(object),
        Value::Array(items) => match lowest_error(&items) {
            Some(error) => Err(error.into()),
            None => Err(BadReply::new(status, body).into()),
        },
        _ => Err(BadReply::new(status, body).into()),
    }
}

fn json(status: u16, body: &[u8]) -> Result<Value, BadReply> {
    if status != 200 {
        return Err(BadReply::new(status, body));
    }
    serde_json::from_slice(body).map_err(|_| BadReply::new(status, body))
}

fn lowest_error(items: &[Value]) -> Option<ApiError> {
    let errors = items
        .iter()
        .filter_map(|item| read_error(item.get("error")?));
    errors.min_by_key(|error| error.number)
}

/// The number comes as text from some.
fn read_error(error: &Value) -> Option<ApiError> {
    let number = error.get("type")?;
    let number = number
        .as_u64()
        .or_else(|| number.as_str()?.trim().parse().ok())?;
    let text = |key: &str| shown(error.get(key).and_then(Value::as_str).unwrap_or_default());
    Some(ApiError {
        number: u32::try_from(number).ok()?,
        address: text("address"),
        description: text("description"),
    })
}

fn shown(text: &str) -> String {
    let plain = text.chars().filter(|c| !c.is_control());
    plain.take(EXCERPT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(body: &str) -> ApiError {
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
                Meaning::NoSuchParameter,
            ),
            // V5: typographic quotes.
            (
                r#"[{"error":{"type":2,"address":"/config","description":"body contains invalid json"}}]"#,
                Meaning::InvalidJson,
            ),
            // V6: wrong key.
            (
                r#"[{"error":{"type":1,"address":"/config","description":"unauthorized user"}}]"#,
                Meaning::Unauthorized,
            ),
            (
                r#"[{"error":{"type":101,"address":"","description":"link button not pressed"}}]"#,
                Meaning::ButtonNotPressed,
            ),
            (
                r#"[{"error":{"type":"1","address":"/","description":"unauthorized user"}}]"#,
                Meaning::Unauthorized,
            ),
            (
                r#"[{"error":{"type":901,"address":"/lights","description":"Internal error, 404"}}]"#,
                Meaning::Internal,
            ),
            (
                r#"[{"error":{"type":9999,"address":"","description":"?"}}]"#,
                Meaning::Other,
            ),
        ] {
            assert_eq!(api(body).meaning(), meaning, "{body}");
        }
    }

    #[test]
    fn every_row_of_the_error_table() {
        for (number, meaning) in [
            (1, Meaning::Unauthorized),
            (2, Meaning::InvalidJson),
            (3, Meaning::NoSuchResource),
            (4, Meaning::NoSuchMethod),
            (5, Meaning::MissingParameter),
            (6, Meaning::NoSuchParameter),
            (7, Meaning::InvalidValue),
            (8, Meaning::ReadOnly),
            (11, Meaning::TooMany),
            (12, Meaning::PortalNeeded),
            (101, Meaning::ButtonNotPressed),
            (201, Meaning::LightIsOff),
            (203, Meaning::Full),
            (901, Meaning::Internal),
        ] {
            let body =
                format!(r#"[{{"error":{{"type":{number},"address":"/x","description":"d"}}}}]"#);
            assert_eq!(api(&body).meaning(), meaning);
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
        assert!(said.contains("(no HTTP)"), "{said}");
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
