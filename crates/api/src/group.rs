//! Plugs that are switched together.

use std::collections::HashSet;

use hiflying::Mac;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::document::{Collection, Document};
use crate::error::RequestError;
use crate::name::Name;
use crate::status::NoStatus;

/// Maximum number of plugs in a group.
const MAX_PLUGS: usize = 10_000;

/// Plugs that are switched together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = GroupInput)]
pub struct Group {
    /// Unique among groups and plugs.
    pub name: Name,
    /// Its plugs, each once.
    #[schema(max_items = 10_000)]
    pub plugs: Vec<Mac>,
}

impl Document for Group {
    const COLLECTION: Collection = Collection::Groups;
    type Status = NoStatus;

    fn name(&self) -> &str {
        &self.name
    }

    fn check(&self) -> Result<(), RequestError> {
        if self.plugs.len() > MAX_PLUGS {
            let message = format!("a group has at most {MAX_PLUGS} plugs");
            return Err(RequestError::usage(message).at("plugs"));
        }
        let mut seen = HashSet::new();
        match self.plugs.iter().find(|plug| !seen.insert(**plug)) {
            Some(twice) => Err(RequestError::usage(format!("{twice} is listed twice")).at("plugs")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_names_each_plug_once() {
        let plug: Mac = "accf23123456".parse().unwrap();
        let mut group = Group {
            name: "lamps".parse().unwrap(),
            plugs: vec![plug],
        };
        assert_eq!(group.check(), Ok(()));
        group.plugs.push(plug);
        assert_eq!(group.check().unwrap_err().field(), Some("plugs"));
    }
}
