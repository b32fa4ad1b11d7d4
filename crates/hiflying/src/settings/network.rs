//! The radio side: link, addresses, access point.

use std::net::Ipv4Addr;

use zeroize::Zeroizing;

use super::{OnOff, WireValue, text, wire};
use crate::Mac;
use crate::wifi::Ssid;

/// Link to the joined network (`WSLK`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkStatus {
    /// Not linked. A network that is called "Disconnected" looks the same on clones that leave out
    /// the address.
    Disconnected,
    /// The radio is off.
    RadioOff,
    /// Linked.
    Connected {
        /// Name of the network.
        ssid: Ssid,
        /// Address of its access point; a clone leaves it out.
        bssid: Option<Mac>,
    },
}

impl WireValue for LinkStatus {
    const FORM: &'static str = "Disconnected, RF Off or <SSID>(<MAC>)";

    fn parse(bytes: &[u8]) -> Option<Self> {
        match text(bytes).unwrap_or_default() {
            word if word.eq_ignore_ascii_case("disconnected") => return Some(Self::Disconnected),
            word if word.eq_ignore_ascii_case("rf off") => return Some(Self::RadioOff),
            _ => {}
        }
        let (name, bssid) = match split_last_bracket(bytes) {
            Some((name, mac)) => (name, Some(mac)),
            None => (bytes, None),
        };
        Some(Self::Connected {
            ssid: Ssid::new(name).ok()?,
            bssid,
        })
    }

    fn emit(&self) -> Zeroizing<Vec<u8>> {
        match self {
            Self::Disconnected => wire("Disconnected"),
            Self::RadioOff => wire("RF Off"),
            Self::Connected { ssid, bssid } => {
                let mut bytes = Zeroizing::new(ssid.as_bytes().to_vec());
                if let Some(mac) = bssid {
                    bytes.extend_from_slice(format!("({})", mac.compact()).as_bytes());
                }
                bytes
            }
        }
    }
}

/// By the last bracket, because a name may contain one.
fn split_last_bracket(bytes: &[u8]) -> Option<(&[u8], Mac)> {
    let at = bytes.iter().rposition(|&byte| byte == b'(')?;
    let (name, rest) = bytes.split_at_checked(at)?;
    let mac = text(rest)?
        .strip_prefix('(')?
        .strip_suffix(')')?
        .parse()
        .ok()?;
    Some((name, mac))
}

/// Link quality (`WSLQ`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkQuality {
    /// Not linked.
    Disconnected,
    /// The module's figure, a percentage where known.
    Level(u32),
}

impl WireValue for LinkQuality {
    const FORM: &'static str = "Disconnected or a number";

    fn parse(bytes: &[u8]) -> Option<Self> {
        let word = text(bytes)?;
        if word.eq_ignore_ascii_case("disconnected") {
            return Some(Self::Disconnected);
        }
        word.trim_end_matches('%').parse().ok().map(Self::Level)
    }

    fn emit(&self) -> Zeroizing<Vec<u8>> {
        match self {
            Self::Disconnected => wire("Disconnected"),
            Self::Level(level) => wire(level),
        }
    }
}

/// Where an address comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Addressing {
    /// From the network's DHCP server.
    Dhcp,
    /// Fixed in the module.
    Static,
}

/// Address on the joined network (`WANN`); all zeros while there is no lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wan {
    /// Where it comes from.
    pub addressing: Addressing,
    /// The module's address.
    pub address: Ipv4Addr,
    /// The network's mask.
    pub mask: Ipv4Addr,
    /// The router.
    pub gateway: Ipv4Addr,
}

impl Wan {
    /// What to set for an address by DHCP, in the padded form that every known firmware takes.
    pub const DHCP: Self = Self {
        addressing: Addressing::Dhcp,
        address: Ipv4Addr::UNSPECIFIED,
        mask: Ipv4Addr::UNSPECIFIED,
        gateway: Ipv4Addr::UNSPECIFIED,
    };

    /// Tells whether there is an address that others can reach.
    pub fn has_lease(&self) -> bool {
        !self.address.is_unspecified()
            && !self.address.is_link_local()
            && !self.address.is_broadcast()
    }
}

impl WireValue for Wan {
    const FORM: &'static str = "DHCP|static,<address>,<mask>,<gateway>";

    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut fields = text(bytes)?.split(',').map(str::trim);
        let addressing = match fields.next()? {
            word if word.eq_ignore_ascii_case("dhcp") => Addressing::Dhcp,
            word if word.eq_ignore_ascii_case("static") => Addressing::Static,
            _ => return None,
        };
        // `DHCP` alone is a legal value.
        let mut address = || match fields.next() {
            None | Some("") => Some(Ipv4Addr::UNSPECIFIED),
            Some(field) => field.parse().ok(),
        };
        Some(Self {
            addressing,
            address: address()?,
            mask: address()?,
            gateway: address()?,
        })
    }

    fn emit(&self) -> Zeroizing<Vec<u8>> {
        let word = match self.addressing {
            Addressing::Dhcp => "DHCP",
            Addressing::Static => "static",
        };
        wire(format_args!(
            "{word},{},{},{}",
            self.address, self.mask, self.gateway
        ))
    }
}

/// Address on the module's own access point (`LANN`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lan {
    /// The module's address.
    pub address: Ipv4Addr,
    /// The mask.
    pub mask: Ipv4Addr,
}

impl WireValue for Lan {
    const FORM: &'static str = "<address>,<mask>";

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (address, mask) = text(bytes)?.split_once(',')?;
        Some(Self {
            address: address.trim().parse().ok()?,
            mask: mask.trim().parse().ok()?,
        })
    }

    fn emit(&self) -> Zeroizing<Vec<u8>> {
        wire(format_args!("{},{}", self.address, self.mask))
    }
}

/// DHCP server of the access point (`WADHCP`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DhcpServer {
    /// Whether it runs.
    pub state: OnOff,
    /// First and last host number of the pool, where told.
    pub pool: Option<(u8, u8)>,
}

impl WireValue for DhcpServer {
    const FORM: &'static str = "on|off[,<first>,<last>]";

    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut fields = text(bytes)?.split(',').map(str::trim);
        let state = OnOff::parse(fields.next()?.as_bytes())?;
        let pool = match (fields.next(), fields.next()) {
            (Some(first), Some(last)) => Some((first.parse().ok()?, last.parse().ok()?)),
            _ => None,
        };
        Some(Self { state, pool })
    }

    fn emit(&self) -> Zeroizing<Vec<u8>> {
        match self.pool {
            Some((first, last)) => wire(format_args!("{},{first},{last}", self.state)),
            None => wire(self.state),
        }
    }
}

/// The module's own access point (`WAP`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessPoint {
    /// Such as `11BGN`.
    pub standard: String,
    /// Its network name.
    pub ssid: Ssid,
    /// Such as `CH1` or `AUTO`.
    pub channel: String,
}

impl WireValue for AccessPoint {
    const FORM: &'static str = "<standard>,<SSID>,<channel>";

    fn parse(bytes: &[u8]) -> Option<Self> {
        // From both ends: the name in the middle may contain commas.
        let first = bytes.iter().position(|&byte| byte == b',')?;
        let last = bytes
            .iter()
            .rposition(|&byte| byte == b',')
            .filter(|&last| last > first)?;
        Some(Self {
            standard: text(bytes.get(..first)?)?.to_owned(),
            ssid: Ssid::new(bytes.get(first + 1..last)?).ok()?,
            channel: text(bytes.get(last + 1..)?)?.to_owned(),
        })
    }

    fn emit(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = wire(format_args!("{},", self.standard));
        bytes.extend_from_slice(self.ssid.as_bytes());
        bytes.extend_from_slice(format!(",{}", self.channel).as_bytes());
        bytes
    }
}
