//! The catalogue of deviations: one table that names, explains, parses and applies every `--fault`.
//!
//! A fault is a way in which a real unit, a clone or a bad network was seen to differ from the faithful SP-2, or one
//! side of a contradiction in the protocol notes. Adding one means a switch in [`crate::reco::behaviour`], a row here (or, where all
//! twins with such a module have it, in [`super::module_fault`]) and the line that reads the switch.

use super::behaviour::RecoBehaviour;
use super::module_fault::ModuleFaults;
use crate::catalogue::{Catalogue, FaultEffect, catalogue, fault_type};
use crate::network::NetworkSecurity;

fault_type! {
    /// One deviation with its parameter, as given to `--fault`.
    pub struct PlugFault: RecoBehaviour = CATALOGUE;
}

/// Field texts go on the wire as they are: no separators of ours, nothing that ends a line.
fn field(text: &str) -> Result<Vec<u8>, &'static str> {
    if text.len() > 64
        || text
            .bytes()
            .any(|byte| byte == b',' || byte.is_ascii_control())
    {
        return Err("give at most 64 bytes without comma and control characters");
    }
    Ok(text.as_bytes().to_vec())
}

fn deaf(behaviour: &mut RecoBehaviour, text: &str) -> Result<(), &'static str> {
    let end: &'static [u8] = match text {
        "cr" => b"\r",
        "lf" => b"\n",
        "crlf" => b"\r\n",
        "none" => b"",
        _ => return Err("give cr, lf, crlf or none"),
    };
    behaviour.session.deaf_to.push(end);
    Ok(())
}

fn security(behaviour: &mut RecoBehaviour, text: &str) -> Result<(), &'static str> {
    behaviour.joining.security = match text {
        "wep" => NetworkSecurity::Wep,
        "wpa" => NetworkSecurity::Wpa,
        "wpa2" => NetworkSecurity::Wpa2,
        "mixed" => NetworkSecurity::Mixed,
        _ => return Err("give wep, wpa, wpa2 or mixed"),
    };
    Ok(())
}

use FaultEffect::{Address, Count, Flag, Share, Text, Time};

#[rustfmt::skip]
static CATALOGUE: &Catalogue<RecoBehaviour> = &[ModuleFaults::WIRE, ModuleFaults::SETTINGS, ModuleFaults::JOINING, catalogue! {
    // The way there and back.
    "split" Flag(|b| b.wire.split = true), "a reply comes in two pieces: two segments on TCP, two datagrams of the AT session";
    "source-port" Flag(|b| b.wire.source_port = true), "UDP replies go to the source port (as Orvibo S20, loggers), not to 48899";

    // How replies are spelt.
    "cr-only" Flag(|b| b.wording.end = b"\r"), "replies end in one CR (ZengGe lamps)";
    "lf-only" Flag(|b| b.wording.end = b"\n"), "replies end in one LF";
    "crlf-only" Flag(|b| b.wording.end = b"\r\n"), "replies end in one CR LF";
    "no-terminator" Flag(|b| b.wording.end = b""), "nothing ends a reply";
    "lower-err" Flag(|b| { b.wording.err = "+err"; b.wording.error = "+error"; }), "errors in lower case: +err=-n, +error";
    "upper-ok" Flag(|b| b.wording.ok = "+OK"), "success in upper case: +OK";
    "empty-ok" Flag(|b| b.wording.empty_value = true), "a bare +ok is written +ok=";
    "echo" Flag(|b| b.wording.echo = true), "the command comes back before its reply, as with AT+E; on TCP 8899, too";

    // Discovery and scan.
    "scan-silent" Flag(|b| b.discovery.silent_scan = true), "YZ-RECOSCAN gets no answer";
    "word-silent" Flag(|b| b.discovery.silent_word = true), "the discovery word gets no answer";
    "exact-word" Flag(|b| b.discovery.exact_word = true), "the discovery word must match in case";
    "word=TEXT" Text(|b, text| match text.len() {
        1..=20 => { b.discovery.word = Some(text.as_bytes().to_vec()); Ok(()) }
        _ => Err("give 1 to 20 bytes"),
    }), "another discovery word than HF-A11ASSISTHREAD, as AT+ASWD sets it";
    "five-fields" Flag(|b| b.discovery.five_fields = true), "the scan reply ends after the relay state";
    "field-6=TEXT" Text(|b, text| { b.discovery.field_six = field(text)?; Ok(()) }), "content of the sixth field of the scan reply";
    "res=C" Text(|b, text| match *text.as_bytes() {
        [byte @ 0x21..=0x7e] if byte != b',' => { b.discovery.res = Some(byte); Ok(()) }
        _ => Err("give one printable character"),
    }), "content of the fourth field of the scan reply (0 by default)";
    "trailing-crlf" Flag(|b| b.discovery.line_end = true), "scan and discovery replies end in CR LF";
    "nul-padding" Flag(|b| b.discovery.nul_padding = true), "scan and discovery replies are filled up with NUL";
    "wrong-address=A" Address(|b, a| b.discovery.wrong_address = Some(a)), "scan and discovery replies name address A instead of their own";
    "copies=N" Count(1..=20, |b, n| b.discovery.copies = n), "scan and discovery replies come N times (an S20 sends ten)";
    "module=TEXT" Text(|b, text| { field(text)?; b.discovery.module = Some(text.to_owned()); Ok(()) }), "module id instead of HF-LPB100; may be empty";
    "four-fields" Flag(|b| b.discovery.token = true), "the discovery reply has a token as its fourth field (newer lamps)";

    // The session on UDP 48899.
    "no-handshake" Flag(|b| b.session.no_handshake = true), "AT commands are answered without password and +ok (ZengGe lamps)";
    "ok-answers-ok" Flag(|b| b.session.confirm_answered = true), "the +ok of the handshake is answered with +ok";
    "ok-answers-err" Flag(|b| b.session.confirm_refused = true), "the +ok of the handshake is answered with +ERR=-1, yet opens the session (G-Homa)";
    "session-by-port" Flag(|b| b.session.by_port = true), "a session belongs to address and port of the peer, not to its address";
    "session-idle=D" Time(|b, d| b.session.idle.0 = d), "an idle session ends after D instead of 60 s";
    "deaf=END" Text(deaf), "commands that end in END (cr, lf, crlf, none) get no answer; may be given several times";
    "reboot=N" Count(1..=10_000, |b, n| b.session.reboot_after = Some(n)), "restarts once, instead of answering the Nth AT command";
    "reboot-every=N" Count(1..=10_000, |b, n| b.session.reboot_every = Some(n)), "restarts instead of answering each Nth AT command";

    // The AT commands.
    "busy-at" Flag(|b| b.engine.refuse_all = true), "every AT command on UDP is answered +ERR=-5";
    "no-apsta" Flag(|b| b.engine.refuse_station_and_ap = true), "AT+WMODE=APSTA is answered +ERR=-4";
    "strict-commas" Flag(|b| b.engine.strict_commas = true), "a comma in SSID or key is answered +ERR=-4";
    "cut-ssid" Flag(|b| b.engine.cut_ssid = true), "+ok to an SSID with a comma, but only what is before the comma is kept";
    "exact-case" Flag(|b| b.engine.exact_case = true), "lower-case modes, auth and cipher words are answered +ERR=-4";
    "hex-key" Flag(|b| b.engine.hex_key = true), "a WPA key of 64 hex digits is accepted";
    "ethernet-verbs" Flag(|b| b.engine.ethernet_verbs = true), "AT+EPHY and AT+FAPSTA exist, as on the HF-A11";
    "no-link-verbs" Flag(|b| b.engine.no_link_verbs = true), "AT+WSLK and AT+WSLQ are answered +ERR=-2: the module does not tell whether it is linked";
    "query-only-unknown" Flag(|b| b.engine.query_only_unknown = true), "setting a query-only verb is answered +ERR=-2 instead of -3";
    "q-silent" Flag(|b| b.engine.quit_silent = true), "AT+Q gets no answer";
    "w-silent" Flag(|b| b.engine.keep_alive_silent = true), "AT+W gets no answer";
    "short-help" Flag(|b| b.engine.short_help = true), "AT+H is answered +ok= without a list";
    "open-comma" Flag(|b| b.engine.open_comma = true), "an open network's key is reported as OPEN,NONE, with a comma behind";
    "version=TEXT" Text(|b, text| {
        if text.len() > 100 || text.bytes().any(|byte| byte.is_ascii_control()) {
            return Err("give at most 100 bytes without control characters");
        }
        b.engine.version = Some(text.to_owned());
        Ok(())
    }), "the text of AT+VER";
    "one-datagram" Flag(|b| b.engine.scan_one_datagram = true), "the reply to AT+WSCAN comes in a single datagram";
    "wscan-refused" Flag(|b| b.engine.scan_refused = true), "AT+WSCAN is answered +ERR=-5";
    "wscan-nine-columns" Flag(|b| b.engine.scan_nine_columns = true), "rows of AT+WSCAN have nine columns and a comma behind (HF-A11)";
    "wscan-lf" Flag(|b| b.engine.scan_line_end = Some("\n")), "rows of AT+WSCAN end in LF instead of LF CR";
    "wscan-crlf" Flag(|b| b.engine.scan_line_end = Some("\r\n")), "rows of AT+WSCAN end in CR LF instead of LF CR";
    "wslk-bare" Flag(|b| b.engine.link_bare = true), "AT+WSLK gives the SSID without the access point's MAC";
    "wslk-colons" Flag(|b| b.engine.link_colons = true), "AT+WSLK gives the access point's MAC with colons";
    "wslk-no-prefix" Flag(|b| b.engine.link_no_prefix = true), "AT+WSLK replies Disconnected without +ok= before it";
    "wslk-parens" Flag(|b| b.engine.link_parentheses = true), "AT+WSLK gives the SSID alone, in parentheses and with one CR behind";
    "wslk-bssid" Flag(|b| b.engine.link_bssid = true), "AT+WSLK gives the access point's MAC alone, in lower case";
    "rf-off" Flag(|b| b.engine.link_radio_off = true), "AT+WSLK replies RF Off instead of Disconnected";

    // Restarting and joining.
    "no-router" Flag(|b| b.joining.no_router = true), "AT+PING gets no answer from anybody";
    "security=KIND" Text(security), "home networks with a key are wep, wpa, wpa2 (default) or mixed";

    // TCP 8899.
    "busy" Flag(|b| b.stream.refused = true), "TCP 8899 refuses connections";
    "half-open" Flag(|b| b.stream.half_open = true), "TCP 8899 accepts and never answers";
    "babble" Flag(|b| b.stream.babble = true), "TCP 8899 sends bytes without end and without line ends";
    "banner" Flag(|b| b.stream.banner = true), "TCP 8899 greets each connection with a line that is no reply";
    "prompt" Flag(|b| b.stream.prompt = true), "TCP 8899 shows a prompt before each reply, without a line end";
    "busy-tcp" Flag(|b| b.stream.refuse_all = true), "every command on TCP 8899 is answered +ERROR";
    "close-after-reply" Flag(|b| b.stream.close_after_reply = true), "TCP 8899 is closed after each reply";
    "reset" Flag(|b| b.stream.reset_on_command = true), "TCP 8899 is reset instead of an answer";
    "needs-line-end" Flag(|b| b.stream.needs_line_end = true), "commands on TCP 8899 without a line end get no answer";
    "strict-words" Flag(|b| b.stream.strict_words = true), "on TCP 8899 verb and ON/OFF must be upper case";
    "strict-stamp" Flag(|b| b.stream.strict_stamp = true), "the time stamp must have 12 digits";
    "any-socket" Flag(|b| b.stream.any_socket = true), "any socket number is taken for the one there is";
    "clients=N" Count(1..=5, |b, n| b.stream.clients = Some(n)), "N simultaneous TCP clients instead of 5";
    "tcp-idle=D" Time(|b, d| b.stream.idle = Some(d)), "an idle TCP connection is closed after D instead of 300 s";

    // The relay.
    "stuck-relay" Flag(|b| b.relay.stuck = true), "replies +ok and never switches";
    "lying-relay[=P]" Share(Some(1.0), |b, p| b.relay.lying = p), "replies +ok and does not switch, with probability P";
    "welded-relay" Flag(|b| b.relay.welded = true), "reports off, yet the current flows on";
    "slow-relay=D" Time(|b, d| b.relay.slow = d), "the relay moves D after the +ok";
    "second-line" Flag(|b| b.relay.second_line = true), "the +ok to a switch command is followed by +error";
    "silent-switch" Flag(|b| b.relay.silent = true), "switches and does not answer";
    "falls-off" Flag(|b| b.relay.falls_on_restart = true), "the relay is off after a restart";

    // The meter.
    "empty-meter" Flag(|b| b.meter.empty = true), "all fields of the meter reply are empty";
    "empty-power" Flag(|b| b.meter.empty_power = true), "the power field of the meter reply is empty";
    "zero-power" Flag(|b| b.meter.zero_power = true), "the power field is always 0, whatever flows";
    "odd-field" Flag(|b| b.meter.odd_field = true), "the power field of the meter reply is -1";
    "six-fields" Flag(|b| b.meter.six_fields = true), "the meter reply ends after the energy";
    "nine-fields" Flag(|b| b.meter.nine_fields = true), "the meter reply has two more fields";
    "meter-refused" Flag(|b| b.meter.refused = true), "AT+YZOUT is answered +ERROR";
    "spike[=P]" Share(Some(0.1), |b, p| b.meter.spike = p), "a reading is impossibly high, with probability P";
    "counter-reset" Flag(|b| b.meter.resets_on_restart = true), "the energy counter starts at 0 after a restart";
    "counter-reset-every=D" Time(|b, d| b.meter.resets_every = Some(d)), "the energy counter falls back to 0 each D";

    // The web page.
    "no-web" Flag(|b| b.web.off = true), "TCP 80 is closed";
    "web-password" Flag(|b| b.web.other_password = true), "the web login is not ADMIN/ADMIN";
}];

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;
    use crate::catalogue::FaultError;
    use crate::catalogue::tests::check;

    fn together(specs: &[&str]) -> RecoBehaviour {
        let faults: Vec<PlugFault> = specs.iter().map(|spec| spec.parse().unwrap()).collect();
        PlugFault::together(&faults)
    }

    fn behaviour(spec: &str) -> RecoBehaviour {
        together(&[spec])
    }

    #[test]
    fn the_catalogue_is_sound() {
        check(CATALOGUE, |name| match name {
            "deaf" => "cr",
            "security" => "mixed",
            "res" => "3",
            "sockb" => "TCP,8816,cloud.example",
            "netp" => "TCP,Client,8816,cloud.example",
            "forgets" | "reverts" | "silent-after" => "ASWD",
            _ => "text",
        });
    }

    #[test]
    fn parameters_are_read_in_their_units() {
        assert_eq!(behaviour("lost=30%").wire.lost_in, 0.3);
        assert_eq!(behaviour("lost=0.3").wire.lost_out, 0.3);
        assert_eq!(behaviour("lost-in=100%").wire.lost_out, 0.0);
        assert_eq!(
            behaviour("SLOW-relay=2s").relay.slow,
            Duration::from_secs(2)
        );
        assert_eq!(
            behaviour("delayed=1500 milliseconds").wire.delayed,
            Duration::from_millis(1500)
        );
        assert_eq!(behaviour("field-6=x").discovery.field_six, b"x");
        assert_eq!(
            behaviour("wrong-address=10.0.0.1").discovery.wrong_address,
            Some(Ipv4Addr::new(10, 0, 0, 1))
        );
    }

    #[test]
    fn wrong_parameters_say_what_was_expected() {
        for (text, part) in [
            ("lost", "needs a parameter"),
            ("lost=", "invalid share"),
            ("lost=130%", "invalid share"),
            ("lost=nan", "invalid share"),
            ("split=1", "takes no parameter"),
            ("slow-relay=-2s", "invalid duration"),
            ("slow-relay=2 weeks", "invalid duration"),
            ("clients=9", "1 to 5"),
            ("field-6=a,b", "without comma"),
            ("deaf=tab", "cr, lf, crlf or none"),
            ("wrong-address=1.2.3", "invalid IPv4 address"),
        ] {
            let message = text.parse::<PlugFault>().unwrap_err().to_string();
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    #[test]
    fn an_unknown_name_gets_a_neighbour_as_hint() {
        let error = "slow-relais=2s".parse::<PlugFault>().unwrap_err();
        assert_eq!(
            error,
            FaultError::Unknown {
                name: "slow-relais".to_owned(),
                nearest: Some("slow-relay")
            }
        );
        assert_eq!(
            "q".parse::<PlugFault>().unwrap_err(),
            FaultError::Unknown {
                name: "q".to_owned(),
                nearest: None
            }
        );
    }

    #[test]
    fn the_last_of_two_faults_decides_and_deafness_adds_up() {
        let behaviour = together(&["cr-only", "no-terminator", "deaf=cr", "deaf=lf"]);
        assert_eq!(behaviour.wording.end, b"");
        assert_eq!(behaviour.session.deaf_to, [b"\r".as_slice(), b"\n"]);
    }
}
