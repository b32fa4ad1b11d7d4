//! The result of a probe: JSON as fixed by the contract, and a sheet for people.

use std::net::Ipv4Addr;

use harden::web;
use hiflying::settings::Mode;
use hiflying::{DATA_PORT, DiscoveryWord, Mac, PORT};
use plugs::FamilyId;
use serde::Serialize;
use textwrap::Options;

use super::evidence::Facts;
use super::findings::{self, Finding, Severity};
use crate::ui::{BAD, BOLD, DIM, GOOD, WARN, clean, paint};

/// Indentation of the values in the sheet.
const INDENT: &str = "           ";

/// The result of a probe. Unknown fields are null, never left out.
#[derive(Debug, Serialize)]
pub(super) struct ProbeReport {
    address: Ipv4Addr,
    mac: Option<Mac>,
    family: Option<FamilyId>,
    module: Option<String>,
    firmware: Option<String>,
    mode: Option<&'static str>,
    ports: [PortReport; 3],
    words: Vec<String>,
    findings: Vec<Finding>,
}

/// State of a port.
#[derive(Debug, Serialize)]
struct PortReport {
    port: u16,
    protocol: &'static str,
    open: bool,
}

impl ProbeReport {
    /// Combines the facts; of two sources, the one closer to the device wins. Words that a plug was given from here are secrets; those
    /// of factories and those that the user typed, `own`, are shown.
    pub(super) fn new(address: Ipv4Addr, facts: &Facts, own: &[DiscoveryWord]) -> Self {
        let session = facts.session.as_ref();
        let plug = facts.plug.as_ref().or(facts.module.as_ref());
        let known = |text: Option<&String>| {
            text.filter(|text| !text.trim().is_empty())
                .map(|text| clean(text).into_owned())
        };
        let module = known(session.and_then(|session| session.module.as_ref()))
            .or_else(|| known(facts.module.as_ref().and_then(|plug| plug.model.as_ref())))
            .or_else(|| known(plug.and_then(|plug| plug.model.as_ref())));
        Self {
            address,
            mac: plug.map(|plug| plug.mac),
            family: plug.map(|plug| plug.family),
            module,
            firmware: known(session.and_then(|session| session.version.as_ref()))
                .or_else(|| known(facts.plug_version.as_ref())),
            mode: session.and_then(|session| session.mode).map(mode_word),
            ports: [
                PortReport {
                    port: web::PORT,
                    protocol: "tcp",
                    open: facts.http,
                },
                PortReport {
                    port: DATA_PORT,
                    protocol: "tcp",
                    open: facts.data,
                },
                PortReport {
                    port: PORT,
                    protocol: "udp",
                    open: plug.is_some(),
                },
            ],
            words: facts
                .words
                .iter()
                .filter(|word| DiscoveryWord::FACTORY.contains(word) || own.contains(word))
                .map(|word| clean(&word.to_string()).into_owned())
                .collect(),
            findings: findings::find(address, facts),
        }
    }

    /// Returns the sheet for people.
    pub(super) fn sheet(&self) -> String {
        let row = |name: &str, value: String| {
            format!("{}  {value}", paint(DIM, format_args!("{name:<9}")))
        };
        let unknown = || paint(DIM, "unknown");
        let text = |value: Option<&String>| value.cloned().unwrap_or_else(unknown);
        let mut lines = vec![
            row("address", paint(BOLD, self.address)),
            row("MAC", self.mac.map_or_else(unknown, |mac| mac.to_string())),
            row(
                "family",
                self.family
                    .map_or_else(unknown, |family| family.to_string()),
            ),
            row("module", text(self.module.as_ref())),
            row("firmware", text(self.firmware.as_ref())),
            row(
                "mode",
                self.mode
                    .map_or_else(unknown, |mode| explained_mode(mode).to_owned()),
            ),
        ];
        lines.extend(self.ports.iter().enumerate().map(|(index, port)| {
            let name = if index == 0 { "ports" } else { "" };
            let state = if port.open {
                paint(GOOD, "open")
            } else {
                paint(DIM, "closed or silent")
            };
            row(
                name,
                format!(
                    "{} {:<5}  {state}",
                    port.protocol.to_ascii_uppercase(),
                    port.port
                ),
            )
        }));
        let words = if self.words.is_empty() {
            paint(DIM, "no reply to any")
        } else {
            self.words.join(", ")
        };
        lines.push(row("words", words));
        lines.extend(self.findings.iter().flat_map(finding_lines));
        lines.join("\n")
    }
}

fn finding_lines(finding: &Finding) -> Vec<String> {
    let (style, word) = match finding.severity {
        Severity::High => (BAD, "high"),
        Severity::Medium => (WARN, "medium"),
        Severity::Low => (DIM, "low"),
    };
    let indented = Options::with_termwidth()
        .initial_indent(INDENT)
        .subsequent_indent(INDENT);
    vec![
        String::new(),
        format!(
            "{}  {}",
            paint(style, format_args!("{word:<9}")),
            paint(BOLD, finding.id)
        ),
        textwrap::fill(&finding.text, indented),
    ]
}

fn mode_word(mode: Mode) -> &'static str {
    match mode {
        Mode::Ap => "ap",
        Mode::Sta => "sta",
        Mode::ApSta => "apsta",
    }
}

fn explained_mode(word: &str) -> &str {
    match word {
        "ap" => "ap (has a Wi-Fi network of its own)",
        "sta" => "sta (is on an existing Wi-Fi network)",
        "apsta" => "apsta (both at once)",
        other => other,
    }
}
