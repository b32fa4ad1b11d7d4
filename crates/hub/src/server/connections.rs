//! How many connections there are, and from whom.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts connections.
#[derive(Debug, Clone)]
pub(super) struct Slots(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    most: usize,
    most_per_address: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    addresses: HashMap<IpAddr, usize>,
    is_full: bool,
}

/// The right to one connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Slot {
    shared: Arc<Shared>,
    address: IpAddr,
}

impl Slots {
    pub(super) fn new(most: usize, most_per_address: usize) -> Self {
        Self(Arc::new(Shared {
            most,
            most_per_address,
            taken: Mutex::default(),
        }))
    }

    /// Takes a slot for a connection from this address, if one is free.
    pub(super) fn take(&self, address: IpAddr) -> Option<Slot> {
        let address = address.to_canonical();
        let mut taken = self.0.taken();
        let own = taken.addresses.get(&address).copied().unwrap_or(0);
        if taken.all >= self.0.most || own >= self.0.most_per_address {
            // Once, not for each that knocks.
            if !std::mem::replace(&mut taken.is_full, true) {
                tracing::warn!(%address, all = taken.all, own, "too many connections; further ones are closed");
            }
            return None;
        }
        taken.all += 1;
        taken.addresses.insert(address, own + 1);
        Some(Slot {
            shared: Arc::clone(&self.0),
            address,
        })
    }
}

impl Shared {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        // Counting cannot fail half-way.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.shared.taken();
        taken.all = taken.all.saturating_sub(1);
        if let Some(own) = taken.addresses.get_mut(&self.address) {
            *own -= 1;
            if *own == 0 {
                taken.addresses.remove(&self.address);
            }
        }
        if taken.all <= self.shared.most / 2 {
            taken.is_full = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_gets_all() {
        let slots = Slots::new(4, 3);
        let (greedy, other) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let held: Vec<Slot> = (0..3).filter_map(|_| slots.take(greedy)).collect();
        assert_eq!(held.len(), 3);
        assert!(slots.take(greedy).is_none());
        let one = slots.take(other);
        assert!(one.is_some());
        assert!(slots.take(other).is_none());
        drop(held);
        assert!(slots.take(greedy).is_some());
        drop(one);
        assert!(slots.0.taken().addresses.is_empty());
        assert_eq!(slots.0.taken().all, 0);
    }
}
