//! The limit on connections, in all and from each address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Limit on connections. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct ConnectionLimiter(Arc<LimiterState>);

#[derive(Debug)]
struct LimiterState {
    max: usize,
    max_per_address: usize,
    taken: Mutex<OpenConnections>,
}

#[derive(Debug, Default)]
struct OpenConnections {
    all: usize,
    addresses: HashMap<IpAddr, usize>,
    is_full: bool,
}

/// Permit for one connection, returned when dropped.
#[derive(Debug)]
pub(super) struct ConnectionPermit {
    shared: Arc<LimiterState>,
    address: IpAddr,
}

impl ConnectionLimiter {
    pub(super) fn new(max: usize, max_per_address: usize) -> Self {
        Self(Arc::new(LimiterState {
            max,
            max_per_address,
            taken: Mutex::default(),
        }))
    }

    /// Takes a permit for a connection from this address, if one is free.
    pub(super) fn take(&self, address: IpAddr) -> Option<ConnectionPermit> {
        let address = address.to_canonical();
        let mut taken = self.0.taken();
        let own = taken.addresses.get(&address).copied().unwrap_or(0);
        if taken.all >= self.0.max || own >= self.0.max_per_address {
            // Logged once, not for each attempt.
            if !std::mem::replace(&mut taken.is_full, true) {
                tracing::warn!(%address, all = taken.all, own, "too many connections; further ones are closed");
            }
            return None;
        }
        taken.all += 1;
        taken.addresses.insert(address, own + 1);
        Some(ConnectionPermit {
            shared: Arc::clone(&self.0),
            address,
        })
    }
}

impl LimiterState {
    fn taken(&self) -> MutexGuard<'_, OpenConnections> {
        // Counting cannot fail half-way.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut taken = self.shared.taken();
        taken.all = taken.all.saturating_sub(1);
        if let Some(own) = taken.addresses.get_mut(&self.address) {
            *own -= 1;
            if *own == 0 {
                taken.addresses.remove(&self.address);
            }
        }
        if taken.all <= self.shared.max / 2 {
            taken.is_full = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_gets_all() {
        let limiter = ConnectionLimiter::new(4, 3);
        let (greedy, other) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let held: Vec<ConnectionPermit> = (0..3).filter_map(|_| limiter.take(greedy)).collect();
        assert_eq!(held.len(), 3);
        assert!(limiter.take(greedy).is_none());
        let one = limiter.take(other);
        assert!(one.is_some());
        assert!(limiter.take(other).is_none());
        drop(held);
        assert!(limiter.take(greedy).is_some());
        drop(one);
        assert!(limiter.0.taken().addresses.is_empty());
        assert_eq!(limiter.0.taken().all, 0);
    }
}
