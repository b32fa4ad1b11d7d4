//! The sites that a request is about: one, or all that its caller may see.

use std::fmt;
use std::sync::Arc;

use api::{
    DocumentView, ErrorKind, Group, Id, OfSite, RequestError, Rule, Schedule, SiteName, Tariff,
};
use hiflying::Mac;

use super::OtherSite;
use super::other::title;
use crate::documents::HubDocument;
use crate::hub::Hub;

/// The sites of a request.
#[derive(Debug, Clone)]
pub struct SiteSelection {
    own: SiteName,
    /// True if the hub's own site is one of them.
    pub has_own: bool,
    /// The others.
    pub others: Vec<Arc<OtherSite>>,
    /// True if a single site was named.
    is_named: bool,
    /// True if objects carry their site.
    is_labelled: bool,
}

impl SiteSelection {
    /// Selects the site with this name, or all. `sees` tells which sites the caller may see.
    ///
    /// # Errors
    ///
    /// [`RequestError`] at `site`: `not_found` for a site that does not exist or that the caller may not see.
    pub fn new(
        hub: &Hub,
        wanted: Option<&SiteName>,
        sees: impl Fn(&SiteName) -> bool,
    ) -> Result<Self, RequestError> {
        let own = &hub.config().site;
        let others = hub.sites().others();
        let is_selected =
            |site: &SiteName| wanted.is_none_or(|wanted| wanted == site) && sees(site);
        let selection = Self {
            has_own: is_selected(own),
            is_named: wanted.is_some(),
            is_labelled: !others.is_empty(),
            own: own.clone(),
            others: others
                .into_iter()
                .filter(|other| is_selected(other.name()))
                .collect(),
        };
        match wanted {
            Some(wanted) if !selection.has_own && selection.others.is_empty() => {
                let message = no_such(wanted);
                let hint = "`GET /api/v1/sites` lists the sites";
                Err(RequestError::not_found(message).hint(hint).at("site"))
            }
            _ => Ok(selection),
        }
    }

    /// Returns true if a single site was named.
    pub fn is_named(&self) -> bool {
        self.is_named
    }

    /// Returns the number of selected sites.
    pub fn count(&self) -> usize {
        usize::from(self.has_own) + self.others.len()
    }

    /// Returns the objects of all selected sites. If all sites are asked for, those that cannot be read now are left out.
    ///
    /// # Errors
    ///
    /// The errors of `of_own`, and of `of_other` if that site was named.
    pub async fn collect<T, F>(
        &self,
        of_own: impl Future<Output = Result<Vec<T>, RequestError>>,
        of_other: impl Fn(Arc<OtherSite>) -> F,
    ) -> Result<Vec<OfSite<T>>, RequestError>
    where
        F: Future<Output = Result<Vec<T>, RequestError>>,
    {
        let mut all = Vec::new();
        if self.has_own {
            all.extend(self.label(&self.own, of_own.await?));
        }
        for other in &self.others {
            match of_other(Arc::clone(other)).await {
                Ok(objects) => all.extend(self.label(other.name(), objects)),
                Err(error) if !self.is_named && error.kind() == ErrorKind::Unavailable => {
                    tracing::warn!(site = %other.name(), %error, "left out: the site cannot be read");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    fn label<T>(&self, site: &SiteName, objects: Vec<T>) -> impl Iterator<Item = OfSite<T>> {
        objects.into_iter().map(|object| self.of(site, object))
    }

    /// Returns an object with its site.
    pub fn of<T>(&self, site: &SiteName, object: T) -> OfSite<T> {
        OfSite {
            object,
            site: self.is_labelled.then(|| site.clone()),
        }
    }

    /// Returns an object of the hub's own site with its site.
    pub fn of_own<T>(&self, object: T) -> OfSite<T> {
        self.of(&self.own, object)
    }

    /// Returns the other site that has adopted a plug, which the hub itself has not.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `unavailable` if the database cannot be read.
    pub async fn site_of_plug(
        &self,
        hub: &Hub,
        plug: Mac,
    ) -> Result<Option<Arc<OtherSite>>, RequestError> {
        if self.has_own && hub.registry().view(plug).is_some() {
            return Ok(None);
        }
        for other in &self.others {
            if other.has_plug(plug).await? {
                return Ok(Some(other.clone()));
            }
        }
        Ok(None)
    }

    /// Returns the other site that has an object of a collection, which the hub itself has not.
    ///
    /// # Errors
    ///
    /// As [`SiteSelection::site_of_plug`].
    pub(crate) async fn site_of(
        &self,
        hub: &Hub,
        collection: &str,
        id: &str,
    ) -> Result<Option<Arc<OtherSite>>, RequestError> {
        match (collection, id.parse(), id.parse()) {
            ("plugs", Ok(plug), _) => self.site_of_plug(hub, plug).await,
            ("groups", _, Ok(id)) => self.site_of_document::<Group>(hub, &id).await,
            ("schedules", _, Ok(id)) => self.site_of_document::<Schedule>(hub, &id).await,
            ("rules", _, Ok(id)) => self.site_of_document::<Rule>(hub, &id).await,
            ("tariffs", _, Ok(id)) => self.site_of_document::<Tariff>(hub, &id).await,
            _ => Ok(None),
        }
    }

    async fn site_of_document<T: HubDocument>(
        &self,
        hub: &Hub,
        id: &Id,
    ) -> Result<Option<Arc<OtherSite>>, RequestError> {
        let found = self.find_document::<T>(hub, id).await?;
        let site = found.and_then(|(found, _)| found.site);
        Ok(site.and_then(|site| hub.sites().other(&site)))
    }

    /// Returns a document of another site, which the hub itself has not, with its site and revision.
    ///
    /// # Errors
    ///
    /// As [`SiteSelection::site_of_plug`].
    pub async fn find_document<T: HubDocument>(
        &self,
        hub: &Hub,
        id: &Id,
    ) -> Result<Option<(OfSite<DocumentView<T>>, u64)>, RequestError> {
        if self.has_own && T::repository(hub).one(id).is_ok() {
            return Ok(None);
        }
        for other in &self.others {
            if let Some((view, revision)) = other.document::<T>(id).await? {
                return Ok(Some((self.of(other.name(), view), revision)));
            }
        }
        Ok(None)
    }

    /// Checks that what was found nowhere else is looked for at the hub's own site.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `not_found`.
    pub fn look_here(&self, what: impl fmt::Display) -> Result<(), RequestError> {
        match self.has_own {
            true => Ok(()),
            false => Err(RequestError::not_found(format!("no {what} there"))
                .hint("name its site by `site`; `GET /api/v1/sites` lists the sites")),
        }
    }

    /// Checks that the hub's own site is selected, for what only it has.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `forbidden`, or `conflict` with the address of the hub to ask.
    pub fn need_own(&self, what: &str) -> Result<(), RequestError> {
        match (self.has_own, self.others.first()) {
            (true, _) => Ok(()),
            (false, Some(other)) if self.is_named => Err(other.refusal(what)),
            (false, _) => Err(forbidden(&self.own)),
        }
    }
}

/// Returns the sentence about a site that there is not.
pub(crate) fn no_such(site: &SiteName) -> String {
    format!("there is no site \u{2018}{site}\u{2019}")
}

/// Returns the error for a caller that may not see a site.
pub(crate) fn forbidden(site: &SiteName) -> RequestError {
    let message = format!("this login does not include {}", title(site));
    RequestError::new(ErrorKind::Forbidden, message)
        .hint("the page Sites and `GET /api/v1/sites` list what it includes")
}
