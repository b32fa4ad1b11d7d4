//! Replies that are not documents of their own.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Id;

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
