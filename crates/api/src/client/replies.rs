//! Replies that are not documents of their own.

use hiflying::Mac;
use jiff::Timestamp;
use plugs::RelayState;
use serde::{Deserialize, Serialize};

use crate::{ErrorDocument, Id};

/// The result of switching one plug of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupRelay {
    /// The plug.
    pub plug: Mac,
    /// The relay as it was read last.
    pub relay: Option<RelayState>,
    /// `true` if it was read back as commanded.
    pub confirmed: bool,
    /// The error, if it was not.
    pub error: Option<ErrorDocument>,
}

/// The result of importing a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// Number of rows in the file.
    pub rows: u64,
    /// Number of rows that were not there before.
    pub new: u64,
}

/// A link that logs a browser in once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginLink {
    /// The link.
    pub url: String,
    /// Time at which it expires.
    pub expires: Timestamp,
}

/// A token without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenInfo {
    /// Its id.
    pub id: Id,
    /// Name of the program that uses it.
    pub name: String,
    /// Time of its creation.
    pub created: Timestamp,
    /// Time of its last use.
    pub last_used: Option<Timestamp>,
    /// `true` for the token in the hub's state directory.
    pub admin: bool,
}

/// A token with its secret, which the hub shows only once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewToken {
    /// The token.
    #[serde(flatten)]
    pub info: TokenInfo,
    /// Its secret.
    pub token: String,
}
