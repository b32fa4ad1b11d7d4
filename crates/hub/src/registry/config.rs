//! What the owner decides of keeping plugs, and what the registry works with.

use std::collections::HashMap;
use std::sync::Arc;

use api::Period;
use hiflying::Mac;
use hiflying::net::{Interface, InterfaceError};
use plugs::Families;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::event::EventBus;
use crate::store::{PlugStore, Sample};

/// What the owner decides.
#[derive(Debug, Clone)]
pub struct RegistryConfig {
    /// Where plugs are looked for.
    pub interfaces: Interfaces,
    /// The families whose members are looked for.
    pub families: Families,
    /// Take in every plug that is found.
    pub adopt: bool,
    /// How often a plug is metered that has no interval of its own.
    pub metering: Period,
    /// How often the network is asked who is there.
    pub scan: Period,
    /// Names that the owner has given on the command line, for plugs that are adopted.
    pub names: HashMap<Mac, String>,
}

/// Where plugs are looked for.
#[derive(Debug, Clone)]
pub enum Interfaces {
    /// Here, for ever.
    Fixed(Vec<Interface>),
    /// On the interfaces with these names or addresses, as they come, go and change; without any, on all that are up and not
    /// loopback.
    Named(Vec<String>),
}

impl Interfaces {
    /// Returns what there is of them now.
    pub(super) fn now(&self) -> Result<Vec<Interface>, InterfaceError> {
        match self {
            Self::Fixed(interfaces) => Ok(interfaces.clone()),
            Self::Named(names) => hiflying::net::select(names),
        }
    }
}

/// What the registry works with.
#[derive(Debug, Clone)]
pub struct RegistryContext {
    /// Where news goes.
    pub bus: EventBus,
    /// Where readings go, on their way into history.
    pub samples: mpsc::Sender<Sample>,
    /// Where plugs are kept.
    pub store: Arc<dyn PlugStore>,
    /// Ends everything.
    pub cancel: CancellationToken,
    /// Knows when everything has ended.
    pub tracker: TaskTracker,
}
