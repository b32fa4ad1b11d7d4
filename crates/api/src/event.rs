//! Events of the hub, as Server-Sent Events carry them: a name, and data as JSON.

use std::sync::Arc;

use hiflying::Mac;
use jiff::Timestamp;
use plugs::Reading;
use serde::{Deserialize, Serialize, Serializer};

use crate::document::Collection;
use crate::id::{Id, SwitchTarget};
use crate::log::LogEntry;
use crate::plug::PlugView;
use crate::takeover::TakeoverJob;
use crate::view::{GroupView, RuleView, ScheduleView, TariffView};

/// An event of the hub.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A plug was adopted or changed: name, room, relay, address, …
    Plug(Arc<PlugView>),
    /// A plug was removed.
    PlugRemoved(Mac),
    /// A plug was metered.
    Reading(MeterEvent),
    /// A plug became available or unavailable.
    Availability(Arc<PlugView>),
    /// A group was created or changed.
    Group(Arc<GroupView>),
    /// A schedule was created, changed, run or halted.
    Schedule(Arc<ScheduleView>),
    /// A rule was created or changed, acted or was halted.
    Rule(Arc<RuleView>),
    /// A tariff was created or changed.
    Tariff(Arc<TariffView>),
    /// A group, schedule, rule or tariff was removed.
    DocumentRemoved(Collection, Id),
    /// The takeover of a bulb began, progressed or ended.
    Takeover(Arc<TakeoverJob>),
    /// A part of the hub failed, or works again.
    Problem(HubProblem),
    /// An entry of the log; each tells of another event, too, with its cause.
    Log(Arc<LogEntry>),
}

/// A failure of a part of the hub, or its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubProblem {
    /// Time of the change.
    pub at: Timestamp,
    /// The part: `history`, `backup`, `relay`, or `address` where two devices have one MAC.
    pub part: String,
    /// The plug, if it is one's relay or address.
    #[serde(default)]
    pub plug: Option<Mac>,
    /// `true` if the part works again.
    pub solved: bool,
    /// The failure, or its end, in one clause.
    pub message: String,
}

/// A reading with the plug's lifetime total.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeterEvent {
    /// The reading.
    #[serde(flatten)]
    pub reading: Arc<Reading>,
    /// The plug's lifetime total in watt-hours, which never decreases.
    pub energy_total_wh: Option<u64>,
}

/// Data of an event about something that was removed.
#[derive(Serialize, Deserialize)]
struct Removal {
    #[serde(skip_serializing_if = "Option::is_none")]
    mac: Option<Mac>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Id>,
    removed: bool,
}

impl Event {
    /// Returns the event's name in the stream.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Plug(_) | Self::PlugRemoved(_) => "plug",
            Self::Reading(_) => "reading",
            Self::Availability(_) => "availability",
            Self::Group(_) => Collection::Groups.singular(),
            Self::Schedule(_) => Collection::Schedules.singular(),
            Self::Rule(_) => Collection::Rules.singular(),
            Self::Tariff(_) => Collection::Tariffs.singular(),
            Self::DocumentRemoved(collection, _) => collection.singular(),
            Self::Takeover(_) => "takeover",
            Self::Problem(_) => "problem",
            Self::Log(_) => Self::LOG,
        }
    }

    /// The name of entries of the log, which are sent only to listeners that name it.
    pub const LOG: &'static str = "log";

    /// Names of all events.
    pub const NAMES: [&'static str; 10] = [
        "plug",
        "reading",
        "availability",
        "group",
        "schedule",
        "rule",
        "tariff",
        "takeover",
        "problem",
        Self::LOG,
    ];

    /// Returns `true` if the event is about one of these plugs, or about a document that names one.
    pub fn is_about(&self, plugs: &[Mac]) -> bool {
        let has = |plug: &Mac| plugs.contains(plug);
        match self {
            Self::Plug(view) | Self::Availability(view) => has(&view.plug.mac),
            Self::PlugRemoved(mac) => has(mac),
            Self::Reading(event) => has(&event.reading.plug),
            Self::Group(view) => view.document.plugs.iter().any(has),
            Self::Schedule(view) => view.document.targets.iter().any(|target| match target {
                SwitchTarget::Plug(plug) => has(plug),
                SwitchTarget::Group(_) => false,
            }),
            Self::Rule(view) => view.document.plugs().any(|(_, plug)| has(&plug)),
            Self::Tariff(view) => view.document.plugs.iter().any(has),
            Self::Problem(problem) => problem.plug.as_ref().is_some_and(has),
            Self::Log(entry) => entry.plug.as_ref().is_some_and(has),
            Self::DocumentRemoved(..) | Self::Takeover(_) => false,
        }
    }

    /// Reads an event from its name and data; `None` for a name that this version does not know.
    ///
    /// # Errors
    ///
    /// The data is not what an event of that name carries.
    pub fn parse(name: &str, data: &str) -> Result<Option<Self>, serde_json::Error> {
        let collection = Collection::ALL.into_iter().find(|c| c.singular() == name);
        if (name == "plug" || collection.is_some())
            && let Ok(removal) = serde_json::from_str::<Removal>(data)
            && removal.removed
        {
            let plug = removal.mac.map(Self::PlugRemoved);
            let document = collection
                .zip(removal.id)
                .map(|(c, id)| Self::DocumentRemoved(c, id));
            return Ok(plug.or(document));
        }
        Ok(Some(match name {
            "plug" => Self::Plug(serde_json::from_str(data)?),
            "reading" => Self::Reading(serde_json::from_str(data)?),
            "availability" => Self::Availability(serde_json::from_str(data)?),
            "group" => Self::Group(serde_json::from_str(data)?),
            "schedule" => Self::Schedule(serde_json::from_str(data)?),
            "rule" => Self::Rule(serde_json::from_str(data)?),
            "tariff" => Self::Tariff(serde_json::from_str(data)?),
            "takeover" => Self::Takeover(serde_json::from_str(data)?),
            "problem" => Self::Problem(serde_json::from_str(data)?),
            Self::LOG => Self::Log(serde_json::from_str(data)?),
            _ => return Ok(None),
        }))
    }
}

/// Writes the event's data.
impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Plug(view) | Self::Availability(view) => view.serialize(serializer),
            Self::PlugRemoved(mac) => Removal {
                mac: Some(*mac),
                id: None,
                removed: true,
            }
            .serialize(serializer),
            Self::Reading(event) => event.serialize(serializer),
            Self::Group(view) => view.serialize(serializer),
            Self::Schedule(view) => view.serialize(serializer),
            Self::Rule(view) => view.serialize(serializer),
            Self::Tariff(view) => view.serialize(serializer),
            Self::DocumentRemoved(_, id) => Removal {
                mac: None,
                id: Some(id.clone()),
                removed: true,
            }
            .serialize(serializer),
            Self::Takeover(takeover) => takeover.serialize(serializer),
            Self::Problem(problem) => problem.serialize(serializer),
            Self::Log(entry) => entry.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, data: &str) -> Event {
        let event = Event::parse(name, data).unwrap().unwrap();
        assert_eq!(event.name(), name);
        assert_eq!(serde_json::to_string(&event).unwrap(), data);
        event
    }

    #[test]
    fn events_are_read_as_they_are_written() {
        let plug = r#"{"mac":"AC:CF:23:12:34:56","family":"reco","serial":null,"address":"192.168.1.107","relay":"on","model":null,"name":null,"res":null,"extra":null,"seen":"2026-11-22T12:00:00Z","available":true,"reading":null,"energy_total_wh":7,"room":null,"metering":"10s","power_on":null,"relay_since":null,"still_drawing_w":null,"often_unplugged":false}"#;
        assert!(matches!(event("plug", plug), Event::Plug(_)));
        assert!(matches!(
            event("availability", plug),
            Event::Availability(_)
        ));
        let reading = r#"{"plug":"AC:CF:23:12:34:56","at":"2026-11-22T12:00:00.123Z","voltage_v":226.94,"current_a":null,"frequency_hz":null,"power_w":0.0,"energy_wh":3548,"energy_total_wh":9000}"#;
        assert!(matches!(event("reading", reading), Event::Reading(_)));
        let removed = r#"{"mac":"AC:CF:23:12:34:56","removed":true}"#;
        assert!(matches!(event("plug", removed), Event::PlugRemoved(_)));
        let rule = r#"{"id":"r-00000001","name":"x","enabled":true,"plug":"AC:CF:23:12:34:56","kind":"auto_off","after":"2h","last":{"at":"2026-11-22T12:00:00Z","action":"off","why":"y","confirmed":true,"error":null},"halted":null}"#;
        assert!(matches!(event("rule", rule), Event::Rule(_)));
        let schedule = r#"{"id":"s-00000001","name":"x","enabled":true,"targets":["AC:CF:23:12:34:56"],"action":"on","when":{"at":"07:00","days":["mon"]},"random":null,"catch_up":null,"next":"2026-11-23T06:00:00Z","last":null,"halted":null}"#;
        assert!(matches!(event("schedule", schedule), Event::Schedule(_)));
        let tariff = r#"{"id":"t-00000001","name":"x","currency":"EUR","valid_from":null,"plugs":[],"standing_charge":null,"kind":"flat","price":0.3}"#;
        assert!(matches!(event("tariff", tariff), Event::Tariff(_)));
        let problem = r#"{"at":"2026-11-22T12:00:00Z","part":"history","plug":null,"solved":false,"message":"the database cannot be written"}"#;
        assert!(matches!(event("problem", problem), Event::Problem(_)));
        let log = r#"{"id":7,"at":"2026-11-22T12:00:00Z","kind":"switch","plug":"AC:CF:23:12:34:56","relay":"on","cause":"MQTT","problem":false,"text":"kitchen turned on"}"#;
        assert!(matches!(event("log", log), Event::Log(_)));
        let kitchen = [Mac::new([0xac, 0xcf, 0x23, 0x12, 0x34, 0x56])];
        for (name, data, expected) in [
            ("plug", plug, true),
            ("reading", reading, true),
            ("plug", removed, true),
            ("rule", rule, true),
            ("schedule", schedule, true),
            ("tariff", tariff, false),
            ("log", log, true),
            ("problem", problem, false),
        ] {
            let event = event(name, data);
            assert_eq!(event.is_about(&kitchen), expected, "{name}");
            assert!(!event.is_about(&[Mac::new([1; 6])]), "{name}");
            assert!(Event::NAMES.contains(&event.name()));
        }
        for name in ["group", "schedule", "rule", "tariff"] {
            let removed = event(name, r#"{"id":"g-00000001","removed":true}"#);
            assert!(matches!(removed, Event::DocumentRemoved(..)));
        }
    }

    #[test]
    fn what_a_newer_hub_adds_is_ignored() {
        let group = r#"{"id":"g-00000001","name":"x","colour":"red","plugs":[]}"#;
        assert!(matches!(
            Event::parse("group", group),
            Ok(Some(Event::Group(_)))
        ));
        let rule = r#"{"id":"r-00000001","name":"x","enabled":true,"plug":"AC:CF:23:12:34:56","kind":"keep_on","after":null,"colour":"red","last":null,"halted":null}"#;
        assert!(matches!(
            Event::parse("rule", rule),
            Ok(Some(Event::Rule(_)))
        ));
        let tariff = r#"{"id":"t-00000001","name":"x","currency":"EUR","kind":"flat","price":1,"colour":"red"}"#;
        assert!(matches!(
            Event::parse("tariff", tariff),
            Ok(Some(Event::Tariff(_)))
        ));
        assert_eq!(Event::parse("weather", "{}").unwrap(), None);
        assert!(Event::parse("reading", "{}").is_err());
    }
}
