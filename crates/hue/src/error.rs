//! Errors of everything that is done with a bridge.

use std::io;

use crate::fingerprint::Fingerprint;
use crate::identity::{BridgeId, NotABridge};
use crate::reply::{BadReply, BridgeError, ReplyError};

/// Reason why no reply arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum HueNoReplyReason {
    /// Nothing arrived in time.
    #[error("timed out")]
    TimedOut,
    /// The connection was refused.
    #[error("connection refused")]
    Refused,
    /// There is no route to the host, or no such name.
    #[error("host unreachable")]
    Unreachable,
    /// The connection ended before a reply.
    #[error("connection closed before a reply")]
    Closed,
}

/// Reason why a certificate is not accepted as the bridge's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateProblem {
    /// It is for another name.
    #[error("certificate is for \u{2018}{found}\u{2019}, not for this bridge")]
    WrongName {
        /// The name in it.
        found: String,
    },
    /// It is no longer, or not yet, valid.
    #[error("certificate is not valid today")]
    Expired,
    /// It differs from the one that was seen first.
    #[error("certificate is not the one that was accepted before")]
    Changed,
    /// The bridge had a certificate signed by the vendor before, and this one is not.
    #[error("certificate is no longer signed by the vendor")]
    NoLongerSigned,
    /// It is malformed, or its signature is wrong.
    #[error("certificate is malformed or has a wrong signature")]
    Broken,
    /// There is none, although this bridge has one.
    #[error("no certificate (plain HTTP), although this bridge has one")]
    Missing,
    /// It is self-signed and was not accepted yet.
    #[error("self-signed certificate not accepted yet (SHA-256 {fingerprint})")]
    Unknown {
        /// The SHA-256 of the certificate.
        fingerprint: Fingerprint,
    },
}

/// Failure of the vendor's lookup service on the internet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloudError {
    /// It does not reply, perhaps because there is no internet connection.
    #[error("no reply: {0}")]
    NoReply(HueNoReplyReason),
    /// It was asked too often (429).
    #[error("too many requests from this network (status 429)")]
    TooOften,
    /// Its certificate is not trusted by this computer.
    #[error("certificate not trusted by this computer")]
    Untrusted,
    /// The reply is not a list of bridges.
    #[error("{0}")]
    BadReply(BadReply),
}

/// Failure of something that was done with a bridge. The message names the bridge; it never contains a key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HueError {
    /// The bridge does not reply.
    #[error("no reply from the bridge at {at}: {reason}")]
    NoReply {
        /// Its address.
        at: String,
        /// The reason.
        reason: HueNoReplyReason,
    },
    /// The bridge replies, but not on the port that starts a touchlink.
    #[error("bridge {at} does not reply on port 30000 (its firmware may not offer it): {reason}")]
    NoTouchlink {
        /// The bridge.
        at: String,
        /// The reason.
        reason: HueNoReplyReason,
    },
    /// The device at the address is not a Hue bridge.
    #[error("{at}: {problem}")]
    NotABridge {
        /// Its address.
        at: String,
        /// The problem.
        problem: NotABridge,
    },
    /// Another bridge than the requested one replies.
    #[error("the bridge at {at} is {found}, not {expected}")]
    OtherBridge {
        /// Its address.
        at: String,
        /// The bridge that replies.
        found: BridgeId,
        /// The requested bridge.
        expected: BridgeId,
    },
    /// The certificate was not accepted. No key was sent.
    #[error("{at}: {problem}")]
    Certificate {
        /// Its address.
        at: String,
        /// The problem.
        problem: CertificateProblem,
    },
    /// The bridge refused.
    #[error("bridge {at}: {error}")]
    Refused {
        /// The bridge.
        at: String,
        /// Its error.
        error: BridgeError,
    },
    /// The bridge is overloaded (429, 503) and stays so.
    #[error("bridge {at} is overloaded (status {status})")]
    Busy {
        /// The bridge.
        at: String,
        /// The last status.
        status: u16,
    },
    /// The reply is unintelligible.
    #[error("bridge {at}: {reply}")]
    BadReply {
        /// The bridge.
        at: String,
        /// The reply.
        reply: BadReply,
    },
    /// No light has this id, name or unique id.
    #[error("bridge {at} has no light \u{2018}{name}\u{2019}")]
    NoSuchLight {
        /// The bridge.
        at: String,
        /// The requested light.
        name: String,
    },
    /// Several lights have this name.
    #[error("bridge {at} has several lights named \u{2018}{name}\u{2019}: {ids}")]
    SeveralLights {
        /// The bridge.
        at: String,
        /// The requested light.
        name: String,
        /// Their ids.
        ids: String,
    },
    /// No bridge with this id was found.
    #[error("bridge {0} not found")]
    NoSuchBridge(BridgeId),
    /// The vendor's lookup service failed.
    #[error("lookup at discovery.meethue.com failed: {0}")]
    Cloud(CloudError),
    /// There is no key for this bridge.
    #[error("no application key for bridge {0}")]
    NotPaired(String),
    /// The request is impossible as given.
    #[error("{0}")]
    Usage(String),
    /// The bridge searches for lights and does not stop.
    #[error("bridge {at} is still searching for lights after two minutes")]
    StillSearching {
        /// The bridge.
        at: String,
    },
    /// A flow stopped halfway, with the bulb in an intermediate state.
    #[error("{cause}; {state}")]
    Unfinished {
        /// The state that was reached, and how to continue.
        state: String,
        /// The error that stopped the flow; it decides the kind of the failure.
        #[source]
        cause: Box<HueError>,
    },
    /// The operator declined. Nothing was changed since the question.
    #[error("stopped: not confirmed")]
    NotConfirmed,
    /// A file or an interface of this computer cannot be used.
    #[error("{what}")]
    Local {
        /// The failed operation.
        what: String,
        /// The reason.
        #[source]
        source: io::Error,
    },
}

impl HueError {
    /// Makes the error for a reply that is an error or unintelligible.
    pub fn from_reply(at: impl Into<String>, error: ReplyError) -> Self {
        let at = at.into();
        match error {
            ReplyError::Api(error) => Self::Refused { at, error },
            ReplyError::Bad(reply) => Self::BadReply { at, reply },
        }
    }

    /// Returns the underlying error, which for an unfinished flow is what stopped it.
    pub fn cause(&self) -> &Self {
        match self {
            Self::Unfinished { cause, .. } => cause.cause(),
            _ => self,
        }
    }

    /// Returns what to do next, in the imperative.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::NoReply { .. } => {
                "check that it is switched on and on this network; `mains hue discover` lists the bridges that reply"
            }
            Self::NoTouchlink { .. } => {
                "omit `--via` to try every method that the bridge offers, or give the bulb's serial number"
            }
            Self::NotABridge { .. } | Self::OtherBridge { .. } | Self::NoSuchBridge(_) => {
                "run `mains hue discover` to list the bridges that reply"
            }
            Self::Certificate { problem, .. } => match problem {
                CertificateProblem::Unknown { .. } => "run `mains hue pair` to accept it",
                CertificateProblem::Changed => {
                    "if the bridge was reset or replaced, run `mains hue pair` again; otherwise the connection may be intercepted"
                }
                CertificateProblem::Missing => {
                    "the connection may be intercepted; if not, run `mains hue pair http://\u{2026}` to pair without a certificate"
                }
                _ => "the connection may be intercepted; nothing secret was sent",
            },
            Self::Refused { error, .. } => return error.kind().hint(),
            Self::Unfinished { cause, .. } => return cause.hint(),
            Self::Busy { .. } | Self::StillSearching { .. } => "wait a minute and try again",
            Self::BadReply { .. } => {
                "check that this is a Philips Hue bridge, not an emulator or a proxy"
            }
            Self::NoSuchLight { .. } | Self::SeveralLights { .. } => {
                "run `mains hue lights`, then give the id or the unique id"
            }
            Self::Cloud(CloudError::TooOften) => {
                "wait a quarter of an hour, or omit --cloud to search this network only"
            }
            Self::Cloud(_) => "omit --cloud to search this network only",
            Self::NotPaired(_) => "run `mains hue pair` first",
            Self::Usage(_) | Self::NotConfirmed | Self::Local { .. } => return None,
        })
    }
}
