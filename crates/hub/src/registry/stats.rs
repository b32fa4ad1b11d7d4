//! Counters of the registry, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters since the start, and the present state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RegistryStats {
    /// Adopted plugs.
    pub plugs: u64,
    /// Adopted plugs that reply.
    pub available: u64,
    /// Plugs that were found and are not adopted.
    pub offered: u64,
    /// Connections that are open.
    pub connections: u64,
    /// Broadcasts that probed all plugs.
    pub scans: u64,
    /// Probes to single plugs.
    pub probes: u64,
    /// Replies to either.
    pub sightings: u64,
    /// Successful meter readings.
    pub readings: u64,
    /// Failed meter readings.
    pub failed_readings: u64,
    /// Readings that the history had no room for.
    pub lost_readings: u64,
    /// Switches that were confirmed.
    pub switches: u64,
    /// Switches that failed or were not confirmed.
    pub failed_switches: u64,
}

/// One count.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn up(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn down(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// All counts.
#[derive(Debug, Default)]
pub(super) struct RegistryCounters {
    pub(super) connections: Counter,
    pub(super) scans: Counter,
    pub(super) probes: Counter,
    pub(super) sightings: Counter,
    pub(super) readings: Counter,
    pub(super) failed_readings: Counter,
    pub(super) lost_readings: Counter,
    pub(super) switches: Counter,
    pub(super) failed_switches: Counter,
}

impl RegistryCounters {
    pub(super) fn stats(&self) -> RegistryStats {
        RegistryStats {
            connections: self.connections.value(),
            scans: self.scans.value(),
            probes: self.probes.value(),
            sightings: self.sightings.value(),
            readings: self.readings.value(),
            failed_readings: self.failed_readings.value(),
            lost_readings: self.lost_readings.value(),
            switches: self.switches.value(),
            failed_switches: self.failed_switches.value(),
            ..RegistryStats::default()
        }
    }
}
