//! The confirmation of a switch by probes, which all families share.

use std::net::SocketAddrV4;
use std::time::Duration;

use emulator::Twin;
use jiff::Timestamp;
use plugs::{Family, RelayState};

use crate::seeds;
use crate::world::{FIRST, SimWorld, WorldEvent};

/// Time and interval of the confirmation.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(4);
const CONFIRM_INTERVAL: Duration = Duration::from_millis(100);

/// Asks the plug for its state until it is `wanted` or time is over; returns the last answer.
pub(crate) fn look<T: Twin>(
    world: &mut SimWorld<T>,
    family: &dyn Family,
    port: u16,
    wanted: RelayState,
    is_answer: fn(&[u8]) -> bool,
) -> Option<RelayState> {
    let end = world.now + CONFIRM_TIMEOUT;
    let mut next = world.now;
    let mut seen = None;
    while world.now < end && seen != Some(wanted) {
        if next <= world.now {
            for probe in family.probes(&[]) {
                world.send(SocketAddrV4::new(FIRST, port), &probe.bytes);
            }
            next = world.now + CONFIRM_INTERVAL;
        }
        if let WorldEvent::Datagram { from, bytes } = world.next(Some(next.min(end)))
            && is_answer(&bytes)
            && let Some(plug) = family.parse_report(*from.ip(), &bytes, Timestamp::UNIX_EPOCH)
        {
            seen = plug.relay.or(seen);
        }
    }
    seen
}

/// A switch to on.
pub(crate) struct SwitchRun {
    /// `true` if the client is sure that the relay is on.
    pub(crate) is_confirmed: bool,
    /// `true` if it is.
    pub(crate) is_on: bool,
    pub(crate) elapsed: Duration,
}

/// Returns the number of confirmed switches, the total, and the slowest; a relay confirmed as on must be on.
pub(crate) fn count(
    runs: u64,
    what: &str,
    switch_on: impl Fn(u64) -> SwitchRun,
) -> (u64, u64, Duration) {
    let (mut confirmed, mut total, mut slowest) = (0, 0, Duration::ZERO);
    for seed in seeds(runs) {
        let run = switch_on(seed);
        total += 1;
        if run.is_confirmed {
            assert!(run.is_on, "seed {seed} {what}");
            confirmed += 1;
            slowest = slowest.max(run.elapsed);
        }
    }
    println!("{what}: confirmed {confirmed} of {total}, slowest {slowest:?}");
    (confirmed, total, slowest)
}
