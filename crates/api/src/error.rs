//! Errors of requests: a kind for programs, a message, a hint and the field of the input.
//!
//! The kinds are those of the command's exit codes, and three more that only a server has. The sources of an error are logged and
//! never leave the process, because they may name files.

#[cfg(feature = "net")]
use plugs::{Capability, net::ContactError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The kind of an error; decides the HTTP status and the exit code of the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// Wrong input or configuration (HTTP 400, exit code 2).
    Usage,
    /// Authentication required (HTTP 401, exit code 2).
    Unauthenticated,
    /// Not allowed (HTTP 403, exit code 2).
    Forbidden,
    /// No such plug, group, schedule, … (HTTP 404, exit code 3).
    NotFound,
    /// A name is taken, or the object has changed since it was read (HTTP 409 or 412, exit code 2).
    Conflict,
    /// Failed for another reason (HTTP 500, exit code 1).
    Failed,
    /// The device refused, or did not do what it accepted (HTTP 502, exit code 5).
    Refused,
    /// A reply that cannot be understood (HTTP 502, exit code 6).
    BadAnswer,
    /// Something local is missing or taken (HTTP 503, exit code 7).
    Local,
    /// The hub, the broker or the database cannot be reached (HTTP 503, exit code 8).
    Unavailable,
    /// No reply in time (HTTP 504, exit code 4).
    NoAnswer,
}

impl ErrorKind {
    /// Returns the word in JSON, the HTTP status and the exit code of a command.
    const fn row(self) -> (&'static str, u16, u8) {
        match self {
            Self::Failed => ("failed", 500, 1),
            Self::Usage => ("usage", 400, 2),
            Self::Unauthenticated => ("unauthenticated", 401, 2),
            Self::Forbidden => ("forbidden", 403, 2),
            // A taken name is wrong usage of a command.
            Self::Conflict => ("conflict", 409, 2),
            Self::NotFound => ("not_found", 404, 3),
            Self::NoAnswer => ("no_answer", 504, 4),
            Self::Refused => ("refused", 502, 5),
            Self::BadAnswer => ("bad_answer", 502, 6),
            Self::Local => ("local", 503, 7),
            Self::Unavailable => ("unavailable", 503, 8),
        }
    }

    /// Returns the word in JSON.
    pub const fn as_str(self) -> &'static str {
        self.row().0
    }

    /// Returns the HTTP status.
    pub const fn status(self) -> u16 {
        self.row().1
    }

    /// Returns the exit code of a command that fails with this kind.
    pub const fn exit_code(self) -> u8 {
        self.row().2
    }

    /// Returns the kind that a command reports: kinds that only a server distinguishes become wrong usage.
    #[must_use]
    pub const fn of_command(self) -> Self {
        match self {
            Self::Unauthenticated | Self::Forbidden | Self::Conflict => Self::Usage,
            other => other,
        }
    }
}

#[cfg(feature = "net")]
impl From<&ContactError> for ErrorKind {
    fn from(error: &ContactError) -> Self {
        match error {
            ContactError::NoAnswer { .. } | ContactError::NoCommands { .. } => Self::NoAnswer,
            ContactError::Refused { .. } => Self::Refused,
            ContactError::Unsupported { command, .. } => match command.capability() {
                Capability::Switch => Self::Refused,
                _ => Self::Usage,
            },
            ContactError::DelayTooLong { .. } => Self::Usage,
            ContactError::Busy { .. }
            | ContactError::Withdrawn { .. }
            | ContactError::Ended { .. } => Self::Unavailable,
            ContactError::BadAnswer { .. } => Self::BadAnswer,
            ContactError::PortTaken { .. } | ContactError::Io { .. } => Self::Local,
        }
    }
}

/// Error of a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RequestError {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    field: Option<String>,
    is_stale: bool,
}

impl RequestError {
    /// Makes an error; `message` is one clause with the failure and the object.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
            field: None,
            is_stale: false,
        }
    }

    /// Makes an error of kind `usage`.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, message)
    }

    /// Makes an error of kind `not_found`.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    /// Makes an error of kind `conflict`.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conflict, message)
    }

    /// Makes an error of kind `conflict` about an object that has changed since it was read.
    pub fn stale(message: impl Into<String>) -> Self {
        Self {
            is_stale: true,
            ..Self::new(ErrorKind::Conflict, message).hint("read it again and repeat the change")
        }
    }

    /// Makes an error of kind `unavailable`.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }

    /// Adds a hint: the next step for the user.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the field of the input that is wrong, e.g. `when.at`.
    #[must_use]
    pub fn at(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Returns the kind.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns the message.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the hint.
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Returns the field of the input that is wrong.
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// Returns `true` for an `If-Match` that no longer applies.
    pub fn is_stale(&self) -> bool {
        self.is_stale
    }

    /// Returns the HTTP status: that of its kind, or 412 for an `If-Match` that no longer applies.
    pub fn status(&self) -> u16 {
        match self.is_stale {
            true => 412,
            false => self.kind().status(),
        }
    }
}

#[cfg(feature = "net")]
impl From<&ContactError> for RequestError {
    fn from(error: &ContactError) -> Self {
        Self {
            hint: error.hint(),
            ..Self::new(error.into(), error.to_string())
        }
    }
}

/// An error as a part of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorDocument {
    /// The kind of the error, for programs.
    pub kind: ErrorKind,
    /// The failure and the object, in one clause.
    pub message: String,
    /// The next step for the user.
    #[schema(required)]
    pub hint: Option<String>,
}

/// An error as a response: `application/problem+json` (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProblemDocument {
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The kind of the error, for programs.
    pub kind: ErrorKind,
    /// The failure and the object, in one clause.
    pub detail: String,
    /// The next step for the user.
    #[schema(required)]
    pub hint: Option<String>,
    /// The field of the input that is wrong.
    #[schema(required)]
    pub field: Option<String>,
}

impl From<RequestError> for ErrorDocument {
    fn from(error: RequestError) -> Self {
        Self {
            kind: error.kind,
            message: error.message,
            hint: error.hint,
        }
    }
}

/// An error followed by its sources. A source that ends the message of the error before it is not repeated.
#[derive(Debug)]
pub struct ErrorChain<'a>(pub &'a dyn std::error::Error);

impl ErrorChain<'_> {
    /// Returns the messages of the error and its sources.
    pub fn messages(&self) -> Vec<String> {
        let chain = std::iter::successors(Some(self.0), |&error| error.source());
        let mut messages: Vec<String> = Vec::new();
        for message in chain.map(ToString::to_string) {
            let is_repeated = |before: &String| before.ends_with(&message);
            if !messages.last().is_some_and(is_repeated) {
                messages.push(message);
            }
        }
        messages
    }
}

impl std::fmt::Display for ErrorChain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.messages().join(": "))
    }
}

/// Returns a part of foreign text that is short enough for a message.
pub fn excerpt(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Failed {
        #[error("the socket failed")]
        Socket(#[source] std::io::Error),
        #[error("the database failed: {0}")]
        Database(#[source] Box<Failed>),
    }

    #[test]
    fn a_cause_that_is_told_is_not_repeated() {
        let cause = || Failed::Socket(std::io::Error::other("refused"));
        assert_eq!(
            ErrorChain(&cause()).to_string(),
            "the socket failed: refused"
        );
        let error = Failed::Database(Box::new(cause()));
        assert_eq!(
            ErrorChain(&error).to_string(),
            "the database failed: the socket failed: refused"
        );
    }
}
