//! The shape that sessions and joins share, so that one loop can drive either.

use std::time::Instant;

use zeroize::Zeroizing;

/// Something that talks with one module in datagrams and time.
pub(crate) trait Machine {
    /// Takes a datagram from the module.
    fn handle_datagram(&mut self, now: Instant, datagram: &[u8]);
    /// Runs what is due.
    fn handle_timeout(&mut self, now: Instant);
    /// Gives the next datagram for the module.
    fn poll_transmit(&mut self) -> Option<Zeroizing<Vec<u8>>>;
    /// Tells when `handle_timeout` is due.
    fn poll_timeout(&self) -> Option<Instant>;
}

macro_rules! machine {
    ($type:ty) => {
        impl Machine for $type {
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
machine!(crate::join::Join);
