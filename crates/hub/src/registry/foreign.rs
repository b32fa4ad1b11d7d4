//! Plugs that the hubs of other sites have adopted: when they are heard here, they are left to those hubs.

use std::collections::{HashMap, HashSet};

use api::SiteName;
use hiflying::Mac;

/// The owners of plugs at other sites.
#[derive(Debug, Default)]
pub(super) struct ForeignPlugs {
    owners: HashMap<Mac, SiteName>,
    /// True until the owners are known, where the database can hold other sites.
    is_awaited: bool,
    /// Plugs that were told.
    told: HashSet<Mac>,
}

/// The owner of a plug that was heard and is not adopted here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PlugOwner {
    /// No other site has it.
    Nobody,
    /// It is not known yet.
    Unknown,
    /// Another site; `true` if that was not told before.
    Site(SiteName, bool),
}

impl ForeignPlugs {
    /// Waits for the first list of owners: until then no plug is adopted automatically.
    pub(super) fn wait(&mut self) {
        self.is_awaited = true;
    }

    pub(super) fn set(&mut self, owners: HashMap<Mac, SiteName>) {
        self.told.retain(|plug| owners.contains_key(plug));
        self.owners = owners;
        self.is_awaited = false;
    }

    /// Returns the site that has adopted a plug.
    pub(super) fn owner(&self, plug: Mac) -> Option<&SiteName> {
        self.owners.get(&plug)
    }

    /// Returns the owner of a plug that was heard.
    pub(super) fn heard(&mut self, plug: Mac) -> PlugOwner {
        match self.owners.get(&plug) {
            Some(site) => PlugOwner::Site(site.clone(), self.told.insert(plug)),
            None if self.is_awaited => PlugOwner::Unknown,
            None => PlugOwner::Nobody,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plug_of_another_site_is_told_once() {
        let [one, other] = [1, 2].map(|number| Mac::new([0xAC, 0xCF, 0x23, 0, 0, number]));
        let berlin: SiteName = "berlin".parse().unwrap();
        let mut foreign = ForeignPlugs::default();
        assert_eq!(foreign.heard(one), PlugOwner::Nobody);
        foreign.wait();
        assert_eq!(foreign.heard(one), PlugOwner::Unknown);
        let owners = || HashMap::from([(one, berlin.clone())]);
        foreign.set(owners());
        assert_eq!(foreign.heard(other), PlugOwner::Nobody);
        assert_eq!(foreign.heard(one), PlugOwner::Site(berlin.clone(), true));
        foreign.set(owners());
        assert_eq!(foreign.heard(one), PlugOwner::Site(berlin.clone(), false));
        assert_eq!(foreign.owner(one), Some(&berlin));
        // Removed there, it is free.
        foreign.set(HashMap::new());
        assert_eq!(foreign.heard(one), PlugOwner::Nobody);
        foreign.set(owners());
        assert_eq!(foreign.heard(one), PlugOwner::Site(berlin, true));
    }
}
