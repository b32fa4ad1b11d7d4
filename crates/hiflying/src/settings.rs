//! What a module's settings and states hold: the values behind `+ok=`, in both directions.

mod network;

use std::fmt;
use std::net::Ipv4Addr;

use zeroize::Zeroizing;

use crate::wifi::{Credentials, Ssid};
use crate::{DiscoveryWord, Mac};
pub use network::{AccessPoint, Addressing, DhcpServer, Lan, LinkQuality, LinkStatus, Wan};

/// The value of a verb as bytes on the wire.
pub trait WireValue: Sized {
    /// What the value looks like, for messages.
    const FORM: &'static str;

    /// Parses what stood behind `+ok=` or behind `AT+<VERB>=`.
    fn parse(bytes: &[u8]) -> Option<Self>;

    /// Writes the value.
    fn emit(&self) -> Zeroizing<Vec<u8>>;

    /// The value of an `+ok` without `=`; most have none.
    fn absent() -> Option<Self> {
        None
    }
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

            fn emit(&self) -> Zeroizing<Vec<u8>> {
                wire(self)
            }
        }
    };
}

choice! {
    /// What the radio does (`WMODE`).
    Mode {
        /// Access point: how a plug leaves the factory.
        Ap = "AP",
        /// Station on somebody's network.
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
    /// How the serial line is used (`TMODE`).
    TransferMode {
        /// Bytes pass through to socket A.
        Throughput = "throughput",
        /// AT commands.
        Command = "cmd",
    }
}

choice! {
    /// Language of the web page (`PLANG`).
    Language {
        /// English.
        English = "EN",
        /// Chinese.
        Chinese = "CN",
    }
}

choice! {
    /// Result of `PING`, run by the module.
    PingResult {
        /// The address answered.
        Success = "Success",
        /// It did not; routers may be told not to.
        Timeout = "Timeout",
        /// The name or address means nothing.
        UnknownHost = "Unknown host",
    }
}

/// A socket of the module (`NETP`, `SOCKB`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Socket {
    /// `TCP` or `UDP`, as the module writes it.
    pub protocol: String,
    /// `Server` or `Client`, as the module writes it; socket B has none.
    pub role: Option<String>,
    /// The port.
    pub port: u16,
    /// The peer or the module's own address.
    pub host: String,
}

impl WireValue for Socket {
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

    fn emit(&self) -> Zeroizing<Vec<u8>> {
        match &self.role {
            Some(role) => wire(format_args!(
                "{},{role},{},{}",
                self.protocol, self.port, self.host
            )),
            None => wire(format_args!(
                "{},{},{}",
                self.protocol, self.port, self.host
            )),
        }
    }
}

/// The module's serial line (`UART`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uart {
    /// Bits a second.
    pub baud: u32,
    /// Data bits.
    pub data_bits: u8,
    /// Stop bits.
    pub stop_bits: u8,
    /// Such as `None`.
    pub parity: String,
    /// Such as `NFC` (no flow control).
    pub flow: String,
}

impl WireValue for Uart {
    const FORM: &'static str = "<baud>,<data bits>,<stop bits>,<parity>,<flow>";

    fn parse(bytes: &[u8]) -> Option<Self> {
        let fields: Vec<&str> = text(bytes)?.split(',').map(str::trim).collect();
        let [baud, data_bits, stop_bits, parity, flow] = fields.as_slice() else {
            return None;
        };
        Some(Self {
            baud: baud.parse().ok()?,
            data_bits: data_bits.parse().ok()?,
            stop_bits: stop_bits.parse().ok()?,
            parity: (*parity).to_owned(),
            flow: (*flow).to_owned(),
        })
    }

    fn emit(&self) -> Zeroizing<Vec<u8>> {
        let Self {
            baud,
            data_bits,
            stop_bits,
            parity,
            flow,
        } = self;
        wire(format_args!(
            "{baud},{data_bits},{stop_bits},{parity},{flow}"
        ))
    }
}

/// User and password of the web page (`WEBU`); the password is not shown.
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

    fn emit(&self) -> Zeroizing<Vec<u8>> {
        wire(format_args!("{},{}", self.user, self.password.as_str()))
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

    fn emit(&self) -> Zeroizing<Vec<u8>> {
        wire(self)
    }
}

/// A plain number or address, in its usual text form.
macro_rules! plain {
    ($($type:ty: $form:literal),+ $(,)?) => {$(
        impl WireValue for $type {
            const FORM: &'static str = $form;

            fn parse(bytes: &[u8]) -> Option<Self> {
                text(bytes)?.parse().ok()
            }

            fn emit(&self) -> Zeroizing<Vec<u8>> {
                wire(self)
            }
        }
    )+};
}

plain! { u8: "a number up to 255", u16: "a number up to 65535", Ipv4Addr: "an IPv4 address" }

impl WireValue for Mac {
    const FORM: &'static str = "twelve hex digits";

    fn parse(bytes: &[u8]) -> Option<Self> {
        text(bytes)?.parse().ok()
    }

    fn emit(&self) -> Zeroizing<Vec<u8>> {
        wire(self.compact())
    }
}

impl WireValue for Ssid {
    const FORM: &'static str = "a network name";

    fn parse(bytes: &[u8]) -> Option<Self> {
        Self::new(bytes).ok()
    }

    fn emit(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.as_bytes().to_vec())
    }
}

impl WireValue for DiscoveryWord {
    const FORM: &'static str = "a discovery word of 1 to 20 bytes";

    fn parse(bytes: &[u8]) -> Option<Self> {
        Self::new(bytes).ok()
    }

    fn emit(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.as_bytes().to_vec())
    }
}

impl WireValue for Credentials {
    const FORM: &'static str = "<auth>,<cipher>[,<key>]";

    fn parse(bytes: &[u8]) -> Option<Self> {
        Self::parse(bytes).ok()
    }

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

    fn emit(&self) -> Zeroizing<Vec<u8>> {
        self.as_ref().map(WireValue::emit).unwrap_or_default()
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}
