//! A year of twenty plugs in a database, the same each time: gaps, unknown values, counters that began again, both changes of the
//! clock, and a plug that was removed.

use std::path::Path;
use std::sync::Arc;

use api::{Collection, LogEntry, LogKind};
use hiflying::Mac;
use hub::store::{
    CopiedStore as _, DocumentStore as _, EnergyState, HistoryStore as _, LogQuery, LogStore as _,
    PlugRecord, PlugStore as _, Retention, Sample, Sqlite, Tier, Used,
};
use jiff::{SignedDuration, Timestamp};
use plugs::{FamilyId, Reading, RelayState};
use strum::VariantArray as _;

/// Number of plugs; the last one was removed, and its history is there.
pub const PLUGS: u8 = 20;
/// Now.
pub const END: &str = "2026-11-22T13:34:56Z";
/// Before the hubs of the test started; the entries of the log after it are their own.
pub const LOG_END: &str = "2026-11-22T13:30:00Z";
/// Both changes of the clock in Berlin, of which the days around have all readings.
pub const CLOCK_CHANGES: [&str; 2] = ["2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z"];
const LOG_ENTRIES: u64 = 1_500;
const BATCH: usize = 1_000;
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// Distance of readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Density {
    /// Six hours, but as a plug sends them around the changes of the clock and at the end.
    Coarse,
    /// As many as the hub still has after a year: each ten seconds of the last week, each minute of 90 days, each quarter of an
    /// hour before.
    Whole,
}

impl Density {
    /// Returns the retention that keeps what is made.
    pub fn retention(self) -> Retention {
        match self {
            Self::Coarse => Retention {
                readings: "365d".parse().unwrap(),
                minutes: "365d".parse().unwrap(),
            },
            Self::Whole => Retention::default(),
        }
    }

    /// Returns the seconds until the next reading.
    fn step(self, plug: u8, at: i64) -> i64 {
        let left = second(END) - at;
        match self {
            Self::Whole if left <= 7 * DAY => 10,
            Self::Whole if left <= 90 * DAY => 60,
            Self::Whole => 900,
            Self::Coarse => {
                let begins = CLOCK_CHANGES.map(second).into_iter().chain([second(END)]);
                let mut begins = begins.map(|change| change - 3 * HOUR);
                let fine = if plug < 3 { 10 } else { 60 };
                begins
                    .find_map(|begin| match at {
                        at if (begin..begin + 6 * HOUR).contains(&at) => Some(fine),
                        at if (begin - 6 * HOUR..begin).contains(&at) => Some(begin - at),
                        _ => None,
                    })
                    .unwrap_or(6 * HOUR)
            }
        }
    }
}

pub fn mac(number: u8) -> Mac {
    Mac::new([0xac, 0xcf, 0x23, 0, 0, number])
}

fn second(text: &str) -> i64 {
    moment(text).as_second()
}

fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Writes the year of so many plugs into a new file.
pub async fn write(file: &Path, density: Density, plugs: u8) {
    let store = Sqlite::open(file, density.retention()).await.unwrap().store;
    for plug in 0..plugs {
        for batch in samples(plug, density).chunks(BATCH) {
            store.append(batch).await.unwrap();
        }
        if plug + 1 < PLUGS {
            store.save_plug(&record(plug)).await.unwrap();
        }
    }
    store.append_log(&entries()).await.unwrap();
    store.tidy(moment(END)).await.unwrap();
    store.close().await;
}

/// Returns all that a file holds: its history since a moment, and everything else.
pub async fn content(file: &Path, since: &str) -> [String; 2] {
    let opened = Sqlite::open(file, Density::Coarse.retention()).await;
    let opened = opened.unwrap();
    assert_eq!(opened.set_aside, None);
    let store = opened.store;
    let mut history = String::new();
    for plug in store.recorded().await.unwrap() {
        for tier in [Tier::Readings, Tier::Minutes, Tier::Quarters] {
            let rows = store.rows(plug, tier, moment(since), Timestamp::MAX, usize::MAX);
            history += &format!("{plug} {:?}\n", rows.await.unwrap());
        }
    }
    let query = LogQuery {
        limit: usize::MAX,
        ..LogQuery::default()
    };
    let mut rest = format!(
        "{:?}\n{:?}\n{:?}\n{:?}\n",
        store.plugs().await.unwrap(),
        store.energy().await.unwrap(),
        store.settings().await.unwrap(),
        store.log(&query).await.unwrap(),
    );
    for collection in Collection::ALL {
        rest += &format!("{:?}\n", store.documents(collection).await.unwrap());
    }
    store.close().await;
    [history, rest]
}

fn record(number: u8) -> PlugRecord {
    let is_plain = number.is_multiple_of(5);
    PlugRecord {
        mac: mac(number),
        family: FamilyId::RECO,
        serial: Some(format!("9000{number:02}")),
        address: [192, 168, 1, number].into(),
        model: Some("HF-LPB100".to_owned()),
        name: (!is_plain).then(|| format!("plug {number}")),
        room: (!is_plain).then(|| "Küche".to_owned()),
        metering: (number == 3).then(|| "5s".parse().unwrap()),
        power_on: None,
        often_unplugged: number == 4,
        relay: Some(match number.is_multiple_of(2) {
            true => RelayState::On,
            false => RelayState::Off,
        }),
        relay_since: (!is_plain).then(|| moment("2026-11-20T12:30:00.5Z")),
        adopted: moment("2025-11-22T12:00:00.123Z"),
        seen: moment("2026-11-22T13:00:00Z"),
        revision: 1 + u64::from(number),
    }
}

/// Returns a number that looks like chance, from 0 to `below`.
fn noise(plug: u8, at: i64, below: i64) -> i64 {
    let mixed = (at / 10).wrapping_mul(6_364_136_223_846_793_005) ^ (i64::from(plug) * 7_919);
    (mixed >> 17).rem_euclid(below)
}

fn samples(plug: u8, density: Density) -> Vec<Sample> {
    let end = second(END);
    let begin = end - 365 * DAY;
    let mut samples = Vec::new();
    let (mut at, mut before, mut total) = (begin, None, 0.0_f64);
    while at < end {
        let step = density.step(plug, at);
        // A day without readings in each 17, and some hours in each three days.
        let is_away = (at / DAY + i64::from(plug)) % 17 == 0
            || ((at + i64::from(plug) * HOUR) % (3 * DAY) < 2 * HOUR && plug % 3 == 1);
        if !is_away {
            let (sample, used) = sample(plug, at, before, total);
            total += used;
            samples.push(sample);
            before = Some(at);
        }
        at += step;
    }
    samples
}

/// Returns the reading of a moment after another one, and the energy between them.
fn sample(plug: u8, at: i64, before: Option<i64>, total: f64) -> (Sample, f64) {
    // Each plug has its own moment within the interval.
    let shift = SignedDuration::from_millis(i64::from(plug) * 37);
    let time = |second| Timestamp::from_second(second).unwrap() + shift;
    let power = (400 + noise(plug, at, 300) + 900 * i64::from(plug % 4)) as f64 / 10.0;
    // Of one of them all energy of the time between two readings is known, of the others that of its last minute.
    let longest = match (plug, second(END) - at) {
        (5, ..1_000_000) => DAY,
        _ => 60,
    };
    let before = before.map(|before| before.max(at - longest));
    let used = before.map_or(0.0, |before| power * (at - before) as f64 / 3600.0);
    let total_wh = (total + used) as u64;
    // The counter of some plugs began again in summer.
    let summer = second("2026-07-01T00:00:00Z");
    let counter = if plug % 6 == 2 && at > summer {
        u64::try_from((at - summer) / 60).unwrap()
    } else {
        total_wh + 1_000
    };
    let known = |value: f64, hidden: i64| (noise(plug, at, 97) != hidden).then_some(value);
    let sample = Sample {
        reading: Reading {
            plug: mac(plug),
            at: time(at),
            voltage_v: known((22_500 + noise(plug, at, 600)) as f64 / 100.0, 1),
            current_a: known((power / 2.3).round() / 100.0, 2),
            frequency_hz: known((4_995 + noise(plug, at, 10)) as f64 / 100.0, 3),
            power_w: known(power, 4),
            energy_wh: known(0.0, 5).map(|_| counter),
        },
        used: before.map(|before| Used {
            since: time(before),
            energy_wh: used,
        }),
        energy: Some(EnergyState {
            total_wh,
            counter_wh: Some(counter),
            at: time(at),
        }),
    };
    (sample, used)
}

/// Returns the log of a year: each kind, problems, plugs, moves with causes.
fn entries() -> Vec<Arc<LogEntry>> {
    let begin = second(END) - 364 * DAY;
    let distance = 363 * DAY / i64::try_from(LOG_ENTRIES).unwrap();
    let entry = |id: u64| {
        let number = usize::try_from(id).unwrap();
        let at = begin + distance * i64::try_from(id).unwrap();
        let kind = LogKind::VARIANTS[number % LogKind::VARIANTS.len()];
        let text = format!("entry {id} of the log, “ä”");
        let mut entry = LogEntry::new(Timestamp::from_second(at).unwrap(), kind, text)
            .as_problem(id.is_multiple_of(29));
        if id.is_multiple_of(3) {
            entry = entry.about(mac(u8::try_from(id % 20).unwrap()));
        }
        if kind == LogKind::Switch {
            entry = entry.moved_to(RelayState::On);
        }
        Arc::new(LogEntry { id, ..entry })
    };
    (1..=LOG_ENTRIES).map(entry).collect()
}
