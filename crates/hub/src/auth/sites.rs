//! The sites that a caller may see.

use api::{RequestError, SiteName};

use super::Caller;
use crate::sites;

impl Caller {
    /// Returns true if the caller may see a site.
    pub fn sees(&self, site: &SiteName) -> bool {
        self.login.sees(site)
    }

    /// Returns true if the caller may see all sites.
    pub fn sees_all_sites(&self) -> bool {
        self.login.sites.is_empty()
    }

    /// Returns true if the caller may replace what is bound to these sites.
    pub(super) fn sees_all_of(&self, sites: &[SiteName]) -> bool {
        let mut own = sites.iter();
        self.sees_all_sites() || (!sites.is_empty() && own.all(|site| self.sees(site)))
    }

    /// Returns the sites of a token, link or password that the caller makes: those that are requested, else its own.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `forbidden` for a site that the caller may not see.
    pub(super) fn granted(&self, requested: &[SiteName]) -> Result<Vec<SiteName>, RequestError> {
        match requested.iter().find(|site| !self.sees(site)) {
            Some(site) => Err(sites::forbidden(site).at("sites")),
            None if requested.is_empty() => Ok(self.login.sites.clone()),
            None => Ok(requested.to_vec()),
        }
    }
}
