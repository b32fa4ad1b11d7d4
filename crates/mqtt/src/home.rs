//! Facts about the plugs, groups and tariffs of a hub. Readings and positions of relays are not part of them: they come and go
//! without a change of the home.

use std::collections::BTreeMap;

use api::{Id, SiteName};
use hiflying::Mac;
use plugs::FamilyId;

/// Everything that discovery announces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// The hub.
    pub hub: HomeHub,
    /// The adopted plugs.
    pub plugs: BTreeMap<Mac, HomePlug>,
    /// The groups.
    pub groups: BTreeMap<Id, HomeGroup>,
    /// Tariffs that are valid today.
    pub tariffs: BTreeMap<Id, HomeTariff>,
}

/// The hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HomeHub {
    /// The name of its site; without one an id of 12 lower-case hex digits, which hubs that share a database have in common, so that
    /// they announce the same entities. It stays when the address or the base topic changes.
    pub id: String,
    /// The site.
    pub site: SiteName,
    /// The version of Mains.
    pub version: String,
    /// Address of its pages without a slash at the end, e.g. `http://192.168.1.5:8480`.
    pub url: String,
}

/// A plug.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HomePlug {
    /// The family.
    pub family: FamilyId,
    /// The name that a person gave it.
    pub name: Option<String>,
    /// The room.
    pub room: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// The serial number.
    pub serial: Option<String>,
    /// The firmware; `None` until the plug has reported it.
    pub firmware: Option<String>,
    /// True if it has a meter.
    pub has_meter: bool,
    /// True if it has a timer of its own.
    pub has_timer: bool,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HomeGroup {
    /// Its name.
    pub name: String,
}

/// A tariff.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HomeTariff {
    /// Its name.
    pub name: String,
    /// The currency, e.g. `EUR`.
    pub currency: String,
}
