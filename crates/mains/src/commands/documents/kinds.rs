//! Documents that come in kinds, of which each takes fields of its own.
//!
//! A table says which; what does not belong to the kind, or is missing, is refused by the name of its option, before the
//! hub is asked.

use serde_json::Value;

use crate::error::Failure;

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
    /// The fields.
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

impl<K: PartialEq> Kinds<K> {
    /// Refuses what the kind has no use for, and the taking away of what it needs. `word` is the kind's own.
    pub(crate) fn check(&self, kind: &K, word: &str, given: &Given) -> Result<(), Failure> {
        let one = self.one;
        for (name, value) in given {
            let Some(field) = self.fields.iter().find(|field| field.name == *name) else {
                continue;
            };
            let option = field.option;
            if !field.needed.contains(kind) && !field.optional.contains(kind) {
                let message = format!("`{option}` has no meaning for a {one} of the kind {word}");
                return Err(
                    Failure::usage(message).hint(format!("{word} takes {}", self.options(kind)))
                );
            }
            if value.is_null() && field.needed.contains(kind) {
                let message = format!("a {one} of the kind {word} cannot be without `{option}`");
                return Err(Failure::usage(message));
            }
        }
        Ok(())
    }

    /// As [`Kinds::check`], of a new one: nothing that it needs may be missing.
    pub(crate) fn check_new(&self, kind: &K, word: &str, given: &Given) -> Result<(), Failure> {
        self.check(kind, word, given)?;
        let is_given = |field: &&Field<K>| given.iter().any(|(name, _)| *name == field.name);
        let mut needed = self
            .fields
            .iter()
            .filter(|field| field.needed.contains(kind));
        match needed.find(|field| !is_given(field)) {
            None => Ok(()),
            Some(Field { option, .. }) => {
                let one = self.one;
                let message = format!("a {one} of the kind {word} needs `{option}`");
                Err(Failure::usage(message).hint(format!("`mains help {one} add` shows examples")))
            }
        }
    }

    fn options(&self, kind: &K) -> String {
        let options: Vec<&str> = self
            .fields
            .iter()
            .filter(|field| field.needed.contains(kind) || field.optional.contains(kind))
            .map(|field| field.option)
            .collect();
        options.join(", ")
    }
}
