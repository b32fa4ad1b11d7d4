//! Typed commands: the request and the reading of its reply, for every verb that Mains sends by itself.
//!
//! Names are the vendor's verbs; `Set…` writes what the plain name queries. Any other verb goes as a raw
//! [`AtRequest`].

use std::net::Ipv4Addr;

use crate::settings::{
    LinkQuality, LinkStatus, Mode, OnOff, PingResult, SocketSettings, Wan, WebLogin, WireSetting,
    WireValue,
};
use crate::wifi::{Credentials, Ssid};
use crate::wscan::{self, ScannedNetwork};
use crate::{AtReply, AtRequest, DiscoveryWord, ErrorCode, Mac};

/// A request together with the way to read its reply.
///
/// ```
/// use hiflying::command::{AtCommand, SetWmode, Wmode};
/// use hiflying::settings::Mode;
///
/// assert_eq!(SetWmode(Mode::Sta).request().to_string(), "AT+WMODE=STA");
/// assert_eq!(Wmode.parse(b"+ok=APSTA\r\n\r\n")?, Mode::ApSta);
/// # Ok::<(), hiflying::command::AtCommandError>(())
/// ```
pub trait AtCommand {
    /// Typed reply.
    type Reply;

    /// Returns the line to send.
    fn request(&self) -> AtRequest;

    /// Parses everything that came back.
    ///
    /// # Errors
    ///
    /// [`AtCommandError`] distinguishes a refusal from an unintelligible reply.
    fn parse(&self, raw: &[u8]) -> Result<Self::Reply, AtCommandError>;
}

/// Failure of a command that got a reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AtCommandError {
    /// The module understood and refused.
    #[error("the module refused: {0}")]
    Refused(ErrorCode),
    /// The reply does not have the expected form.
    #[error("the module's reply to AT+{verb} is not {expected}")]
    Malformed {
        /// Verb of the request.
        verb: String,
        /// Expected form.
        expected: &'static str,
    },
}

impl AtCommandError {
    fn malformed(request: &AtRequest, expected: &'static str) -> Self {
        Self::Malformed {
            verb: request.verb().to_owned(),
            expected,
        }
    }
}

fn parse_value<T: WireValue>(request: &AtRequest, raw: &[u8]) -> Result<T, AtCommandError> {
    let parsed = match AtReply::parse(raw) {
        AtReply::Ok(Some(value)) => T::parse(value.as_bytes()),
        AtReply::Ok(None) => T::absent(),
        AtReply::Error(code) => return Err(AtCommandError::Refused(code)),
        AtReply::Unknown(_) => None,
    };
    parsed.ok_or_else(|| AtCommandError::malformed(request, T::FORM))
}

fn parse_done(request: &AtRequest, raw: &[u8]) -> Result<(), AtCommandError> {
    match AtReply::parse(raw) {
        AtReply::Ok(_) => Ok(()),
        AtReply::Error(code) => Err(AtCommandError::Refused(code)),
        AtReply::Unknown(_) => Err(AtCommandError::malformed(request, "+ok")),
    }
}

macro_rules! queries {
    ($($(#[$doc:meta])* $name:ident = $verb:literal -> $reply:ty;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name;

        impl AtCommand for $name {
            type Reply = $reply;

            fn request(&self) -> AtRequest {
                AtRequest::query($verb)
            }

            fn parse(&self, raw: &[u8]) -> Result<Self::Reply, AtCommandError> {
                parse_value(&self.request(), raw)
            }
        }
    )+};
}

macro_rules! settings {
    ($($(#[$doc:meta])* $name:ident = $verb:literal ($value:ty);)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(pub $value);

        impl AtCommand for $name {
            type Reply = ();

            fn request(&self) -> AtRequest {
                AtRequest::set($verb, self.0.emit().as_slice())
            }

            fn parse(&self, raw: &[u8]) -> Result<Self::Reply, AtCommandError> {
                parse_done(&self.request(), raw)
            }
        }
    )+};
}

queries! {
    /// Queries the firmware version.
    Ver = "VER" -> String;
    /// Queries the module id.
    Mid = "MID" -> String;
    /// Queries the hardware address as a station. Writing it needs a vendor's code and is left to raw requests.
    Wsmac = "WSMAC" -> Mac;
    /// Queries the mode of the radio.
    Wmode = "WMODE" -> Mode;
    /// Queries the network to join; a fresh module has none.
    Wsssid = "WSSSID" -> Option<Ssid>;
    /// Queries security and key of the network to join. The module replies in clear text.
    Wskey = "WSKEY" -> Credentials;
    /// Queries the quality of the link to the joined network.
    Wslq = "WSLQ" -> LinkQuality;
    /// Queries the address on the joined network.
    Wann = "WANN" -> Wan;
    /// Queries security and key of the access point.
    Wakey = "WAKEY" -> Credentials;
    /// Queries data socket A. Writing it can move port 8899 away and is left to raw requests.
    Netp = "NETP" -> SocketSettings;
    /// Queries the second socket, often the maker's cloud.
    Sockb = "SOCKB" -> Option<SocketSettings>;
    /// Queries the discovery word.
    Aswd = "ASWD" -> DiscoveryWord;
    /// Queries user and password of the web page.
    Webu = "WEBU" -> WebLogin;
    /// Queries whether access point and station run at once (HF-A11).
    Fapsta = "FAPSTA" -> OnOff;
}

settings! {
    /// Sets the mode of the radio after the next restart.
    SetWmode = "WMODE"(Mode);
    /// Sets the network to join.
    SetWsssid = "WSSSID"(Ssid);
    /// Sets security and key of the network to join.
    SetWskey = "WSKEY"(Credentials);
    /// Sets the address on the joined network.
    SetWann = "WANN"(Wan);
    /// Sets the second socket; the text `NONE` switches it off on clones.
    SetSockb = "SOCKB"(String);
    /// Sets the discovery word, which hides the module from every client that does not know it.
    SetAswd = "ASWD"(DiscoveryWord);
    /// Sets user and password of the web page.
    SetWebu = "WEBU"(WebLogin);
    /// Switches access point and station at once on or off (HF-A11).
    SetFapsta = "FAPSTA"(OnOff);
}

/// Queries the link to the joined network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wslk;

impl AtCommand for Wslk {
    type Reply = LinkStatus;

    fn request(&self) -> AtRequest {
        AtRequest::query("WSLK")
    }

    fn parse(&self, raw: &[u8]) -> Result<Self::Reply, AtCommandError> {
        // A lamp clone leaves out the `+ok=` when it is not linked.
        if let AtReply::Unknown(value) = AtReply::parse(raw)
            && let Some(status @ (LinkStatus::Disconnected | LinkStatus::RadioOff)) =
                LinkStatus::parse(value.as_bytes())
        {
            return Ok(status);
        }
        parse_value(&self.request(), raw)
    }
}

/// Queries the networks that the module sees; each once, the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wscan;

impl AtCommand for Wscan {
    type Reply = Vec<ScannedNetwork>;

    fn request(&self) -> AtRequest {
        AtRequest::query("WSCAN")
    }

    fn parse(&self, raw: &[u8]) -> Result<Self::Reply, AtCommandError> {
        if let AtReply::Error(code) = AtReply::parse(raw) {
            return Err(AtCommandError::Refused(code));
        }
        let mut networks = wscan::parse(raw);
        networks.sort_by_key(|network| std::cmp::Reverse(network.signal));
        let mut seen = std::collections::HashSet::new();
        networks.retain(|network| seen.insert((network.bssid, network.ssid.clone())));
        Ok(networks)
    }
}

/// Pings an address from the module; may take seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ping(pub Ipv4Addr);

impl AtCommand for Ping {
    type Reply = PingResult;

    fn request(&self) -> AtRequest {
        AtRequest::set("PING", self.0.to_string())
    }

    fn parse(&self, raw: &[u8]) -> Result<Self::Reply, AtCommandError> {
        parse_value(&self.request(), raw)
    }
}

#[cfg(test)]
mod tests;
