//! Measures many sites that write into one PostgreSQL database: readings a second, bytes a reading, a year of a plug.
//!
//! `scripts/measure-store` runs it with a server of its own; the figures are in `docs/performance.md`. By hand:
//! `cargo run --release -p hub --example site_figures POSTGRES-URL [SITES [PLUGS [SECONDS]]]`; the database must be empty.
//!
//! Each site is a store with its own connections and schema, as the hub of that site has, and writes one batch after the other, each
//! with one reading of every plug: what a hub that meters each second writes in a second.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a tool for whoever measures, who sees what went wrong"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use hiflying::Mac;
use hub::store::{
    EnergyState, HistoryQuery, HistoryStep, HistoryStore as _, Postgres, PostgresConfig, Retention,
    Sample, Store as _, Used,
};
use jiff::Timestamp;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use plugs::Reading;

const DAY: i64 = 24 * 3600;
/// 2026-11-22T00:00:00Z.
const BEGIN: i64 = 1_795_305_600;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().unwrap();
    let mut number = |default| {
        arguments
            .next()
            .map_or(default, |text| text.parse().unwrap())
    };
    let (sites, plugs, seconds) = (number(20), number(250), number(30));
    let mut stores = Vec::new();
    for site in 0..sites {
        stores.push(open(&url, &format!("figures-{sites}-{site}")).await);
    }
    // The size is that of the whole database.
    let empty = stores[0].info().await.unwrap().bytes;
    let written = write(&stores, plugs, Duration::from_secs(seconds.into())).await;
    let rate = written as f64 / f64::from(seconds);
    println!("{sites} sites of {plugs} plugs: {rate:.0} readings a second");
    let each = (stores[0].info().await.unwrap().bytes - empty) as f64 / written as f64;
    println!("{sites} sites: {each:.0} bytes a reading, with its minutes and quarters of an hour");
    let used = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let used = used.user_time() + used.system_time();
    let each = used.num_microseconds() as f64 / written as f64;
    println!("{sites} sites: {each:.1} µs of a processor for each reading in this program");
    for store in stores {
        store.close().await;
    }
    if sites > 1 {
        year(open(&url, "figures-year").await).await;
    }
}

async fn open(url: &str, site: &str) -> Arc<Postgres> {
    let config = PostgresConfig {
        url: url.parse().unwrap(),
        password: None,
        ca_file: None,
        site: site.parse().unwrap(),
    };
    Arc::new(Postgres::open(config, Retention::default()).await.unwrap())
}

/// Writes from all sites at once, each as fast as it can, and returns the number of readings.
async fn write(stores: &[Arc<Postgres>], plugs: u32, limit: Duration) -> u64 {
    let end = Instant::now() + limit;
    let mut tasks = Vec::new();
    for store in stores {
        let store = Arc::clone(store);
        tasks.push(tokio::spawn(async move {
            let mut written = 0;
            let mut second = 0;
            while Instant::now() < end {
                let batch: Vec<_> = (0..plugs)
                    .map(|plug| sample(plug, BEGIN + second, 1))
                    .collect();
                store.append(&batch).await.unwrap();
                written += batch.len() as u64;
                second += 1;
            }
            written
        }));
    }
    let mut written = 0;
    for task in tasks {
        written += task.await.unwrap();
    }
    written
}

/// Measures a year at day steps, of each of twenty plugs one after the other: the year of a home.
async fn year(store: Arc<Postgres>) {
    let plugs = 20;
    for day in 0..365 {
        let quarters = (0..96).map(|quarter| BEGIN - (365 - day) * DAY + quarter * 900);
        let batch: Vec<_> = quarters
            .flat_map(|at| (0..plugs).map(move |plug| sample(plug, at, 60)))
            .collect();
        store.append(&batch).await.unwrap();
    }
    let query = |plug| HistoryQuery {
        plug: mac(plug),
        from: moment(BEGIN - 365 * DAY),
        to: moment(BEGIN),
        step: HistoryStep::Seconds(86_400),
        edges: Vec::new(),
        limit: 10_000,
    };
    let mut took = Vec::new();
    let whole = Instant::now();
    for plug in 0..plugs {
        let begun = Instant::now();
        let points = store.history(&query(plug)).await.unwrap().points;
        assert!(points.len() >= 365);
        took.push(begun.elapsed());
    }
    let whole = whole.elapsed();
    took.sort();
    let (median, longest) = (took.get(10).unwrap(), took.last().unwrap());
    println!(
        "a year at day steps of one plug: {median:.1?} (longest of 20: {longest:.1?}); of all 20: {whole:.1?}"
    );
}

/// A reading with the energy of the `gap` seconds before it.
fn sample(plug: u32, second: i64, gap: i64) -> Sample {
    let at = moment(second);
    let power = f64::from(400 + fastrand::i32(0..300)) / 10.0;
    let counted = |second: i64| u64::try_from((second - BEGIN + 366 * DAY) / 60).unwrap();
    let counter = counted(second);
    Sample {
        reading: Reading {
            plug: mac(plug),
            at,
            voltage_v: Some(f64::from(22_500 + fastrand::i32(0..600)) / 100.0),
            current_a: Some((power / 2.3).round() / 100.0),
            frequency_hz: Some(f64::from(4_995 + fastrand::i32(0..10)) / 100.0),
            power_w: Some(power),
            energy_wh: Some(counter),
        },
        used: Some(Used {
            since: moment(second - gap),
            energy_wh: (counter - counted(second - gap)) as f64,
        }),
        energy: Some(EnergyState {
            total_wh: counter,
            counter_wh: Some(counter),
            at,
        }),
    }
}

fn mac(number: u32) -> Mac {
    let [_, high, middle, low] = number.to_be_bytes();
    Mac::new([0xac, 0xcf, 0x23, high, middle, low])
}

fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}
