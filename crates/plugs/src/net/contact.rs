//! Orders whose answer is all that there is to know: metering, the plug's own timer, its version.

use std::net::Ipv4Addr;
use std::time::Duration;

use hiflying::Mac;
use jiff::{Timestamp, Zoned};
use tokio::time::{Instant, timeout_at};

use super::conversation::{Conversation, Trouble};
use super::{ContactError, Lan, Target, end_of};
use crate::exchange::{Exchange, Order, Outcome, Silence};
use crate::family;
use crate::{FamilyId, Minutes, Plug, Reading, RelayState};

impl Lan {
    /// Reads a plug's meter.
    ///
    /// # Errors
    ///
    /// [`ContactError`].
    pub async fn meter(
        &self,
        target: impl Into<Target>,
        budget: Duration,
    ) -> Result<Reading, ContactError> {
        let (plug, outcome) = self.order(target.into(), Order::Meter, budget).await?;
        match outcome {
            Outcome::Measured(measurement) => Ok(measurement.reading(plug.mac, Timestamp::now())),
            other => Err(mismatch(&plug, &other)),
        }
    }

    /// Sets a plug's own timer. That it accepted is all that can be known.
    ///
    /// # Errors
    ///
    /// [`ContactError`].
    pub async fn delay(
        &self,
        target: impl Into<Target>,
        state: RelayState,
        minutes: Minutes,
        budget: Duration,
    ) -> Result<Plug, ContactError> {
        let order = Order::Delay(state, minutes);
        Ok(self.order(target.into(), order, budget).await?.0)
    }

    /// Asks for the version of a plug's firmware.
    ///
    /// # Errors
    ///
    /// [`ContactError`].
    pub async fn version(
        &self,
        target: impl Into<Target>,
        budget: Duration,
    ) -> Result<String, ContactError> {
        let (plug, outcome) = self.order(target.into(), Order::Version, budget).await?;
        match outcome {
            Outcome::Version(text) => Ok(text),
            other => Err(mismatch(&plug, &other)),
        }
    }

    async fn order(
        &self,
        target: Target,
        order: Order,
        budget: Duration,
    ) -> Result<(Plug, Outcome), ContactError> {
        let deadline = end_of(budget);
        let plug = match target {
            Target::Plug(plug) => *plug,
            Target::Address(address) => self.presence_until(address, deadline).await?,
        };
        let address = plug.address;
        let mut conversation = self.conversation(&plug, order)?;
        match timeout_at(deadline, conversation.outcome()).await {
            Ok(Ok(outcome)) => Ok((plug, outcome)),
            Ok(Err(trouble)) => Err(trouble.at(address, order)),
            Err(_) => Err(ContactError::NoAnswer {
                address,
                how: Silence::NoReply,
            }),
        }
    }

    /// Begins to carry out an order.
    pub(super) fn conversation(
        &self,
        plug: &Plug,
        order: Order,
    ) -> Result<Conversation<'_>, ContactError> {
        let exchange = begin(plug.family, plug.mac, plug.address, order)?;
        Ok(Conversation::new(exchange, plug.address, self))
    }
}

/// Begins the exchange of a family that carries out an order.
pub(super) fn begin(
    family: FamilyId,
    mac: Mac,
    address: Ipv4Addr,
    order: Order,
) -> Result<Box<dyn Exchange>, ContactError> {
    let now = Instant::now().into_std();
    let local = Zoned::now().datetime();
    family::lookup(family)
        .and_then(|family| family.exchange(mac, order, local, now))
        .ok_or(ContactError::Unsupported {
            address,
            family,
            order,
        })
}

/// No family's exchange does this; but then it should be an error and not an invented value.
fn mismatch(plug: &Plug, outcome: &Outcome) -> ContactError {
    ContactError::BadAnswer {
        address: plug.address,
        reply: format!("{outcome:?}"),
    }
}

impl Trouble {
    pub(super) fn at(self, address: Ipv4Addr, order: Order) -> ContactError {
        match self {
            Self::Plug(error) => ContactError::of_exchange(address, order, error),
            Self::Local(source) => ContactError::Io { address, source },
        }
    }
}
