//! Configuration of an emulated S20.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use hiflying::Mac;

use super::fault::{OrviboBehaviour, OrviboFault};
use crate::config::{Mode, PlugConfig, Profile};
use crate::network::HomeNetwork;
use crate::reco::behaviour::RecoBehaviour;

/// Everything that makes one twin of an S20.
///
/// ```
/// use emulator::OrviboConfig;
/// use std::net::Ipv4Addr;
///
/// let lamp = OrviboConfig::at(Ipv4Addr::new(127, 77, 0, 3));
/// assert_eq!(lamp.mac.to_string(), "AC:CF:23:4D:00:03");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct OrviboConfig {
    /// Address of the twin in every mode.
    pub listen: Ipv4Addr,
    /// Its address after it has joined a network; without it the plug keeps its address.
    pub home_address: Option<Ipv4Addr>,
    /// The MAC.
    pub mac: Mac,
    /// The model in discovery replies.
    pub model: OrviboModel,
    /// The name that its owner gave it; empty for none.
    pub name: OrviboName,
    /// Fresh from the factory, or on the home network already.
    pub mode: Mode,
    /// The relay is on at the start.
    pub relay_on: bool,
    /// The networks it can join. In station mode it is on the first; without any, on one of its own.
    pub home_networks: Vec<HomeNetwork>,
    /// The ways in which it differs from a faithful unit; of two that contradict, the last counts.
    pub faults: Vec<OrviboFault>,
    /// Seeds the faults.
    pub seed: u64,
}

impl OrviboConfig {
    /// Makes a faithful S20 in station mode, with its MAC derived from its address.
    #[must_use]
    pub fn at(listen: Ipv4Addr) -> Self {
        Self {
            listen,
            home_address: None,
            mac: PlugConfig::at(listen).mac,
            model: OrviboModel::default(),
            name: OrviboName::default(),
            mode: Mode::default(),
            relay_on: false,
            home_networks: Vec::new(),
            faults: Vec::new(),
            seed: 0,
        }
    }

    pub(super) fn behaviour(&self) -> OrviboBehaviour {
        OrviboFault::together(&self.faults)
    }

    /// Returns the configuration of its Wi-Fi module, and how that differs from the module of an SP-2.
    pub(super) fn module(&self, behaviour: &OrviboBehaviour) -> (PlugConfig, RecoBehaviour) {
        let config = PlugConfig {
            home_address: self.home_address,
            mac: self.mac,
            profile: Profile::S20,
            mode: self.mode,
            home_networks: self.home_networks.clone(),
            seed: self.seed,
            ..PlugConfig::at(self.listen)
        };
        let mut module = behaviour.module.clone();
        module.wire.source_port = true;
        module.discovery.silent_scan = true;
        module.stream.refused = true;
        module.web.off = true;
        (config, module)
    }
}

/// An invalid configuration of an S20.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrviboConfigError {
    /// Not the name of a model.
    #[error("unknown model {0:?}; give soc001, soc002 or soc005")]
    Model(String),
    /// A name that does not fit into the plug.
    #[error("invalid name {0:?}; give at most 16 bytes without control characters")]
    Name(String),
}

/// The model of an S20.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OrviboModel {
    /// `SOC001`.
    Soc001,
    /// `SOC002`.
    Soc002,
    /// `SOC005`, which most captures show.
    #[default]
    Soc005,
}

impl OrviboModel {
    pub(super) const ALL: [Self; 3] = [Self::Soc001, Self::Soc002, Self::Soc005];

    pub(super) fn on_the_wire(self) -> &'static [u8; 6] {
        match self {
            Self::Soc001 => b"SOC001",
            Self::Soc002 => b"SOC002",
            Self::Soc005 => b"SOC005",
        }
    }
}

impl FromStr for OrviboModel {
    type Err = OrviboConfigError;

    fn from_str(text: &str) -> Result<Self, OrviboConfigError> {
        let is_it = |model: &Self| text.as_bytes().eq_ignore_ascii_case(model.on_the_wire());
        let found = Self::ALL.into_iter().find(is_it);
        found.ok_or_else(|| OrviboConfigError::Model(text.to_owned()))
    }
}

impl fmt::Display for OrviboModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = String::from_utf8_lossy(self.on_the_wire());
        f.write_str(&text.to_ascii_lowercase())
    }
}

/// The name that an S20 stores: up to 16 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrviboName(String);

impl OrviboName {
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Display for OrviboName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for OrviboName {
    type Err = OrviboConfigError;

    fn from_str(text: &str) -> Result<Self, OrviboConfigError> {
        if text.len() > 16 || text.chars().any(char::is_control) {
            return Err(OrviboConfigError::Name(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}
