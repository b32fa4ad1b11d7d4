//! Addresses of clients, and which of them have shown credentials.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use tokio::time::Instant;

/// Maximum number of addresses that are remembered.
const MAX_PROVEN: usize = 256;
/// Time for which an address is remembered after it has shown credentials.
const PROVEN_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);

/// Addresses that have shown credentials. Strangers cannot take what is reserved for them.
#[derive(Debug, Default)]
pub(crate) struct ProvenAddresses(HashMap<IpAddr, Instant>);

impl ProvenAddresses {
    /// Records that credentials were shown. The one that was away for longest makes room.
    pub(crate) fn add(&mut self, address: IpAddr, now: Instant) {
        let address = address.to_canonical();
        if self.0.len() >= MAX_PROVEN && !self.0.contains_key(&address) {
            let oldest = self.0.iter().min_by_key(|(_, shown)| **shown);
            if let Some(oldest) = oldest.map(|(oldest, _)| *oldest) {
                self.0.remove(&oldest);
            }
        }
        self.0.insert(address, now);
    }

    /// Returns true for loopback, and for an address that has shown credentials.
    pub(crate) fn has(&self, address: IpAddr, now: Instant) -> bool {
        let address = address.to_canonical();
        let shown = self.0.get(&address);
        let is_proven = |shown: &Instant| now.saturating_duration_since(*shown) < PROVEN_LIFETIME;
        address.is_loopback() || shown.is_some_and(is_proven)
    }

    /// Returns the address by which a client is counted: a proven one its own; else that of its /64 network for IPv6, since the
    /// holder of one address has all of it.
    pub(crate) fn counted(&self, address: IpAddr, now: Instant) -> IpAddr {
        match address.to_canonical() {
            IpAddr::V6(v6) if !self.has(address, now) => {
                let [a, b, c, d, ..] = v6.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_of_a_network_are_one() {
        let (mut proven, now) = (ProvenAddresses::default(), Instant::now());
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let (owner, network) = (address("2001:db8::7"), address("2001:db8::"));
        assert_eq!(proven.counted(owner, now), network);
        proven.add(owner, now);
        assert_eq!(proven.counted(owner, now), owner);
        assert_eq!(proven.counted(address("2001:db8::8"), now), network);
        assert_eq!(proven.counted(owner, now + PROVEN_LIFETIME), network);
        assert_eq!(
            proven.counted(address("::ffff:10.0.0.1"), now),
            address("10.0.0.1")
        );
        assert!(proven.has(address("::1"), now) && proven.has(address("::ffff:127.0.0.1"), now));
    }

    #[test]
    fn their_number_is_bounded() {
        let (mut proven, now) = (ProvenAddresses::default(), Instant::now());
        for number in 0..=MAX_PROVEN {
            let address = Ipv6Addr::from(u128::try_from(number).unwrap() + 2);
            proven.add(
                address.into(),
                now + Duration::from_secs(1) * u32::try_from(number).unwrap(),
            );
        }
        assert_eq!(proven.0.len(), MAX_PROVEN);
        assert!(!proven.has(Ipv6Addr::from(2).into(), now));
    }
}
