//! The configuration protocol of the Hi-Flying HF-A11, HF-LPB100 and HF-LPT Wi-Fi modules.
//!
//! These modules sit in the Maginon SP-2 and Reco4life plugs, the Orvibo S20, G-Homa plugs, solar
//! loggers and many lamps. They reply to a discovery word on UDP port 48899 and then accept AT
//! commands there. The protocol has no secret: anyone who reaches that port controls the module.
//!
//! # The core
//!
//! It has no sockets, no clock and no async runtime: bytes and times go in, bytes and events come
//! out.
//!
//! * [`at`]: the grammar of one request and one reply.
//! * [`verb`]: the table of verbs; [`command`]: those that Mains sends, typed; [`settings`]: their
//!   values.
//! * [`discovery`]: discovery words and the identity that replies to them.
//! * [`wifi`]: network names, security words and keys.
//! * [`wscan`]: the list of networks that a module sees.
//! * [`session`]: the session on UDP; [`serial`]: the same commands over the serial port.
//! * [`join`]: putting a module on a network, with proof and roll-back.
//! * [`smartlink`]: sending the key in packet lengths instead.
//!
//! ```
//! use hiflying::command::{AtCommand, Wskey};
//! use hiflying::{Auth, AtRequest, Terminator};
//!
//! // The request on the wire …
//! let request = Wskey.request();
//! assert_eq!(request.emit(Terminator::Cr).as_slice(), b"AT+WSKEY\r");
//! // … its reply …
//! let credentials = Wskey.parse(b"+ok=WPA2PSK,AES,one, two\r\n\r\n")?;
//! assert_eq!(credentials.auth, Auth::Wpa2Psk);
//! // … and its masked form for people.
//! assert_eq!(AtRequest::set("WSKEY", credentials.emit()).to_string(), "AT+WSKEY=WPA2PSK,AES,***");
//! # Ok::<(), hiflying::AtCommandError>(())
//! ```
//!
//! # The drivers
//!
//! * Feature `net`: local interfaces, the socket on port 48899, a console and a join over it.
//! * Feature `serial`: a console on a serial port.
//!
//! # Keys
//!
//! Wi-Fi keys are wiped from memory when they are dropped, and no `Debug`, `Display`, error or log
//! line shows one. [`AtRequest::emit`], [`WifiKey::as_bytes`] and [`AtValue::as_bytes`] are the only ways
//! to them.

#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "tests start somewhere")
)]

pub mod at;
pub mod command;
pub mod discovery;
pub mod join;
pub mod mac;
#[cfg(any(test, feature = "net"))]
mod machine;
#[cfg(feature = "net")]
#[expect(clippy::disallowed_methods, reason = "drivers have a clock")]
pub mod net;
pub mod serial;
pub mod session;
pub mod settings;
pub mod smartlink;
#[cfg(test)]
mod testing;
pub mod verb;
pub mod wifi;
pub mod wscan;

use std::net::Ipv4Addr;

pub use at::{AtReply, AtRequest, AtValue, ErrorCode, Terminator};
pub use command::{AtCommand, AtCommandError};
pub use discovery::{DiscoveryWord, ModuleIdentity};
pub use mac::{Mac, MacError};
pub use session::{AtSession, AtSessionConfig};
pub use wifi::{Auth, Cipher, Credentials, Ssid, WifiKey, WifiSecurity};

/// UDP port of discovery and of the AT session, on the module and (for an SP-2) on the client.
pub const PORT: u16 = 48899;

/// TCP port of the module's data socket ("socket A") as it leaves the factory.
pub const DATA_PORT: u16 = 8899;

/// Address of a factory-fresh module on its own access point.
pub const ACCESS_POINT_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 10, 100, 254);
