//! Behaviour of a twin: the faithful SP-2 by default, with one switch for each deviation that was seen,
//! and for each point on which the protocol notes only guess.
//!
//! The switches have no logic of their own. [`crate::reco::fault`] names, explains and sets them; the rooms of
//! [`crate::reco`] read them.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::catalogue::TimeOr;
use crate::network::NetworkSecurity;
use crate::outbox::WireFaults;

/// All switches, sorted by the room that reads them.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct RecoBehaviour {
    pub(crate) wire: WireFaults,
    pub(crate) wording: ReplyWording,
    pub(crate) discovery: DiscoveryBehaviour,
    pub(crate) session: SessionBehaviour,
    pub(crate) engine: CommandBehaviour,
    pub(crate) joining: JoinBehaviour,
    pub(crate) stream: StreamBehaviour,
    pub(crate) relay: RelayBehaviour,
    pub(crate) meter: MeterBehaviour,
    pub(crate) web: WebBehaviour,
}

/// Spelling of replies.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ReplyWording {
    pub(crate) end: &'static [u8],
    pub(crate) ok: &'static str,
    pub(crate) err: &'static str,
    pub(crate) error: &'static str,
    pub(crate) empty_value: bool,
    pub(crate) echo: bool,
}

impl Default for ReplyWording {
    fn default() -> Self {
        Self {
            end: b"\r\n\r\n",
            ok: "+ok",
            err: "+ERR",
            error: "+ERROR",
            empty_value: false,
            echo: false,
        }
    }
}

/// Replies to the discovery word and to the plug scan.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct DiscoveryBehaviour {
    pub(crate) silent_scan: bool,
    pub(crate) silent_word: bool,
    pub(crate) exact_word: bool,
    pub(crate) word: Option<Vec<u8>>,
    pub(crate) five_fields: bool,
    pub(crate) field_six: Vec<u8>,
    pub(crate) res: Option<u8>,
    pub(crate) line_end: bool,
    pub(crate) nul_padding: bool,
    pub(crate) wrong_address: Option<Ipv4Addr>,
    pub(crate) copies: u32,
    pub(crate) module: Option<String>,
    pub(crate) token: bool,
}

/// The rules of the session on UDP 48899.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct SessionBehaviour {
    pub(crate) idle: TimeOr<60_000>,
    pub(crate) no_handshake: bool,
    pub(crate) confirm_answered: bool,
    pub(crate) confirm_refused: bool,
    pub(crate) by_port: bool,
    pub(crate) deaf_to: Vec<&'static [u8]>,
    pub(crate) reboot_after: Option<u32>,
    pub(crate) reboot_every: Option<u32>,
}

/// The AT commands.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct CommandBehaviour {
    pub(crate) refuse_all: bool,
    pub(crate) refuse_station_and_ap: bool,
    pub(crate) strict_commas: bool,
    pub(crate) cut_ssid: bool,
    pub(crate) exact_case: bool,
    pub(crate) hex_key: bool,
    pub(crate) ethernet_verbs: bool,
    pub(crate) no_link_verbs: bool,
    pub(crate) query_only_unknown: bool,
    pub(crate) restart_answered: bool,
    pub(crate) quit_silent: bool,
    pub(crate) keep_alive_silent: bool,
    pub(crate) short_help: bool,
    pub(crate) open_comma: bool,
    pub(crate) version: Option<String>,
    pub(crate) scan_one_datagram: bool,
    pub(crate) scan_refused: bool,
    pub(crate) scan_nine_columns: bool,
    pub(crate) scan_line_end: Option<&'static str>,
    pub(crate) link_bare: bool,
    pub(crate) link_colons: bool,
    pub(crate) link_no_prefix: bool,
    pub(crate) link_parentheses: bool,
    pub(crate) link_bssid: bool,
    pub(crate) link_radio_off: bool,
    pub(crate) forgets: Vec<&'static str>,
    pub(crate) reverts: Vec<&'static str>,
    pub(crate) silent_after: Vec<&'static str>,
    pub(crate) cut_word: bool,
    pub(crate) access_point_stays: bool,
    pub(crate) cloud_socket: Option<String>,
    pub(crate) client_socket: Option<String>,
}

/// Restarting and joining a network.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct JoinBehaviour {
    pub(crate) restart: TimeOr<1_000>,
    pub(crate) comes_and_goes: Option<Duration>,
    pub(crate) association: TimeOr<500>,
    pub(crate) signal: Option<u8>,
    pub(crate) never_links: bool,
    pub(crate) no_lease: bool,
    pub(crate) no_router: bool,
    pub(crate) security: NetworkSecurity,
}

/// TCP 8899.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct StreamBehaviour {
    pub(crate) refused: bool,
    pub(crate) half_open: bool,
    pub(crate) babble: bool,
    pub(crate) banner: bool,
    pub(crate) prompt: bool,
    pub(crate) refuse_all: bool,
    pub(crate) close_after_reply: bool,
    pub(crate) reset_on_command: bool,
    pub(crate) needs_line_end: bool,
    pub(crate) strict_words: bool,
    pub(crate) strict_stamp: bool,
    pub(crate) any_socket: bool,
    pub(crate) clients: Option<u32>,
    pub(crate) idle: Option<Duration>,
}

/// Switching.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct RelayBehaviour {
    pub(crate) stuck: bool,
    pub(crate) lying: f64,
    pub(crate) welded: bool,
    pub(crate) slow: Duration,
    pub(crate) second_line: bool,
    pub(crate) silent: bool,
    pub(crate) falls_on_restart: bool,
}

/// `AT+YZOUT`.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct MeterBehaviour {
    pub(crate) empty: bool,
    pub(crate) empty_power: bool,
    pub(crate) zero_power: bool,
    pub(crate) odd_field: bool,
    pub(crate) six_fields: bool,
    pub(crate) nine_fields: bool,
    pub(crate) refused: bool,
    pub(crate) spike: f64,
    pub(crate) resets_on_restart: bool,
    pub(crate) resets_every: Option<Duration>,
}

/// TCP 80.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct WebBehaviour {
    pub(crate) off: bool,
    pub(crate) other_password: bool,
}
