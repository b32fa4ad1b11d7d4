//! Documents as people read them.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::super::tests::{HomeNames, clock};
use super::*;

fn read<T: DeserializeOwned>(json: Value) -> T {
    serde_json::from_value(json).unwrap()
}

fn shown<D: Details>(view: &DocumentView<D>) -> String {
    D::details(view, &HomeNames, &clock())
        .iter()
        .map(|(label, value)| format!("{label:<8}  {}\n", value.text))
        .collect()
}

#[test]
fn days_have_words() {
    for (days, expected) in [
        (
            json!(["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
            "daily",
        ),
        (json!(["fri", "mon", "tue", "wed", "thu"]), "weekdays"),
        (json!(["sat", "sun"]), "weekend"),
        (json!(["mon", "wed"]), "mon, wed"),
    ] {
        assert_eq!(read::<Weekdays>(days).sentence(), expected);
    }
}

#[test]
fn every_kind_of_time_has_a_sentence() {
    for (when, expected) in [
        (json!({"at": "07:00"}), "07:00 daily"),
        (
            json!({"at": "07:00", "days": ["mon", "wed"]}),
            "07:00 mon, wed",
        ),
        (json!({"sun": "sunrise", "offset": null}), "sunrise daily"),
        (json!({"sun": "sunrise", "offset": "0s"}), "sunrise daily"),
        (
            json!({"sun": "sunset", "offset": "-15m"}),
            "15m before sunset daily",
        ),
        (
            json!({"sun": "sunrise", "offset": "30m", "days": ["sat", "sun"]}),
            "30m after sunrise weekend",
        ),
        (json!({"once": "2026-12-24T18:00"}), "once 2026-12-24 18:00"),
        (json!({"cron": "0 7 * * *"}), "cron 0 7 * * *"),
    ] {
        assert_eq!(read::<When>(when).sentence(), expected);
    }
}

#[test]
fn every_kind_of_rule_has_a_sentence() {
    for (kind, expected) in [
        (json!({"kind": "auto_off", "after": "2h"}), "off after 2h"),
        (
            json!({"kind": "over_power", "above_w": 2000.0, "for": "10s"}),
            "off above 2000 W for 10s",
        ),
        (
            json!({"kind": "follow", "leader": "accf23000002", "above_w": 30.5, "hysteresis_w": 5, "delay": "10s"}),
            "on while K\u{fc}che draws more than 30.5 W (off 5 W below that), 10s later",
        ),
        (
            json!({"kind": "follow", "leader": "accf23000009", "above_w": 30, "hysteresis_w": null, "delay": null}),
            "on while AC:CF:23:00:00:09 draws more than 30 W",
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
            "as before after a power cut",
        ),
        (
            json!({"kind": "power_on", "state": "off"}),
            "off after a power cut",
        ),
    ] {
        assert_eq!(read::<RuleKind>(kind).sentence(&HomeNames), expected);
    }
}

#[test]
fn schedules_and_rules_have_sentences() {
    let schedule: Schedule = read(json!({
        "name": "morning", "targets": ["accf23000001", "g-00000001"], "action": "on", "when": {"at": "07:00"},
    }));
    assert_eq!(
        schedule.sentence(&HomeNames),
        "07:00 daily: lamp, Lights on"
    );
    let rule: Rule = read(json!({
        "name": "iron", "plug": "accf23000002", "kind": "auto_off", "after": "2h",
    }));
    assert_eq!(rule.sentence(&HomeNames), "K\u{fc}che: off after 2h");
}

#[test]
fn last_actions_and_stops_have_sentences() {
    let last = json!({"at": "2026-11-22T11:00:00Z", "action": "off", "why": "below 10 W for 5m", "confirmed": false, "error": null});
    assert_eq!(
        read::<LastRun>(last).sentence(&clock()),
        "today 12:00: off, below 10 W for 5m (not confirmed)"
    );
    let halted = json!({"at": "2026-11-22T11:01:00Z", "why": "6 switches within a minute"});
    assert_eq!(
        read::<Halted>(halted).sentence(&clock()),
        "stopped today 12:01: 6 switches within a minute"
    );
}

#[test]
fn details_of_a_group() {
    let group: GroupView = read(
        json!({"id": "g-00000001", "name": "lights", "plugs": ["accf23000001", "accf23000003"]}),
    );
    insta::assert_snapshot!(shown(&group), @r"
        name      lights
        id        g-00000001
        plugs     lamp, AC:CF:23:00:00:03
        ");
    let empty: GroupView = read(json!({"id": "g-00000001", "name": "none", "plugs": []}));
    assert_eq!(empty.members(&HomeNames).text, "-");
}

#[test]
fn details_of_a_schedule() {
    let schedule: ScheduleView = read(json!({
        "id": "s-3f9a02c1", "name": "evening", "enabled": true, "targets": ["accf23000001", "g-00000001"],
        "action": "on", "when": {"sun": "sunset", "offset": "-15m", "days": ["mon", "tue", "wed", "thu", "fri"]},
        "random": "10m", "catch_up": null, "next": "2026-11-23T14:45:00Z", "last": null, "halted": null,
    }));
    insta::assert_snapshot!(shown(&schedule), @r"
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
    assert_eq!(schedule.next_sentence(&clock()).text, "tomorrow 15:45");
}

#[test]
fn details_of_a_rule() {
    let rule: RuleView = read(json!({
        "id": "r-3f9a02c1", "name": "television", "enabled": true, "plug": "accf23000001", "kind": "standby_kill",
        "below_w": 10.0, "for": "5m", "restore_at": "07:00", "test_pulse": {"every": "2h", "for": "1m"},
        "last": {"at": "2026-11-22T11:00:00Z", "action": "off", "why": "below 10 W for 5m", "confirmed": true, "error": null},
        "halted": null,
    }));
    insta::assert_snapshot!(shown(&rule), @r"
        name      television
        id        r-3f9a02c1
        state     enabled
        plug      lamp
        kind      standby_kill
        does      off below 10 W for 5m, on again at 07:00, tested for 1m every 2h
        last      today 12:00: off, below 10 W for 5m
        ");
}

#[test]
fn details_of_tariffs() {
    let tariffs: Vec<TariffView> = read(json!([
        {
            "id": "t-00000001", "name": "home", "kind": "flat", "currency": "EUR", "price": 0.32, "plugs": [],
            "valid_from": null,
        },
        {
            "id": "t-00000002", "name": "heat pump", "kind": "day_night", "currency": "CHF", "day": 0.34, "night": 0.26,
            "day_begins": "06:00", "night_begins": "22:00", "days": ["mon", "tue", "wed", "thu", "fri"],
            "plugs": ["accf23000001"], "valid_from": "2027-01-01",
        },
        {
            "id": "t-00000003", "name": "market", "kind": "hourly", "currency": "EUR", "otherwise": 0.3, "plugs": [],
            "valid_from": null,
            "prices": [{"t": "2026-11-22T11:00:00Z", "price": 0.1}, {"t": "2026-11-23T22:00:00Z", "price": -0.01}],
        },
    ]));
    let shown: Vec<String> = tariffs.iter().map(shown).collect();
    insta::assert_snapshot!(shown.join("\n"), @r"
        name      home
        id        t-00000001
        kind      flat
        price     0.32 EUR
        plugs     all
        from      -

        name      heat pump
        id        t-00000002
        kind      day_night
        price     0.34 CHF 06:00 to 22:00 weekdays, else 0.26
        plugs     lamp
        from      2027-01-01

        name      market
        id        t-00000003
        kind      hourly
        price     EUR by the hour, 2 known, else 0.3
        plugs     all
        from      -
        known     today 12:00 to tomorrow 23:00
        ");
}
