//! One command's view of the network: the sockets it needs, one scan shared by all that need one, and what was seen.

use std::cell::RefCell;
use std::collections::HashSet;
use std::future::Future;
use std::net::Ipv4Addr;
use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use hiflying::Mac;
use hiflying::net::Interface;
use plugs::net::{DiscoverEvent, DiscoverOptions, Lan, PlugHandle, PlugTarget};
use plugs::plug::UNKNOWN_MAC;
use plugs::{Capability, FamilyId, Minutes, Plug, Reading, RelayCommand, RelayState};
use tokio::time::sleep;

use super::scan::Scan;
use super::target::SwitchedPlug;
use super::{SecondAddresses, Target, Through, ambiguous, interfaces, not_found, unknown_name};
use crate::context::Context;
use crate::error::{Failure, Kind};
use crate::inventory::{Inventory, InventoryEntry};

/// The time for a plug to reply at its last address before the whole network is asked. The scan asks it there again,
/// so a lost datagram costs this much and no more.
const LAST_ADDRESS_TIMEOUT: Duration = Duration::from_millis(400);
/// The time for a given address to tell who is there: some fifteen tries, enough for 40 % loss each way.
const PRESENCE_TIMEOUT: Duration = Duration::from_secs(3);
/// The time for a second device with the same MAC to reply to a scan, too.
const SECOND_REPLY_TIMEOUT: Duration = Duration::from_millis(100);
/// Twice the time for a plug to tell the name that it stores, of which a shorter `--timeout` leaves half to the rest.
const LABEL_TIMEOUT: Duration = Duration::from_secs(4);
/// The time for one command, unless `--timeout` says otherwise.
pub(crate) const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);

/// The place where a plug is looked for first.
enum Place<'a> {
    /// The address that was given.
    Address(Ipv4Addr),
    /// Its last address.
    Last(&'a InventoryEntry),
    /// The whole network.
    Anywhere,
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
    heard: RefCell<SecondAddresses>,
}

impl<'a> Network<'a> {
    /// Opens the sockets that these targets need. Nothing is sent yet.
    pub async fn open(context: &'a Context, targets: &[Target]) -> Result<Self, Failure> {
        let inventory = context.inventory()?;
        let interfaces = interfaces::for_targets(context, targets, &inventory)?;
        let lan = context
            .bounded(async { Ok(Lan::open(&interfaces).await?) })
            .await?;
        lan.set_words(context.known_words());
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
            heard: RefCell::default(),
        })
    }

    /// Returns the sockets.
    pub(crate) fn lan(&self) -> &Lan {
        &self.lan
    }

    /// Runs work that may need the scan beside the scan.
    pub async fn alongside<T>(&self, work: impl Future<Output = T>) -> T {
        let scan = pin!(self.scan.drive(self.search()));
        match select(pin!(work), scan).await {
            Either::Left((result, _)) => result,
            Either::Right(((), work)) => work.await,
        }
    }

    /// Returns every plug with this ability that replies, and those that have a name and do not.
    pub(super) async fn all(&self, ability: Capability) -> Result<Vec<Target>, Failure> {
        let families = self.lan.families();
        let mut found = self
            .scan
            .all(|plug| families.can(plug.family, ability))
            .await;
        let named = self
            .inventory
            .entries()
            .iter()
            .filter(|entry| entry.name.is_some() && families.can(entry.family, ability));
        for entry in named {
            if found.iter().all(|plug| plug.mac != entry.mac) {
                found.push(entry.as_plug());
            }
        }
        if let (true, Some(error)) = (found.is_empty(), self.lan.taken().first()) {
            return Err(Failure::from(error.as_ref()));
        }
        let target = |plug: &Plug| Target::of_plug(plug.mac, self.inventory.name_of(plug.mac));
        Ok(found.iter().map(target).collect())
    }

    /// Returns these plugs, each once.
    pub(super) async fn each_once(&self, given: &[Target]) -> Result<Vec<Target>, Failure> {
        let mut targets: Vec<Target> = Vec::new();
        let mut macs = HashSet::new();
        for target in given {
            let is_new = match target.remembered(&self.inventory).as_slice() {
                [mac] => macs.insert(*mac),
                _ => !targets.iter().any(|other| other.is_same(target)),
            };
            if is_new {
                targets.push(target.clone());
            }
        }
        Ok(targets)
    }

    /// Returns a plug's presence, relay state and the name that it stores. Like all that finds a plug it needs [`Network::alongside`].
    pub async fn presence(&self, target: &Target) -> Result<Plug, Failure> {
        let plug = match self.place(target)? {
            Place::Address(address) => {
                let budget = self.context.budget(PRESENCE_TIMEOUT);
                self.lan.presence(address, budget).await?
            }
            Place::Last(entry) => {
                let budget = self.context.budget(LAST_ADDRESS_TIMEOUT);
                // Where replies get lost, a plug may be heard as a mere module; it is known to be more.
                let is_it = |plug: &Plug| {
                    let is_module = plug.family == FamilyId::MODULE;
                    plug.mac == entry.mac && (!is_module || entry.family == FamilyId::MODULE)
                };
                match self.lan.presence(entry.address, budget).await {
                    Ok(plug) if is_it(&plug) => plug,
                    heard => {
                        // DHCP may have given the address to another one.
                        heard.iter().for_each(|other| self.sight(other));
                        self.find_again(target, entry).await?
                    }
                }
            }
            Place::Anywhere => self.find(target).await?,
        };
        self.sight(&plug);
        // Without its name it is still worth telling.
        let budget = self.context.budget(LABEL_TIMEOUT) / 2;
        Ok(self.named(self.lan.labelled(plug, budget).await))
    }

    /// Switches a plug, and reads its relay back.
    pub async fn switch(
        &self,
        target: &Target,
        action: RelayCommand,
    ) -> Result<SwitchedPlug, Failure> {
        let handle = self.handle(target).await?;
        let budget = self.context.budget(COMMAND_TIMEOUT);
        let switched = handle.switch(action, budget).await?;
        Ok(SwitchedPlug {
            plug: self.commanded(&handle),
            switched,
        })
    }

    /// Reads the meter.
    pub async fn meter(&self, target: &Target) -> Result<Reading, Failure> {
        let handle = self.handle(target).await?;
        let reading = handle.meter(self.context.budget(COMMAND_TIMEOUT)).await?;
        self.commanded(&handle);
        Ok(reading)
    }

    /// Sets the plug's own timer.
    pub async fn delay(
        &self,
        target: &Target,
        state: RelayState,
        minutes: Minutes,
    ) -> Result<Plug, Failure> {
        let handle = self.handle(target).await?;
        let budget = self.context.budget(COMMAND_TIMEOUT);
        handle.delay(state, minutes, budget).await?;
        Ok(self.commanded(&handle))
    }

    /// Reads the firmware's version.
    pub async fn version(&self, target: &Target) -> Result<(Plug, String), Failure> {
        let handle = self.handle(target).await?;
        let budget = self.context.budget(COMMAND_TIMEOUT);
        let (_, version) = handle.version(budget).await?;
        Ok((self.commanded(&handle), version))
    }

    /// Finds a plug and opens the way to it: at the given address, at its last one, or by a scan.
    async fn handle(&self, target: &Target) -> Result<PlugHandle, Failure> {
        let plug = match self.place(target)? {
            Place::Address(address) => return Ok(self.lan.plug(address)),
            Place::Last(entry) => {
                let remembered = PlugTarget::Remembered(Box::new(entry.as_plug()));
                let handle = self.lan.plug(remembered);
                let budget = self.context.budget(LAST_ADDRESS_TIMEOUT);
                match handle.identify(budget).await {
                    Ok(_) => return Ok(handle),
                    Err(error) => {
                        tracing::debug!(mac = %entry.mac, %error, "not where it was last seen");
                        self.find_again(target, entry).await?
                    }
                }
            }
            Place::Anywhere => self.find(target).await?,
        };
        Ok(self.lan.plug(plug))
    }

    /// Returns where a plug is looked for first.
    fn place(&self, target: &Target) -> Result<Place<'_>, Failure> {
        if let Some(address) = target.address() {
            self.refuse_broadcast(address)?;
            return Ok(Place::Address(address));
        }
        match target.remembered(&self.inventory).as_slice() {
            [mac] => Ok(match self.inventory.by_mac(*mac) {
                Some(entry) => Place::Last(entry),
                None => Place::Anywhere,
            }),
            [] if target.can_be_scanned_for() => Ok(Place::Anywhere),
            [] => Err(unknown_name(target, &self.inventory)),
            several => Err(ambiguous(target, several)),
        }
    }

    /// Returns the plug that carried out a command.
    fn commanded(&self, handle: &PlugHandle) -> Plug {
        let plug = handle.plug().unwrap_or_else(|| {
            let address = handle.address();
            Plug::new(UNKNOWN_MAC, FamilyId::MODULE, address, plugs::now())
        });
        self.sight(&plug);
        self.named(plug)
    }

    /// Writes into the inventory what was seen.
    pub fn remember(&self) {
        self.context
            .remember(&self.inventory, &self.sightings.borrow());
    }

    /// Scans for a plug that is not where it was last seen.
    async fn find_again(&self, target: &Target, entry: &InventoryEntry) -> Result<Plug, Failure> {
        // Where replies get lost a plug may be heard as a mere module first; it is known to be more.
        let is_it = |plug: &Plug| plug.mac == entry.mac && plug.family == entry.family;
        let found = match self.scan.first(is_it).await {
            Some(plug) => Some(plug),
            None => self.scan.first(|plug| plug.mac == entry.mac).await,
        };
        let found = found.ok_or_else(|| not_found(target, &self.lan, Some(entry.address)))?;
        self.hear_others().await;
        Ok(found)
    }

    /// A MAC is one plug's. A serial number should be; to know, the scan has to end.
    async fn find(&self, target: &Target) -> Result<Plug, Failure> {
        let found = self.find_one(target).await?;
        found.ok_or_else(|| not_found(target, &self.lan, None))
    }

    async fn find_one(&self, target: &Target) -> Result<Option<Plug>, Failure> {
        if !target.may_be_serial() {
            let found = self.scan.first(|plug| target.is(plug)).await;
            if found.is_some() {
                self.hear_others().await;
            }
            return Ok(found);
        }
        let mut found = self.scan.all(|plug| target.is(plug)).await;
        if found.len() > 1 {
            let macs: Vec<Mac> = found.iter().map(|plug| plug.mac).collect();
            return Err(ambiguous(target, &macs));
        }
        Ok(found.pop())
    }

    /// Lets the scan go on for a moment after a plug was found, to hear another one with the same MAC.
    async fn hear_others(&self) {
        // Little of the time that is left.
        let left = self.context.budget(SECOND_REPLY_TIMEOUT * 10);
        sleep(left / 10).await;
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
        let is = |is_it: fn(&Interface, Ipv4Addr) -> bool| {
            self.interfaces
                .iter()
                .any(|interface| is_it(interface, address))
        };
        if is(|interface, address| interface.address == address) {
            return Err(Failure::new(
                Kind::NoAnswer,
                format!("{address} is this computer's own address"),
            )
            .hint("an emulated plug needs another address than the client, e.g. 127.0.0.2"));
        }
        if is(Interface::is_broadcast) {
            return Err(Failure::usage(format!(
                "{address} is a broadcast address, not that of one plug"
            ))
            .hint("`mains discover` finds all plugs"));
        }
        Ok(())
    }

    fn sight(&self, plug: &Plug) {
        tracing::debug!(mac = %plug.mac, address = %plug.address, relay = ?plug.relay, "heard");
        if plug.mac != UNKNOWN_MAC {
            self.heard.borrow_mut().warn(&self.context.ui, plug);
            self.sightings.borrow_mut().push(plug.clone());
        }
    }

    fn named(&self, plug: Plug) -> Plug {
        self.inventory.named(plug)
    }
}

/// Finds the address of one plug, and gives the sockets back: for a verb that speaks to the plug by itself.
pub async fn address_of(context: &Context, target: &Target) -> Result<Ipv4Addr, Failure> {
    if let Some(address) = target.address() {
        Network::open(context, std::slice::from_ref(target))
            .await?
            .refuse_broadcast(address)?;
        return Ok(address);
    }
    // The hub has the names of its plugs, and follows them to new addresses.
    if let Some(hub) = Through::open(context).await? {
        return Ok(hub.locate(target).await?.address);
    }
    let network = Network::open(context, std::slice::from_ref(target)).await?;
    let plug = network.alongside(network.presence(target)).await?;
    network.remember();
    Ok(plug.address)
}
