//! Counters of the registry, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters since the start, and the present state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RegistryStats {
    /// Adopted plugs.
    pub plugs: u64,
    /// Those of them that answer.
    pub available: u64,
    /// Plugs that were found and are not adopted.
    pub offered: u64,
    /// Connections that are open.
    pub connections: u64,
    /// Broadcasts that asked everybody.
    pub scans: u64,
    /// Plugs that were asked on their own.
    pub probes: u64,
    /// Answers to either.
    pub sightings: u64,
    /// Meters that were read.
    pub readings: u64,
    /// Meters that could not be read.
    pub failed_readings: u64,
    /// Readings that history had no room for.
    pub lost_readings: u64,
    /// Relays that were switched, and are where they were wanted.
    pub switches: u64,
    /// Orders to switch that failed, or did not move the relay.
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
