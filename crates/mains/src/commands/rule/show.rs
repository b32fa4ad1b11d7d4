//! Rules for people.

use api::Collection;
use serde_json::Value;

use crate::commands::documents::names::Names;
use crate::commands::documents::people::{self, Clock, Line, figure, text};
use crate::commands::documents::{Document, Shown};
use crate::ui::table::{Cell, Column, Table};
use crate::ui::{BAD, BOLD, DIM, GOOD};

/// How rules are shown.
#[derive(Debug)]
pub(super) struct Rules;

impl Shown for Rules {
    const COLLECTION: Collection = Collection::Rules;

    fn table(documents: &[Document], names: &Names, clock: &Clock) -> String {
        let mut table = Table::new([
            Column::text("NAME", 0),
            Column::text("PLUG", 0),
            Column::text("DOES", 0),
            Column::text("STATE", 0),
            Column::text("LAST", 0),
        ]);
        for document in documents {
            table.row([
                Cell::styled(BOLD, text(document, "name")),
                Cell::plain(names.show(text(document, "plug"))),
                Cell::plain(does(document, names)),
                state(document, clock),
                Cell::maybe(people::last(document, clock)),
            ]);
        }
        table.render()
    }

    fn details(document: &Document, names: &Names, clock: &Clock) -> Vec<Line> {
        let mut lines = people::heading(document);
        lines.extend([
            people::state(document, clock),
            Line::new("plug", names.show(text(document, "plug"))),
            Line::new("kind", text(document, "kind")),
            Line::new("does", does(document, names)),
            Line::maybe("last", people::last(document, clock)),
        ]);
        lines
    }
}

fn state(document: &Document, clock: &Clock) -> Cell {
    if people::halted(document, clock).is_some() {
        Cell::styled(BAD, "stopped")
    } else if people::is_enabled(document) {
        Cell::styled(GOOD, "enabled")
    } else {
        Cell::styled(DIM, "disabled")
    }
}

/// Returns what a rule does, as a sentence has it.
fn does(rule: &Document, names: &Names) -> String {
    let watts = |field| format!("{} W", figure(rule, field));
    let period = |field| text(rule, field);
    let is_set = |field| rule.get(field).is_some_and(|value| !value.is_null());
    match text(rule, "kind") {
        "standby_kill" => {
            let off = format!("off below {} for {}", watts("below_w"), period("for"));
            off + &restore(rule) + &pulse(rule)
        }
        "auto_off" => format!("off after {}", period("after")),
        "over_power" => format!("off above {} for {}", watts("above_w"), period("for")),
        "follow" => {
            let leader = names.show(text(rule, "leader"));
            let mut does = format!("on while {leader} draws more than {}", watts("above_w"));
            if is_set("hysteresis_w") {
                does += &format!(" ({} less to go off)", watts("hysteresis_w"));
            }
            if is_set("delay") {
                does += &format!(", {} later", period("delay"));
            }
            does
        }
        "keep_on" if is_set("after") => format!("on again after {}", period("after")),
        "keep_on" => "on again at once".to_owned(),
        "power_on" => match text(rule, "state") {
            "last" => "as before, after an outage".to_owned(),
            state => format!("{state} after an outage"),
        },
        kind => kind.to_owned(),
    }
}

fn restore(rule: &Document) -> String {
    match text(rule, "restore_at") {
        "" => String::new(),
        at => format!(", on again at {at}"),
    }
}

fn pulse(rule: &Document) -> String {
    match rule.get("test_pulse").and_then(Value::as_object) {
        Some(pulse) => format!(
            ", tested for {} every {}",
            text(pulse, "for"),
            text(pulse, "every")
        ),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::documents::names::tests::names;
    use crate::commands::documents::people::tests::{clock, document};
    use serde_json::json;

    fn television() -> Document {
        document(json!({
            "id": "r-3f9a02c1", "name": "television", "enabled": true, "plug": "accf23000001", "kind": "standby_kill",
            "below_w": 10.0, "for": "5m", "restore_at": "07:00", "test_pulse": {"every": "2h", "for": "1m"},
            "last": {"at": "2026-11-22T11:00:00Z", "action": "off", "why": "below 10 W for 5m", "confirmed": true},
            "halted": null,
        }))
    }

    #[test]
    fn what_each_kind_does() {
        for (json, expected) in [
            (json!({"kind": "auto_off", "after": "2h"}), "off after 2h"),
            (
                json!({"kind": "over_power", "above_w": 2000.0, "for": "10s"}),
                "off above 2000 W for 10s",
            ),
            (
                json!({"kind": "follow", "leader": "accf23000002", "above_w": 30.5, "hysteresis_w": 5, "delay": "10s"}),
                "on while K\u{fc}che draws more than 30.5 W (5 W less to go off), 10s later",
            ),
            (
                json!({"kind": "follow", "leader": "accf23000009", "above_w": 30, "hysteresis_w": null, "delay": null}),
                "on while accf23000009 draws more than 30 W",
            ),
            (
                json!({"kind": "keep_on", "after": null}),
                "on again at once",
            ),
            (
                json!({"kind": "keep_on", "after": "1m"}),
                "on again after 1m",
            ),
            (
                json!({"kind": "power_on", "state": "last"}),
                "as before, after an outage",
            ),
            (
                json!({"kind": "power_on", "state": "off"}),
                "off after an outage",
            ),
            (json!({"kind": "standby_kill"}), "off below ? W for "),
            (json!({"kind": "dance"}), "dance"),
        ] {
            assert_eq!(does(&document(json), &names()), expected);
        }
    }

    #[test]
    fn a_table_with_what_they_last_did() {
        let stopped = document(json!({
            "name": "warm", "plug": "accf23000002", "kind": "keep_on", "after": null, "last": null,
            "halted": {"at": "2026-11-22T11:00:00Z", "why": "more than 6 switches a minute"},
        }));
        let disabled =
            document(json!({"name": "off", "enabled": false, "kind": "auto_off", "after": "2h"}));
        let table = Rules::table(&[television(), stopped, disabled], &names(), &clock());
        insta::assert_snapshot!(anstream::adapter::strip_str(&table).to_string(), @r"
            NAME        PLUG   DOES                                                              STATE     LAST
            television  lamp   off below 10 W for 5m, on again at 07:00, tested for 1m every 2h  enabled   today 12:00: off, below 10 W for 5m
            warm        Küche  on again at once                                                  stopped   -
            off                off after 2h                                                      disabled  -
            ");
    }

    #[test]
    fn all_about_one() {
        let text = people::lines(&Rules::details(&television(), &names(), &clock()));
        insta::assert_snapshot!(anstream::adapter::strip_str(&text).to_string(), @r"
            name   television
            id     r-3f9a02c1
            state  enabled
            plug   lamp
            kind   standby_kill
            does   off below 10 W for 5m, on again at 07:00, tested for 1m every 2h
            last   today 12:00: off, below 10 W for 5m
            ");
    }
}
