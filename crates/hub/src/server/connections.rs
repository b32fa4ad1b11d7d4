//! The limit on connections: in all, of strangers, and from each address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::limits::Limits;
use super::proven::ProvenAddresses;

/// Limit on connections. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct ConnectionLimiter(Arc<LimiterState>);

#[derive(Debug)]
struct LimiterState {
    limits: Limits,
    taken: Mutex<OpenConnections>,
}

#[derive(Debug, Default)]
struct OpenConnections {
    all: usize,
    /// Those from addresses that have shown no credentials.
    strangers: usize,
    addresses: HashMap<IpAddr, usize>,
    proven: ProvenAddresses,
    is_full: bool,
}

/// Permit for one connection, returned when dropped.
#[derive(Debug)]
pub(super) struct ConnectionPermit {
    shared: Arc<LimiterState>,
    address: IpAddr,
    /// Address by which it is counted while it is a stranger's.
    network: IpAddr,
    is_strange: AtomicBool,
}

impl ConnectionLimiter {
    pub(super) fn new(limits: Limits) -> Self {
        Self(Arc::new(LimiterState {
            limits,
            taken: Mutex::default(),
        }))
    }

    /// Takes a permit for a connection from this address, if one is free.
    pub(super) fn take(&self, address: IpAddr) -> Option<ConnectionPermit> {
        let (address, now) = (address.to_canonical(), Instant::now());
        let (limits, mut taken) = (&self.0.limits, self.0.taken.lock());
        let network = taken.proven.counted(address, now);
        let is_strange = !taken.proven.has(address, now);
        let own = taken.addresses.get(&network).copied().unwrap_or(0);
        let has_room = match is_strange {
            true => {
                taken.strangers < limits.max_stranger_connections
                    && own < limits.max_connections_per_stranger
            }
            false => own < limits.max_connections_per_address,
        };
        let reserved = match address.is_loopback() {
            true => 0,
            false => limits.reserved_for_loopback,
        };
        if !has_room || taken.all + reserved >= limits.max_connections {
            // Logged once, not for each attempt.
            if !std::mem::replace(&mut taken.is_full, true) {
                tracing::warn!(%address, all = taken.all, own, "too many connections; further ones are closed");
            }
            return None;
        }
        taken.all += 1;
        taken.strangers += usize::from(is_strange);
        taken.addresses.insert(network, own + 1);
        Some(ConnectionPermit {
            shared: Arc::clone(&self.0),
            address,
            network,
            is_strange: is_strange.into(),
        })
    }
}

impl ConnectionPermit {
    /// Records that the client has shown credentials.
    pub(super) fn prove(&self) {
        let mut taken = self.shared.taken.lock();
        taken.proven.add(self.address, Instant::now());
        if self.is_strange.swap(false, Ordering::Relaxed) {
            taken.strangers = taken.strangers.saturating_sub(1);
            taken.leave(self.network);
            *taken.addresses.entry(self.address).or_default() += 1;
        }
    }
}

impl OpenConnections {
    fn leave(&mut self, address: IpAddr) {
        if let Some(own) = self.addresses.get_mut(&address) {
            *own -= 1;
            if *own == 0 {
                self.addresses.remove(&address);
            }
        }
    }
}

impl LimiterState {}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let is_strange = self.is_strange.load(Ordering::Relaxed);
        let mut taken = self.shared.taken.lock();
        taken.all = taken.all.saturating_sub(1);
        taken.strangers = taken.strangers.saturating_sub(usize::from(is_strange));
        taken.leave(if is_strange {
            self.network
        } else {
            self.address
        });
        if taken.all <= self.shared.limits.max_connections / 2 {
            taken.is_full = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        max_connections: 12,
        max_connections_per_address: 6,
        max_stranger_connections: 8,
        max_connections_per_stranger: 3,
        reserved_for_loopback: 2,
        ..Limits::DEFAULT
    };

    fn hold(limiter: &ConnectionLimiter, address: &str, number: usize) -> Vec<ConnectionPermit> {
        let address = address.parse().unwrap();
        (0..number).filter_map(|_| limiter.take(address)).collect()
    }

    #[test]
    fn strangers_do_not_get_all() {
        let limiter = ConnectionLimiter::new(LIMITS);
        let owner = hold(&limiter, "10.0.0.9", 1);
        owner[0].prove();
        let held: Vec<_> = (1..=5)
            .map(|last| hold(&limiter, &format!("10.0.0.{last}"), 9))
            .collect();
        let numbers: Vec<_> = held.iter().map(Vec::len).collect();
        assert_eq!(numbers, [3, 3, 2, 0, 0]);
        // Who has shown credentials still gets in, and after him who sits at the machine.
        assert_eq!(hold(&limiter, "10.0.0.9", 9).len(), 1);
        let further = hold(&limiter, "10.0.0.9", 9);
        let at_home = hold(&limiter, "127.0.0.1", 9);
        assert_eq!((further.len(), at_home.len()), (1, 2));
        drop((owner, held, further, at_home));
        let taken = limiter.0.taken.lock();
        assert!(taken.addresses.is_empty());
        assert_eq!((taken.all, taken.strangers), (0, 0));
    }

    #[test]
    fn a_network_of_ipv6_is_one_stranger() {
        let limiter = ConnectionLimiter::new(LIMITS);
        let all: Vec<_> = (1..=20)
            .flat_map(|last| hold(&limiter, &format!("2001:db8::{last:x}"), 1))
            .collect();
        assert_eq!(all.len(), 3);
        all[0].prove();
        assert_eq!(hold(&limiter, "2001:db8::1", 9).len(), 5);
        assert_eq!(hold(&limiter, "2001:db8::99", 9).len(), 1);
    }
}
