//! Schedules and rules of the running hub switch emulated plugs.

use std::sync::Arc;
use std::time::Duration;

use api::{Cause, Event, Id, Metering, PlugSettings, RelayCommand};
use hub::bridges::HueBridges;
use hub::lease::Lease;
use hub::log::EventLog;
use hub::recorder::Recorder;
use hub::store::Store;
use hub::{Config, Hub, Parts, Repository};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use plugs::RelayState;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::twins::{Plugs, in_network};
use crate::world::{House, Wishes, at, eventually, mac, plug};

/// A registry with a hub around it, and its automation.
pub struct Home {
    pub house: House,
    pub hub: Hub,
    automation: Option<JoinHandle<()>>,
}

impl Home {
    async fn open() -> Self {
        let mut home = Self::prepare().await;
        home.start();
        home
    }

    pub fn start(&mut self) {
        self.automation = Some(tokio::spawn(hub::automation::run(self.hub.clone())));
    }

    /// Starts the automation with a schedule that was due a minute ago, when it did not run.
    pub async fn catch_up(&mut self, action: &str) {
        let zone = self.hub.clock().timezone.clone();
        let due = (Timestamp::now() - 1.minute()).to_zoned(zone);
        let schedule = json!({
            "targets": [mac(1)], "action": action, "catch_up": "5m",
            "when": {"at": due.strftime("%H:%M").to_string()},
        });
        let schedules = self.hub.schedules();
        let id = schedules.create(document(schedule)).await.unwrap().id;
        let dealt_with = Timestamp::now() - 1.hour();
        schedules.note(
            &id,
            json!({"revision": 1, "memory": {"dealt_with": dealt_with}}),
        );
        schedules.keep_state(&id).await;
        self.start();
    }

    /// Prepares everything except the automation.
    async fn prepare() -> Self {
        let house = House::open(Wishes::default()).await;
        house.adopt([1]).await;
        Self::around(house).await
    }

    /// A hub around a house.
    pub async fn around(house: House) -> Self {
        let store = Arc::clone(&house.store) as Arc<dyn Store>;
        let mut config = Config::in_state("unused");
        config.timezone = TimeZone::get("Europe/Berlin").unwrap();
        let ends = (house.cancel.clone(), house.tracker.clone());
        let hub = Hub::new(Parts {
            guests: Vec::new(),
            bridges: HueBridges::new(&config, house.bus.clone(), ends.0, ends.1),
            config,
            bus: house.bus.clone(),
            log: EventLog::load(store.clone()).await.unwrap(),
            registry: house.registry.clone(),
            recorder: Recorder::default(),
            groups: Repository::load(store.clone()).await.unwrap(),
            schedules: Repository::load(store.clone()).await.unwrap(),
            rules: Repository::load(store.clone()).await.unwrap(),
            tariffs: Repository::load(store.clone()).await.unwrap(),
            store,
            lease: Lease::default(),
            cancel: house.cancel.clone(),
        });
        Self {
            house,
            hub,
            automation: None,
        }
    }

    async fn rule(&self, fields: Value) -> Id {
        let mut fields = fields;
        fields["plug"] = json!(mac(1));
        self.hub.rules().create(document(fields)).await.unwrap().id
    }

    fn rule_view(&self, id: &Id) -> Value {
        serde_json::to_value(self.hub.view(&self.hub.rules().one(id).unwrap())).unwrap()
    }

    fn schedule_view(&self, id: &Id) -> Value {
        serde_json::to_value(self.hub.view(&self.hub.schedules().one(id).unwrap())).unwrap()
    }

    fn relay(&self) -> RelayState {
        self.house.view(1).plug.relay.unwrap()
    }

    async fn person(&self, wanted: RelayCommand) {
        let switched = self
            .house
            .registry
            .switch(mac(1), wanted, Cause::Person)
            .await;
        assert!(switched.unwrap().confirmed);
    }

    pub async fn close(self) {
        self.house.close().await;
        let ended = tokio::time::timeout(Duration::from_secs(1), self.automation.unwrap()).await;
        ended.expect("automation does not end").unwrap();
    }
}

pub fn document<T: DeserializeOwned>(mut fields: Value) -> T {
    fields["name"] = json!(format!("{:x}", fastrand::u64(..)));
    serde_json::from_value(fields).unwrap()
}

/// Switches the plug without the hub, as its button does.
async fn press(relay: &str) {
    let mut plug = TcpStream::connect((at(1), 8899)).await.unwrap();
    let order = format!("AT+YZSWITCH=1,{relay},202611221200\r\n");
    plug.write_all(order.as_bytes()).await.unwrap();
    let mut reply = [0; 64];
    let count = plug.read(&mut reply).await.unwrap();
    assert!(reply[..count].starts_with(b"+ok"));
}

#[test]
fn a_rule_answers_the_button() {
    in_network(async {
        let plugs = Plugs::start(vec![plug(1, &[])]).await;
        let mut home = Home::open().await;
        let id = home.rule(json!({"kind": "keep_on"})).await;
        eventually(2, || home.relay() == RelayState::On).await;
        eventually(2, || home.rule_view(&id)["last"]["confirmed"] == true).await;
        press("OFF").await;
        let stand = |wanted| move |event: &Event| matches!(event, Event::Plug(view) if view.plug.relay == Some(wanted));
        home.house.event(3, stand(RelayState::Off)).await;
        let back = home.house.event(2, stand(RelayState::On)).await;
        assert!(back < Duration::from_secs(1), "{back:?}");
        let moved = home.house.registry.moved(mac(1)).unwrap();
        assert!(matches!(moved.cause, Cause::Rule { id: by, .. } if by == id));
        let view = home.rule_view(&id);
        assert_eq!(view["last"]["why"], "it was off");
        assert_eq!(
            (&view["kind"], &view["halted"]),
            (&json!("keep_on"), &Value::Null)
        );
        home.close().await;
        plugs.stop().await;
    });
}

#[test]
fn two_rules_do_not_wear_a_relay_out() {
    in_network(async {
        let plugs = Plugs::start(vec![plug(1, &[])]).await;
        let mut home = Home::open().await;
        let on = home.rule(json!({"kind": "keep_on"})).await;
        let off = home
            .rule(json!({"kind": "auto_off", "after": "500ms"}))
            .await;
        let is_halted = |event: &Event| match event {
            Event::Rule(view) => view.status.halted.is_some(),
            _ => false,
        };
        home.house.event(20, is_halted).await;
        let halted = [&on, &off].map(|id| home.rule_view(id)["halted"].clone());
        assert_eq!(
            halted.iter().filter(|halted| !halted.is_null()).count(),
            1,
            "{halted:?}"
        );
        // A person is heard all the same.
        tokio::time::sleep(Duration::from_secs(1)).await;
        home.person(RelayCommand::Toggle).await;
        home.person(RelayCommand::Toggle).await;
        home.close().await;
        plugs.stop().await;
    });
}

#[test]
fn what_draws_too_much_is_cut_off_until_a_person_comes() {
    in_network(async {
        let plugs = Plugs::start(vec![plug(1, &[])]).await;
        let home = Home::open().await;
        home.person(RelayCommand::On).await;
        let cut = home
            .rule(json!({"kind": "over_power", "above_w": 50, "for": "2s"}))
            .await;
        eventually(8, || home.relay() == RelayState::Off).await;
        eventually(2, || !home.rule_view(&cut)["last"].is_null()).await;
        let why = home.rule_view(&cut)["last"]["why"].to_string();
        assert!(why.contains("more than 50 W for 2s"), "{why}");
        let keep = home.rule(json!({"kind": "keep_on"})).await;
        eventually(2, || !home.rule_view(&keep)["last"].is_null()).await;
        let error = home.rule_view(&keep)["last"]["error"].to_string();
        assert!(error.contains("only a person"), "{error}");
        assert_eq!(home.relay(), RelayState::Off);
        home.person(RelayCommand::On).await;
        assert_eq!(home.relay(), RelayState::On);
        home.close().await;
        plugs.stop().await;
    });
}

#[test]
fn a_rule_that_protects_has_its_plug_metered() {
    in_network(async {
        let plugs = Plugs::start(vec![plug(1, &[])]).await;
        let home = Home::open().await;
        let off = |settings: &PlugSettings| {
            Ok(PlugSettings {
                metering: Some(Metering::Off),
                ..settings.clone()
            })
        };
        home.hub.change_plug(mac(1), None, off).await.unwrap();
        home.person(RelayCommand::On).await;
        let rule = json!({"kind": "over_power", "above_w": 50, "for": "1s"});
        let cut = home.rule(rule).await;
        eventually(12, || home.relay() == RelayState::Off).await;
        let view = home.rule_view(&cut);
        assert_eq!(view["reacts_within_s"], 12);
        assert!(
            view["last"]["why"].to_string().contains("more than 50 W"),
            "{view}"
        );
        // The setting stays as its owner made it.
        let plug = home.hub.registry().view(mac(1)).unwrap();
        assert_eq!(plug.metering, Metering::Off);
        home.close().await;
        plugs.stop().await;
    });
}

#[test]
fn a_schedule_that_was_missed_is_caught_up_with() {
    in_network(async {
        let plugs = Plugs::start(vec![plug(1, &[]), plug(2, &[])]).await;
        let mut home = Home::prepare().await;
        // Schedules know minutes; this one was due in the last, when the hub was down.
        let zone = home.hub.clock().timezone.clone();
        let due = (Timestamp::now() - 1.minute()).to_zoned(zone);
        let schedule = json!({
            "targets": [mac(1), mac(2)],
            "action": "on",
            "when": {"at": due.strftime("%H:%M").to_string()},
            "catch_up": "5m",
        });
        let schedules = home.hub.schedules();
        let id = schedules.create(document(schedule)).await.unwrap().id;
        let before = Timestamp::now() - 1.hour();
        let state = json!({"revision": 1, "memory": {"dealt_with": before}});
        schedules.note(&id, state);
        schedules.keep_state(&id).await;
        home.start();
        eventually(3, || home.relay() == RelayState::On).await;
        let moved = home.house.registry.moved(mac(1)).unwrap();
        assert!(matches!(moved.cause, Cause::Schedule { id: by, .. } if by == id));
        eventually(2, || !home.schedule_view(&id)["last"].is_null()).await;
        let view = home.schedule_view(&id);
        let unknown = format!("{0}: no plug {0} is adopted", mac(2));
        assert_eq!(view["last"]["error"], unknown);
        let next: Timestamp = view["next"].as_str().unwrap().parse().unwrap();
        assert!(next > Timestamp::now() + 22.hours());
        home.close().await;
        plugs.stop().await;
    });
}
