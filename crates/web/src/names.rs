//! The names of plugs and groups of the hub, for sentences.

use api::Id;
use api::text::Names;
use hiflying::Mac;
use hub::Hub;

/// The names that the hub knows.
pub(crate) struct KnownNames<'a>(pub(crate) &'a Hub);

impl Names for KnownNames<'_> {
    fn plug_name(&self, plug: Mac) -> Option<String> {
        self.0.registry().view(plug)?.plug.name.clone()
    }

    fn group_name(&self, group: &Id) -> Option<String> {
        let group = self.0.groups().one(group).ok()?;
        Some(group.body.name.to_string())
    }
}
