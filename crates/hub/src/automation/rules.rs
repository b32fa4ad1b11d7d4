//! Runs rules on events of plugs and on time.

mod active;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use api::{
    Cause, Collection, Event, Id, LastRun, MeterEvent, Metering, PlugView, RequestError, Rule,
    Stored, to_millisecond,
};
use hiflying::Mac;
use jiff::{SignedDuration, Timestamp};
use plugs::Reading;
use serde_json::Value;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::clocks::{ClockWatch, wake_at};
use super::context::AutomationContext;
use super::executor::{ExecuteError, Executor};
use super::run_state::RunState;
use crate::rule::{Order, Power, RuleState};
use crate::store::{Claim, ClaimKind, Claimed};
use active::{ActiveRule, PlugStatus, PowerReading};

/// Metering intervals without a reading after which a plug's power is unknown.
const MAX_MISSED_READINGS: u32 = 3;
/// Lower bound of the time without a reading after which a plug's power is unknown: readings also come after switches, and one may
/// be lost.
const MIN_READING_TIMEOUT: Duration = Duration::from_secs(30);

/// Result of a rule's command.
#[derive(Debug)]
struct RuleOutcome {
    id: Id,
    revision: u64,
    at: Timestamp,
    order: Order,
    result: Result<(), ExecuteError>,
}

/// All rules in operation.
#[derive(Debug)]
struct RuleRunner<S> {
    executor: Executor<S>,
    active: BTreeMap<Id, ActiveRule>,
    /// Rules that watch each plug.
    watchers: HashMap<Mac, Vec<Id>>,
    stands: HashMap<Mac, PlugStatus>,
    /// Maximum intervals between readings that the rules need.
    needs: HashMap<Mac, Duration>,
    /// Times at which rules are evaluated again.
    wakes: BTreeSet<(Timestamp, Id)>,
    orders: JoinSet<RuleOutcome>,
    watch: ClockWatch,
}

/// Runs rules until the hub ends.
pub(super) async fn run<S: AutomationContext>(executor: Executor<S>) {
    // Subscribed before the plugs are read, so that no event is missed.
    let mut events = executor.context.bus().subscribe();
    let mut changes = executor.context.rules().changes();
    let cancel = executor.context.cancel().clone();
    let watch = ClockWatch::new(executor.context.time());
    let mut rules = RuleRunner {
        executor,
        active: BTreeMap::new(),
        watchers: HashMap::new(),
        stands: HashMap::new(),
        needs: HashMap::new(),
        wakes: BTreeSet::new(),
        orders: JoinSet::new(),
        watch,
    };
    rules.look_at_plugs();
    rules.reload();
    loop {
        // Events alone must not keep a rule from its time.
        let wake = rules.tick();
        tokio::select! {
            () = cancel.cancelled() => break,
            Ok(()) = changes.changed() => rules.reload(),
            Some(outcome) = rules.orders.join_next() => {
                if let Ok(outcome) = outcome {
                    rules.done(outcome);
                }
            }
            event = events.recv() => match event {
                Ok(event) => rules.hear(&event.event),
                Err(RecvError::Lagged(missed)) => {
                    tracing::warn!(missed, "rules missed events and read the plugs instead");
                    rules.look_at_plugs();
                    rules.step_all();
                }
                Err(RecvError::Closed) => break,
            },
            () = sleep_until(wake) => {}
        }
    }
    rules.orders.shutdown().await;
}

impl<S: AutomationContext> RuleRunner<S> {
    /// Returns the time, which a clock that is set does not change: stored times are moved along with it.
    fn now(&mut self) -> Timestamp {
        let time = self.executor.context.time();
        if let Some(set) = self.watch.look(time) {
            tracing::warn!("the clock was set by {set:#}; rules wait on as before");
            self.shift(set, time.wall);
        }
        self.watch.steady(time)
    }

    fn look_at_plugs(&mut self) {
        let views = self.executor.context.views();
        self.stands = views
            .iter()
            .map(|view| (view.plug.mac, self.stand(view)))
            .collect();
    }

    fn stand(&self, view: &PlugView) -> PlugStatus {
        let own = match view.metering {
            Metering::Every(period) => Some(period.get()),
            Metering::Off => None,
        };
        let need = self.needs.get(&view.plug.mac).copied();
        let interval = own.into_iter().chain(need).min();
        let patience = interval.map_or(MIN_READING_TIMEOUT, |interval| {
            interval * MAX_MISSED_READINGS
        });
        let moved_by = self.executor.context.moved_by(view.plug.mac);
        PlugStatus {
            relay: view.plug.relay,
            by_person: moved_by.is_some_and(|cause| cause.is_person()),
            available: view.available,
            patience: patience.max(MIN_READING_TIMEOUT),
        }
    }

    /// Applies edits.
    fn reload(&mut self) {
        let all = self.executor.context.rules().all();
        let ids: BTreeSet<Id> = all.iter().map(|stored| stored.id.clone()).collect();
        self.require_metering(&all);
        let gone: Vec<Id> = self
            .active
            .keys()
            .filter(|id| !ids.contains(id))
            .cloned()
            .collect();
        gone.iter().for_each(|id| self.end(id));
        for stored in all {
            let known = self.active.get(&stored.id);
            if known.is_none_or(|active| active.stored.revision != stored.revision) {
                self.end(&stored.id);
                self.begin(stored);
            }
        }
    }

    /// Has plugs metered as often as their rules need, whatever their own interval.
    fn require_metering(&mut self, rules: &[Stored<Rule>]) {
        let enabled = rules.iter().filter(|stored| stored.body.enabled);
        let mut needs: HashMap<Mac, Duration> = HashMap::new();
        for (plug, interval) in enabled.filter_map(|stored| stored.body.metering_need()) {
            let need = needs.entry(plug).or_insert(interval);
            *need = interval.min(*need);
        }
        if needs != self.needs {
            self.needs.clone_from(&needs);
            self.executor.context.require_metering(needs);
            self.look_at_plugs();
        }
    }

    fn begin(&mut self, stored: Stored<Rule>) {
        let id = stored.id.clone();
        let state = self.executor.context.rules().state(&id);
        let record = RunState::<Value>::read(&state, stored.revision);
        for (_, plug) in stored.body.plugs() {
            self.watchers.entry(plug).or_default().push(id.clone());
        }
        let mut state = RuleState::restore(&stored.body.kind, &record.memory);
        state.clamp(self.now());
        let active = ActiveRule {
            stored,
            state,
            record,
            wake_at: None,
        };
        self.active.insert(id.clone(), active);
        self.remember(&id);
        self.step(&id, None);
    }

    fn end(&mut self, id: &Id) {
        let Some(active) = self.active.remove(id) else {
            return;
        };
        if let Some(at) = active.wake_at {
            self.wakes.remove(&(at, id.clone()));
        }
        self.executor.keep_off(active.stored.body.plug, id, None);
        for (_, plug) in active.stored.body.plugs() {
            if let Some(watchers) = self.watchers.get_mut(&plug) {
                watchers.retain(|watcher| watcher != id);
                if watchers.is_empty() {
                    self.watchers.remove(&plug);
                }
            }
        }
    }

    fn hear(&mut self, event: &Event) {
        match event {
            Event::Plug(view) | Event::Availability(view) => {
                let (plug, stand) = (view.plug.mac, self.stand(view));
                if self.stands.insert(plug, stand) != Some(stand) {
                    self.step_watchers(plug, None);
                }
            }
            Event::PlugRemoved(plug) => {
                self.stands.remove(plug);
                self.step_watchers(*plug, None);
            }
            Event::Reading(MeterEvent { reading, .. }) => self.read(reading),
            _ => {}
        }
    }

    fn read(&mut self, reading: &Reading) {
        let (Some(watts), Some(stand)) = (reading.power_w, self.stands.get(&reading.plug)) else {
            return;
        };
        let power = Power {
            watts,
            patience: stand.patience,
        };
        self.step_watchers(
            reading.plug,
            Some(PowerReading {
                plug: reading.plug,
                power,
            }),
        );
    }

    fn step_watchers(&mut self, plug: Mac, draws: Option<PowerReading>) {
        if let Some(watchers) = self.watchers.get(&plug).cloned() {
            watchers.iter().for_each(|id| self.step(id, draws));
        }
    }

    fn step_all(&mut self) {
        let all: Vec<Id> = self.active.keys().cloned().collect();
        all.iter().for_each(|id| self.step(id, None));
    }

    /// Evaluates the rules whose time has come. Returns the time of the next check.
    fn tick(&mut self) -> Instant {
        let now = self.now();
        while let Some((_, id)) = self.wakes.first().filter(|(at, _)| *at <= now).cloned() {
            self.wakes.pop_first();
            self.step(&id, None);
        }
        wake_at(self.wakes.first().map(|(due, _)| *due), now)
    }

    /// Moves all stored times. Every rule is evaluated again, because local times are due at other moments now.
    fn shift(&mut self, set: SignedDuration, now: Timestamp) {
        self.wakes.clear();
        let ids: Vec<Id> = self.active.keys().cloned().collect();
        for (id, active) in &mut self.active {
            active.state.shift(set);
            active.wake_at = Some(now);
            self.wakes.insert((now, id.clone()));
        }
        ids.iter().for_each(|id| self.remember(id));
    }

    /// Evaluates a rule, and sends its command.
    fn step(&mut self, id: &Id, draws: Option<PowerReading>) {
        let now = self.now();
        let Some(active) = self.active.get_mut(id) else {
            return;
        };
        if let Some(at) = active.wake_at.take() {
            self.wakes.remove(&(at, id.clone()));
        }
        if !active.stored.body.enabled || active.record.halted.is_some() {
            return;
        }
        let seen = active.observe(&self.stands, draws);
        let timezone = &self.executor.context.clock().timezone;
        let decision = active
            .state
            .step(&active.stored.body.kind, now, timezone, &seen);
        if let Some(at) = decision.wake_at {
            active.wake_at = Some(at);
            self.wakes.insert((at, id.clone()));
        }
        self.remember(id);
        if let Some(order) = decision.switch {
            self.order(id, order, now);
        }
    }

    fn order(&mut self, id: &Id, order: Order, now: Timestamp) {
        let Some(active) = self.active.get(id) else {
            return;
        };
        let (executor, id) = (self.executor.clone(), id.clone());
        let (plug, revision) = (active.stored.body.plug, active.stored.revision);
        let name = active.stored.body.name.to_string();
        self.orders.spawn(async move {
            let cause = Cause::Rule {
                id: id.clone(),
                name,
                why: order.why.clone(),
            };
            let claim = Claim {
                kind: ClaimKind::Rule,
                id: id.clone(),
                due: now,
                resumes: false,
            };
            let result = match executor.context.claim(claim).await {
                Ok(Claimed::New | Claimed::Resumed) => {
                    executor.switch(plug, order.to.into(), cause).await.1
                }
                Ok(Claimed::Taken) => {
                    let message = "this hub is no longer the active one of its site";
                    Err(ExecuteError::Failed(RequestError::unavailable(message)))
                }
                Err(error) => Err(ExecuteError::Failed(error)),
            };
            RuleOutcome {
                id,
                revision,
                at: to_millisecond(now),
                order,
                result,
            }
        });
    }

    /// Records the result of a command.
    fn done(&mut self, outcome: RuleOutcome) {
        let now = self.now();
        let Some(active) = self.active.get_mut(&outcome.id) else {
            return;
        };
        // An edit meanwhile has reset the rule, but the run still was the last.
        if active.stored.revision == outcome.revision {
            active.state.done(now, outcome.result.is_ok());
        }
        let RuleOutcome {
            id,
            at,
            order,
            result,
            ..
        } = outcome;
        let is_too_often = matches!(result, Err(ExecuteError::TooOften(_)));
        let is_news = active.record.acted(LastRun {
            at,
            action: order.to.as_str().to_owned(),
            why: order.why,
            confirmed: result.is_ok(),
            error: result.err().map(|error| error.to_string()),
        });
        if is_too_often {
            active.halt(now);
        }
        if is_news || is_too_often {
            active.log(self.executor.context.bus());
            let stored = active.stored.clone();
            self.remember(&id);
            let view = self.executor.context.rule_view(&stored);
            self.executor
                .context
                .bus()
                .publish(Event::Rule(view.into()));
        }
        self.step(&id, None);
    }

    /// Stores the state if it has changed.
    fn remember(&mut self, id: &Id) {
        let Some(active) = self.active.get_mut(id) else {
            return;
        };
        let Rule {
            name,
            plug,
            enabled,
            ..
        } = &active.stored.body;
        let keeps_off = *enabled && active.record.halted.is_none() && active.state.keeps_off();
        self.executor.keep_off(*plug, id, keeps_off.then_some(name));
        active.record.memory = active.state.remember();
        let state = active.record.write();
        let shelf = self.executor.context.rules();
        if shelf.state(id) != state {
            shelf.note(id, state);
            self.executor.state_writer.save(Collection::Rules, id);
        }
    }
}
