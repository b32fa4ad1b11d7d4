//! Why something with a bridge came to nothing.

use std::io;

use crate::fingerprint::Fingerprint;
use crate::identity::{BridgeId, NotABridge};
use crate::reply::{ApiError, BadReply, ReplyError};

/// How nothing was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Silence {
    /// Nothing came in time.
    #[error("nothing came in time")]
    TimedOut,
    /// The connection was refused.
    #[error("the connection was refused")]
    Refused,
    /// There is no way to it, or no such name.
    #[error("there is no way to it")]
    Unreachable,
    /// The connection ended before an answer.
    #[error("the connection ended before an answer")]
    Closed,
}

/// Why a certificate is not the bridge's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateProblem {
    /// It is for another name.
    #[error("its certificate is for \u{2018}{found}\u{2019}, not for this bridge")]
    WrongName {
        /// The name in it.
        found: String,
    },
    /// It is no longer, or not yet, valid.
    #[error("its certificate is not valid today")]
    Expired,
    /// It is another than the one that was seen first.
    #[error("its certificate is not the one that was accepted before")]
    Changed,
    /// It was signed by the vendor before, and is not any more.
    #[error("its certificate was signed by the vendor before, and is not now")]
    NoLongerSigned,
    /// It cannot be read, or its signature is wrong.
    #[error("its certificate is broken")]
    Broken,
    /// There is none, and this bridge has one.
    #[error("it shows no certificate (plain HTTP), and this bridge has one")]
    Missing,
    /// Nobody has agreed to it yet.
    #[error("its certificate (SHA-256 {fingerprint}) is its own and was not accepted yet")]
    Unknown {
        /// The SHA-256 of the certificate.
        fingerprint: Fingerprint,
    },
}

/// Why the vendor's look-up in the internet came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloudError {
    /// It does not answer, perhaps because there is no way into the internet.
    #[error("it does not answer: {0}")]
    NoAnswer(Silence),
    /// It was asked too often (429).
    #[error("it was asked too often from this network (status 429)")]
    TooOften,
    /// Its certificate is not one that this computer trusts.
    #[error("its certificate is not trusted by this computer")]
    Untrusted,
    /// It says something else than a list of bridges.
    #[error("{0}")]
    BadReply(BadReply),
}

/// Why something with a bridge came to nothing. Each is one sentence that names the bridge; none carries a key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HueError {
    /// Nobody answers.
    #[error("no bridge answers at {at}: {how}")]
    NoAnswer {
        /// Where.
        at: String,
        /// How.
        how: Silence,
    },
    /// The bridge answers, but not on the port that starts a touchlink.
    #[error("bridge {at} does not answer on port 30000, which its firmware may not offer: {how}")]
    NoTouchlink {
        /// Which bridge.
        at: String,
        /// How.
        how: Silence,
    },
    /// What answers is no bridge, or another one than was meant.
    #[error("{at}: {problem}")]
    NotABridge {
        /// Where.
        at: String,
        /// What is wrong.
        problem: NotABridge,
    },
    /// Another bridge than the one that was meant.
    #[error("the bridge at {at} is {found}, not {expected}")]
    OtherBridge {
        /// Where.
        at: String,
        /// Which one is there.
        found: BridgeId,
        /// Which one was meant.
        expected: BridgeId,
    },
    /// The certificate is not the bridge's. No key was sent.
    #[error("{at}: {problem}")]
    Certificate {
        /// Where.
        at: String,
        /// What is wrong.
        problem: CertificateProblem,
    },
    /// The bridge said no.
    #[error("bridge {at}: {error}")]
    Refused {
        /// Which bridge.
        at: String,
        /// What it said.
        error: ApiError,
    },
    /// The bridge is overloaded (429, 503) and stays so.
    #[error("bridge {at} is too busy to answer (status {status})")]
    Busy {
        /// Which bridge.
        at: String,
        /// The last status.
        status: u16,
    },
    /// Nobody can tell what it said.
    #[error("bridge {at}: {reply}")]
    BadReply {
        /// Which bridge.
        at: String,
        /// What came.
        reply: BadReply,
    },
    /// No light has this id, name or unique id.
    #[error("bridge {at} has no light \u{2018}{name}\u{2019}")]
    NoSuchLight {
        /// Which bridge.
        at: String,
        /// What was asked for.
        name: String,
    },
    /// Several lights have this name.
    #[error("bridge {at} has several lights called \u{2018}{name}\u{2019}: {ids}")]
    SeveralLights {
        /// Which bridge.
        at: String,
        /// What was asked for.
        name: String,
        /// Their ids.
        ids: String,
    },
    /// No bridge with this id was found.
    #[error("no bridge {0} was found")]
    NoSuchBridge(BridgeId),
    /// The vendor's look-up in the internet, which was asked for, came to nothing.
    #[error("the vendor's look-up (discovery.meethue.com): {0}")]
    Cloud(CloudError),
    /// There is no key for this bridge.
    #[error("there is no application key for bridge {0}")]
    NotPaired(String),
    /// What was asked for cannot be.
    #[error("{0}")]
    Usage(String),
    /// It looks for lights, and does not stop.
    #[error("bridge {at} has been looking for lights for minutes and does not stop")]
    StillSearching {
        /// Which bridge.
        at: String,
    },
    /// Something was begun and could not be ended; what it is about stands in between.
    #[error("{cause}. {state}")]
    Unfinished {
        /// How things stand now, in whole sentences.
        state: String,
        /// Why it could not be ended. It says of what kind the failure is.
        #[source]
        cause: Box<HueError>,
    },
    /// The person did not agree. Nothing was changed since.
    #[error("stopped: it was not agreed to")]
    NotAgreed,
    /// A file or an interface of this computer.
    #[error("{what}")]
    Local {
        /// What could not be done.
        what: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl HueError {
    /// Makes it from what a reply said.
    pub fn of_reply(at: impl Into<String>, error: ReplyError) -> Self {
        let at = at.into();
        match error {
            ReplyError::Api(error) => Self::Refused { at, error },
            ReplyError::Bad(reply) => Self::BadReply { at, reply },
        }
    }

    /// Returns what it comes down to: an unfinished flow is of the kind of what ended it.
    pub fn cause(&self) -> &Self {
        match self {
            Self::Unfinished { cause, .. } => cause.cause(),
            _ => self,
        }
    }

    /// Returns what can be done about it, in a sentence without a full stop.
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::NoAnswer { .. } => Some(
                "is it switched on and on this network? `mains hue discover` shows the bridges that answer",
            ),
            Self::NoTouchlink { .. } => Some(
                "without `--via` every way is tried that the bridge knows; a bulb can be called by its serial number, too",
            ),
            Self::NotABridge { .. } | Self::OtherBridge { .. } | Self::NoSuchBridge(_) => {
                Some("`mains hue discover` shows the bridges that answer")
            }
            Self::Certificate {
                problem: CertificateProblem::Unknown { .. },
                ..
            } => Some("pair with the bridge to accept it: `mains hue pair`"),
            Self::Certificate {
                problem: CertificateProblem::Changed,
                ..
            } => Some(
                "if the bridge was reset or replaced, pair again: `mains hue pair`; else somebody may stand between",
            ),
            Self::Certificate {
                problem: CertificateProblem::Missing,
                ..
            } => Some(
                "somebody may stand between; if not, `mains hue pair http://\u{2026}` pairs without a certificate",
            ),
            Self::Certificate { .. } => Some("somebody may stand between; nothing was sent to it"),
            Self::Refused { error, .. } => error.meaning().advice(),
            Self::Unfinished { cause, .. } => cause.advice(),
            Self::Busy { .. } | Self::StillSearching { .. } => Some("wait a minute and try again"),
            Self::BadReply { .. } => {
                Some("is it a Philips Hue bridge, and not an emulator or a proxy?")
            }
            Self::NoSuchLight { .. } | Self::SeveralLights { .. } => {
                Some("`mains hue lights` shows what the bridge has; take the id or the unique id")
            }
            Self::Cloud(CloudError::TooOften) => {
                Some("wait a quarter of an hour, or search this network only, without --cloud")
            }
            Self::Cloud(_) => Some("without --cloud only this network is searched"),
            Self::NotPaired(_) => Some("pair with it first: `mains hue pair`"),
            Self::Usage(_) | Self::NotAgreed | Self::Local { .. } => None,
        }
    }
}
