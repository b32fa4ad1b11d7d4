//! An Orvibo S20 in the hub: it has no meter, is controlled by datagrams, and reports the press of its button unsolicited.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use api::{Cause, ErrorKind, Event, Metering, RelayCommand};
use emulator::twin::{TwinArrival, TwinOutput};
use emulator::{OrviboConfig, OrviboTwin, Twin};
use hiflying::Mac;
use jiff::Timestamp;
use plugs::net::{Lan, PlugTarget};
use plugs::{FamilyId, Minutes, Plug, RelayState};
use serde_json::json;
use tokio::net::UdpSocket;

use crate::automation::{Home, document};
use crate::twins::{Plugs, in_network};
use crate::world::{House, Wishes, at, eventually, loopback, mac, plug};

/// Time after which a twin reports a switch.
const REPORT_DELAY: Duration = Duration::from_millis(5);

/// A twin that the test can reach while it is served.
#[derive(Debug, Clone)]
struct SharedTwin {
    twin: Arc<Mutex<OrviboTwin>>,
    /// The next time that the relay is in this position, somebody presses the button at once.
    pressed_when: Arc<Mutex<Option<RelayState>>>,
}

impl SharedTwin {
    fn new(faults: &[&str]) -> Self {
        let config = OrviboConfig {
            name: "Coffee maker".parse().unwrap(),
            faults: faults.iter().map(|spec| spec.parse().unwrap()).collect(),
            ..OrviboConfig::at(at(1))
        };
        Self {
            twin: Arc::new(Mutex::new(OrviboTwin::new(config, Instant::now()))),
            pressed_when: Arc::default(),
        }
    }

    fn twin(&self) -> MutexGuard<'_, OrviboTwin> {
        self.twin.lock().unwrap()
    }

    /// Presses the button as soon as the relay is in this position.
    fn press_when(&self, relay: RelayState) {
        *self.pressed_when.lock().unwrap() = Some(relay);
    }

    fn press_if_due(&self, now: Instant) {
        let mut twin = self.twin();
        let is_there = |relay: &mut RelayState| (*relay == RelayState::On) == twin.relay_is_on();
        if self
            .pressed_when
            .lock()
            .unwrap()
            .take_if(is_there)
            .is_some()
        {
            twin.press(now);
        }
    }

    fn press(&self) {
        self.twin().press(Instant::now());
    }

    fn is_on(&self) -> bool {
        self.twin().relay_is_on()
    }

    fn is_subscribed(&self) -> bool {
        self.twin().subscriptions(Instant::now()) > 0
    }
}

impl From<SharedTwin> for Box<dyn Twin> {
    fn from(twin: SharedTwin) -> Self {
        Box::new(twin)
    }
}

impl Twin for SharedTwin {
    fn mac(&self) -> Mac {
        self.twin().mac()
    }

    fn addresses(&self) -> Vec<Ipv4Addr> {
        self.twin().addresses()
    }

    fn is_reachable(&self, at: Ipv4Addr) -> bool {
        self.twin().is_reachable(at)
    }

    fn udp_ports(&self) -> &[u16] {
        &[48899, 10_000]
    }

    fn handle_datagram(&mut self, now: Instant, arrival: TwinArrival, bytes: &[u8]) {
        self.twin().handle_datagram(now, arrival, bytes);
        // The report of the press follows the one of the command at once.
        self.press_if_due(now + REPORT_DELAY);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.twin().handle_timeout(now);
    }

    fn poll_transmit(&mut self, now: Instant) -> Option<TwinOutput> {
        self.twin().poll_transmit(now)
    }

    /// Soon: the test may have pressed the button.
    fn poll_timeout(&self) -> Option<Instant> {
        Some(Instant::now() + Duration::from_millis(20))
    }
}

#[test]
fn adopted_switched_and_told_of_the_button() {
    in_network(async {
        let twin = SharedTwin::new(&[]);
        let plugs = Plugs::start(vec![twin.clone()]).await;
        // Nothing but the plug's own report can show within a second that its button was pressed.
        let mut house = House::open(Wishes {
            scan: "60s",
            ..Wishes::default()
        })
        .await;
        let (view, _) = house.registry.adopt(at(1)).await.unwrap();
        let plug = &view.plug;
        assert_eq!(
            (plug.family, view.metering),
            (FamilyId::ORVIBO, Metering::Off)
        );
        assert_eq!(plug.model.as_deref(), Some("SOC005"));
        assert_eq!(plug.extra.as_deref(), Some("Coffee maker"));
        assert_eq!((plug.relay, view.available), (Some(RelayState::Off), true));
        assert!(view.reading.is_none() && view.energy_total_wh.is_none());

        eventually(5, || twin.is_subscribed()).await;
        for relay in [RelayState::On, RelayState::Off] {
            twin.press();
            let is_it = |event: &Event| matches!(event, Event::Plug(view) if view.plug.relay == Some(relay));
            house.event(1, is_it).await;
        }
        let on = house
            .registry
            .switch(mac(1), RelayCommand::On, Cause::Person);
        assert!(on.await.unwrap().confirmed && twin.is_on());
        let off = house
            .registry
            .switch(mac(1), RelayCommand::Toggle, Cause::Person);
        assert!(off.await.unwrap().confirmed && !twin.is_on());
        // Reports lack the model and the name; both are still known.
        let view = house.view(1);
        assert_eq!(view.plug.model.as_deref(), Some("SOC005"));
        assert_eq!(view.plug.extra.as_deref(), Some("Coffee maker"));

        let version = house.registry.version(mac(1)).await.unwrap();
        assert_eq!(version, "firmware 9, hardware 4, radio 36");
        let delayed = |minutes| {
            let minutes = Minutes::new(minutes).unwrap();
            house.registry.delay(mac(1), RelayState::On, minutes)
        };
        assert_eq!(delayed(1092).await.unwrap().minutes, 1092);
        let refused = delayed(1093).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Usage, "{refused}");
        assert!(refused.to_string().contains("1092"), "{refused}");
        let unread = house.registry.meter(mac(1)).await.unwrap_err();
        assert_eq!(unread.kind(), ErrorKind::Usage);
        assert!(house.take_samples().is_empty());
        house.close().await;
        plugs.stop().await;
    });
}

#[test]
fn automated_unplugged_and_back() {
    in_network(async {
        let twin = SharedTwin::new(&[]);
        let plugs = Plugs::start(vec![twin.clone()]).await;
        let house = House::open(Wishes::default()).await;
        house.registry.adopt(at(1)).await.unwrap();
        let on = house
            .registry
            .switch(mac(1), RelayCommand::On, Cause::Person);
        assert!(on.await.unwrap().confirmed);
        let mut home = Home::around(house).await;
        home.catch_up("off").await;
        eventually(5, || !twin.is_on()).await;
        let rule = json!({"kind": "auto_off", "after": "500ms", "plug": mac(1)});
        let rule = home.hub.rules().create(document(rule)).await.unwrap().id;
        twin.press();
        eventually(5, || !twin.is_on()).await;
        eventually(5, || {
            let moved = home.house.registry.moved(mac(1));
            matches!(moved.map(|it| it.cause), Some(Cause::Rule { id, .. }) if id == rule)
        })
        .await;
        home.hub.rules().remove(&rule, None).await.unwrap();

        plugs.stop().await;
        eventually(30, || !home.house.view(1).available).await;
        let twin = SharedTwin::new(&[]);
        let plugs = Plugs::start(vec![twin.clone()]).await;
        eventually(30, || home.house.view(1).available).await;
        eventually(2, || twin.is_subscribed()).await;
        twin.press();
        eventually(2, || home.house.view(1).plug.relay == Some(RelayState::On)).await;
        assert_eq!(home.house.registry.stats().failed_readings, 0);
        home.close().await;
        plugs.stop().await;
    });
}

#[test]
fn a_press_right_after_a_command_is_a_persons_and_stays() {
    in_network(async {
        for faults in [&[][..], &["no-echo"], &["late=300ms"]] {
            let twin = SharedTwin::new(faults);
            let plugs = Plugs::start(vec![twin.clone()]).await;
            let house = House::open(Wishes::default()).await;
            house.registry.adopt(at(1)).await.unwrap();
            eventually(5, || twin.is_subscribed()).await;
            twin.press_when(RelayState::On);
            let on = house.registry.switch(mac(1), RelayCommand::On, Cause::Mqtt);
            let on = on.await.unwrap();
            assert_eq!(
                (on.relay, on.confirmed),
                (Some(RelayState::On), true),
                "{faults:?}"
            );
            // Longer than a command is repeated.
            tokio::time::sleep(Duration::from_secs(5)).await;
            assert!(!twin.is_on(), "{faults:?}");
            let moved = house.registry.moved(mac(1)).unwrap();
            assert_eq!(
                (moved.relay, moved.cause, moved.count),
                (RelayState::Off, Cause::Person, 2),
                "{faults:?}"
            );
            house.close().await;
            plugs.stop().await;
        }
    });
}

#[test]
fn its_name_is_read_again_after_a_restart_of_the_hub() {
    in_network(async {
        let plugs = Plugs::start(vec![SharedTwin::new(&["lost=20%", "split-table"])]).await;
        let house = House::open(Wishes::default()).await;
        house.registry.adopt(at(1)).await.unwrap();
        let store = house.close().await;
        let house = House::open_again(store, Wishes::default()).await;
        eventually(20, || {
            house.view(1).plug.extra.as_deref() == Some("Coffee maker")
        })
        .await;
        house.close().await;
        plugs.stop().await;
    });
}

#[test]
fn its_port_is_opened_only_where_one_is_looked_for() {
    in_network(async {
        let plugs = Plugs::start(vec![plug(2, &[])]).await;
        let ours = (loopback().address, 10_000);
        let lan = Lan::open(&[loopback()]).await.unwrap();
        let known = Plug::new(mac(2), FamilyId::RECO, at(2), Timestamp::now());
        let handle = lan.plug(PlugTarget::Remembered(Box::new(known)));
        let on = handle
            .switch(RelayCommand::On, Duration::from_secs(5))
            .await;
        assert!(on.unwrap().confirmed);
        drop(UdpSocket::bind(ours).await.unwrap());
        // What is at this address is not known.
        lan.presence(at(2), Duration::from_secs(3)).await.unwrap();
        UdpSocket::bind(ours).await.unwrap_err();
        plugs.stop().await;
    });
}

#[test]
fn two_with_one_mac_are_told() {
    in_network(async {
        let twins = [at(1), at(2)].map(|address| OrviboConfig {
            mac: mac(1),
            ..OrviboConfig::at(address)
        });
        let plugs = Plugs::start(twins.to_vec()).await;
        let house = House::open(Wishes::default()).await;
        house.registry.adopt(at(1)).await.unwrap();
        eventually(20, || !house.registry.duplicates().is_empty()).await;
        assert_eq!(house.registry.duplicates(), [(mac(1), vec![at(1), at(2)])]);
        house.close().await;
        plugs.stop().await;
    });
}

#[test]
fn other_devices_on_its_port_are_no_plugs() {
    in_network(async {
        for fault in ["all-one", "truncated", "wrong-length"] {
            let plugs = Plugs::start(vec![SharedTwin::new(&[fault])]).await;
            let house = House::open(Wishes::default()).await;
            house.registry.adopt(at(1)).await.unwrap_err();
            assert_eq!(house.registry.offered(), [], "{fault}");
            house.close().await;
            plugs.stop().await;
        }
    });
}
