//! Asking one address who is there, and how its relay stands.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use hiflying::net::BindError;
use jiff::Timestamp;
use tokio::time::{Instant, sleep_until};

use super::listen::Listener;
use super::{ContactError, Lan, Network, end_of};
use crate::exchange::Silence;
use crate::family::{FAMILIES, Family};
use crate::{FamilyId, Plug};

/// The gaps between probes: quick enough that a lost datagram hardly matters, and not many more than the answers need.
const FIRST_GAP: Duration = Duration::from_millis(60);
const GAP_STEP: Duration = Duration::from_millis(30);
const LONGEST_GAP: Duration = Duration::from_millis(200);
/// How long a device that answered as a mere module has to answer as a plug, and the gaps between probes in that time: a
/// dozen, so that lost datagrams do not disguise a plug.
const SECOND_THOUGHT: Duration = Duration::from_secs(1);
const SECOND_THOUGHT_GAP: Duration = Duration::from_millis(80);
/// How long to wait for an answer to the source port, when most plugs cannot be heard anyway.
const DEAF_PATIENCE: Duration = Duration::from_secs(2);

impl Lan {
    /// Asks `address` who is there, again and again for as long as `budget`.
    ///
    /// # Errors
    ///
    /// [`ContactError::NoAnswer`]; [`ContactError::PortTaken`] when there is no answer and most plugs could not be heard.
    pub async fn presence(
        &self,
        address: Ipv4Addr,
        budget: Duration,
    ) -> Result<Plug, ContactError> {
        self.presence_until(address, end_of(budget)).await
    }

    pub(super) async fn presence_until(
        &self,
        address: Ipv4Addr,
        deadline: Instant,
    ) -> Result<Plug, ContactError> {
        let mut sight = Sight::of(self, address)?;
        let mut module: Option<Plug> = None;
        let mut end = deadline;
        if FAMILIES.iter().any(|family| sight.deaf(*family).is_some()) {
            end = deadline.min(Instant::now() + DEAF_PATIENCE);
        }
        let mut next = Instant::now();
        let mut tries = 0;
        loop {
            tokio::select! {
                biased;
                plug = sight.heard(FAMILIES) => {
                    if plug.family != FamilyId::Module {
                        let model = module.and_then(|module| module.model);
                        return Ok(Plug { model: plug.model.clone().or(model), ..plug });
                    }
                    if module.is_none() {
                        end = end.min(Instant::now() + SECOND_THOUGHT);
                    }
                    module = Some(plug);
                }
                () = sleep_until(end) => {
                    return module.ok_or_else(|| sight.silence());
                }
                () = sleep_until(next) => {
                    // A plug need not be asked whether it is a module, so the words wait for the second try.
                    let ask_module = tries > 0 && module.is_none();
                    for family in FAMILIES {
                        if ask_module || family.id() != FamilyId::Module {
                            sight.probe(*family).await;
                        }
                    }
                    let gap = match module {
                        Some(_) => SECOND_THOUGHT_GAP,
                        None => (FIRST_GAP + GAP_STEP * tries).min(LONGEST_GAP),
                    };
                    next = Instant::now() + gap;
                    tries = tries.saturating_add(1).min(100);
                }
            }
        }
    }
}

/// An eye on one address.
pub(super) struct Sight<'a> {
    address: Ipv4Addr,
    network: &'a Network,
    listener: Listener,
    unreachable: bool,
}

impl<'a> Sight<'a> {
    pub(super) fn of(lan: &'a Lan, address: Ipv4Addr) -> Result<Self, ContactError> {
        let network = lan.network(address).ok_or(ContactError::NoAnswer {
            address,
            how: Silence::Unreachable,
        })?;
        Ok(Self {
            address,
            network,
            listener: Listener::on([network]),
            unreachable: false,
        })
    }

    /// Sends a family's probes once.
    pub(super) async fn probe(&mut self, family: &dyn Family) {
        self.unreachable = !self.network.probe(family, self.address).await;
    }

    /// Waits until one of these families is heard from the address.
    pub(super) async fn heard(&mut self, families: &[&dyn Family]) -> Plug {
        loop {
            let (local_port, datagram) = self.listener.next().await;
            if *datagram.from.ip() != self.address {
                continue;
            }
            let seen = Timestamp::now();
            let plug = families
                .iter()
                .filter(|family| family.local_port() == local_port)
                .find_map(|family| family.parse_presence(self.address, &datagram.bytes, seen));
            if let Some(plug) = plug {
                return plug;
            }
        }
    }

    /// Returns why members of this family cannot be heard, but for an odd one that answers the source port.
    pub(super) fn deaf(&self, family: &dyn Family) -> Option<&Arc<BindError>> {
        if !family.needs_local_port() {
            return None;
        }
        self.network.socket(family.local_port())?.taken.as_ref()
    }

    /// What it means that nothing was heard.
    pub(super) fn silence(&self) -> ContactError {
        let address = self.address;
        if self.unreachable {
            let how = Silence::Unreachable;
            return ContactError::NoAnswer { address, how };
        }
        match FAMILIES.iter().find_map(|family| self.deaf(*family)) {
            Some(error) => ContactError::PortTaken {
                address,
                error: Arc::clone(error),
            },
            None => ContactError::NoAnswer {
                address,
                how: Silence::NoReply,
            },
        }
    }
}
