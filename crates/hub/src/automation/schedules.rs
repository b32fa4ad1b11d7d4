//! Fires schedules when they are due: each time once, also over restarts and clocks that are set.
//!
//! What has been dealt with is remembered as a moment: nothing up to it fires again. A time that was not met (the hub was down, the
//! machine slept, the clock was set over it) fires late only as far as the schedule's `catch_up` allows.

mod firing;

use std::collections::{BTreeMap, BTreeSet};

use api::{Collection, Id, Period, RelayCommand, RequestError, Schedule, Stored};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::Switchboard;
use super::clocks::{ClockWatch, wake_at};
use super::desk::Desk;
use super::record::{Halted, Record, rounded};
use crate::event::News;
use crate::schedule::{Clock, last_due, next_due};

use firing::{Fired, Firing};

/// A time that is met by less than this is met: the hub may have been busy.
const IN_TIME: SignedDuration = SignedDuration::from_secs(60);
/// What was dealt with cannot lie further ahead than a clock that is an hour or a zone wrong; else it is the memory of a clock
/// that was quite wrong, and counts for nothing.
const FURTHEST_AHEAD: SignedDuration = SignedDuration::from_hours(26);

/// What is remembered of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
struct Memory {
    /// Up to this moment everything is dealt with.
    dealt_with: Option<Timestamp>,
    /// This time has begun to fire, and it is not known whether it came to its end.
    firing: Option<Timestamp>,
}

/// One schedule.
#[derive(Debug)]
struct Running {
    stored: Stored<Schedule>,
    record: Record<Memory>,
    dealt_with: Timestamp,
    next: Option<Timestamp>,
    is_firing: bool,
}

/// All schedules.
#[derive(Debug)]
struct Schedules<S> {
    desk: Desk<S>,
    running: BTreeMap<Id, Running>,
    /// When which schedule is to be looked at.
    wakes: BTreeSet<(Timestamp, Id)>,
    firings: JoinSet<Fired>,
    watch: ClockWatch,
}

/// Fires schedules until the hub ends.
pub(super) async fn run<S: Switchboard>(desk: Desk<S>) {
    let mut changes = desk.board.schedules().changes();
    let cancel = desk.board.cancel().clone();
    let watch = ClockWatch::new(desk.board.time());
    let mut schedules = Schedules {
        desk,
        running: BTreeMap::new(),
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

impl<S: Switchboard> Schedules<S> {
    fn now(&self) -> Timestamp {
        self.desk.board.time().wall
    }

    /// Returns when there is something to do, or to see how the clock stands.
    fn wake(&self) -> Instant {
        wake_at(self.wakes.first().map(|(due, _)| *due), self.now())
    }

    /// Takes in what people changed.
    fn reload(&mut self) {
        let now = self.now();
        let all = self.desk.board.schedules().all();
        let ids: BTreeSet<&Id> = all.iter().map(|stored| &stored.id).collect();
        self.running.retain(|id, _| ids.contains(id));
        self.wakes.retain(|(_, id)| ids.contains(id));
        for stored in all {
            let known = self.running.get(&stored.id);
            if known.is_none_or(|running| running.stored.revision != stored.revision) {
                self.begin(stored, now);
            }
        }
    }

    fn begin(&mut self, stored: Stored<Schedule>, now: Timestamp) {
        let id = stored.id.clone();
        let state = self.desk.board.schedules().state(&id);
        let mut record = Record::<Memory>::read(&state, stored.revision);
        let before = self.running.remove(&id);
        let is_firing = before.as_ref().is_some_and(|before| before.is_firing);
        if let Some(next) = before.and_then(|before| before.next) {
            self.wakes.remove(&(next, id.clone()));
        }
        // A schedule that is new or edited has nothing to catch up with.
        let memory = &mut record.memory;
        memory.dealt_with.get_or_insert(now);
        if let Some(due) = memory.firing.take_if(|_| !is_firing)
            && stored.body.action != RelayCommand::Toggle
        {
            // The hub went down in the middle. On and off can be said twice, toggle cannot.
            memory.dealt_with = Some(just_before(due));
        }
        let dealt_with = memory.dealt_with.unwrap_or(now);
        let running = Running {
            stored,
            record,
            dealt_with,
            next: None,
            is_firing,
        };
        self.running.insert(id.clone(), running);
        self.remember(&id);
        self.look(&id, now);
    }

    /// Sees to the schedules whose time has come, and to all of them if the clock was set.
    fn tick(&mut self) {
        let time = self.desk.board.time();
        let now = time.wall;
        if let Some(set) = self.watch.look(time) {
            tracing::warn!("the clock was set by {set:#}; schedules go by the new time");
            let all: Vec<Id> = self.running.keys().cloned().collect();
            all.iter().for_each(|id| self.look(id, now));
        }
        while let Some((_, id)) = self.wakes.first().filter(|(due, _)| *due <= now).cloned() {
            self.wakes.pop_first();
            self.look(&id, now);
        }
        self.desk.tidy();
    }

    /// Fires a schedule if it is due, and finds out when it is due next.
    fn look(&mut self, id: &Id, now: Timestamp) {
        let Some(running) = self.running.get_mut(id) else {
            self.wakes.retain(|(_, other)| other != id);
            return;
        };
        if let Some(next) = running.next.take() {
            self.wakes.remove(&(next, id.clone()));
        }
        // While it fires, nothing is missed: it is looked at again afterwards.
        if running.is_firing || !running.stored.body.enabled || running.record.halted.is_some() {
            return;
        }
        if running.dealt_with.duration_since(now) > FURTHEST_AHEAD {
            running.dealt_with = now;
        }
        let clock = self.desk.board.clock();
        let found = running.due(clock, now).and_then(|due| {
            let after = running.dealt_with.max(now);
            let next = next_due(&running.stored.body, clock, after, id)?;
            Ok((due, next))
        });
        let (due, next) = found.unwrap_or_else(|error| {
            let name = &running.stored.body.name;
            tracing::warn!(%id, %error, "the schedule \u{2018}{name}\u{2019} cannot fire");
            (None, None)
        });
        running.dealt_with = running.dealt_with.max(now);
        if let Some(due) = due {
            return self.fire(id, due, now);
        }
        if let Some(next) = next {
            running.next = Some(next);
            self.wakes.insert((next, id.clone()));
        }
    }

    fn fire(&mut self, id: &Id, due: Timestamp, now: Timestamp) {
        let Some(running) = self.running.get_mut(id) else {
            return;
        };
        running.is_firing = true;
        running.record.memory = Memory {
            dealt_with: Some(now),
            firing: Some(due),
        };
        let firing = Firing {
            id: id.clone(),
            schedule: running.stored.body.clone(),
            due,
            is_late: now.duration_since(due) > IN_TIME,
        };
        self.remember(id);
        self.firings.spawn(firing.fire(self.desk.clone()));
    }

    /// Notes what came of a firing.
    fn fired(&mut self, fired: Fired) {
        let now = self.now();
        let Some(running) = self.running.get_mut(&fired.id) else {
            return;
        };
        running.is_firing = false;
        running.record.memory.firing = None;
        running.record.acted(fired.last);
        if let Some(why) = fired.halt {
            let name = &running.stored.body.name;
            tracing::error!(id = %fired.id, "the schedule \u{2018}{name}\u{2019} is stopped: {why}");
            running.record.halted = Some(Halted {
                at: rounded(now),
                why,
            });
        }
        let stored = running.stored.clone();
        self.remember(&fired.id);
        let view = self.desk.board.schedule_view(&stored);
        self.desk.board.bus().publish(News::Schedule(view.into()));
        self.look(&fired.id, now);
    }

    fn remember(&self, id: &Id) {
        if let Some(running) = self.running.get(id) {
            let (state, shelf) = (running.record.write(), self.desk.board.schedules());
            if shelf.state(id) != state {
                shelf.note(id, state);
                self.desk.saver.save(Collection::Schedules, id);
            }
        }
    }
}

impl Running {
    /// Returns the time that is to fire now, if there is one. Of several that were missed, the last.
    fn due(&self, clock: &Clock, now: Timestamp) -> Result<Option<Timestamp>, RequestError> {
        let catch_up = self.stored.body.catch_up.map(Period::get);
        let catch_up = catch_up.and_then(|period| SignedDuration::try_from(period).ok());
        let window = catch_up.unwrap_or(IN_TIME).max(IN_TIME);
        let oldest = now.checked_sub(window).map_or(Timestamp::MIN, just_before);
        // What fired before the clock was quite wrong for a while has still fired.
        let fired = self.record.memory.dealt_with.unwrap_or(Timestamp::MIN);
        let is_known = fired.duration_since(now) <= FURTHEST_AHEAD;
        let fired = if is_known { fired } else { Timestamp::MIN };
        let after = self.dealt_with.max(oldest).max(fired);
        if after >= now {
            return Ok(None);
        }
        last_due(&self.stored.body, clock, after, now, &self.stored.id)
    }
}

fn just_before(at: Timestamp) -> Timestamp {
    at.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(at)
}
