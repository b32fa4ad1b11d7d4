//! The store against a naive model of it that keeps everything in maps and adds up in plain numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::Period;
use hub::store::{
    EnergyState, HistoryPoint, HistoryQuery, HistoryStep, Retention, Sample, Store, Used,
};
use proptest::prelude::*;

use crate::fixture::{mac, ms, reading, record};
use crate::place::StorePlace;

const PLUGS: u8 = 3;
/// 2026-11-22T00:00:00Z.
const BEGIN: i64 = 1_795_305_600_000;
const DAY: i64 = 86_400_000;
/// Short, so that what is dropped matters within days.
const RETENTION: Retention = Retention {
    readings: Period::seconds(86_400),
    minutes: Period::seconds(3 * 86_400),
};

/// Powers and watt-hours of a step.
#[derive(Debug, Clone, Default)]
struct ModelSlot {
    powers: Vec<f64>,
    energy: f64,
}

#[derive(Debug, Clone, Default)]
struct HistoryModel {
    plugs: BTreeMap<u8, ModelSeries>,
}

#[derive(Debug, Clone, Default)]
struct ModelSeries {
    readings: BTreeMap<i64, Sample>,
    minutes: BTreeMap<i64, ModelSlot>,
    quarters: BTreeMap<i64, ModelSlot>,
    total: Option<EnergyState>,
}

/// The share of a gap's energy in a range of seconds.
fn share(sample: &Sample, from: i64, to: i64) -> f64 {
    let Some(used) = sample.used else {
        return 0.0;
    };
    let end = sample.reading.at.as_millisecond();
    let begin = used.since.as_millisecond().min(end - 1);
    let overlap = (to * 1000).min(end) - (from * 1000).max(begin);
    used.energy_wh * overlap.max(0) as f64 / (end - begin) as f64
}

fn floor(t: i64, step: i64) -> i64 {
    t.div_euclid(step) * step
}

impl ModelSeries {
    fn append(&mut self, sample: &Sample) {
        let at = sample.reading.at.as_millisecond();
        if self.readings.contains_key(&at) {
            return;
        }
        self.readings.insert(at, sample.clone());
        for (size, slots) in [(60, &mut self.minutes), (900, &mut self.quarters)] {
            if let Some(power) = sample.reading.power_w {
                let slot = slots.entry(floor(at.div_euclid(1000), size)).or_default();
                slot.powers.push(power);
            }
            if let Some(used) = sample.used {
                let gap = at - used.since.as_millisecond();
                let granule = match gap / 1000 {
                    ..=3600 => size,
                    3601..=604_800 => 900,
                    _ => 3600,
                };
                let mut t = floor(
                    used.since.as_millisecond().min(at - 1).div_euclid(1000),
                    granule,
                );
                while t * 1000 < at {
                    slots.entry(t).or_default().energy += share(sample, t, t + granule);
                    t += granule;
                }
            }
        }
        if let Some(state) = sample.energy
            && self
                .total
                .is_none_or(|total| state.total_wh >= total.total_wh)
        {
            self.total = Some(state);
        }
    }

    fn tidy(&mut self, now: i64) {
        let oldest = |kept: Period| floor((now / 1000) - kept.get().as_secs() as i64, 900);
        let readings = oldest(RETENTION.readings) * 1000;
        let minutes = oldest(RETENTION.minutes);
        self.readings.retain(|at, _| *at >= readings);
        self.minutes.retain(|t, _| *t >= minutes);
    }

    /// Adds what `old` gives to what is there.
    fn take_over(&mut self, old: ModelSeries) {
        for (at, sample) in old.readings {
            self.readings.insert(at, sample);
        }
        for (mine, olds) in [
            (&mut self.minutes, old.minutes),
            (&mut self.quarters, old.quarters),
        ] {
            for (t, slot) in olds {
                let mine = mine.entry(t).or_default();
                mine.powers.extend(slot.powers);
                mine.energy += slot.energy;
            }
        }
        if let Some(total) = old.total {
            self.total = Some(EnergyState {
                total_wh: total.total_wh,
                counter_wh: self.total.and_then(|total| total.counter_wh),
                at: self.total.map_or(total.at, |total| total.at),
            });
        }
    }

    /// Returns the range of a query in whole steps, and the times from which on minutes and readings are used.
    fn parts(&self, from: i64, to: i64, step: i64) -> (i64, i64, i64, i64) {
        let (from, to) = (floor(from, step), -floor(-to, step));
        let begins = |t: Option<i64>| t.map_or(i64::MAX, |t| floor(t, 900));
        let readings = begins(self.readings.keys().next().map(|at| at.div_euclid(1000)));
        let minutes = begins(self.minutes.keys().next().copied());
        let readings_from = if step % 60 == 0 || step > 900 {
            to
        } else {
            readings.min(to).max(from)
        };
        let minutes_from = if step % 900 == 0 {
            to
        } else {
            minutes.min(readings_from).max(from)
        };
        (from, minutes_from, readings_from, to)
    }

    /// Returns the shortest step from `step` on for which no row has to be divided.
    fn coarsened(&self, from: i64, to: i64, step: i64) -> i64 {
        let is_used = |rows: &BTreeMap<i64, ModelSlot>, size: i64, from: i64, to: i64| {
            let ends = rows.keys().next().zip(rows.keys().last());
            ends.is_some_and(|(first, last)| floor(*first, 900).max(from) < (last + size).min(to))
        };
        let ceil = |size| -floor(-step, size);
        let steps = [step, ceil(60), ceil(900)];
        let fits = |step: &i64| {
            let (from, minutes_from, readings_from, _) = self.parts(from, to, *step);
            let quarters_fit = step % 900 == 0 || !is_used(&self.quarters, 900, from, minutes_from);
            let minutes_fit = step % 60 == 0
                || *step > 900
                || !is_used(&self.minutes, 60, minutes_from, readings_from);
            quarters_fit && minutes_fit
        };
        steps.into_iter().find(fits).unwrap()
    }

    fn history(&self, from: i64, to: i64, step: i64) -> BTreeMap<i64, ModelSlot> {
        let (from, minutes_from, readings_from, to) = self.parts(from, to, step);
        let mut slots: BTreeMap<i64, ModelSlot> = BTreeMap::new();
        for (rows, from, to) in [
            (&self.quarters, from, minutes_from),
            (&self.minutes, minutes_from, readings_from),
        ] {
            for (t, slot) in rows.iter().filter(|(t, _)| (from..to).contains(*t)) {
                let mine = slots.entry(floor(*t, step)).or_default();
                mine.powers.extend(&slot.powers);
                mine.energy += slot.energy;
            }
        }
        for (at, sample) in &self.readings {
            let t = at.div_euclid(1000);
            if let (Some(power), true) = (sample.reading.power_w, (readings_from..to).contains(&t))
            {
                slots.entry(floor(t, step)).or_default().powers.push(power);
            }
            let Some(used) = sample.used else { continue };
            let begin = used.since.as_millisecond().min(at - 1).div_euclid(1000);
            let mut step_from = floor(begin.max(readings_from), step);
            while step_from < to && step_from * 1000 < *at {
                let share = share(sample, step_from.max(readings_from), step_from + step);
                slots.entry(step_from).or_default().energy += share;
                step_from += step;
            }
        }
        slots.retain(|_, slot| !slot.powers.is_empty() || slot.energy > 0.0);
        slots
    }
}

/// A reading to come: how much later than the plug's last, what it says.
#[derive(Debug, Clone)]
struct Next {
    plug: u8,
    after_ms: i64,
    power: Option<u32>,
    /// Watt-hours an hour, so that no share of a gap is too small to be told.
    used: Option<u32>,
    counts: bool,
}

#[derive(Debug, Clone)]
enum ModelAction {
    Append(Vec<Next>),
    /// The same batch again, as after a commit whose outcome was not known.
    Again,
    Tidy,
    Reopen,
    Purge(u8),
    Replace(u8, u8),
    Ask {
        plug: u8,
        step: u32,
        from: i64,
        length: i64,
    },
}

fn next() -> impl Strategy<Value = Next> {
    let after = prop_oneof![
        8 => Just(10_000_i64),
        4 => 1_000_i64..120_000,
        1 => Just(0_i64),
        1 => -40_000_i64..0,
        2 => 120_000_i64..3_600_000,
        1 => 3_600_000_i64..DAY,
        1 => (7 * DAY)..(9 * DAY),
    ];
    (
        0..PLUGS,
        after,
        prop::option::weighted(0.9, 0_u32..4_000),
        prop::option::weighted(0.8, 30_u32..4_000),
        any::<bool>(),
    )
        .prop_map(|(plug, after_ms, power, used, counts)| Next {
            plug,
            after_ms,
            power,
            used,
            counts,
        })
}

fn action() -> impl Strategy<Value = ModelAction> {
    let step = prop_oneof![
        Just(1_u32),
        Just(7),
        Just(10),
        Just(30),
        Just(60),
        Just(90),
        Just(300),
        Just(900),
        Just(1000),
        Just(3600),
        Just(86_400)
    ];
    prop_oneof![
        8 => prop::collection::vec(next(), 1..40).prop_map(ModelAction::Append),
        1 => Just(ModelAction::Again),
        2 => Just(ModelAction::Tidy),
        1 => Just(ModelAction::Reopen),
        1 => (0..PLUGS).prop_map(ModelAction::Purge),
        1 => (0..PLUGS, 0..PLUGS).prop_map(|(old, new)| ModelAction::Replace(old, new)),
        6 => (0..PLUGS, step, -4_000_000_i64..2_000_000, 1_i64..4_000_000).prop_map(
            |(plug, step, from, length)| ModelAction::Ask { plug, step, from, length }
        ),
    ]
}

/// A run of the store beside the model.
struct ModelRun {
    place: StorePlace,
    store: Arc<dyn Store>,
    model: HistoryModel,
    /// The latest reading of each plug.
    last: [i64; PLUGS as usize],
    /// The latest that said what was used.
    last_used: [i64; PLUGS as usize],
    /// The lifetime total of each plug.
    totals: [u64; PLUGS as usize],
    batch: Vec<Sample>,
    /// The longest gap over which something was used.
    longest_gap: i64,
}

impl ModelRun {
    async fn new(place: StorePlace) -> Self {
        let store = place.store_with(RETENTION).await;
        Self {
            place,
            store,
            model: HistoryModel::default(),
            last: [BEGIN; PLUGS as usize],
            last_used: [BEGIN; PLUGS as usize],
            totals: [1_000_000; PLUGS as usize],
            batch: Vec::new(),
            longest_gap: 0,
        }
    }

    fn sample(&mut self, next: &Next) -> Sample {
        let plug = usize::from(next.plug);
        let at = self.last[plug] + next.after_ms;
        let is_late = at <= self.last[plug];
        self.last[plug] = self.last[plug].max(at);
        // What was used is told from one reading to a later one, never twice, and with the total that has it.
        let used = next.used.filter(|_| !is_late && next.counts).map(|watts| {
            let since = self.last_used[plug];
            self.last_used[plug] = at;
            self.longest_gap = self.longest_gap.max(at - since);
            let energy_wh = (f64::from(watts) * (at - since) as f64 / 3_600.0).round() / 1000.0;
            Used {
                since: ms(since),
                energy_wh,
            }
        });
        let mut reading = reading(next.plug, ms(at), 0.0);
        reading.power_w = next.power.map(|power| f64::from(power) / 10.0);
        // Energy counts as far as it raises the total, see `takeover`.
        self.totals[plug] += used.map_or(0, |used| used.energy_wh.ceil() as u64);
        let total_wh = self.totals[plug];
        let energy = next.counts.then_some(EnergyState {
            total_wh,
            counter_wh: Some(total_wh % 1000),
            at: ms(self.last_used[plug]),
        });
        Sample {
            reading,
            used,
            energy,
        }
    }

    async fn act(&mut self, action: &ModelAction) {
        match action {
            ModelAction::Append(nexts) => {
                self.batch = nexts.iter().map(|next| self.sample(next)).collect();
                self.append().await;
            }
            // What was dropped in the meantime could not be told from what never came.
            ModelAction::Again => {
                let now = *self.last.iter().max().unwrap();
                self.batch
                    .retain(|sample| sample.reading.at.as_millisecond() > now - DAY / 2);
                self.append().await;
            }
            ModelAction::Tidy => {
                let now = *self.last.iter().max().unwrap();
                self.store.tidy(ms(now)).await.unwrap();
                for series in self.model.plugs.values_mut() {
                    series.tidy(now);
                }
            }
            ModelAction::Reopen => {
                self.store.close().await;
                self.store = self.place.store_with(RETENTION).await;
            }
            ModelAction::Purge(plug) => {
                self.store.delete_plug(mac(*plug), true).await.unwrap();
                self.model.plugs.remove(plug);
                self.batch.clear();
            }
            ModelAction::Replace(old, new) => {
                let record = record(*new);
                self.store
                    .replace_plug(mac(*old), &record, &[])
                    .await
                    .unwrap();
                if old != new
                    && let Some(series) = self.model.plugs.remove(old)
                {
                    let heir = self.model.plugs.entry(*new).or_default();
                    heir.take_over(series);
                    let new = usize::from(*new);
                    self.totals[new] = 1_000_000;
                    if let Some(total) = heir.total {
                        self.totals[new] = total.total_wh;
                        self.last_used[new] = total.at.as_millisecond();
                        self.last[new] = self.last[new].max(self.last_used[new]);
                    }
                    self.batch.clear();
                }
            }
            ModelAction::Ask {
                plug,
                step,
                from,
                length,
            } => self.ask(*plug, *step, *from, *length).await,
        }
    }

    async fn append(&mut self) {
        self.store.append(&self.batch).await.unwrap();
        for sample in &self.batch {
            let plug = sample.reading.plug.octets()[5];
            self.model.plugs.entry(plug).or_default().append(sample);
        }
    }

    async fn ask(&self, plug: u8, step: u32, from: i64, length: i64) {
        let now = self.last.iter().max().unwrap() / 1000;
        let (from, to) = (now + from, now + from + length.min(i64::from(step) * 5_000));
        let query = HistoryQuery {
            plug: mac(plug),
            from: ms(from * 1000),
            to: ms(to * 1000),
            step: HistoryStep::Seconds(step),
            edges: Vec::new(),
            limit: usize::MAX,
        };
        let steps = self.store.history(&query).await.unwrap();
        let Some(series) = self.model.plugs.get(&plug) else {
            assert_eq!(steps.points, []);
            return;
        };
        let step = series.coarsened(from, to, i64::from(step));
        assert_eq!(steps.step, HistoryStep::Seconds(step as u32));
        same(&steps.points, &series.history(from, to, step));
    }

    async fn compare(&self) {
        let mut readings = 0;
        let mut totals = BTreeSet::new();
        let mut expected_totals = BTreeSet::new();
        for (plug, series) in &self.model.plugs {
            readings += series.readings.len() as u64;
            if let Some(total) = series.total {
                expected_totals.insert(format!("{:?} {total:?}", mac(*plug)));
            }
            let quarters = self
                .store
                .quarters(Some(mac(*plug)), ms(0), ms(BEGIN + 10_000 * DAY))
                .await
                .unwrap();
            let sum: f64 = quarters.iter().map(|quarter| quarter.energy_wh).sum();
            let expected: f64 = series.quarters.values().map(|slot| slot.energy).sum();
            // To the last milliwatt-hour, whatever was shared out, dropped or carried on.
            assert!((sum - expected).abs() < 1e-6, "{sum} is not {expected}");
        }
        for (mac, state) in self.store.energy().await.unwrap() {
            totals.insert(format!("{mac:?} {state:?}"));
        }
        assert_eq!(totals, expected_totals);
        assert_eq!(self.store.info().await.unwrap().readings, readings);
    }
}

#[track_caller]
fn same(points: &[HistoryPoint], expected: &BTreeMap<i64, ModelSlot>) {
    assert!(points.is_sorted_by_key(|point| point.t));
    let mut points: BTreeMap<i64, &HistoryPoint> = points
        .iter()
        .map(|point| (point.t.as_second(), point))
        .collect();
    for (t, slot) in expected {
        // Shares are cut to whole milliwatt-hours, each gap for itself.
        let tolerance = 0.003;
        let Some(point) = points.remove(t) else {
            assert!(
                slot.powers.is_empty() && slot.energy < tolerance,
                "{t} is missing: {slot:?}"
            );
            continue;
        };
        assert!(
            (point.energy_wh - slot.energy).abs() < tolerance + slot.powers.len() as f64 / 500.0,
            "{t}: {point:?} is not {slot:?}"
        );
        let count = slot.powers.len() as f64;
        let near = |value: Option<f64>, expected: Option<f64>| match (value, expected) {
            (Some(value), Some(expected)) => (value - expected).abs() < 1e-6,
            (None, None) => true,
            _ => false,
        };
        let some = |value: f64| (count > 0.0).then_some(value);
        let powers = || slot.powers.iter().copied();
        assert!(
            near(point.power_w, some(powers().sum::<f64>() / count))
                && near(point.power_min_w, some(powers().fold(f64::MAX, f64::min)))
                && near(point.power_max_w, some(powers().fold(f64::MIN, f64::max))),
            "{t}: {point:?} is not {slot:?}"
        );
    }
    for (t, point) in points {
        assert!(
            point.power_w.is_none() && point.energy_wh < 0.003,
            "{t} is too much: {point:?}"
        );
    }
}

/// Does the actions with a store and the model, and compares them.
fn run(place: StorePlace, actions: &[ModelAction]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut run = ModelRun::new(place).await;
        for action in actions {
            run.act(action).await;
        }
        run.compare().await;
        run.store.close().await;
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn does_what_the_model_does(actions in prop::collection::vec(action(), 1..24)) {
        run(StorePlace::file(), &actions);
    }
}

proptest! {
    // Each has a database of its own, which takes a while to make.
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn postgres_does_what_the_model_does(actions in prop::collection::vec(action(), 1..24)) {
        if let Some(place) = StorePlace::server() {
            run(place, &actions);
        }
    }
}
