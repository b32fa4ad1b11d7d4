//! Runs schedules when they are due: each time once, also over restarts and clocks that are set.
//!
//! A time that has fired does not fire again, and nothing else is left out: what a wrong clock passed over is due again once the
//! clock is put right. A time that was missed (hub down, machine asleep, clock set past it) runs late only within the schedule's
//! `catch_up`.

mod firing;

use std::collections::{BTreeMap, BTreeSet};

use api::{
    Collection, Event, Halted, Id, LogKind, Period, RelayCommand, RequestError, Schedule, Stored,
    to_millisecond,
};
use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::clocks::{ClockWatch, wake_at};
use super::context::AutomationContext;
use super::executor::Executor;
use super::run_state::{RunState, ScheduleState};
use crate::schedule::{Clock, just_before};

use firing::{ScheduleRun, ScheduleRunResult};

/// Delay up to which a run is on time: the hub may have been busy.
const ON_TIME_TOLERANCE: SignedDuration = SignedDuration::from_secs(60);
/// Maximum difference between the clocks of two hubs up to which a run that one has begun is finished by the other one at once.
const MAX_CLOCK_DIFFERENCE: SignedDuration = SignedDuration::from_mins(5);
/// A schedule in operation.
#[derive(Debug)]
struct ActiveSchedule {
    stored: Stored<Schedule>,
    record: RunState<ScheduleState>,
    dealt_with: Timestamp,
    /// Due time of a run that a hub whose clock was ahead has begun: it is due, although not by this clock.
    begun_ahead: Option<Timestamp>,
    next: Option<Timestamp>,
    is_firing: bool,
}

/// All schedules in operation.
#[derive(Debug)]
struct ScheduleRunner<S> {
    executor: Executor<S>,
    active: BTreeMap<Id, ActiveSchedule>,
    /// Times at which schedules are due.
    wakes: BTreeSet<(Timestamp, Id)>,
    firings: JoinSet<ScheduleRunResult>,
    watch: ClockWatch,
}

/// Runs schedules until the hub ends.
pub(super) async fn run<S: AutomationContext>(executor: Executor<S>) {
    let mut changes = executor.context.schedules().changes();
    let cancel = executor.context.cancel().clone();
    let watch = ClockWatch::new(executor.context.time());
    let mut schedules = ScheduleRunner {
        executor,
        active: BTreeMap::new(),
        wakes: BTreeSet::new(),
        firings: JoinSet::new(),
        watch,
    };
    schedules.reload();
    loop {
        let wake = schedules.wake();
        tokio::select! {
            () = cancel.cancelled() => break,
            Ok(()) = changes.changed() => schedules.reload(),
            Some(fired) = schedules.firings.join_next() => {
                if let Ok(fired) = fired {
                    schedules.fired(fired);
                }
            }
            () = sleep_until(wake) => schedules.tick(),
        }
    }
    schedules.firings.shutdown().await;
}

impl<S: AutomationContext> ScheduleRunner<S> {
    fn now(&self) -> Timestamp {
        self.executor.context.time().wall
    }

    /// Returns the time of the next check.
    fn wake(&self) -> Instant {
        wake_at(self.wakes.first().map(|(due, _)| *due), self.now())
    }

    /// Applies edits.
    fn reload(&mut self) {
        let now = self.now();
        let all = self.executor.context.schedules().all();
        let ids: BTreeSet<&Id> = all.iter().map(|stored| &stored.id).collect();
        self.active.retain(|id, _| ids.contains(id));
        self.wakes.retain(|(_, id)| ids.contains(id));
        for stored in all {
            let known = self.active.get(&stored.id);
            if known.is_none_or(|active| active.stored.revision != stored.revision) {
                self.begin(stored, now);
            }
        }
    }

    fn begin(&mut self, stored: Stored<Schedule>, now: Timestamp) {
        let id = stored.id.clone();
        let state = self.executor.context.schedules().state(&id);
        let mut record = RunState::<ScheduleState>::read(&state, stored.revision);
        let before = self.active.remove(&id);
        let is_firing = before.as_ref().is_some_and(|before| before.is_firing);
        if let Some(before) = before {
            if let Some(next) = before.next {
                self.wakes.remove(&(next, id.clone()));
            }
            record.memory.fired = before.record.memory.fired.after_edit();
        }
        let memory = &mut record.memory;
        // A new or edited schedule has nothing to catch up with.
        let dealt_with = *memory.dealt_with.get_or_insert(now);
        let since = *memory.since.get_or_insert(dealt_with);
        let mut dealt_with = if dealt_with <= now {
            dealt_with
        } else {
            // The clock was ahead when this was written, or is behind now.
            since.min(now)
        };
        let mut resumed = memory.firing.take_if(|_| !is_firing);
        // The hub ended during the run. On and off can be repeated, toggle cannot.
        resumed.take_if(|_| stored.body.action == RelayCommand::Toggle);
        if let Some(due) = resumed {
            memory.fired.take_back(due);
            dealt_with = dealt_with.min(just_before(due));
        }
        let is_ahead =
            |due: &Timestamp| *due > now && due.duration_since(now) <= MAX_CLOCK_DIFFERENCE;
        let active = ActiveSchedule {
            stored,
            record,
            dealt_with,
            begun_ahead: resumed.filter(is_ahead),
            next: None,
            is_firing,
        };
        self.active.insert(id.clone(), active);
        self.remember(&id);
        self.look(&id, now);
    }

    /// Checks the schedules that are due, and all of them if the clock was set.
    fn tick(&mut self) {
        let time = self.executor.context.time();
        let now = time.wall;
        if let Some(set) = self.watch.look(time) {
            tracing::warn!("the clock was set by {set:#}; schedules go by the new time");
            let all: Vec<Id> = self.active.keys().cloned().collect();
            all.iter().for_each(|id| self.look(id, now));
        }
        while let Some((_, id)) = self.wakes.first().filter(|(due, _)| *due <= now).cloned() {
            self.wakes.pop_first();
            self.look(&id, now);
        }
        self.executor.tidy();
    }

    /// Runs a schedule if it is due, and computes when it is due next.
    fn look(&mut self, id: &Id, now: Timestamp) {
        let Some(active) = self.active.get_mut(id) else {
            self.wakes.retain(|(_, other)| other != id);
            return;
        };
        if let Some(next) = active.next.take() {
            self.wakes.remove(&(next, id.clone()));
        }
        // During a run nothing is missed: the schedule is checked again afterwards.
        if active.is_firing || !active.stored.body.enabled || active.record.halted.is_some() {
            return;
        }
        if let Some(due) = active.begun_ahead.take() {
            active.dealt_with = now;
            return self.fire(id, due, now);
        }
        let was_ahead = active.dealt_with > now;
        if was_ahead {
            active.put_right(now);
        }
        let clock = self.executor.context.clock();
        let found = active.due(clock, now).and_then(|due| {
            let fired = &active.record.memory.fired;
            let next = fired.next(&active.stored.body, clock, now, id)?;
            Ok((due, next))
        });
        let (due, next) = found.unwrap_or_else(|error| {
            let name = &active.stored.body.name;
            tracing::warn!(%id, %error, "the schedule \u{2018}{name}\u{2019} cannot fire");
            (None, None)
        });
        active.dealt_with = now;
        if let Some(due) = due {
            return self.fire(id, due, now);
        }
        if let Some(next) = next {
            active.next = Some(next);
            self.wakes.insert((next, id.clone()));
        }
        if was_ahead {
            self.remember(id);
        }
    }

    fn fire(&mut self, id: &Id, due: Timestamp, now: Timestamp) {
        let Some(active) = self.active.get_mut(id) else {
            return;
        };
        active.is_firing = true;
        let (memory, clock) = (&mut active.record.memory, self.executor.context.clock());
        memory.dealt_with = Some(now);
        memory.firing = Some(due);
        memory.fired.add(&active.stored.body, clock, id, due);
        let firing = ScheduleRun {
            id: id.clone(),
            schedule: active.stored.body.clone(),
            due,
            is_late: now.duration_since(due) > ON_TIME_TOLERANCE,
        };
        self.remember(id);
        self.firings.spawn(firing.fire(self.executor.clone()));
    }

    /// Records the result of a run.
    fn fired(&mut self, fired: ScheduleRunResult) {
        let now = self.now();
        let Some(active) = self.active.get_mut(&fired.id) else {
            return;
        };
        active.is_firing = false;
        active.record.memory.firing = None;
        if let Some(last) = fired.last {
            active.record.acted(last);
        }
        if let Some(why) = fired.halt {
            let name = &active.stored.body.name;
            tracing::error!(id = %fired.id, "the schedule \u{2018}{name}\u{2019} is stopped: {why}");
            let halted = Halted {
                at: to_millisecond(now),
                why,
            };
            let bus = self.executor.context.bus();
            bus.log(halted.log_entry(LogKind::Schedule, name));
            active.record.halted = Some(halted);
        }
        let stored = active.stored.clone();
        self.remember(&fired.id);
        let view = self.executor.context.schedule_view(&stored);
        self.executor
            .context
            .bus()
            .publish(Event::Schedule(view.into()));
        self.look(&fired.id, now);
    }

    fn remember(&self, id: &Id) {
        if let Some(active) = self.active.get(id) {
            let (state, shelf) = (active.record.write(), self.executor.context.schedules());
            if shelf.state(id) != state {
                shelf.note(id, state);
                self.executor.state_writer.save(Collection::Schedules, id);
            }
        }
    }
}

impl ActiveSchedule {
    /// Returns the time that is due now, if there is one; of several missed times, the last.
    fn due(&self, clock: &Clock, now: Timestamp) -> Result<Option<Timestamp>, RequestError> {
        let catch_up = self.stored.body.catch_up.map(Period::get);
        let catch_up = catch_up.and_then(|period| SignedDuration::try_from(period).ok());
        let window = catch_up.unwrap_or(ON_TIME_TOLERANCE).max(ON_TIME_TOLERANCE);
        let oldest = now.checked_sub(window).map_or(Timestamp::MIN, just_before);
        let after = self.dealt_with.max(oldest);
        if after >= now {
            return Ok(None);
        }
        let (schedule, id) = (&self.stored.body, &self.stored.id);
        let fired = &self.record.memory.fired;
        fired.last_missed(schedule, clock, after, now, id)
    }

    /// Takes back what a clock that was ahead has passed over.
    fn put_right(&mut self, now: Timestamp) {
        self.dealt_with = now;
        let memory = &mut self.record.memory;
        memory.dealt_with = memory.dealt_with.map(|at| at.min(now));
        memory.since = memory.since.map(|at| at.min(now));
    }
}
