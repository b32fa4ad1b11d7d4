//! Schedules run when they are due, once.

use api::{Collection, RelayCommand, SwitchTarget};
use jiff::SignedDuration;
use plugs::RelayState::{Off, On};
use serde_json::{Value, json};
use std::time::Duration;

use super::fixture::{TestHome, at, mac, pass};

fn daily(time: &str, action: &str) -> Value {
    json!({"targets": [target(1)], "action": action, "when": {"at": time}})
}

fn target(last: u8) -> String {
    SwitchTarget::Plug(mac(last)).to_string()
}

#[tokio::test(start_paused = true)]
async fn fires_at_its_time_each_day() {
    let home = TestHome::new("2026-03-02T05:59:00Z");
    let run = home.start().await;
    let mut events = run.listen();
    let id = run.schedule(daily("07:00", "toggle")).await;
    pass("2d").await;
    // The emulated plug takes its time.
    assert_eq!(home.told(), ["07:00:00 1 on", "07:00:00 1 off"]);
    let state = run.state(&id);
    assert_eq!(state["last"]["why"], "it was due on 2026-03-03 07:00");
    assert_eq!(state["last"]["action"], "toggle");
    assert_eq!(state["last"]["confirmed"], true);
    assert_eq!(state["last"]["error"], Value::Null);
    let mut told = 0;
    while let Ok(event) = events.try_recv() {
        if event.event.name() == "schedule" {
            told += 1;
            let view = serde_json::to_value(&event.event).unwrap();
            assert_eq!(view["id"], id.as_str());
        }
    }
    assert_eq!(told, 2);
    run.stop().await;
    assert_eq!(home.on_disk(Collection::Schedules, &id), state);
}

#[tokio::test(start_paused = true)]
async fn once_also_over_restarts() {
    let home = TestHome::new("2026-03-02T05:59:00Z");
    let mut fields = daily("07:00", "toggle");
    fields["catch_up"] = json!("1h");
    let run = home.start().await;
    run.schedule(fields).await;
    pass("61s").await;
    assert_eq!(home.told(), ["07:00:00 1 on"]);
    run.stop().await;
    for _ in 0..5 {
        let run = home.start().await;
        pass("20s").await;
        run.stop().await;
    }
    assert_eq!(home.told(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_another_hub_has_claimed_and_not_finished() {
    for (action, expected) in [("on", 1), ("off", 0), ("toggle", 0)] {
        let home = TestHome::new("2026-03-02T05:59:00Z");
        // That hub was killed before it wrote that it begins, or its clock is ahead.
        home.claim_elsewhere(at("2026-03-02T06:00:00Z"));
        let run = home.start().await;
        let id = run.schedule(daily("07:00", action)).await;
        pass("2m").await;
        // The relay is off: where that is wanted the other hub may have done it.
        assert_eq!(home.told().len(), expected, "{action}");
        let is_done = action != "toggle";
        assert_eq!(
            run.state(&id)["last"]["confirmed"] == true,
            is_done,
            "{action}"
        );
        run.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_missed_while_the_hub_was_down() {
    for (catch_up, expected) in [(json!("10m"), 1), (json!("9m"), 0), (Value::Null, 0)] {
        let home = TestHome::new("2026-03-02T05:00:00Z");
        let mut fields = daily("07:00", "on");
        fields["catch_up"] = catch_up.clone();
        let run = home.start().await;
        let id = run.schedule(fields).await;
        run.stop().await;
        pass("69m30s").await;
        let run = home.start().await;
        pass("5m").await;
        assert_eq!(home.told().len(), expected, "{catch_up}");
        if expected == 1 {
            let why = run.state(&id)["last"]["why"].clone();
            assert_eq!(why, "it was due on 2026-03-02 07:00 and missed");
        }
        run.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn of_many_that_were_missed_only_the_last() {
    let home = TestHome::new("2026-03-02T05:00:00Z");
    let run = home.start().await;
    let cron = json!({"targets": [target(1)], "action": "toggle", "when": {"cron": "*/5 * * * *"}, "catch_up": "1d"});
    run.schedule(cron).await;
    run.stop().await;
    pass("7h").await;
    let run = home.start().await;
    pass("1m").await;
    assert_eq!(home.told().len(), 1);
    run.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_slept_over_it() {
    for (catch_up, expected) in [(json!("9h"), 1), (Value::Null, 0)] {
        let home = TestHome::new("2026-03-01T22:00:00Z");
        let run = home.start().await;
        let mut fields = daily("03:00", "on");
        fields["catch_up"] = catch_up;
        run.schedule(fields).await;
        pass("10m").await;
        home.sleep(8);
        pass("1m").await;
        assert_eq!(home.told().len(), expected);
        // And the next day it is in time.
        pass("1d").await;
        assert_eq!(home.told(), ["03:00:00 1 on"]);
        run.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set() {
    let home = TestHome::new("2026-03-02T05:50:00Z");
    let run = home.start().await;
    run.schedule(daily("07:00", "toggle")).await;
    pass("11m").await;
    assert_eq!(home.told(), ["07:00:00 1 on"]);
    // An hour back: seven o'clock comes again, and has been.
    home.set_clock(SignedDuration::from_hours(-1));
    pass("2h").await;
    assert_eq!(home.told(), [""; 0]);
    // To five to seven of the next day: it is met as if time had passed.
    home.set_clock(SignedDuration::from_mins(22 * 60 + 54));
    pass("10m").await;
    assert_eq!(home.told(), ["07:00:00 1 off"]);
    // It was all wrong, by two years.
    home.set_clock(SignedDuration::from_hours(-2 * 365 * 24));
    pass("1d").await;
    assert_eq!(home.told(), ["07:00:00 1 on"]);
    run.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_was_ahead_and_is_put_right_takes_no_run_away() {
    for catch_up in [Value::Null, json!("10m")] {
        for ahead_h in [1, 2, 25, 27, 800 * 24] {
            let home = TestHome::new("2026-03-02T05:50:00Z");
            let run = home.start().await;
            let mut fields = daily("07:00", "toggle");
            fields["catch_up"] = catch_up.clone();
            let id = run.schedule(fields).await;
            home.set_clock(SignedDuration::from_hours(ahead_h));
            pass("8s").await;
            home.set_clock(SignedDuration::from_hours(-ahead_h));
            pass("6s").await;
            assert_eq!(run.next(&id), Some(at("2026-03-02T06:00:00Z")), "{ahead_h}");
            pass("15m").await;
            assert_eq!(home.told(), ["07:00:00 1 on"], "{ahead_h} {catch_up}");
            assert_eq!(run.next(&id), Some(at("2026-03-03T06:00:00Z")), "{ahead_h}");
            pass("1d").await;
            assert_eq!(home.told(), ["07:00:00 1 off"], "{ahead_h} {catch_up}");
            run.stop().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_does_not_draw_a_random_delay_again() {
    // None leads to 07:00 to 07:21 of another day, at which it would be due.
    for set_h in [-3, 3, 27, 800 * 24 + 3] {
        let home = TestHome::new("2026-03-02T05:20:00Z");
        let run = home.start().await;
        let mut fields = daily("07:00", "toggle");
        fields["random"] = json!("20m");
        let id = run.schedule(fields).await;
        let drawn = run.next(&id).unwrap();
        home.set_clock(SignedDuration::from_hours(set_h));
        pass("8s").await;
        home.set_clock(SignedDuration::from_hours(-set_h));
        pass("6s").await;
        assert_eq!(run.next(&id), Some(drawn), "{set_h}");
        pass("75m").await;
        let switched = home.switched();
        assert_eq!(switched.len(), 1, "{set_h}");
        let late = switched[0].at.duration_since(drawn);
        assert!(
            late.abs() < SignedDuration::from_secs(10),
            "{set_h}: {late:#}"
        );
        // An hour back: the time comes again, and has been.
        home.set_clock(SignedDuration::from_hours(-1));
        pass("2h").await;
        assert_eq!(home.told(), [""; 0], "{set_h}");
        run.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_clock_that_was_ahead_fired_does_not_fire_again_but_all_else_does() {
    let home = TestHome::new("2026-03-02T05:50:00Z");
    let run = home.start().await;
    let hourly = json!({"targets": [target(1)], "action": "toggle", "when": {"cron": "0 * * * *"}, "catch_up": "5m"});
    let id = run.schedule(hourly).await;
    // Three hours ahead: 10:00 and 11:00 come too early.
    home.set_clock(SignedDuration::from_hours(3));
    pass("71m").await;
    assert_eq!(home.told(), ["10:00:00 1 on", "11:00:00 1 off"]);
    home.set_clock(SignedDuration::from_hours(-3));
    pass("10s").await;
    assert_eq!(run.next(&id), Some(at("2026-03-02T08:00:00Z")));
    pass("118m").await;
    assert_eq!(home.told(), ["09:00:00 1 on"]);
    assert_eq!(run.next(&id), Some(at("2026-03-02T11:00:00Z")));
    pass("3h").await;
    assert_eq!(home.told(), ["12:00:00 1 off"]);
    run.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_put_right_while_the_hub_is_down() {
    for (catch_up, expected) in [(json!("1h"), 1), (Value::Null, 0)] {
        let home = TestHome::new("2026-03-02T05:30:00Z");
        let run = home.start().await;
        let mut fields = daily("07:00", "toggle");
        fields["catch_up"] = catch_up.clone();
        run.schedule(fields).await;
        pass("1m").await;
        // It is ahead, a run of the next day comes too early, and the hub ends.
        home.set_clock(SignedDuration::from_mins(24 * 60 + 25));
        pass("10m").await;
        assert_eq!(home.told(), ["07:00:00 1 on"]);
        run.stop().await;
        home.set_clock(SignedDuration::from_mins(-24 * 60 - 25));
        pass("40m").await;
        let run = home.start().await;
        pass("5m").await;
        assert_eq!(home.told().len(), expected, "{catch_up}");
        run.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_edit_does_not_fire_again_what_has_fired() {
    let home = TestHome::new("2026-03-02T05:50:00Z");
    let run = home.start().await;
    let id = run.schedule(daily("07:00", "toggle")).await;
    pass("20m").await;
    assert_eq!(home.told(), ["07:00:00 1 on"]);
    run.edit_schedule(&id, |schedule| schedule.random = None)
        .await;
    home.set_clock(SignedDuration::from_hours(-1));
    pass("2h").await;
    assert_eq!(home.told(), [""; 0]);
    run.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_machine_without_a_clock_of_its_own() {
    let home = TestHome::new("2026-03-02T05:59:00Z");
    let run = home.start().await;
    let mut fields = daily("07:00", "toggle");
    fields["catch_up"] = json!("30m");
    run.schedule(fields).await;
    pass("2m").await;
    run.stop().await;
    assert_eq!(home.told().len(), 1);
    // After a restart it is 1970, until a time server is heard.
    let years = SignedDuration::from_hours(56 * 365 * 24);
    home.set_clock(-years);
    let run = home.start().await;
    pass("5m").await;
    assert_eq!(home.told(), [""; 0]);
    home.set_clock(years);
    pass("5m").await;
    assert_eq!(home.told(), [""; 0], "seven o'clock has been");
    pass("1d").await;
    assert_eq!(home.told(), ["07:00:00 1 off"]);
    run.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_hub_that_ended_in_the_middle() {
    for (action, expected) in [("on", 1), ("toggle", 0)] {
        let home = TestHome::new("2026-03-02T05:59:00Z");
        let run = home.start().await;
        let id = run.schedule(daily("07:00", action)).await;
        run.stop().await;
        home.leave(Collection::Schedules, &id, |state| {
            state["memory"]["dealt_with"] = json!("2026-03-02T06:00:00.001Z");
            state["memory"]["firing"] = json!("2026-03-02T06:00:00Z");
        });
        pass("70s").await;
        let run = home.start().await;
        pass("1h").await;
        assert_eq!(home.told().len(), expected, "{action}");
        run.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_a_hub_with_a_clock_ahead_has_begun() {
    for (minutes_behind, at_once) in [(2, 1), (10, 0)] {
        let home = TestHome::new("2026-03-02T05:59:00Z");
        let run = home.start().await;
        let id = run.schedule(daily("07:00", "on")).await;
        run.stop().await;
        home.leave(Collection::Schedules, &id, |state| {
            state["memory"]["dealt_with"] = json!("2026-03-02T06:00:00.001Z");
            state["memory"]["firing"] = json!("2026-03-02T06:00:00Z");
        });
        pass("70s").await;
        home.set_clock(SignedDuration::from_mins(-minutes_behind));
        let run = home.start().await;
        pass("30s").await;
        assert_eq!(home.told().len(), at_once, "{minutes_behind}");
        // By this clock its time is still to come; it has run.
        pass("15m").await;
        assert_eq!(home.told().len(), 1 - at_once, "{minutes_behind}");
        run.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_plug_that_does_not_answer_is_tried_for_a_minute() {
    let home = TestHome::new("2026-03-02T05:59:00Z");
    let run = home.start().await;
    let group = home.group(&[mac(1), mac(2)]);
    let targets = json!([target(1), group, target(3), "g-00000000"]);
    let id = run
        .schedule(json!({"targets": targets, "action": "on", "when": {"at": "07:00"}}))
        .await;
    home.deafen(mac(1), true);
    pass("20m").await;
    let told = home.told();
    assert_eq!(told[1..3], ["07:00:00 2 on", "07:00:00 3 on"]);
    let to_first: Vec<_> = told.iter().filter(|told| told.contains(" 1 ")).collect();
    assert_eq!(to_first.len(), 4, "{told:?}");
    assert!(told.last().unwrap() < &"07:01:05".to_owned());
    let last = run.state(&id)["last"].clone();
    assert_eq!(last["confirmed"], false);
    assert_eq!(
        last["error"],
        "there is no group g-00000000; AC:CF:23:00:00:01: it did not answer in time"
    );
    // The next day it answers after a moment.
    pass("23h39m").await;
    pass("70s").await;
    home.deafen(mac(1), false);
    pass("5m").await;
    assert_eq!(home.relay(mac(1)), On);
    run.stop().await;
}

#[tokio::test(start_paused = true)]
async fn only_what_is_enabled_and_nothing_from_before() {
    let home = TestHome::new("2026-03-02T05:59:00Z");
    let run = home.start().await;
    let mut fields = daily("07:00", "on");
    fields["catch_up"] = json!("1h");
    fields["enabled"] = json!(false);
    let id = run.schedule(fields).await;
    pass("5m").await;
    run.edit_schedule(&id, |schedule| schedule.enabled = true)
        .await;
    pass("5m").await;
    assert_eq!(home.told(), [""; 0]);
    // An edit is followed at once.
    run.edit_schedule(&id, |schedule| {
        schedule.when = serde_json::from_value(json!({"at": "07:15"})).unwrap();
        schedule.action = RelayCommand::Toggle;
    })
    .await;
    pass("10m").await;
    assert_eq!(home.told(), ["07:15:00 1 on"]);
    run.remove_schedule(&id).await;
    pass("2d").await;
    assert_eq!(home.told(), [""; 0]);
    run.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_disk_holds_nothing_up_for_long() {
    let home = TestHome::new("2026-03-02T05:59:00Z");
    let run = home.start().await;
    for minute in 0..5 {
        let mut fields = daily(&format!("07:0{minute}"), "toggle");
        fields["name"] = json!(format!("{minute}"));
        run.schedule(fields).await;
    }
    home.slow_disk(Duration::from_secs(600));
    pass("10m").await;
    let times: Vec<_> = home.told();
    assert_eq!(times.len(), 5);
    assert!(times.iter().all(|told| told[6..8] <= *"01"), "{times:?}");
    assert_eq!(home.relay(mac(1)), On);
    // And the hub ends in time.
    let before = tokio::time::Instant::now();
    run.stop().await;
    assert!(before.elapsed() < Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn six_schedules_a_minute_are_enough_for_one_relay() {
    let home = TestHome::new("2026-03-02T05:59:00Z");
    let run = home.start().await;
    let mut ids = Vec::new();
    for _ in 0..9 {
        ids.push(run.schedule(daily("07:00", "toggle")).await);
    }
    pass("5m").await;
    assert_eq!(
        home.switched().iter().filter(|switch| switch.moved).count(),
        6
    );
    let halted: Vec<_> = ids
        .iter()
        .filter(|id| !run.state(id)["halted"].is_null())
        .collect();
    assert_eq!(halted.len(), 3);
    let why = run.state(halted[0])["halted"]["why"].to_string();
    assert!(why.contains("6 times within a minute"), "{why}");
    // Those that are halted stay so the next day, also over a restart.
    run.stop().await;
    let run = home.start().await;
    pass("1d").await;
    assert_eq!(home.switched().len(), 6);
    run.edit_schedule(halted[0], |_| {}).await;
    assert!(run.state(halted[0])["halted"].is_null());
    run.stop().await;
    assert_eq!(home.relay(mac(1)), Off);
}

#[tokio::test(start_paused = true)]
async fn a_dead_plug_stops_nobody() {
    let home = TestHome::new("2026-03-02T05:59:00Z");
    let run = home.start().await;
    home.deafen(mac(1), true);
    let rule = json!({"kind": "keep_on", "after": "62s", "plug": target(1)});
    let rule = run.rule(rule).await;
    let schedule = run.schedule(daily("07:00", "on")).await;
    pass("100s").await;
    // Each tries four times in the minute, at moments of its own.
    assert_eq!(home.switched().len(), 2 * 4);
    for id in [rule, schedule] {
        assert!(run.state(&id)["halted"].is_null());
        assert_eq!(run.state(&id)["last"]["confirmed"], false);
    }
    run.stop().await;
}
