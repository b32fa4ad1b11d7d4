//! Settings of the registry, and its surroundings in the hub.

use std::collections::HashMap;
use std::sync::Arc;

use api::Period;
use hiflying::Mac;
use hiflying::net::{Interface, InterfaceError};
use plugs::Families;
use plugs::net::CommandPermit;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::event::EventBus;
use crate::store::{PlugStore, Sample, SettingStore};

/// Settings of the registry.
#[derive(Debug, Clone)]
pub struct RegistryConfig {
    /// The interfaces on which plugs are searched for.
    pub interfaces: Interfaces,
    /// The families whose members are searched for.
    pub families: Families,
    /// `true` to adopt every plug that is found.
    pub adopt: bool,
    /// `true` to adopt the plugs that have a name, as long as no plug was ever adopted.
    pub adopts_named: bool,
    /// Metering interval of a plug without one of its own.
    pub metering: Period,
    /// Interval of the broadcast that probes all plugs.
    pub scan: Period,
    /// Names given on the command line, for plugs that are adopted.
    pub names: HashMap<Mac, String>,
}

/// Interfaces on which plugs are searched for.
#[derive(Debug, Clone)]
pub enum Interfaces {
    /// These, permanently.
    Fixed(Vec<Interface>),
    /// On the interfaces with these names or addresses, as they come, go and change; without any, on all that are up and not
    /// loopback.
    Named(Vec<String>),
    /// None: plugs are shown as they are stored, and not contacted.
    None,
}

impl RegistryConfig {
    /// Returns `true` if the hub has contact to plugs; one on standby only shows what is stored of them.
    pub(super) fn has_contact(&self) -> bool {
        !matches!(&self.interfaces, Interfaces::None)
    }
}

impl Interfaces {
    /// Returns those that exist at present.
    pub(crate) fn now(&self) -> Result<Vec<Interface>, InterfaceError> {
        match self {
            Self::Fixed(interfaces) => Ok(interfaces.clone()),
            Self::Named(names) => hiflying::net::select(names),
            Self::None => Ok(Vec::new()),
        }
    }
}

/// The surroundings of the registry in the hub.
#[derive(Debug, Clone)]
pub struct RegistryContext {
    /// The bus for events.
    pub bus: EventBus,
    /// The channel for readings, on their way into history.
    pub samples: mpsc::Sender<Sample>,
    /// The store of plugs.
    pub store: Arc<dyn PlugStore>,
    /// The store of settings, for the timers of plugs.
    pub settings: Arc<dyn SettingStore>,
    /// The permission without which no plug is commanded.
    pub permit: Arc<dyn CommandPermit>,
    /// The token that ends all tasks.
    pub cancel: CancellationToken,
    /// The tracker of all tasks, which completes when they have ended.
    pub tracker: TaskTracker,
}
