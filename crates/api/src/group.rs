//! Plugs that are switched together.

use std::collections::HashSet;

use hiflying::Mac;
use serde::{Deserialize, Serialize};

use crate::document::{Collection, Document};
use crate::error::RequestError;
use crate::status::NoStatus;

/// The longest name of anything, in characters.
const LONGEST_NAME: usize = 64;
/// No more plugs than this in one group.
const MOST_PLUGS: usize = 10_000;

/// Plugs that are switched together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// What it is called.
    pub name: String,
    /// Its plugs.
    pub plugs: Vec<Mac>,
}

impl Document for Group {
    const COLLECTION: Collection = Collection::Groups;
    type Status = NoStatus;

    fn name(&self) -> &str {
        &self.name
    }

    fn check(&self) -> Result<(), RequestError> {
        check_name(&self.name)?;
        if self.plugs.len() > MOST_PLUGS {
            let message = format!("a group has at most {MOST_PLUGS} plugs");
            return Err(RequestError::usage(message).at("plugs"));
        }
        let mut seen = HashSet::new();
        match self.plugs.iter().find(|plug| !seen.insert(**plug)) {
            Some(twice) => Err(RequestError::usage(format!("{twice} is named twice")).at("plugs")),
            None => Ok(()),
        }
    }
}

/// Says what is wrong with the name of a plug, a room, a group, a schedule, …
///
/// Every script is welcome; control characters and invisible edges are not.
///
/// # Errors
///
/// [`RequestError`] of kind `usage` at the field `name`.
pub fn check_name(name: &str) -> Result<(), RequestError> {
    let problem = if name.trim().is_empty() {
        "a name cannot be empty"
    } else if name.trim() != name {
        "a name cannot begin or end with a space"
    } else if name.chars().any(char::is_control) {
        "a name cannot have control characters"
    } else if name.chars().count() > LONGEST_NAME {
        "a name has at most 64 characters"
    } else {
        return Ok(());
    };
    Err(RequestError::usage(problem).at("name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_every_script() {
        for name in ["kitchen", "Küche", "台所", "مطبخ", "кухня", "🍳", "a b"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        let long = "x".repeat(65);
        for name in ["", " ", "a ", "\ta", "a\nb", "\u{0}", "a\u{7f}b", &long] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_group_names_each_plug_once() {
        let plug: Mac = "accf23123456".parse().unwrap();
        let mut group = Group {
            name: "lamps".into(),
            plugs: vec![plug],
        };
        assert_eq!(group.check(), Ok(()));
        group.plugs.push(plug);
        assert_eq!(group.check().unwrap_err().field(), Some("plugs"));
    }
}
