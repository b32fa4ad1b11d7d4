//! What a bridge is: its model, its addresses, its version, and who presses its button.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;
use std::time::Duration;

use hiflying::Mac;

use super::fault::BridgeFault;
use super::quirks::Quirks;
use crate::config::{SeriesError, after, mac_after, series};

/// Everything that makes one bridge.
///
/// ```
/// use emulator::bridge::{BridgeConfig, Model};
/// use std::net::Ipv4Addr;
///
/// let hall = BridgeConfig::new(Model::Square, Ipv4Addr::new(127, 77, 0, 3));
/// assert_eq!(hall.mac.to_string(), "00:17:88:4D:00:03");
/// assert_eq!(hall.bridge_id(), "001788fffe4d0003");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct BridgeConfig {
    /// Where it answers.
    pub listen: Ipv4Addr,
    /// Where it speaks HTTP (the Pro: where it says that it speaks HTTPS only). 0 takes any free port.
    pub http_port: u16,
    /// Where it speaks HTTPS, if the model does. 0 takes any free port.
    pub https_port: u16,
    /// Where it takes touchlink orders without a key, if the model does. 0 takes any free port.
    pub touchlink_port: u16,
    /// Its MAC, from which its id is made.
    pub mac: Mac,
    /// Which product it is.
    pub model: Model,
    /// The version of its interface.
    pub api: Api,
    /// The name that its owner gave.
    pub name: String,
    /// Somebody presses the link button so long after the start; for ever when the time is zero.
    pub press_after: Option<Duration>,
    /// Application keys that it knows from the start.
    pub keys: Vec<String>,
    /// Whether it announces itself by mDNS and SSDP, as its model does.
    pub announce: bool,
    /// The ways in which it differs from a faithful one; of two that contradict, the last counts.
    pub faults: Vec<BridgeFault>,
    /// Seeds its keys and, of the first bridge of a room, the numbers of the bulbs.
    pub seed: u64,
}

impl BridgeConfig {
    /// A faithful bridge with the ports, the version and the vendor's prefix of its model, its MAC derived from the address.
    #[must_use]
    pub fn new(model: Model, listen: Ipv4Addr) -> Self {
        let [_, b, c, d] = listen.octets();
        let [x, y, z] = model.prefix();
        Self {
            listen,
            http_port: 80,
            https_port: 443,
            touchlink_port: 30_000,
            mac: Mac::new([x, y, z, b, c, d]),
            model,
            api: model.api(),
            name: model.name().to_owned(),
            press_after: None,
            keys: Vec::new(),
            announce: false,
            faults: Vec::new(),
            seed: 0,
        }
    }

    /// The id: the MAC with `fffe` in the middle, in lower case.
    #[must_use]
    pub fn bridge_id(&self) -> String {
        let [a, b, c, d, e, f] = self.mac.octets();
        format!("{a:02x}{b:02x}{c:02x}fffe{d:02x}{e:02x}{f:02x}")
    }

    /// This bridge and those at the addresses that follow, `count` in all; MACs count up with the addresses.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Series`] when the addresses run out.
    pub fn series(&self, count: u32) -> Result<Vec<Self>, ConfigError> {
        let sibling = |step: u32| {
            Some(Self {
                listen: after(self.listen, step)?,
                mac: mac_after(self.mac, step),
                ..self.clone()
            })
        };
        series(self.listen, count, sibling).map_err(ConfigError::Series)
    }

    /// The MAC without separators, in lower case, as descriptions name it.
    pub(crate) fn compact_mac(&self) -> String {
        self.mac.compact().to_ascii_lowercase()
    }

    pub(crate) fn quirks(&self) -> Quirks {
        BridgeFault::together(&self.faults)
    }
}

/// A room that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The addresses do not suffice.
    #[error(transparent)]
    Series(SeriesError),
    /// A bulb belongs to a bridge by its number, and there are not so many.
    #[error("a bulb belongs to bridge {number}, and there are only {count}")]
    Owner {
        /// The number that was given, counted from 1.
        number: usize,
        /// How many bridges there are.
        count: usize,
    },
}

/// Which product a bridge is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Model {
    /// BSB001, round, 2012: HTTP, and touchlink on TCP 30000.
    Round,
    /// BSB002, square, 2015: HTTP and HTTPS.
    #[default]
    Square,
    /// BSB003, the Pro, 2025: HTTPS; port 80 says only that.
    Pro,
}

impl Model {
    /// The vendor's model id, in capitals.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Round => "BSB001",
            Self::Square => "BSB002",
            Self::Pro => "BSB003",
        }
    }

    /// The version that a bridge of this model has unless told otherwise; the pair of versions was seen on real ones.
    fn api(self) -> Api {
        let minor = match self {
            Self::Round => 13,
            Self::Square => 67,
            Self::Pro => 73,
        };
        Api::Version { minor, patch: 0 }
    }

    fn prefix(self) -> [u8; 3] {
        match self {
            Self::Round | Self::Square => [0x00, 0x17, 0x88],
            Self::Pro => [0xC4, 0x29, 0x96],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Round => "Philips hue",
            Self::Square | Self::Pro => "Hue Bridge",
        }
    }

    /// Whether it speaks HTTPS.
    #[must_use]
    pub fn has_https(self) -> bool {
        self != Self::Round
    }
}

/// Not a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no model: bsb001 (round), bsb002 (square) or bsb003 (Pro)")]
pub struct ModelError(String);

impl FromStr for Model {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        [Self::Round, Self::Square, Self::Pro]
            .into_iter()
            .find(|model| text.eq_ignore_ascii_case(model.id()))
            .ok_or_else(|| ModelError(text.to_owned()))
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id().to_ascii_lowercase())
    }
}

/// The version of a bridge's interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Api {
    /// The firmware of 2012, which tells no version.
    Untold,
    /// 1.`minor`.`patch`.
    Version {
        /// The part that matters.
        minor: u32,
        /// The part that does not.
        patch: u32,
    },
}

impl Api {
    /// Whether it is this minor version or a later one.
    pub(crate) fn has(self, since: u32) -> bool {
        matches!(self, Self::Version { minor, .. } if minor >= since)
    }

    /// The version of the firmware with this interface. The pairs up to 1.78 were seen; others are in between.
    pub(crate) fn software(self, model: Model) -> String {
        let Self::Version { minor, .. } = self else {
            return "01003542".to_owned();
        };
        match (model, minor) {
            (_, 0) => "01003542".to_owned(),
            (Model::Round, 3) => "01012917".to_owned(),
            (Model::Round, 11) => "01030262".to_owned(),
            (Model::Round, 13) => "01032318".to_owned(),
            (Model::Round, minor) => format!("0103{:04}", 1000 + minor * 100),
            (Model::Square, 29) => "1901181309".to_owned(),
            (Model::Square, 43) => "1943185030".to_owned(),
            (Model::Square, 67) => "1967054020".to_owned(),
            (Model::Square, 78) => "1978074000".to_owned(),
            (Model::Square, minor) => format!("19{minor:02}050000"),
            (Model::Pro, 73) => "2071096000".to_owned(),
            (Model::Pro, minor) => format!("20{minor:02}000000"),
        }
    }
}

/// Not a version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no version of a bridge: give 1.0 to 1.99.99, or none")]
pub struct ApiError(String);

impl FromStr for Api {
    type Err = ApiError;

    fn from_str(text: &str) -> Result<Self, ApiError> {
        if text.eq_ignore_ascii_case("none") {
            return Ok(Self::Untold);
        }
        let part = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => text.parse().ok().filter(|number| *number <= 99),
            false => None,
        };
        let rest = text.strip_prefix("1.");
        let (minor, patch) =
            rest.map_or(("", ""), |rest| rest.split_once('.').unwrap_or((rest, "0")));
        match (part(minor), part(patch)) {
            (Some(minor), Some(patch)) => Ok(Self::Version { minor, patch }),
            _ => Err(ApiError(text.to_owned())),
        }
    }
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untold => f.write_str("none"),
            Self::Version { minor, patch } => write!(f, "1.{minor}.{patch}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for (text, shown) in [
            ("none", "none"),
            ("1.13.0", "1.13.0"),
            ("1.9", "1.9.0"),
            ("1.0", "1.0.0"),
        ] {
            assert_eq!(text.parse::<Api>().unwrap().to_string(), shown);
        }
        for text in [
            "", "1", "1.", "2.0", "1.x", "1.+3", "1.100", "1.2.3.4", "1.-1",
        ] {
            assert!(text.parse::<Api>().is_err(), "{text}");
        }
        assert!("1.9".parse::<Api>().unwrap().has(9) && !"1.8.9".parse::<Api>().unwrap().has(9));
        assert!(!Api::Untold.has(0));
    }

    #[test]
    fn a_series_counts_up_within_the_models_prefix() {
        let first = BridgeConfig::new(Model::Pro, Ipv4Addr::new(127, 0, 0, 255));
        let series = first.series(2).unwrap();
        assert_eq!(series[1].listen, Ipv4Addr::new(127, 0, 1, 0));
        assert_eq!(series[1].bridge_id(), "c42996fffe000100");
        assert!(
            BridgeConfig::new(Model::Pro, Ipv4Addr::BROADCAST)
                .series(2)
                .is_err()
        );
    }

    #[test]
    fn models_in_any_case() {
        assert_eq!("BSB001".parse::<Model>(), Ok(Model::Round));
        assert_eq!("bsb003".parse::<Model>().unwrap().to_string(), "bsb003");
        assert!("bsb004".parse::<Model>().is_err());
    }
}
