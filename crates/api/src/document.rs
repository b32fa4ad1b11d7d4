//! What groups, schedules, rules and tariffs have in common.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
#[cfg(test)]
use serde_json::{Map, Value};
use utoipa::ToSchema;

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

/// A group, schedule, rule or tariff as people write it. Its JSON has no id and nothing that the hub adds.
///
/// It is read tolerantly, so that a client understands a newer hub. Who stores one refuses its [`unknown_field`].
pub trait Document:
    Serialize + DeserializeOwned + ToSchema + fmt::Debug + Clone + PartialEq + Send + Sync + 'static
{
    /// The collection of these documents.
    const COLLECTION: Collection;

    /// What the hub adds.
    type Status: Serialize
        + DeserializeOwned
        + ToSchema
        + fmt::Debug
        + Clone
        + PartialEq
        + Send
        + Sync;

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

impl<T: Document> Stored<T> {
    /// Returns the document as the API and events show it.
    pub fn view(&self, status: T::Status) -> DocumentView<T> {
        DocumentView {
            id: self.id.clone(),
            document: self.body.clone(),
            status,
        }
    }
}

/// A document as the API and events show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(bound = "T: Document")]
pub struct DocumentView<T: Document> {
    /// The name that the hub gave it.
    pub id: Id,
    /// What people wrote.
    #[serde(flatten)]
    pub document: T,
    /// What the hub adds.
    #[serde(flatten)]
    pub status: T::Status,
}

/// Returns the first of these fields that a document does not have.
pub fn unknown_field<'a, T: Document>(
    document: &T,
    fields: impl IntoIterator<Item = &'a String>,
) -> Option<&'a str> {
    let known = serde_json::to_value(document).ok()?;
    let mut fields = fields.into_iter();
    let unknown = fields.find(|field| known.get(field).is_none());
    unknown.map(String::as_str)
}

/// Reads a document for a test, and refuses fields that it does not have.
#[cfg(test)]
pub(crate) fn read<T: Document>(json: &str) -> Result<T, String> {
    let object: Map<String, Value> = serde_json::from_str(json).map_err(|e| e.to_string())?;
    let document = T::deserialize(Value::Object(object.clone())).map_err(|e| e.to_string())?;
    match unknown_field(&document, object.keys()) {
        Some(field) => Err(format!("unknown field {field}")),
        None => Ok(document),
    }
}
