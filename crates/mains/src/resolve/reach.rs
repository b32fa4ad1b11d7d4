//! The two ways to a plug: over the network from here, or through a hub.
//!
//! A verb does not care which: it commands a target, and the results have the same form.

use std::future::Future;

use plugs::{Capability, Minutes, Plug, Reading, RelayCommand, RelayState};

use super::network::Network;
use super::target::{SwitchedPlug, Target};
use super::through::Through;
use crate::context::Context;
use crate::error::Failure;

/// The way to plugs.
#[derive(Debug)]
pub enum Reach<'a> {
    /// Over the network, from here.
    Direct(Network<'a>),
    /// Through a hub, which has their few connections.
    Hub(Through<'a>),
}

/// Calls the same method of either way.
macro_rules! either {
    ($reach:expr, $way:ident => $call:expr) => {
        match $reach {
            Reach::Direct($way) => $call,
            Reach::Hub($way) => $call,
        }
    };
}

impl<'a> Reach<'a> {
    /// Gets ready to reach these targets: through the hub that was named or runs here, else directly.
    pub async fn open(context: &'a Context, targets: &[Target]) -> Result<Self, Failure> {
        if let Some(through) = Through::open(context).await? {
            return Ok(Self::Hub(through));
        }
        let network = Network::open(context, targets).await?;
        Ok(Self::Direct(network))
    }

    /// Runs work that may need a scan beside the scan. A hub scans by itself.
    pub async fn alongside<T>(&self, work: impl Future<Output = T>) -> T {
        match self {
            Self::Direct(network) => network.alongside(work).await,
            Self::Hub(_) => work.await,
        }
    }

    /// Returns the plugs that were named, each once and the plugs of a group in its place; without any, every plug with this
    /// ability, by name. It needs [`Reach::alongside`].
    pub async fn select(
        &self,
        given: &[Target],
        ability: Capability,
    ) -> Result<Vec<Target>, Failure> {
        let mut targets = match given {
            [] => either!(self, way => way.all(ability).await)?,
            given => either!(self, way => way.each_once(given).await)?,
        };
        if given.is_empty() {
            targets.sort_by_cached_key(Target::order);
        }
        Ok(targets)
    }

    /// Returns a plug's presence and relay state. Like all that finds a plug it needs [`Reach::alongside`].
    pub async fn presence(&self, target: &Target) -> Result<Plug, Failure> {
        either!(self, way => way.presence(target).await)
    }

    /// Switches a plug and confirms.
    pub async fn switch(
        &self,
        target: &Target,
        action: RelayCommand,
    ) -> Result<SwitchedPlug, Failure> {
        either!(self, way => way.switch(target, action).await)
    }

    /// Reads the meter.
    pub async fn meter(&self, target: &Target) -> Result<Reading, Failure> {
        either!(self, way => way.meter(target).await)
    }

    /// Sets the plug's own timer.
    pub async fn delay(
        &self,
        target: &Target,
        state: RelayState,
        minutes: Minutes,
    ) -> Result<Plug, Failure> {
        either!(self, way => way.delay(target, state, minutes).await)
    }

    /// Reads the firmware's version.
    pub async fn version(&self, target: &Target) -> Result<(Plug, String), Failure> {
        either!(self, way => way.version(target).await)
    }

    /// Writes what was seen into the inventory.
    pub fn remember(&self) {
        either!(self, way => way.remember());
    }
}
