//! The spool on real files: bound, order, damage.

use std::fs;
use std::path::Path;

use jiff::Timestamp;
use plugs::Reading;

use super::*;
use crate::store::Used;

/// A reading whose number is its time, with the energy since the one before of the same plug.
fn sample(number: u64) -> Sample {
    let at = |number: u64| Timestamp::from_second(1_795_305_600 + number as i64).unwrap();
    Sample {
        reading: Reading {
            plug: Mac::new([0xac, 0xcf, 0x23, 0, 0, (number % 3) as u8]),
            at: at(number),
            voltage_v: Some(226.94),
            current_a: None,
            frequency_hz: Some(50.07),
            power_w: Some(60.3),
            energy_wh: Some(number),
        },
        used: (number >= 3).then(|| Used {
            since: at(number - 3),
            energy_wh: 0.168,
        }),
        energy: number.is_multiple_of(2).then(|| EnergyState {
            total_wh: number,
            counter_wh: Some(number),
            at: at(number),
        }),
    }
}

fn samples(numbers: std::ops::Range<u64>) -> Vec<Sample> {
    numbers.map(sample).collect()
}

async fn opened(path: &Path) -> Spool {
    let spool = Spool::open(path.to_owned(), 1 << 30).await;
    assert_eq!(spool.status().error, None);
    spool
}

async fn rest(spool: &Spool) -> Vec<Sample> {
    let mut all = Vec::new();
    while let Some(batch) = spool.first(1000).await.unwrap() {
        all.extend(batch.samples.iter().cloned());
        spool.remove(Some(&batch)).await;
    }
    all
}

#[tokio::test]
async fn readings_come_back_as_they_were_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    let spool = opened(&path).await;
    spool.push(&samples(0..10)).await.unwrap();
    spool.push(&samples(10..2500)).await.unwrap();
    assert_eq!(spool.status().readings, 2500);
    let first = spool.first(100).await.unwrap().unwrap();
    assert_eq!(first.samples, samples(0..100));
    // Not removed yet: it comes again.
    assert_eq!(
        spool.first(100).await.unwrap().unwrap().samples,
        samples(0..100)
    );
    spool.remove(Some(&first)).await;
    assert_eq!(spool.status().readings, 2400);
    spool.close().await;
    let spool = opened(&path).await;
    assert_eq!(spool.status().readings, 2400);
    assert_eq!(rest(&spool).await, samples(100..2500));
    assert_eq!(spool.status().readings, 0);
    assert_eq!(spool.latest_totals(Vec::new()).await, []);
    spool.push(&samples(3000..3001)).await.unwrap();
    assert_eq!(rest(&spool).await, samples(3000..3001));
}

#[tokio::test]
async fn beyond_the_limit_the_oldest_go_and_their_energy_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    let limit = 4 << 20;
    let spool = Spool::open(path.clone(), limit).await;
    let count = 200_000;
    for begin in (0..count).step_by(4000) {
        spool.push(&samples(begin..begin + 4000)).await.unwrap();
    }
    let status = spool.status();
    assert!(status.dropped > 50_000, "{status:?}");
    assert_eq!(status.readings + status.dropped, count);
    assert!(status.bytes < limit + (1 << 20), "{status:?}");
    let length = fs::metadata(&path).unwrap().len();
    assert!(length < limit + (2 << 20), "{length}");
    let left = rest(&spool).await;
    let energy = |samples: &[Sample]| {
        let used = samples.iter().filter_map(|sample| sample.used);
        used.map(|used| (used.energy_wh * 1000.0).round() as i64)
            .sum::<i64>()
    };
    assert_eq!(energy(&left), energy(&samples(0..count)));
    // The first of each plug has all that was dropped, since the first reading.
    let since = left.iter().take(3).filter_map(|sample| sample.used);
    let since: Vec<_> = since.map(|used| used.since).collect();
    let mut begin: Vec<_> = samples(0..3)
        .into_iter()
        .map(|one| one.reading.at)
        .collect();
    begin.sort();
    let mut found = since.clone();
    found.sort();
    assert_eq!(found, begin);
    let is_ascending = left.is_sorted_by_key(|sample| sample.reading.at);
    assert!(is_ascending);
    assert_eq!(left.last(), Some(&sample(count - 1)));
    let length = fs::metadata(&path).unwrap().len();
    assert!(length < 100_000, "the empty file keeps {length} bytes");
}

#[tokio::test]
async fn a_damaged_file_is_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    fs::write(&path, b"this is no database, and longer than a header of one ................................................")
        .unwrap();
    let spool = opened(&path).await;
    let kept_as = spool.status().kept_as.unwrap();
    assert!(fs::read(&kept_as).unwrap().starts_with(b"this is"));
    spool.push(&samples(0..5000)).await.unwrap();
    spool.close().await;
    // Damage inside is found by the check at the start.
    let mut bytes = fs::read(&path).unwrap();
    let half = bytes.len() / 2;
    bytes[half..half + 8192].fill(0x55);
    fs::write(&path, bytes).unwrap();
    let spool = Spool::open(path.clone(), 1 << 30).await;
    let status = spool.status();
    assert!(
        status.kept_as.is_some() && status.readings == 0,
        "{status:?}"
    );
    spool.push(&samples(0..10)).await.unwrap();
    assert_eq!(rest(&spool).await, samples(0..10));
}

#[tokio::test]
async fn a_file_of_another_version_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    let spool = opened(&path).await;
    spool.push(&samples(0..10)).await.unwrap();
    spool.close().await;
    let mut bytes = fs::read(&path).unwrap();
    // The version of the user, in the header.
    bytes[60..64].copy_from_slice(&9_u32.to_be_bytes());
    fs::write(&path, &bytes).unwrap();
    let spool = Spool::open(path.clone(), 1 << 30).await;
    let status = spool.status();
    let error = status.error.unwrap();
    assert!(error.contains("another version of Mains"), "{error}");
    assert!(!spool.is_usable());
    spool.push(&samples(0..1)).await.unwrap_err();
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[tokio::test]
async fn only_later_totals_take_the_place_of_others() {
    let folder = tempfile::tempdir().unwrap();
    let spool = opened(&folder.path().join("spool")).await;
    spool.push(&samples(0..7)).await.unwrap();
    let waiting = |number: u64| (sample(number).reading.plug, sample(number).energy.unwrap());
    let later = (
        waiting(6).0,
        EnergyState {
            at: sample(100).reading.at,
            ..waiting(6).1
        },
    );
    let mut totals = spool.latest_totals(vec![later, waiting(1 + 3)]).await;
    totals.sort_by_key(|(plug, _)| *plug);
    assert_eq!(totals, [later, waiting(4), waiting(2)]);
}

#[test]
fn the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let spool = runtime.block_on(opened(&path));
    runtime.block_on(spool.push(&samples(0..10))).unwrap();
    for entry in fs::read_dir(folder.path()).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
