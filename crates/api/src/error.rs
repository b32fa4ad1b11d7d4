//! Why something could not be done, for whoever asked: the API, a schedule, a rule.
//!
//! One [`RequestError`] is one sentence that names the thing, a `kind` for programs and, where there is one, a hint on what to
//! do. The kinds are those of the command line's exit codes and three more that only a server has. What led to it is
//! for the log and never leaves the process, because it may name files.

#[cfg(feature = "net")]
use plugs::{Capability, net::ContactError};
use serde::{Deserialize, Serialize};

/// The kind of an error; decides the HTTP status, and the exit code where a command waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// What was asked for makes no sense (400).
    Usage,
    /// Nobody has said who he is (401).
    Unauthenticated,
    /// Who asks may not (403).
    Forbidden,
    /// There is no such plug, group, schedule, … (404).
    NotFound,
    /// It contradicts what is already there, or something has changed since it was read (409, 412).
    Conflict,
    /// Failed for a reason that has no kind of its own (500).
    Failed,
    /// The plug refused, or did not do what it accepted (502).
    Refused,
    /// The plug's answer cannot be understood (502).
    BadAnswer,
    /// Something local is missing or taken (503).
    Local,
    /// The database cannot be reached, or the hub is about to end (503).
    Unavailable,
    /// The plug did not answer in time (504).
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

    /// Returns the exit code of a command that fails so.
    pub const fn exit_code(self) -> u8 {
        self.row().2
    }

    /// Returns the kind that a command reports: those that only a server distinguishes are wrong usage.
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
            ContactError::NoAnswer { .. } => Self::NoAnswer,
            ContactError::Refused { .. } => Self::Refused,
            ContactError::Unsupported { command, .. } => match command.capability() {
                Capability::Switch => Self::Refused,
                _ => Self::Usage,
            },
            ContactError::Busy { .. }
            | ContactError::Withdrawn { .. }
            | ContactError::Ended { .. } => Self::Unavailable,
            ContactError::BadAnswer { .. } => Self::BadAnswer,
            ContactError::PortTaken { .. } | ContactError::Io { .. } => Self::Local,
        }
    }
}

/// Why something could not be done.
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
    /// Makes an error; `message` is one sentence that names the thing, without a full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
            field: None,
            is_stale: false,
        }
    }

    /// What was asked for makes no sense.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, message)
    }

    /// There is no such thing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    /// It contradicts what is there.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conflict, message)
    }

    /// What is to be changed has changed since it was read.
    pub fn stale(message: impl Into<String>) -> Self {
        Self {
            is_stale: true,
            ..Self::new(ErrorKind::Conflict, message)
                .hint("read it again, and make the change on what is there now")
        }
    }

    /// The database, or the hub itself, is not there.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }

    /// Adds what can be done about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds which field of the input is meant, e.g. `when.at`.
    #[must_use]
    pub fn at(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Returns the kind.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns the sentence.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns what can be done about it.
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Returns which field of the input is meant.
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// Tells whether it is an `If-Match` that no longer holds.
    pub fn is_stale(&self) -> bool {
        self.is_stale
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

/// An error that is a part of an answer, and not the whole of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ErrorDocument {
    /// The kind of the error, for programs.
    pub kind: ErrorKind,
    /// One sentence that names the thing.
    pub message: String,
    /// What can be done about it.
    #[schema(required)]
    pub hint: Option<String>,
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

/// An error followed by its sources.
#[derive(Debug)]
pub struct ErrorChain<'a>(pub &'a dyn std::error::Error);

impl std::fmt::Display for ErrorChain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(cause) = next {
            write!(f, ": {cause}")?;
            next = cause.source();
        }
        Ok(())
    }
}

/// Returns as much of foreign text as a message can carry.
pub fn excerpt(text: &str) -> String {
    text.chars().take(64).collect()
}
