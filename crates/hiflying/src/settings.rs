//! Values of a module's settings and states, behind `+ok=` or `AT+<VERB>=`.

use std::fmt;
use std::net::Ipv4Addr;

use zeroize::Zeroizing;

use crate::wifi::{Credentials, Ssid};
use crate::{DiscoveryWord, Mac};

/// The value in the reply to a query.
pub trait WireValue: Sized {
    /// Form of the value, for messages.
    const FORM: &'static str;

    /// Parses the bytes behind `+ok=`.
    fn parse(bytes: &[u8]) -> Option<Self>;

    /// Returns the value of an `+ok` without `=`; most have none.
    fn absent() -> Option<Self> {
        None
    }
}

/// A value that can be set.
pub trait WireSetting {
    /// Returns the bytes behind `AT+<VERB>=`.
    fn emit(&self) -> Zeroizing<Vec<u8>>;
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().map(str::trim)
}

fn wire(value: impl fmt::Display) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(value.to_string().into_bytes())
}

/// A value that is one of a few words, in any case.
macro_rules! choice {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$doc])* $variant),+ }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$variant => $word),+ })
            }
        }

        impl WireValue for $name {
            const FORM: &'static str = concat!("one of", $(" ", $word),+);

            fn parse(bytes: &[u8]) -> Option<Self> {
                let word = text(bytes)?;
                // The whole word: `APSTA` begins with `AP`, which shipped code has been bitten by.
                $(if word.eq_ignore_ascii_case($word) { return Some(Self::$variant); })+
                None
            }
        }
    };
}

/// A setting that is written as it is displayed.
macro_rules! displayed {
    ($($name:ty),+) => {$(
        impl WireSetting for $name {
            fn emit(&self) -> Zeroizing<Vec<u8>> {
                wire(self)
            }
        }
    )+};
}

displayed! { Mode, OnOff, String }

choice! {
    /// Mode of the radio (`WMODE`).
    Mode {
        /// Access point: how a plug leaves the factory.
        Ap = "AP",
        /// Station on an existing network.
        Sta = "STA",
        /// Both at once.
        ApSta = "APSTA",
    }
}

choice! {
    /// A switch that some verbs report.
    OnOff {
        /// On.
        On = "on",
        /// Off.
        Off = "off",
    }
}

choice! {
    /// Result of `PING`, run by the module.
    PingResult {
        /// The address replied.
        Success = "Success",
        /// The address did not reply; some routers ignore pings.
        Timeout = "Timeout",
        /// The name or address is invalid.
        UnknownHost = "Unknown host",
    }
}

/// A socket of the module (`NETP`, `SOCKB`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketSettings {
    /// `TCP` or `UDP`, as the module writes it.
    pub protocol: String,
    /// `Server` or `Client`, as the module writes it; socket B has none.
    pub role: Option<String>,
    /// The port.
    pub port: u16,
    /// Host name or address of the peer, or the module's own address.
    pub host: String,
}

impl WireValue for SocketSettings {
    const FORM: &'static str = "<protocol>[,<role>],<port>,<host>";

    fn parse(bytes: &[u8]) -> Option<Self> {
        let fields: Vec<&str> = text(bytes)?.split(',').map(str::trim).collect();
        let (protocol, role, port, host) = match fields.as_slice() {
            [protocol, role, port, host] => (protocol, Some((*role).to_owned()), port, host),
            [protocol, port, host] => (protocol, None, port, host),
            _ => return None,
        };
        Some(Self {
            protocol: (*protocol).to_owned(),
            role,
            port: port.parse().ok()?,
            host: (*host).to_owned(),
        })
    }
}

/// User and password of the web page (`WEBU`); `Debug` hides the password.
#[derive(Clone, PartialEq, Eq)]
pub struct WebLogin {
    /// The user.
    pub user: String,
    /// The password.
    pub password: Zeroizing<String>,
}

impl fmt::Debug for WebLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebLogin({:?}, ***)", self.user)
    }
}

impl WireValue for WebLogin {
    const FORM: &'static str = "<user>,<password>";

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (user, password) = text(bytes)?.split_once(',')?;
        Some(Self {
            user: user.to_owned(),
            password: Zeroizing::new(password.to_owned()),
        })
    }
}

impl WireSetting for WebLogin {
    fn emit(&self) -> Zeroizing<Vec<u8>> {
        wire(format_args!("{},{}", self.user, self.password.as_str()))
    }
}

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

/// Strength of the signal in percent; `None` while there is no link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkQuality(pub Option<u8>);

impl WireValue for LinkQuality {
    const FORM: &'static str = "Disconnected, <n> or <word>, <n>%";

    fn parse(bytes: &[u8]) -> Option<Self> {
        const MAX_PERCENT: u8 = 100;
        let text = text(bytes)?;
        // The word before the number depends on the firmware.
        let mut numbers = text.rsplit(|c: char| !c.is_ascii_digit());
        match numbers.find(|number| !number.is_empty()) {
            Some(number) => Some(Self(Some(number.parse::<u8>().ok()?.min(MAX_PERCENT)))),
            None => text.chars().any(char::is_alphabetic).then_some(Self(None)),
        }
    }
}

impl WireValue for LinkStatus {
    const FORM: &'static str = "Disconnected, RF Off or <SSID>(<MAC>)";

    fn parse(bytes: &[u8]) -> Option<Self> {
        match text(bytes) {
            Some(word) if word.eq_ignore_ascii_case("disconnected") => {
                return Some(Self::Disconnected);
            }
            Some(word) if word.eq_ignore_ascii_case("rf off") => return Some(Self::RadioOff),
            // A network name need not be UTF-8.
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
}

/// Splits at the last bracket, because a name may contain one.
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

/// Source of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Addressing {
    /// The network's DHCP server.
    Dhcp,
    /// Fixed in the module.
    Static,
}

/// Address on the joined network (`WANN`); all zeros while there is no lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wan {
    /// Source of the address.
    pub addressing: Addressing,
    /// The module's address.
    pub address: Ipv4Addr,
    /// The network's mask.
    pub mask: Ipv4Addr,
    /// The router.
    pub gateway: Ipv4Addr,
}

impl Wan {
    /// Setting for an address by DHCP, in the padded form that every known firmware takes.
    pub const DHCP: Self = Self {
        addressing: Addressing::Dhcp,
        address: Ipv4Addr::UNSPECIFIED,
        mask: Ipv4Addr::UNSPECIFIED,
        gateway: Ipv4Addr::UNSPECIFIED,
    };

    /// Tells whether others can reach the address.
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
}

impl WireSetting for Wan {
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

impl WireValue for String {
    const FORM: &'static str = "a text";

    fn parse(bytes: &[u8]) -> Option<Self> {
        // These texts end up on terminals.
        Some(
            String::from_utf8_lossy(bytes)
                .trim()
                .chars()
                .filter(|c| !c.is_control())
                .collect(),
        )
    }
}

impl WireValue for Mac {
    const FORM: &'static str = "twelve hex digits";

    fn parse(bytes: &[u8]) -> Option<Self> {
        text(bytes)?.parse().ok()
    }
}

impl WireValue for Ssid {
    const FORM: &'static str = "a network name";

    fn parse(bytes: &[u8]) -> Option<Self> {
        Self::new(bytes).ok()
    }
}

impl WireSetting for Ssid {
    fn emit(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.as_bytes().to_vec())
    }
}

impl WireValue for DiscoveryWord {
    const FORM: &'static str = "a discovery word of 1 to 20 bytes";

    fn parse(bytes: &[u8]) -> Option<Self> {
        Self::new(bytes).ok()
    }
}

impl WireSetting for DiscoveryWord {
    fn emit(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.as_bytes().to_vec())
    }
}

impl WireValue for Credentials {
    const FORM: &'static str = "<auth>,<cipher>[,<key>]";

    fn parse(bytes: &[u8]) -> Option<Self> {
        Self::parse(bytes).ok()
    }
}

impl WireSetting for Credentials {
    fn emit(&self) -> Zeroizing<Vec<u8>> {
        self.emit()
    }
}

/// An empty value is legal, such as no network name on a fresh module.
impl<T: WireValue> WireValue for Option<T> {
    const FORM: &'static str = T::FORM;

    fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.trim_ascii().is_empty() {
            Some(None)
        } else {
            T::parse(bytes).map(Some)
        }
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}
