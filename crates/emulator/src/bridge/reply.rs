//! A request as a bridge takes it, and its answer.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::behaviour::Mangle;

/// A request of a client.
#[derive(Debug, Clone, Copy)]
pub struct RoomRequest<'a> {
    /// `GET`, `PUT`, `POST` or `DELETE`.
    pub method: &'a str,
    /// The path with query and fragment.
    pub path: &'a str,
    /// The header `hue-application-key`.
    pub key: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
    /// Came by HTTPS.
    pub is_secure: bool,
}

/// Reply of a bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BridgeAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The content type.
    pub content_type: &'static str,
    /// Target of a redirection.
    pub location: Option<String>,
    /// The body.
    pub body: Vec<u8>,
    /// Its delay.
    pub after: Duration,
    /// The ways in which it is spoilt on its way.
    pub mangles: Vec<Mangle>,
    /// The body never ends: events follow.
    pub is_stream: bool,
}

impl BridgeAnswer {
    pub(super) fn new(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            content_type,
            location: None,
            body: body.into(),
            after: Duration::ZERO,
            mangles: Vec::new(),
            is_stream: false,
        }
    }

    pub(super) fn json(status: u16, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("replies have text for keys and finite numbers");
        Self::new(status, "application/json", body)
    }

    /// The beginning of a stream of events.
    pub(super) fn stream() -> Self {
        Self {
            is_stream: true,
            ..Self::new(200, "text/event-stream", ": hi\n\n")
        }
    }

    pub(super) fn not_found() -> Self {
        Self::new(
            404,
            "text/html",
            "<html><head><title>404</title></head><body>Not found</body></html>",
        )
    }

    pub(super) fn moved(location: String) -> Self {
        Self {
            location: Some(location),
            ..Self::new(
                301,
                "text/html",
                "<html><head><title>301</title></head><body>Moved</body></html>",
            )
        }
    }

    /// A list of successes and errors.
    pub(super) fn items(items: &[ReplyItem], text_numbers: bool) -> Self {
        let rendered: Vec<RenderedItem<'_>> =
            items.iter().map(|item| item.render(text_numbers)).collect();
        Self::json(200, &rendered)
    }
}

/// One thing that worked or did not.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ReplyItem {
    Success(Value),
    Error {
        number: u32,
        address: String,
        description: String,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum RenderedItem<'a> {
    Success(&'a Value),
    Error {
        r#type: ErrorNumber,
        address: &'a str,
        description: &'a str,
    },
}

#[derive(Serialize)]
#[serde(untagged)]
enum ErrorNumber {
    Plain(u32),
    Text(String),
}

impl ReplyItem {
    fn render(&self, text_numbers: bool) -> RenderedItem<'_> {
        match self {
            Self::Success(value) => RenderedItem::Success(value),
            Self::Error {
                number,
                address,
                description,
            } => RenderedItem::Error {
                r#type: if text_numbers {
                    ErrorNumber::Text(number.to_string())
                } else {
                    ErrorNumber::Plain(*number)
                },
                address,
                description,
            },
        }
    }

    /// A value that was set, with its path.
    pub(super) fn set(path: String, value: Value) -> Self {
        Self::Success(Value::Object([(path, value)].into_iter().collect()))
    }

    pub(super) fn error(
        number: u32,
        address: impl Into<String>,
        description: impl Into<String>,
    ) -> Self {
        Self::Error {
            number,
            address: address.into(),
            description: description.into(),
        }
    }

    pub(super) fn unauthorized(resource: &str) -> Self {
        Self::error(1, resource, "unauthorized user")
    }

    pub(super) fn invalid_json(resource: &str) -> Self {
        Self::error(2, resource, "body contains invalid json")
    }

    pub(super) fn no_resource(resource: &str) -> Self {
        Self::error(3, resource, format!("resource, {resource}, not available"))
    }

    pub(super) fn no_method(method: &str, resource: &str) -> Self {
        let description = format!("method, {method}, not available for resource, {resource}");
        Self::error(4, resource, description)
    }

    pub(super) fn missing(resource: &str) -> Self {
        Self::error(5, resource, "invalid/missing parameters in body")
    }

    pub(super) fn no_parameter(resource: &str, name: &str) -> Self {
        Self::error(
            6,
            format!("{resource}/{name}"),
            format!("parameter, {name}, not available"),
        )
    }

    pub(super) fn invalid_value(resource: &str, name: &str, value: &Value) -> Self {
        let value = match value {
            Value::String(text) => text.clone(),
            value => value.to_string(),
        };
        let description = format!("invalid value, {value}, for parameter, {name}");
        Self::error(7, format!("{resource}/{name}"), description)
    }

    pub(super) fn read_only(resource: &str, name: &str) -> Self {
        Self::error(
            8,
            format!("{resource}/{name}"),
            format!("parameter, {name}, is not modifiable"),
        )
    }

    /// An error by its number alone, with the words that belong to it.
    pub(super) fn by_number(number: u32, method: &str, resource: &str) -> Self {
        let plain = |words: &str| Self::error(number, resource, words);
        match number {
            1 => Self::unauthorized(resource),
            2 => Self::invalid_json(resource),
            3 => Self::no_resource(resource),
            4 => Self::no_method(method, resource),
            5 => Self::missing(resource),
            6 => Self::no_parameter(resource, "touchlink"),
            7 => plain("invalid value,  foobar }, for parameter, on"),
            8 => plain("parameter, touchlink, is not modifiable"),
            11 => plain("too many items in list"),
            12 => plain("Portal connection required"),
            101 => Self::error(101, "", "link button not pressed"),
            201 => plain("parameter, alert, is not modifiable. Device is set to off."),
            203 => plain("Commissionable light list full"),
            901 => plain("Internal error, 404"),
            number => plain(&format!("error {number}")),
        }
    }
}
