//! Groups, schedules, rules, tariffs, history and energy, with the real binary on both sides.

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::home::{Home, finish};
use crate::house::{Hub, adopt};
use crate::kept::Kept;
use crate::listening::Events;

#[test]
fn groups_are_made_switched_edited_and_removed() {
    let hub = Kept::start();
    let home = &hub.home;
    let made = home
        .json(&["group", "add", "Both", "lamp", "127.0.0.3"])
        .ends_with(0)
        .json();
    let plugs = made["plugs"].as_array().unwrap().clone();
    assert!(
        made["id"].as_str().unwrap().starts_with("g-") && plugs.len() == 2,
        "{made}"
    );
    let again = home.json(&["group", "add", "both", "lamp"]).ends_with(2);
    assert_eq!(again.error_kind(), "usage");

    let off = home.json(&["group", "off", "both"]).ends_with(0).json();
    for (told, plug) in off.as_array().unwrap().iter().zip(&plugs) {
        assert_eq!(told["plug"], *plug);
        assert_eq!(
            (&told["relay"], &told["confirmed"]),
            (&json!("off"), &json!(true)),
            "{off}"
        );
    }
    let status = home.json(&["status", "lamp", "heater"]).ends_with(0).json();
    assert_eq!(
        (&status[0]["relay"], &status[1]["relay"]),
        (&json!("off"), &json!("off"))
    );
    let run = home
        .run(&["group", "toggle", made["id"].as_str().unwrap()])
        .ends_with(0);
    assert_eq!(run.stdout, "lamp is on\nheater is on\n");

    let one = home
        .json(&["group", "edit", "both", "--take", "lamp", "--name", "one"])
        .ends_with(0)
        .json();
    assert_eq!(one["plugs"], json!([plugs[1]]));
    let list = home.run(&["group", "list"]).ends_with(0).stdout;
    assert_eq!(list, "NAME  PLUGS\none   heater\n");
    assert_eq!(
        home.json(&["group", "list"]).ends_with(0).json(),
        json!([one])
    );
    assert_eq!(
        home.json(&["group", "remove", "one"]).ends_with(0).json(),
        one
    );
    assert_eq!(home.json(&["group", "list"]).ends_with(0).json(), json!([]));
    let gone = home.json(&["group", "show", "one"]).ends_with(3);
    assert_eq!(gone.error_kind(), "not_found");
    home.json(&["group", "add", "x", "attic"]).ends_with(3);
}

#[test]
fn a_plug_that_fails_in_a_group_does_not_keep_the_others() {
    let mut hub = Kept::start();
    let home = &mut hub.home;
    home.run(&["group", "add", "both", "lamp", "heater"])
        .ends_with(0);
    // With the emulator both are gone; a third one comes at the address of the second.
    home.end_emulators();
    home.emulate(&["--listen", "127.0.0.2", "--relay", "on"], 1);
    let run = home.json(&["group", "off", "both"]);
    let told = run.json();
    assert_eq!(
        (&told[0]["relay"], &told[0]["confirmed"]),
        (&json!("off"), &json!(true)),
        "{told}"
    );
    assert_eq!(told[1]["error"]["kind"], "no_answer", "{told}");
    assert_eq!(run.code, 4);
    let run = home.run(&["group", "on", "both"]).ends_with(4);
    assert_eq!(run.stdout, "lamp is on\n");
    assert!(run.stderr.contains("heater"), "{run:?}");
}

#[test]
fn schedules_by_name_with_their_next_run() {
    let hub = Kept::start();
    let home = &hub.home;
    home.run(&["group", "add", "all", "lamp", "heater"])
        .ends_with(0);
    let words = [
        "schedule",
        "add",
        "Morning",
        "--targets",
        "lamp,all",
        "--action",
        "on",
        "--at",
        "6:30",
    ];
    let made = home
        .json(&[words.as_slice(), &["--days", "weekdays"]].concat())
        .ends_with(0)
        .json();
    assert_eq!(
        made["when"],
        json!({"at": "06:30", "days": ["mon", "tue", "wed", "thu", "fri"]})
    );
    assert!(
        made["targets"][1].as_str().unwrap().starts_with("g-"),
        "{made}"
    );
    let next: jiff::Timestamp = made["next"].as_str().unwrap().parse().unwrap();
    assert!(next > jiff::Timestamp::now());

    let edited = [
        "schedule", "edit", "morning", "--action", "off", "--random", "20m", "--name", "Noon",
        "--at", "12:00",
    ];
    let edited = home.json(&edited).ends_with(0).json();
    assert_eq!(
        (&edited["name"], &edited["action"], &edited["random"]),
        (&json!("Noon"), &json!("off"), &json!("20m"))
    );
    assert_eq!(edited["when"]["days"], made["when"]["days"], "{edited}");
    let disabled = home
        .json(&["schedule", "disable", "noon"])
        .ends_with(0)
        .json();
    assert_eq!(
        (&disabled["enabled"], &disabled["next"]),
        (&json!(false), &Value::Null)
    );
    let list = home.run(&["schedule", "list"]).ends_with(0).stdout;
    assert!(
        list.contains("Noon") && list.contains("lamp, all") && list.contains("disabled"),
        "{list}"
    );
    home.run(&["schedule", "enable", "noon"]).ends_with(0);
    let show = home.run(&["schedule", "show", "Noon"]).ends_with(0).stdout;
    assert!(
        show.contains("12:00 weekdays") && show.contains("up to 20m later"),
        "{show}"
    );

    // Without a place the sun never sets: the hub says so, and at which field.
    let words = [
        "schedule",
        "add",
        "evening",
        "--targets",
        "lamp",
        "--action",
        "on",
        "--sun",
        "sunset",
    ];
    assert_eq!(home.json(&words).ends_with(2).error_kind(), "usage");
    let words = [
        "schedule",
        "add",
        "never",
        "--targets",
        "lamp",
        "--action",
        "on",
        "--cron",
        "0 0 30 2 *",
    ];
    assert_eq!(home.json(&words).ends_with(2).error_kind(), "usage");
    let removed = home
        .json(&["schedule", "remove", "noon"])
        .ends_with(0)
        .json();
    assert_eq!(removed["id"], made["id"]);
    home.run(&["schedule", "remove", "noon"]).ends_with(3);
}

#[test]
fn a_rule_acts_and_tells_why() {
    let hub = Kept::start();
    let home = &hub.home;
    let events = Events::of(&hub, &["--kind", "rule"]);
    let words = [
        "rule",
        "add",
        "iron",
        "--plug",
        "heater",
        "--kind",
        "over-power",
        "--above",
        "1kW",
        "--for",
        "2s",
    ];
    let made = home.json(&words).ends_with(0).json();
    assert_eq!(
        (&made["kind"], &made["above_w"]),
        (&json!("over_power"), &json!(1000.0))
    );
    let acted = hub.until(&["rule", "show", "iron"], |rule| rule["last"].is_object());
    assert_eq!(acted["last"]["action"], "off", "{acted}");
    assert!(!acted["last"]["why"].as_str().unwrap().is_empty());
    let show = home.run(&["rule", "list"]).ends_with(0).stdout;
    assert!(
        show.contains("off above 1000 W for 2s") && show.contains("heater"),
        "{show}"
    );
    assert_eq!(
        home.json(&["status", "heater"]).ends_with(0).json()[0]["relay"],
        "off"
    );
    let told = events.until(|event| event["data"]["last"].is_object());
    assert_eq!(
        (&told["event"], &told["data"]["name"]),
        (&json!("rule"), &json!("iron"))
    );

    let edited = home
        .json(&["rule", "edit", "iron", "--above", "3kW"])
        .ends_with(0)
        .json();
    assert_eq!(edited["above_w"], 3000.0);
    assert_eq!(
        home.json(&["rule", "edit", "iron", "--below", "3"])
            .ends_with(2)
            .error_kind(),
        "usage"
    );
    let disabled = home.json(&["rule", "disable", "iron"]).ends_with(0).json();
    assert_eq!(disabled["enabled"], false);
    home.run(&["rule", "remove", "iron"]).ends_with(0);
}

#[test]
fn what_was_used_and_what_it_cost() {
    let hub = Kept::start();
    let home = &hub.home;
    let flat = home
        .json(&[
            "tariff",
            "add",
            "home",
            "--price",
            "0.25",
            "--currency",
            "EUR",
        ])
        .ends_with(0)
        .json();
    assert_eq!(
        (&flat["kind"], &flat["price"]),
        (&json!("flat"), &json!(0.25))
    );
    let energy = hub.until(&["energy", "lamp"], |rows| {
        rows.as_array()
            .unwrap()
            .iter()
            .any(|row| row["energy_wh"].as_f64() > Some(0.0))
    });
    let row = &energy[0];
    assert_eq!(
        (energy.as_array().unwrap().len(), &row["currency"]),
        (1, &json!("EUR")),
        "{energy}"
    );
    let (used, cost) = (
        row["energy_wh"].as_f64().unwrap(),
        row["cost"].as_f64().unwrap(),
    );
    assert!((cost - used / 1000.0 * 0.25).abs() < 1e-4, "{row}");
    assert!(
        home.run(&["energy", "--by", "month"])
            .ends_with(0)
            .stdout
            .contains("heater")
    );
    home.json(&["energy", "--from", "2026-11-02", "--to", "2026-11-01"])
        .ends_with(2);

    let history = hub.until(
        &["history", "lamp", "--from", "1h", "--step", "10s"],
        |history| !history["points"].as_array().unwrap().is_empty(),
    );
    assert_eq!(history["step_s"], 10);
    let csv = home
        .run(&["history", "lamp", "--from", "1h", "--step", "10s", "--csv"])
        .ends_with(0)
        .stdout;
    assert!(
        csv.starts_with("t,power_w,") && csv.lines().count() > 1,
        "{csv}"
    );
    let table = home
        .run(&["history", "lamp", "--from", "today"])
        .ends_with(0);
    assert!(
        table.stdout.starts_with("FROM") && table.stderr.contains("Wh in "),
        "{table:?}"
    );
    home.json(&["history", "lamp", "--from", "2026-01-01", "--step", "1s"])
        .ends_with(2);
    home.json(&["history", "attic"]).ends_with(3);
}

#[test]
fn prices_by_the_hour_from_a_file() {
    let hub = Kept::start();
    let home = &hub.home;
    home.run(&[
        "tariff",
        "add",
        "market",
        "--hourly",
        "--currency",
        "EUR",
        "--otherwise",
        "0.3",
    ])
    .ends_with(0);
    let file = home.write(
        "prices.csv",
        "time,price\n2026-11-22T23:00Z,0.2871\n2026-11-23T00:00Z,-0.0013\n",
    );
    let market = home
        .json(&["tariff", "prices", "market", file.to_str().unwrap()])
        .ends_with(0)
        .json();
    assert_eq!(market["prices"].as_array().unwrap().len(), 2, "{market}");
    let mut child = home
        .command()
        .args(["--json", "tariff", "prices", "market", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let more = b"[{\"t\":\"2026-11-23T01:00:00Z\",\"price\":0.1}]";
    child.stdin.take().unwrap().write_all(more).unwrap();
    let run = finish(child.wait_with_output()).ends_with(0);
    assert_eq!(run.json()["prices"].as_array().unwrap().len(), 3, "{run:?}");

    let wrong = home.write(
        "wrong.csv",
        "time,price\n2026-11-22T23:00Z,0.2\n2026-11-23T00:00Z,cheap\n",
    );
    let run = home
        .json(&["tariff", "prices", "market", wrong.to_str().unwrap()])
        .ends_with(2);
    assert!(run.stdout.contains("line 3"), "{run:?}");
    home.json(&["tariff", "prices", "market", "/nowhere"])
        .ends_with(2);
    let list = home.run(&["tariff", "list"]).ends_with(0).stdout;
    assert!(
        list.contains("EUR by the hour, 3 known, else 0.3"),
        "{list}"
    );
    home.run(&["tariff", "edit", "market", "--plugs", "lamp"])
        .ends_with(0);
    assert_eq!(
        home.json(&["tariff", "show", "market"]).json()["prices"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    home.run(&["tariff", "remove", "market"]).ends_with(0);
}

#[test]
fn a_hub_that_is_named_needs_its_token() {
    let hub = Kept::start();
    let with_token = |token: &str| {
        let mut command = hub.home.command();
        command.args(["--json", "schedule", "list"]);
        command.env("MAINS_STATE", hub.home.path("elsewhere"));
        command
            .env("MAINS_HUB", "http://127.0.0.1:8480")
            .env("MAINS_TOKEN", token);
        finish(command.output())
    };
    let token = std::fs::read_to_string(hub.home.state().join("admin-token")).unwrap();
    assert_eq!(with_token(token.trim()).ends_with(0).json(), json!([]));
    let run = with_token("wrong").ends_with(2);
    assert_eq!(run.error_kind(), "usage");
    assert!(
        run.json()["error"]["hint"]
            .as_str()
            .unwrap()
            .contains("MAINS_TOKEN"),
        "{run:?}"
    );
}

#[test]
fn times_of_a_hub_are_told_in_its_zone() {
    let mut home = Home::with_network();
    home.emulate(&["--listen", "127.0.0.2"], 1);
    let mut command = home.command();
    // The shell is in UTC.
    command
        .arg("serve")
        .env("MAINS_PLACE_TIMEZONE", "Asia/Tokyo");
    let _hub = Hub::run(command);
    adopt(&home, &["127.0.0.2"]);
    home.json(&[
        "schedule",
        "add",
        "noon",
        "--targets",
        "127.0.0.2",
        "--action",
        "on",
        "--at",
        "12:00",
    ])
    .ends_with(0);
    for words in [&["schedule", "list"][..], &["schedule", "show", "noon"]] {
        let shown = home.run(words).ends_with(0).stdout;
        assert!(shown.contains(" 12:00 (Asia/Tokyo)"), "{shown}");
    }
    let energy = home.run(&["energy", "--from", "yesterday"]).ends_with(0);
    let zone = "days and times are the hub's (Asia/Tokyo)";
    assert!(
        energy.stdout.is_empty() || energy.stderr.contains(zone),
        "{energy:?}"
    );
}
