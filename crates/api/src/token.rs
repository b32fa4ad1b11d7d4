//! Tokens of programs, and links that log a browser in.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Id;
use crate::json::{optional_seconds, seconds};
use crate::site::SiteName;

/// Extent of the access of a token or a login. Each includes those before it.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    ToSchema,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase", parse_err_ty = String, parse_err_fn = no_scope)]
pub enum Scope {
    /// The metrics, and nothing else.
    Metrics,
    /// Everything except secrets; changes nothing.
    Read,
    /// Also relays and the timers of plugs.
    Switch,
    /// Everything.
    #[default]
    Admin,
}

impl Scope {
    /// All scopes, from the least to the most.
    pub const ALL: [Self; 4] = [Self::Metrics, Self::Read, Self::Switch, Self::Admin];

    /// Returns its name in JSON.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

fn no_scope(_: &str) -> String {
    "a scope is `metrics`, `read`, `switch` or `admin`".to_owned()
}

/// A token without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenInfo {
    /// Its identifier in paths.
    #[schema(value_type = String, example = "k-3f9a02c1")]
    pub id: Id,
    /// Name of the program that uses it.
    pub name: String,
    /// Extent of its access.
    #[serde(default)]
    #[schema(required)]
    pub scope: Scope,
    /// Sites that it may see; omitted if all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub sites: Vec<SiteName>,
    /// Time at which it ends; null if it does not end by itself.
    #[serde(default, serialize_with = "optional_seconds")]
    #[schema(required)]
    pub expires: Option<Timestamp>,
    /// Time of its creation.
    pub created: Timestamp,
    /// Maker: the id of a token, or `password` or `link` for a browser that was logged in by it; null for a token that the hub
    /// made.
    #[serde(default)]
    #[schema(required)]
    pub created_by: Option<String>,
    /// `true` if it stays when the token that made it is revoked.
    #[serde(default)]
    #[schema(required)]
    pub independent: bool,
    /// Time of its last use; null if it was never used.
    #[schema(required)]
    pub last_used: Option<Timestamp>,
    /// `true` for the token in the hub's state directory.
    pub admin: bool,
}

/// Creates a token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// Name of the program that will use it.
    pub name: String,
    /// Extent of its access; `admin` unless given.
    #[serde(default)]
    pub scope: Scope,
    /// Sites that it may see; all unless given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sites: Vec<SiteName>,
    /// Time at which it ends; never unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// `true` to keep it when the token that makes it is revoked or expires.
    #[serde(default)]
    pub independent: bool,
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

/// Creates a link that logs a browser in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginLinkRequest {
    /// Extent of the browser's access, at least `read`; `admin` unless given.
    #[serde(default)]
    pub scope: Scope,
    /// Sites that the browser may see; all unless given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sites: Vec<SiteName>,
}

/// A link that logs a browser in once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LoginLink {
    /// The link.
    pub url: String,
    /// Extent of the browser's access.
    #[serde(default)]
    #[schema(required)]
    pub scope: Scope,
    /// Time at which it expires.
    #[serde(serialize_with = "seconds")]
    pub expires: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_ordered_and_have_one_name() {
        assert!(Scope::ALL.is_sorted());
        for scope in Scope::ALL {
            assert_eq!(scope.to_string().parse(), Ok(scope));
            assert_eq!(serde_json::to_value(scope).unwrap(), scope.as_str());
        }
        for text in ["", "Read", "all", "write"] {
            assert!(text.parse::<Scope>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_token_of_an_earlier_version_is_an_admin_that_does_not_end() {
        let old = r#"{"id":"k-00000001","name":"x","created":"2026-11-22T12:00:00Z","last_used":null,"admin":false}"#;
        let token: TokenInfo = serde_json::from_str(old).unwrap();
        assert_eq!((token.scope, token.expires), (Scope::Admin, None));
        let request: TokenRequest = serde_json::from_str(r#"{"name":"x"}"#).unwrap();
        assert_eq!(request.scope, Scope::Admin);
        assert!(serde_json::from_str::<TokenRequest>(r#"{"name":"x","scope":"all"}"#).is_err());
    }
}
