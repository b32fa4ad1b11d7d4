//! The sites that a caller may see.

use api::{RequestError, SiteName};

use super::{AccessControl, Caller};
use crate::sites;
use crate::store::SettingStore;

/// Checks that the database of a hub has the sites to which a login is to be bound. The error lists those that a caller may see.
///
/// # Errors
///
/// [`RequestError`] at `sites`: of kind `usage` for a site that there is not, `unavailable` when the database cannot be read.
pub(crate) async fn check_known_sites(
    store: &dyn SettingStore,
    own: &SiteName,
    requested: &[SiteName],
    sees: impl Fn(&SiteName) -> bool,
) -> Result<(), RequestError> {
    if requested.iter().all(|site| site == own) {
        return Ok(());
    }
    let others = store.other_sites().await;
    let others = others.map_err(|error| RequestError::from(&error))?;
    let others = others.into_iter().map(|other| other.site);
    let mut known: Vec<SiteName> = others.chain([own.clone()]).collect();
    known.sort();
    let Some(unknown) = requested.iter().find(|site| !known.contains(site)) else {
        return Ok(());
    };
    let seen = known.iter().filter(|site| !site.is_empty() && sees(site));
    let seen: Vec<&str> = seen.map(SiteName::as_str).collect();
    let hint = match known.as_slice() {
        [only] if only.is_empty() => {
            "the database of this hub has a single site without a name; leave the site out"
                .to_owned()
        }
        _ => format!(
            "choose from {}; a site is known once its hub has started",
            seen.join(", ")
        ),
    };
    Err(RequestError::usage(sites::no_such(unknown))
        .hint(hint)
        .at("sites"))
}

impl Caller {
    /// Returns true if the caller may see a site.
    pub fn sees(&self, site: &SiteName) -> bool {
        self.login.sees(site)
    }

    /// Returns true if the caller may see all sites.
    pub fn sees_all_sites(&self) -> bool {
        self.login.sites.is_empty()
    }

    /// Returns true if the caller may see all that a login for these sites sees, and so may replace or end it.
    pub(super) fn sees_all_of(&self, sites: &[SiteName]) -> bool {
        let mut own = sites.iter();
        self.sees_all_sites() || (!sites.is_empty() && own.all(|site| self.sees(site)))
    }
}

impl AccessControl {
    /// Returns the sites of a token, link or password that a caller makes: those that are requested, else the caller's own.
    ///
    /// # Errors
    ///
    /// [`RequestError`] at `sites`: of kind `forbidden` for a site that the caller may not see, `usage` for one that there is not.
    pub(super) async fn granted(
        &self,
        caller: &Caller,
        requested: &[SiteName],
    ) -> Result<Vec<SiteName>, RequestError> {
        if let Some(site) = requested.iter().find(|site| !caller.sees(site)) {
            return Err(sites::forbidden(site).at("sites"));
        }
        let sees = |site: &SiteName| caller.sees(site);
        check_known_sites(&*self.0.settings, &self.0.site, requested, sees).await?;
        Ok(match requested.is_empty() {
            true => caller.login.sites.clone(),
            false => requested.to_vec(),
        })
    }
}
