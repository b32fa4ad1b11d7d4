//! Documents that come in kinds, of which each takes fields of its own.
//!
//! A table says which; what does not belong to the kind, or is missing, is refused by the name of its option, before the
//! hub is asked.

use serde_json::{Value, json};

use super::Document;
use crate::error::Failure;

/// A kind of documents.
pub(crate) trait Kind: Copy + PartialEq + 'static {
    /// Returns all of them.
    fn all() -> &'static [Self];

    /// Returns its word in JSON.
    fn as_str(self) -> &'static str;
}

/// A field: its name in JSON, its option, the kinds that must have it, the kinds that may.
#[derive(Debug)]
pub(crate) struct Field<K: 'static> {
    /// Its name in JSON.
    pub(crate) name: &'static str,
    option: &'static str,
    needed: &'static [K],
    optional: &'static [K],
}

/// The fields of all kinds of a collection.
#[derive(Debug)]
pub(crate) struct Kinds<K: 'static> {
    /// What one document is called.
    pub(crate) one: &'static str,
    /// Which kinds take which field.
    pub(crate) fields: &'static [Field<K>],
}

/// What was given: the field's name in JSON, and its value.
pub(crate) type Given = Vec<(&'static str, Value)>;

impl<K> Field<K> {
    pub(crate) const fn new(
        name: &'static str,
        option: &'static str,
        needed: &'static [K],
        optional: &'static [K],
    ) -> Self {
        Self {
            name,
            option,
            needed,
            optional,
        }
    }
}

impl<K: Kind> Field<K> {
    fn is_of(&self, kind: K) -> bool {
        self.needed.contains(&kind) || self.optional.contains(&kind)
    }
}

impl<K: Kind> Kinds<K> {
    /// Makes a document one of this kind, with what is given: nothing that the kind needs may be missing.
    pub(crate) fn make(
        &self,
        document: &mut Document,
        kind: K,
        given: Given,
    ) -> Result<(), Failure> {
        self.check_new(kind, &given)?;
        document.insert("kind".to_owned(), json!(kind.as_str()));
        put(document, given);
        Ok(())
    }

    /// Puts what is given into a document, and returns its kind, which stays. One that is not known here is a newer hub's, which
    /// checks it itself.
    pub(crate) fn change(
        &self,
        document: &mut Document,
        given: Given,
    ) -> Result<Option<K>, Failure> {
        let word = document.get("kind").and_then(Value::as_str);
        let mut all = K::all().iter().copied();
        let kind = all.find(|kind| Some(kind.as_str()) == word);
        if let Some(kind) = kind {
            self.check(kind, &given)?;
        }
        put(document, given);
        Ok(kind)
    }

    /// Refuses what the kind has no use for, and the taking away of what it needs.
    fn check(&self, kind: K, given: &Given) -> Result<(), Failure> {
        let (one, word) = (self.one, kind.as_str());
        for (name, value) in given {
            let Some(field) = self.fields.iter().find(|field| field.name == *name) else {
                continue;
            };
            let option = field.option;
            if !field.is_of(kind) {
                let message = format!("`{option}` has no meaning for a {one} of the kind {word}");
                return Err(
                    Failure::usage(message).hint(format!("{word} takes {}", self.options(kind)))
                );
            }
            if value.is_null() && field.needed.contains(&kind) {
                let message = format!("a {one} of the kind {word} cannot be without `{option}`");
                return Err(Failure::usage(message));
            }
        }
        Ok(())
    }

    /// As [`Kinds::check`], of a new one: nothing that it needs may be missing.
    fn check_new(&self, kind: K, given: &Given) -> Result<(), Failure> {
        self.check(kind, given)?;
        let is_given = |field: &&Field<K>| given.iter().any(|(name, _)| *name == field.name);
        let mut needed = self
            .fields
            .iter()
            .filter(|field| field.needed.contains(&kind));
        match needed.find(|field| !is_given(field)) {
            None => Ok(()),
            Some(Field { option, .. }) => {
                let (one, word) = (self.one, kind.as_str());
                let message = format!("a {one} of the kind {word} needs `{option}`");
                Err(Failure::usage(message).hint(format!("`mains help {one} add` shows examples")))
            }
        }
    }

    fn options(&self, kind: K) -> String {
        let options: Vec<&str> = self
            .fields
            .iter()
            .filter(|field| field.is_of(kind))
            .map(|field| field.option)
            .collect();
        options.join(", ")
    }
}

fn put(document: &mut Document, given: Given) {
    let given = given.into_iter();
    document.extend(given.map(|(name, value)| (name.to_owned(), value)));
}
