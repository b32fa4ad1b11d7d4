//! The known plugs with their names and last addresses, kept from one run to the next.
//!
//! The inventory is one JSON file in the state directory. [`Inventory`] is the data, [`InventoryFile`] the file:
//!
//! * It is replaced as a whole (a temporary file renamed over it), so a reader never sees half of it.
//! * Changes are made under a lock on a file beside it, so two commands at once lose nothing.
//! * A file that cannot be understood is set aside under another name and never deleted.
//! * It stays bounded even on a network full of forged plugs: named plugs are kept, of the others the ones seen last.

use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;

use hiflying::Mac;
use jiff::{SignedDuration, Timestamp};
use plugs::{FamilyId, Plug};
use serde::{Deserialize, Serialize};

pub use name::{NameError, PlugName};
pub(crate) use name::{fold as folded, near as names_near};
pub use store::{InventoryFile, Loaded, Save};

mod name;
mod store;

/// Maximum number of plugs without a name.
const MAX_UNNAMED: usize = 4_000;

/// Interval after which a sighting that changes only its time is written: most commands need not write.
const SEEN_INTERVAL: SignedDuration = SignedDuration::from_hours(1);

/// One known plug.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InventoryEntry {
    /// MAC, which identifies it.
    pub mac: Mac,
    /// Name given by its owner.
    #[serde(default)]
    pub name: Option<String>,
    /// Its family.
    pub family: FamilyId,
    /// Its serial number, if it has reported one.
    #[serde(default)]
    pub serial: Option<String>,
    /// Its model, if it has reported one.
    #[serde(default)]
    pub model: Option<String>,
    /// Its last address.
    pub address: Ipv4Addr,
    /// Time of its last reply.
    pub seen: Timestamp,
}

impl InventoryEntry {
    fn of(plug: &Plug) -> Self {
        Self {
            mac: plug.mac,
            name: None,
            family: plug.family,
            serial: plug.serial.clone(),
            model: plug.model.clone(),
            address: plug.address,
            seen: plug.seen,
        }
    }

    /// Returns the plug as it was last seen, without what only a live reply contains.
    pub fn as_plug(&self) -> Plug {
        Plug {
            mac: self.mac,
            family: self.family,
            serial: self.serial.clone(),
            address: self.address,
            relay: None,
            model: self.model.clone(),
            name: self.name.clone(),
            res: None,
            extra: None,
            seen: self.seen,
        }
    }

    /// Takes over a sighting; returns true if that is worth writing.
    fn update(&mut self, plug: &Plug) -> bool {
        let before = self.clone();
        self.family = plug.family;
        self.address = plug.address;
        // A reply of another kind (a module word instead of the plug's own scan) may know less; keep what is known.
        self.serial = plug.serial.clone().or_else(|| self.serial.take());
        self.model = plug.model.clone().or_else(|| self.model.take());
        self.seen = plug.seen.max(self.seen);
        let moved = Self {
            seen: before.seen,
            ..self.clone()
        } != before;
        moved || self.seen.duration_since(before.seen) > SEEN_INTERVAL
    }
}

/// The known plugs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inventory {
    plugs: Vec<InventoryEntry>,
}

/// Refusal of a name that belongs to another plug.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the name `{name}` belongs to the plug {owner}")]
pub struct NameTaken {
    /// The name in its owner's spelling.
    pub name: String,
    /// The plug that has it.
    pub owner: Mac,
}

impl Inventory {
    /// Creates an inventory of these plugs with the names that a hub has for them.
    pub fn of<'a>(plugs: impl IntoIterator<Item = &'a Plug>) -> Self {
        let entry = |plug: &Plug| InventoryEntry {
            name: plug.name.clone(),
            ..InventoryEntry::of(plug)
        };
        Self {
            plugs: plugs.into_iter().map(entry).collect(),
        }
    }

    /// Returns all plugs, in the order in which they were first seen.
    pub fn entries(&self) -> &[InventoryEntry] {
        &self.plugs
    }

    /// Finds a plug by its MAC.
    pub fn by_mac(&self, mac: Mac) -> Option<&InventoryEntry> {
        self.plugs.iter().find(|entry| entry.mac == mac)
    }

    /// Finds a plug by its name; upper and lower case are the same.
    pub fn by_name(&self, name: &str) -> Option<&InventoryEntry> {
        let wanted = name::fold(name);
        self.plugs.iter().find(|entry| {
            entry
                .name
                .as_deref()
                .is_some_and(|name| name::fold(name) == wanted)
        })
    }

    /// Finds plugs by serial number: makers have given the same one twice.
    pub fn by_serial<'a>(&'a self, serial: &'a str) -> impl Iterator<Item = &'a InventoryEntry> {
        self.plugs
            .iter()
            .filter(move |entry| entry.serial.as_deref() == Some(serial))
    }

    /// Returns the names most similar to this one, nearest first.
    pub fn names_near(&self, name: &str) -> Vec<&str> {
        name::near(
            name,
            self.plugs.iter().filter_map(|entry| entry.name.as_deref()),
        )
    }

    /// Returns the name of a plug.
    pub fn name_of(&self, mac: Mac) -> Option<&str> {
        self.by_mac(mac)?.name.as_deref()
    }

    /// Adds to a plug that was heard the name that its owner gave it.
    pub fn named(&self, plug: Plug) -> Plug {
        Plug {
            name: self.name_of(plug.mac).map(str::to_owned),
            ..plug
        }
    }

    /// Returns the names of all plugs that have one.
    pub fn names(&self) -> HashMap<Mac, String> {
        let named = |entry: &InventoryEntry| Some((entry.mac, entry.name.clone()?));
        self.plugs.iter().filter_map(named).collect()
    }

    /// Takes in sightings; returns true if that is worth writing.
    pub fn remember(&mut self, sightings: &[Plug]) -> bool {
        let places = self.plugs.iter().enumerate();
        let mut places: HashMap<Mac, usize> =
            places.map(|(place, entry)| (entry.mac, place)).collect();
        let mut has_news = false;
        for plug in sightings {
            let place = *places.entry(plug.mac).or_insert(self.plugs.len());
            has_news |= match self.plugs.get_mut(place) {
                Some(entry) => entry.update(plug),
                None => {
                    self.plugs.push(InventoryEntry::of(plug));
                    true
                }
            };
        }
        self.forget_oldest();
        has_news
    }

    /// Gives a known plug a name, or takes it away; returns the plug, or `None` when it is not known.
    pub fn rename(
        &mut self,
        mac: Mac,
        name: Option<&PlugName>,
    ) -> Result<Option<&InventoryEntry>, NameTaken> {
        let owner = name.and_then(|name| self.by_name(name.as_str()));
        if let Some(InventoryEntry {
            mac: owner,
            name: Some(name),
            ..
        }) = owner
            && *owner != mac
        {
            return Err(NameTaken {
                name: name.clone(),
                owner: *owner,
            });
        }
        let Some(entry) = self.plugs.iter_mut().find(|entry| entry.mac == mac) else {
            return Ok(None);
        };
        entry.name = name.map(|name| name.as_str().to_owned());
        Ok(Some(entry))
    }

    fn forget_oldest(&mut self) {
        let unnamed = self.plugs.iter().filter(|entry| entry.name.is_none());
        let mut unnamed: Vec<(Timestamp, Mac)> =
            unnamed.map(|entry| (entry.seen, entry.mac)).collect();
        let surplus = unnamed.len().saturating_sub(MAX_UNNAMED);
        unnamed.sort_unstable();
        let oldest: HashSet<Mac> = unnamed
            .into_iter()
            .take(surplus)
            .map(|(_, mac)| mac)
            .collect();
        self.plugs.retain(|entry| !oldest.contains(&entry.mac));
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use plugs::RelayState;

    use super::*;

    pub(crate) fn plug(last: u8, address: [u8; 4], seen: i64) -> Plug {
        Plug {
            mac: Mac::new([0xac, 0xcf, 0x23, 0, 0, last]),
            family: FamilyId::RECO,
            serial: Some(format!("90000000{last}")),
            address: address.into(),
            relay: Some(RelayState::On),
            model: None,
            name: None,
            res: Some("0".into()),
            extra: None,
            seen: Timestamp::from_second(seen).unwrap(),
        }
    }

    #[test]
    fn remembers_only_what_is_new() {
        let mut inventory = Inventory::default();
        assert!(inventory.remember(&[plug(1, [127, 0, 0, 2], 1_000)]));
        assert!(!inventory.remember(&[plug(1, [127, 0, 0, 2], 1_100)]));
        assert!(inventory.remember(&[plug(1, [127, 0, 0, 3], 1_200)]));
        assert!(inventory.remember(&[plug(1, [127, 0, 0, 3], 9_000)]));
        assert_eq!(inventory.entries().len(), 1);
        assert_eq!(inventory.entries()[0].address, Ipv4Addr::new(127, 0, 0, 3));
    }

    #[test]
    fn a_poorer_sighting_keeps_the_serial() {
        let mut inventory = Inventory::default();
        inventory.remember(&[plug(1, [127, 0, 0, 2], 1_000)]);
        inventory.remember(&[Plug {
            serial: None,
            ..plug(1, [127, 0, 0, 9], 2_000)
        }]);
        assert_eq!(inventory.entries()[0].serial.as_deref(), Some("900000001"));
        assert_eq!(inventory.entries()[0].address, Ipv4Addr::new(127, 0, 0, 9));
    }

    #[test]
    fn a_name_belongs_to_one_plug() {
        let mut inventory = Inventory::default();
        let (one, two) = (plug(1, [127, 0, 0, 2], 1), plug(2, [127, 0, 0, 3], 1));
        inventory.remember(std::slice::from_ref(&one));
        inventory.remember(std::slice::from_ref(&two));
        let kitchen: PlugName = "K\u{fc}che".parse().unwrap();
        assert!(inventory.rename(one.mac, Some(&kitchen)).unwrap().is_some());
        assert!(inventory.rename(one.mac, Some(&kitchen)).unwrap().is_some());
        let other_case: PlugName = "k\u{dc}CHE".parse().unwrap();
        assert_eq!(
            inventory
                .rename(two.mac, Some(&other_case))
                .unwrap_err()
                .owner,
            one.mac
        );
        assert_eq!(
            inventory.by_name("k\u{fc}che").map(|entry| entry.mac),
            Some(one.mac)
        );
        inventory.rename(one.mac, None).unwrap();
        assert!(
            inventory
                .rename(two.mac, Some(&other_case))
                .unwrap()
                .is_some()
        );
        assert_eq!(
            inventory
                .rename(plug(3, [0; 4], 1).mac, Some(&kitchen))
                .unwrap_err()
                .owner,
            two.mac
        );
    }

    #[test]
    fn forged_plugs_do_not_fill_it_and_named_ones_stay() {
        let mut inventory = Inventory::default();
        let mine = plug(1, [127, 0, 0, 2], 0);
        inventory.remember(std::slice::from_ref(&mine));
        inventory
            .rename(mine.mac, Some(&"mine".parse().unwrap()))
            .unwrap();
        let forged = (0..MAX_UNNAMED + 50).map(|number| {
            let [.., high, low] = u32::try_from(number).unwrap().to_be_bytes();
            let mac = Mac::new([2, 0, 0, 0, high, low]);
            Plug {
                mac,
                ..plug(2, [127, 0, 0, 3], 10 + i64::try_from(number).unwrap())
            }
        });
        assert!(inventory.remember(&forged.collect::<Vec<_>>()));
        assert_eq!(inventory.entries().len(), MAX_UNNAMED + 1);
        assert!(inventory.by_name("mine").is_some());
        assert!(inventory.by_mac(Mac::new([2, 0, 0, 0, 0, 0])).is_none());
    }
}
