//! Events for people.

use super::{LocalClock, Names, Tone, Toned, energy};
use crate::{Event, Halted, LastRun, MeterEvent, PlugView, TakeoverJob, TakeoverState};
use plugs::RelayState;

/// An event in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventText {
    /// The name of the plug, document or bridge.
    pub subject: String,
    /// The event itself.
    pub what: Toned,
}

impl Event {
    /// Returns the event in words.
    pub fn text(&self, names: &dyn Names, clock: &LocalClock) -> EventText {
        let (subject, what) = match self {
            Self::Plug(view) => (names.plug(view.plug.mac), relay(view)),
            Self::PlugRemoved(mac) => (names.plug(*mac), removed()),
            Self::Availability(view) => (names.plug(view.plug.mac), availability(view)),
            Self::Reading(metered) => (names.plug(metered.reading.plug), reading(metered)),
            Self::Group(view) => (view.document.name.to_string(), view.members(names)),
            Self::Schedule(view) => {
                let (document, status) = (&view.document, &view.status);
                let run = last_run(document.enabled, &status.halted, &status.last, clock);
                (document.name.to_string(), run)
            }
            Self::Rule(view) => {
                let (document, status) = (&view.document, &view.status);
                let run = last_run(document.enabled, &status.halted, &status.last, clock);
                (document.name.to_string(), run)
            }
            Self::Tariff(view) => (
                view.document.name.to_string(),
                Tone::Plain.of(view.document.sentence()),
            ),
            Self::DocumentRemoved(_, id) => (id.to_string(), removed()),
            Self::Takeover(job) => takeover(job),
            Self::Problem(problem) => {
                let tone = if problem.solved {
                    Tone::Good
                } else {
                    Tone::Bad
                };
                let part = problem.plug.map(|plug| names.plug(plug));
                let part = part.unwrap_or_else(|| problem.part.clone());
                (part, tone.of(problem.message.as_str()))
            }
            Self::Log(entry) => {
                let plug = entry.plug.map(|plug| names.plug(plug));
                (plug.unwrap_or_else(|| "-".to_owned()), entry.toned())
            }
        };
        EventText { subject, what }
    }
}

fn removed() -> Toned {
    Tone::Bad.of("removed")
}

fn relay(view: &PlugView) -> Toned {
    match view.plug.relay {
        Some(RelayState::On) => Tone::On.of("on"),
        Some(RelayState::Off) => Tone::Plain.of("off"),
        None => Tone::Dim.of("relay unknown"),
    }
}

fn availability(view: &PlugView) -> Toned {
    let address = view.plug.address;
    match view.available {
        true => Tone::Good.of(format!("available at {address}")),
        false => Tone::Bad.of(format!("unavailable; last seen at {address}")),
    }
}

fn reading(metered: &MeterEvent) -> Toned {
    let reading = &metered.reading;
    let figures = [
        (reading.power_w, "W", 1),
        (reading.voltage_v, "V", 1),
        (reading.current_a, "A", 2),
    ];
    let mut parts: Vec<String> = figures
        .into_iter()
        .filter_map(|(figure, unit, decimals)| Some(format!("{:.decimals$} {unit}", figure?)))
        .collect();
    let total = metered.energy_total_wh.or(reading.energy_wh);
    parts.extend(total.map(|total| energy(total as f64)));
    Toned::or_dash((!parts.is_empty()).then(|| parts.join(", ")))
}

/// Returns the last run of a schedule or rule, or the reason for a stop.
fn last_run(
    enabled: bool,
    halted: &Option<Halted>,
    last: &Option<LastRun>,
    clock: &LocalClock,
) -> Toned {
    match (halted, last) {
        (Some(halted), _) => Tone::Bad.of(halted.sentence(clock)),
        (None, _) if !enabled => Tone::Dim.of("disabled"),
        (None, Some(last)) => Tone::Plain.of(last.sentence(clock)),
        (None, None) => Tone::Dim.of("no run yet"),
    }
}

/// Returns the bridge of a takeover and its latest step or result.
fn takeover(job: &TakeoverJob) -> (String, Toned) {
    let what = match (job.state, &job.error) {
        (TakeoverState::Done, _) => Tone::Good.of("a bulb was taken over"),
        (TakeoverState::Failed, Some(error)) => Tone::Bad.of(error.message.as_str()),
        (TakeoverState::Failed, None) => Tone::Bad.of("failed"),
        (TakeoverState::Running, _) => {
            let step = job.steps.last().map_or("begun", |step| step.text.as_str());
            Tone::Plain.of(step)
        }
    };
    (job.bridge.to_string(), what)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::tests::{HomeNames, clock};
    use super::*;

    fn view(last: u8, field: &str, value: Value) -> Value {
        let mut view = json!({
            "mac": format!("AC:CF:23:00:00:{last:02X}"), "family": "reco", "serial": null, "name": null,
            "address": "127.77.0.1", "relay": null, "model": null, "res": null, "extra": null,
            "seen": "2026-11-22T12:00:00Z", "available": true, "reading": null, "energy_total_wh": null, "room": null,
            "metering": "10s", "power_on": null,
        });
        view[field] = value;
        view
    }

    fn reading(last: u8, power_w: Option<f64>, total: Option<u64>) -> Value {
        json!({"plug": format!("AC:CF:23:00:00:{last:02X}"), "at": "2026-11-22T12:00:00.000Z", "power_w": power_w,
               "voltage_v": power_w.map(|_| 226.94), "current_a": null, "frequency_hz": null, "energy_wh": power_w.map(|_| 5),
               "energy_total_wh": total})
    }

    fn takeover(state: &str, steps: Value, error: Value) -> Value {
        json!({"id": "t-00000001", "bridge": "001788fffe010203", "state": state, "started": "2026-11-22T11:00:00Z", "ended": null,
               "via": null, "captured": null, "new_lights": [], "steps": steps, "notes": [], "error": error})
    }

    fn rule(name: &str, enabled: bool, last: Value, halted: Value) -> Value {
        json!({"id": "r-00000001", "name": name, "enabled": enabled, "plug": "AC:CF:23:00:00:01", "kind": "keep_on",
               "after": null, "last": last, "halted": halted})
    }

    #[test]
    fn every_event_has_a_text() {
        let last = json!({"at": "2026-11-22T11:00:00Z", "action": "on", "why": "it was due", "confirmed": true, "error": null});
        let halted = json!({"at": "2026-11-22T11:00:00Z", "why": "conflict"});
        let events = [
            (
                "takeover",
                takeover(
                    "running",
                    json!([{"at": "2026-11-22T11:00:00Z", "text": "searching"}]),
                    Value::Null,
                ),
            ),
            (
                "takeover",
                takeover(
                    "failed",
                    json!([]),
                    json!({"kind": "refused", "message": "no", "hint": null}),
                ),
            ),
            ("plug", view(1, "relay", json!("on"))),
            ("plug", view(3, "relay", Value::Null)),
            ("plug", json!({"mac": "AC:CF:23:00:00:01", "removed": true})),
            ("availability", view(1, "available", json!(false))),
            ("availability", view(1, "available", json!(true))),
            ("reading", reading(1, Some(7.42), Some(3548))),
            ("reading", reading(2, None, None)),
            ("rule", rule("iron", true, last, Value::Null)),
            ("rule", rule("tv", true, Value::Null, halted)),
            ("rule", rule("fan", true, Value::Null, Value::Null)),
            ("rule", rule("off", false, Value::Null, Value::Null)),
            ("rule", json!({"id": "r-00000001", "removed": true})),
        ];
        let lines: Vec<String> = events
            .into_iter()
            .map(|(name, data)| {
                let event = Event::parse(name, &data.to_string()).unwrap().unwrap();
                let EventText { subject, what } = event.text(&HomeNames, &clock());
                format!("{name:<12}  {subject:<17}  {}", what.text)
            })
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
            takeover      001788fffe010203   searching
            takeover      001788fffe010203   no
            plug          lamp               on
            plug          AC:CF:23:00:00:03  relay unknown
            plug          lamp               removed
            availability  lamp               unavailable; last seen at 127.77.0.1
            availability  lamp               available at 127.77.0.1
            reading       lamp               7.4 W, 226.9 V, 3.548 kWh
            reading       Küche              -
            rule          iron               today 12:00: on, it was due
            rule          tv                 stopped today 12:00: conflict
            rule          fan                no run yet
            rule          off                disabled
            rule          r-00000001         removed
            ");
    }
}
