//! Another site, as the database has it.

use api::SiteName;
use jiff::SignedDuration;
use serde_json::Value;

/// Another site in the database.
#[derive(Debug, Clone, PartialEq)]
pub struct SiteRecord {
    /// The site.
    pub site: SiteName,
    /// Address of its hub that is active, else of the one that reported last.
    pub url: Option<String>,
    /// Time since that hub reported; `None` if none ever has.
    pub age: Option<SignedDuration>,
    /// The report; null without one.
    pub summary: Value,
}
