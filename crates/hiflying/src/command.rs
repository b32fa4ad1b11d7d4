//! Every verb of the table as a typed command with a typed reply.
//!
//! A command knows its request and how to read what comes back; sessions, serial lines and tests
//! run it alike. The names are the vendor's verbs; `Set…` writes what the plain name asks for. What
//! is not here goes as a raw [`AtRequest`].

use std::net::Ipv4Addr;

use crate::settings::{
    AccessPoint, DhcpServer, Lan, Language, LinkQuality, LinkStatus, Mode, OnOff, PingResult,
    Socket, TransferMode, Uart, Wan, WebLogin, WireValue,
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
    /// What a module answers.
    type Reply;

    /// Returns the line to send.
    fn request(&self) -> AtRequest;

    /// Reads everything that came back.
    ///
    /// # Errors
    ///
    /// [`AtCommandError`] tells a refusal from an answer that makes no sense.
    fn parse(&self, raw: &[u8]) -> Result<Self::Reply, AtCommandError>;
}

/// Why an answer is not the expected reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AtCommandError {
    /// The module understood and refused.
    #[error("the module refused: {0}")]
    Refused(ErrorCode),
    /// The answer is not of the expected form.
    #[error("the module's answer to AT+{verb} is not {expected}")]
    Malformed {
        /// What was asked.
        verb: String,
        /// What was expected.
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

/// Like [`parse_done`], but nothing at all is success.
fn parse_optional(request: &AtRequest, raw: &[u8]) -> Result<(), AtCommandError> {
    if raw.trim_ascii().is_empty() {
        Ok(())
    } else {
        parse_done(request, raw)
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

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $verb:literal by $parse:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name;

        impl AtCommand for $name {
            type Reply = ();

            fn request(&self) -> AtRequest {
                AtRequest::query($verb)
            }

            fn parse(&self, raw: &[u8]) -> Result<Self::Reply, AtCommandError> {
                $parse(&self.request(), raw)
            }
        }
    )+};
}

queries! {
    /// Asks for the firmware version.
    Ver = "VER" -> String;
    /// Asks for the version of the maker's own firmware part.
    Lver = "LVER" -> String;
    /// Asks for the module id.
    Mid = "MID" -> String;
    /// Asks for the hardware address as a station. Writing it needs a vendor's code and is left to raw requests.
    Wsmac = "WSMAC" -> Mac;
    /// Asks for the hardware address as an access point.
    Wamac = "WAMAC" -> Mac;
    /// Asks what the radio does.
    Wmode = "WMODE" -> Mode;
    /// Asks for the network to join; a fresh module has none.
    Wsssid = "WSSSID" -> Option<Ssid>;
    /// Asks for security and key of the network to join. The module answers in clear.
    Wskey = "WSKEY" -> Credentials;
    /// Asks for the link quality.
    Wslq = "WSLQ" -> LinkQuality;
    /// Asks for the address on the joined network.
    Wann = "WANN" -> Wan;
    /// Asks for the address on the access point.
    Lann = "LANN" -> Lan;
    /// Asks for the access point's DHCP server.
    Wadhcp = "WADHCP" -> DhcpServer;
    /// Asks for the access point's standard, name and channel.
    Wap = "WAP" -> AccessPoint;
    /// Asks for security and key of the access point.
    Wakey = "WAKEY" -> Credentials;
    /// Asks for the name server.
    Wsdns = "WSDNS" -> Ipv4Addr;
    /// Asks for data socket A. Writing it can move port 8899 away and is left to raw requests.
    Netp = "NETP" -> Socket;
    /// Asks whether a client is connected to socket A.
    Tcplk = "TCPLK" -> OnOff;
    /// Asks for the idle timeout of socket A in seconds.
    Tcpto = "TCPTO" -> u16;
    /// Asks whether socket A connects by itself.
    Tcpdis = "TCPDIS" -> OnOff;
    /// Asks how many clients socket A takes.
    Maxsk = "MAXSK" -> u8;
    /// Asks for the second socket, often the maker's cloud.
    Sockb = "SOCKB" -> Option<Socket>;
    /// Asks how the serial line is used.
    Tmode = "TMODE" -> TransferMode;
    /// Asks for the serial line's settings.
    UartLine = "UART" -> Uart;
    /// Asks for the discovery word.
    Aswd = "ASWD" -> DiscoveryWord;
    /// Asks for user and password of the web page.
    Webu = "WEBU" -> WebLogin;
    /// Asks for the version of the web page.
    Webver = "WEBVER" -> String;
    /// Asks for the language of the web page.
    Plang = "PLANG" -> Language;
    /// Asks whether the Ethernet port is on (HF-A11).
    Ephy = "EPHY" -> OnOff;
    /// Asks whether access point and station run at once (HF-A11).
    Fapsta = "FAPSTA" -> OnOff;
    /// Reads the factory settings.
    Cfgrd = "CFGRD" -> String;
}

settings! {
    /// Sets module id and DHCP host name.
    SetWrmid = "WRMID"(String);
    /// Sets what the radio does after the next restart.
    SetWmode = "WMODE"(Mode);
    /// Sets the network to join.
    SetWsssid = "WSSSID"(Ssid);
    /// Sets security and key of the network to join.
    SetWskey = "WSKEY"(Credentials);
    /// Sets the address on the joined network.
    SetWann = "WANN"(Wan);
    /// Sets the address on the access point.
    SetLann = "LANN"(Lan);
    /// Sets the access point's DHCP server.
    SetWadhcp = "WADHCP"(DhcpServer);
    /// Sets the access point's standard, name and channel.
    SetWap = "WAP"(AccessPoint);
    /// Sets security and key of the access point: `OPEN,NONE` or `WPA2PSK,AES`.
    SetWakey = "WAKEY"(Credentials);
    /// Sets the name server.
    SetWsdns = "WSDNS"(Ipv4Addr);
    /// Sets the idle timeout of socket A in seconds, 0 to 600.
    SetTcpto = "TCPTO"(u16);
    /// Sets whether socket A connects by itself.
    SetTcpdis = "TCPDIS"(OnOff);
    /// Sets how many clients socket A takes, 1 to 5.
    SetMaxsk = "MAXSK"(u8);
    /// Sets the second socket; the text `NONE` switches it off on clones.
    SetSockb = "SOCKB"(String);
    /// Sets how the serial line is used.
    SetTmode = "TMODE"(TransferMode);
    /// Sets the serial line.
    SetUart = "UART"(Uart);
    /// Sets the discovery word, which hides the module from every client that does not know it.
    SetAswd = "ASWD"(DiscoveryWord);
    /// Sets user and password of the web page.
    SetWebu = "WEBU"(WebLogin);
    /// Sets the language of the web page.
    SetPlang = "PLANG"(Language);
    /// Switches the Ethernet port (HF-A11).
    SetEphy = "EPHY"(OnOff);
    /// Switches access point and station at once (HF-A11).
    SetFapsta = "FAPSTA"(OnOff);
    /// Sets the serial echo, on later firmware.
    SetEcho = "E"(OnOff);
    /// Replaces the firmware from a URL. Mains never sends this by itself; here so that the table is whole.
    Upurl = "UPURL"(String);
}

actions! {
    /// Asks whether anybody is there (`AT+`).
    Null = "" by parse_done;
    /// Toggles the serial echo.
    ToggleEcho = "E" by parse_done;
    /// Leaves command mode on a serial line.
    Entm = "ENTM" by parse_done;
    /// Starts listening for SmartLink.
    Smtlk = "SMTLK" by parse_done;
    /// Saves the settings as factory settings.
    Cfgtf = "CFGTF" by parse_done;
    /// Clears the factory settings.
    Fclr = "FCLR" by parse_done;
    /// Resets to factory settings. Never repeated.
    Reld = "RELD" by parse_done;
    /// Restarts the module (`AT+Z`); most do not answer.
    Restart = "Z" by parse_optional;
    /// Keeps command mode alive (`AT+W`).
    KeepAlive = "W" by parse_optional;
    /// Leaves command mode (`AT+Q`).
    Quit = "Q" by parse_optional;
}

/// Asks for the list of commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Help;

impl AtCommand for Help {
    type Reply = Vec<String>;

    fn request(&self) -> AtRequest {
        AtRequest::query("H")
    }

    fn parse(&self, raw: &[u8]) -> Result<Self::Reply, AtCommandError> {
        if let AtReply::Error(code) = AtReply::parse(raw) {
            return Err(AtCommandError::Refused(code));
        }
        let text = String::from_utf8_lossy(raw);
        let lines = text.split(['\r', '\n', '\0']).map(|line| {
            let line = line
                .strip_prefix("+ok=")
                .or(line.strip_prefix("+ok"))
                .unwrap_or(line);
            line.trim()
                .chars()
                .filter(|c| !c.is_control())
                .collect::<String>()
        });
        Ok(lines.filter(|line| !line.is_empty()).collect())
    }
}

/// Asks for the link to the joined network.
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

/// Asks for the networks that the module sees; each once, the strongest first.
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
