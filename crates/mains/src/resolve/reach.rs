//! How a command reaches plugs: over the network by itself, or through a hub.
//!
//! A verb does not care which: it locates a target and tells it something, and what comes back has the same form.

use std::future::Future;

use plugs::net::Switched;
use plugs::{Minutes, Plug, Reading, RelayState};

use super::through::Through;
use super::{Located, Network, Target};
use crate::context::Context;
use crate::error::Failure;

/// How a command reaches plugs.
#[derive(Debug)]
pub enum Reach<'a> {
    /// By itself.
    Direct(Network<'a>),
    /// Through a hub, which has their few connections.
    Hub(Through<'a>),
}

/// What came of switching.
#[derive(Debug)]
pub struct Turned {
    /// What is known of the plug.
    pub switched: Switched,
    /// What the hub says of a relay that is not as wanted.
    pub said: Option<Failure>,
}

impl From<Switched> for Turned {
    fn from(switched: Switched) -> Self {
        Self {
            switched,
            said: None,
        }
    }
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

    /// Runs work that may need a scan beside the scan.
    pub async fn alongside<T>(&self, work: impl Future<Output = T>) -> T {
        match self {
            Self::Direct(network) => network.alongside(work).await,
            // It scans by itself.
            Self::Hub(_) => work.await,
        }
    }

    /// Finds a plug. Needs [`Reach::alongside`].
    pub async fn locate(&self, target: &Target) -> Result<Located, Failure> {
        match self {
            Self::Direct(network) => network.locate(target).await,
            Self::Hub(hub) => hub.locate(target).await,
        }
    }

    /// Returns a plug's presence and relay state.
    pub async fn presence(&self, located: Located) -> Result<Plug, Failure> {
        match self {
            Self::Direct(network) => network.presence(located).await,
            Self::Hub(hub) => hub.presence(located),
        }
    }

    /// Switches to `wanted` (or to what the relay is not), and knows whether it happened.
    pub async fn switch(
        &self,
        located: Located,
        wanted: Option<RelayState>,
    ) -> Result<Turned, Failure> {
        match self {
            Self::Direct(network) => network.switch(located, wanted).await.map(Turned::from),
            Self::Hub(hub) => hub.switch(located, wanted).await,
        }
    }

    /// Reads the meter.
    pub async fn meter(&self, located: Located) -> Result<Reading, Failure> {
        match self {
            Self::Direct(network) => network.meter(located).await,
            Self::Hub(hub) => hub.meter(located).await,
        }
    }

    /// Sets the plug's own timer.
    pub async fn delay(
        &self,
        located: Located,
        state: RelayState,
        minutes: Minutes,
    ) -> Result<Plug, Failure> {
        match self {
            Self::Direct(network) => network.delay(located, state, minutes).await,
            Self::Hub(hub) => hub.delay(located, state, minutes).await,
        }
    }

    /// Asks for the firmware's version.
    pub async fn version(&self, located: Located) -> Result<(Plug, String), Failure> {
        match self {
            Self::Direct(network) => network.version(located).await,
            Self::Hub(hub) => hub.version(located).await,
        }
    }

    /// Writes into the inventory what was seen.
    pub fn remember(&self) {
        match self {
            Self::Direct(network) => network.remember(),
            Self::Hub(hub) => hub.remember(),
        }
    }
}
