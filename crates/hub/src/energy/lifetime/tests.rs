use hiflying::Mac;

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

/// Feeds counters at ten-second steps and returns the totals after each.
fn totals(counters: &[u64]) -> Vec<Option<u64>> {
    let mut lifetime = Lifetime::default();
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
    let mut lifetime = Lifetime::default();
    lifetime.take(&reading(0, Some(3548)));
    let taken = lifetime.take(&reading(10, Some(2)));
    assert_eq!(taken.note, Some(Note::Reset { from: 3548, to: 2 }));
    let used = taken.used.unwrap();
    assert_eq!((used.since, used.energy_wh), (at(0), 2.0));
}

#[test]
fn what_nobody_can_have_used_is_left_out_and_said_once() {
    let mut lifetime = Lifetime::default();
    lifetime.take(&reading(0, Some(3548)));
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
    assert_eq!(totals(&[u64::MAX, u64::MAX, 12]), [None, None, Some(12)]);
}

#[test]
fn a_reading_without_counter_changes_nothing() {
    let mut lifetime = Lifetime::default();
    assert_eq!(lifetime.take(&reading(0, None)).state, None);
    lifetime.take(&reading(0, Some(5)));
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
fn a_clock_that_was_set_back_loses_nothing() {
    let mut lifetime = Lifetime::default();
    lifetime.take(&reading(3600, Some(100)));
    let taken = lifetime.take(&reading(0, Some(105)));
    assert_eq!(taken.state.unwrap().total_wh, 105);
    assert_eq!(taken.used.unwrap().since, at(0));
    let taken = lifetime.take(&reading(10, Some(110)));
    assert_eq!(taken.state.unwrap().total_wh, 110);
}
