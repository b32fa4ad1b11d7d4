//! Probes of one address: the identity of the device, and the position of its relay.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use hiflying::DiscoveryWord;
use hiflying::net::BindError;
use tokio::time::{Instant, sleep_until};

use super::listen::LanListener;
use super::network::LanNetwork;
use super::{ContactError, Lan, end_of};
use crate::exchange::NoReplyReason;
use crate::family::{Families, Family};
use crate::{Capability, FamilyId, Plug};

/// The delay after the first probe, its growth from probe to probe, and its bound: short enough that a lost datagram hardly
/// matters, without many more probes than necessary.
const FIRST_PROBE_INTERVAL: Duration = Duration::from_millis(60);
const PROBE_INTERVAL_STEP: Duration = Duration::from_millis(30);
const MAX_PROBE_INTERVAL: Duration = Duration::from_millis(200);
/// Time that a device which replied only as a module has to reply as a plug, and the delay between probes in that time: a dozen
/// probes, so that lost datagrams do not disguise a plug.
const MODULE_TIMEOUT: Duration = Duration::from_secs(1);
const MODULE_PROBE_INTERVAL: Duration = Duration::from_millis(80);
/// Time for a reply to the source port, when most plugs cannot be heard anyway.
pub(super) const DEAF_TIMEOUT: Duration = Duration::from_millis(300);

impl Lan {
    /// Probes `address` repeatedly for at most `budget`, and returns the device there.
    ///
    /// # Errors
    ///
    /// [`ContactError::NoAnswer`]; [`ContactError::PortTaken`] when there is no reply and most plugs could not be heard.
    pub async fn presence(
        &self,
        address: Ipv4Addr,
        budget: Duration,
    ) -> Result<Plug, ContactError> {
        let mut probe = AddressProbe::new(self, address, &self.families).await?;
        self.presence_by(&mut probe, end_of(budget)).await
    }

    pub(super) async fn presence_by(
        &self,
        probe: &mut AddressProbe,
        deadline: Instant,
    ) -> Result<Plug, ContactError> {
        let is_plug = |plug: &Plug| self.families.can(plug.family, Capability::Switch);
        let mut module: Option<Plug> = None;
        let mut end = deadline;
        if probe.deaf().is_some() {
            end = deadline.min(Instant::now() + DEAF_TIMEOUT);
        }
        // The first probe goes out at once: a timer that is due now fires a millisecond later.
        let mut next = None;
        let mut tries = 0;
        loop {
            tokio::select! {
                biased;
                plug = probe.report() => {
                    if is_plug(&plug) {
                        return Ok(plug);
                    }
                    if module.is_none() {
                        end = end.min(Instant::now() + MODULE_TIMEOUT);
                    }
                    module = Some(plug);
                }
                () = sleep_until(end) => {
                    return module.ok_or_else(|| probe.no_reply());
                }
                () = until(next) => {
                    // A plug need not be asked whether it is a module, so the words wait for the second try.
                    let asks_modules = tries > 0 && module.is_none();
                    probe.send(asks_modules).await;
                    let interval = match module {
                        Some(_) => MODULE_PROBE_INTERVAL,
                        None => (FIRST_PROBE_INTERVAL + PROBE_INTERVAL_STEP * tries).min(MAX_PROBE_INTERVAL),
                    };
                    next = Some(Instant::now() + interval);
                    tries = tries.saturating_add(1).min(100);
                }
            }
        }
    }
}

/// Waits until this time; returns at once without one.
async fn until(time: Option<Instant>) {
    if let Some(time) = time {
        sleep_until(time).await;
    }
}

/// Probes of one address, and the reports from there.
pub(super) struct AddressProbe {
    address: Ipv4Addr,
    networks: Vec<Arc<LanNetwork>>,
    families: Families,
    words: Arc<[DiscoveryWord]>,
    listener: LanListener,
    is_unreachable: bool,
}

impl AddressProbe {
    /// Begins to listen for members of these families at `address`.
    pub(super) async fn new(
        lan: &Lan,
        address: Ipv4Addr,
        families: &Families,
    ) -> Result<Self, ContactError> {
        let networks = lan.networks_towards(address);
        if networks.is_empty() {
            return Err(ContactError::NoAnswer {
                address,
                how: NoReplyReason::Unreachable,
            });
        }
        let mut sources = Vec::new();
        for network in &networks {
            sources.extend(network.sources_of(families).await);
        }
        Ok(Self {
            address,
            listener: LanListener::on(sources),
            networks,
            families: families.clone(),
            words: lan.words(),
            is_unreachable: false,
        })
    }

    /// Sends the probes of plugs once, and those of plain modules if `asks_modules` is set.
    pub(super) async fn send(&mut self, asks_modules: bool) {
        let plugs: Vec<FamilyId> = self.families.of_plugs().map(Family::id).collect();
        let mut is_reached = false;
        for family in self.families.iter() {
            if !asks_modules && !plugs.contains(&family.id()) {
                continue;
            }
            for network in &self.networks {
                is_reached |= network.probe(family, &self.words, self.address).await;
            }
        }
        self.is_unreachable = !is_reached;
    }

    /// Waits for a report from the address.
    pub(super) async fn report(&mut self) -> Plug {
        loop {
            let report = self.listener.next().await.report(&self.families);
            if let Some(plug) = report.filter(|plug| plug.address == self.address) {
                return plug;
            }
        }
    }

    /// Returns the reason why some plugs cannot be heard.
    pub(super) fn deaf(&self) -> Option<Arc<BindError>> {
        let mut families = self.families.iter();
        families.find_map(|family| {
            let mut networks = self.networks.iter();
            networks.find_map(|network| network.deaf_to(family))
        })
    }

    /// Returns the error for an address without any report.
    pub(super) fn no_reply(&self) -> ContactError {
        let address = self.address;
        let how = match self.is_unreachable {
            true => NoReplyReason::Unreachable,
            false => NoReplyReason::NoReply,
        };
        match self.deaf().filter(|_| !self.is_unreachable) {
            Some(error) => ContactError::PortTaken { address, error },
            None => ContactError::NoAnswer { address, how },
        }
    }
}

impl LanNetwork {
    /// Sends a family's probes once; returns whether that was possible.
    pub(super) async fn probe(
        &self,
        family: &'static dyn Family,
        words: &[DiscoveryWord],
        address: Ipv4Addr,
    ) -> bool {
        if let Some(port) = self.inbound_of(family).await {
            port.probe(Some(address).filter(|address| *address != self.interface.broadcast));
        }
        let Some(socket) = self.socket_of(family).await else {
            return false;
        };
        let mut all = true;
        for probe in family.probes(words) {
            all &= socket.send(&probe, address).await;
        }
        all
    }
}
