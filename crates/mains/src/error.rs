//! Failures with their exit codes and their form in JSON.
//!
//! A [`Failure`] is one sentence for a person, one `kind` for a program and, where there is one, a hint. The kinds and
//! codes are fixed by the outside contract. Errors of the crates below become a `Failure` here and nowhere else, so that
//! the same fault has the same code in every verb.

use std::fmt;
use std::process::ExitCode;

use api::ErrorChain;
pub use api::ErrorKind as Kind;
use api::client::{ClientError, Refusal};
use hiflying::net::BindError;
use hue::{CertificateProblem, CloudError, HueError};
use plugs::net::ContactError;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

/// Result of a verb.
pub type Outcome = Result<Exit, Failure>;

/// End of a verb that printed its own result: done, or with the code of a failure that it has already reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit(Option<Kind>);

impl Exit {
    /// Done, and confirmed where a confirmation exists.
    pub const DONE: Self = Self(None);

    /// Ends with the code of `kind`; the verb has reported the failure.
    pub fn with(kind: Kind) -> Self {
        Self(Some(kind))
    }

    /// Returns the kind whose code the process ends with, if it is not "done".
    pub fn kind(self) -> Option<Kind> {
        self.0
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.0.map_or(0, Kind::exit_code))
    }
}

/// Failure of a verb. Serializes as `{"kind", "message", "hint"}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    kind: Kind,
    message: String,
    hint: Option<String>,
    causes: Vec<String>,
}

impl Failure {
    /// Creates a failure of this kind; `message` is one clause that names the object, without a full stop.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind: kind.of_command(),
            message: message.into(),
            hint: None,
            causes: Vec::new(),
        }
    }

    /// Shorthand for [`Kind::Failed`].
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message)
    }

    /// Shorthand for [`Kind::Usage`].
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// Shorthand for [`Kind::Local`].
    pub fn local(message: impl Into<String>) -> Self {
        Self::new(Kind::Local, message)
    }

    /// Adds what the user can do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the error that led to this one, with its own causes; the message must not repeat it.
    #[must_use]
    pub fn caused_by(mut self, cause: &(dyn std::error::Error + 'static)) -> Self {
        self.causes.extend(ErrorChain(cause).messages());
        self
    }

    /// Puts the object it is about in front.
    #[must_use]
    pub fn about(mut self, subject: &str) -> Self {
        self.message = format!("{subject}: {}", self.message);
        self
    }

    /// Returns the kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the sentence alone, without its causes.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the hint.
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

/// Formats the sentence followed by its causes.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.causes
            .iter()
            .try_for_each(|cause| write!(f, ": {cause}"))
    }
}

impl std::error::Error for Failure {}

impl Serialize for Failure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Failure", 3)?;
        object.serialize_field("kind", &self.kind)?;
        object.serialize_field("message", &self.to_string())?;
        object.serialize_field("hint", &self.hint)?;
        object.end()
    }
}

impl From<BindError> for Failure {
    fn from(error: BindError) -> Self {
        Self::from(&error)
    }
}

impl From<&BindError> for Failure {
    fn from(error: &BindError) -> Self {
        let failure = Self::local(error.to_string());
        match error {
            BindError::Taken { .. } => {
                failure.hint("an SP-2 answers to that port alone: end the program that holds it")
            }
            BindError::NoPermission { .. } => failure,
            BindError::Io { source, .. } => failure.caused_by(source),
        }
    }
}

impl From<api::RequestError> for Failure {
    fn from(error: api::RequestError) -> Self {
        let message = match error.field() {
            Some(field) if !error.message().contains(field) => {
                format!("{field}: {}", error.message())
            }
            _ => error.message().to_owned(),
        };
        let failure = Self::new(error.kind(), message);
        match error.hint_text() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let hint = match &error {
            ClientError::InvalidToken => Some("set MAINS_TOKEN to the token alone, on one line"),
            ClientError::NotAHub { .. } => Some(
                "is this the address of a hub of the same version? `mains serve` prints its address",
            ),
            ClientError::Unreachable { url, source }
                if url.is_https() && ErrorChain(source).to_string().contains("certificate") =>
            {
                Some(
                    "set `ca_file` in [hub] of the configuration (or MAINS_HUB_CA_FILE) to the certificate file to trust",
                )
            }
            ClientError::Unreachable { .. } => Some(
                "is it running at this address? `mains serve` starts a hub and prints its address",
            ),
            _ => None,
        };
        match error {
            ClientError::Refused(refusal) => refused(*refusal),
            error => {
                let mut failure = Self::new(error.kind(), error.to_string());
                failure.hint = hint.map(str::to_owned);
                match std::error::Error::source(&error) {
                    Some(source) => failure.caused_by(source),
                    None => failure,
                }
            }
        }
    }
}

fn refused(refusal: Refusal) -> Failure {
    let Refusal { url, error, .. } = refusal;
    if error.kind() == Kind::Unauthenticated {
        // The hub's own hint is for those who write HTTP.
        return Failure::from(error)
            .about(&format!("the hub at {url}"))
            .hint("set MAINS_TOKEN to a token of this hub; `mains hub token add` on its computer creates one");
    }
    let is_stale = error.is_stale();
    let mut failure = Failure::from(error);
    if is_stale {
        // Someone else's edit is no wrong usage.
        failure.kind = Kind::Failed;
    }
    failure
}

impl From<ContactError> for Failure {
    fn from(error: ContactError) -> Self {
        let mut failure = Self::new(Kind::from(&error), error.to_string());
        if let Some(cause) = std::error::Error::source(&error) {
            failure = failure.caused_by(cause);
        }
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

impl From<HueError> for Failure {
    fn from(error: HueError) -> Self {
        let hint = error.hint();
        let failure = match &error {
            HueError::Local { what, source } => Self::local(what.as_str()).caused_by(source),
            other => Self::new(hue_kind(other), other.to_string()),
        };
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

fn hue_kind(error: &HueError) -> Kind {
    match error.cause() {
        HueError::NoSuchBridge(_) | HueError::OtherBridge { .. } | HueError::NoSuchLight { .. } => {
            Kind::NotFound
        }
        HueError::NoReply { .. }
        | HueError::NoTouchlink { .. }
        | HueError::Cloud(CloudError::NoReply(_)) => Kind::NoAnswer,
        HueError::Refused { .. }
        | HueError::Busy { .. }
        | HueError::StillSearching { .. }
        | HueError::Cloud(CloudError::TooOften) => Kind::Refused,
        // The certificate is not wrong; whether to trust it is an open question to the user.
        HueError::Certificate {
            problem: CertificateProblem::Unknown { .. },
            ..
        } => Kind::Usage,
        HueError::NotABridge { .. }
        | HueError::Certificate { .. }
        | HueError::BadReply { .. }
        | HueError::Cloud(_) => Kind::BadAnswer,
        HueError::SeveralLights { .. }
        | HueError::NotPaired(_)
        | HueError::Usage(_)
        | HueError::NotConfirmed => Kind::Usage,
        HueError::Local { .. } => Kind::Local,
        _ => Kind::Failed,
    }
}

/// Document of a command that fails as a whole: `{"error":{…}}`.
#[derive(Debug, Serialize)]
pub struct FailureDocument<'a> {
    /// The failure.
    pub error: &'a Failure,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_kinds_are_those_of_the_contract() {
        let table = [
            (Kind::Failed, 1, "failed"),
            (Kind::Usage, 2, "usage"),
            (Kind::NotFound, 3, "not_found"),
            (Kind::NoAnswer, 4, "no_answer"),
            (Kind::Refused, 5, "refused"),
            (Kind::BadAnswer, 6, "bad_answer"),
            (Kind::Local, 7, "local"),
            (Kind::Unavailable, 8, "unavailable"),
        ];
        for (kind, code, name) in table {
            assert_eq!(kind.exit_code(), code);
            assert_eq!(serde_json::to_value(kind).unwrap(), name);
        }
    }

    #[test]
    fn what_a_bridge_says_or_does_not_say() {
        use hue::reply::BadReply;
        use hue::{BridgeError, HueNoReplyReason};
        let at = || "192.0.2.10".to_owned();
        let api = |number| BridgeError {
            number,
            address: "/lights".to_owned(),
            description: "d".to_owned(),
        };
        let certificate = |problem| HueError::Certificate { at: at(), problem };
        let id = || "001788fffe010203".parse().unwrap();
        let table = [
            (HueError::NoSuchBridge(id()), 3),
            (
                HueError::Cloud(CloudError::NoReply(HueNoReplyReason::TimedOut)),
                4,
            ),
            (HueError::Cloud(CloudError::TooOften), 5),
            (HueError::Cloud(CloudError::Untrusted), 6),
            (
                HueError::OtherBridge {
                    at: at(),
                    found: id(),
                    expected: id(),
                },
                3,
            ),
            (
                HueError::NoSuchLight {
                    at: at(),
                    name: "x".to_owned(),
                },
                3,
            ),
            (
                HueError::NoReply {
                    at: at(),
                    reason: HueNoReplyReason::Refused,
                },
                4,
            ),
            (
                HueError::NoTouchlink {
                    at: at(),
                    reason: HueNoReplyReason::Refused,
                },
                4,
            ),
            (
                HueError::Busy {
                    at: at(),
                    status: 429,
                },
                5,
            ),
            (
                HueError::NotABridge {
                    at: at(),
                    problem: hue::identity::NotABridge("x".to_owned()),
                },
                6,
            ),
            (
                HueError::BadReply {
                    at: at(),
                    reply: BadReply::new(200, b"[]"),
                },
                6,
            ),
            (
                certificate(CertificateProblem::WrongName {
                    found: "x".to_owned(),
                }),
                6,
            ),
            (certificate(CertificateProblem::Expired), 6),
            (certificate(CertificateProblem::Changed), 6),
            (certificate(CertificateProblem::NoLongerSigned), 6),
            (certificate(CertificateProblem::Broken), 6),
            (
                certificate(CertificateProblem::Unknown {
                    fingerprint: hue::Fingerprint::new([0; 32]),
                }),
                2,
            ),
            (
                HueError::SeveralLights {
                    at: at(),
                    name: "x".to_owned(),
                    ids: "1, 2".to_owned(),
                },
                2,
            ),
            (HueError::NotPaired(at()), 2),
            (HueError::Usage(at()), 2),
            (HueError::NotConfirmed, 2),
            (
                HueError::Local {
                    what: "x".to_owned(),
                    source: std::io::Error::other("y"),
                },
                7,
            ),
        ];
        for (error, code) in table {
            assert_eq!(Failure::from(error).kind().exit_code(), code);
        }
        for number in [1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 101, 201, 203, 901, 9999] {
            let refused = HueError::Refused {
                at: at(),
                error: api(number),
            };
            let failure = Failure::from(refused);
            assert_eq!(failure.kind(), Kind::Refused);
            assert!(failure.message().contains(&format!("error {number}")));
        }
    }

    #[test]
    fn a_failure_without_a_hint_still_has_the_field() {
        let failure = Failure::usage("no").caused_by(&std::io::Error::other("because"));
        let json = serde_json::to_string(&FailureDocument { error: &failure }).unwrap();
        assert_eq!(
            json,
            r#"{"error":{"kind":"usage","message":"no: because","hint":null}}"#
        );
    }
}
