//! Every AT verb of the module: one table of what a query reports and what a value does.

use std::net::Ipv4Addr;
use std::time::Duration;

use hiflying::wifi::{Credentials, WifiKeyError};
use hiflying::wscan::{self, ScannedNetwork};
use hiflying::{AtRequest, ErrorCode, Ssid, WifiKey};

use super::at::{Answer, Content, Then};
use super::{Arrival, Twin};
use crate::behaviour::Engine;
use crate::config::{Profile, mac_after};
use crate::network::neighbours;

struct Verb {
    name: &'static str,
    query: Query,
    set: Set,
}

/// What the verb does without a value.
enum Query {
    Not,
    /// Reports the stored value.
    Stored,
    Act(fn(&mut Twin, Arrival) -> Answer),
}

/// What the verb does with a value.
enum Set {
    Not,
    /// Stores what the check makes of the value, effective after a restart; what it refuses is `+ERR=-4`.
    Stored(fn(&[u8], &Engine) -> Option<Vec<u8>>),
    Act(fn(&mut Twin, Arrival, &[u8]) -> Answer),
}

use Query::Stored;

#[rustfmt::skip]
static VERBS: &[Verb] = &[
    Verb { name: "", query: Query::Act(|_, _| Answer::ok()), set: Set::Not },
    Verb { name: "H", query: Query::Act(help), set: Set::Not },
    Verb { name: "E", query: Query::Act(toggle_echo), set: Set::Act(set_echo) },
    Verb { name: "VER", query: Query::Act(|twin, _| Answer::value(twin.version())), set: Set::Not },
    Verb { name: "MID", query: Stored, set: Set::Not },
    Verb { name: "WRMID", query: Query::Not, set: Set::Act(set_module) },
    Verb { name: "WSMAC", query: Query::Act(|twin, _| Answer::value(twin.config.mac.compact())), set: Set::Act(|_, _, _| Answer::refusal(ErrorCode::NotPermitted)) },
    Verb { name: "WAMAC", query: Query::Act(|twin, _| Answer::value(mac_after(twin.config.mac, 1).compact())), set: Set::Not },
    Verb { name: "WMODE", query: Stored, set: Set::Stored(mode) },
    Verb { name: "WSSSID", query: Stored, set: Set::Stored(ssid) },
    Verb { name: "WSKEY", query: Query::Act(|twin, _| twin.key("WSKEY")), set: Set::Stored(station_key) },
    Verb { name: "WSLK", query: Query::Act(|twin, _| twin.link_status()), set: Set::Not },
    Verb { name: "WSLQ", query: Query::Act(|twin, _| twin.link_quality()), set: Set::Not },
    Verb { name: "WSCAN", query: Query::Act(|twin, _| twin.scan()), set: Set::Not },
    Verb { name: "WANN", query: Query::Act(|twin, _| twin.wan()), set: Set::Stored(wan) },
    Verb { name: "LANN", query: Stored, set: Set::Stored(lan) },
    Verb { name: "WADHCP", query: Stored, set: Set::Stored(dhcp_server) },
    Verb { name: "WAP", query: Stored, set: Set::Stored(access_point) },
    Verb { name: "WAKEY", query: Query::Act(|twin, _| twin.key("WAKEY")), set: Set::Stored(access_point_key) },
    Verb { name: "WSDNS", query: Stored, set: Set::Stored(|value, _| text(value)?.parse::<Ipv4Addr>().ok().map(|ip| ip.to_string().into_bytes())) },
    Verb { name: "NETP", query: Stored, set: Set::Stored(socket) },
    Verb { name: "TCPLK", query: Query::Act(|twin, _| Answer::value(if twin.streams.is_empty() { "off" } else { "on" })), set: Set::Not },
    Verb { name: "TCPTO", query: Stored, set: Set::Stored(|value, _| number(value, 0..=600)) },
    Verb { name: "TCPDIS", query: Stored, set: Set::Stored(|value, _| one_of(value, &["on", "off"])) },
    Verb { name: "MAXSK", query: Stored, set: Set::Stored(|value, _| number(value, 1..=5)) },
    Verb { name: "SOCKB", query: Stored, set: Set::Stored(second_socket) },
    Verb { name: "TMODE", query: Stored, set: Set::Stored(|value, _| one_of(value, &["throughput", "cmd"])) },
    Verb { name: "UART", query: Stored, set: Set::Stored(uart) },
    Verb { name: "ENTM", query: Query::Act(|_, _| Answer::ok().then(Then::Leave)), set: Set::Not },
    Verb { name: "PING", query: Query::Not, set: Set::Act(ping) },
    Verb { name: "ASWD", query: Stored, set: Set::Stored(|value, _| (1..=20).contains(&value.len()).then(|| value.to_vec())) },
    Verb { name: "WEBU", query: Stored, set: Set::Stored(web_user) },
    Verb { name: "WEBVER", query: Query::Act(|_, _| Answer::value("V1.0.24")), set: Set::Not },
    Verb { name: "PLANG", query: Stored, set: Set::Stored(|value, _| one_of(value, &["EN", "CN"])) },
    Verb { name: "EPHY", query: Stored, set: Set::Stored(|value, _| one_of(value, &["on", "off"])) },
    Verb { name: "FAPSTA", query: Stored, set: Set::Stored(|value, _| one_of(value, &["on", "off"])) },
    Verb { name: "SMTLK", query: Query::Act(|_, _| Answer::ok()), set: Set::Not },
    Verb { name: "CFGTF", query: Query::Act(|_, _| Answer::ok()), set: Set::Not },
    Verb { name: "CFGRD", query: Query::Act(|_, _| Answer::ok()), set: Set::Not },
    Verb { name: "FCLR", query: Query::Act(|_, _| Answer::ok()), set: Set::Not },
    // Accepted and ignored: there is nothing in a twin that new firmware could break.
    Verb { name: "UPURL", query: Query::Not, set: Set::Act(|_, _, _| Answer::ok()) },
    Verb { name: "RELD", query: Query::Act(|_, _| Answer::value("rebooting...").then(Then::Reset)), set: Set::Not },
    Verb { name: "Z", query: Query::Act(restart), set: Set::Not },
    Verb { name: "W", query: Query::Act(|twin, _| unless(twin.behaviour.engine.keep_alive_silent)), set: Set::Not },
    Verb { name: "Q", query: Query::Act(|twin, _| unless(twin.behaviour.engine.quit_silent).then(Then::Leave)), set: Set::Not },
];

/// Tells whether answers to the verb are not for records.
pub(super) fn is_secret(verb: &str) -> bool {
    matches!(verb, "WSKEY" | "WAKEY" | "ASWD" | "WEBU")
}

/// Runs one command.
pub(super) fn run(twin: &mut Twin, arrival: Arrival, request: &AtRequest) -> Answer {
    let engine = &twin.behaviour.engine;
    // Seen once, from a script that confuses ports: no answer on UDP.
    if request.verb() == "RECOSCAN" {
        return Answer::new(Content::Silence);
    }
    let known = |verb: &&Verb| {
        verb.name == request.verb()
            && (engine.ethernet_verbs || !is_ethernet(verb.name))
            && !(engine.no_link_verbs && matches!(verb.name, "WSLK" | "WSLQ"))
    };
    let Some(verb) = VERBS.iter().find(known) else {
        return Answer::refusal(ErrorCode::Verb);
    };
    match (request.value(), &verb.query, &verb.set) {
        (None, Stored, _) => {
            Answer::value(twin.stored.get(verb.name, &twin.config, &twin.behaviour))
        }
        (None, Query::Act(act), _) => act(twin, arrival),
        (Some(value), _, Set::Act(act)) => act(twin, arrival, value),
        (Some(value), _, Set::Stored(check)) => match check(value, engine) {
            Some(value) => {
                twin.stored.set(verb.name, &value);
                Answer::ok()
            }
            None => Answer::refusal(ErrorCode::Parameter),
        },
        (Some(_), _, Set::Not) if engine.query_only_unknown => Answer::refusal(ErrorCode::Verb),
        (None, Query::Not, _) | (Some(_), _, Set::Not) => Answer::refusal(ErrorCode::Operator),
    }
}

/// Verbs of the HF-A11 for its Ethernet port, which the LPB100 has not.
fn is_ethernet(verb: &str) -> bool {
    matches!(verb, "EPHY" | "FAPSTA")
}

fn unless(silent: bool) -> Answer {
    Answer::new(if silent {
        Content::Silence
    } else {
        Content::Ok
    })
}

fn help(twin: &mut Twin, _: Arrival) -> Answer {
    if twin.behaviour.engine.short_help {
        return Answer::value("");
    }
    let names = VERBS
        .iter()
        .map(|verb| verb.name)
        .filter(|name| !name.is_empty() && !is_ethernet(name));
    let mut datagrams = vec![(Duration::ZERO, b"+ok=\n\r".to_vec())];
    datagrams.extend(names.map(|name| {
        (
            Duration::from_millis(2),
            format!("AT+{name}\n\r").into_bytes(),
        )
    }));
    datagrams.push((Duration::from_millis(2), b"\r\n".to_vec()));
    Answer::new(Content::Verbatim(datagrams))
}

fn toggle_echo(twin: &mut Twin, _: Arrival) -> Answer {
    twin.behaviour.wording.echo ^= true;
    Answer::ok()
}

fn set_echo(twin: &mut Twin, _: Arrival, value: &[u8]) -> Answer {
    match one_of(value, &["on", "off"]) {
        Some(word) => {
            twin.behaviour.wording.echo = word == b"on";
            Answer::ok()
        }
        None => Answer::refusal(ErrorCode::Parameter),
    }
}

/// The one setting that counts at once, as seen on an S20.
fn set_module(twin: &mut Twin, _: Arrival, value: &[u8]) -> Answer {
    if value.is_empty() || value.len() > 20 || value.contains(&b',') {
        return Answer::refusal(ErrorCode::Parameter);
    }
    twin.stored.set("MID", value);
    Answer::ok()
}

fn restart(twin: &mut Twin, _: Arrival) -> Answer {
    unless(!twin.behaviour.engine.restart_answered).then(Then::Restart)
}

fn ping(twin: &mut Twin, arrival: Arrival, value: &[u8]) -> Answer {
    let Some(target) = text(value).and_then(|text| text.parse::<Ipv4Addr>().ok()) else {
        return Answer::value("Unknown host");
    };
    match twin.lease() {
        // Those who certainly are there: the router, the twin itself, and whoever asks.
        Some(lease)
            if !twin.behaviour.joining.no_router
                && [gateway(lease), lease, *arrival.from.ip()].contains(&target) =>
        {
            Answer::value("Success").after(Duration::from_millis(20))
        }
        _ => Answer::value("Timeout").after(Duration::from_secs(2)),
    }
}

fn gateway(lease: Ipv4Addr) -> Ipv4Addr {
    let [a, b, c, d] = lease.octets();
    Ipv4Addr::new(a, b, c, if d == 1 { 254 } else { 1 })
}

impl Twin {
    pub(super) fn version(&self) -> String {
        // Stand-ins in the form of the LPB100's replies: no firmware text of a plug was published.
        let stand_in = match self.config.profile {
            Profile::Sp2 => "1.0.06a-14 (2014-10-29 21:46 1M)",
            Profile::P10a => "1.0.08a-2 (2015-11-22 21:33 1M)",
        };
        self.behaviour
            .engine
            .version
            .clone()
            .unwrap_or_else(|| stand_in.to_owned())
    }

    fn key(&self, verb: &str) -> Answer {
        let mut value = self.stored.get(verb, &self.config, &self.behaviour);
        if self.behaviour.engine.open_comma && value.as_slice() == b"OPEN,NONE" {
            value.push(b',');
        }
        Answer::value(value)
    }

    fn link_status(&self) -> Answer {
        let engine = &self.behaviour.engine;
        let Some((ssid, bssid)) = self.air.network() else {
            let status = if engine.link_radio_off {
                "RF Off"
            } else {
                "Disconnected"
            };
            if engine.link_no_prefix {
                let mut line = status.as_bytes().to_vec();
                line.extend_from_slice(self.behaviour.wording.end);
                return Answer::new(Content::Verbatim(vec![(Duration::ZERO, line)]));
            }
            return Answer::value(status);
        };
        let mut value = ssid.to_vec();
        if !engine.link_bare {
            let bssid = if engine.link_colons {
                bssid.to_string()
            } else {
                bssid.compact()
            };
            value.extend_from_slice(format!("({bssid})").as_bytes());
        }
        Answer::value(value)
    }

    fn link_quality(&self) -> Answer {
        let signal = self.air.network().and_then(|(ssid, _)| {
            self.visible()
                .into_iter()
                .find(|network| network.ssid == ssid)?
                .signal
        });
        match signal {
            Some(signal) => Answer::value(signal.to_string()),
            None => Answer::value("Disconnected"),
        }
    }

    fn wan(&self) -> Answer {
        let stored = self.stored.get("WANN", &self.config, &self.behaviour);
        if stored.as_slice() != b"DHCP" {
            return Answer::value(stored);
        }
        Answer::value(match self.lease() {
            Some(lease) => format!("DHCP,{lease},255.255.255.0,{}", gateway(lease)),
            None => "DHCP,0.0.0.0,0.0.0.0,0.0.0.0".to_owned(),
        })
    }

    /// What is in the air, the strongest first.
    fn visible(&self) -> Vec<ScannedNetwork> {
        let security = self.behaviour.joining.security;
        let mut networks: Vec<_> = self
            .config
            .home_networks
            .iter()
            .map(|home| home.seen(security))
            .collect();
        networks.extend(neighbours());
        networks.sort_by_key(|network| std::cmp::Reverse(network.signal));
        networks
    }

    fn scan(&self) -> Answer {
        const LISTENS: Duration = Duration::from_millis(600);
        const APART: Duration = Duration::from_millis(5);
        let engine = &self.behaviour.engine;
        if engine.scan_refused {
            return Answer::refusal(ErrorCode::NotPermitted);
        }
        let mut datagrams = vec![(Duration::ZERO, wscan::HEADER.to_vec())];
        datagrams.extend(
            self.visible()
                .iter()
                .map(|network| (APART, row(network, engine))),
        );
        datagrams.push((APART, b"\r\n".to_vec()));
        if let Some(end) = engine.scan_line_end {
            for (_, datagram) in &mut datagrams {
                *datagram = replace_line_ends(datagram, end);
            }
        }
        if engine.scan_one_datagram {
            let list = datagrams
                .into_iter()
                .flat_map(|(_, datagram)| datagram)
                .collect();
            datagrams = vec![(Duration::ZERO, list)];
        }
        Answer::new(Content::Verbatim(datagrams)).after(LISTENS)
    }
}

fn row(network: &ScannedNetwork, engine: &Engine) -> Vec<u8> {
    let mut row = network.emit_row();
    if engine.scan_nine_columns {
        row.truncate(row.len().saturating_sub(2));
        row.extend_from_slice(b",100,0,0,0,\n\r");
    }
    row
}

fn replace_line_ends(datagram: &[u8], end: &str) -> Vec<u8> {
    let mut replaced = Vec::with_capacity(datagram.len());
    for line in datagram.split_inclusive(|&byte| byte == b'\n') {
        let content: Vec<u8> = line
            .iter()
            .copied()
            .filter(|byte| !matches!(byte, b'\r' | b'\n'))
            .collect();
        replaced.extend_from_slice(&content);
        if line.ends_with(b"\n") {
            replaced.extend_from_slice(end.as_bytes());
        }
    }
    replaced
}

fn text(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok().map(str::trim)
}

/// One of some words in any case, spelt as in the list.
fn one_of(value: &[u8], words: &[&str]) -> Option<Vec<u8>> {
    let text = text(value)?;
    words
        .iter()
        .find(|word| word.eq_ignore_ascii_case(text))
        .map(|word| word.as_bytes().to_vec())
}

fn number(value: &[u8], range: std::ops::RangeInclusive<u32>) -> Option<Vec<u8>> {
    let number = text(value)?.parse::<u32>().ok()?;
    range
        .contains(&number)
        .then(|| number.to_string().into_bytes())
}

fn addresses(text: &str) -> bool {
    text.split(',')
        .all(|field| field.trim().parse::<Ipv4Addr>().is_ok())
}

fn mode(value: &[u8], engine: &Engine) -> Option<Vec<u8>> {
    let mode = one_of(value, &["AP", "STA", "APSTA"])?;
    let refused =
        (engine.exact_case && mode != value) || (engine.refuse_station_and_ap && mode == b"APSTA");
    (!refused).then_some(mode)
}

fn ssid(value: &[u8], engine: &Engine) -> Option<Vec<u8>> {
    let comma = value.iter().position(|&byte| byte == b',');
    let value = match comma {
        Some(_) if engine.strict_commas => return None,
        Some(at) if engine.cut_ssid => value.get(..at)?,
        _ => value,
    };
    Ssid::new(value).ok().map(|ssid| ssid.as_bytes().to_vec())
}

fn station_key(value: &[u8], engine: &Engine) -> Option<Vec<u8>> {
    let commas = value.iter().filter(|&&byte| byte == b',').count();
    let credentials = Credentials::parse(value).ok()?;
    let spelt = credentials.emit();
    if (engine.strict_commas && commas > 2) || (engine.exact_case && !value.starts_with(&spelt)) {
        return None;
    }
    match credentials.check() {
        Ok(()) => {}
        Err(WifiKeyError::WpaLength(64)) if engine.hex_key && is_hex(credentials.key.as_ref()) => {}
        Err(_) => return None,
    }
    Some(spelt.to_vec())
}

fn is_hex(key: Option<&WifiKey>) -> bool {
    key.is_some_and(|key| key.as_bytes().iter().all(u8::is_ascii_hexdigit))
}

/// The access point takes `OPEN,NONE` or `WPA2PSK,AES` only.
fn access_point_key(value: &[u8], engine: &Engine) -> Option<Vec<u8>> {
    let spelt = station_key(value, engine)?;
    (spelt == b"OPEN,NONE" || spelt.starts_with(b"WPA2PSK,AES,")).then_some(spelt)
}

/// `DHCP`, alone or padded with addresses, or `static,<ip>,<mask>,<gateway>`.
fn wan(value: &[u8], _: &Engine) -> Option<Vec<u8>> {
    let text = text(value)?;
    let (word, rest) = text.split_once(',').unwrap_or((text, ""));
    let fits = rest.split(',').count() == 3 && addresses(rest);
    match word.to_ascii_uppercase().as_str() {
        "DHCP" if rest.is_empty() || fits => Some(b"DHCP".to_vec()),
        "STATIC" if fits => Some(format!("static,{rest}").into_bytes()),
        _ => None,
    }
}

fn lan(value: &[u8], _: &Engine) -> Option<Vec<u8>> {
    let text = text(value)?;
    (text.split(',').count() == 2 && addresses(text)).then(|| text.as_bytes().to_vec())
}

/// `on`, `off`, or `on,<first>,<last>` with the host numbers of the pool.
fn dhcp_server(value: &[u8], _: &Engine) -> Option<Vec<u8>> {
    let text = text(value)?.to_ascii_lowercase();
    let fields: Vec<&str> = text.split(',').collect();
    let fits = match *fields.as_slice() {
        ["on" | "off"] => true,
        ["on", first, last] => [first, last].iter().all(|host| host.parse::<u8>().is_ok()),
        _ => false,
    };
    fits.then(|| text.into_bytes())
}

/// `<protocol>,<ssid>,<channel>`; the SSID is what lies between the first comma and the last.
fn access_point(value: &[u8], _: &Engine) -> Option<Vec<u8>> {
    let first = value.iter().position(|&byte| byte == b',')?;
    let last = value.iter().rposition(|&byte| byte == b',')?;
    let channel = text(value.get(last + 1..)?)?.to_ascii_uppercase();
    let number = channel
        .strip_prefix("CH")
        .and_then(|number| number.parse::<u8>().ok());
    let fits = channel == "AUTO" || number.is_some_and(|number| (1..=14).contains(&number));
    let named = Ssid::new(value.get(first + 1..last)?).is_ok();
    (fits && named && value.starts_with(b"11")).then(|| value.to_vec())
}

/// `<TCP|UDP>,<Server|Client>,<port>,<host>`; the role is reported in mixed case.
fn socket(value: &[u8], _: &Engine) -> Option<Vec<u8>> {
    let fields: Vec<&str> = text(value)?.split(',').collect();
    let [protocol, role, port, host] = *fields.as_slice() else {
        return None;
    };
    let protocol = String::from_utf8(one_of(protocol.as_bytes(), &["TCP", "UDP"])?).ok()?;
    let role = String::from_utf8(one_of(role.as_bytes(), &["Server", "Client"])?).ok()?;
    let port = port.parse::<u16>().ok().filter(|&port| port > 0)?;
    (!host.is_empty()).then(|| format!("{protocol},{role},{port},{host}").into_bytes())
}

/// `TCP,<port>,<host>`, or `NONE` for none.
fn second_socket(value: &[u8], _: &Engine) -> Option<Vec<u8>> {
    let text = text(value)?;
    if text.eq_ignore_ascii_case("NONE") {
        return Some(Vec::new());
    }
    let fields: Vec<&str> = text.split(',').collect();
    let [protocol, port, host] = *fields.as_slice() else {
        return None;
    };
    let fits = one_of(protocol.as_bytes(), &["TCP", "UDP"]).is_some()
        && port.parse::<u16>().is_ok()
        && !host.is_empty();
    fits.then(|| value.to_vec())
}

fn uart(value: &[u8], _: &Engine) -> Option<Vec<u8>> {
    let fields: Vec<&str> = text(value)?.split(',').collect();
    let [baud, bits, stop, parity, flow] = *fields.as_slice() else {
        return None;
    };
    let fits = baud
        .parse::<u32>()
        .is_ok_and(|baud| (300..=460_800).contains(&baud))
        && matches!(bits, "5" | "6" | "7" | "8")
        && matches!(stop, "1" | "2")
        && one_of(parity.as_bytes(), &["None", "Even", "Odd"]).is_some()
        && one_of(flow.as_bytes(), &["NFC", "FC"]).is_some();
    fits.then(|| value.to_vec())
}

fn web_user(value: &[u8], _: &Engine) -> Option<Vec<u8>> {
    let (user, password) = text(value)?.split_once(',')?;
    (!user.is_empty() && password.len() <= 32 && user.len() <= 32).then(|| value.to_vec())
}
