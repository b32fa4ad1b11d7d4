//! Schedules for people.

use api::Collection;
use serde_json::Value;

use crate::commands::documents::names::Names;
use crate::commands::documents::people::{self, Clock, Line, text};
use crate::commands::documents::{Document, Shown};
use crate::ui::table::{Cell, Column, Table};
use crate::ui::{BAD, BOLD, DIM, ON};

/// How schedules are shown.
#[derive(Debug)]
pub(super) struct Schedules;

impl Shown for Schedules {
    const COLLECTION: Collection = Collection::Schedules;

    fn table(documents: &[Document], names: &Names, clock: &Clock) -> String {
        let mut table = Table::new([
            Column::text("NAME", 0),
            Column::text("DOES", 0),
            Column::text("TARGETS", 0),
            Column::text("WHEN", 0),
            Column::text("NEXT", 0),
        ]);
        for document in documents {
            table.row([
                Cell::styled(BOLD, text(document, "name")),
                action(document),
                Cell::plain(targets(document, names)),
                Cell::plain(when(document)),
                next(document, clock),
            ]);
        }
        table.render()
    }

    fn details(document: &Document, names: &Names, clock: &Clock) -> Vec<Line> {
        let period = |field| {
            let period = text(document, field);
            (!period.is_empty()).then(|| period.to_owned())
        };
        let mut lines = people::heading(document);
        lines.extend([
            people::state(document, clock),
            Line::new("does", text(document, "action")),
            Line::new("targets", targets(document, names)),
            Line::new("when", when(document)),
            Line::maybe(
                "random",
                period("random").map(|random| format!("up to {random} later")),
            ),
            Line::maybe(
                "catch up",
                period("catch_up").map(|within| format!("within {within}")),
            ),
            Line::maybe("next", clock.of(document.get("next"))),
            Line::maybe("last", people::last(document, clock)),
        ]);
        lines
    }
}

fn action(document: &Document) -> Cell {
    match text(document, "action") {
        "on" => Cell::styled(ON, "on"),
        action => Cell::plain(action),
    }
}

fn targets(document: &Document, names: &Names) -> String {
    names.list(document.get("targets").unwrap_or(&Value::Null))
}

fn next(document: &Document, clock: &Clock) -> Cell {
    if people::halted(document, clock).is_some() {
        Cell::styled(BAD, "stopped")
    } else if people::is_enabled(document) {
        Cell::maybe(clock.of(document.get("next")))
    } else {
        Cell::styled(DIM, "disabled")
    }
}

/// Returns when it switches: `07:00 weekdays`, `15m before sunset daily`, `once 2026-12-24 18:00`, `cron 0 7 * * *`.
fn when(document: &Document) -> String {
    let Some(when) = document.get("when").and_then(Value::as_object) else {
        return "?".to_owned();
    };
    let days = || people::days(when.get("days"));
    if when.contains_key("at") {
        format!("{} {}", text(when, "at"), days())
    } else if when.contains_key("sun") {
        let sun = text(when, "sun");
        match text(when, "offset") {
            "" | "0s" => format!("{sun} {}", days()),
            offset => match offset.strip_prefix('-') {
                Some(before) => format!("{before} before {sun} {}", days()),
                None => format!("{} after {sun} {}", offset.trim_start_matches('+'), days()),
            },
        }
    } else if when.contains_key("once") {
        format!("once {}", text(when, "once").replace('T', " "))
    } else if when.contains_key("cron") {
        format!("cron {}", text(when, "cron"))
    } else {
        "?".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::documents::names::tests::names;
    use crate::commands::documents::people::tests::{clock, document};
    use serde_json::json;

    fn evening() -> Document {
        document(json!({
            "id": "s-3f9a02c1", "name": "evening", "enabled": true, "targets": ["accf23000001", "g-00000001"],
            "action": "on", "when": {"sun": "sunset", "offset": "-15m", "days": ["mon", "tue", "wed", "thu", "fri"]},
            "random": "10m", "catch_up": null, "next": "2026-11-23T14:45:00Z", "last": null, "halted": null,
        }))
    }

    #[test]
    fn when_it_switches() {
        for (json, expected) in [
            (json!({"at": "07:00"}), "07:00 daily"),
            (
                json!({"at": "07:00", "days": ["mon", "wed"]}),
                "07:00 mon, wed",
            ),
            (json!({"sun": "sunrise", "offset": null}), "sunrise daily"),
            (json!({"sun": "sunrise", "offset": "0s"}), "sunrise daily"),
            (
                json!({"sun": "sunrise", "offset": "30m", "days": ["sat", "sun"]}),
                "30m after sunrise weekend",
            ),
            (json!({"once": "2026-12-24T18:00"}), "once 2026-12-24 18:00"),
            (json!({"cron": "0 7 * * *"}), "cron 0 7 * * *"),
            (json!({"moon": "full"}), "?"),
        ] {
            assert_eq!(when(&document(json!({"when": json}))), expected);
        }
        assert_eq!(when(&Document::new()), "?");
    }

    #[test]
    fn a_table_with_the_next_run() {
        let disabled = document(
            json!({"name": "off", "enabled": false, "action": "off", "when": {"at": "23:00"}}),
        );
        let stopped = document(
            json!({"name": "x\u{1b}", "halted": {"at": "2026-11-22T11:00:00Z", "why": "fights"}}),
        );
        let table = Schedules::table(&[evening(), disabled, stopped], &names(), &clock());
        insta::assert_snapshot!(anstream::adapter::strip_str(&table).to_string(), @r#"
            NAME     DOES  TARGETS       WHEN                        NEXT
            evening  on    lamp, Lights  15m before sunset weekdays  tomorrow 15:45
            off      off                 23:00 daily                 disabled
            x\u{1b}                      ?                           stopped
            "#);
    }

    #[test]
    fn all_about_one() {
        let text = people::lines(&Schedules::details(&evening(), &names(), &clock()));
        insta::assert_snapshot!(anstream::adapter::strip_str(&text).to_string(), @r"
            name      evening
            id        s-3f9a02c1
            state     enabled
            does      on
            targets   lamp, Lights
            when      15m before sunset weekdays
            random    up to 10m later
            catch up  -
            next      tomorrow 15:45
            last      -
            ");
    }
}
