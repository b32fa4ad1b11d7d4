//! Rules act on events, within bounds.

use std::collections::HashMap;
use std::time::Duration;

use api::{Cause, Collection, Event};
use hiflying::Mac;
use jiff::{SignedDuration, Timestamp};
use plugs::RelayState::{Off, On};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::fixture::{RecordedSwitch, TestHome, mac, pass};
use crate::automation::switch_limiter;

const MORNING: &str = "2026-03-02T05:00:00Z";

fn rule(last: u8, fields: Value) -> Value {
    let mut rule = fields;
    rule["plug"] = json!(mac(last));
    rule
}

#[tokio::test(start_paused = true)]
async fn a_rule_acts_and_says_why() {
    let home = TestHome::new(MORNING);
    let run = home.start().await;
    let id = run
        .rule(rule(
            1,
            json!({"kind": "standby_kill", "below_w": 10, "for": "5m"}),
        ))
        .await;
    run.press(mac(1), On).await;
    let mut events = run.listen();
    run.draws(mac(1), 3.0, "6m").await;
    assert_eq!(home.told(), ["06:05:00 1 off"]);
    let state = run.state(&id);
    assert_eq!(state["last"]["why"], "it drew less than 10 W for 5m");
    assert_eq!(state["last"]["action"], "off");
    assert_eq!(state["last"]["confirmed"], true);
    let mut told = Vec::new();
    while let Ok(event) = events.try_recv() {
        told.extend(
            (event.event.name() == "rule").then(|| serde_json::to_value(&event.event).unwrap()),
        );
    }
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["id"], id.as_str());
    run.stop().await;
    assert_eq!(home.on_disk(Collection::Rules, &id), state);
}

#[tokio::test(start_paused = true)]
async fn two_rules_that_fight_are_stopped() {
    let home = TestHome::new(MORNING);
    let run = home.start().await;
    let mut events = run.listen();
    let on = run.rule(rule(1, json!({"kind": "keep_on"}))).await;
    let off = run
        .rule(rule(1, json!({"kind": "auto_off", "after": "1s"})))
        .await;
    pass("1h").await;
    let moved = home.switched();
    assert_eq!(moved.len(), switch_limiter::MAX_AUTOMATIC_SWITCHES);
    assert!(moved.iter().all(|switch| switch.moved));
    // The one that would have been next is stopped; the other has nobody to fight with any more.
    let halted = [&on, &off].map(|id| !run.state(id)["halted"].is_null());
    assert_eq!(halted, [true, false]);
    let mut stops = 0;
    while let Ok(event) = events.try_recv() {
        let view = serde_json::to_value(&event.event).unwrap();
        stops += usize::from(!view["halted"].is_null());
    }
    assert_eq!(stops, 1);
    // It stays stopped over a restart, and goes on after an edit.
    run.stop().await;
    let run = home.start().await;
    pass("1h").await;
    assert_eq!(home.switched(), []);
    run.edit_rule(&off, |rule| rule.enabled = false).await;
    run.edit_rule(&on, |rule| rule.enabled = false).await;
    assert!(run.state(&on)["halted"].is_null());
    run.edit_rule(&on, |rule| rule.enabled = true).await;
    pass("1m").await;
    assert_eq!(home.switched().len(), 1);
    assert_eq!(home.relay(mac(1)), On);
    run.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_rule_and_schedules_that_fight_are_stopped() {
    let home = TestHome::new(MORNING);
    let run = home.start().await;
    run.rule(rule(1, json!({"kind": "keep_on"}))).await;
    for _ in 0..6 {
        let fields = json!({"targets": [mac(1)], "action": "off", "when": {"cron": "* * * * *"}});
        run.schedule(fields).await;
    }
    pass("1h").await;
    assert_bounded(&home.switched());
    run.stop().await;
}

/// Below the limit of a minute two rules could fight for ever.
#[tokio::test(start_paused = true)]
async fn a_slow_fight_is_stopped_too() {
    let home = TestHome::new(MORNING);
    let run = home.start().await;
    let slow = json!({"kind": "keep_on", "after": "15s"});
    let on = run.rule(rule(1, slow)).await;
    let off = run
        .rule(rule(1, json!({"kind": "auto_off", "after": "15s"})))
        .await;
    pass("3h").await;
    assert_eq!(home.switched().len(), 60);
    let halted = [&on, &off].map(|id| run.state(id)["halted"]["why"].to_string());
    assert!(
        halted
            .iter()
            .any(|why| why.contains("60 times within an hour")),
        "{halted:?}"
    );
    run.stop().await;
}

#[tokio::test(start_paused = true)]
async fn rules_say_how_often_their_plugs_must_be_metered() {
    let home = TestHome::new(MORNING);
    let run = home.start().await;
    let kill = json!({"name": "a", "kind": "standby_kill", "below_w": 10, "for": "5m"});
    run.rule(rule(1, kill)).await;
    let cut = json!({"name": "b", "kind": "over_power", "above_w": 2000, "for": "4s"});
    let cut = run.rule(rule(1, cut)).await;
    run.rule(rule(2, json!({"kind": "keep_on"}))).await;
    pass("1s").await;
    assert_eq!(home.metering_need(mac(1)), Some(Duration::from_secs(2)));
    assert_eq!(home.metering_need(mac(2)), None);
    run.edit_rule(&cut, |rule| rule.enabled = false).await;
    pass("1s").await;
    assert_eq!(home.metering_need(mac(1)), Some(Duration::from_secs(60)));
    run.stop().await;
}

#[tokio::test(start_paused = true)]
async fn people_are_never_stopped() {
    let home = TestHome::new(MORNING);
    let run = home.start().await;
    let id = run.rule(rule(1, json!({"kind": "keep_on"}))).await;
    for _ in 0..20 {
        run.press(mac(1), Off).await;
        pass("1s").await;
    }
    // The rule gave in.
    assert_eq!(home.relay(mac(1)), Off);
    assert_eq!(
        home.switched().len(),
        switch_limiter::MAX_AUTOMATIC_SWITCHES
    );
    assert!(!run.state(&id)["halted"].is_null());
    run.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_cut_off_only_a_person_switches_on() {
    let home = TestHome::new(MORNING);
    let run = home.start().await;
    run.press(mac(1), On).await;
    let cut = run
        .rule(rule(
            1,
            json!({"name": "cable", "kind": "over_power", "above_w": 2000, "for": "20s"}),
        ))
        .await;
    let keep = run.rule(rule(1, json!({"kind": "keep_on"}))).await;
    let daily = json!({"targets": [mac(1)], "action": "on", "when": {"at": "07:00"}});
    let daily = run.schedule(daily).await;
    run.draws(mac(1), 2500.0, "1m").await;
    assert_eq!(home.told(), ["06:00:20 1 off"]);
    pass("2h").await;
    let run = {
        run.stop().await;
        home.start().await
    };
    pass("1h").await;
    assert_eq!(home.told(), [""; 0]);
    let error =
        "the rule \u{2018}cable\u{2019} cut it off, and only a person may switch it on again";
    assert_eq!(run.state(&keep)["last"]["error"], error);
    assert_eq!(
        run.state(&daily)["last"]["error"],
        format!("AC:CF:23:00:00:01: {error}")
    );
    // After an outage it comes on by itself, or a program switches it on over MQTT: it is cut off again.
    for cause in [Cause::PowerOn, Cause::Mqtt] {
        run.turn(mac(1), On, cause).await;
        pass("1s").await;
        assert_eq!((home.switched().len(), home.relay(mac(1))), (1, Off));
    }
    // A person may, and then everything is as before.
    run.press(mac(1), On).await;
    run.press(mac(1), Off).await;
    pass("1s").await;
    assert_eq!(home.relay(mac(1)), On);
    // Without the rule nothing keeps it off.
    home.told();
    run.draws(mac(1), 2500.0, "40s").await;
    assert_eq!(home.relay(mac(1)), Off);
    run.edit_rule(&cut, |rule| rule.enabled = false).await;
    pass("6m").await;
    assert_eq!(home.relay(mac(1)), On);
    run.stop().await;
}

#[tokio::test(start_paused = true)]
async fn goes_on_after_a_restart_in_the_middle() {
    let home = TestHome::new(MORNING);
    let run = home.start().await;
    run.rule(rule(1, json!({"kind": "auto_off", "after": "2h"})))
        .await;
    run.press(mac(1), On).await;
    pass("50m").await;
    run.stop().await;
    pass("1h").await;
    let run = home.start().await;
    pass("9m").await;
    assert_eq!(home.told(), [""; 0]);
    pass("2m").await;
    assert_eq!(home.told(), ["08:00:00 1 off"]);
    run.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_is_no_time_that_passed() {
    let home = TestHome::new(MORNING);
    let run = home.start().await;
    run.rule(rule(1, json!({"kind": "auto_off", "after": "2h"})))
        .await;
    run.press(mac(1), On).await;
    pass("30m").await;
    home.set_clock(SignedDuration::from_hours(30));
    pass("30m").await;
    home.set_clock(SignedDuration::from_hours(-50));
    pass("59m").await;
    assert_eq!(home.switched(), []);
    pass("70s").await;
    assert_eq!(home.switched().len(), 1);
    // A night of the machine is.
    run.press(mac(1), On).await;
    home.sleep(3);
    pass("6s").await;
    assert_eq!(home.switched().len(), 1);
    run.stop().await;
}

/// Every kind that waits, at several metering intervals: a clock that is set in the middle changes nothing.
#[tokio::test(start_paused = true)]
async fn rules_wait_by_the_monotonic_clock() {
    let kinds = [
        json!({"kind": "auto_off", "after": "30s"}),
        json!({"kind": "standby_kill", "below_w": 10, "for": "30s"}),
        json!({"kind": "over_power", "above_w": 4, "for": "30s"}),
        json!({"kind": "keep_on", "after": "30s"}),
        json!({"kind": "follow", "leader": "accf23000002", "above_w": 4, "delay": "30s"}),
    ];
    for kind in kinds {
        for interval in ["1s", "2s", "10s"] {
            for set_s in [0, -3_600, 800 * 86_400, 1, -1] {
                let home = TestHome::new(MORNING);
                let run = home.start().await;
                let is_off = kind["kind"] == "keep_on" || kind["kind"] == "follow";
                run.press(mac(1), if is_off { Off } else { On }).await;
                run.press(mac(2), On).await;
                run.rule(rule(1, kind.clone())).await;
                let metered = mac(if kind["kind"] == "follow" { 2 } else { 1 });
                let begun = Instant::now();
                let mut is_set = false;
                while home.switched_count() == 0 && begun.elapsed() < Duration::from_secs(60) {
                    if begun.elapsed() >= Duration::from_secs(8) && !is_set {
                        home.set_clock(SignedDuration::from_secs(set_s));
                        is_set = true;
                    }
                    run.draws_every(interval, metered, 5.0, interval).await;
                }
                let after = begun.elapsed();
                assert!(
                    after >= Duration::from_secs(30) && after < Duration::from_secs(42),
                    "{kind} {interval} {set_s}: {after:?}"
                );
                run.stop().await;
            }
        }
    }
}

/// A machine without a clock of its own starts in 1970, and a time server puts it right.
#[tokio::test(start_paused = true)]
async fn a_rule_goes_on_over_a_start_with_a_wrong_clock() {
    let home = TestHome::new(MORNING);
    let run = home.start().await;
    run.rule(rule(1, json!({"kind": "auto_off", "after": "30m"})))
        .await;
    run.press(mac(1), On).await;
    pass("10m").await;
    run.stop().await;
    let years = SignedDuration::from_hours(56 * 365 * 24);
    home.set_clock(-years);
    let run = home.start().await;
    pass("1m").await;
    home.set_clock(years);
    pass("28m").await;
    assert_eq!(home.switched(), []);
    pass("2m").await;
    assert_eq!(home.switched().len(), 1);
    run.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_plug_that_does_not_answer_is_not_told_and_told_when_it_is_back() {
    let home = TestHome::new(MORNING);
    let run = home.start().await;
    let id = run
        .rule(rule(1, json!({"kind": "keep_on", "after": "1m"})))
        .await;
    run.answers(mac(1), false).await;
    pass("2h").await;
    assert_eq!(home.switched(), []);
    run.answers(mac(1), true).await;
    pass("1s").await;
    assert_eq!(home.switched().len(), 1);
    // One that hears nothing is told ever more rarely, and it is said once.
    home.deafen(mac(1), true);
    let mut events = run.listen();
    run.press(mac(1), Off).await;
    pass("2h").await;
    let told = home.switched().len();
    assert!((24..=32).contains(&told), "{told}");
    let mut said = 0;
    while let Ok(event) = events.try_recv() {
        said += usize::from(event.event.name() == "rule");
    }
    assert_eq!(said, 1);
    assert_eq!(run.state(&id)["last"]["confirmed"], false);
    run.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_plug_that_is_gone_for_good_stops_nothing() {
    let home = TestHome::new(MORNING);
    let run = home.start().await;
    let follow = json!({"kind": "follow", "leader": mac(2), "above_w": 30});
    run.rule(rule(1, follow)).await;
    run.rule(rule(2, json!({"kind": "keep_on", "after": "1m"})))
        .await;
    run.remove(mac(2)).await;
    run.draws(mac(2), 100.0, "5m").await;
    assert_eq!(home.switched(), []);
    run.rule(rule(3, json!({"kind": "keep_on"}))).await;
    pass("1s").await;
    assert_eq!(home.relay(mac(3)), On);
    run.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_is_behind_the_news_looks_at_the_plugs() {
    let home = TestHome::new(MORNING);
    let run = home.start().await;
    run.rule(rule(1, json!({"kind": "auto_off", "after": "1h"})))
        .await;
    run.press(mac(1), On).await;
    // Far more than are kept, at once; the change of the relay is among the lost.
    for _ in 0..3 * crate::event::MAX_RESUMABLE_EVENTS {
        run.publish(Event::PlugRemoved(mac(9)));
    }
    pass("61m").await;
    assert_eq!(home.relay(mac(1)), Off);
    run.stop().await;
}

/// Checks that no relay was moved automatically more often than the limit in any minute.
fn assert_bounded(switches: &[RecordedSwitch]) {
    let mut moves: HashMap<Mac, Vec<Timestamp>> = HashMap::new();
    for switch in switches.iter().filter(|switch| switch.moved) {
        assert!(!switch.cause.is_person());
        moves.entry(switch.plug).or_default().push(switch.at);
    }
    for times in moves.values() {
        for some in times.windows(switch_limiter::MAX_AUTOMATIC_SWITCHES + 1) {
            let span = some[switch_limiter::MAX_AUTOMATIC_SWITCHES].duration_since(some[0]);
            // What is counted is when the order was given; plugs take a moment.
            assert!(span >= SignedDuration::from_millis(59_500), "{some:?}");
        }
    }
}

/// A command without a reply was counted long ago when it is carried out at last.
#[tokio::test(start_paused = true)]
async fn an_order_that_comes_through_late_counts_when_it_does() {
    let home = TestHome::new(MORNING);
    let fight = vec![
        rule(3, json!({"kind": "auto_off", "after": "1s"})),
        rule(3, json!({"kind": "keep_on", "after": "5s"})),
    ];
    let silence = vec![
        Happening::Deaf(3, true),
        Happening::Pass(90),
        Happening::Deaf(3, false),
    ];
    live(&home, fight, silence).await;
    let switches = home.switched();
    assert!(switches.iter().any(|switch| switch.moved));
    assert_bounded(&switches);
}

/// Events in a home with contradicting rules.
#[derive(Debug, Clone)]
enum Happening {
    Pass(u64),
    Draws(u8, f64),
    Press(u8, bool),
    Answers(u8, bool),
    Deaf(u8, bool),
    Restart,
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let plug = || 1_u8..=3;
    let one = prop_oneof![
        4 => (1_u64..90).prop_map(Happening::Pass),
        4 => (plug(), prop_oneof![Just(0.0), Just(5.0), Just(60.0), Just(3000.0)])
            .prop_map(|(plug, watts)| Happening::Draws(plug, watts)),
        2 => (plug(), any::<bool>()).prop_map(|(plug, on)| Happening::Press(plug, on)),
        1 => (plug(), any::<bool>()).prop_map(|(plug, yes)| Happening::Answers(plug, yes)),
        1 => (plug(), any::<bool>()).prop_map(|(plug, yes)| Happening::Deaf(plug, yes)),
        1 => Just(Happening::Restart),
    ];
    prop::collection::vec(one, 1..60)
}

fn rules() -> impl Strategy<Value = Vec<Value>> {
    let plug = || 1_u8..=3;
    let kind = prop_oneof![
        Just(json!({"kind": "keep_on"})),
        Just(json!({"kind": "auto_off", "after": "1s"})),
        Just(json!({"kind": "keep_on", "after": "5s"})),
        Just(json!({"kind": "auto_off", "after": "20s"})),
        Just(json!({"kind": "standby_kill", "below_w": 10, "for": "20s"})),
        Just(json!({"kind": "over_power", "above_w": 2000, "for": "5s"})),
        Just(json!({"kind": "power_on", "state": "on"})),
        plug().prop_map(|leader| json!({"kind": "follow", "leader": mac(leader), "above_w": 30})),
    ];
    let one = (plug(), kind).prop_map(|(plug, kind)| rule(plug, kind));
    let other = |rule: &Value| rule.get("leader") != rule.get("plug");
    prop::collection::vec(one.prop_filter("a plug cannot follow itself", other), 2..8)
}

async fn live(home: &TestHome, rules: Vec<Value>, happenings: Vec<Happening>) {
    let mut run = home.start().await;
    for rule in rules {
        run.rule(rule).await;
    }
    for happening in happenings {
        match happening {
            Happening::Pass(seconds) => pass(&format!("{seconds}s")).await,
            Happening::Draws(plug, watts) => run.draws(mac(plug), watts, "25s").await,
            Happening::Press(plug, on) => {
                run.press(mac(plug), if on { On } else { Off }).await;
            }
            Happening::Answers(plug, yes) => run.answers(mac(plug), yes).await,
            Happening::Deaf(plug, yes) => home.deafen(mac(plug), yes),
            Happening::Restart => {
                // The guard is new after a restart, so the old count has to be over.
                run.stop().await;
                tokio::time::sleep(switch_limiter::LIMIT_WINDOW).await;
                run = home.start().await;
            }
        }
    }
    pass("5m").await;
    run.stop().await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_relay_is_moved_more_often_than_the_bound(rules in rules(), happenings in happenings()) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let home = TestHome::new(MORNING);
            live(&home, rules, happenings).await;
            assert_bounded(&home.switched());
        });
    }
}
