//! One plug's TCP connection, kept between orders.
//!
//! A plug has few slots, so there is never more than one: an order takes the connection, and puts it back when the plug has
//! said all it had to say. A plug closes an idle connection after some minutes, and loses it when it restarts; the next
//! order opens another without anybody noticing.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use hiflying::Mac;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::contact::begin;
use super::conversation::{Conversation, Rest, Trouble};
use super::{ContactError, Lan, end_of};
use crate::exchange::{ExchangeError, Order, Outcome, Silence};
use crate::{FamilyId, Plug};

/// Whoever has said more than this between two orders talks without end.
const MOST_STALE: usize = 4096;

/// The one connection to a plug. Dropping it, or an order under way, closes it.
pub struct Link {
    mac: Mac,
    family: FamilyId,
    address: Ipv4Addr,
    rest: Rest,
    has_broken: bool,
}

impl Link {
    /// Makes one that is not open yet.
    pub fn new(plug: &Plug) -> Self {
        Self {
            mac: plug.mac,
            family: plug.family,
            address: plug.address,
            rest: Rest::Nothing,
            has_broken: false,
        }
    }

    /// Returns where the plug is.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Tells whether there is a connection.
    pub fn is_open(&self) -> bool {
        !matches!(self.rest, Rest::Nothing)
    }

    /// Tells whether the plug has lost or closed a connection since this was last asked. It loses it when it restarts.
    pub fn has_broken(&mut self) -> bool {
        std::mem::take(&mut self.has_broken)
    }

    /// Notes where the plug is. A connection to where it was is closed.
    pub fn move_to(&mut self, address: Ipv4Addr) {
        if address != self.address {
            self.address = address;
            self.close();
        }
    }

    /// Closes the connection, if there is one.
    pub fn close(&mut self) {
        self.rest = Rest::Nothing;
    }

    /// Waits until the plug closes the connection; for ever without one. May be dropped and called again.
    pub async fn closed(&mut self) {
        // What an exchange has not finished is heard by the next order.
        let Rest::Idle(stream) = &self.rest else {
            return std::future::pending().await;
        };
        while stream.readable().await.is_ok() && is_quiet(stream) {}
        self.has_broken = true;
        self.close();
    }

    /// Carries out an order, over the connection that there is or over a new one.
    ///
    /// What is refused or not understood on a kept connection is tried once more on a new one, because it may have been an
    /// answer that came late.
    ///
    /// # Errors
    ///
    /// [`ContactError`].
    pub async fn order(
        &mut self,
        lan: &Lan,
        order: Order,
        budget: Duration,
    ) -> Result<Outcome, ContactError> {
        let deadline = end_of(budget);
        let kept = match timeout_at(deadline, self.take(lan)).await {
            Ok(kept) => kept,
            Err(_) => return Err(self.silence()),
        };
        let was_kept = kept.is_some();
        match self.attempt(lan, order, kept, deadline).await {
            Err(ContactError::Refused { .. } | ContactError::BadAnswer { .. }) if was_kept => {
                self.close();
                self.attempt(lan, order, None, deadline).await
            }
            result => result,
        }
    }

    async fn attempt(
        &mut self,
        lan: &Lan,
        order: Order,
        kept: Option<TcpStream>,
        deadline: Instant,
    ) -> Result<Outcome, ContactError> {
        let exchange = begin(self.family, self.mac, self.address, order)?;
        let was_kept = kept.is_some();
        let mut conversation = Conversation::new(exchange, self.address, lan).over(kept);
        let outcome = timeout_at(deadline, conversation.outcome()).await;
        self.has_broken |=
            conversation.is_replaced() || (was_kept && !matches!(outcome, Ok(Ok(_))));
        match outcome {
            Ok(Ok(outcome)) => {
                self.rest = conversation.rest();
                Ok(outcome)
            }
            // A refusal is an answer like any other; a connection with what cannot be understood on it is not kept.
            Ok(Err(trouble @ Trouble::Plug(ExchangeError::Refused(_)))) => {
                self.rest = conversation.rest();
                Err(trouble.at(self.address, order))
            }
            Ok(Err(trouble)) => Err(trouble.at(self.address, order)),
            Err(_) => Err(self.silence()),
        }
    }

    /// Takes the connection, if it is good: the plug has finished, and has not closed it.
    async fn take(&mut self, lan: &Lan) -> Option<TcpStream> {
        let stream = match std::mem::replace(&mut self.rest, Rest::Nothing) {
            Rest::Nothing => return None,
            Rest::Idle(stream) => stream,
            Rest::Unfinished(exchange, stream) => {
                let mut conversation = Conversation::resume(exchange, stream, self.address, lan);
                conversation.finish().await.ok()?;
                match conversation.rest() {
                    Rest::Idle(stream) => stream,
                    Rest::Nothing | Rest::Unfinished(..) => return None,
                }
            }
        };
        let is_good = is_quiet(&stream);
        self.has_broken |= !is_good;
        is_good.then_some(stream)
    }

    fn silence(&self) -> ContactError {
        ContactError::NoAnswer {
            address: self.address,
            how: Silence::NoReply,
        }
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("mac", &self.mac)
            .field("address", &self.address)
            .field("is_open", &self.is_open())
            .finish_non_exhaustive()
    }
}

/// Drops what has come since the last answer. Tells whether that is little, and the connection still stands.
fn is_quiet(stream: &TcpStream) -> bool {
    let mut buffer = [0; 512];
    let mut stale = 0;
    loop {
        match stream.try_read(&mut buffer) {
            Ok(0) => return false,
            Ok(length) => stale += length,
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
        }
        if stale > MOST_STALE {
            return false;
        }
    }
}
