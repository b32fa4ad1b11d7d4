//! The handle on a running hub.
//!
//! REST, later MQTT, schedules and rules all call the same functions here, so that each thing can be done in one way only. It
//! holds no device logic: plugs belong to the [`Registry`], documents to their [`Repository`], history to the store.

use std::sync::Arc;
use std::time::Instant;

use api::{
    Cause, Document, Group, Id, PlugId, PlugView, RelayCommand, RequestError, Rule, RuleKind,
    Schedule, Stored, SwitchTarget, Switched, Tariff,
};
use futures_util::future::join_all;
use hiflying::Mac;
use jiff::Timestamp;
use plugs::Capability;
use serde::Serialize;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::bridges::HueBridges;
use crate::config::Config;
use crate::event::{EventBus, News};
use crate::recorder::Recorder;
use crate::registry::Registry;
use crate::repository::Repository;
use crate::schedule::{Clock, next_due};
use crate::store::Store;

/// So many plugs of a group are switched at the same time; more would only wait for one another.
const AT_ONCE: usize = 256;

/// What a hub is made of.
#[derive(Debug)]
pub struct Parts {
    /// What the owner decided.
    pub config: Config,
    /// What outlives the process.
    pub store: Arc<dyn Store>,
    /// News.
    pub bus: EventBus,
    /// The plugs.
    pub registry: Registry,
    /// Readings on their way into history.
    pub recorder: Recorder,
    /// Plugs that are switched together.
    pub groups: Repository<Group>,
    /// What switches by clock and sun.
    pub schedules: Repository<Schedule>,
    /// What switches by what a plug does.
    pub rules: Repository<Rule>,
    /// What energy costs.
    pub tariffs: Repository<Tariff>,
    /// Hue bridges, and bulbs that they take over.
    pub bridges: HueBridges,
    /// Ends the hub.
    pub cancel: CancellationToken,
}

/// The handle on a running hub. A clone is the same hub.
#[derive(Debug, Clone)]
pub struct Hub(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    parts: Parts,
    clock: Clock,
    started: Instant,
}

impl Hub {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        let clock = Clock {
            timezone: parts.config.timezone.clone(),
            place: parts.config.place,
        };
        Self(Arc::new(Inner {
            parts,
            clock,
            started: Instant::now(),
        }))
    }

    /// Returns what the owner decided.
    pub fn config(&self) -> &Config {
        &self.0.parts.config
    }

    /// Returns what local times and the sun depend on.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Returns since when the hub runs.
    pub fn started(&self) -> Instant {
        self.0.started
    }

    /// Returns what outlives the process.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.0.parts.store
    }

    /// Returns where news is spread.
    pub fn bus(&self) -> &EventBus {
        &self.0.parts.bus
    }

    /// Returns who keeps the plugs.
    pub fn registry(&self) -> &Registry {
        &self.0.parts.registry
    }

    /// Returns who writes readings into history.
    pub fn recorder(&self) -> &Recorder {
        &self.0.parts.recorder
    }

    /// Returns the groups.
    pub fn groups(&self) -> &Repository<Group> {
        &self.0.parts.groups
    }

    /// Returns the schedules.
    pub fn schedules(&self) -> &Repository<Schedule> {
        &self.0.parts.schedules
    }

    /// Returns the rules.
    pub fn rules(&self) -> &Repository<Rule> {
        &self.0.parts.rules
    }

    /// Returns the tariffs.
    pub fn tariffs(&self) -> &Repository<Tariff> {
        &self.0.parts.tariffs
    }

    /// Returns the Hue bridges.
    pub fn bridges(&self) -> &HueBridges {
        &self.0.parts.bridges
    }

    /// Returns what ends the hub.
    pub fn cancel(&self) -> &CancellationToken {
        &self.0.parts.cancel
    }

    /// Returns the plugs of a target.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `not_found` when there is no such group.
    pub fn members(&self, target: &SwitchTarget) -> Result<Vec<PlugId>, RequestError> {
        match target {
            SwitchTarget::Plug(plug) => Ok(vec![*plug]),
            SwitchTarget::Group(id) => Ok(self.groups().one(id)?.body.plugs),
        }
    }

    /// Switches a plug, or all plugs of a group at the same time, and tells of each in the group's order. A plug that two groups
    /// share is told once for each call.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `not_found` when there is no such group; what befell each plug is in the list.
    pub async fn switch_target(
        &self,
        target: &SwitchTarget,
        wanted: RelayCommand,
        cause: &Cause,
    ) -> Result<Vec<(PlugId, Result<Switched, RequestError>)>, RequestError> {
        let plugs = self.members(target)?;
        let mut results = Vec::with_capacity(plugs.len());
        for some in plugs.chunks(AT_ONCE) {
            let each = some.iter().map(async |plug| {
                let result = self.registry().switch(plug.0, wanted, cause.clone()).await;
                (*plug, result)
            });
            results.extend(join_all(each).await);
        }
        Ok(results)
    }

    /// Lets `new` take the place of `old`: its name, settings, history and lifetime total, and its part in groups,
    /// schedules, rules and tariffs.
    ///
    /// # Errors
    ///
    /// As [`Registry::replace`]. A document that cannot be written then is logged and goes on naming `old`.
    pub async fn replace_plug(&self, old: Mac, new: Mac) -> Result<Arc<PlugView>, RequestError> {
        let view = self.registry().replace(old, new).await?;
        let (old, new) = (PlugId(old), PlugId(new));
        let swap = |plug: &mut PlugId| {
            std::mem::replace(plug, if *plug == old { new } else { *plug }) == old
        };
        self.carry_over(self.groups(), |group| swap_in(&mut group.plugs, old, new))
            .await;
        self.carry_over(self.tariffs(), |tariff| {
            swap_in(&mut tariff.plugs, old, new)
        })
        .await;
        let schedules = self
            .carry_over(self.schedules(), |schedule| {
                swap_in(
                    &mut schedule.targets,
                    SwitchTarget::Plug(old),
                    SwitchTarget::Plug(new),
                )
            })
            .await;
        let rules = self
            .carry_over(self.rules(), |rule| {
                let follows = match &mut rule.kind {
                    RuleKind::Follow { leader, .. } => swap(leader),
                    _ => false,
                };
                swap(&mut rule.plug) | follows
            })
            .await;
        for schedule in schedules {
            let view = Arc::new(self.schedule_view(&schedule));
            self.bus().publish(News::Schedule(view));
        }
        for rule in rules {
            self.bus()
                .publish(News::Rule(Arc::new(self.rule_view(&rule))));
        }
        Ok(view)
    }

    /// Edits every document of which `change` says that it was changed, and returns those.
    async fn carry_over<T: Document>(
        &self,
        shelf: &Repository<T>,
        change: impl Fn(&mut T) -> bool,
    ) -> Vec<Stored<T>> {
        let mut changed = Vec::new();
        for mut document in shelf.all() {
            if !change(&mut document.body) {
                continue;
            }
            let (id, revision) = (document.id, document.revision);
            match shelf.replace(&id, document.body, Some(revision)).await {
                Ok(stored) => changed.push(stored),
                Err(error) => {
                    let what = T::COLLECTION.singular();
                    tracing::error!(%id, %error, "a {what} goes on naming the plug that was replaced");
                }
            }
        }
        changed
    }

    /// Says whether all that a group names exists.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `usage` at the field that names an unknown plug.
    pub fn check_group(&self, group: &Group) -> Result<(), RequestError> {
        self.check_plugs(group.plugs.iter().map(|plug| ("plugs", *plug)))
    }

    /// Says whether all that a schedule names exists, and whether its times can be reckoned.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `usage` at the field.
    pub fn check_schedule(&self, schedule: &Schedule) -> Result<(), RequestError> {
        for target in &schedule.targets {
            match target {
                SwitchTarget::Plug(plug) => self.check_plugs([("targets", *plug)])?,
                SwitchTarget::Group(id) => {
                    self.groups()
                        .one(id)
                        .map_err(|error| RequestError::usage(error.message()).at("targets"))?;
                }
            }
        }
        // Any id: only whether there is an answer matters.
        next_due(schedule, self.clock(), Timestamp::now(), &Id::random('s')).map(drop)
    }

    /// Says whether all that a rule names exists.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `usage` at the field that names an unknown plug.
    pub fn check_rule(&self, rule: &Rule) -> Result<(), RequestError> {
        self.check_plugs(rule.plugs())?;
        match rule.metered_plug() {
            Some((field, plug)) if !self.registry().can(plug.0, Capability::Meter) => {
                let message = format!("plug {plug} has no meter, which this rule needs");
                Err(RequestError::usage(message)
                    .at(field)
                    .hint("choose a plug with a meter, or another kind of rule"))
            }
            _ => Ok(()),
        }
    }

    /// Says whether all that a tariff names exists.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `usage` at the field that names an unknown plug.
    pub fn check_tariff(&self, tariff: &Tariff) -> Result<(), RequestError> {
        self.check_plugs(tariff.plugs.iter().map(|plug| ("plugs", *plug)))
    }

    fn check_plugs(
        &self,
        plugs: impl IntoIterator<Item = (&'static str, PlugId)>,
    ) -> Result<(), RequestError> {
        let unknown = plugs.into_iter().find(|(_, plug)| !self.knows(plug.0));
        match unknown {
            None => Ok(()),
            Some((field, plug)) => Err(RequestError::usage(format!("no plug {plug} is adopted"))
                .at(field)
                .hint("adopt it first; `GET /api/v1/plugs` lists those that are")),
        }
    }

    fn knows(&self, plug: Mac) -> bool {
        self.registry().view(plug).is_some()
    }

    /// Returns a group as the API and events show it.
    pub fn group_view(&self, group: &Stored<Group>) -> Value {
        view(group, Map::new())
    }

    /// Returns a schedule as the API and events show it: with `next`, `last` and `halted`.
    pub fn schedule_view(&self, schedule: &Stored<Schedule>) -> Value {
        let now = Timestamp::now();
        let mut added = self.remembered(self.schedules(), schedule);
        let is_halted = added.get("halted").is_some_and(|halted| !halted.is_null());
        let next = match next_due(&schedule.body, self.clock(), now, &schedule.id) {
            Ok(Some(next)) if !is_halted => format!("{next:.0}").into(),
            // Without a place the sun never rises; the log says so.
            _ => Value::Null,
        };
        added.insert("next".to_owned(), next);
        view(schedule, added)
    }

    /// Returns a rule as the API and events show it: with `last` and `halted`.
    pub fn rule_view(&self, rule: &Stored<Rule>) -> Value {
        view(rule, self.remembered(self.rules(), rule))
    }

    /// Returns a tariff as the API shows it.
    pub fn tariff_view(&self, tariff: &Stored<Tariff>) -> Value {
        view(tariff, Map::new())
    }

    /// What of a document's state people see.
    fn remembered<T: Document>(
        &self,
        shelf: &Repository<T>,
        stored: &Stored<T>,
    ) -> Map<String, Value> {
        let state = shelf.state(&stored.id);
        // An edit ends a halt, also before the automation has seen it.
        let is_edited = state.get("revision") != Some(&stored.revision.into());
        let of = |key: &str| state.get(key).cloned().unwrap_or(Value::Null);
        let halted = if is_edited { Value::Null } else { of("halted") };
        Map::from_iter([
            ("last".to_owned(), of("last")),
            ("halted".to_owned(), halted),
        ])
    }
}

/// The id, what people wrote, and what the hub adds.
fn view<T: Serialize>(document: &Stored<T>, added: Map<String, Value>) -> Value {
    let mut object = Map::new();
    object.insert("id".to_owned(), document.id.as_str().into());
    // A document is a struct with text keys, which always becomes an object.
    if let Ok(Value::Object(body)) = serde_json::to_value(&document.body) {
        object.extend(body);
    }
    object.extend(added);
    Value::Object(object)
}

/// Puts `new` in the place of `old`, once; tells whether `old` was there.
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
