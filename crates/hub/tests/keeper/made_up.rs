//! A family of plugs that Mains does not know works in discovery, command, hub, schedules and rules with nothing but its own file
//! and one row: it has no meter, uses a port of its own and sends unsolicited reports.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::{Cause, ErrorKind, Metering, PlugSettings, RelayCommand, Rule};
use futures_util::StreamExt;
use hub::HubDocument;
use plugs::net::{DiscoverEvent, DiscoverOptions, Lan};
use plugs::{Families, Family, Reading, RelayState, families};
use serde_json::json;
use tokio::time::sleep;

use crate::automation::{Home, document};
use crate::made_up_family::{LAMP, Lamp, LampFamily};
use crate::twins::in_network;
use crate::world::{House, Wishes, at, eventually, loopback, mac};

const BUDGET: Duration = Duration::from_secs(5);

/// The table with one more row.
fn with_lamps() -> Families {
    let lamps: &'static dyn Family = &LampFamily;
    Families::new([lamps].into_iter().chain(families::all().iter()))
}

/// The log from warnings upwards.
#[derive(Clone, Default)]
struct WarningLog(Arc<Mutex<Vec<u8>>>);

impl WarningLog {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for WarningLog {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_made_up_family_goes_everywhere() {
    let log = WarningLog::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_writer(move || writer.clone())
        .finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    in_network(async {
        let lamp = Lamp::start(at(1), mac(1)).await;
        from_here(&lamp).await;
        // The sockets close when the tasks that share them have ended.
        sleep(Duration::from_millis(100)).await;
        let house = House::open(Wishes {
            families: with_lamps(),
            scan: "2s",
            ..Wishes::default()
        })
        .await;
        kept(&house, &lamp).await;
        let mut home = Home::around(house).await;
        automated(&mut home, &lamp).await;
        assert_eq!(home.house.registry.stats().failed_readings, 0);
        assert_eq!(lamp.unknown(), 0, "it is asked nothing that it lacks");
        assert_eq!(log.text(), "");
        drop(lamp);
        eventually(30, || !home.house.view(1).available).await;
        home.close().await;
    });
}

/// Checks discovery and commands without a hub.
async fn from_here(lamp: &Lamp) {
    let lan = Lan::with_families(with_lamps(), &[loopback()])
        .await
        .unwrap();
    let mut events = lan.discover(DiscoverOptions {
        known: vec![at(1)],
        expect: Some(1),
        ..DiscoverOptions::default()
    });
    let Some(DiscoverEvent::Found(found)) = events.next().await else {
        panic!("it is not found")
    };
    assert_eq!((found.family, found.mac), (LAMP, mac(1)));
    let handle = lan.plug(at(1));
    let switched = handle.switch(RelayCommand::On, BUDGET).await.unwrap();
    assert!(switched.confirmed && lamp.is_on());
    let error = handle.meter(BUDGET).await.unwrap_err();
    assert_eq!(ErrorKind::from(&error), ErrorKind::Usage, "{error}");
    assert!(error.hint().unwrap().contains("no meter"), "{error}");
}

/// Adopts, switches and follows the lamp; nothing polls the meter that it lacks.
async fn kept(house: &House, lamp: &Lamp) {
    let (view, _) = house.registry.adopt(at(1)).await.unwrap();
    assert_eq!((view.plug.family, view.metering), (LAMP, Metering::Off));
    assert_eq!(view.plug.relay, Some(RelayState::On));
    assert!(view.available);
    let off = house
        .registry
        .switch(mac(1), RelayCommand::Toggle, Cause::Person);
    assert!(off.await.unwrap().confirmed && !lamp.is_on());
    let unread: Result<Reading, _> = house.registry.meter(mac(1)).await;
    assert_eq!(unread.unwrap_err().kind(), ErrorKind::Usage);
    let metering = |settings: &PlugSettings| {
        Ok(PlugSettings {
            metering: Some(Metering::Every("1s".parse().unwrap())),
            ..settings.clone()
        })
    };
    let refused = house.registry.change(mac(1), None, metering).await;
    let refused = refused.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.field()),
        (ErrorKind::Usage, Some("metering"))
    );
    // A press of the button shows before anything asks.
    eventually(5, || lamp.is_subscribed()).await;
    let before = lamp.probes();
    eventually(10, || lamp.probes() != before).await;
    let before = lamp.probes();
    lamp.press().await;
    sleep(Duration::from_millis(300)).await;
    assert_eq!(house.view(1).plug.relay, Some(RelayState::On));
    assert_eq!(lamp.probes(), before);
}

/// Switches the lamp by a schedule and a rule; a rule that needs a meter is refused.
async fn automated(home: &mut Home, lamp: &Lamp) {
    let needs_meter = json!({"kind": "standby_kill", "below_w": 5, "for": "1m", "plug": mac(1)});
    let refused = document::<Rule>(needs_meter).check_references(&home.hub, None);
    let refused = refused.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.field()),
        (ErrorKind::Usage, Some("plug"))
    );
    home.catch_up("off").await;
    eventually(5, || !lamp.is_on()).await;
    let rule = json!({"kind": "auto_off", "after": "500ms", "plug": mac(1)});
    let rule = home
        .hub
        .rules()
        .create(document::<Rule>(rule))
        .await
        .unwrap()
        .id;
    lamp.press().await;
    eventually(5, || !lamp.is_on()).await;
    eventually(5, || {
        matches!(home.house.registry.moved(mac(1)).unwrap().cause, Cause::Rule { id, .. } if id == rule)
    })
    .await;
}
