//! The mark of a request that a hub on standby has passed on.

use axum::http::{HeaderMap, HeaderName};

use crate::lease::Lease;

/// Header with the secret of the site.
pub(super) const SECRET: HeaderName = HeaderName::from_static("x-mains-hub");
/// Header with the URL of the standby.
pub(super) const STANDBY: HeaderName = HeaderName::from_static("x-mains-standby");
/// Header of a request with the admin token of the standby's own state directory.
pub(super) const ADMIN: HeaderName = HeaderName::from_static("x-mains-admin");

/// A request that a standby has passed on: an extension of the request.
#[derive(Debug, Clone)]
pub struct PassedOn {
    /// URL of the standby.
    pub standby: String,
    is_admin: bool,
}

/// A sentence for pages that are seen at a hub on standby: an extension of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandbyNote(pub String);

impl PassedOn {
    /// Returns the sentence for pages.
    pub(super) fn note(&self) -> StandbyNote {
        StandbyNote(format!(
            "This is the hub on standby at {}. The active hub answers.",
            self.standby
        ))
    }

    /// Returns the mark of a request that another hub of the site has passed on.
    pub(crate) fn of(headers: &HeaderMap, lease: &Lease) -> Option<Self> {
        let secret = headers.get(SECRET)?;
        lease.is_secret(secret.as_bytes()).then(|| {
            let standby = headers.get(STANDBY).and_then(|url| url.to_str().ok());
            Self {
                standby: standby.unwrap_or("").to_owned(),
                is_admin: headers.contains_key(ADMIN),
            }
        })
    }

    /// Returns true if the standby has recognised its own admin token.
    pub(super) fn is_admin(&self) -> bool {
        self.is_admin
    }
}
