//! Configuration of an emulated plug: addresses, names, load, and the networks it can join.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use hiflying::Mac;

use crate::load::Load;
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
/// let home = kitchen.series(5)?;
/// assert_eq!(home[4].listen, Ipv4Addr::new(127, 77, 0, 7));
/// # Ok::<(), emulator::PlugConfigError>(())
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
    /// The relay is on at the start.
    pub relay_on: bool,
    /// The appliance that is plugged in.
    pub load: Load,
    /// The energy counter at the start, in Wh.
    pub energy_wh: u64,
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
    /// Derived, so that twins started one by one are as different as those of one series.
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
            relay_on: false,
            load: Load::Constant(0.0),
            energy_wh: 0,
            home_networks: Vec::new(),
            faults: Vec::new(),
            seed: 0,
        }
    }

    /// This twin and those at the addresses that follow, `count` in all.
    ///
    /// MACs and serial numbers count up with the addresses.
    ///
    /// # Errors
    ///
    /// [`PlugConfigError::Series`] when the addresses run out.
    pub fn series(&self, count: u32) -> Result<Vec<Self>, PlugConfigError> {
        let sibling = |step: u32| {
            Some(Self {
                listen: after(self.listen, step)?,
                home_address: match self.home_address {
                    Some(address) => Some(after(address, step)?),
                    None => None,
                },
                mac: mac_after(self.mac, step),
                serial: self.serial.after(step),
                ..self.clone()
            })
        };
        series(self.listen, count, sibling).map_err(PlugConfigError::Series)
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

/// Returns the twins at `count` addresses from `first` on; `sibling` makes each from its number.
pub(crate) fn series<T>(
    first: Ipv4Addr,
    count: u32,
    sibling: impl Fn(u32) -> Option<T>,
) -> Result<Vec<T>, SeriesError> {
    let all = (0..count).map(sibling).collect::<Option<_>>();
    all.ok_or(SeriesError { first, count })
}

/// Returns the address `step` further on.
pub(crate) fn after(address: Ipv4Addr, step: u32) -> Option<Ipv4Addr> {
    u32::from(address).checked_add(step).map(Ipv4Addr::from)
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

/// The address space ends before a series of twins does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there are no {count} addresses from {first} on")]
pub struct SeriesError {
    first: Ipv4Addr,
    count: u32,
}

/// An invalid configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlugConfigError {
    /// The addresses do not suffice.
    #[error(transparent)]
    Series(SeriesError),
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
    fn a_series_counts_everything_up() {
        let mut first = PlugConfig::at(Ipv4Addr::new(127, 0, 0, 254));
        first.serial = "040001299".parse().unwrap();
        first.home_address = Some(Ipv4Addr::new(127, 9, 0, 1));
        let series = first.series(3).unwrap();
        assert_eq!(series[0], first);
        assert_eq!(series[2].listen, Ipv4Addr::new(127, 0, 1, 0));
        assert_eq!(series[2].home_address, Some(Ipv4Addr::new(127, 9, 0, 3)));
        assert_eq!(series[2].mac.to_string(), "AC:CF:23:00:01:00");
        assert_eq!(series[2].serial.as_str(), "040001301");
    }

    #[test]
    fn a_series_beyond_the_last_address_is_refused() {
        let last = PlugConfig::at(Ipv4Addr::new(255, 255, 255, 254));
        assert!(last.series(2).is_ok());
        assert!(last.series(3).is_err());
    }

    #[test]
    fn neighbours_started_one_by_one_are_those_of_a_series() {
        let one = PlugConfig::at(Ipv4Addr::new(127, 77, 0, 3));
        let next = PlugConfig::at(Ipv4Addr::new(127, 77, 0, 4));
        assert_eq!(one.series(2).unwrap()[1], next);
        assert_eq!(one.serial.as_str().len(), 9);
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
