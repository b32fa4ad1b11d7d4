//! The number of plugs that were not heard, as estimated from the replies so far.

use std::net::Ipv4Addr;

use super::Discovery;
use super::device::HeardDevice;
use super::estimate::{AnswerTallies, LossEstimate};

/// Rounds before the first use of the estimate: losses come in bursts, which it does not model.
const MIN_ROUNDS: u32 = 4;
/// Rounds while a known plug does not reply. Its signal may be weaker than that of all that reply.
const MIN_ROUNDS_FOR_MISSED: u32 = 10;

impl Discovery {
    /// Estimates the number of plugs of one family that are present and were not heard.
    pub(super) fn unheard(&self, index: usize) -> f64 {
        let Some(rounds) = self.rounds.get(index) else {
            return 0.0;
        };
        let missed = self.missed();
        let min_rounds = if missed > 0 {
            MIN_ROUNDS_FOR_MISSED
        } else {
            MIN_ROUNDS
        };
        if rounds.sent < min_rounds || self.devices.is_empty() {
            return f64::INFINITY;
        }
        let first_rounds = self
            .devices
            .values()
            .filter_map(|device| device.first_round(index));
        // When even the first answer came only after several rounds, then answers take so long, and the latest rounds
        // have not been answered yet.
        let base = first_rounds.min().unwrap_or(1).max(1);
        let effective = rounds.sent + 1 - base.min(rounds.sent);
        let loss = LossEstimate::of(&self.evidence(index, base));
        let population = self.population(index, base);
        let mut unheard = loss.unheard(&population, effective);
        if population.is_empty() && self.plan.links.iter().any(|link| link.broadcast.is_some()) {
            // Nobody of this family has been heard. One may be there, and its answers get lost as those of others do.
            unheard += loss.all_lost(effective);
        }
        unheard + missed as f64 * loss.all_lost(effective)
    }

    /// Returns the number of direct addresses that have not replied at all.
    fn missed(&self) -> usize {
        let is_silent = |address: &&Ipv4Addr| {
            (0..self.rounds.len()).all(|index| !self.answered.contains(&(**address, index)))
        };
        self.direct.iter().filter(is_silent).count()
    }

    /// Returns the tallies from which the loss is estimated: those of every device that replies to this family's probes, else of
    /// all.
    fn evidence(&self, index: usize, base: u32) -> AnswerTallies {
        let mut tallies = AnswerTallies::new();
        for device in self.devices.values() {
            self.add_tally(&mut tallies, device, index, base);
        }
        if !tallies.is_empty() {
            return tallies;
        }
        for other in 0..self.rounds.len() {
            for device in self.devices.values() {
                let first = device.first_round(other).unwrap_or(1);
                self.add_tally(&mut tallies, device, other, first);
            }
        }
        tallies
    }

    /// Returns the tallies of the plugs of this family, of which more may be present.
    fn population(&self, index: usize, base: u32) -> AnswerTallies {
        let id = self.rounds.get(index).map(|rounds| rounds.family.id());
        let mut tallies = AnswerTallies::new();
        for device in self.devices.values() {
            if Some(device.plug.family) == id {
                self.add_tally(&mut tallies, device, index, base);
            }
        }
        tallies
    }

    fn add_tally(
        &self,
        tallies: &mut AnswerTallies,
        device: &HeardDevice,
        index: usize,
        base: u32,
    ) {
        let sent = self.rounds.get(index).map_or(0, |rounds| rounds.sent);
        if let Some(tally) = device.tally(index, base, sent) {
            *tallies.entry(tally).or_default() += 1;
        }
    }
}
