//! Every AT verb of the module: one table of what a query reports and what a value does.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::RecoTwin;
use super::answer::{AnswerContent, AtAnswer, AtError, AtLine, FollowUp};
use super::behaviour::CommandBehaviour;
use super::values::{self, number, one_of, text};
use crate::config::{Profile, mac_after};
use crate::network::{VisibleNetwork, neighbours};
use crate::twin::TwinArrival;

struct ModuleVerb {
    name: &'static str,
    query: QueryAction,
    set: SetAction,
}

/// Effect of the verb without a value.
enum QueryAction {
    Not,
    /// Reports the stored value.
    Stored,
    Act(fn(&mut RecoTwin, TwinArrival) -> AtAnswer),
}

/// Effect of the verb with a value.
enum SetAction {
    Not,
    /// Stores what the check makes of the value, effective after a restart; what it refuses is `+ERR=-4`.
    Stored(fn(&[u8], &CommandBehaviour) -> Option<Vec<u8>>),
    Act(fn(&mut RecoTwin, TwinArrival, &[u8]) -> AtAnswer),
}

use QueryAction::Stored;

#[rustfmt::skip]
static VERBS: &[ModuleVerb] = &[
    ModuleVerb { name: "", query: QueryAction::Act(|_, _| AtAnswer::ok()), set: SetAction::Not },
    ModuleVerb { name: "H", query: QueryAction::Act(help), set: SetAction::Not },
    ModuleVerb { name: "E", query: QueryAction::Act(toggle_echo), set: SetAction::Act(set_echo) },
    ModuleVerb { name: "VER", query: QueryAction::Act(|twin, _| AtAnswer::value(twin.version())), set: SetAction::Not },
    ModuleVerb { name: "LVER", query: QueryAction::Act(|_, _| AtAnswer::value("08 (2015-04-28 16:57 16B)")), set: SetAction::Not },
    ModuleVerb { name: "MID", query: Stored, set: SetAction::Not },
    ModuleVerb { name: "WRMID", query: QueryAction::Not, set: SetAction::Act(set_module) },
    ModuleVerb { name: "WSMAC", query: QueryAction::Act(|twin, _| AtAnswer::value(twin.config.mac.compact())), set: SetAction::Act(|_, _, _| AtAnswer::refusal(AtError::NotPermitted)) },
    ModuleVerb { name: "WAMAC", query: QueryAction::Act(|twin, _| AtAnswer::value(mac_after(twin.config.mac, 1).compact())), set: SetAction::Not },
    ModuleVerb { name: "WMODE", query: Stored, set: SetAction::Stored(values::mode) },
    ModuleVerb { name: "WSSSID", query: Stored, set: SetAction::Stored(values::ssid) },
    ModuleVerb { name: "WSKEY", query: QueryAction::Act(|twin, _| twin.key("WSKEY")), set: SetAction::Stored(values::station_key) },
    ModuleVerb { name: "WSLK", query: QueryAction::Act(|twin, _| twin.link_status()), set: SetAction::Not },
    ModuleVerb { name: "WSLQ", query: QueryAction::Act(|twin, _| twin.link_quality()), set: SetAction::Not },
    ModuleVerb { name: "WSCAN", query: QueryAction::Act(|twin, _| twin.scan()), set: SetAction::Not },
    ModuleVerb { name: "WANN", query: QueryAction::Act(|twin, _| twin.wan()), set: SetAction::Stored(values::wan) },
    ModuleVerb { name: "LANN", query: Stored, set: SetAction::Stored(values::lan) },
    ModuleVerb { name: "WADHCP", query: Stored, set: SetAction::Stored(values::dhcp_server) },
    ModuleVerb { name: "WAP", query: Stored, set: SetAction::Stored(values::access_point) },
    ModuleVerb { name: "WAKEY", query: QueryAction::Act(|twin, _| twin.key("WAKEY")), set: SetAction::Stored(values::access_point_key) },
    ModuleVerb { name: "WSDNS", query: Stored, set: SetAction::Stored(|value, _| text(value)?.parse::<Ipv4Addr>().ok().map(|ip| ip.to_string().into_bytes())) },
    ModuleVerb { name: "NETP", query: Stored, set: SetAction::Stored(values::socket) },
    ModuleVerb { name: "TCPLK", query: QueryAction::Act(|twin, _| AtAnswer::value(if twin.streams.is_empty() { "off" } else { "on" })), set: SetAction::Not },
    ModuleVerb { name: "TCPTO", query: Stored, set: SetAction::Stored(|value, _| number(value, 0..=600)) },
    ModuleVerb { name: "TCPDIS", query: Stored, set: SetAction::Stored(|value, _| one_of(value, &["on", "off"])) },
    ModuleVerb { name: "MAXSK", query: Stored, set: SetAction::Stored(|value, _| number(value, 1..=5)) },
    ModuleVerb { name: "SOCKB", query: Stored, set: SetAction::Stored(values::second_socket) },
    ModuleVerb { name: "TMODE", query: Stored, set: SetAction::Stored(|value, _| one_of(value, &["throughput", "cmd"])) },
    ModuleVerb { name: "UART", query: Stored, set: SetAction::Stored(values::uart) },
    ModuleVerb { name: "ENTM", query: QueryAction::Act(|_, _| AtAnswer::ok().then(FollowUp::Leave)), set: SetAction::Not },
    ModuleVerb { name: "PING", query: QueryAction::Not, set: SetAction::Act(ping) },
    ModuleVerb { name: "ASWD", query: Stored, set: SetAction::Stored(values::word) },
    ModuleVerb { name: "WEBU", query: Stored, set: SetAction::Stored(values::web_user) },
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

/// Runs one command.
pub(super) fn run(twin: &mut RecoTwin, arrival: TwinArrival, line: &AtLine<'_>) -> AtAnswer {
    let engine = &twin.behaviour.engine;
    // Seen once, from a script that confuses ports: no answer on UDP.
    if line.verb == "RECOSCAN" {
        return AtAnswer::new(AnswerContent::Silence);
    }
    let known = |verb: &&ModuleVerb| {
        verb.name == line.verb
            && (engine.ethernet_verbs || !is_ethernet(verb.name))
            && (verb.name != "LVER" || twin.config.profile == Profile::S20)
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
                if !engine.forgets.contains(&verb.name) {
                    twin.stored.set(verb.name, &value);
                }
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

fn help(twin: &mut RecoTwin, _: TwinArrival) -> AtAnswer {
    if twin.behaviour.engine.short_help {
        return AtAnswer::value("");
    }
    let names = VERBS
        .iter()
        .map(|verb| verb.name)
        .filter(|name| !name.is_empty() && !is_ethernet(name) && *name != "LVER");
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

fn toggle_echo(twin: &mut RecoTwin, _: TwinArrival) -> AtAnswer {
    twin.behaviour.wording.echo ^= true;
    AtAnswer::ok()
}

fn set_echo(twin: &mut RecoTwin, _: TwinArrival, value: &[u8]) -> AtAnswer {
    match one_of(value, &["on", "off"]) {
        Some(word) => {
            twin.behaviour.wording.echo = word == b"on";
            AtAnswer::ok()
        }
        None => AtAnswer::refusal(AtError::Parameter),
    }
}

/// The one setting that counts at once, as seen on an S20.
fn set_module(twin: &mut RecoTwin, _: TwinArrival, value: &[u8]) -> AtAnswer {
    if value.is_empty() || value.len() > 20 || value.contains(&b',') {
        return AtAnswer::refusal(AtError::Parameter);
    }
    twin.stored.set("MID", value);
    AtAnswer::ok()
}

fn restart(twin: &mut RecoTwin, _: TwinArrival) -> AtAnswer {
    unless(!twin.behaviour.engine.restart_answered).then(FollowUp::Restart)
}

fn ping(twin: &mut RecoTwin, arrival: TwinArrival, value: &[u8]) -> AtAnswer {
    let Some(target) = text(value).and_then(|text| text.parse::<Ipv4Addr>().ok()) else {
        return AtAnswer::value("Unknown host");
    };
    match twin.lease() {
        // Certainly present: the router, the twin itself, and the client.
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
            Profile::S20 => "4.02.08.14 (2015-04-28 16:57 1M)",
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
        if engine.link_bssid {
            return AtAnswer::value(bssid.compact().to_ascii_lowercase());
        }
        if engine.link_parentheses {
            let line = [b"+ok=(", ssid, b")\r"].concat();
            return AtAnswer::new(AnswerContent::Verbatim(vec![(Duration::ZERO, line)]));
        }
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

    /// Returns the visible networks, the strongest first.
    fn visible(&self) -> Vec<VisibleNetwork> {
        let joining = &self.behaviour.joining;
        let mut networks: Vec<_> = self
            .config
            .home_networks
            .iter()
            .map(|home| home.seen(joining.security, joining.signal))
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
