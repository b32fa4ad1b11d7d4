//! Estimate of the number of plugs that were not heard yet: capture and recapture.
//!
//! Each round of probes is a catch. The number of repeated catches of the plugs that have been heard shows the share of replies
//! that are lost, and so the probability that a plug has lost all of its replies so far.
//!
//! The estimate is that of Horvitz and Thompson: a plug that is heard with probability `1 - m` stands for `m / (1 - m)` similar
//! plugs that were not. `m` is the mean of `q^k` over the distribution of its loss `q`: a beta distribution around the common loss,
//! as narrow as the plugs are alike, updated by its own catches.

use std::collections::BTreeMap;

/// The number of rounds in which a plug could have been heard, and in which it was.
///
/// The catch by which it was found does not count when it is the first round with any reply, because a plug that is not caught is
/// not in the sample. A plug found later than others missed the rounds in between.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AnswerTally {
    pub(super) trials: u32,
    pub(super) catches: u32,
}

/// The tallies of many plugs; equal ones are grouped, because there are few distinct tallies.
pub(super) type AnswerTallies = BTreeMap<AnswerTally, u32>;

/// Parameter of the prior distribution of the loss: every loss is equally likely.
const PRIOR: f64 = 1.0;
/// Assumed unlikeness of plugs, as the correlation between the replies of one plug, before data shows it, and the number of plugs
/// that this assumption is weighted as.
const UNLIKENESS: f64 = 0.05;
const UNLIKENESS_WEIGHT: f64 = 2.0;
const MIN_UNLIKENESS: f64 = 0.005;
const MAX_UNLIKENESS: f64 = 0.9;

/// The loss of replies, estimated over all plugs.
#[derive(Debug, Clone, Copy)]
pub(super) struct LossEstimate {
    /// The parameters of its beta distribution: misses and catches, and the prior.
    misses: f64,
    catches: f64,
    /// Agreement of the plugs' own losses: the sum of the parameters of their beta distribution.
    likeness: f64,
}

impl LossEstimate {
    pub(super) fn of(evidence: &AnswerTallies) -> Self {
        let (mut plugs, mut trials, mut catches) = (0.0, 0.0, 0.0);
        for (tally, &count) in evidence {
            let count = f64::from(count);
            plugs += count;
            trials += f64::from(tally.trials) * count;
            catches += f64::from(tally.catches) * count;
        }
        let mut loss = Self {
            misses: trials - catches + PRIOR,
            catches: catches + PRIOR,
            likeness: 0.0,
        };
        let unlikeness = unlikeness(evidence, loss.mean(), plugs, trials);
        loss.likeness = 1.0 / unlikeness - 1.0;
        loss
    }

    fn mean(&self) -> f64 {
        self.misses / (self.misses + self.catches)
    }

    /// Returns the probability that a plug without any data has lost its replies to all `rounds`.
    pub(super) fn all_lost(&self, rounds: u32) -> f64 {
        mean_power(self.misses, self.catches, rounds)
    }

    /// Returns the expected number of plugs like those in `population` that have lost their replies to all `rounds`.
    pub(super) fn unheard(&self, population: &AnswerTallies, rounds: u32) -> f64 {
        population
            .iter()
            .map(|(tally, &count)| f64::from(count) * self.unheard_like(*tally, rounds))
            .sum()
    }

    fn unheard_like(&self, tally: AnswerTally, rounds: u32) -> f64 {
        let own_catches = f64::from(tally.catches);
        let own_misses = f64::from(tally.trials) - own_catches;
        // What the others show; the plug's own tally is added below.
        let misses = (self.misses - own_misses).max(0.0);
        let others = (misses + self.catches - own_catches).max(PRIOR);
        let likeness = self.likeness.min(others);
        let common = misses / others;
        let all_lost = mean_power(
            likeness * common + own_misses,
            likeness * (1.0 - common) + own_catches,
            rounds,
        );
        all_lost / (1.0 - all_lost).max(f64::EPSILON)
    }
}

/// Returns the variation of the tallies beyond chance: the method of moments for a beta-binomial distribution.
fn unlikeness(evidence: &AnswerTallies, loss: f64, plugs: f64, trials: f64) -> f64 {
    let degrees = plugs - 1.0;
    let mean_trials = trials / plugs.max(1.0);
    let mut seen = 0.0;
    if degrees > 0.0 && mean_trials > 1.0 {
        let chi_square: f64 = evidence
            .iter()
            .filter(|(tally, _)| tally.trials > 0)
            .map(|(tally, &count)| {
                let trials = f64::from(tally.trials);
                let off = f64::from(tally.catches) - trials * (1.0 - loss);
                f64::from(count) * off * off / (trials * loss * (1.0 - loss))
            })
            .sum();
        let excess = (chi_square / degrees - 1.0) / (mean_trials - 1.0);
        seen = degrees * excess.clamp(0.0, MAX_UNLIKENESS);
    }
    let assumed = UNLIKENESS_WEIGHT * UNLIKENESS;
    ((assumed + seen) / (UNLIKENESS_WEIGHT + degrees.max(0.0)))
        .clamp(MIN_UNLIKENESS, MAX_UNLIKENESS)
}

/// Returns the mean of `q^power` for `q` with the beta distribution of `a` and `b`.
fn mean_power(a: f64, b: f64, power: u32) -> f64 {
    (0..power)
        .map(|step| (a + f64::from(step)) / (a + b + f64::from(step)))
        .product()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tallies(tallies: &[(u32, u32, u32)]) -> AnswerTallies {
        tallies
            .iter()
            .map(|&(count, trials, catches)| (AnswerTally { trials, catches }, count))
            .collect()
    }

    fn unheard(population: &AnswerTallies, rounds: u32) -> f64 {
        LossEstimate::of(population).unheard(population, rounds)
    }

    #[test]
    fn mean_powers() {
        // The mean of q^k over a uniform q is 1 / (k + 1).
        assert!((mean_power(1.0, 1.0, 4) - 0.2).abs() < 1e-12);
        assert_eq!(mean_power(3.0, 5.0, 0), 1.0);
        // Nearly certain: q is 0.4.
        assert!((mean_power(4e9, 6e9, 3) - 0.064).abs() < 1e-6);
    }

    #[test]
    fn a_quiet_network_is_sure_after_few_rounds() {
        let rounds = |plugs: u32| {
            (1..).find(|&rounds| {
                unheard(&tallies(&[(plugs, rounds - 1, rounds - 1)]), rounds) < 1e-3
            })
        };
        assert_eq!(rounds(50), Some(3));
        assert_eq!(rounds(2), Some(5));
        assert_eq!(rounds(1), Some(7));
    }

    #[test]
    fn more_loss_wants_more_rounds() {
        // 50 plugs, each caught in 36 % of 25 rounds: 50 * 0.64^25 = 0.0007 are left.
        let even = unheard(&tallies(&[(50, 25, 9)]), 25);
        assert!((0.0003..0.01).contains(&even), "{even}");
        assert!(unheard(&tallies(&[(50, 10, 4)]), 10) > 0.2);
    }

    #[test]
    fn one_weak_plug_makes_more_of_its_kind_likely() {
        let all_good = tallies(&[(50, 7, 7)]);
        let one_weak = tallies(&[(49, 7, 7), (1, 7, 2)]);
        assert!(unheard(&all_good, 8) < 1e-6);
        assert!(unheard(&one_weak, 8) > 1e-3);
    }

    #[test]
    fn nothing_heard_is_no_evidence() {
        let loss = LossEstimate::of(&AnswerTallies::new());
        assert!((loss.all_lost(9) - 0.1).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn always_a_number(kinds: Vec<(u16, u8, u8)>, rounds in 0..200u32) {
            let population: AnswerTallies = kinds
                .iter()
                .map(|&(count, trials, catches)| {
                    let trials = u32::from(trials);
                    (AnswerTally { trials, catches: u32::from(catches).min(trials) }, u32::from(count))
                })
                .collect();
            let loss = LossEstimate::of(&population);
            let unheard = loss.unheard(&population, rounds);
            prop_assert!(unheard >= 0.0 && unheard.is_finite(), "{}", unheard);
            prop_assert!((0.0..=1.0).contains(&loss.all_lost(rounds)));
        }
    }
}
