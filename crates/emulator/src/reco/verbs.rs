//! Every AT verb of the module: one table of what a query reports and what a value does.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::RecoTwin;
use super::answer::{AnswerContent, AtAnswer, AtError, AtLine, FollowUp};
use crate::config::{Profile, mac_after};
use crate::network::{VisibleNetwork, neighbours};
use crate::reco::behaviour::CommandBehaviour;
use crate::twin::Arrival;
use crate::wskey::KeySetting;

struct ModuleVerb {
    name: &'static str,
    query: QueryAction,
    set: SetAction,
}

/// What the verb does without a value.
enum QueryAction {
    Not,
    /// Reports the stored value.
    Stored,
    Act(fn(&mut RecoTwin, Arrival) -> AtAnswer),
}

/// What the verb does with a value.
enum SetAction {
    Not,
    /// Stores what the check makes of the value, effective after a restart; what it refuses is `+ERR=-4`.
    Stored(fn(&[u8], &CommandBehaviour) -> Option<Vec<u8>>),
    Act(fn(&mut RecoTwin, Arrival, &[u8]) -> AtAnswer),
}

use QueryAction::Stored;

#[rustfmt::skip]
static VERBS: &[ModuleVerb] = &[
    ModuleVerb { name: "", query: QueryAction::Act(|_, _| AtAnswer::ok()), set: SetAction::Not },
    ModuleVerb { name: "H", query: QueryAction::Act(help), set: SetAction::Not },
    ModuleVerb { name: "E", query: QueryAction::Act(toggle_echo), set: SetAction::Act(set_echo) },
    ModuleVerb { name: "VER", query: QueryAction::Act(|twin, _| AtAnswer::value(twin.version())), set: SetAction::Not },
    ModuleVerb { name: "MID", query: Stored, set: SetAction::Not },
    ModuleVerb { name: "WRMID", query: QueryAction::Not, set: SetAction::Act(set_module) },
    ModuleVerb { name: "WSMAC", query: QueryAction::Act(|twin, _| AtAnswer::value(twin.config.mac.compact())), set: SetAction::Act(|_, _, _| AtAnswer::refusal(AtError::NotPermitted)) },
    ModuleVerb { name: "WAMAC", query: QueryAction::Act(|twin, _| AtAnswer::value(mac_after(twin.config.mac, 1).compact())), set: SetAction::Not },
    ModuleVerb { name: "WMODE", query: Stored, set: SetAction::Stored(mode) },
    ModuleVerb { name: "WSSSID", query: Stored, set: SetAction::Stored(ssid) },
    ModuleVerb { name: "WSKEY", query: QueryAction::Act(|twin, _| twin.key("WSKEY")), set: SetAction::Stored(station_key) },
    ModuleVerb { name: "WSLK", query: QueryAction::Act(|twin, _| twin.link_status()), set: SetAction::Not },
    ModuleVerb { name: "WSLQ", query: QueryAction::Act(|twin, _| twin.link_quality()), set: SetAction::Not },
    ModuleVerb { name: "WSCAN", query: QueryAction::Act(|twin, _| twin.scan()), set: SetAction::Not },
    ModuleVerb { name: "WANN", query: QueryAction::Act(|twin, _| twin.wan()), set: SetAction::Stored(wan) },
    ModuleVerb { name: "LANN", query: Stored, set: SetAction::Stored(lan) },
    ModuleVerb { name: "WADHCP", query: Stored, set: SetAction::Stored(dhcp_server) },
    ModuleVerb { name: "WAP", query: Stored, set: SetAction::Stored(access_point) },
    ModuleVerb { name: "WAKEY", query: QueryAction::Act(|twin, _| twin.key("WAKEY")), set: SetAction::Stored(access_point_key) },
    ModuleVerb { name: "WSDNS", query: Stored, set: SetAction::Stored(|value, _| text(value)?.parse::<Ipv4Addr>().ok().map(|ip| ip.to_string().into_bytes())) },
    ModuleVerb { name: "NETP", query: Stored, set: SetAction::Stored(socket) },
    ModuleVerb { name: "TCPLK", query: QueryAction::Act(|twin, _| AtAnswer::value(if twin.streams.is_empty() { "off" } else { "on" })), set: SetAction::Not },
    ModuleVerb { name: "TCPTO", query: Stored, set: SetAction::Stored(|value, _| number(value, 0..=600)) },
    ModuleVerb { name: "TCPDIS", query: Stored, set: SetAction::Stored(|value, _| one_of(value, &["on", "off"])) },
    ModuleVerb { name: "MAXSK", query: Stored, set: SetAction::Stored(|value, _| number(value, 1..=5)) },
    ModuleVerb { name: "SOCKB", query: Stored, set: SetAction::Stored(second_socket) },
    ModuleVerb { name: "TMODE", query: Stored, set: SetAction::Stored(|value, _| one_of(value, &["throughput", "cmd"])) },
    ModuleVerb { name: "UART", query: Stored, set: SetAction::Stored(uart) },
    ModuleVerb { name: "ENTM", query: QueryAction::Act(|_, _| AtAnswer::ok().then(FollowUp::Leave)), set: SetAction::Not },
    ModuleVerb { name: "PING", query: QueryAction::Not, set: SetAction::Act(ping) },
    ModuleVerb { name: "ASWD", query: Stored, set: SetAction::Stored(|value, _| (1..=20).contains(&value.len()).then(|| value.to_vec())) },
    ModuleVerb { name: "WEBU", query: Stored, set: SetAction::Stored(web_user) },
    ModuleVerb { name: "WEBVER", query: QueryAction::Act(|_, _| AtAnswer::value("V1.0.24")), set: SetAction::Not },
    ModuleVerb { name: "PLANG", query: Stored, set: SetAction::Stored(|value, _| one_of(value, &["EN", "CN"])) },
    ModuleVerb { name: "EPHY", query: Stored, set: SetAction::Stored(|value, _| one_of(value, &["on", "off"])) },
    ModuleVerb { name: "FAPSTA", query: Stored, set: SetAction::Stored(|value, _| one_of(value, &["on", "off"])) },
    ModuleVerb { name: "SMTLK", query: QueryAction::Act(|_, _| AtAnswer::ok()), set: SetAction::Not },
    ModuleVerb { name: "CFGTF", query: QueryAction::Act(|_, _| AtAnswer::ok()), set: SetAction::Not },
    ModuleVerb { name: "CFGRD", query: QueryAction::Act(|_, _| AtAnswer::ok()), set: SetAction::Not },
    ModuleVerb { name: "FCLR", query: QueryAction::Act(|_, _| AtAnswer::ok()), set: SetAction::Not },
    // Accepted and ignored: there is nothing in a twin that new firmware could break.
    ModuleVerb { name: "UPURL", query: QueryAction::Not, set: SetAction::Act(|_, _, _| AtAnswer::ok()) },
    ModuleVerb { name: "RELD", query: QueryAction::Act(|_, _| AtAnswer::value("rebooting...").then(FollowUp::Reset)), set: SetAction::Not },
    ModuleVerb { name: "Z", query: QueryAction::Act(restart), set: SetAction::Not },
    ModuleVerb { name: "W", query: QueryAction::Act(|twin, _| unless(twin.behaviour.engine.keep_alive_silent)), set: SetAction::Not },
    ModuleVerb { name: "Q", query: QueryAction::Act(|twin, _| unless(twin.behaviour.engine.quit_silent).then(FollowUp::Leave)), set: SetAction::Not },
];

/// Tells whether answers to the verb are not for records.
pub(super) fn is_secret(verb: &str) -> bool {
    matches!(verb, "WSKEY" | "WAKEY" | "ASWD" | "WEBU")
}

/// Runs one command.
pub(super) fn run(twin: &mut RecoTwin, arrival: Arrival, line: &AtLine<'_>) -> AtAnswer {
    let engine = &twin.behaviour.engine;
    // Seen once, from a script that confuses ports: no answer on UDP.
    if line.verb == "RECOSCAN" {
        return AtAnswer::new(AnswerContent::Silence);
    }
    let known = |verb: &&ModuleVerb| {
        verb.name == line.verb
            && (engine.ethernet_verbs || !is_ethernet(verb.name))
            && !(engine.no_link_verbs && matches!(verb.name, "WSLK" | "WSLQ"))
    };
    let Some(verb) = VERBS.iter().find(known) else {
        return AtAnswer::refusal(AtError::Verb);
    };
    match (line.value, &verb.query, &verb.set) {
        (None, Stored, _) => {
            AtAnswer::value(twin.stored.get(verb.name, &twin.config, &twin.behaviour))
        }
        (None, QueryAction::Act(act), _) => act(twin, arrival),
        (Some(value), _, SetAction::Act(act)) => act(twin, arrival, value),
        (Some(value), _, SetAction::Stored(check)) => match check(value, engine) {
            Some(value) => {
                twin.stored.set(verb.name, &value);
                AtAnswer::ok()
            }
            None => AtAnswer::refusal(AtError::Parameter),
        },
        (Some(_), _, SetAction::Not) if engine.query_only_unknown => {
            AtAnswer::refusal(AtError::Verb)
        }
        (None, QueryAction::Not, _) | (Some(_), _, SetAction::Not) => {
            AtAnswer::refusal(AtError::Operator)
        }
    }
}

/// Verbs of the HF-A11 for its Ethernet port, which the LPB100 has not.
fn is_ethernet(verb: &str) -> bool {
    matches!(verb, "EPHY" | "FAPSTA")
}

fn unless(silent: bool) -> AtAnswer {
    AtAnswer::new(if silent {
        AnswerContent::Silence
    } else {
        AnswerContent::Ok
    })
}

fn help(twin: &mut RecoTwin, _: Arrival) -> AtAnswer {
    if twin.behaviour.engine.short_help {
        return AtAnswer::value("");
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
    AtAnswer::new(AnswerContent::Verbatim(datagrams))
}

fn toggle_echo(twin: &mut RecoTwin, _: Arrival) -> AtAnswer {
    twin.behaviour.wording.echo ^= true;
    AtAnswer::ok()
}

fn set_echo(twin: &mut RecoTwin, _: Arrival, value: &[u8]) -> AtAnswer {
    match one_of(value, &["on", "off"]) {
        Some(word) => {
            twin.behaviour.wording.echo = word == b"on";
            AtAnswer::ok()
        }
        None => AtAnswer::refusal(AtError::Parameter),
    }
}

/// The one setting that counts at once, as seen on an S20.
fn set_module(twin: &mut RecoTwin, _: Arrival, value: &[u8]) -> AtAnswer {
    if value.is_empty() || value.len() > 20 || value.contains(&b',') {
        return AtAnswer::refusal(AtError::Parameter);
    }
    twin.stored.set("MID", value);
    AtAnswer::ok()
}

fn restart(twin: &mut RecoTwin, _: Arrival) -> AtAnswer {
    unless(!twin.behaviour.engine.restart_answered).then(FollowUp::Restart)
}

fn ping(twin: &mut RecoTwin, arrival: Arrival, value: &[u8]) -> AtAnswer {
    let Some(target) = text(value).and_then(|text| text.parse::<Ipv4Addr>().ok()) else {
        return AtAnswer::value("Unknown host");
    };
    match twin.lease() {
        // Those who certainly are there: the router, the twin itself, and whoever asks.
        Some(lease)
            if !twin.behaviour.joining.no_router
                && [gateway(lease), lease, *arrival.from.ip()].contains(&target) =>
        {
            AtAnswer::value("Success").after(Duration::from_millis(20))
        }
        _ => AtAnswer::value("Timeout").after(Duration::from_secs(2)),
    }
}

fn gateway(lease: Ipv4Addr) -> Ipv4Addr {
    let [a, b, c, d] = lease.octets();
    Ipv4Addr::new(a, b, c, if d == 1 { 254 } else { 1 })
}

impl RecoTwin {
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

    fn key(&self, verb: &str) -> AtAnswer {
        let mut value = self.stored.get(verb, &self.config, &self.behaviour);
        if self.behaviour.engine.open_comma && value.as_slice() == b"OPEN,NONE" {
            value.push(b',');
        }
        AtAnswer::value(value)
    }

    fn link_status(&self) -> AtAnswer {
        let engine = &self.behaviour.engine;
        let Some((ssid, bssid)) = self.wifi.network() else {
            let status = if engine.link_radio_off {
                "RF Off"
            } else {
                "Disconnected"
            };
            if engine.link_no_prefix {
                let mut line = status.as_bytes().to_vec();
                line.extend_from_slice(self.behaviour.wording.end);
                return AtAnswer::new(AnswerContent::Verbatim(vec![(Duration::ZERO, line)]));
            }
            return AtAnswer::value(status);
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
        AtAnswer::value(value)
    }

    fn link_quality(&self) -> AtAnswer {
        let signal = self.wifi.network().and_then(|(ssid, _)| {
            let visible = self.visible();
            visible
                .iter()
                .find(|it| it.ssid == ssid)
                .map(|it| it.signal)
        });
        match signal {
            Some(signal) => AtAnswer::value(signal.to_string()),
            None => AtAnswer::value("Disconnected"),
        }
    }

    fn wan(&self) -> AtAnswer {
        let stored = self.stored.get("WANN", &self.config, &self.behaviour);
        if stored.as_slice() != b"DHCP" {
            return AtAnswer::value(stored);
        }
        AtAnswer::value(match self.lease() {
            Some(lease) => format!("DHCP,{lease},255.255.255.0,{}", gateway(lease)),
            None => "DHCP,0.0.0.0,0.0.0.0,0.0.0.0".to_owned(),
        })
    }

    /// What is in the air, the strongest first.
    fn visible(&self) -> Vec<VisibleNetwork> {
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

    fn scan(&self) -> AtAnswer {
        const LISTENS: Duration = Duration::from_millis(600);
        const APART: Duration = Duration::from_millis(5);
        let engine = &self.behaviour.engine;
        if engine.scan_refused {
            return AtAnswer::refusal(AtError::NotPermitted);
        }
        let mut datagrams = vec![(
            Duration::ZERO,
            b"+ok=\n\rCh,SSID,BSSID,Security,Indicator\n\r".to_vec(),
        )];
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
        AtAnswer::new(AnswerContent::Verbatim(datagrams)).after(LISTENS)
    }
}

fn row(network: &VisibleNetwork, engine: &CommandBehaviour) -> Vec<u8> {
    let mut row = network.row();
    if engine.scan_nine_columns {
        row.extend_from_slice(b",100,0,0,0,");
    }
    row.extend_from_slice(b"\n\r");
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

fn mode(value: &[u8], engine: &CommandBehaviour) -> Option<Vec<u8>> {
    let mode = one_of(value, &["AP", "STA", "APSTA"])?;
    let refused =
        (engine.exact_case && mode != value) || (engine.refuse_station_and_ap && mode == b"APSTA");
    (!refused).then_some(mode)
}

fn ssid(value: &[u8], engine: &CommandBehaviour) -> Option<Vec<u8>> {
    let comma = value.iter().position(|&byte| byte == b',');
    let value = match comma {
        Some(_) if engine.strict_commas => return None,
        Some(at) if engine.cut_ssid => value.get(..at)?,
        _ => value,
    };
    is_ssid(value).then(|| value.to_vec())
}

fn is_ssid(value: &[u8]) -> bool {
    (1..=32).contains(&value.len())
}

fn station_key(value: &[u8], engine: &CommandBehaviour) -> Option<Vec<u8>> {
    let commas = value.iter().filter(|&&byte| byte == b',').count();
    let setting = KeySetting::parse(value)?;
    let spelt = setting.emit();
    let refused =
        (engine.strict_commas && commas > 2) || (engine.exact_case && !value.starts_with(&spelt));
    let fits = setting.is_valid() || (engine.hex_key && setting.is_hex_psk());
    (fits && !refused).then(|| spelt.to_vec())
}

/// The access point takes `OPEN,NONE` or `WPA2PSK,AES` only.
fn access_point_key(value: &[u8], engine: &CommandBehaviour) -> Option<Vec<u8>> {
    let spelt = station_key(value, engine)?;
    (spelt == b"OPEN,NONE" || spelt.starts_with(b"WPA2PSK,AES,")).then_some(spelt)
}

/// `DHCP`, alone or padded with addresses, or `static,<ip>,<mask>,<gateway>`.
fn wan(value: &[u8], _: &CommandBehaviour) -> Option<Vec<u8>> {
    let text = text(value)?;
    let (word, rest) = text.split_once(',').unwrap_or((text, ""));
    let fits = rest.split(',').count() == 3 && addresses(rest);
    match word.to_ascii_uppercase().as_str() {
        "DHCP" if rest.is_empty() || fits => Some(b"DHCP".to_vec()),
        "STATIC" if fits => Some(format!("static,{rest}").into_bytes()),
        _ => None,
    }
}

fn lan(value: &[u8], _: &CommandBehaviour) -> Option<Vec<u8>> {
    let text = text(value)?;
    (text.split(',').count() == 2 && addresses(text)).then(|| text.as_bytes().to_vec())
}

/// `on`, `off`, or `on,<first>,<last>` with the host numbers of the pool.
fn dhcp_server(value: &[u8], _: &CommandBehaviour) -> Option<Vec<u8>> {
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
fn access_point(value: &[u8], _: &CommandBehaviour) -> Option<Vec<u8>> {
    let first = value.iter().position(|&byte| byte == b',')?;
    let last = value.iter().rposition(|&byte| byte == b',')?;
    let channel = text(value.get(last + 1..)?)?.to_ascii_uppercase();
    let number = channel
        .strip_prefix("CH")
        .and_then(|number| number.parse::<u8>().ok());
    let fits = channel == "AUTO" || number.is_some_and(|number| (1..=14).contains(&number));
    let named = is_ssid(value.get(first + 1..last)?);
    (fits && named && value.starts_with(b"11")).then(|| value.to_vec())
}

/// `<TCP|UDP>,<Server|Client>,<port>,<host>`; the role is reported in mixed case.
fn socket(value: &[u8], _: &CommandBehaviour) -> Option<Vec<u8>> {
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
fn second_socket(value: &[u8], _: &CommandBehaviour) -> Option<Vec<u8>> {
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

fn uart(value: &[u8], _: &CommandBehaviour) -> Option<Vec<u8>> {
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

fn web_user(value: &[u8], _: &CommandBehaviour) -> Option<Vec<u8>> {
    let (user, password) = text(value)?.split_once(',')?;
    (!user.is_empty() && password.len() <= 32 && user.len() <= 32).then(|| value.to_vec())
}
