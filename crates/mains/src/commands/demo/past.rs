//! The past of the demo's home: thirty days of readings, made by the twins themselves in a time of their own.
//!
//! As in the database of a hub, the older part is quarters of an hour alone.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::hub::energy::Lifetime;
use ::hub::store::{
    HistoryRow, HistorySpan, PlugRecord, QUARTER, Retention, Sample, Sqlite, Store,
};
use api::{LogEntry, LogKind};
use emulator::{PlugConfig, RecoTwin};
use hiflying::Mac;
use jiff::{SignedDuration, Timestamp, ToSpan};
use plugs::reco::MeterReply;
use plugs::{FamilyId, RelayState};

use super::house::{DemoHouse, HousePlug};
use super::past_events::{self, PastMove};
use crate::context::Context;
use crate::error::Failure;

/// Number of days before today.
pub(super) const DAYS: i64 = 30;
/// Interval between two readings.
const STEP: SignedDuration = SignedDuration::from_mins(1);
/// Length of the parts that are written at once.
const PART: SignedDuration = SignedDuration::from_hours(24);
/// Age from which only quarters of an hour are left.
const FINE_AGE: SignedDuration = SignedDuration::from_hours(48);
/// Every so many days the plug that comes and goes is in a drawer until the afternoon.
const ABSENT_EVERY: i64 = 4;

/// A plug on its way through the past.
struct PastPlug {
    mac: Mac,
    name: &'static str,
    twin: RecoTwin,
    lifetime: Lifetime,
    comes_and_goes: bool,
    /// Time since which it is away.
    away_since: Option<Timestamp>,
    /// Time of the last move of its relay.
    moved: Timestamp,
}

/// Writes thirty days of history and all that the owner has set up into a new database; returns the plugs as they are now.
pub(super) async fn write(
    context: &Context,
    house: &DemoHouse,
    database: &Path,
) -> Result<Vec<PlugConfig>, Failure> {
    let failure = |error| Failure::failed("cannot write the demo's history").caused_by(&error);
    let opened = Sqlite::open(database, Retention::default())
        .await
        .map_err(failure)?;
    let sqlite = Arc::new(opened.store);
    let store: Arc<dyn Store> = sqlite.clone();
    let now = plugs::now();
    let begin = midnight(house, now)?;
    let events = house.furnish(&store, begin, now).await?;
    let mut past = Past::new(house, begin, events.moves);
    while past.at < now {
        let end = (past.at + PART).min(now);
        let samples = past.samples(end)?;
        if end < now - FINE_AGE {
            for (mac, rows) in quarters(&samples) {
                store.import(mac, &rows).await.map_err(failure)?;
            }
        } else {
            store.append(&samples).await.map_err(failure)?;
        }
        let day = begin.duration_until(end).as_hours() / 24;
        if context.ui.has_live_line() {
            let line = format!("writing thirty days of history: day {day} of {DAYS}");
            context.ui.live(&line);
        }
    }
    past.entries.extend(events.entries);
    past_events::log(&store, std::mem::take(&mut past.entries)).await?;
    let configs = past.present(house);
    let plugs = house.plugs.iter().zip(&configs).zip(&past.plugs);
    for ((plug, config), past) in plugs {
        let record = PlugRecord {
            often_unplugged: past.comes_and_goes,
            relay_since: Some(past.moved),
            ..record(plug, config, begin, now)
        };
        store.save_plug(&record).await.map_err(failure)?;
    }
    sqlite.close().await;
    Ok(configs)
}

/// Returns the midnight thirty days ago.
fn midnight(house: &DemoHouse, now: Timestamp) -> Result<Timestamp, Failure> {
    let today = now.to_zoned(house.clock.timezone.clone());
    let begin = today
        .checked_sub(DAYS.days())
        .and_then(|day| day.start_of_day());
    let begin = begin.map_err(|error| {
        Failure::failed("the clock of this computer is not set").caused_by(&error)
    })?;
    Ok(begin.timestamp())
}

/// The past as far as it has been made.
struct Past {
    plugs: Vec<PastPlug>,
    /// Moves of relays that are to come, by time.
    moves: std::iter::Peekable<std::vec::IntoIter<PastMove>>,
    /// Entries of the log about the plugs.
    entries: Vec<LogEntry>,
    /// The real time of the beginning, and the one that the twins take for it.
    begin: (Timestamp, Instant),
    at: Timestamp,
}

impl Past {
    fn new(house: &DemoHouse, begin: Timestamp, moves: Vec<PastMove>) -> Self {
        let start = Instant::now();
        let past = |plug: &HousePlug| {
            let config = PlugConfig {
                load_time: Duration::ZERO,
                // Its absences are made here: those of the twin are short, so that they are seen.
                faults: Vec::new(),
                ..plug.config.clone()
            };
            PastPlug {
                mac: config.mac,
                name: plug.name,
                twin: RecoTwin::new(config, start),
                lifetime: Lifetime::default(),
                away_since: None,
                comes_and_goes: !plug.config.faults.is_empty(),
                moved: begin,
            }
        };
        Self {
            plugs: house.plugs.iter().map(past).collect(),
            moves: moves.into_iter().peekable(),
            entries: Vec::new(),
            begin: (begin, start),
            at: begin,
        }
    }

    fn instant(&self, at: Timestamp) -> Instant {
        let (begin, start) = self.begin;
        start + begin.duration_until(at).unsigned_abs()
    }

    /// Goes on until `end`, and returns the readings on the way.
    fn samples(&mut self, end: Timestamp) -> Result<Vec<Sample>, Failure> {
        let mut samples = Vec::new();
        while self.at + STEP <= end {
            self.at += STEP;
            while let Some(next) = self.moves.next_if(|next| next.at <= self.at) {
                let instant = self.instant(next.at);
                let plug = self.plugs.iter_mut().find(|plug| plug.mac == next.plug);
                let entry = plug.and_then(|plug| plug.switch(&next, instant));
                self.entries.extend(entry);
            }
            let (at, instant) = (self.at, self.instant(self.at));
            let hours = self.begin.0.duration_until(at).as_hours();
            let is_absent = hours / 24 % ABSENT_EVERY == 1 && hours % 24 < 14;
            for plug in &mut self.plugs {
                let is_away = plug.comes_and_goes && is_absent;
                self.entries.extend(plug.turn(at, is_away));
                if !is_away {
                    samples.push(plug.sample(at, instant)?);
                }
            }
        }
        if end < self.at + STEP {
            self.at = end;
        }
        Ok(samples)
    }

    /// Returns the plugs as they are at the end.
    fn present(&mut self, house: &DemoHouse) -> Vec<PlugConfig> {
        let instant = self.instant(self.at);
        let load_time = instant - self.begin.1;
        let plugs = house.plugs.iter().zip(&mut self.plugs);
        plugs
            .map(|(plug, past)| PlugConfig {
                load_time,
                relay_on: past.twin.relay_is_on(),
                energy_wh: past
                    .lifetime
                    .state()
                    .and_then(|state| state.counter_wh)
                    .unwrap_or(plug.config.energy_wh),
                ..plug.config.clone()
            })
            .collect()
    }
}

impl PastPlug {
    /// Moves its relay, and returns the entry of the log if it was not there yet.
    fn switch(&mut self, next: &PastMove, instant: Instant) -> Option<LogEntry> {
        let is_on = next.relay == RelayState::On;
        if self.twin.relay_is_on() == is_on {
            return None;
        }
        self.twin.press(instant, is_on);
        self.moved = next.at;
        let text = format!("{} turned {}", self.name, next.relay);
        let entry = LogEntry::new(next.at, LogKind::Switch, text).about(self.mac);
        Some(entry.moved_to(next.relay).caused_by(Some(&next.cause)))
    }

    /// Returns the entry of the log if it goes or comes back.
    fn turn(&mut self, at: Timestamp, is_away: bool) -> Option<LogEntry> {
        let what = match (self.away_since, is_away) {
            (None, true) => {
                self.away_since = Some(at);
                "does not answer".to_owned()
            }
            (Some(since), false) => {
                self.away_since = None;
                let away = api::text::lasting(since.duration_until(at).unsigned_abs());
                format!("is back; it was away for {away}")
            }
            _ => return None,
        };
        let text = format!("{} {what}", self.name);
        Some(LogEntry::new(at, LogKind::Availability, text).about(self.mac))
    }

    fn sample(&mut self, at: Timestamp, instant: Instant) -> Result<Sample, Failure> {
        let reply = MeterReply::parse(&self.twin.meter_reply(instant))
            .map_err(|error| Failure::failed("cannot read an emulated meter").caused_by(&error))?;
        let reading = reply.measurement().reading(self.mac, at);
        let taken = self.lifetime.take(&reading);
        Ok(Sample {
            reading,
            used: taken.used,
            energy: taken.state,
        })
    }
}

/// Returns the sums of each quarter of an hour by plug.
fn quarters(samples: &[Sample]) -> BTreeMap<Mac, Vec<HistoryRow>> {
    let mut spans: BTreeMap<(Mac, i64), HistorySpan> = BTreeMap::new();
    for sample in samples {
        // What was used until a reading belongs to the time before it.
        let second = (sample.reading.at - STEP).as_second();
        let start = second - second.rem_euclid(QUARTER);
        let span = spans.entry((sample.reading.plug, start));
        let span = span.or_insert_with(|| HistorySpan {
            t: Timestamp::from_second(start).expect("it lies less than a quarter before a time"),
            readings: 0,
            power_w: None,
            power_min_w: None,
            power_max_w: None,
            energy_wh: 0.0,
        });
        if let Some(watts) = sample.reading.power_w {
            let before = f64::from(span.readings);
            span.readings += 1;
            let sum = span.power_w.map_or(0.0, |mean| mean * before) + watts;
            span.power_w = Some(sum / f64::from(span.readings));
            span.power_min_w = Some(span.power_min_w.map_or(watts, |low| low.min(watts)));
            span.power_max_w = Some(span.power_max_w.map_or(watts, |high| high.max(watts)));
        }
        span.energy_wh += sample.used.map_or(0.0, |used| used.energy_wh);
    }
    let mut rows: BTreeMap<Mac, Vec<HistoryRow>> = BTreeMap::new();
    for ((mac, _), span) in spans {
        rows.entry(mac).or_default().push(HistoryRow::Quarter(span));
    }
    rows
}

fn record(
    plug: &HousePlug,
    config: &PlugConfig,
    adopted: Timestamp,
    seen: Timestamp,
) -> PlugRecord {
    PlugRecord {
        mac: config.mac,
        family: FamilyId::RECO,
        serial: Some(config.serial.to_string()),
        address: config.listen,
        model: None,
        name: Some(plug.name.to_owned()),
        room: Some(plug.room.to_owned()),
        metering: None,
        power_on: None,
        often_unplugged: false,
        relay: Some(if config.relay_on {
            RelayState::On
        } else {
            RelayState::Off
        }),
        adopted,
        seen,
        relay_since: None,
        revision: 1,
    }
}
