//! Switching, and making sure that it happened.
//!
//! A plug's `+ok` says that it understood. Whether the relay moved, only its presence says; so that is asked until it
//! shows the wanted state, with patience for slow relays. The order is idempotent and repeated once.

use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout_at};

use super::conversation::{Conversation, Trouble};
use super::presence::Sight;
use super::{ContactError, Lan, Target, end_of};
use crate::exchange::{ExchangeError, Order, Silence};
use crate::family::{self, Family};
use crate::{Plug, RelayState};

/// When the order is repeated, if the relay has not moved; late, because a slow plug may begin anew with it.
pub(super) const REPEAT_AFTER: Duration = Duration::from_millis(2200);
/// How long the relay may take after the order was repeated.
pub(super) const RELAY_TIMEOUT: Duration = Duration::from_millis(2300);
/// When the relay's state is asked for, though the plug has not answered the order: the answer may have been lost.
pub(super) const DOUBT_AFTER: Duration = Duration::from_millis(400);
/// How long the state is asked for when the plug took the order and never answered it.
pub(super) const LAST_LOOK: Duration = Duration::from_millis(600);
/// The gaps between looks at the state, doubled each time.
pub(super) const FIRST_GAP: Duration = Duration::from_millis(10);
pub(super) const LONGEST_GAP: Duration = Duration::from_millis(250);

/// What came of switching.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switched {
    /// The plug, as it was last heard.
    pub plug: Plug,
    /// Its relay as it was last read; `None` when it did not tell since.
    pub relay: Option<RelayState>,
    /// Whether that is what was wanted. If not, the plug accepted the order and did not do it, or has not told.
    pub confirmed: bool,
    /// How long it took, from the call to the confirmation.
    pub elapsed: Duration,
}

impl Lan {
    /// Switches a plug, and reads its state back until it is the wanted one.
    ///
    /// # Errors
    ///
    /// [`ContactError`]; [`ContactError::PortTaken`] before anything is switched, when the state of this plug could not be
    /// read back. That a plug accepted and did not switch is not an error here but [`Switched::confirmed`].
    pub async fn switch(
        &self,
        target: impl Into<Target>,
        state: RelayState,
        budget: Duration,
    ) -> Result<Switched, ContactError> {
        let (start, deadline) = (Instant::now(), end_of(budget));
        let plug = self.readable(target.into(), deadline).await?;
        self.switch_readable(plug, state, start, deadline).await
    }

    /// Reads a plug's state and switches it to the other one.
    ///
    /// It is read once, so that a lost answer never toggles twice.
    ///
    /// # Errors
    ///
    /// As [`Lan::switch`]; [`ContactError::BadAnswer`] when the plug does not tell its state.
    pub async fn toggle(
        &self,
        target: impl Into<Target>,
        budget: Duration,
    ) -> Result<Switched, ContactError> {
        let (start, deadline) = (Instant::now(), end_of(budget));
        let plug = self.heard(&target.into(), deadline).await?;
        let relay = plug.relay.ok_or(ContactError::BadAnswer {
            address: plug.address,
            reply: "no relay state".to_owned(),
        })?;
        self.switch_readable(plug, relay.toggled(), start, deadline)
            .await
    }

    /// Makes sure that the plug's state can be read, before it is switched.
    async fn readable(&self, target: Target, deadline: Instant) -> Result<Plug, ContactError> {
        if let Target::Plug(plug) = &target {
            let sight = Sight::of(self, plug.address)?;
            let family = family::lookup(plug.family);
            if family.is_none_or(|family| sight.deaf(family).is_none()) {
                return Ok(Plug::clone(plug));
            }
        }
        self.heard(&target, deadline).await
    }

    /// Asks who is at the target's address, and makes sure that it is the one who is meant.
    async fn heard(&self, target: &Target, deadline: Instant) -> Result<Plug, ContactError> {
        let address = target.address();
        let heard = self.presence_until(address, deadline).await?;
        match target {
            Target::Plug(plug) if plug.mac != heard.mac => {
                let how = Silence::Replaced;
                Err(ContactError::NoAnswer { address, how })
            }
            Target::Plug(plug) => Ok(Plug {
                name: plug.name.clone(),
                ..heard
            }),
            Target::Address(_) => Ok(heard),
        }
    }

    async fn switch_readable(
        &self,
        plug: Plug,
        state: RelayState,
        start: Instant,
        deadline: Instant,
    ) -> Result<Switched, ContactError> {
        let order = Order::Switch(state);
        let mut look = Look::at(self, plug, state)?;
        let mut conversation = self.conversation(&look.plug, order)?;
        let sent = conversation.sent();
        let outcome = tokio::select! {
            biased;
            outcome = timeout_at(deadline, conversation.outcome()) => Some(outcome),
            () = look.in_doubt(&sent) => None,
        };
        match outcome {
            None => {}
            Some(Ok(Ok(_))) => self.confirm(&mut look, conversation, deadline).await,
            Some(Ok(Err(Trouble::Plug(ExchangeError::NoAnswer(_)))) | Err(_))
                if conversation.has_sent() =>
            {
                // The answer got lost, but perhaps not the order.
                look.until(deadline.min(Instant::now() + LAST_LOOK)).await;
                if !look.is_wanted() {
                    return Err(look.silence(Silence::NoReply));
                }
            }
            Some(Ok(Err(trouble))) => return Err(trouble.at(look.plug.address, order)),
            Some(Err(_)) => return Err(look.silence(Silence::NoConnection)),
        }
        Ok(Switched {
            relay: look.relay,
            confirmed: look.is_wanted(),
            plug: look.plug,
            elapsed: start.elapsed(),
        })
    }

    /// Looks at the state until it is the wanted one, and repeats the order once when that takes long.
    async fn confirm(&self, look: &mut Look<'_>, first: Conversation<'_>, deadline: Instant) {
        let repeat = deadline.min(Instant::now() + REPEAT_AFTER);
        look.beside(repeat, first).await;
        if look.is_wanted() || repeat >= deadline {
            return;
        }
        let end = deadline.min(repeat + RELAY_TIMEOUT);
        tracing::debug!(plug = %look.plug.mac, "accepted but not switched yet: once more");
        match self.conversation(&look.plug, Order::Switch(look.wanted)) {
            Ok(again) => look.beside(end, again).await,
            Err(_) => look.until(end).await,
        }
    }
}

/// An eye on one plug's relay.
struct Look<'a> {
    sight: Sight<'a>,
    family: &'static dyn Family,
    plug: Plug,
    wanted: RelayState,
    relay: Option<RelayState>,
}

impl<'a> Look<'a> {
    fn at(lan: &'a Lan, plug: Plug, wanted: RelayState) -> Result<Self, ContactError> {
        let order = Order::Switch(wanted);
        Ok(Self {
            sight: Sight::of(lan, plug.address)?,
            family: family_of(&plug, order)?,
            plug,
            wanted,
            relay: None,
        })
    }

    fn is_wanted(&self) -> bool {
        self.relay == Some(self.wanted)
    }

    /// Looks until the state is the wanted one, at the latest until `end`: often at first, then less often.
    async fn until(&mut self, end: Instant) {
        let mut gap = FIRST_GAP;
        loop {
            self.sight.probe(self.family).await;
            let next = end.min(Instant::now() + gap);
            while let Some(plug) = self.heard_by(next).await {
                self.take(plug);
                if self.is_wanted() {
                    return;
                }
            }
            if next >= end {
                return;
            }
            gap = (gap * 2).min(LONGEST_GAP);
        }
    }

    async fn heard_by(&mut self, end: Instant) -> Option<Plug> {
        timeout_at(end, self.sight.heard(&[self.family])).await.ok()
    }

    fn take(&mut self, heard: Plug) {
        // Another plug may have got this address just now.
        if heard.mac != self.plug.mac {
            return;
        }
        self.relay = heard.relay;
        self.plug = Plug {
            model: heard.model.or_else(|| self.plug.model.take()),
            name: self.plug.name.take(),
            ..heard
        };
    }

    /// Looks beside a conversation, of which the rest does not matter but for the log.
    async fn beside(&mut self, end: Instant, mut conversation: Conversation<'_>) {
        let talk = async {
            if let Err(trouble) = conversation.finish().await {
                tracing::debug!(?trouble, "a repeated order came to nothing");
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = self.until(end) => {}
            () = talk => {}
        }
    }

    /// Waits until an order that was sent and not answered turns out to have been carried out; perhaps for ever.
    async fn in_doubt(&mut self, sent: &Notify) {
        sent.notified().await;
        sleep(DOUBT_AFTER).await;
        while !self.is_wanted() {
            self.until(Instant::now() + LONGEST_GAP).await;
        }
    }

    fn silence(&self, how: Silence) -> ContactError {
        ContactError::NoAnswer {
            address: self.plug.address,
            how,
        }
    }
}

fn family_of(plug: &Plug, order: Order) -> Result<&'static dyn Family, ContactError> {
    family::lookup(plug.family).ok_or(ContactError::Unsupported {
        address: plug.address,
        family: plug.family,
        order,
    })
}
