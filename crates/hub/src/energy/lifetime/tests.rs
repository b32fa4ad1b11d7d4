use hiflying::Mac;
use proptest::prelude::*;

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn reading(seconds: i64, energy_wh: Option<u64>) -> Reading {
    Reading {
        plug: Mac::new([0xAC, 0xCF, 0x23, 0x12, 0x34, 0x56]),
        at: at(seconds),
        voltage_v: None,
        current_a: None,
        frequency_hz: None,
        power_w: None,
        energy_wh,
    }
}

/// Returns a total that began with two readings of a counter, the second at this time.
fn begun(seconds: i64, counter: u64) -> Lifetime {
    let mut lifetime = Lifetime::default();
    lifetime.take(&reading(seconds - 1, Some(counter)));
    lifetime.take(&reading(seconds, Some(counter)));
    lifetime
}

/// Feeds counters at ten-second steps and returns the totals after each.
fn totals(counters: &[u64]) -> Vec<Option<u64>> {
    let mut lifetime = begun(0, counters[0]);
    (0..)
        .zip(counters)
        .map(|(step, counter)| {
            let taken = lifetime.take(&reading(step * 10, Some(*counter)));
            taken.state.map(|state| state.total_wh)
        })
        .collect()
}

fn some<const N: usize>(totals: [u64; N]) -> Vec<Option<u64>> {
    totals.into_iter().map(Some).collect()
}

#[test]
fn begins_at_the_counter_and_follows_it() {
    assert_eq!(totals(&[3548, 3548, 3550]), some([3548, 3548, 3550]));
}

#[test]
fn a_counter_that_begins_again_goes_on() {
    assert_eq!(
        totals(&[3548, 3549, 0, 1, 3]),
        some([3548, 3549, 3549, 3550, 3552])
    );
    let mut lifetime = begun(0, 3548);
    let taken = lifetime.take(&reading(10, Some(2)));
    assert_eq!(taken.note, Some(Note::Reset { from: 3548, to: 2 }));
    let used = taken.used.unwrap();
    assert_eq!((used.since, used.energy_wh), (at(0), 2.0));
}

#[test]
fn what_nobody_can_have_used_is_left_out_and_said_once() {
    let mut lifetime = begun(0, 3548);
    // 4,000 W for 10 s are 11.1 Wh, and a step.
    assert_eq!(lifetime.take(&reading(10, Some(3560))).note, None);
    let taken = lifetime.take(&reading(20, Some(9_999_999)));
    let note = Note::Impossible {
        from: Some(3560),
        to: 9_999_999,
    };
    assert_eq!(taken.note, Some(note));
    assert_eq!(taken.used, None);
    assert_eq!(taken.state.unwrap().total_wh, 3560);
    assert_eq!(lifetime.take(&reading(30, Some(7_777_777))).note, None);
    let taken = lifetime.take(&reading(40, Some(3561)));
    assert_eq!((taken.note, taken.state.unwrap().total_wh), (None, 3561));
}

#[test]
fn a_slip_to_zero_is_made_good() {
    assert_eq!(totals(&[3548, 0, 3550]), some([3548, 3548, 3550]));
    // Also when the slip itself counted.
    assert_eq!(
        totals(&[3548, 7, 3550, 3551]),
        some([3548, 3555, 3555, 3555])
    );
}

#[test]
fn another_counter_is_followed_and_its_distance_not_counted() {
    for other in [9_000_000, 1_000_000] {
        let counters = [5_000_000, other, other + 1, other + 3];
        let expected = some([5_000_000, 5_000_000, 5_000_001, 5_000_003]);
        assert_eq!(totals(&counters), expected);
    }
}

#[test]
fn an_impossible_first_counter_waits_for_a_better_one() {
    let expected = [None, None, None, Some(12)];
    assert_eq!(totals(&[u64::MAX, u64::MAX, 12, 12]), expected);
}

#[test]
fn a_first_spike_does_not_begin_the_total() {
    for spike in [900_000_000, 900_000, 0] {
        let mut lifetime = Lifetime::default();
        assert_eq!(lifetime.take(&reading(0, Some(spike))).state, None);
        assert_eq!(lifetime.take(&reading(10, Some(3548))).state, None);
        let taken = lifetime.take(&reading(20, Some(3549)));
        assert_eq!(taken.state.unwrap().total_wh, 3549, "{spike}");
        let used = taken.used.unwrap();
        assert_eq!((used.since, used.energy_wh), (at(10), 1.0));
    }
}

#[test]
fn a_reading_without_counter_changes_nothing() {
    let mut lifetime = Lifetime::default();
    assert_eq!(lifetime.take(&reading(0, None)).state, None);
    let mut lifetime = begun(0, 5);
    let before = lifetime.clone();
    let taken = lifetime.take(&reading(10, None));
    assert_eq!((taken.used, taken.note), (None, None));
    assert_eq!(lifetime, before);
}

#[test]
fn a_replaced_plug_goes_on_from_the_old_total() {
    let mut lifetime = Lifetime::resume(EnergyState {
        total_wh: 70_000,
        counter_wh: None,
        at: at(0),
    });
    let taken = lifetime.take(&reading(10, Some(123)));
    assert_eq!((taken.used, taken.note), (None, None));
    assert_eq!(taken.state.unwrap().total_wh, 70_000);
    let taken = lifetime.take(&reading(20, Some(125)));
    assert_eq!(taken.state.unwrap().total_wh, 70_002);
}

#[test]
fn what_was_used_while_the_hub_was_down_counts() {
    let mut lifetime = Lifetime::resume(EnergyState {
        total_wh: 70_000,
        counter_wh: Some(1_000),
        at: at(-86_400),
    });
    let taken = lifetime.take(&reading(0, Some(25_000)));
    assert_eq!(taken.state.unwrap().total_wh, 94_000);
    assert_eq!(taken.used.unwrap().since, at(-86_400));
}

#[test]
fn a_clock_that_is_behind_by_the_time_of_a_takeover_loses_nothing() {
    let stored = EnergyState {
        total_wh: 70_000,
        counter_wh: Some(1_000),
        at: at(0),
    };
    let mut lifetime = Lifetime::resume(stored);
    // Twelve seconds later by a clock that is eleven seconds behind.
    let taken = lifetime.take(&reading(1, Some(1_012)));
    assert_eq!(taken.note, None);
    assert_eq!(taken.state.unwrap().total_wh, 70_012);
    // From then on by the same clock.
    let taken = lifetime.take(&reading(2, Some(1_024)));
    assert!(taken.note.is_some());
    // More than a minute's worth is not believed either.
    let taken = Lifetime::resume(stored).take(&reading(1, Some(1_069)));
    assert!(taken.note.is_some());
}

#[test]
fn a_clock_that_was_set_back_loses_nothing() {
    let mut lifetime = begun(3600, 100);
    let taken = lifetime.take(&reading(0, Some(105)));
    assert_eq!(taken.state.unwrap().total_wh, 105);
    assert_eq!(taken.used.unwrap().since, at(0));
    let taken = lifetime.take(&reading(10, Some(110)));
    assert_eq!(taken.state.unwrap().total_wh, 110);
}

/// Maximum energy that a plug can use in `seconds`, in whole watt-hours.
fn limit(seconds: i64) -> u64 {
    (seconds * 4000 / 3600) as u64
}

/// A load that was metered irregularly: the seconds since the previous reading, and a share of the maximum energy since then.
fn load() -> impl Strategy<Value = Vec<(i64, u64)>> {
    let step =
        (1..4000_i64, 0..=100_u64).prop_map(|(pause, share)| (pause, limit(pause) * share / 100));
    prop::collection::vec(step, 1..60)
}

fn state(lifetime: &Lifetime) -> EnergyState {
    lifetime.state().unwrap()
}

proptest! {
    #[test]
    fn never_falls_and_says_what_was_used(
        readings in prop::collection::vec((-100_000..100_000_i64, prop::option::of(any::<u64>())), 0..60),
        near in prop::collection::vec((-100..100_i64, prop::option::of(0..60_u64)), 0..60),
    ) {
        for readings in [readings, near] {
            let mut lifetime = Lifetime::default();
            let mut total = None;
            for (second, counter) in readings {
                let taken = lifetime.take(&reading(second, counter));
                let now = taken.state.map(|state| state.total_wh);
                prop_assert!(now >= total);
                // What history gets is what the total grew by.
                if let (Some(before), Some(now)) = (total, now) {
                    let used = taken.used.map_or(0.0, |used| used.energy_wh);
                    prop_assert_eq!((now - before) as f64, used);
                }
                if let Some(used) = taken.used {
                    prop_assert!(used.since <= at(second));
                }
                total = now;
            }
        }
    }

    #[test]
    fn never_exceeds_what_a_plug_can_use(
        readings in prop::collection::vec(
            (0..2000_i64, prop_oneof![any::<u64>(), 0..5000_u64, 900_000..901_000_u64]),
            1..80,
        ),
    ) {
        let mut lifetime = Lifetime::resume(EnergyState { total_wh: 0, counter_wh: None, at: at(0) });
        let (mut second, mut count) = (0, 0);
        for (pause, counter) in readings {
            second += pause;
            count += 1;
            lifetime.take(&reading(second, Some(counter)));
            // 16 A × 250 V, and the smallest step of the counter in each reading.
            let most = 4000.0 * second as f64 / 3600.0 + f64::from(count);
            prop_assert!(state(&lifetime).total_wh as f64 <= most);
        }
    }

    #[test]
    fn is_the_counter_where_nothing_is_wrong(load in load(), begin in 0..1_000_000_u64, restart in 0..60_usize) {
        let mut lifetime = begun(0, begin);
        let (mut second, mut counter) = (0, begin);
        for (index, (pause, used)) in load.into_iter().enumerate() {
            second += pause;
            counter += used;
            if index == restart && let Some(state) = lifetime.state() {
                lifetime = Lifetime::resume(state);
            }
            let taken = lifetime.take(&reading(second, Some(counter)));
            prop_assert_eq!(taken.note, None);
            prop_assert_eq!(state(&lifetime).total_wh, counter);
        }
    }

    #[test]
    fn a_reset_at_any_place_loses_nothing(load in load(), resets in prop::collection::vec(any::<bool>(), 60)) {
        let mut lifetime = begun(0, 100_000);
        let (mut second, mut truth, mut counter) = (0, 100_000, 100_000);
        for ((pause, used), reset) in load.into_iter().zip(resets) {
            second += pause;
            truth += used;
            let before = counter;
            // One that shows more than before it began again cannot be told from one that did not.
            let is_reset = reset && used < before;
            counter = if is_reset { used } else { before + used };
            let taken = lifetime.take(&reading(second, Some(counter)));
            prop_assert_eq!(matches!(taken.note, Some(Note::Reset { .. })), is_reset);
            prop_assert_eq!(state(&lifetime).total_wh, truth);
        }
    }

    #[test]
    fn a_spike_at_any_place_is_left_out(
        load in load(),
        spikes in prop::collection::vec(prop::option::of(prop_oneof![Just(0), 5_000_000..=u64::MAX]), 60),
    ) {
        let mut lifetime = begun(0, 500_000);
        let (mut second, mut truth) = (0, 500_000);
        for ((pause, used), spike) in load.into_iter().zip(spikes) {
            truth += used;
            if let Some(spike) = spike {
                let before = state(&lifetime).total_wh;
                lifetime.take(&reading(second + pause / 2, Some(spike)));
                prop_assert_eq!(state(&lifetime).total_wh, before);
            }
            second += pause;
            lifetime.take(&reading(second, Some(truth)));
            prop_assert_eq!(state(&lifetime).total_wh, truth);
        }
    }

    #[test]
    fn another_counter_at_any_place_goes_on_after_its_second_reading(
        load in load(),
        place in 0..60_usize,
        other in prop_oneof![200_000..300_000_u64, 4_000_000..900_000_000_u64],
    ) {
        let mut lifetime = begun(0, 1_000_000);
        let (mut second, mut counter, mut lost) = (0, 1_000_000, 0);
        let mut truth = counter;
        for (index, (pause, used)) in load.into_iter().enumerate() {
            second += pause;
            truth += used;
            counter += used;
            if index == place {
                counter = other;
                lost = used;
                lifetime.take(&reading(second, Some(counter)));
                continue;
            }
            lifetime.take(&reading(second, Some(counter)));
            prop_assert_eq!(state(&lifetime).total_wh, truth - lost);
        }
    }
}

#[test]
fn a_note_is_a_clause_for_the_log() {
    let shown = |note: Note| note.to_string();
    assert_eq!(
        shown(Note::Reset { from: 3548, to: 2 }),
        "its energy counter began again (3548 Wh, then 2 Wh); the lifetime total goes on"
    );
    assert_eq!(
        shown(Note::Impossible { from: None, to: 7 }),
        "its energy counter shows 7 Wh, which nobody can have used; left out"
    );
}
