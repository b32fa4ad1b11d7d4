//! The datagrams and segments that a twin has yet to send, and the faults of the network on their way.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::twin::{ConnectionId, TwinOutput};

/// Delay of a datagram that later ones overtake.
const OVERTAKEN_DELAY: Duration = Duration::from_millis(30);
/// Delay of a second copy after the first.
const COPY_DELAY: Duration = Duration::from_millis(2);
/// Maximum number of messages waiting to be sent; a peer that asks faster than it is answered loses replies, as with a real
/// plug.
const MAX_WAITING: usize = 256;

/// Faults of datagrams and segments on their way.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct WireFaults {
    pub(crate) lost_in: f64,
    pub(crate) lost_out: f64,
    pub(crate) doubled: f64,
    /// Bound of a random delay.
    pub(crate) delayed: Duration,
    /// Fixed delay.
    pub(crate) late: Duration,
    pub(crate) reordered: f64,
    pub(crate) split: bool,
    pub(crate) garbage: f64,
    pub(crate) source_port: bool,
    pub(crate) deaf_to_broadcast: bool,
}

impl WireFaults {
    /// Returns the delay of one message.
    pub(crate) fn jitter(&self, random: &mut fastrand::Rng) -> Duration {
        self.late + self.delayed.mul_f64(random.f64())
    }
}

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: BTreeMap<(Instant, u64), TwinOutput>,
    sequence: u64,
}

impl Outbox {
    pub(crate) fn send(&mut self, due: Instant, transmit: TwinOutput) {
        let bulky = matches!(
            transmit,
            TwinOutput::Datagram { .. } | TwinOutput::Segment { .. }
        );
        if bulky && self.waiting.len() >= MAX_WAITING {
            return;
        }
        self.sequence += 1;
        self.waiting.insert((due, self.sequence), transmit);
    }

    /// Sends a datagram, or loses, doubles, delays, or disguises it.
    pub(crate) fn send_datagram(
        &mut self,
        due: Instant,
        transmit: TwinOutput,
        wire: &WireFaults,
        random: &mut fastrand::Rng,
    ) {
        if random.f64() < wire.lost_out {
            return;
        }
        let mut due = due + wire.jitter(random);
        if random.f64() < wire.garbage {
            self.send(due, garbage(&transmit, random));
        }
        if random.f64() < wire.doubled {
            let copy_due = due + COPY_DELAY + wire.jitter(random);
            self.send(copy_due, transmit.clone());
        }
        if random.f64() < wire.reordered {
            due += OVERTAKEN_DELAY;
        }
        self.send(due, transmit);
    }

    pub(crate) fn poll(&mut self, now: Instant) -> Option<TwinOutput> {
        let entry = self.waiting.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }

    pub(crate) fn timeout(&self) -> Option<Instant> {
        self.waiting.first_key_value().map(|((due, _), _)| *due)
    }

    /// Drops everything, as a loss of power does.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
    }

    /// Drops what waits for a connection that is gone.
    pub(crate) fn forget(&mut self, gone: ConnectionId) {
        self.waiting.retain(|_, transmit| match transmit {
            TwinOutput::Datagram { .. } | TwinOutput::Connect { .. } => true,
            TwinOutput::Segment { connection, .. }
            | TwinOutput::Close { connection }
            | TwinOutput::Reset { connection } => *connection != gone,
        });
    }
}

fn garbage(transmit: &TwinOutput, random: &mut fastrand::Rng) -> TwinOutput {
    let mut garbage = transmit.clone();
    if let TwinOutput::Datagram { bytes, secret, .. } = &mut garbage {
        let length = random.usize(1..64);
        *bytes = Zeroizing::new((0..length).map(|_| random.u8(..)).collect());
        *secret = false;
    }
    garbage
}
