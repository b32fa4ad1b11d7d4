//! The handle on a running hub.
//!
//! REST, schedules, rules and later MQTT all call the same functions here, so that every operation exists only once. The handle
//! holds no device logic: plugs belong to the [`Registry`], documents to their [`Repository`], history to the store.

use std::collections::HashMap;
use std::sync::Arc;

use api::{
    Cause, Group, HardenReport, PlugSettings, PlugView, RelayCommand, RequestError, Rule, Schedule,
    SwitchTarget, Switched, Tariff,
};
use futures_util::future::join_all;
use hiflying::Mac;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::backups::Backups;
use crate::bridges::HueBridges;
use crate::config::Config;
use crate::event::EventBus;
use crate::guest::Guest;
use crate::lease::Lease;
use crate::log::EventLog;
use crate::recorder::Recorder;
use crate::registry::Registry;
use crate::repository::Repository;
use crate::schedule::Clock;
use crate::sites::Sites;
use crate::store::Store;

/// Maximum number of plugs of a group switched at the same time; more would only wait for one another.
const AT_ONCE: usize = 256;

/// The parts of a hub.
#[derive(Debug)]
pub struct Parts {
    /// The settings.
    pub config: Config,
    /// The store of persistent state.
    pub store: Arc<dyn Store>,
    /// The event bus.
    pub bus: EventBus,
    /// The log of past events.
    pub log: EventLog,
    /// The plugs.
    pub registry: Registry,
    /// The recorder, which writes readings to the history.
    pub recorder: Recorder,
    /// Groups of plugs that are switched together.
    pub groups: Repository<Group>,
    /// Schedules, which switch by clock and sun.
    pub schedules: Repository<Schedule>,
    /// Rules, which switch by the state of a plug.
    pub rules: Repository<Rule>,
    /// Tariffs, the prices of energy.
    pub tariffs: Repository<Tariff>,
    /// Hue bridges, and bulbs that they take over.
    pub bridges: HueBridges,
    /// Parts that work on this handle, e.g. MQTT.
    pub guests: Vec<Arc<dyn Guest>>,
    /// The part of the hub among those that share its database.
    pub lease: Lease,
    /// Stops the hub.
    pub cancel: CancellationToken,
}

/// The handle on a running hub. Clones share their state.
#[derive(Debug, Clone)]
pub struct Hub(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    parts: Parts,
    clock: Clock,
    backups: Backups,
    sites: Sites,
    /// Findings of each plug when it was last looked at since the start.
    findings: Mutex<HashMap<Mac, Arc<HardenReport>>>,
}

impl Hub {
    /// Creates a hub from its parts.
    pub fn new(parts: Parts) -> Self {
        let clock = Clock {
            timezone: parts.config.timezone.clone(),
            place: parts.config.place,
        };
        if parts.config.postgres.is_some() {
            parts.registry.await_foreign();
        }
        Self(Arc::new(Inner {
            parts,
            clock,
            backups: Backups::default(),
            sites: Sites::default(),
            findings: Mutex::default(),
        }))
    }

    /// Returns the settings.
    pub fn config(&self) -> &Config {
        &self.0.parts.config
    }

    /// Returns the clock, on which local times and the sun depend.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Returns the part of the hub among those that share its database.
    pub fn lease(&self) -> &Lease {
        &self.0.parts.lease
    }

    /// Returns the store of persistent state.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.0.parts.store
    }

    /// Returns the event bus.
    pub fn bus(&self) -> &EventBus {
        &self.0.parts.bus
    }

    /// Returns the log of past events.
    pub fn log(&self) -> &EventLog {
        &self.0.parts.log
    }

    /// Returns the registry of plugs.
    pub fn registry(&self) -> &Registry {
        &self.0.parts.registry
    }

    /// Returns the recorder, which writes readings to the history.
    pub fn recorder(&self) -> &Recorder {
        &self.0.parts.recorder
    }

    /// Returns the scheduled backups.
    pub fn backups(&self) -> &Backups {
        &self.0.backups
    }

    /// Returns the sites in the database.
    pub fn sites(&self) -> &Sites {
        &self.0.sites
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

    /// Returns the parts that work on this handle.
    pub fn guests(&self) -> &[Arc<dyn Guest>] {
        &self.0.parts.guests
    }

    /// Returns the token that stops the hub.
    pub fn cancel(&self) -> &CancellationToken {
        &self.0.parts.cancel
    }

    /// Returns what a plug's settings left open when it was last looked at since the start.
    pub fn findings(&self, plug: Mac) -> Option<Arc<HardenReport>> {
        self.0.findings.lock().get(&plug).cloned()
    }

    /// Keeps what was found of a plug, in place of what was found of the same weaknesses before.
    pub(crate) fn keep_findings(&self, report: &HardenReport) {
        let mut report = report.clone();
        let mut findings = self.0.findings.lock();
        if let Some(before) = findings.get(&report.plug) {
            let others = before.steps.iter().cloned();
            let is_new = |step: &api::HardenStep| report.step(step.id).is_none();
            let others: Vec<_> = others.filter(is_new).collect();
            report.steps.extend(others);
            report.steps.sort_by_key(|step| step.id);
        }
        findings.insert(report.plug, Arc::new(report));
    }

    /// Changes the settings of a plug, and returns it with its new revision. A name must be that of no other plug or group.
    pub async fn change_plug(
        &self,
        plug: Mac,
        if_match: Option<u64>,
        edit: impl FnOnce(&PlugSettings) -> Result<PlugSettings, RequestError>,
    ) -> Result<(Arc<PlugView>, u64), RequestError> {
        let edit = |before: &PlugSettings| {
            let after = edit(before)?;
            let name = after.name.as_deref().filter(|_| after.name != before.name);
            match name.and_then(|name| self.groups().named(name)) {
                Some(group) => {
                    let name = &group.body.name;
                    let message = format!("a group is called \u{2018}{name}\u{2019}");
                    Err(RequestError::conflict(message)
                        .hint("a name belongs to one plug or group")
                        .at("name"))
                }
                None => Ok(after),
            }
        };
        self.registry().change(plug, if_match, edit).await
    }

    /// Returns the plugs of a target.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `not_found` if the group does not exist.
    pub fn members(&self, target: &SwitchTarget) -> Result<Vec<Mac>, RequestError> {
        match target {
            SwitchTarget::Plug(plug) => Ok(vec![*plug]),
            SwitchTarget::Group(id) => Ok(self.groups().one(id)?.body.plugs),
        }
    }

    /// Switches a plug, or all plugs of a group at the same time, and returns the result of each in the group's order. A plug that
    /// belongs to two groups is switched once for each call.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `not_found` if the group does not exist; errors of single plugs are in the list.
    pub async fn switch_target(
        &self,
        target: &SwitchTarget,
        wanted: RelayCommand,
        cause: &Cause,
    ) -> Result<Vec<(Mac, Result<Switched, RequestError>)>, RequestError> {
        let plugs = self.members(target)?;
        let mut results = Vec::with_capacity(plugs.len());
        for some in plugs.chunks(AT_ONCE) {
            let each = some.iter().map(async |plug| {
                let result = self.registry().switch(*plug, wanted, cause.clone()).await;
                (*plug, result)
            });
            results.extend(join_all(each).await);
        }
        Ok(results)
    }
}
