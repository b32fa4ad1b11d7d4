//! Plugs that reply from two addresses at the same time: two devices with one MAC, or one that imitates the other.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use hiflying::Mac;

/// Time without a reply after which an address no longer counts.
const ADDRESS_TIMEOUT: Duration = Duration::from_secs(60);
/// Maximum number of addresses that are remembered of a plug.
const MAX_ADDRESSES: usize = 8;

/// The addresses from which each plug was heard lately, for who listens for long.
#[derive(Debug, Default)]
pub struct Duplicates(HashMap<Mac, RecentAddresses>);

#[derive(Debug, Default)]
struct RecentAddresses {
    addresses: Vec<(Ipv4Addr, Instant)>,
    is_duplicate: bool,
}

impl Duplicates {
    /// Records that a plug was heard. Returns true when it turns out to reply from more than one address; one that has moved does not
    /// come back to the old one.
    pub fn heard(&mut self, mac: Mac, address: Ipv4Addr, now: Instant) -> bool {
        let heard = self.0.entry(mac).or_default();
        heard.tidy(now);
        let known = heard
            .addresses
            .iter_mut()
            .find(|(known, _)| *known == address);
        let Some((_, latest)) = known else {
            if heard.addresses.len() < MAX_ADDRESSES {
                heard.addresses.push((address, now));
            }
            return false;
        };
        let before = std::mem::replace(latest, now);
        let mut others = heard
            .addresses
            .iter()
            .filter(|(other, _)| *other != address);
        let is_back = others.any(|(_, at)| *at > before);
        is_back && !std::mem::replace(&mut heard.is_duplicate, true)
    }

    /// Returns the plugs that reply from one address again.
    pub fn settle(&mut self, now: Instant) -> Vec<Mac> {
        let mut settled = Vec::new();
        self.0.retain(|mac, heard| {
            heard.tidy(now);
            if heard.is_duplicate && heard.addresses.len() < 2 {
                heard.is_duplicate = false;
                settled.push(*mac);
            }
            !heard.addresses.is_empty()
        });
        settled
    }

    /// Returns the plugs that reply from more than one address, with these.
    pub fn all(&self) -> Vec<(Mac, Vec<Ipv4Addr>)> {
        let duplicates = self.0.iter().filter(|(_, heard)| heard.is_duplicate);
        let addresses =
            |heard: &RecentAddresses| heard.addresses.iter().map(|(it, _)| *it).collect();
        let mut all: Vec<_> = duplicates
            .map(|(mac, heard)| (*mac, addresses(heard)))
            .collect();
        all.sort_unstable();
        all
    }
}

impl RecentAddresses {
    fn tidy(&mut self, now: Instant) {
        self.addresses.retain(|(_, at)| now - *at < ADDRESS_TIMEOUT);
    }
}

/// Returns the sentence about devices with one MAC that reply from these addresses.
pub fn sentence(addresses: &[Ipv4Addr]) -> String {
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let addresses = addresses.join(" and ");
    format!("replies from {addresses}: two devices have its MAC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_moves_is_not_in_two_places() {
        let (mut duplicates, start) = (Duplicates::default(), Instant::now());
        let (mac, here, there) = (Mac::new([1; 6]), [10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let at = |seconds| start + Duration::from_secs(seconds);
        for (second, address) in [(0, here), (1, here), (2, there), (3, there)] {
            assert!(!duplicates.heard(mac, address, at(second)));
        }
        assert!(duplicates.heard(mac, here, at(4)));
        assert_eq!(duplicates.all(), [(mac, vec![here, there])]);
        assert!(!duplicates.heard(mac, there, at(5)), "told once");
        assert_eq!(duplicates.settle(at(50)), []);
        assert!(!duplicates.heard(mac, here, at(60)));
        assert_eq!(duplicates.settle(at(65)), [mac]);
        assert_eq!(duplicates.all(), []);
        assert_eq!(duplicates.settle(at(200)), []);
        assert!(duplicates.0.is_empty());
    }
}
