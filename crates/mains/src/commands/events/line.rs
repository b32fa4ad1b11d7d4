//! An event as one line for people.

use serde_json::Value;

use super::Event;
use crate::commands::documents::Document;
use crate::commands::documents::names::Names;
use crate::commands::documents::people::{self, Clock, text};
use crate::commands::history::energy;
use crate::ui::table::{Cell, Column, Table};
use crate::ui::{BAD, BOLD, DIM, GOOD, ON};

/// Events as lines of a table that grows.
#[derive(Debug)]
pub(super) struct Lines(Table<4>);

impl Lines {
    pub(super) fn new() -> Self {
        Self(Table::new([
            Column::text("TIME", 8),
            Column::text("EVENT", 12),
            Column::text("NAME", 17),
            Column::text("WHAT", 0),
        ]))
    }

    /// Returns the line of an event that came now.
    pub(super) fn line(&self, event: &Event, names: &Names, clock: &Clock) -> String {
        let empty = Document::new();
        let data = event.data.as_object().unwrap_or(&empty);
        let (name, what) = match event.name.as_str() {
            "reading" => (names.show(text(data, "plug")), reading(data)),
            "plug" => (names.show(text(data, "mac")), plug(data)),
            "availability" => (names.show(text(data, "mac")), availability(data)),
            "takeover" => (text(data, "bridge").to_owned(), takeover(data)),
            "reset" => {
                let what = Cell::styled(
                    BAD,
                    "some events are lost: the hub has restarted, or forgotten them",
                );
                ("-".to_owned(), what)
            }
            _ => (text(data, "name").to_owned(), automation(data, clock)),
        };
        self.0.stream_row(&[
            Cell::styled(DIM, clock.time()),
            Cell::plain(&event.name),
            Cell::styled(BOLD, name),
            what,
        ])
    }
}

fn is_removed(data: &Document) -> bool {
    data.get("removed").and_then(Value::as_bool) == Some(true)
}

fn plug(data: &Document) -> Cell {
    if is_removed(data) {
        return Cell::styled(BAD, "removed");
    }
    match text(data, "relay") {
        "on" => Cell::styled(ON, "on"),
        "off" => Cell::plain("off"),
        _ => Cell::styled(DIM, "relay unknown"),
    }
}

fn availability(data: &Document) -> Cell {
    match data.get("available").and_then(Value::as_bool) {
        Some(true) => Cell::styled(GOOD, format!("back at {}", text(data, "address"))),
        _ => Cell::styled(BAD, format!("gone; last at {}", text(data, "address"))),
    }
}

fn reading(data: &Document) -> Cell {
    let number = |field| data.get(field).and_then(Value::as_f64);
    let figures = [
        ("power_w", "W", 1),
        ("voltage_v", "V", 1),
        ("current_a", "A", 2),
    ];
    let mut parts: Vec<String> = figures
        .into_iter()
        .filter_map(|(field, unit, decimals)| Some(format!("{:.decimals$} {unit}", number(field)?)))
        .collect();
    parts.extend(
        number("energy_total_wh")
            .or_else(|| number("energy_wh"))
            .map(energy),
    );
    Cell::maybe((!parts.is_empty()).then(|| parts.join(", ")))
}

/// A takeover: its latest step, and in the end what came of it.
fn takeover(data: &Document) -> Cell {
    let told = |field: &str, name: &str| data.get(field)?.get(name)?.as_str();
    match text(data, "state") {
        "done" => Cell::styled(GOOD, "a bulb was taken over"),
        "failed" => Cell::styled(BAD, told("error", "message").unwrap_or("failed")),
        _ => {
            let last = data.get("steps").and_then(Value::as_array);
            let last = last.and_then(|steps| steps.last()?.get("text")?.as_str());
            Cell::plain(last.unwrap_or("begins"))
        }
    }
}

/// A schedule or a rule: why it was stopped, or what it did.
fn automation(data: &Document, clock: &Clock) -> Cell {
    if is_removed(data) {
        return Cell::styled(BAD, "removed");
    }
    match (people::halted(data, clock), people::last(data, clock)) {
        (Some(why), _) => Cell::styled(BAD, format!("stopped {why}")),
        (None, _) if !people::is_enabled(data) => Cell::styled(DIM, "disabled"),
        (None, Some(last)) => Cell::plain(last),
        (None, None) => Cell::styled(DIM, "has not acted yet"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::documents::names::tests::names;
    use crate::commands::documents::people::tests::clock;
    use serde_json::json;

    #[test]
    fn every_event_has_a_line() {
        let lines = Lines::new();
        let events = [
            (
                "takeover",
                json!({"bridge": "001788fffe010203", "state": "running", "steps": [{"text": "it searches"}]}),
            ),
            (
                "takeover",
                json!({"bridge": "001788fffe010203", "state": "failed", "error": {"message": "no"}}),
            ),
            ("plug", json!({"mac": "AC:CF:23:00:00:01", "relay": "on"})),
            ("plug", json!({"mac": "AC:CF:23:00:00:03", "relay": null})),
            ("plug", json!({"mac": "AC:CF:23:00:00:01", "removed": true})),
            (
                "availability",
                json!({"mac": "AC:CF:23:00:00:01", "available": false, "address": "127.77.0.1"}),
            ),
            (
                "availability",
                json!({"mac": "AC:CF:23:00:00:01", "available": true, "address": "127.77.0.9"}),
            ),
            (
                "reading",
                json!({"plug": "AC:CF:23:00:00:01", "power_w": 7.42, "voltage_v": 226.94, "current_a": null,
                       "energy_wh": 5, "energy_total_wh": 3548}),
            ),
            ("reading", json!({"plug": "AC:CF:23:00:00:02"})),
            (
                "schedule",
                json!({"name": "evening", "enabled": true,
                       "last": {"at": "2026-11-22T11:00:00Z", "action": "on", "why": "it was due", "confirmed": true}}),
            ),
            (
                "rule",
                json!({"name": "tv", "halted": {"at": "2026-11-22T11:00:00Z", "why": "it fights"}}),
            ),
            (
                "rule",
                json!({"name": "x\u{1b}[2J", "enabled": true, "last": null}),
            ),
            (
                "rule",
                json!({"name": "iron", "enabled": false, "last": null}),
            ),
            ("reset", json!(null)),
            ("news", json!([1])),
        ];
        let text: Vec<String> = events
            .into_iter()
            .map(|(name, data)| {
                let event = Event {
                    id: None,
                    name: name.to_owned(),
                    data,
                };
                anstream::adapter::strip_str(&lines.line(&event, &names(), &clock())).to_string()
            })
            .collect();
        insta::assert_snapshot!(text.join("\n"), @r#"
            13:00:00  takeover      001788fffe010203   it searches
            13:00:00  takeover      001788fffe010203   no
            13:00:00  plug          lamp               on
            13:00:00  plug          AC:CF:23:00:00:03  relay unknown
            13:00:00  plug          lamp               removed
            13:00:00  availability  lamp               gone; last at 127.77.0.1
            13:00:00  availability  lamp               back at 127.77.0.9
            13:00:00  reading       lamp               7.4 W, 226.9 V, 3.548 kWh
            13:00:00  reading       Küche              -
            13:00:00  schedule      evening            today 12:00: on, it was due
            13:00:00  rule          tv                 stopped today 12:00: it fights
            13:00:00  rule          x\u{1b}[2J         has not acted yet
            13:00:00  rule          iron               disabled
            13:00:00  reset         -                  some events are lost: the hub has restarted, or forgotten them
            13:00:00  news                             has not acted yet
            "#);
    }
}
