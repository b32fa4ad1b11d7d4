//! One device in a discovery: its reports, and their number.

use std::time::Instant;

use super::estimate::AnswerTally;
use crate::{FamilyId, Plug};

/// One device that has been heard.
#[derive(Debug)]
pub(super) struct HeardDevice {
    /// All its reports, merged.
    pub(super) plug: Plug,
    /// The last report to the user; `None` while it is delayed.
    pub(super) told: Option<Plug>,
    /// Time at which it was first heard.
    pub(super) since: Instant,
    /// Time of its last report.
    pub(super) heard: Instant,
    /// `true` if it was reported as lost and has not replied since.
    pub(super) is_lost: bool,
    /// Its replies to the probes of each family, in the order of the table.
    catches: Vec<Option<RoundsAnswered>>,
}

/// The rounds of one family's probes in which a device replied.
#[derive(Debug, Clone, Copy)]
struct RoundsAnswered {
    first: u32,
    last: u32,
    /// Number of further rounds with a reply, without the first; at most one reply counts in a round.
    again: u32,
}

impl HeardDevice {
    pub(super) fn new(plug: Plug, families: usize, now: Instant) -> Self {
        Self {
            plug,
            told: None,
            since: now,
            heard: now,
            is_lost: false,
            catches: vec![None; families],
        }
    }

    /// Counts a reply to the probes of `family` after its probes were sent `rounds` times.
    ///
    /// Returns whether it is the first of this round: copies do not count, regardless of their source.
    pub(super) fn count(&mut self, family: usize, rounds: u32) -> bool {
        let Some(catches) = self.catches.get_mut(family) else {
            return false;
        };
        match catches {
            None => {
                *catches = Some(RoundsAnswered {
                    first: rounds,
                    last: rounds,
                    again: 0,
                });
                true
            }
            Some(catches) if catches.last < rounds => {
                catches.last = rounds;
                catches.again += 1;
                true
            }
            Some(_) => false,
        }
    }

    /// Returns the round in which it first replied to the probes of `family`.
    pub(super) fn first_round(&self, family: usize) -> Option<u32> {
        Some(self.catches.get(family)?.as_ref()?.first)
    }

    /// Returns its tally when the first reply of any device came in the round `base`, and `rounds` were sent.
    pub(super) fn tally(&self, family: usize, base: u32, rounds: u32) -> Option<AnswerTally> {
        let catches = self.catches.get(family)?.as_ref()?;
        let found_late = u32::from(catches.first > base);
        Some(AnswerTally {
            trials: rounds.saturating_sub(base) + found_late,
            catches: catches.again + found_late,
        })
    }

    /// Merges a new report.
    ///
    /// Every plug that carries a Hi-Flying module also replies as such: its own family has more information and takes precedence.
    /// The module's id is not the model of the plug, and it is not always heard. If it replies from two addresses, the latest counts.
    pub(super) fn merge(&mut self, newer: Plug) {
        let known = &mut self.plug;
        known.address = newer.address;
        known.seen = newer.seen;
        if newer.family == FamilyId::MODULE && known.family != FamilyId::MODULE {
            return;
        }
        let kept = known.model.take().filter(|_| known.family == newer.family);
        known.model = newer.model.or(kept);
        known.family = newer.family;
        known.serial = newer.serial;
        known.relay = newer.relay;
        known.res = newer.res;
        known.extra = newer.extra;
    }

    /// Returns whether anything but the time differs from the last report to the user.
    pub(super) fn has_news(&self) -> bool {
        self.is_lost
            || self.told.as_ref().is_none_or(|told| {
                let same_time = Plug {
                    seen: told.seen,
                    ..self.plug.clone()
                };
                *told != same_time
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RelayState;
    use jiff::Timestamp;

    fn device() -> HeardDevice {
        let plug = Plug {
            model: Some("HF-LPB100".into()),
            extra: Some("token".into()),
            ..Plug::new(
                hiflying::Mac::new([1; 6]),
                FamilyId::MODULE,
                [192, 168, 1, 7].into(),
                Timestamp::UNIX_EPOCH,
            )
        };
        HeardDevice::new(plug, 2, Instant::now())
    }

    #[test]
    fn a_known_family_wins_and_its_model_too() {
        let mut device = device();
        let module = device.plug.clone();
        let reco = Plug {
            family: FamilyId::RECO,
            relay: Some(RelayState::On),
            serial: Some("900000621".into()),
            model: None,
            extra: None,
            ..module.clone()
        };
        device.merge(reco.clone());
        assert_eq!(device.plug, reco);
        device.merge(module);
        assert_eq!(device.plug, reco);
    }

    #[test]
    fn the_latest_address_wins_and_is_news() {
        let mut device = device();
        assert!(device.has_news());
        device.told = Some(device.plug.clone());
        device.plug.seen = crate::now();
        assert!(!device.has_news());
        device.merge(Plug {
            address: [192, 168, 1, 8].into(),
            ..device.plug.clone()
        });
        assert!(device.has_news());
        assert_eq!(device.plug.address.octets(), [192, 168, 1, 8]);
    }

    #[test]
    fn one_answer_a_round_counts() {
        let mut device = device();
        for (rounds, is_first) in [
            (1, true),
            (1, false),
            (2, true),
            (2, false),
            (2, false),
            (4, true),
        ] {
            assert_eq!(device.count(0, rounds), is_first);
        }
        let tally = |trials, catches| Some(AnswerTally { trials, catches });
        assert_eq!(device.tally(0, 1, 5), tally(4, 2));
        assert_eq!(device.tally(1, 1, 5), None);
        device.count(1, 3);
        assert_eq!(
            device.tally(1, 1, 5),
            tally(5, 1),
            "missed two, caught once"
        );
        assert_eq!(
            device.tally(1, 3, 5),
            tally(2, 0),
            "the others were no earlier"
        );
    }
}
