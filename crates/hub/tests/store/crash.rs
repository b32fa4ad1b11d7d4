//! `kill -9` at any moment: nothing that was acknowledged is lost, and the file is whole.
//!
//! The writer is this test binary, started again; it tells on its standard output what the store has acknowledged. Round
//! after round it goes on with the same file.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use api::{Collection, Id};
use hub::store::{
    DocumentStore, HistoryStore, PlugStore, Sample, SettingStore, Sqlite, Store, StoredDocument,
    Tier, Used,
};
use jiff::Timestamp;
use serde_json::json;

use crate::fixture::{TestDatabase, bare, mac, ms, open, reading, total};

/// Variable with the writer's file; without it the writer does nothing.
const FILE: &str = "MAINS_TEST_CRASH_FILE";
const ROUNDS: u64 = 200;
/// Readings of one batch: a whole minute of one plug.
const BATCH: i64 = 60;
const BEGIN: i64 = 1_795_305_600_000;

/// Kind of write that a number stands for; the store does each as a whole.
fn kind(number: u64) -> u64 {
    number % 5
}

/// Number of the object of its kind that a write is about.
fn slot(number: u64) -> u64 {
    number / 5 % 5
}

fn plug(number: u64) -> hub::store::PlugRecord {
    let mut plug = bare(1 + slot(number) as u8);
    plug.revision = number;
    plug.model = Some(number.to_string());
    plug
}

fn document(number: u64) -> StoredDocument {
    StoredDocument {
        id: id(number),
        revision: number,
        body: json!({"number": number, "filling": "x".repeat(500)}),
        state: json!(number),
    }
}

fn id(number: u64) -> Id {
    format!("r-0000000{}", slot(number)).parse().unwrap()
}

/// The two plugs that replace each other again and again, the new one first.
fn replaced(number: u64) -> [hub::store::PlugRecord; 2] {
    let mut new = bare(20 + slot(number) as u8 % 2);
    new.revision = number;
    [new, bare(21 - slot(number) as u8 % 2)]
}

/// The groups that name the plug.
fn naming(number: u64) -> Vec<(Collection, StoredDocument)> {
    let [new, _] = replaced(number);
    let group = |at: u8| StoredDocument {
        id: format!("g-0000000{at}").parse().unwrap(),
        revision: number,
        body: json!({"name": at, "plugs": [new.mac]}),
        state: json!(null),
    };
    (0..3).map(|at| (Collection::Groups, group(at))).collect()
}

/// A minute of readings, which uses a watt-hour in all.
fn batch(number: u64) -> Vec<Sample> {
    let begin = BEGIN + number as i64 * 60_000;
    let batches = (1..=number).filter(|number| kind(*number) == 3).count() as u64;
    (1..=BATCH)
        .map(|second| {
            let at = ms(begin + second * 1000 - 1);
            let used_wh = u64::from(second == BATCH);
            Sample {
                reading: reading(9, at, 60.0),
                used: Some(Used {
                    since: ms(at.as_millisecond() - 999),
                    energy_wh: used_wh as f64,
                }),
                energy: Some(total(batches - 1 + used_wh, batches, at)),
            }
        })
        .collect()
}

async fn write(store: &Sqlite, number: u64) {
    match kind(number) {
        0 => store.save_plug(&plug(number)).await.unwrap(),
        1 => store
            .save_document(Collection::Rules, &document(number))
            .await
            .unwrap(),
        2 => store
            .save_setting("number", Some(&number.to_string()))
            .await
            .unwrap(),
        3 => store.append(&batch(number)).await.unwrap(),
        _ => {
            let [new, old] = replaced(number);
            let documents = naming(number);
            let replaced = store.replace_plug(old.mac, &new, &documents);
            replaced.await.unwrap();
        }
    }
}

/// Not a test: the process that is killed. It tidies now and then, so that this is interrupted, too.
#[tokio::test]
async fn the_writer() {
    let Ok(file) = std::env::var(FILE) else {
        return;
    };
    let store = open(Path::new(&file)).await.store;
    let mut number: u64 = std::env::var("MAINS_TEST_CRASH_FROM")
        .unwrap()
        .parse()
        .unwrap();
    let mut out = std::io::stdout();
    loop {
        write(&store, number).await;
        writeln!(out, "\nack {number}").unwrap();
        out.flush().unwrap();
        number += 1;
        if number.is_multiple_of(50) {
            store.tidy(ms(BEGIN)).await.unwrap();
        }
    }
}

fn start(file: &Path, from: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::the_writer", "--nocapture"])
        .env(FILE, file)
        .env("MAINS_TEST_CRASH_FROM", from.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Starts a writer, kills it some time after its start or after its first write, and returns the last number that was acknowledged.
fn round(file: &Path, from: u64, is_writing: bool, killed_after: Duration) -> Option<u64> {
    let mut writer = start(file, from);
    let lines = BufReader::new(writer.stdout.take().unwrap()).lines();
    let (first, has_begun) = std::sync::mpsc::channel();
    // What was acknowledged is in the pipe, whatever happens to the writer.
    let reader = std::thread::spawn(move || {
        let numbers = lines.map_while(Result::ok).filter_map(|line| {
            let number = line.strip_prefix("ack ")?;
            // Nobody waits for the second.
            let _ = first.send(());
            number.parse().ok()
        });
        numbers.last()
    });
    if is_writing {
        // However slow the machine is, this writer writes.
        let _ = has_begun.recv_timeout(Duration::from_secs(30));
    }
    std::thread::sleep(killed_after);
    // On Unix this is SIGKILL.
    writer.kill().unwrap();
    let status = writer.wait().unwrap();
    assert!(
        !status.success() && status.code().is_none(),
        "it ended by itself: {status}"
    );
    reader.join().unwrap()
}

/// Checks that everything up to an acknowledged number is stored; the next may be stored or not.
async fn check(file: &Path, acknowledged: u64) -> u64 {
    let opened = open(file).await;
    assert_eq!(opened.set_aside, None);
    let store = opened.store;
    let (mut newest, mut seen) = (0, BTreeMap::new());
    let mut plugs = store.plugs().await.unwrap();
    let successors: Vec<_> = plugs
        .extract_if(.., |plug| kind(plug.revision) == 4)
        .collect();
    for found in plugs {
        assert_eq!(found, plug(found.revision));
        seen.insert(("plug", slot(found.revision)), found.revision);
    }
    for found in store.documents(Collection::Rules).await.unwrap() {
        assert_eq!(found, document(found.revision));
        seen.insert(("document", slot(found.revision)), found.revision);
    }
    let groups = store.documents(Collection::Groups).await.unwrap();
    let groups: Vec<_> = groups
        .into_iter()
        .map(|group| (Collection::Groups, group))
        .collect();
    match successors.as_slice() {
        [] => assert_eq!(groups, []),
        [successor] => {
            assert_eq!(*successor, replaced(successor.revision)[0]);
            assert_eq!(groups, naming(successor.revision), "half-way");
            seen.insert(("replaced", 0), successor.revision);
        }
        both => panic!("{both:?}"),
    }
    if let Some(number) = store.setting("number").await.unwrap() {
        seen.insert(("setting", 0), number.parse().unwrap());
    }
    for number in 1..=acknowledged {
        let key = match kind(number) {
            0 => ("plug", slot(number)),
            1 => ("document", slot(number)),
            2 => ("setting", 0),
            4 => ("replaced", 0),
            _ => continue,
        };
        // Later ones take the place of earlier ones.
        assert!(
            seen.get(&key).is_some_and(|found| *found >= number),
            "{number} is lost"
        );
    }
    for number in seen.values() {
        newest = newest.max(*number);
    }
    newest = newest.max(check_history(&store, acknowledged).await);
    assert!(newest <= acknowledged + 1, "{newest} was not even begun");
    store.close().await;
    newest
}

/// Every batch is there as a whole, in every table, or not at all.
async fn check_history(store: &Sqlite, acknowledged: u64) -> u64 {
    let end: Timestamp = "2100-01-01T00:00:00Z".parse().unwrap();
    let minutes = store
        .rows(mac(9), Tier::Minutes, ms(BEGIN), end, usize::MAX >> 1)
        .await
        .unwrap();
    let mut found = Vec::new();
    for row in &minutes {
        let hub::store::HistoryRow::Minute(span) = row else {
            panic!("{row:?}")
        };
        assert_eq!((span.readings, span.energy_wh), (BATCH as u32, 1.0));
        found.push(((span.t.as_millisecond() - BEGIN) / 60_000) as u64);
    }
    let batches = || (1..).filter(|number| kind(*number) == 3);
    assert!(
        found.iter().copied().eq(batches().take(found.len())),
        "{found:?}"
    );
    let newest = found.last().copied().unwrap_or(0);
    let expected = batches().take_while(|number| *number <= acknowledged);
    assert!(found.len() >= expected.count(), "a batch is lost");
    let info = store.info().await.unwrap();
    assert_eq!(info.readings, found.len() as u64 * BATCH as u64);
    let quarters = store.quarters(None, ms(BEGIN), end).await.unwrap();
    let energy: f64 = quarters.iter().map(|quarter| quarter.energy_wh).sum();
    assert_eq!(energy, found.len() as f64);
    let totals = store.energy().await.unwrap();
    assert_eq!(
        totals.first().map_or(0, |(_, state)| state.total_wh),
        found.len() as u64
    );
    newest
}

#[test]
fn nothing_acknowledged_is_lost() {
    let place = TestDatabase::new();
    let file = place.file();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (mut acknowledged, mut cut_off) = (0, 0);
    let begun = Instant::now();
    for number in 0..ROUNDS {
        // Every other one is killed at any time of its life, the opening of the file included.
        let is_writing = number % 2 == 0;
        let killed_after = Duration::from_millis(fastrand::u64(0..100));
        let next = acknowledged + 1;
        let last = round(&file, next, is_writing, killed_after).unwrap_or(acknowledged);
        let newest = runtime.block_on(check(&file, last));
        if newest > last {
            cut_off += 1;
        }
        acknowledged = newest.max(last);
        if number % 50 == 49 {
            eprintln!(
                "{} rounds, {acknowledged} writes, {:?}",
                number + 1,
                begun.elapsed()
            );
        }
    }
    // A loop in which nothing was ever written would show nothing.
    assert!(
        acknowledged > ROUNDS,
        "only {acknowledged} writes in {ROUNDS} rounds"
    );
    eprintln!("{cut_off} times a write was done and not yet told");
}
