//! Rules in virtual time, with a plug that carries out commands or ignores them.

use std::time::Duration;

use api::{Document, Rule};
use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::json;

use super::verdict::{later, passed};
use super::*;

const METERED: Duration = Duration::from_secs(10);
const HOLD_DURATION: Duration = Duration::from_secs(30);

/// A rule, its plug, and a clock that begins at six in the morning.
struct Scene {
    kind: RuleKind,
    state: RuleState,
    start: Timestamp,
    now: Timestamp,
    relay: Option<RelayState>,
    by_person: bool,
    available: bool,
    /// `true` if the plug carries out commands.
    obeys: bool,
    acts: Vec<String>,
    wake_at: Option<Timestamp>,
}

fn kind(fields: &Value) -> RuleKind {
    let mut rule = json!({"name": "x", "plug": "accf23123456"});
    let object = rule.as_object_mut().unwrap();
    object.extend(fields.as_object().unwrap().clone());
    let rule: Rule = serde_json::from_value(rule).unwrap();
    rule.check().unwrap();
    rule.kind
}

fn berlin() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

impl Scene {
    fn new(fields: &Value, relay: RelayState) -> Self {
        let kind = kind(fields);
        let start: Timestamp = "2026-03-02T05:00:00Z".parse().unwrap();
        let mut scene = Self {
            kind,
            state: RuleState::new(&kind),
            start,
            now: start,
            relay: Some(relay),
            by_person: true,
            available: true,
            obeys: true,
            acts: Vec::new(),
            wake_at: None,
        };
        scene.look();
        scene
    }

    fn look(&mut self) {
        self.see(None, None);
    }

    fn see(&mut self, power: Option<f64>, leader: Option<f64>) {
        let power_of = |watts| Power {
            watts,
            patience: HOLD_DURATION,
        };
        let seen = Observation {
            relay: self.relay,
            by_person: self.by_person,
            available: self.available,
            power: power.map(power_of),
            leader: leader.map(power_of),
        };
        let decision = self.state.step(&self.kind, self.now, &berlin(), &seen);
        self.wake_at = decision.wake_at;
        let Some(order) = decision.switch else { return };
        assert!(self.available && self.relay.is_some_and(|relay| relay != order.to));
        let at = self.now.to_zoned(berlin()).strftime("%H:%M:%S");
        self.acts.push(format!("{at} {}: {}", order.to, order.why));
        if self.obeys {
            self.relay = Some(order.to);
            self.look();
        }
        self.state.done(self.now, self.obeys);
        self.look();
    }

    /// Advances the time, with a reading every ten seconds if there is a power, and evaluates the rule when it is due.
    fn pass(&mut self, time: &str, power: Option<f64>) {
        self.pass_with(time, power, None);
    }

    fn pass_with(&mut self, time: &str, power: Option<f64>, leader: Option<f64>) {
        let end = later(self.now, api::duration::parse(time).unwrap());
        let mut metered = self.now;
        while self.now < end {
            let next = later(metered, METERED).min(end);
            if let Some(wake) = self.wake_at.filter(|wake| *wake > self.now && *wake < next) {
                self.now = wake;
                self.look();
                continue;
            }
            (self.now, metered) = (next, next);
            // A relay that is off has no load.
            let power = power.map(|power| {
                if self.relay == Some(RelayState::On) {
                    power
                } else {
                    0.0
                }
            });
            self.see(power, leader);
        }
    }

    fn press(&mut self, relay: RelayState) {
        self.relay = Some(relay);
        self.look();
    }

    fn restart(&mut self) {
        let remembered = serde_json::from_str(&self.state.remember().to_string()).unwrap();
        self.state = RuleState::restore(&self.kind, &remembered);
        // At first a hub has heard nothing.
        let (relay, available) = (self.relay.take(), std::mem::take(&mut self.available));
        self.look();
        (self.relay, self.available) = (relay, available);
        self.look();
    }

    fn acts(&mut self) -> Vec<String> {
        std::mem::take(&mut self.acts)
    }
}

fn standby() -> Value {
    json!({"kind": "standby_kill", "below_w": 10, "for": "5m"})
}

#[test]
fn standby_is_switched_off_and_a_person_begins_anew() {
    let mut scene = Scene::new(&standby(), RelayState::On);
    scene.pass("10m", Some(80.0));
    scene.pass("4m", Some(3.0));
    // One moment of use begins the observation anew.
    scene.pass("10s", Some(10.0));
    scene.pass("5m", Some(3.0));
    assert_eq!(scene.acts(), [""; 0]);
    scene.pass("10s", Some(3.0));
    assert_eq!(
        scene.acts(),
        ["06:19:20 off: it drew less than 10 W for 5m"]
    );
    scene.pass("1h", Some(0.0));
    scene.press(RelayState::On);
    scene.pass("5m", Some(3.0));
    assert_eq!(scene.acts(), [""; 0]);
    scene.pass("10s", Some(3.0));
    assert_eq!(
        scene.acts(),
        ["07:24:30 off: it drew less than 10 W for 5m"]
    );
}

#[test]
fn nobody_knows_what_was_in_a_silence() {
    let mut scene = Scene::new(&standby(), RelayState::On);
    scene.pass("4m", Some(3.0));
    scene.pass("2m", None);
    scene.pass("4m", Some(3.0));
    assert_eq!(scene.acts(), [""; 0]);
    scene.pass("2m", Some(3.0));
    assert_eq!(scene.acts().len(), 1);
}

#[test]
fn it_comes_back_at_a_local_time() {
    let mut fields = standby();
    fields["restore_at"] = json!("07:00");
    let mut scene = Scene::new(&fields, RelayState::On);
    scene.pass("10m", Some(3.0));
    assert_eq!(
        scene.acts(),
        ["06:05:10 off: it drew less than 10 W for 5m"]
    );
    scene.restart();
    scene.pass("1h", Some(3.0));
    assert_eq!(
        scene.acts(),
        [
            "07:00:00 on: it is to be on again at 07:00",
            // The first reading comes with the next interval.
            "07:05:10 off: it drew less than 10 W for 5m"
        ]
    );
    // What a person switches off stays off.
    scene.press(RelayState::On);
    scene.press(RelayState::Off);
    scene.pass("2d", Some(0.0));
    assert_eq!(scene.acts(), [""; 0]);
}

#[test]
fn the_time_to_come_back_on_the_day_the_clock_is_set_forward() {
    let (zone, time) = (berlin(), "02:30".parse().unwrap());
    let due = |after: &str| {
        let after = after.parse().unwrap();
        standby_kill::next(time, &zone, after).unwrap().to_string()
    };
    assert_eq!(due("2026-03-28T20:00:00Z"), "2026-03-29T01:00:00Z");
    assert_eq!(due("2026-03-29T01:00:00Z"), "2026-03-30T00:30:00Z");
    // Set back: the first of the two.
    assert_eq!(due("2026-10-24T20:00:00Z"), "2026-10-25T00:30:00Z");
    assert_eq!(due("2026-10-25T00:30:00Z"), "2026-10-26T01:30:00Z");
    // A day that Samoa left out.
    let apia = TimeZone::get("Pacific/Apia").unwrap();
    let due = standby_kill::next(
        "07:00".parse().unwrap(),
        &apia,
        "2011-12-29T20:00:00Z".parse().unwrap(),
    );
    assert_eq!(due.unwrap().to_string(), "2011-12-30T10:00:00Z");
}

fn tested() -> Value {
    let mut fields = standby();
    fields["test_pulse"] = json!({"every": "2h", "for": "1m"});
    fields
}

#[test]
fn a_test_that_finds_nothing_ends() {
    let mut scene = Scene::new(&tested(), RelayState::On);
    scene.pass("5m", Some(3.0));
    scene.pass("5h", Some(3.0));
    assert_eq!(
        scene.acts(),
        [
            "06:05:10 off: it drew less than 10 W for 5m",
            "08:05:10 on: a test of 1m whether it is wanted",
            "08:06:10 off: it drew 3 W in a test, less than 10 W",
            "10:06:10 on: a test of 1m whether it is wanted",
            "10:07:10 off: it drew 3 W in a test, less than 10 W",
        ]
    );
}

#[test]
fn a_test_that_finds_somebody_leaves_it_on() {
    let mut scene = Scene::new(&tested(), RelayState::On);
    scene.pass("6m", Some(3.0));
    scene.pass("2h", Some(3.0));
    scene.acts();
    scene.pass("1h", Some(60.0));
    assert_eq!(scene.relay, Some(RelayState::On));
    assert_eq!(scene.acts(), [""; 0]);
    scene.pass("6m", Some(3.0));
    assert_eq!(scene.acts().len(), 1);
}

#[test]
fn a_test_that_nobody_could_read_leaves_it_on() {
    let mut scene = Scene::new(&tested(), RelayState::On);
    scene.pass("6m", Some(3.0));
    scene.acts();
    scene.pass("2h", None);
    assert_eq!(
        scene.acts(),
        ["08:05:10 on: a test of 1m whether it is wanted"]
    );
    scene.pass("4h", None);
    assert_eq!(scene.acts(), [""; 0]);
    assert_eq!(scene.relay, Some(RelayState::On));
}

#[test]
fn a_person_is_not_taken_for_a_test_that_could_not_begin() {
    let mut scene = Scene::new(&tested(), RelayState::On);
    scene.pass("6m", Some(3.0));
    scene.available = false;
    scene.pass("3h", None);
    scene.acts();
    scene.relay = Some(RelayState::On);
    scene.available = true;
    scene.pass("4m", Some(3.0));
    assert_eq!(scene.acts(), [""; 0]);
}

#[test]
fn auto_off_counts_over_a_restart() {
    let mut scene = Scene::new(&json!({"kind": "auto_off", "after": "2h"}), RelayState::Off);
    scene.pass("1h", None);
    scene.press(RelayState::On);
    scene.pass("119m", None);
    scene.restart();
    assert_eq!(scene.acts(), [""; 0]);
    scene.pass("5m", None);
    assert_eq!(scene.acts(), ["09:00:00 off: it was on for 2h"]);
}

#[test]
fn auto_off_waits_for_a_plug_that_does_not_answer() {
    let mut scene = Scene::new(&json!({"kind": "auto_off", "after": "1h"}), RelayState::On);
    scene.available = false;
    scene.pass("3h", None);
    assert_eq!(scene.acts(), [""; 0]);
    scene.available = true;
    scene.look();
    assert_eq!(scene.acts(), ["09:00:00 off: it was on for 1h"]);
}

#[test]
fn a_plug_that_does_not_obey_is_told_ever_more_rarely() {
    let mut scene = Scene::new(&json!({"kind": "auto_off", "after": "1h"}), RelayState::On);
    scene.obeys = false;
    scene.pass("61m", None);
    // After 5, 10, 20 seconds.
    let times: Vec<String> = scene.acts().iter().map(|act| act[..8].to_owned()).collect();
    assert_eq!(times, ["07:00:00", "07:00:05", "07:00:15", "07:00:35"]);
    scene.pass("10h", None);
    let rest = scene.acts().len();
    assert!(
        (110..=130).contains(&rest),
        "every five minutes, not {rest} times"
    );
    // Back after an outage it is told at once.
    scene.available = false;
    scene.pass("1m", None);
    scene.available = true;
    scene.obeys = true;
    scene.look();
    assert_eq!(scene.acts().len(), 1);
}

#[test]
fn over_power_stays_off_until_a_person_comes() {
    let fields = json!({"kind": "over_power", "above_w": 2000, "for": "30s"});
    let mut scene = Scene::new(&fields, RelayState::On);
    scene.pass("1m", Some(1999.0));
    scene.pass("20s", Some(2150.0));
    scene.pass("10s", Some(2000.0));
    scene.pass("30s", Some(2150.0));
    assert_eq!(scene.acts(), [""; 0]);
    scene.pass("10s", Some(2150.0));
    assert_eq!(
        scene.acts(),
        ["06:02:10 off: it drew 2150 W, more than 2000 W for 30s"]
    );
    assert!(scene.state.keeps_off());
    scene.restart();
    scene.pass("3h", Some(0.0));
    assert!(scene.state.keeps_off());
    // After an outage it turned on by itself.
    scene.by_person = false;
    scene.press(RelayState::On);
    assert_eq!(scene.acts().len(), 1);
    assert_eq!(scene.relay, Some(RelayState::Off));
    scene.by_person = true;
    scene.press(RelayState::On);
    assert!(!scene.state.keeps_off());
    assert_eq!(scene.acts(), [""; 0]);
    scene.pass("1m", Some(2150.0));
    assert_eq!(scene.acts().len(), 1);
}

#[test]
fn a_cut_that_failed_outlives_a_restart() {
    let fields = json!({"kind": "over_power", "above_w": 2000, "for": "30s"});
    let mut scene = Scene::new(&fields, RelayState::On);
    scene.obeys = false;
    scene.pass("50s", Some(2150.0));
    assert!(!scene.acts().is_empty());
    scene.obeys = true;
    scene.restart();
    assert_eq!(scene.acts().len(), 1);
    assert_eq!(scene.relay, Some(RelayState::Off));
}

#[test]
fn follows_with_hysteresis_and_delay() {
    let fields = json!({"kind": "follow", "leader": "accf23000001", "above_w": 30, "hysteresis_w": 10, "delay": "20s"});
    let mut scene = Scene::new(&fields, RelayState::Off);
    scene.pass_with("1m", None, Some(50.0));
    assert_eq!(
        scene.acts(),
        ["06:00:30 on: the leader draws 50 W, more than 30 W"]
    );
    // Between the two nothing changes.
    scene.pass_with("10m", None, Some(21.0));
    // Shorter than the delay.
    scene.pass_with("20s", None, Some(5.0));
    scene.pass_with("1m", None, Some(25.0));
    assert_eq!(scene.acts(), [""; 0]);
    scene.pass_with("30s", None, Some(5.0));
    assert_eq!(
        scene.acts(),
        ["06:12:50 off: the leader draws 5 W, no longer more than 30 W"]
    );
    scene.pass_with("10m", None, Some(29.0));
    assert_eq!(scene.acts(), [""; 0]);
}

#[test]
fn a_follower_is_left_as_a_person_wants_it_until_the_leader_changes() {
    let fields = json!({"kind": "follow", "leader": "accf23000001", "above_w": 30});
    let mut scene = Scene::new(&fields, RelayState::Off);
    scene.pass_with("1m", None, Some(50.0));
    assert_eq!(scene.acts().len(), 1);
    scene.press(RelayState::Off);
    scene.pass_with("1h", None, Some(50.0));
    scene.restart();
    scene.pass_with("1h", None, Some(50.0));
    // The leader is not heard any more, which means nothing.
    scene.pass_with("1h", None, None);
    assert_eq!(scene.acts(), [""; 0]);
    scene.pass_with("1m", None, Some(0.0));
    scene.pass_with("1m", None, Some(50.0));
    assert_eq!(
        scene.acts(),
        ["09:02:10 on: the leader draws 50 W, more than 30 W"]
    );
}

#[test]
fn kept_on() {
    let mut scene = Scene::new(&json!({"kind": "keep_on", "after": "5m"}), RelayState::On);
    scene.pass("1h", None);
    scene.press(RelayState::Off);
    scene.pass("4m", None);
    scene.press(RelayState::On);
    scene.press(RelayState::Off);
    scene.pass("10m", None);
    assert_eq!(scene.acts(), ["07:09:00 on: it was off for 5m"]);
    let mut scene = Scene::new(&json!({"kind": "keep_on"}), RelayState::Off);
    assert_eq!(scene.acts(), ["06:00:00 on: it was off"]);
    scene.press(RelayState::Off);
    assert_eq!(scene.acts().len(), 1);
}

fn outage(scene: &mut Scene, relay: RelayState) {
    scene.available = false;
    scene.pass("1m", None);
    scene.relay = Some(relay);
    scene.available = true;
    scene.look();
}

#[test]
fn after_an_outage() {
    use RelayState::{Off, On};
    for (state, before, back, expected) in [
        ("on", Off, Off, On),
        ("on", On, Off, On),
        ("off", On, On, Off),
        ("last", On, Off, On),
        ("last", Off, On, Off),
        ("last", On, On, On),
    ] {
        let mut scene = Scene::new(&json!({"kind": "power_on", "state": state}), before);
        scene.pass("1m", None);
        outage(&mut scene, back);
        assert_eq!(scene.relay, Some(expected), "{state} {before} {back}");
        // And then it is as people want it.
        scene.acts();
        scene.press(expected.toggled());
        scene.pass("1h", None);
        scene.restart();
        assert_eq!(scene.acts(), [""; 0]);
    }
}

#[test]
fn an_outage_of_the_whole_house_takes_the_hub_along() {
    let rule = json!({"kind": "power_on", "state": "last"});
    let mut scene = Scene::new(&rule, RelayState::On);
    scene.pass("1m", None);
    // The relay moved while nobody looked.
    scene.relay = Some(RelayState::Off);
    scene.restart();
    assert_eq!(scene.relay, Some(RelayState::On));
    // A mere restart is no outage.
    let mut scene = Scene::new(&json!({"kind": "power_on", "state": "off"}), RelayState::On);
    scene.restart();
    assert_eq!(scene.relay, Some(RelayState::On));
    // The hub was restarted while the plug was gone.
    scene.available = false;
    scene.look();
    scene.restart();
    scene.available = true;
    scene.look();
    assert_eq!(scene.relay, Some(RelayState::Off));
}

#[test]
fn what_was_remembered_by_another_kind_is_nothing() {
    let auto_off = Scene::new(&json!({"kind": "auto_off", "after": "1h"}), RelayState::On);
    for remembered in [
        auto_off.state.remember(),
        Value::Null,
        json!({"relay": 7}),
        json!([]),
    ] {
        let state = RuleState::restore(&kind(&standby()), &remembered);
        assert!(matches!(state.memory, KindMemory::StandbyKill(_)));
        assert_eq!(state.relay, None);
    }
}

#[test]
fn a_clock_that_is_set_changes_no_waiting() {
    let mut scene = Scene::new(&json!({"kind": "auto_off", "after": "1h"}), RelayState::On);
    scene.pass("30m", None);
    for hours in [-9, 20] {
        let jump = SignedDuration::from_hours(hours);
        scene.now += jump;
        scene.start += jump;
        scene.state.shift(jump);
        scene.look();
        assert_eq!(scene.acts(), [""; 0]);
    }
    scene.pass("29m", None);
    assert_eq!(scene.acts(), [""; 0]);
    scene.pass("1m", None);
    assert_eq!(scene.acts().len(), 1);
    assert_eq!(
        scene.now.duration_since(scene.start),
        SignedDuration::from_hours(1)
    );
}

/// One thing that happens.
#[derive(Debug, Clone)]
enum Happening {
    Wait(u64),
    Reads(Option<f64>),
    LeaderReads(Option<f64>),
    Relay(Option<RelayState>),
    Available(bool),
    Restart,
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let relay = prop_oneof![
        Just(None),
        Just(Some(RelayState::On)),
        Just(Some(RelayState::Off))
    ];
    let watts = || prop::option::weighted(0.9, prop_oneof![Just(3.0), Just(50.0), Just(2500.0)]);
    let one = prop_oneof![
        6 => (1_u64..40).prop_map(Happening::Wait),
        8 => watts().prop_map(Happening::Reads),
        3 => watts().prop_map(Happening::LeaderReads),
        1 => relay.prop_map(Happening::Relay),
        1 => any::<bool>().prop_map(Happening::Available),
        1 => Just(Happening::Restart),
    ];
    prop::collection::vec(one, 1..200)
}

fn kinds() -> Vec<Value> {
    vec![
        json!({"kind": "standby_kill", "below_w": 10, "for": "1m", "restore_at": "06:10",
               "test_pulse": {"every": "10m", "for": "20s"}}),
        json!({"kind": "auto_off", "after": "2m"}),
        json!({"kind": "over_power", "above_w": 2000, "for": "1m"}),
        json!({"kind": "follow", "leader": "accf23000001", "above_w": 30, "delay": "30s"}),
        json!({"kind": "keep_on", "after": "1m"}),
        json!({"kind": "power_on", "state": "last"}),
    ]
}

/// The actual course of events, as a naive observer records it.
#[derive(Default)]
struct Diary {
    /// Times and values of the readings since the relay last turned, or became known.
    readings: Vec<(Timestamp, f64)>,
}

impl Diary {
    /// Returns `true` if all readings of a period satisfy a condition, with none missing and the last one now.
    fn was(&self, now: Timestamp, period: Duration, is_so: impl Fn(f64) -> bool) -> bool {
        let mut until = now;
        for (at, watts) in self.readings.iter().rev() {
            if !is_so(*watts) || passed(*at, until) > HOLD_DURATION {
                return false;
            }
            until = *at;
            if passed(*at, now) >= period {
                return true;
            }
        }
        false
    }
}

/// Checks that no wrong order is ever given, for any course of events with restarts at any point.
fn check_orders(fields: &Value, happenings: &[Happening]) {
    let mut scene = Scene::new(fields, RelayState::On);
    let mut diary = Diary::default();
    for happening in happenings {
        let (before, was_cut) = (scene.relay, scene.state.keeps_off());
        match happening {
            Happening::Wait(seconds) => {
                scene.now = later(scene.now, Duration::from_secs(*seconds));
                scene.look();
            }
            Happening::Reads(watts) => {
                if let Some(watts) = watts {
                    diary.readings.push((scene.now, *watts));
                }
                scene.see(*watts, None);
            }
            Happening::LeaderReads(watts) => scene.see(None, *watts),
            Happening::Relay(relay) => {
                scene.relay = *relay;
                scene.look();
            }
            Happening::Available(available) => {
                scene.available = *available;
                scene.look();
            }
            Happening::Restart => scene.restart(),
        }
        let minute = Duration::from_secs(60);
        if scene.state.keeps_off() && !was_cut {
            assert!(diary.was(scene.now, minute, |watts| watts > 2000.0));
        }
        for act in scene.acts() {
            match scene.kind {
                RuleKind::OverPower { .. } => assert!(scene.state.keeps_off(), "{act}"),
                RuleKind::StandbyKill { .. } if act.contains("drew less than") => {
                    assert!(diary.was(scene.now, minute, |watts| watts < 10.0), "{act}");
                }
                _ => {}
            }
        }
        if scene.relay != before {
            diary.readings.clear();
        }
    }
}

proptest! {
    #[test]
    fn nothing_is_done_that_was_not_seen(happenings in happenings()) {
        for fields in kinds() {
            check_orders(&fields, &happenings);
        }
    }

    #[test]
    fn without_a_power_no_rule_of_power_acts(happenings in happenings()) {
        let silent: Vec<Happening> = happenings
            .into_iter()
            .filter(|happening| !matches!(happening, Happening::Reads(_) | Happening::LeaderReads(_)))
            .collect();
        for fields in kinds() {
            let mut scene = Scene::new(&fields, RelayState::On);
            if !matches!(scene.kind, RuleKind::StandbyKill { .. } | RuleKind::OverPower { .. } | RuleKind::Follow { .. }) {
                continue;
            }
            for happening in &silent {
                match happening {
                    Happening::Wait(seconds) => scene.pass(&format!("{seconds}s"), None),
                    Happening::Relay(relay) => { scene.relay = *relay; scene.look(); }
                    Happening::Available(available) => { scene.available = *available; scene.look(); }
                    _ => scene.restart(),
                }
            }
            prop_assert_eq!(&scene.acts, &Vec::<String>::new());
        }
    }
}
