//! Errors of the client.

use std::error::Error;
use std::path::PathBuf;

use plugs::RelayState;
use reqwest::StatusCode;
use serde::Deserialize;

use super::url::HubUrl;
use crate::error::{ErrorKind, RequestError};

/// Maximum length of a message that is passed on, in characters.
const MAX_MESSAGE_LEN: usize = 2_000;

/// A request to a hub that failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The token cannot be sent in a header.
    #[error("the token contains characters that no token has")]
    InvalidToken,
    /// The file of trusted certificates cannot be used.
    #[error("the certificate file {} {problem}", file.display())]
    Certificates {
        /// The file.
        file: PathBuf,
        /// The problem, as the end of a sentence.
        problem: &'static str,
        /// The error that led to it.
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// HTTP or TLS cannot be set up on this computer.
    #[error("HTTP cannot be set up")]
    Setup(#[source] reqwest::Error),
    /// There is no connection, or it broke.
    #[error("the hub at {url} cannot be reached")]
    Unreachable {
        /// The address of the hub.
        url: HubUrl,
        /// The error of the transport.
        source: reqwest::Error,
    },
    /// No reply in time.
    #[error("no reply from the hub at {url}")]
    Timeout {
        /// The address of the hub.
        url: HubUrl,
    },
    /// A proxy reports that the hub is down.
    #[error("the hub at {url} is not available ({status})")]
    Gateway {
        /// The address of the hub.
        url: HubUrl,
        /// The status of the reply.
        status: StatusCode,
    },
    /// The reply is not that of a hub.
    #[error("the server at {url} does not reply like a hub (status {status})")]
    NotAHub {
        /// The address of the server.
        url: HubUrl,
        /// The status of the reply.
        status: StatusCode,
        /// The error of reading it, if there is one.
        source: Option<serde_json::Error>,
    },
    /// The reply or an event exceeds the maximum size.
    #[error("the reply of the hub at {url} is too long")]
    TooLong {
        /// The address of the hub.
        url: HubUrl,
    },
    /// The hub refused the request.
    #[error("{}", .0.error)]
    Refused(Box<Refusal>),
}

/// A reply of the hub that refuses a request and gives the reason.
#[derive(Debug)]
pub struct Refusal {
    /// The address of the hub.
    pub url: HubUrl,
    /// The status of the reply.
    pub status: StatusCode,
    /// The reason.
    pub error: RequestError,
    /// `true` if the plug accepted the command but did not carry it out.
    pub(super) accepted: bool,
    /// The relay as it was read last.
    pub(super) relay: Option<RelayState>,
}

impl ClientError {
    /// Returns the kind of the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::InvalidToken | Self::Certificates { .. } => ErrorKind::Usage,
            Self::Setup(_) => ErrorKind::Local,
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::Gateway { .. } => {
                ErrorKind::Unavailable
            }
            Self::NotAHub { .. } | Self::TooLong { .. } => ErrorKind::BadAnswer,
            Self::Refused(refusal) => refusal.error.kind(),
        }
    }
}

/// The fields of `application/problem+json` that matter here.
#[derive(Deserialize)]
struct ProblemFields {
    kind: ErrorKind,
    title: Option<String>,
    detail: Option<String>,
    hint: Option<String>,
    field: Option<String>,
    relay: Option<RelayState>,
    #[serde(default)]
    accepted: bool,
}

/// The errors of requests to the hub at this address.
impl HubUrl {
    pub(super) fn refused(&self, status: StatusCode, body: &[u8]) -> ClientError {
        let url = self.clone();
        let Ok(problem) = serde_json::from_slice::<ProblemFields>(body) else {
            return match status {
                StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT => ClientError::Gateway { url, status },
                _ => self.not_a_hub(status, None),
            };
        };
        let message = problem
            .detail
            .or(problem.title)
            .filter(|message| !message.trim().is_empty())
            .unwrap_or_else(|| format!("the hub at {url} replies {status}"));
        let message: String = message.chars().take(MAX_MESSAGE_LEN).collect();
        let mut error = match status {
            StatusCode::PRECONDITION_FAILED => RequestError::stale(message),
            _ => RequestError::new(problem.kind, message),
        };
        if let Some(hint) = problem.hint {
            error = error.hint(hint);
        }
        if let Some(field) = problem.field {
            error = error.at(field);
        }
        ClientError::Refused(Box::new(Refusal {
            url,
            status,
            error,
            accepted: problem.accepted,
            relay: problem.relay,
        }))
    }

    pub(super) fn not_a_hub(
        &self,
        status: StatusCode,
        source: Option<serde_json::Error>,
    ) -> ClientError {
        let url = self.clone();
        ClientError::NotAHub {
            url,
            status,
            source,
        }
    }

    pub(super) fn too_long(&self) -> ClientError {
        let url = self.clone();
        ClientError::TooLong { url }
    }

    pub(super) fn timed_out(&self) -> ClientError {
        let url = self.clone();
        ClientError::Timeout { url }
    }

    pub(super) fn unreachable(&self, error: reqwest::Error) -> ClientError {
        let url = self.clone();
        match error.is_timeout() && !error.is_connect() {
            true => ClientError::Timeout { url },
            false => ClientError::Unreachable {
                url,
                source: error.without_url(),
            },
        }
    }
}
