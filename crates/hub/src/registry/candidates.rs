//! Plugs that were heard and are not adopted: offered to people, or adopted automatically if the owner has configured that.

use std::collections::{HashMap, HashSet};

use hiflying::Mac;
use jiff::{SignedDuration, Timestamp};
use plugs::Plug;

/// Maximum number of remembered plugs.
const MAX_CANDIDATES: usize = 1024;
/// Maximum number of removed plugs that are remembered: all that a hub can have.
const MAX_DISMISSED: usize = 10_000;
/// Maximum number of plugs at one address, where one follows another.
const MAX_PER_ADDRESS: usize = 4;
/// Age at which a plug that was not heard again is no longer offered.
const CANDIDATE_TIMEOUT: SignedDuration = SignedDuration::from_mins(10);

/// Plugs that were heard and are not adopted.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    plugs: HashMap<Mac, Plug>,
    /// Removed plugs, which are not adopted again automatically.
    dismissed: HashSet<Mac>,
}

/// The result of hearing a plug that is not adopted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CandidateReport {
    /// It was not known before; people are notified.
    New,
    /// It is known already, or one of very many; nobody is notified.
    Known,
    /// There are too many at its address; it is ignored.
    Ignored,
}

impl Candidates {
    /// Records that it was heard.
    pub(super) fn heard(&mut self, plug: Plug) -> CandidateReport {
        let mut is_known = self.plugs.contains_key(&plug.mac);
        if !is_known {
            let same = |other: &&Plug| other.address == plug.address && is_fresh(other, plug.seen);
            if self.plugs.values().filter(same).count() >= MAX_PER_ADDRESS {
                return CandidateReport::Ignored;
            }
            if self.plugs.len() >= MAX_CANDIDATES {
                self.plugs.retain(|_, other| is_fresh(other, plug.seen));
            }
            // Any of them makes room, so that made-up ones do not keep a real one out.
            let other = self.plugs.keys().next().copied();
            if let Some(other) = other.filter(|_| self.plugs.len() >= MAX_CANDIDATES) {
                self.plugs.remove(&other);
                // Nobody is notified of one after the other without end.
                is_known = true;
            }
        }
        self.plugs.insert(plug.mac, plug);
        if is_known {
            CandidateReport::Known
        } else {
            CandidateReport::New
        }
    }

    /// Returns one of them.
    pub(super) fn one(&self, mac: Mac) -> Option<&Plug> {
        self.plugs.get(&mac)
    }

    /// Records that it is adopted now.
    pub(super) fn adopted(&mut self, mac: Mac) {
        self.plugs.remove(&mac);
        self.dismissed.remove(&mac);
    }

    /// Records that its owner removed it.
    pub(super) fn dismiss(&mut self, mac: Mac) {
        if self.dismissed.len() < MAX_DISMISSED {
            self.dismissed.insert(mac);
        }
    }

    /// Returns `true` if it may be adopted automatically.
    pub(super) fn is_welcome(&self, mac: Mac) -> bool {
        !self.dismissed.contains(&mac)
    }

    /// Returns those that were heard recently, by MAC.
    pub(super) fn fresh(&self, now: Timestamp) -> Vec<Plug> {
        let fresh = self.plugs.values().filter(|plug| is_fresh(plug, now));
        let mut plugs: Vec<Plug> = fresh.cloned().collect();
        plugs.sort_by_key(|plug| plug.mac);
        plugs
    }
}

fn is_fresh(plug: &Plug, now: Timestamp) -> bool {
    now.duration_since(plug.seen) < CANDIDATE_TIMEOUT
}

#[cfg(test)]
mod tests {
    use super::*;
    use plugs::FamilyId;

    fn plug(number: u16, family: FamilyId, minutes: i64) -> Plug {
        let [a, b] = number.to_be_bytes();
        let seen = Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes);
        let mac = Mac::new([0xAC, 0xCF, 0x23, 0, a, b]);
        Plug::new(mac, family, [127, 71, a, b].into(), seen)
    }

    #[test]
    fn told_once() {
        let mut offers = Candidates::default();
        assert_eq!(
            offers.heard(plug(1, FamilyId::RECO, 0)),
            CandidateReport::New
        );
        assert_eq!(
            offers.heard(plug(1, FamilyId::RECO, 1)),
            CandidateReport::Known
        );
        let at = |minutes| Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes);
        assert_eq!(offers.fresh(at(10)).len(), 1);
        assert_eq!(offers.fresh(at(11)).len(), 0);
    }

    #[test]
    fn a_flood_is_bounded_and_ends() {
        let mut offers = Candidates::default();
        for number in 0..5000 {
            offers.heard(plug(number, FamilyId::RECO, 0));
        }
        assert_eq!(offers.plugs.len(), MAX_CANDIDATES);
        let real = plug(9999, FamilyId::RECO, 0);
        assert_eq!(offers.heard(real.clone()), CandidateReport::Known);
        assert!(offers.one(real.mac).is_some());
        assert_eq!(
            offers.heard(plug(9999, FamilyId::RECO, 60)),
            CandidateReport::Known
        );
        for number in 20_000..20_010 {
            let mut other = plug(number, FamilyId::RECO, 60);
            other.address = real.address;
            offers.heard(other);
        }
        let same = offers
            .plugs
            .values()
            .filter(|plug| plug.address == real.address);
        assert_eq!(same.count(), MAX_PER_ADDRESS);
    }

    #[test]
    fn who_was_dismissed_is_welcome_once_somebody_adopts_it() {
        let mut offers = Candidates::default();
        let mac = plug(1, FamilyId::RECO, 0).mac;
        offers.dismiss(mac);
        assert!(!offers.is_welcome(mac));
        offers.adopted(mac);
        assert!(offers.is_welcome(mac));
    }
}
