//! The recorder in virtual time, above a store that does what the test says.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use api::Event;
use async_trait::async_trait;
use hiflying::Mac;
use jiff::Timestamp;
use plugs::Reading;
use tokio::time::timeout;

use super::task::{MAX_BATCH_SIZE, MAX_BUFFERED, RETRY_DELAY, SHUTDOWN_TIMEOUT};
use super::*;
use crate::store::{HistoryQuery, HistoryRow, HistorySteps, Quarter, StoreError, Tier, Used};

const WORKS: u8 = 0;
const FAILS: u8 = 1;
const HANGS: u8 = 2;

#[derive(Debug, Default)]
struct ScriptedStore {
    mode: AtomicU8,
    batches: Mutex<Vec<Vec<Sample>>>,
    tidied: AtomicU32,
}

impl ScriptedStore {
    fn batches(&self) -> Vec<usize> {
        self.batches.lock().unwrap().iter().map(Vec::len).collect()
    }

    fn taken(&self) -> Vec<Sample> {
        self.batches.lock().unwrap().concat()
    }

    fn set(&self, mode: u8) {
        self.mode.store(mode, Ordering::Relaxed);
    }
}

fn broken() -> StoreError {
    StoreError::Unavailable {
        database: "mains.sqlite".into(),
        what: "written",
        source: "the disk is full".into(),
    }
}

#[async_trait]
impl HistoryStore for ScriptedStore {
    async fn append(&self, samples: &[Sample]) -> Result<(), StoreError> {
        match self.mode.load(Ordering::Relaxed) {
            WORKS => {
                self.batches.lock().unwrap().push(samples.to_vec());
                Ok(())
            }
            FAILS => Err(broken()),
            _ => std::future::pending().await,
        }
    }

    async fn tidy(&self, _: Timestamp) -> Result<(), StoreError> {
        self.tidied.fetch_add(1, Ordering::Relaxed);
        Err(broken())
    }

    // Nothing below is called by the recorder.
    async fn recorded(&self) -> Result<Vec<Mac>, StoreError> {
        unreachable!()
    }

    async fn history(&self, _: &HistoryQuery) -> Result<HistorySteps, StoreError> {
        Err(broken())
    }
    async fn quarters(
        &self,
        _: Option<Mac>,
        _: Timestamp,
        _: Timestamp,
    ) -> Result<Vec<Quarter>, StoreError> {
        Err(broken())
    }
    async fn rows(
        &self,
        _: Mac,
        _: Tier,
        _: Timestamp,
        _: Timestamp,
        _: usize,
    ) -> Result<Vec<HistoryRow>, StoreError> {
        Err(broken())
    }
    async fn import(&self, _: Mac, _: &[HistoryRow]) -> Result<u64, StoreError> {
        Err(broken())
    }
}

struct RecorderRun {
    store: Arc<ScriptedStore>,
    samples: mpsc::Sender<Sample>,
    recorder: Recorder,
    cancel: CancellationToken,
    tracker: TaskTracker,
}

impl RecorderRun {
    fn new() -> Self {
        Self::with(None)
    }

    fn with(spool: Option<Arc<Spool>>) -> Self {
        let store = Arc::new(ScriptedStore::default());
        let (samples, receiver) = mpsc::channel(16);
        let (cancel, tracker) = (CancellationToken::new(), TaskTracker::new());
        let kept: Arc<dyn HistoryStore> = Arc::<ScriptedStore>::clone(&store);
        let recorder = Recorder::start(kept, receiver, spool, cancel.clone(), &tracker);
        Self {
            store,
            samples,
            recorder,
            cancel,
            tracker,
        }
    }

    async fn send(&self, numbers: std::ops::Range<u64>) {
        for number in numbers {
            self.samples.send(sample(number, number)).await.unwrap();
        }
    }

    /// Ends it, and tells how long that took.
    async fn end(&self) -> Duration {
        let begun = Instant::now();
        self.tracker.close();
        self.cancel.cancel();
        self.tracker.wait().await;
        begun.elapsed()
    }
}

/// A reading whose number is its time, and what was used since the one before.
fn sample(number: u64, counter: u64) -> Sample {
    let at = |number: u64| Timestamp::from_second(1_795_305_600 + number as i64).unwrap();
    Sample {
        reading: Reading {
            plug: Mac::new([0xac, 0xcf, 0x23, 0, 0, (number % 3) as u8]),
            at: at(number),
            voltage_v: None,
            current_a: None,
            frequency_hz: None,
            power_w: Some(1.0),
            energy_wh: Some(counter),
        },
        used: Some(Used {
            since: at(number.saturating_sub(3)),
            energy_wh: 1.0,
        }),
        energy: Some(EnergyState {
            total_wh: number,
            counter_wh: Some(counter),
            at: at(number),
        }),
    }
}

#[tokio::test(start_paused = true)]
async fn gathers_for_a_second() {
    let run = RecorderRun::new();
    run.send(0..10).await;
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert_eq!(run.store.batches(), [0; 0]);
    assert_eq!(run.recorder.status().buffered, 10);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(run.store.batches(), [10]);
    let expected = RecorderStatus {
        written: 10,
        ..RecorderStatus::default()
    };
    assert_eq!(run.recorder.status(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_counter_that_fell_is_written_at_once() {
    let run = RecorderRun::new();
    run.samples.send(sample(0, 100)).await.unwrap();
    run.samples.send(sample(3, 101)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(run.store.batches(), [0; 0]);
    run.samples.send(sample(6, 0)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(run.store.batches(), [3]);
}

#[tokio::test(start_paused = true)]
async fn many_at_once_do_not_wait() {
    let run = RecorderRun::new();
    run.send(0..5000).await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    let first = run.store.batches();
    assert!(!first.is_empty(), "{first:?}");
    assert!(
        first.iter().all(|size| *size <= MAX_BATCH_SIZE),
        "{first:?}"
    );
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(run.recorder.status().written, 5000);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_written_waits() {
    let run = RecorderRun::new();
    run.store.set(FAILS);
    run.send(0..10).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    run.send(10..20).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let status = run.recorder.status();
    assert_eq!((status.buffered, status.written), (20, 0));
    let error = status.last_error.unwrap();
    assert!(error.contains("mains.sqlite"), "{error}");

    run.store.set(WORKS);
    tokio::time::sleep(RETRY_DELAY).await;
    let expected: Vec<_> = (0..20).map(|number| sample(number, number)).collect();
    assert_eq!(run.store.taken(), expected);
    assert_eq!(run.recorder.status().last_error, None);
}

#[tokio::test(start_paused = true)]
async fn a_failure_and_its_end_are_events() {
    let run = RecorderRun::new();
    let bus = EventBus::new();
    let mut events = bus.subscribe();
    let problems = run.recorder.clone();
    tokio::spawn(problems.publish_problems(bus, CancellationToken::new()));
    run.store.set(FAILS);
    run.send(0..10).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    run.store.set(WORKS);
    tokio::time::sleep(RETRY_DELAY).await;
    let mut told = Vec::new();
    while let Ok(published) = events.try_recv() {
        if let Event::Problem(problem) = &published.event {
            told.push((
                problem.part.clone(),
                problem.solved,
                problem.message.clone(),
            ));
        }
    }
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(!told[0].1 && told[0].2.contains("mains.sqlite"), "{told:?}");
    let end = (
        "history".to_owned(),
        true,
        "history is recorded again".to_owned(),
    );
    assert_eq!(told[1], end);
}

#[tokio::test(start_paused = true)]
async fn the_oldest_are_dropped_but_not_what_was_used() {
    let run = RecorderRun::new();
    run.store.set(FAILS);
    let count = MAX_BUFFERED as u64 + 1000;
    run.send(0..count).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let status = run.recorder.status();
    assert_eq!((status.buffered, status.dropped), (MAX_BUFFERED, 1000));

    run.store.set(WORKS);
    tokio::time::sleep(Duration::from_secs(30)).await;
    let status = run.recorder.status();
    assert_eq!((status.written, status.buffered), (MAX_BUFFERED as u64, 0));
    let taken = run.store.taken();
    let used: f64 = taken
        .iter()
        .map(|sample| sample.used.unwrap().energy_wh)
        .sum();
    assert_eq!(used, count as f64);
    // The first that is left of each plug tells it, since the first that was dropped.
    assert_eq!(taken[0].used.unwrap().since, sample(0, 0).reading.at);
    assert_eq!(taken[3].used, sample(1003, 1003).used);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_keeps_nobody_waiting() {
    let run = RecorderRun::new();
    run.store.set(HANGS);
    run.send(0..10).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let sent = timeout(Duration::from_secs(1), run.send(10..20_000));
    sent.await.expect("the sender was kept waiting");
    let took = run.end().await;
    assert!(took <= SHUTDOWN_TIMEOUT, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn the_end_writes_what_is_left() {
    let run = RecorderRun::new();
    // Not even taken out of the channel.
    for number in 0..16 {
        run.samples.try_send(sample(number, number)).unwrap();
    }
    let took = run.end().await;
    assert_eq!(run.recorder.status().written, 16);
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert!(run.samples.send(sample(16, 16)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn the_end_does_not_wait_for_a_store_that_fails() {
    let run = RecorderRun::new();
    run.store.set(FAILS);
    run.send(0..10).await;
    let took = run.end().await;
    assert!(took <= SHUTDOWN_TIMEOUT, "{took:?}");
    assert_eq!(run.recorder.status().buffered, 10);
}

#[tokio::test(start_paused = true)]
async fn tidies_every_hour_even_when_that_fails() {
    let run = RecorderRun::new();
    tokio::time::sleep(FIRST_TIDY_DELAY + TIDY_INTERVAL * 3 + Duration::from_secs(1)).await;
    assert_eq!(run.store.tidied.load(Ordering::Relaxed), 4);
}

/// Waits for a condition in real time: a file is no part of virtual time.
async fn eventually(condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = timeout(Duration::from_secs(30), wait).await;
    waited.expect("it does not come");
}

async fn spool(folder: &tempfile::TempDir) -> Option<Arc<Spool>> {
    let spool = Spool::open(folder.path().join("spool.sqlite"), 1 << 30).await;
    assert_eq!(spool.status().error, None);
    Some(Arc::new(spool))
}

fn samples(numbers: std::ops::Range<u64>) -> Vec<Sample> {
    numbers.map(|number| sample(number, number)).collect()
}

#[tokio::test]
async fn what_cannot_be_written_goes_to_the_spool_and_comes_back_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let run = RecorderRun::with(spool(&folder).await);
    let spooled = || run.recorder.status().spool.unwrap().readings;
    run.store.set(FAILS);
    run.send(3..13).await;
    eventually(|| spooled() == 10).await;
    run.send(13..23).await;
    eventually(|| spooled() == 20).await;
    assert_eq!(run.recorder.status().buffered, 20);
    run.store.set(WORKS);
    // These come after those in the spool.
    run.send(23..33).await;
    eventually(|| run.recorder.status().written == 30).await;
    assert_eq!(run.store.taken(), samples(3..33));
    assert_eq!(spooled(), 0);
    run.send(33..43).await;
    eventually(|| run.recorder.status().written == 40).await;
    assert_eq!(spooled(), 0);
}

#[tokio::test]
async fn what_a_killed_process_left_in_the_spool_is_written_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    {
        let run = RecorderRun::with(spool(&folder).await);
        run.store.set(FAILS);
        run.send(3..13).await;
        eventually(|| run.recorder.status().spool.unwrap().readings == 10).await;
        let before = vec![(sample(0, 0).reading.plug, sample(0, 0).energy.unwrap())];
        let totals = run.recorder.latest_totals(before).await;
        let of_first = totals
            .iter()
            .find(|(plug, _)| *plug == sample(12, 12).reading.plug);
        assert_eq!(of_first.unwrap().1, sample(12, 12).energy.unwrap());
        assert_eq!(totals.len(), 3);
        // Its tasks are dropped with the runtime of another program; here nothing closes the file.
        let left = std::fs::copy(
            folder.path().join("spool.sqlite"),
            folder.path().join("copy"),
        );
        left.unwrap();
        std::fs::copy(
            folder.path().join("spool.sqlite-wal"),
            folder.path().join("copy-wal"),
        )
        .unwrap();
    }
    let left = Spool::open(folder.path().join("copy"), 1 << 30).await;
    assert_eq!(left.status().readings, 10);
    let run = RecorderRun::with(Some(Arc::new(left)));
    eventually(|| run.recorder.status().written == 10).await;
    assert_eq!(run.store.taken(), samples(3..13));
}

#[tokio::test]
async fn the_end_brings_what_a_hanging_store_does_not_take_to_the_spool() {
    let folder = tempfile::tempdir().unwrap();
    {
        let run = RecorderRun::with(spool(&folder).await);
        run.store.set(HANGS);
        run.send(3..13).await;
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        run.send(13..23).await;
        let took = run.end().await;
        assert!(took < SHUTDOWN_TIMEOUT, "{took:?}");
    }
    let run = RecorderRun::with(spool(&folder).await);
    eventually(|| run.recorder.status().written == 20).await;
    assert_eq!(run.store.taken(), samples(3..23));
}

#[tokio::test]
async fn a_spool_that_cannot_be_used_leaves_readings_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool.sqlite");
    std::fs::create_dir(&path).unwrap();
    let spool = Arc::new(Spool::open(path, 1 << 30).await);
    let run = RecorderRun::with(Some(spool));
    let bus = EventBus::new();
    let mut events = bus.subscribe();
    tokio::spawn(
        run.recorder
            .clone()
            .publish_problems(bus, CancellationToken::new()),
    );
    let problem = loop {
        if let Event::Problem(problem) = &events.recv().await.unwrap().event {
            break problem.clone();
        }
    };
    assert_eq!(problem.part, "spool");
    assert!(problem.message.contains("spool.sqlite"), "{problem:?}");
    run.store.set(FAILS);
    run.send(3..13).await;
    eventually(|| run.recorder.status().last_error.is_some()).await;
    run.store.set(WORKS);
    eventually(|| run.recorder.status().written == 10).await;
    assert_eq!(run.store.taken(), samples(3..13));
}
