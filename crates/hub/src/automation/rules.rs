//! Lets rules act on what happens at the plugs, and on time that passes.

mod running;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use api::{Cause, Collection, Id, Metering, PlugView, Rule, Stored};
use hiflying::Mac;
use jiff::{SignedDuration, Timestamp};
use plugs::Reading;
use serde_json::Value;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::Switchboard;
use super::clocks::{ClockWatch, wake_at};
use super::desk::{ActError, Desk};
use super::record::{Last, Record, rounded};
use crate::event::News;
use crate::rule::{Order, Power, RuleState};
use running::{Draws, Running, Stand};

/// So many intervals may pass without a reading before nobody knows what a plug drew.
const PATIENCE: u32 = 3;
/// Readings also come after switches, and one may be lost.
const LEAST_PATIENCE: Duration = Duration::from_secs(30);

/// What came of an order.
#[derive(Debug)]
struct Outcome {
    id: Id,
    revision: u64,
    at: Timestamp,
    order: Order,
    result: Result<(), ActError>,
}

/// All rules.
#[derive(Debug)]
struct Rules<S> {
    desk: Desk<S>,
    running: BTreeMap<Id, Running>,
    /// Which rules watch which plug.
    watchers: HashMap<Mac, Vec<Id>>,
    stands: HashMap<Mac, Stand>,
    /// When which rule wants to look again.
    wakes: BTreeSet<(Timestamp, Id)>,
    orders: JoinSet<Outcome>,
    watch: ClockWatch,
}

/// Lets rules act until the hub ends.
pub(super) async fn run<S: Switchboard>(desk: Desk<S>) {
    // First listen, then look, so that nothing falls in between.
    let mut news = desk.board.bus().subscribe();
    let mut changes = desk.board.rules().changes();
    let cancel = desk.board.cancel().clone();
    let watch = ClockWatch::new(desk.board.time());
    let mut rules = Rules {
        desk,
        running: BTreeMap::new(),
        watchers: HashMap::new(),
        stands: HashMap::new(),
        wakes: BTreeSet::new(),
        orders: JoinSet::new(),
        watch,
    };
    rules.look_at_plugs();
    rules.reload();
    loop {
        let wake = rules.wake();
        tokio::select! {
            () = cancel.cancelled() => break,
            Ok(()) = changes.changed() => rules.reload(),
            Some(outcome) = rules.orders.join_next() => {
                if let Ok(outcome) = outcome {
                    rules.done(outcome);
                }
            }
            event = news.recv() => match event {
                Ok(event) => rules.hear(&event.news),
                Err(RecvError::Lagged(missed)) => {
                    tracing::warn!(missed, "rules are behind the news, and look at the plugs instead");
                    rules.look_at_plugs();
                    rules.step_all();
                }
                Err(RecvError::Closed) => break,
            },
            () = sleep_until(wake) => rules.tick(),
        }
    }
    rules.orders.shutdown().await;
}

impl<S: Switchboard> Rules<S> {
    fn now(&self) -> Timestamp {
        self.desk.board.time().wall
    }

    /// Returns when there is something to do, or to see how the clock stands.
    fn wake(&self) -> Instant {
        wake_at(self.wakes.first().map(|(due, _)| *due), self.now())
    }

    fn look_at_plugs(&mut self) {
        let views = self.desk.board.views();
        self.stands = views
            .iter()
            .map(|view| (view.plug.mac, self.stand(view)))
            .collect();
    }

    fn stand(&self, view: &PlugView) -> Stand {
        let patience = match view.metering {
            Metering::Every(period) => period.get().saturating_mul(PATIENCE),
            Metering::Off => LEAST_PATIENCE,
        };
        let moved_by = self.desk.board.moved_by(view.plug.mac);
        Stand {
            relay: view.plug.relay,
            by_person: moved_by == Some(Cause::Person),
            available: view.available,
            patience: patience.max(LEAST_PATIENCE),
        }
    }

    /// Takes in what people changed.
    fn reload(&mut self) {
        let all = self.desk.board.rules().all();
        let ids: BTreeSet<Id> = all.iter().map(|stored| stored.id.clone()).collect();
        let gone: Vec<Id> = self
            .running
            .keys()
            .filter(|id| !ids.contains(id))
            .cloned()
            .collect();
        gone.iter().for_each(|id| self.end(id));
        for stored in all {
            let known = self.running.get(&stored.id);
            if known.is_none_or(|running| running.stored.revision != stored.revision) {
                self.end(&stored.id);
                self.begin(stored);
            }
        }
    }

    fn begin(&mut self, stored: Stored<Rule>) {
        let id = stored.id.clone();
        let state = self.desk.board.rules().state(&id);
        let record = Record::<Value>::read(&state, stored.revision);
        for (_, plug) in stored.body.plugs() {
            self.watchers.entry(plug.0).or_default().push(id.clone());
        }
        let state = RuleState::restore(&stored.body.kind, &record.memory);
        let running = Running {
            stored,
            state,
            record,
            wake_at: None,
        };
        self.running.insert(id.clone(), running);
        self.remember(&id);
        self.step(&id, None);
    }

    fn end(&mut self, id: &Id) {
        let Some(running) = self.running.remove(id) else {
            return;
        };
        if let Some(at) = running.wake_at {
            self.wakes.remove(&(at, id.clone()));
        }
        self.desk.keep_off(running.stored.body.plug.0, id, None);
        for (_, plug) in running.stored.body.plugs() {
            if let Some(watchers) = self.watchers.get_mut(&plug.0) {
                watchers.retain(|watcher| watcher != id);
                if watchers.is_empty() {
                    self.watchers.remove(&plug.0);
                }
            }
        }
    }

    fn hear(&mut self, news: &News) {
        match news {
            News::Plug(view) | News::Availability(view) => {
                let (plug, stand) = (view.plug.mac, self.stand(view));
                if self.stands.insert(plug, stand) != Some(stand) {
                    self.step_watchers(plug, None);
                }
            }
            News::Removed(plug) => {
                self.stands.remove(plug);
                self.step_watchers(*plug, None);
            }
            News::Reading { reading, .. } => self.read(reading),
            News::Schedule(_) | News::Rule(_) | News::Takeover(_) => {}
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
            Some(Draws {
                plug: reading.plug,
                power,
            }),
        );
    }

    fn step_watchers(&mut self, plug: Mac, draws: Option<Draws>) {
        let watchers = self.watchers.get(&plug).cloned().unwrap_or_default();
        watchers.iter().for_each(|id| self.step(id, draws));
    }

    fn step_all(&mut self) {
        let all: Vec<Id> = self.running.keys().cloned().collect();
        all.iter().for_each(|id| self.step(id, None));
    }

    fn tick(&mut self) {
        let time = self.desk.board.time();
        if let Some(set) = self.watch.look(time) {
            tracing::warn!("the clock was set by {set:#}; rules wait on as before");
            self.shift(set);
        }
        while let Some((at, id)) = self
            .wakes
            .first()
            .filter(|(at, _)| *at <= time.wall)
            .cloned()
        {
            self.wakes.remove(&(at, id.clone()));
            self.step(&id, None);
        }
    }

    fn shift(&mut self, set: SignedDuration) {
        for running in self.running.values_mut() {
            running.state.shift(set);
        }
        self.step_all();
    }

    /// Lets a rule look, and sends its order on its way.
    fn step(&mut self, id: &Id, draws: Option<Draws>) {
        let now = self.now();
        let Some(running) = self.running.get_mut(id) else {
            return;
        };
        if let Some(at) = running.wake_at.take() {
            self.wakes.remove(&(at, id.clone()));
        }
        if !running.stored.body.enabled || running.record.halted.is_some() {
            return;
        }
        let seen = running.observe(&self.stands, draws);
        let timezone = &self.desk.board.clock().timezone;
        let decision = running
            .state
            .step(&running.stored.body.kind, now, timezone, &seen);
        if let Some(at) = decision.wake_at {
            running.wake_at = Some(at);
            self.wakes.insert((at, id.clone()));
        }
        self.remember(id);
        if let Some(order) = decision.switch {
            self.order(id, order, now);
        }
    }

    fn order(&mut self, id: &Id, order: Order, now: Timestamp) {
        let Some(running) = self.running.get(id) else {
            return;
        };
        let (desk, id) = (self.desk.clone(), id.clone());
        let (plug, revision) = (running.stored.body.plug.0, running.stored.revision);
        self.orders.spawn(async move {
            let cause = Cause::Rule(id.clone());
            let (_, result) = desk.switch(plug, order.to.into(), cause).await;
            Outcome {
                id,
                revision,
                at: rounded(now),
                order,
                result,
            }
        });
    }

    /// Notes what came of an order.
    fn done(&mut self, outcome: Outcome) {
        let now = self.now();
        let Some(running) = self.running.get_mut(&outcome.id) else {
            return;
        };
        // The rule was edited meanwhile: the act still was the last, but it has begun anew.
        if running.stored.revision == outcome.revision {
            running.state.done(now, outcome.result.is_ok());
        }
        let Outcome {
            id,
            at,
            order,
            result,
            ..
        } = outcome;
        let is_too_often = matches!(result, Err(ActError::TooOften(_)));
        let is_news = running.record.acted(Last {
            at,
            action: order.to.as_str().to_owned(),
            why: order.why,
            confirmed: result.is_ok(),
            error: result.err().map(|error| error.to_string()),
        });
        if is_too_often {
            running.halt(now);
        }
        if is_news || is_too_often {
            running.log();
            let stored = running.stored.clone();
            self.remember(&id);
            let view = self.desk.board.rule_view(&stored);
            self.desk.board.bus().publish(News::Rule(view.into()));
        }
        self.step(&id, None);
    }

    /// Writes down what has changed of what is remembered.
    fn remember(&mut self, id: &Id) {
        let Some(running) = self.running.get_mut(id) else {
            return;
        };
        let Rule {
            name,
            plug,
            enabled,
            ..
        } = &running.stored.body;
        let keeps_off = *enabled && running.record.halted.is_none() && running.state.keeps_off();
        self.desk.keep_off(plug.0, id, keeps_off.then_some(name));
        running.record.memory = running.state.remember();
        let state = running.record.write();
        let shelf = self.desk.board.rules();
        if shelf.state(id) != state {
            shelf.note(id, state);
            self.desk.saver.save(Collection::Rules, id);
        }
    }
}
