//! Made-up events of the thirty days before the demo: runs of schedules and rules, presses of buttons, and the entries of the log
//! about them.

use std::sync::Arc;

use ::hub::store::Store;
use api::{
    Cause, Document, Id, LastRun, LogEntry, LogKind, Period, Rule, Schedule, Stored, SwitchTarget,
};
use hiflying::Mac;
use jiff::civil::{Time, Weekday, time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};
use plugs::{RelayCommand, RelayState};
use serde_json::json;

use crate::error::Failure;

/// Time for which the heater may be on.
pub(super) const HEATER_LIMIT: Period = Period::seconds(90 * 60);
/// Time for which the fridge may be off.
pub(super) const FRIDGE_LIMIT: Period = Period::seconds(60);
/// Time at which somebody turns the heater on by hand on Saturdays.
const SATURDAY_BATH: Time = time(10, 0, 0, 0);
/// Day after the beginning, and time, at which somebody turns the fridge off by mistake.
const FRIDGE_MISTAKE: (i64, Time) = (18, time(15, 20, 0, 0));

/// A move of a relay.
#[derive(Debug)]
pub(super) struct PastMove {
    pub(super) at: Timestamp,
    pub(super) plug: Mac,
    pub(super) relay: RelayState,
    pub(super) cause: Cause,
}

/// Moves of relays, and the entries of the log about the runs that caused them.
#[derive(Debug, Default)]
pub(super) struct DemoEvents {
    pub(super) moves: Vec<PastMove>,
    pub(super) entries: Vec<LogEntry>,
}

/// The rules that have acted, each with the plug that it watches.
#[derive(Debug)]
pub(super) struct ActedRules<'a> {
    pub(super) heater: (&'a Stored<Rule>, Mac),
    pub(super) fridge: (&'a Stored<Rule>, Mac),
}

impl DemoEvents {
    /// Adds the runs of a schedule on the plugs of its targets, and keeps the last one with it.
    pub(super) async fn scheduled(
        &mut self,
        store: &Arc<dyn Store>,
        timezone: &TimeZone,
        schedule: &Stored<Schedule>,
        plugs: impl Fn(&SwitchTarget) -> Vec<Mac>,
        firings: Vec<Timestamp>,
    ) -> Result<(), Failure> {
        let relay = match schedule.body.action {
            RelayCommand::On => RelayState::On,
            RelayCommand::Off | RelayCommand::Toggle => RelayState::Off,
        };
        let (id, name) = (&schedule.id, &schedule.body.name);
        let mut last = None;
        for at in firings {
            let due = at.to_zoned(timezone.clone());
            let why = format!("it was due on {}", due.strftime("%Y-%m-%d %H:%M"));
            last = Some(self.run(LogKind::Schedule, name, at, relay, why));
            let cause = Cause::Schedule {
                id: id.clone(),
                name: name.to_string(),
            };
            for plug in schedule.body.targets.iter().flat_map(&plugs) {
                self.moved(at, plug, relay, cause.clone());
            }
        }
        keep(store, schedule, last).await
    }

    /// Adds what people did at the buttons of plugs, and what rules made of it.
    pub(super) async fn ruled(
        &mut self,
        store: &Arc<dyn Store>,
        timezone: &TimeZone,
        rules: ActedRules<'_>,
        begin: Timestamp,
        end: Timestamp,
    ) -> Result<(), Failure> {
        let first = begin.to_zoned(timezone.clone());
        let days = (0..)
            .map_while(|day: i64| first.checked_add(day.days()).ok())
            .take_while(|day| day.timestamp() < end);
        let at = |day: &Zoned, time: Time| {
            day.date()
                .to_datetime(time)
                .to_zoned(day.time_zone().clone())
        };
        let (mut heater, mut fridge) = (None, None);
        for (number, day) in (0..).zip(days) {
            if day.weekday() == Weekday::Saturday
                && let Ok(at) = at(&day, SATURDAY_BATH)
            {
                let why = format!("it was on for {HEATER_LIMIT}");
                let turned = (at.timestamp(), RelayState::On);
                heater = self
                    .undone(rules.heater, turned, HEATER_LIMIT, why, end)
                    .or(heater);
            }
            let (day_of_mistake, time) = FRIDGE_MISTAKE;
            if number == day_of_mistake
                && let Ok(at) = at(&day, time)
            {
                let why = format!("it was off for {FRIDGE_LIMIT}");
                let turned = (at.timestamp(), RelayState::Off);
                fridge = self
                    .undone(rules.fridge, turned, FRIDGE_LIMIT, why, end)
                    .or(fridge);
            }
        }
        keep(store, rules.heater.0, heater).await?;
        keep(store, rules.fridge.0, fridge).await
    }

    /// Adds a move at the button of a plug, and the run of the rule that takes it back; returns that run.
    fn undone(
        &mut self,
        (rule, plug): (&Stored<Rule>, Mac),
        (at, relay): (Timestamp, RelayState),
        after: Period,
        why: String,
        end: Timestamp,
    ) -> Option<LastRun> {
        if at >= end {
            return None;
        }
        self.moved(at, plug, relay, Cause::Person);
        let after = SignedDuration::try_from(after.get()).ok()?;
        let at = at.checked_add(after).ok().filter(|at| *at < end)?;
        let cause = Cause::Rule {
            id: rule.id.clone(),
            name: rule.body.name.to_string(),
            why: why.clone(),
        };
        self.moved(at, plug, relay.toggled(), cause);
        Some(self.run(LogKind::Rule, &rule.body.name, at, relay.toggled(), why))
    }

    fn moved(&mut self, at: Timestamp, plug: Mac, relay: RelayState, cause: Cause) {
        self.moves.push(PastMove {
            at,
            plug,
            relay,
            cause,
        });
    }

    fn run(
        &mut self,
        kind: LogKind,
        name: &str,
        at: Timestamp,
        relay: RelayState,
        why: String,
    ) -> LastRun {
        let last = LastRun {
            at,
            action: relay.to_string(),
            why,
            confirmed: true,
            error: None,
        };
        self.entries.push(last.log_entry(kind, name));
        last
    }
}

/// Keeps the last run with its document, as the hub does.
async fn keep<T: Document>(
    store: &Arc<dyn Store>,
    document: &Stored<T>,
    last: Option<LastRun>,
) -> Result<(), Failure> {
    let Some(last) = last else { return Ok(()) };
    let (id, revision): (&Id, u64) = (&document.id, document.revision);
    let state = json!({"revision": revision, "last": last});
    store
        .save_state(T::COLLECTION, id, &state)
        .await
        .map_err(|error| Failure::failed("cannot write the demo's history").caused_by(&error))
}

/// Writes entries into an empty log, in their order of time. Their texts say that nothing of it happened.
pub(super) async fn log(store: &Arc<dyn Store>, mut entries: Vec<LogEntry>) -> Result<(), Failure> {
    entries.sort_by_key(|entry| entry.at);
    let entries: Vec<_> = (1..)
        .zip(entries)
        .map(|(id, entry)| {
            let text = format!("{} (simulated)", entry.text);
            Arc::new(LogEntry { id, text, ..entry })
        })
        .collect();
    store
        .append_log(&entries)
        .await
        .map_err(|error| Failure::failed("cannot write the demo's history").caused_by(&error))
}
