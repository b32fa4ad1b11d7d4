//! Configuration of a bridge: model, addresses, version, and its link button.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::str::FromStr;
use std::time::Duration;

use hiflying::Mac;

use super::behaviour::BridgeBehaviour;
use super::fault::BridgeFault;

/// Everything that makes one bridge.
///
/// ```
/// use emulator::bridge::{BridgeConfig, TwinModel};
/// use std::net::Ipv4Addr;
///
/// let hall = BridgeConfig::new(TwinModel::Square, Ipv4Addr::new(127, 77, 0, 3));
/// assert_eq!(hall.mac.to_string(), "00:17:88:4D:00:03");
/// assert_eq!(hall.bridge_id(), "001788fffe4d0003");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct BridgeConfig {
    /// Its address.
    pub listen: Ipv4Addr,
    /// Port of HTTP, which the Pro only redirects to HTTPS. 0 takes any free port.
    pub http_port: u16,
    /// Port of HTTPS, if the model has it. 0 takes any free port.
    pub https_port: u16,
    /// Port of touchlink without a key, if the model has it. 0 takes any free port.
    pub touchlink_port: u16,
    /// Its MAC, from which its id is made.
    pub mac: Mac,
    /// Which product it is.
    pub model: TwinModel,
    /// The version of its interface.
    pub api: InterfaceVersion,
    /// The name that its owner gave.
    pub name: String,
    /// Delay after which the link button is pressed; zero presses it for ever.
    pub press_after: Option<Duration>,
    /// Application keys that are registered from the start.
    pub keys: Vec<String>,
    /// Announces itself by mDNS and SSDP, as its model does.
    pub announce: bool,
    /// The ways in which it differs from a faithful one; of two that contradict, the last counts.
    pub faults: Vec<BridgeFault>,
    /// Seeds its keys and, of the first bridge of a room, the numbers of the bulbs.
    pub seed: u64,
}

impl BridgeConfig {
    /// A faithful bridge with the ports, the version and the vendor's prefix of its model, its MAC derived from the address.
    #[must_use]
    pub fn new(model: TwinModel, listen: Ipv4Addr) -> Self {
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

    /// Sets the ports of HTTP, HTTPS and touchlink to those that were opened.
    pub(super) fn set_ports(&mut self, opened: [Option<SocketAddrV4>; 3]) {
        let ports = [
            &mut self.http_port,
            &mut self.https_port,
            &mut self.touchlink_port,
        ];
        for (port, opened) in ports.into_iter().zip(opened) {
            *port = opened.map_or(*port, |address| address.port());
        }
    }

    /// The MAC without separators, in lower case, as descriptions name it.
    pub(crate) fn compact_mac(&self) -> String {
        self.mac.compact().to_ascii_lowercase()
    }

    pub(crate) fn quirks(&self) -> BridgeBehaviour {
        BridgeFault::together(&self.faults)
    }
}

/// A bulb belongs to a bridge by its number, and there are fewer bridges.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a bulb belongs to bridge {number}, and there are only {count}")]
pub struct RoomError {
    /// The number that was given, counted from 1.
    pub number: usize,
    /// Number of bridges.
    pub count: usize,
}

/// Which product a bridge is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TwinModel {
    /// BSB001, round, 2012: HTTP, and touchlink on TCP 30000.
    Round,
    /// BSB002, square, 2015: HTTP and HTTPS.
    #[default]
    Square,
    /// BSB003, the Pro, 2025: HTTPS, to which port 80 redirects.
    Pro,
}

impl TwinModel {
    /// The vendor's model id, in capitals.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Round => "BSB001",
            Self::Square => "BSB002",
            Self::Pro => "BSB003",
        }
    }

    /// The default version of the model; the pair of versions was seen on real bridges.
    fn api(self) -> InterfaceVersion {
        let minor = match self {
            Self::Round => 13,
            Self::Square => 67,
            Self::Pro => 73,
        };
        InterfaceVersion::Version { minor, patch: 0 }
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

    /// Tells whether the model has HTTPS.
    #[must_use]
    pub fn has_https(self) -> bool {
        self != Self::Round
    }
}

/// Not a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown model {0:?}; give bsb001 (round), bsb002 (square) or bsb003 (Pro)")]
pub struct TwinModelError(String);

impl FromStr for TwinModel {
    type Err = TwinModelError;

    fn from_str(text: &str) -> Result<Self, TwinModelError> {
        [Self::Round, Self::Square, Self::Pro]
            .into_iter()
            .find(|model| text.eq_ignore_ascii_case(model.id()))
            .ok_or_else(|| TwinModelError(text.to_owned()))
    }
}

impl fmt::Display for TwinModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id().to_ascii_lowercase())
    }
}

/// The version of a bridge's interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum InterfaceVersion {
    /// The firmware of 2012, which reports no version.
    Untold,
    /// 1.`minor`.`patch`.
    Version {
        /// The part that matters.
        minor: u32,
        /// The part that does not.
        patch: u32,
    },
}

impl InterfaceVersion {
    /// Tells whether it is this minor version or a later one.
    pub(crate) fn has(self, since: u32) -> bool {
        matches!(self, Self::Version { minor, .. } if minor >= since)
    }

    /// The version of the firmware with this interface. The pairs up to 1.78 were seen; others are in between.
    pub(crate) fn software(self, model: TwinModel) -> String {
        let Self::Version { minor, .. } = self else {
            return "01003542".to_owned();
        };
        match (model, minor) {
            (_, 0) => "01003542".to_owned(),
            (TwinModel::Round, 3) => "01012917".to_owned(),
            (TwinModel::Round, 11) => "01030262".to_owned(),
            (TwinModel::Round, 13) => "01032318".to_owned(),
            (TwinModel::Round, minor) => format!("0103{:04}", 1000 + minor * 100),
            (TwinModel::Square, 29) => "1901181309".to_owned(),
            (TwinModel::Square, 43) => "1943185030".to_owned(),
            (TwinModel::Square, 67) => "1967054020".to_owned(),
            (TwinModel::Square, 78) => "1978074000".to_owned(),
            (TwinModel::Square, minor) => format!("19{minor:02}050000"),
            (TwinModel::Pro, 73) => "2071096000".to_owned(),
            (TwinModel::Pro, minor) => format!("20{minor:02}000000"),
        }
    }
}

/// Not a version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid bridge version {0:?}; give 1.0 to 1.99.99, or none")]
pub struct InterfaceVersionError(String);

impl FromStr for InterfaceVersion {
    type Err = InterfaceVersionError;

    fn from_str(text: &str) -> Result<Self, InterfaceVersionError> {
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
            _ => Err(InterfaceVersionError(text.to_owned())),
        }
    }
}

impl fmt::Display for InterfaceVersion {
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
            assert_eq!(text.parse::<InterfaceVersion>().unwrap().to_string(), shown);
        }
        for text in [
            "", "1", "1.", "2.0", "1.x", "1.+3", "1.100", "1.2.3.4", "1.-1",
        ] {
            assert!(text.parse::<InterfaceVersion>().is_err(), "{text}");
        }
        assert!(
            "1.9".parse::<InterfaceVersion>().unwrap().has(9)
                && !"1.8.9".parse::<InterfaceVersion>().unwrap().has(9)
        );
        assert!(!InterfaceVersion::Untold.has(0));
    }

    #[test]
    fn the_id_is_the_mac_with_fffe() {
        let bridge = BridgeConfig::new(TwinModel::Pro, Ipv4Addr::new(127, 0, 1, 0));
        assert_eq!(bridge.bridge_id(), "c42996fffe000100");
    }

    #[test]
    fn models_in_any_case() {
        assert_eq!("BSB001".parse::<TwinModel>(), Ok(TwinModel::Round));
        assert_eq!("bsb003".parse::<TwinModel>().unwrap().to_string(), "bsb003");
        assert!("bsb004".parse::<TwinModel>().is_err());
    }
}
