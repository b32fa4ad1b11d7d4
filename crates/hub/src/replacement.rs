//! Replacement of a plug by a new one, together with all documents that name it.

use std::sync::Arc;

use api::{PlugView, RequestError, Rule, RuleKind, Stored, SwitchTarget, Tariff};
use hiflying::Mac;

use crate::documents::{HubDocument, check_rivals};
use crate::hub::Hub;
use crate::repository::PreparedEdit;

impl Hub {
    /// Replaces `old` by `new`, which takes over its name, settings, history and lifetime total, and its place in groups,
    /// schedules, rules and tariffs.
    ///
    /// # Errors
    ///
    /// As [`crate::registry::Registry::replace`]; `conflict` also if two tariffs would be valid for `new` from the same day on. Then nothing has
    /// changed.
    pub async fn replace_plug(&self, old: Mac, new: Mac) -> Result<Arc<PlugView>, RequestError> {
        let swap_plugs = |plugs: &mut Vec<Mac>| swap_in(plugs, old, new);
        let groups = self.groups().prepare(|group| swap_plugs(&mut group.plugs));
        let groups = groups.await;
        let tariffs = self
            .tariffs()
            .prepare(|tariff| swap_plugs(&mut tariff.plugs));
        let tariffs = tariffs.await;
        let schedules = self.schedules().prepare(|schedule| {
            let [old, new] = [old, new].map(SwitchTarget::Plug);
            swap_in(&mut schedule.targets, old, new)
        });
        let schedules = schedules.await;
        let rules = self
            .rules()
            .prepare(|rule| swap_in_rule(rule, old, new))
            .await;
        check_tariffs(&self.tariffs().all(), tariffs.bodies())?;
        let mut documents = groups.documents()?;
        documents.extend(tariffs.documents()?);
        documents.extend(schedules.documents()?);
        documents.extend(rules.documents()?);
        let is_metered = |rule: &Rule| rule.metered_plug().is_some_and(|(_, plug)| plug == new);
        let needs_meter = rules.bodies().any(is_metered);
        let replaced = self.registry().replace(old, new, &documents, needs_meter);
        let view = replaced.await?;
        self.apply(groups);
        self.apply(tariffs);
        self.apply(schedules);
        self.apply(rules);
        Ok(view)
    }

    fn apply<T: HubDocument>(&self, edit: PreparedEdit<'_, T>) {
        for stored in edit.apply() {
            self.publish_document(&stored);
        }
    }
}

/// Checks edited tariffs against those that stay.
fn check_tariffs<'a>(
    all: &[Stored<Tariff>],
    edited: impl Iterator<Item = &'a Tariff>,
) -> Result<(), RequestError> {
    let mut after: Vec<Tariff> = all.iter().map(|stored| stored.body.clone()).collect();
    for tariff in edited {
        after.retain(|other| other.name != tariff.name);
        check_rivals(tariff, after.iter().cloned())?;
        after.push(tariff.clone());
    }
    Ok(())
}

/// Replaces `old` by `new` in a rule; returns true if the rule named `old`.
fn swap_in_rule(rule: &mut Rule, old: Mac, new: Mac) -> bool {
    let is_named = rule.plugs().any(|(_, plug)| plug == old);
    let leader = match &mut rule.kind {
        RuleKind::Follow { leader, .. } => Some(leader),
        _ => None,
    };
    let plugs = std::iter::once(&mut rule.plug).chain(leader);
    plugs
        .filter(|plug| **plug == old)
        .for_each(|plug| *plug = new);
    is_named
}

/// Replaces `old` by `new` without duplicates; returns true if `old` was in the list.
fn swap_in<T: PartialEq>(list: &mut Vec<T>, old: T, new: T) -> bool {
    let Some(place) = list.iter().position(|item| *item == old) else {
        return false;
    };
    if list.contains(&new) {
        list.remove(place);
    } else if let Some(item) = list.get_mut(place) {
        *item = new;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_swapped_in_is_there_once() {
        let swapped = |mut list: Vec<u8>| swap_in(&mut list, 1, 2).then_some(list);
        assert_eq!(swapped(vec![0, 1, 3]), Some(vec![0, 2, 3]));
        assert_eq!(swapped(vec![2, 1]), Some(vec![2]));
        assert_eq!(swapped(vec![0, 2]), None);
    }
}
