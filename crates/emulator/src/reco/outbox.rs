//! The way out: what is to be sent and when, and what faults do to it on the way.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::stream::ConnectionId;
use crate::reco::behaviour::WireFaults;

/// Something for the driver to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transmit {
    /// Send a datagram from UDP 48899 of one of the twin's addresses.
    Datagram {
        /// Which of its addresses.
        from: Ipv4Addr,
        /// The receiver.
        to: SocketAddrV4,
        /// The content.
        bytes: Zeroizing<Vec<u8>>,
        /// Holds a key or password: not for records.
        secret: bool,
    },
    /// Send bytes on a TCP connection.
    Segment {
        /// Which one.
        connection: ConnectionId,
        /// The content.
        bytes: Vec<u8>,
    },
    /// Close a TCP connection in peace.
    Close {
        /// Which one.
        connection: ConnectionId,
    },
    /// Reset a TCP connection.
    Reset {
        /// Which one.
        connection: ConnectionId,
    },
}

/// How long an overtaken datagram waits, and a copy after the first.
const OVERTAKEN: Duration = Duration::from_millis(30);
const COPY: Duration = Duration::from_millis(2);
/// What a twin keeps for sending. A peer that asks faster than it is answered loses answers, as on a real plug.
const CAPACITY: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: BTreeMap<(Instant, u64), Transmit>,
    sequence: u64,
}

impl Outbox {
    pub(super) fn send(&mut self, due: Instant, transmit: Transmit) {
        let bulky = matches!(
            transmit,
            Transmit::Datagram { .. } | Transmit::Segment { .. }
        );
        if bulky && self.waiting.len() >= CAPACITY {
            return;
        }
        self.sequence += 1;
        self.waiting.insert((due, self.sequence), transmit);
    }

    /// Sends a datagram, or loses, doubles, delays, or disguises it.
    pub(super) fn send_datagram(
        &mut self,
        due: Instant,
        transmit: Transmit,
        wire: &WireFaults,
        random: &mut fastrand::Rng,
    ) {
        if random.f64() < wire.lost_out {
            return;
        }
        let mut due = due + jitter(wire, random);
        if random.f64() < wire.garbage {
            self.send(due, garbage(&transmit, random));
        }
        if random.f64() < wire.doubled {
            let copy_due = due + COPY + jitter(wire, random);
            self.send(copy_due, transmit.clone());
        }
        if random.f64() < wire.reordered {
            due += OVERTAKEN;
        }
        self.send(due, transmit);
    }

    pub(super) fn poll(&mut self, now: Instant) -> Option<Transmit> {
        let entry = self.waiting.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }

    pub(super) fn timeout(&self) -> Option<Instant> {
        self.waiting.first_key_value().map(|((due, _), _)| *due)
    }

    /// Forgets everything: the plug has lost power.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }

    /// Forgets what was meant for a connection that is gone.
    pub(super) fn forget(&mut self, gone: ConnectionId) {
        self.waiting.retain(|_, transmit| match transmit {
            Transmit::Datagram { .. } => true,
            Transmit::Segment { connection, .. }
            | Transmit::Close { connection }
            | Transmit::Reset { connection } => *connection != gone,
        });
    }
}

pub(super) fn jitter(wire: &WireFaults, random: &mut fastrand::Rng) -> Duration {
    wire.delayed.mul_f64(random.f64())
}

fn garbage(transmit: &Transmit, random: &mut fastrand::Rng) -> Transmit {
    let mut garbage = transmit.clone();
    if let Transmit::Datagram { bytes, secret, .. } = &mut garbage {
        let length = random.usize(1..64);
        *bytes = Zeroizing::new((0..length).map(|_| random.u8(..)).collect());
        *secret = false;
    }
    garbage
}
