//! Energy over takeovers: what two hubs measure of one plug counts once, whatever waits in memory or in a spool meanwhile.

use std::sync::Arc;

use hub::energy::Lifetime;
use hub::store::{Sample, Store, Used};

use crate::fixture::{mac, ms, reading, record, t, total};
use crate::place::{StorePlace, for_each_store};

/// Power of the plug in watts, and what its counter shows at first.
const POWER_W: i64 = 1800;
const FIRST_WH: u64 = 1000;

/// One of the hubs of a site, as far as it measures.
struct MeasuringHub {
    store: Arc<dyn Store>,
    lifetime: Lifetime,
    /// Readings that are not written, or not known to be; oldest first.
    waiting: Vec<Sample>,
    /// Milliseconds by which its clock is ahead.
    ahead: i64,
}

impl MeasuringHub {
    fn new(store: Arc<dyn Store>, ahead: i64) -> Self {
        Self {
            store,
            lifetime: Lifetime::default(),
            waiting: Vec::new(),
            ahead,
        }
    }

    /// Becomes the active one; `reads_spool` is false where what waits is in memory.
    async fn begin(&mut self, reads_spool: bool) {
        let stored = self.store.energy().await.unwrap();
        let stored = stored.first().map(|(_, state)| *state);
        let own = self.waiting.last().and_then(|sample| sample.energy);
        let own = own.filter(|own| {
            reads_spool && stored.is_none_or(|it| own.at > it.at && own.total_wh >= it.total_wh)
        });
        self.lifetime = own
            .or(stored)
            .map_or_else(Lifetime::default, Lifetime::resume);
    }

    /// Reads the plug at a time since the beginning, in milliseconds. Returns its counter.
    fn measure(&mut self, time: i64) -> u64 {
        let begin = t("2026-11-22T12:00:00Z").as_millisecond();
        let counter = FIRST_WH + (time * POWER_W / 3_600_000) as u64;
        let mut reading = reading(1, ms(begin + time + self.ahead), POWER_W as f64);
        reading.energy_wh = Some(counter);
        let taken = self.lifetime.take(&reading);
        assert_eq!(taken.note, None);
        self.waiting.push(Sample {
            reading,
            used: taken.used,
            energy: taken.state,
        });
        counter
    }

    /// Writes the oldest readings. A process that is killed then may still have them.
    async fn write(&mut self, count: usize, is_killed: bool) {
        let count = count.min(self.waiting.len());
        self.store.append(&self.waiting[..count]).await.unwrap();
        if !is_killed {
            self.waiting.drain(..count);
        }
    }

    /// Gives the energy of the oldest readings to the last of them, as a full spool does.
    fn shorten(&mut self, count: usize) {
        let count = count.min(self.waiting.len());
        let oldest: Vec<_> = self.waiting.drain(..count).collect();
        let used: Vec<_> = oldest.iter().filter_map(|sample| sample.used).collect();
        let Some(mut last) = oldest.last().cloned() else {
            return;
        };
        if let Some(first) = used.first() {
            last.used = Some(Used {
                since: first.since,
                energy_wh: used.iter().map(|used| used.energy_wh).sum(),
            });
        }
        self.waiting.insert(0, last);
    }
}

/// Returns the energy of the plug in all quarters of an hour.
async fn energy_in_history(store: &dyn Store) -> f64 {
    let quarters = store.quarters(Some(mac(1)), ms(0), t("2026-11-23T00:00:00Z"));
    let quarters = quarters.await.unwrap();
    quarters.iter().map(|one| one.energy_wh).sum()
}

async fn energy_counts_once_over_takeovers(place: StorePlace) {
    let first = place.store().await;
    let second = match place.is_file() {
        true => Arc::clone(&first),
        false => place.store().await,
    };
    for (seed, ahead) in (0..24).zip([0, 120_000, -600_000, -10_000].into_iter().cycle()) {
        first.delete_plug(mac(1), true).await.unwrap();
        let mut hubs = [(&first, 0), (&second, ahead)]
            .map(|(store, ahead)| MeasuringHub::new(Arc::clone(store), ahead));
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut active, mut time) = (0, 2000);
        hubs[0].begin(true).await;
        // Two counters that agree begin the total.
        let begin = hubs[0].measure(0);
        let mut counter = hubs[0].measure(time);
        hubs[0].write(2, false).await;
        for _ in 0..60 {
            let count = random.usize(1..6);
            match random.u8(0..10) {
                0..5 => {
                    time += random.i64(1..8000);
                    counter = hubs[active].measure(time);
                }
                5..7 => hubs[active].write(count, random.bool()).await,
                7 => hubs[1 - active].write(count, random.bool()).await,
                8 => hubs[random.usize(0..2)].shorten(count),
                _ => {
                    active = 1 - active;
                    time += random.i64(1..15_000);
                    hubs[active].begin(random.bool()).await;
                }
            }
        }
        for hub in [active, 1 - active] {
            let count = hubs[hub].waiting.len();
            hubs[hub].write(count, false).await;
        }
        hubs[active].begin(false).await;
        time += 2000;
        counter = hubs[active].measure(time).max(counter);
        hubs[active].write(1, false).await;
        let sum = energy_in_history(&*first).await;
        let expected = (counter - begin) as f64;
        assert!(
            (sum - expected).abs() < 1e-6,
            "{seed}: {sum} is not {expected}"
        );
        let total = first.energy().await.unwrap()[0].1.total_wh;
        assert_eq!(total, counter, "{seed}");
    }
}

async fn a_late_reading_of_a_successor_leaves_the_total_alone(place: StorePlace) {
    let store = place.store().await;
    let at = t("2026-11-22T12:00:00Z").as_millisecond();
    let counted = |number, total_wh, seconds: i64| {
        let at = ms(at + seconds * 1000);
        Sample {
            reading: reading(number, at, 60.0),
            used: None,
            energy: Some(total(total_wh, total_wh, at)),
        }
    };
    store.save_plug(&record(1)).await.unwrap();
    let both = [counted(1, 500, 0), counted(2, 9000, 0)];
    store.append(&both).await.unwrap();
    store.replace_plug(mac(1), &record(2), &[]).await.unwrap();
    store.append(&[counted(2, 9001, 10)]).await.unwrap();
    let energy = store.energy().await.unwrap();
    assert_eq!(energy, [(mac(2), total(500, 9000, ms(at)))]);
    store.append(&[counted(2, 501, 20)]).await.unwrap();
    assert_eq!(store.energy().await.unwrap()[0].1.total_wh, 501);
}

/// The hub goes on from a reading that it takes for written.
async fn the_next_reading_brings_what_a_crash_of_the_server_lost(place: StorePlace) {
    let store = place.store().await;
    let begin = t("2026-11-22T12:00:00Z").as_millisecond();
    let measured = |seconds: i64, used_wh: f64, total_wh| {
        let at = ms(begin + seconds * 1000);
        Sample {
            reading: reading(1, at, 1800.0),
            used: Some(Used {
                since: ms(begin + (seconds - 10) * 1000),
                energy_wh: used_wh,
            }),
            energy: Some(total(total_wh, total_wh, at)),
        }
    };
    store.append(&[measured(0, 5.0, 5)]).await.unwrap();
    let _lost = [measured(10, 5.0, 10)];
    store.append(&[measured(20, 5.0, 15)]).await.unwrap();
    let sum = energy_in_history(&*store).await;
    assert!((sum - 15.0).abs() < 1e-6, "{sum}");
    assert_eq!(store.energy().await.unwrap()[0].1.total_wh, 15);
}

for_each_store!(
    energy_counts_once_over_takeovers,
    a_late_reading_of_a_successor_leaves_the_total_alone,
    the_next_reading_brings_what_a_crash_of_the_server_lost,
);
