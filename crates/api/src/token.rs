//! Tokens of programs, and links that log a browser in.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Id;

/// A token without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenInfo {
    /// Its identifier in paths.
    #[schema(value_type = String, example = "k-3f9a02c1")]
    pub id: Id,
    /// Name of the program that uses it.
    pub name: String,
    /// Time of its creation.
    pub created: Timestamp,
    /// Time of its last use; null if it was never used.
    #[schema(required)]
    pub last_used: Option<Timestamp>,
    /// `true` for the token in the hub's state directory.
    pub admin: bool,
}

/// Creates a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// Name of the program that will use it.
    pub name: String,
}

/// A token with its secret, which the hub shows only once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewToken {
    /// The token.
    #[serde(flatten)]
    pub info: TokenInfo,
    /// Its secret.
    pub token: String,
}

/// A link that logs a browser in once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LoginLink {
    /// The link.
    pub url: String,
    /// Time at which it expires.
    pub expires: Timestamp,
}
