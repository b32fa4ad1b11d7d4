//! The common properties of groups, schedules, rules and tariffs.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
#[cfg(test)]
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::error::RequestError;
use crate::id::Id;

/// The collections of documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Collection {
    /// Plugs that are switched together.
    Groups,
    /// Switching by the clock and the sun.
    Schedules,
    /// Switching by the behaviour of plugs.
    Rules,
    /// Prices of energy.
    Tariffs,
}

impl Collection {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Groups, Self::Schedules, Self::Rules, Self::Tariffs];

    /// Returns the name of the collection, as in its path.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Returns the name of one member, as used in sentences.
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
/// It is read tolerantly, so that a client understands a newer hub. Code that stores one refuses its [`unknown_field`].
pub trait Document:
    Serialize + DeserializeOwned + ToSchema + fmt::Debug + Clone + PartialEq + Send + Sync + 'static
{
    /// The collection of these documents.
    const COLLECTION: Collection;

    /// The fields that the hub adds.
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

    /// Checks the document on its own; the hub checks that the objects which it names exist.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `usage` that names the field.
    fn check(&self) -> Result<(), RequestError>;
}

/// A document as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored<T> {
    /// The id that the hub assigned.
    pub id: Id,
    /// Its revision, which grows with every edit: its ETag.
    pub revision: u64,
    /// The document as people wrote it.
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
    /// The id that the hub assigned.
    pub id: Id,
    /// The document as people wrote it.
    #[serde(flatten)]
    pub document: T,
    /// The fields that the hub adds.
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
