//! Configuration of an emulated plug: addresses, names, load, and the networks it can join.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;
use std::time::Duration;

use hiflying::Mac;

use crate::load::{Load, MORNING};
use crate::network::HomeNetwork;
use crate::reco::behaviour::RecoBehaviour;
use crate::reco::fault::PlugFault;

/// Everything that makes one twin.
///
/// ```
/// use emulator::PlugConfig;
/// use std::net::Ipv4Addr;
///
/// let kitchen = PlugConfig::at(Ipv4Addr::new(127, 77, 0, 3));
/// assert_eq!(kitchen.mac.to_string(), "AC:CF:23:4D:00:03");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct PlugConfig {
    /// Address of the twin in every mode.
    pub listen: Ipv4Addr,
    /// Its address after it has joined a network: the new lease.
    ///
    /// Its access point stays at `listen`. Without it the plug keeps its address.
    pub home_address: Option<Ipv4Addr>,
    /// The station MAC.
    pub mac: Mac,
    /// The serial number on the back, part of the name of its access point.
    pub serial: SerialNumber,
    /// Which product it is.
    pub profile: Profile,
    /// Fresh from the factory, or on the home network already.
    pub mode: Mode,
    /// Listens for SmartLink at the start, and is heard of no more until it has joined; in [`Mode::Ap`] only.
    pub smart_link: bool,
    /// The relay is on at the start.
    pub relay_on: bool,
    /// The appliance that is plugged in.
    pub load: Load,
    /// The energy counter at the start, in Wh.
    pub energy_wh: u64,
    /// Time of the load at the start, from a midnight: its habits depend on the time of day. Seven in the morning unless given.
    pub load_time: Duration,
    /// Prefix length of the home network, of which alone broadcasts are heard, and only while the plug is on it. Without it, those of
    /// the whole interface are heard at any time.
    pub prefix: Option<u8>,
    /// The networks it can join. In station mode it is on the first; without any, on one of its own.
    pub home_networks: Vec<HomeNetwork>,
    /// The ways in which it differs from a faithful unit; of two that contradict, the last counts.
    pub faults: Vec<PlugFault>,
    /// Seeds the line, the load and the faults.
    pub seed: u64,
}

impl PlugConfig {
    /// Makes a faithful SP-2 in station mode, with MAC and serial number derived from its address.
    ///
    /// Derived, so that twins of several commands differ, too.
    #[must_use]
    pub fn at(listen: Ipv4Addr) -> Self {
        let [_, b, c, d] = listen.octets();
        Self {
            listen,
            home_address: None,
            mac: Mac::new([0xAC, 0xCF, 0x23, b, c, d]),
            serial: SerialNumber::derived(u32::from_be_bytes([0, b, c, d])),
            profile: Profile::default(),
            mode: Mode::default(),
            smart_link: false,
            relay_on: false,
            load: Load::Constant(0.0),
            energy_wh: 0,
            load_time: MORNING,
            prefix: None,
            home_networks: Vec::new(),
            faults: Vec::new(),
            seed: 0,
        }
    }

    pub(crate) fn behaviour(&self) -> RecoBehaviour {
        PlugFault::together(&self.faults)
    }
}

impl Default for PlugConfig {
    fn default() -> Self {
        Self::at(Ipv4Addr::new(127, 0, 0, 2))
    }
}

/// Returns the MAC `step` further on, within the vendor's prefix.
#[must_use]
pub fn mac_after(mac: Mac, step: u32) -> Mac {
    let [a, b, c, d, e, f] = mac.octets();
    let [_, d, e, f] = u32::from_be_bytes([0, d, e, f])
        .wrapping_add(step)
        .to_be_bytes();
    Mac::new([a, b, c, d, e, f])
}

/// An invalid configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlugConfigError {
    /// Not a serial number.
    #[error("invalid serial number {0:?}; give 1 to 12 digits")]
    Serial(String),
    /// Not the name of a profile.
    #[error("unknown profile {0:?}; give sp2 or p10a")]
    Profile(String),
}

/// Which product a twin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// The Maginon SP-2.
    #[default]
    Sp2,
    /// The Reco4life P10A, known to differ in nothing that a client can see but the firmware text.
    P10a,
    /// The module of an Orvibo S20; the plug itself is an [`OrviboTwin`](crate::OrviboTwin).
    S20,
}

impl FromStr for Profile {
    type Err = PlugConfigError;

    fn from_str(text: &str) -> Result<Self, PlugConfigError> {
        match text.to_ascii_lowercase().as_str() {
            "sp2" => Ok(Self::Sp2),
            "p10a" => Ok(Self::P10a),
            _ => Err(PlugConfigError::Profile(text.to_owned())),
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sp2 => "sp2",
            Self::P10a => "p10a",
            Self::S20 => "s20",
        })
    }
}

/// State of a twin at its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Fresh from the factory, with an access point of its own.
    Ap,
    /// On the home network.
    #[default]
    Sta,
}

/// A serial number: digits, of which leading zeros count.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SerialNumber(String);

impl SerialNumber {
    fn derived(number: u32) -> Self {
        Self(format!("9{number:08}"))
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the number `step` further on, of the same length.
    #[must_use]
    pub fn after(&self, step: u32) -> Self {
        let width = self.0.len();
        let number: u64 = self.0.parse().expect("a serial number has up to 12 digits");
        let limit = (0..width).fold(1, |limit: u64, _| limit * 10);
        let number = (number + u64::from(step)) % limit;
        Self(format!("{number:0width$}"))
    }
}

impl FromStr for SerialNumber {
    type Err = PlugConfigError;

    fn from_str(text: &str) -> Result<Self, PlugConfigError> {
        if (1..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(PlugConfigError::Serial(text.to_owned()))
        }
    }
}

impl fmt::Display for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_counts_up_within_the_vendors_prefix() {
        for (mac, step, after) in [
            ("AC:CF:23:00:00:FE", 2, "AC:CF:23:00:01:00"),
            ("C4:29:96:FF:FF:FF", 1, "C4:29:96:00:00:00"),
        ] {
            let mac: Mac = mac.parse().unwrap();
            assert_eq!(mac_after(mac, step).to_string(), after);
        }
    }

    #[test]
    fn a_serial_number_is_digits_and_keeps_its_zeros() {
        assert_eq!(
            "000000009"
                .parse::<SerialNumber>()
                .unwrap()
                .after(1)
                .as_str(),
            "000000010"
        );
        assert_eq!(
            "999".parse::<SerialNumber>().unwrap().after(1).as_str(),
            "000"
        );
        for wrong in ["", "12a", "1234567890123", "-12"] {
            assert!(wrong.parse::<SerialNumber>().is_err());
        }
    }
}
