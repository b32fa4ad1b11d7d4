//! Measures the store: how fast readings go in, how big a year is, how long questions take.
//!
//! `cargo run --release -p hub --example store_figures [PLUGS [POSTGRES-URL]]`; the figures are in `docs/performance.md`. A PostgreSQL
//! database must be empty.
//!
//! A year of twenty plugs would be sixty million readings. What is dropped again after days or months is written sparsely
//! from the start, so that in the end there are the same rows: a reading each quarter of an hour for most of the year, each
//! minute for the last 90 days, each ten seconds for the last seven.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a tool for whoever measures, who sees what went wrong"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hiflying::Mac;
use hub::store::{
    EnergyState, HistoryQuery, HistoryStep, Postgres, PostgresConfig, Retention, Sample, Sqlite,
    Store, Used,
};
use jiff::{SignedDuration, Timestamp};
use plugs::Reading;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// 2026-11-22T00:00:00Z.
const END: i64 = 1_795_305_600;
/// Readings in one batch, about what a second of a large home brings.
const BATCH: usize = 1000;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let plugs: u8 = std::env::args()
        .nth(1)
        .map_or(20, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mains.sqlite");
    let postgres = std::env::args().nth(2).map(|url| PostgresConfig {
        url: url.parse().unwrap(),
        password: None,
        ca_file: None,
        site: api::SiteName::default(),
    });
    let open = async || open(postgres.as_ref(), &file).await;
    let store = open().await;
    fill(&*store, plugs).await;
    timed("tidy", 1, async || store.tidy(moment(END)).await.unwrap()).await;
    store.close().await;

    let begun = Instant::now();
    let store = open().await;
    println!("open: {:.1?}", begun.elapsed());
    timed("info", 1, async || store.info().await.map(drop).unwrap()).await;
    let info = store.info().await.unwrap();
    println!(
        "{plugs} plugs, a year: {} MB, {info:?}",
        info.bytes / 1_000_000
    );
    ask(&*store, mac(plugs / 2)).await;
    if postgres.is_some() {
        return;
    }
    let copy = folder.path().join("copy.sqlite");
    timed("backup", 1, async || {
        let backup = store.backup().await.unwrap();
        backup.write_to(&copy).await.unwrap();
    })
    .await;
}

async fn open(postgres: Option<&PostgresConfig>, file: &Path) -> Arc<dyn Store> {
    let retention = Retention::default();
    match postgres {
        Some(config) => Arc::new(Postgres::open(config.clone(), retention).await.unwrap()),
        None => Arc::new(Sqlite::open(file, retention).await.unwrap().store),
    }
}

async fn fill(store: &dyn Store, plugs: u8) {
    let begun = Instant::now();
    let mut year = Year::new(plugs);
    let (mut count, mut dense) = (0, 0);
    let mut took = Duration::ZERO;
    let mut tidied = END - 365 * DAY;
    while let Some(batch) = year.batch() {
        let since = Instant::now();
        store.append(&batch).await.unwrap();
        if year.step == 10 {
            took += since.elapsed();
            dense += batch.len();
        }
        count += batch.len();
        if year.at > tidied + 10 * DAY {
            tidied = year.at;
            store.tidy(moment(year.at)).await.unwrap();
        }
    }
    println!("{count} readings in {:.1?}", begun.elapsed());
    let rate = dense as f64 / took.as_secs_f64();
    println!("append, ten seconds apart, {BATCH} at once: {rate:.0} readings a second");
}

async fn ask(store: &dyn Store, plug: Mac) {
    let query = |from, step, edges| HistoryQuery {
        plug,
        from: moment(from),
        to: moment(END),
        step,
        edges,
        limit: 10_000,
    };
    // Days of a zone that is an hour ahead.
    let days = (0..=365).map(|day| moment(END - (365 - day) * DAY - HOUR));
    for (name, query) in [
        (
            "a year at day steps",
            query(END - 365 * DAY, HistoryStep::Seconds(86_400), Vec::new()),
        ),
        (
            "a year at local days",
            query(END - 365 * DAY, HistoryStep::Edges, days.collect()),
        ),
        (
            "a day at minute steps",
            query(END - DAY, HistoryStep::Seconds(60), Vec::new()),
        ),
        (
            "a day at ten-second steps",
            query(END - DAY, HistoryStep::Seconds(10), Vec::new()),
        ),
        (
            "90 days at quarter-hour steps",
            query(END - 90 * DAY, HistoryStep::Seconds(900), Vec::new()),
        ),
    ] {
        timed(name, 20, async || {
            assert!(!store.history(&query).await.unwrap().points.is_empty());
        })
        .await;
    }
    timed("the quarters of a month, all plugs", 5, async || {
        let quarters = store.quarters(None, moment(END - 30 * DAY), moment(END));
        assert!(!quarters.await.unwrap().is_empty());
    })
    .await;
}

async fn timed(name: &str, times: u32, mut work: impl AsyncFnMut()) {
    let mut took = Vec::new();
    for _ in 0..times {
        let begun = Instant::now();
        work().await;
        took.push(begun.elapsed());
    }
    took.sort();
    let median = took.get(took.len() / 2).copied().unwrap_or_default();
    let longest = took.last().copied().unwrap_or_default();
    println!("{name}: {median:.1?} (longest of {times}: {longest:.1?})");
}

/// All plugs' readings of a year, in the order in which they come.
struct Year {
    plugs: u8,
    at: i64,
    step: i64,
    next: u8,
    before: i64,
}

impl Year {
    fn new(plugs: u8) -> Self {
        Self {
            plugs,
            at: END - 365 * DAY,
            step: 900,
            next: 0,
            before: END - 365 * DAY - 900,
        }
    }

    fn batch(&mut self) -> Option<Vec<Sample>> {
        let mut batch = Vec::new();
        while self.at < END && batch.len() < BATCH {
            batch.push(self.sample());
            self.next += 1;
            if self.next == self.plugs {
                self.next = 0;
                self.before = self.at;
                self.step = match END - self.at {
                    left if left <= 7 * DAY => 10,
                    left if left <= 90 * DAY => 60,
                    _ => 900,
                };
                self.at += self.step;
            }
        }
        (!batch.is_empty()).then_some(batch)
    }

    /// Power with some noise in it, as a plug sends it.
    fn sample(&self) -> Sample {
        // Each plug has its own moment within the interval.
        let shift = SignedDuration::from_millis(i64::from(self.next) * 37);
        let at = moment(self.at) + shift;
        let power = f64::from(400 + fastrand::i32(0..300)) / 10.0;
        let counted = |at: i64| u64::try_from((at - END + 366 * DAY) / 60).unwrap();
        let counter = counted(self.at);
        Sample {
            reading: Reading {
                plug: mac(self.next),
                at,
                voltage_v: Some(f64::from(22_500 + fastrand::i32(0..600)) / 100.0),
                current_a: Some((power / 2.3).round() / 100.0),
                frequency_hz: Some(f64::from(4_995 + fastrand::i32(0..10)) / 100.0),
                power_w: Some(power),
                energy_wh: Some(counter),
            },
            used: Some(Used {
                // Of a quarter of an hour its last minute, which is one row as the readings of a minute would be.
                since: moment(self.before.max(self.at - 60)) + shift,
                energy_wh: (counter - counted(self.before)) as f64,
            }),
            energy: Some(EnergyState {
                total_wh: counter,
                counter_wh: Some(counter),
                at,
            }),
        }
    }
}

fn mac(number: u8) -> Mac {
    Mac::new([0xac, 0xcf, 0x23, 0, 0, number])
}

fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}
