//! The interface that sessions and joins share, so that one loop can drive either.

use std::time::Instant;

use zeroize::Zeroizing;

/// A state machine that exchanges datagrams with one module.
pub(crate) trait SessionMachine {
    /// Takes a datagram from the module.
    fn handle_datagram(&mut self, now: Instant, datagram: &[u8]);
    /// Runs the timers that are due.
    fn handle_timeout(&mut self, now: Instant);
    /// Returns the next datagram for the module.
    fn poll_transmit(&mut self) -> Option<Zeroizing<Vec<u8>>>;
    /// Returns when `handle_timeout` is due.
    fn poll_timeout(&self) -> Option<Instant>;
}

macro_rules! machine {
    ($type:ty) => {
        impl SessionMachine for $type {
            fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) {
                Self::handle_datagram(self, now, datagram);
            }

            fn handle_timeout(&mut self, now: Instant) {
                Self::handle_timeout(self, now);
            }

            fn poll_transmit(&mut self) -> Option<Zeroizing<Vec<u8>>> {
                Self::poll_transmit(self)
            }

            fn poll_timeout(&self) -> Option<Instant> {
                Self::poll_timeout(self)
            }
        }
    };
}

machine!(crate::session::AtSession);
machine!(crate::session::RestartWatch);
machine!(crate::join::Join);
