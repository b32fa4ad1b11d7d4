//! One command's view of the network: the sockets it needs, one scan shared by all that need one, and what was seen.

use std::cell::RefCell;
use std::future::Future;
use std::net::Ipv4Addr;
use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use hiflying::Mac;
use hiflying::net::Interface;
use jiff::Timestamp;
use plugs::net::{DiscoverEvent, DiscoverOptions, Lan, Switched};
use plugs::{FamilyId, Minutes, Plug, Reading, RelayState};

use super::scan::Scan;
use super::{Target, ambiguous, interfaces, not_found, unknown_name};
use crate::context::Context;
use crate::error::{Failure, Kind};
use crate::inventory::Inventory;

/// How long a plug has to answer at its last address before the whole network is asked. The scan asks it there again,
/// so a lost datagram costs this much and no more.
const AT_ITS_LAST_ADDRESS: Duration = Duration::from_millis(400);

/// How long a given address has to say who is there: some fifteen tries, enough for 40 % loss each way.
const WHO_IS_THERE: Duration = Duration::from_secs(3);

/// When a plug that has not said who it is is told its order all the same.
const BLIND_AFTER: Duration = Duration::from_secs(1);

/// How long one plug may take for what it was asked, when `--timeout` does not say otherwise.
const USUAL: Duration = Duration::from_secs(10);

/// Stands for the MAC of a plug that has not told it.
pub const NOBODY: Mac = Mac::new([0; 6]);

/// A plug that was found: where it is, and what it said if it was asked already.
#[derive(Debug, Clone)]
pub struct Located {
    /// Where it is.
    pub address: Ipv4Addr,
    /// Its answer; `None` when the address was given and nobody has asked there yet.
    pub plug: Option<Plug>,
}

impl From<Plug> for Located {
    fn from(plug: Plug) -> Self {
        Self {
            address: plug.address,
            plug: Some(plug),
        }
    }
}

/// One command's view of the network.
#[derive(Debug)]
pub struct Network<'a> {
    context: &'a Context,
    lan: Lan,
    interfaces: Vec<Interface>,
    inventory: Inventory,
    scan: Scan,
    sightings: RefCell<Vec<Plug>>,
}

impl<'a> Network<'a> {
    /// Opens the sockets that these targets need. Nothing is sent yet.
    pub async fn open(context: &'a Context, targets: &[Target]) -> Result<Self, Failure> {
        let inventory = context.inventory()?;
        let interfaces = interfaces::for_targets(context, targets, &inventory)?;
        let lan = context
            .bounded(async { Ok(Lan::open(&interfaces).await?) })
            .await?;
        for interface in &interfaces {
            tracing::debug!(name = interface.name, address = %interface.address, "uses interface");
        }
        Ok(Self {
            context,
            lan,
            interfaces,
            inventory,
            scan: Scan::default(),
            sightings: RefCell::default(),
        })
    }

    /// Runs work that may need the scan beside the scan.
    pub async fn alongside<T>(&self, work: impl Future<Output = T>) -> T {
        let scan = pin!(self.scan.drive(self.search()));
        match select(pin!(work), scan).await {
            Either::Left((result, _)) => result,
            Either::Right(((), work)) => work.await,
        }
    }

    /// Finds a plug: at the given address, at its last one, or by a scan. Needs [`Network::alongside`].
    pub async fn locate(&self, target: &Target) -> Result<Located, Failure> {
        if let Some(address) = target.address() {
            self.refuse_broadcast(address)?;
            return Ok(Located {
                address,
                plug: None,
            });
        }
        match target.remembered(&self.inventory).as_slice() {
            [mac] => self.find_again(target, *mac).await.map(Located::from),
            [] if target.can_be_scanned_for() => self.find(target).await.map(Located::from),
            [] => Err(unknown_name(target, &self.inventory)),
            several => Err(ambiguous(target, several)),
        }
    }

    /// Asks a plug for its presence, unless finding it has told that just now.
    pub async fn presence(&self, located: Located) -> Result<Plug, Failure> {
        let plug = match located.plug {
            Some(plug) => plug,
            None => {
                self.lan
                    .presence(located.address, self.context.budget(WHO_IS_THERE))
                    .await?
            }
        };
        self.sight(&plug);
        Ok(self.named(plug))
    }

    /// Switches to `wanted` (or to what the relay is not), and reads the state back.
    pub async fn switch(
        &self,
        located: Located,
        wanted: Option<RelayState>,
    ) -> Result<Switched, Failure> {
        match wanted {
            Some(wanted) => {
                self.order(located, async |plug| self.switch_plug(&plug, wanted).await)
                    .await
            }
            None => {
                let plug = self.presence(located).await?;
                let wanted = plug.relay.map(RelayState::toggled).ok_or_else(|| {
                    let address = plug.address;
                    Failure::new(
                        Kind::BadAnswer,
                        format!("the device at {address} does not tell whether its relay is on"),
                    )
                })?;
                self.switch_plug(&plug, wanted).await
            }
        }
    }

    async fn switch_plug(&self, plug: &Plug, wanted: RelayState) -> Result<Switched, Failure> {
        let switched = self
            .lan
            .switch(plug, wanted, self.context.budget(USUAL))
            .await?;
        self.sight(&switched.plug);
        Ok(Switched {
            plug: self.named(switched.plug),
            ..switched
        })
    }

    /// Reads the meter.
    pub async fn meter(&self, located: Located) -> Result<Reading, Failure> {
        let budget = self.context.budget(USUAL);
        self.order(located, async |plug| {
            Ok(self.lan.meter(&plug, budget).await?)
        })
        .await
    }

    /// Sets the plug's own timer.
    pub async fn delay(
        &self,
        located: Located,
        state: RelayState,
        minutes: Minutes,
    ) -> Result<Plug, Failure> {
        let budget = self.context.budget(USUAL);
        self.order(located, async |plug| {
            Ok(self.lan.delay(&plug, state, minutes, budget).await?)
        })
        .await
    }

    /// Asks for the firmware's version.
    pub async fn version(&self, located: Located) -> Result<(Plug, String), Failure> {
        let budget = self.context.budget(USUAL);
        self.order(located, async |plug| {
            let version = self.lan.version(&plug, budget).await?;
            Ok((plug, version))
        })
        .await
    }

    /// Carries out an order on a plug; it may be carried out twice.
    ///
    /// A plug that is silent on UDP (because of a firewall on this side, say) is told all the same, as [`NOBODY`]: its
    /// user wants the light off. Not so where this side is known to be deaf.
    async fn order<T>(
        &self,
        located: Located,
        carry_out: impl AsyncFn(Plug) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let address = located.address;
        if located.plug.is_some() || !self.lan.taken().is_empty() {
            return carry_out(self.presence(located).await?).await;
        }
        let presence = pin!(self.presence(located));
        let blind = pin!(async {
            tokio::time::sleep(BLIND_AFTER).await;
            let nobody = Plug::new(NOBODY, FamilyId::Reco, address, Timestamp::now());
            carry_out(nobody).await
        });
        match select(presence, blind).await {
            Either::Left((Ok(plug), _)) => carry_out(plug).await,
            Either::Left((Err(silence), blind)) if silence.kind() == Kind::NoAnswer => {
                blind.await.map_err(|failure| silence.or(failure))
            }
            Either::Left((Err(failure), _)) => Err(failure),
            // What a plug says for certain needs no name; for the rest it is worth waiting who it was.
            Either::Right((Err(failure), _)) if failure.kind() != Kind::NoAnswer => Err(failure),
            Either::Right((blind, presence)) => match presence.await {
                Ok(plug) => carry_out(plug).await,
                Err(silence) => blind.map_err(|failure| silence.or(failure)),
            },
        }
    }

    /// Writes into the inventory what was seen.
    pub fn remember(&self) {
        self.context
            .remember(&self.inventory, &self.sightings.borrow());
    }

    async fn find_again(&self, target: &Target, mac: Mac) -> Result<Plug, Failure> {
        let entry = self.inventory.by_mac(mac);
        let last = entry.map(|entry| entry.address);
        if let Some(address) = last {
            match self
                .lan
                .presence(address, self.context.budget(AT_ITS_LAST_ADDRESS))
                .await
            {
                Ok(plug) if plug.mac == mac => return Ok(plug),
                // DHCP has given the address to another one.
                Ok(other) => self.sight(&other),
                Err(error) => tracing::debug!(%mac, %address, %error, "not where it was last seen"),
            }
        }
        // Where answers get lost a plug may be heard as a mere module first; it is known to be more.
        let family = entry.map(|entry| entry.family);
        let is_it =
            |plug: &Plug| plug.mac == mac && family.is_none_or(|known| known == plug.family);
        match self.scan.first(is_it).await {
            Some(plug) => Ok(plug),
            None => self
                .scan
                .first(|plug| plug.mac == mac)
                .await
                .ok_or_else(|| not_found(target, &self.lan, last)),
        }
    }

    /// A MAC is one plug's. A serial number should be; to know, the scan has to end.
    async fn find(&self, target: &Target) -> Result<Plug, Failure> {
        let found = self.find_one(target).await?;
        found.ok_or_else(|| not_found(target, &self.lan, None))
    }

    async fn find_one(&self, target: &Target) -> Result<Option<Plug>, Failure> {
        if !target.may_be_serial() {
            return Ok(self.scan.first(|plug| target.is(plug)).await);
        }
        let mut found = self.scan.all(|plug| target.is(plug)).await;
        if found.len() > 1 {
            let macs: Vec<Mac> = found.iter().map(|plug| plug.mac).collect();
            return Err(ambiguous(target, &macs));
        }
        Ok(found.pop())
    }

    /// The scan that all targets share.
    async fn search(&self) {
        let known = interfaces::reachable(&self.interfaces, &self.inventory);
        let mut events = self.lan.discover(DiscoverOptions {
            known,
            ..DiscoverOptions::default()
        });
        while let Some(event) = events.next().await {
            if let DiscoverEvent::Found(plug) | DiscoverEvent::Updated(plug) = event {
                self.sight(&plug);
                self.scan.found(plug);
            }
        }
    }

    fn refuse_broadcast(&self, address: Ipv4Addr) -> Result<(), Failure> {
        let is = |of: fn(&Interface) -> Ipv4Addr| {
            self.interfaces
                .iter()
                .any(|interface| of(interface) == address)
        };
        if is(|interface| interface.address) {
            return Err(Failure::new(
                Kind::NoAnswer,
                format!("{address} is this computer's own address"),
            )
            .hint("an emulated plug needs another address than the client, e.g. 127.0.0.2"));
        }
        if is(|interface| interface.broadcast) {
            return Err(Failure::usage(format!(
                "{address} is a broadcast address, not that of one plug"
            ))
            .hint("`mains discover` finds all plugs"));
        }
        Ok(())
    }

    fn sight(&self, plug: &Plug) {
        tracing::debug!(mac = %plug.mac, address = %plug.address, relay = ?plug.relay, "heard");
        if plug.mac != NOBODY {
            self.sightings.borrow_mut().push(plug.clone());
        }
    }

    fn named(&self, plug: Plug) -> Plug {
        Plug {
            name: self.inventory.name_of(plug.mac).map(str::to_owned),
            ..plug
        }
    }
}

/// Finds the address of one plug, and gives the sockets back: for a verb that speaks to the plug by itself.
pub async fn address_of(context: &Context, target: &Target) -> Result<Ipv4Addr, Failure> {
    let network = Network::open(context, std::slice::from_ref(target)).await?;
    let located = network.alongside(network.locate(target)).await?;
    network.remember();
    Ok(located.address)
}
