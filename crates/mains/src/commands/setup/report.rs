//! The result for one plug, for people and as JSON.

use hiflying::{Mac, Ssid};
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::steps::SetupStep;
use crate::context::Context;
use crate::error::{Exit, Failure};
use crate::resolve::quoted;
use crate::ui::{BOLD, GOOD, WARN, clean, paint};

/// Result for one plug.
#[derive(Debug)]
pub(super) struct SetupReport {
    /// Name of the plug before its MAC is known, for `--all`.
    pub(super) given: Option<String>,
    pub(super) mac: Option<Mac>,
    pub(super) ssid: Option<Ssid>,
    /// Address at which it was seen on the home network.
    pub(super) address: Option<std::net::Ipv4Addr>,
    pub(super) confirmed: bool,
    pub(super) failure: Option<Failure>,
    pub(super) steps: Vec<SetupStep>,
}

impl SetupReport {
    /// Returns the result for a plug that failed before anything was tried.
    pub(super) fn untouched(given: String, failure: Failure) -> Self {
        Self {
            given: Some(given),
            mac: None,
            ssid: None,
            address: None,
            confirmed: false,
            failure: Some(failure),
            steps: Vec::new(),
        }
    }

    /// Returns the exit code.
    pub(super) fn exit(&self) -> Exit {
        match &self.failure {
            Some(failure) => Exit::with(failure.kind()),
            None => Exit::DONE,
        }
    }

    /// Returns the name of the plug.
    fn plug(&self) -> Option<String> {
        self.mac
            .map(|mac| mac.to_string())
            .or_else(|| self.given.clone())
    }

    /// Returns the command that comes next for a plug that was set up.
    pub(super) fn next_step(&self, context: &Context) -> Option<String> {
        let mac = self.mac.filter(|_| self.confirmed)?;
        let inventory = context.inventory().ok()?;
        Some(match inventory.name_of(mac) {
            Some(name) => format!("try it: `mains on {}`", quoted(name)),
            None => format!("give it a name: `mains name {mac} <NAME>`"),
        })
    }

    /// Returns one line for people.
    pub(super) fn line(&self) -> String {
        let plug = self.plug().unwrap_or_else(|| "the plug".to_owned());
        let plug = paint(BOLD, clean(&plug));
        let ssid = self.ssid.as_ref().map_or_else(
            || "the network".to_owned(),
            |ssid| format!("'{}'", clean(&ssid.to_string())),
        );
        match (&self.failure, self.address) {
            (Some(failure), _) => format!("{plug} {}: {failure}", paint(WARN, "not set up")),
            (None, Some(address)) => {
                format!(
                    "{plug} is on {ssid} at {address} ({})",
                    paint(GOOD, "confirmed")
                )
            }
            (None, None) if self.steps.is_empty() => format!("{plug} was left where it is"),
            (None, None) => format!("{plug} was set up for {ssid}"),
        }
    }
}

/// Writes `{plug, ssid, confirmed, steps}`, with `error` beside them after a failure.
impl Serialize for SetupReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(failure) = &self.failure {
            map.serialize_entry("error", failure)?;
        }
        map.serialize_entry("plug", &self.plug())?;
        map.serialize_entry("ssid", &self.ssid.as_ref().map(ToString::to_string))?;
        map.serialize_entry("confirmed", &self.confirmed)?;
        map.serialize_entry("steps", &self.steps)?;
        map.end()
    }
}
