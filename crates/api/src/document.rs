//! What people make: groups, schedules, rules and tariffs have all the same life.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::RequestError;
use crate::id::Id;

/// The collections of documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Collection {
    /// Plugs that are switched together.
    Groups,
    /// What switches by the clock and the sun.
    Schedules,
    /// What switches by what a plug does.
    Rules,
    /// What energy costs.
    Tariffs,
}

impl Collection {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Groups, Self::Schedules, Self::Rules, Self::Tariffs];

    /// Returns the name of the collection, as in its path.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Groups => "groups",
            Self::Schedules => "schedules",
            Self::Rules => "rules",
            Self::Tariffs => "tariffs",
        }
    }

    /// Returns what one member is called in sentences.
    pub const fn singular(self) -> &'static str {
        match self {
            Self::Groups => "group",
            Self::Schedules => "schedule",
            Self::Rules => "rule",
            Self::Tariffs => "tariff",
        }
    }

    /// Returns the letter that its ids begin with.
    pub const fn letter(self) -> char {
        match self {
            Self::Groups => 'g',
            Self::Schedules => 's',
            Self::Rules => 'r',
            Self::Tariffs => 't',
        }
    }
}

/// Something that people make and edit. Its JSON has no id and nothing that the hub adds.
pub trait Document: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// Where it belongs.
    const COLLECTION: Collection;

    /// Returns its name; no two of a collection have the same, whatever the case.
    fn name(&self) -> &str;

    /// Says what is wrong with it in itself; whether what it names exists is the hub's business.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `usage` that names the field.
    fn check(&self) -> Result<(), RequestError>;
}

/// A document as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored<T> {
    /// The name that the hub gave it.
    pub id: Id,
    /// Grows with every edit: its ETag.
    pub revision: u64,
    /// What people wrote.
    pub body: T,
}
