//! Daily use: plugs are adopted, metered, switched, named and forgotten.

use std::time::Duration;

use api::{Cause, ErrorKind, Event, MeterEvent, Metering, PlugSettings, RelayCommand};
use plugs::RelayState;

use crate::twins::{Plugs, in_network};
use crate::world::{House, Wishes, at, eventually, mac, plug};

#[test]
fn adopted_metered_and_switched() {
    in_network(async {
        let plugs = Plugs::start(vec![plug(1, &[]), plug(2, &[])]).await;
        let mut house = House::open(Wishes {
            names: vec![(mac(1), "kitchen")],
            metering: "1m",
            ..Wishes::default()
        })
        .await;
        let (view, is_new) = house.registry.adopt(at(1)).await.unwrap();
        assert!(is_new && view.available);
        assert_eq!(view.plug.name.as_deref(), Some("kitchen"));
        assert_eq!(view.plug.relay, Some(RelayState::Off));
        assert_eq!(house.store.record(mac(1)).unwrap().revision, 1);
        let (_, is_new) = house.registry.adopt(at(1)).await.unwrap();
        assert!(!is_new);

        let on = house
            .registry
            .switch(mac(1), RelayCommand::On, Cause::Person)
            .await;
        let on = on.unwrap();
        assert!(on.confirmed && on.relay == Some(RelayState::On), "{on:?}");
        assert!(on.elapsed < Duration::from_secs(2), "{on:?}");
        assert_eq!(house.view(1).plug.relay, Some(RelayState::On));
        assert_eq!(house.registry.moved(mac(1)).unwrap().cause, Cause::Person);

        // A reading follows at once, though the next is not due for a minute.
        let after = house
            .event(20, |event| {
                matches!(event, Event::Reading(MeterEvent { reading, .. }) if reading.power_w > Some(50.0))
            })
            .await;
        assert!(after < Duration::from_secs(20), "{after:?}");
        let view = house.view(1);
        let reading = view.reading.as_ref().unwrap();
        assert!(reading.voltage_v > Some(200.0), "{reading:?}");
        // A second reading at once begins the total.
        eventually(10, || house.view(1).energy_total_wh == Some(0)).await;
        assert_eq!(house.samples.recv().await.unwrap().reading.plug, mac(1));

        let off = house
            .registry
            .switch(mac(1), RelayCommand::Toggle, Cause::Person);
        assert_eq!(off.await.unwrap().relay, Some(RelayState::Off));
        let version = house.registry.version(mac(1)).await.unwrap();
        assert!(version.starts_with("1.0"), "{version}");
        // Metered because somebody asks, and that is the last reading then.
        let reading = house.registry.meter(mac(1)).await.unwrap();
        assert_eq!(reading.power_w, Some(0.0));
        assert_eq!(house.view(1).reading, Some(reading));
        let unknown = house
            .registry
            .switch(mac(9), RelayCommand::On, Cause::Person);
        assert_eq!(unknown.await.unwrap_err().kind(), ErrorKind::NotFound);

        // The other one is offered, and only that.
        let stranger = house.registry.offered();
        assert_eq!(stranger.len(), 1);
        assert_eq!((stranger[0].mac, house.registry.views().len()), (mac(2), 1));
        house.close().await;
        plugs.stop().await;
    });
}

#[test]
fn edited_and_forgotten() {
    in_network(async {
        let _plugs = Plugs::start(vec![plug(1, &[]), plug(2, &[])]).await;
        let house = House::open(Wishes::default()).await;
        house.adopt([1, 2]).await;
        let named = |name: &str| {
            let name = Some(name.to_owned());
            move |settings: &PlugSettings| {
                Ok(PlugSettings {
                    name,
                    ..settings.clone()
                })
            }
        };
        let (view, revision) = house
            .registry
            .change(mac(1), Some(1), named("Küche"))
            .await
            .unwrap();
        assert_eq!((view.plug.name.as_deref(), revision), (Some("Küche"), 2));
        let stale = house.registry.change(mac(1), Some(1), named("x")).await;
        assert!(stale.unwrap_err().is_stale());
        for (name, kind) in [
            ("KÜCHE", ErrorKind::Conflict),
            ("", ErrorKind::Usage),
            ("ac:cf:23:00:00:01", ErrorKind::Usage),
            ("10.0.0.1", ErrorKind::Usage),
            ("900000621", ErrorKind::Usage),
        ] {
            let error = house.registry.change(mac(2), None, named(name)).await;
            let error = error.unwrap_err();
            assert_eq!(
                (error.kind(), error.field()),
                (kind, Some("name")),
                "{name}"
            );
        }
        let off = |settings: &PlugSettings| {
            Ok(PlugSettings {
                metering: Some(Metering::Off),
                name: None,
                ..settings.clone()
            })
        };
        let (view, _) = house.registry.change(mac(1), None, off).await.unwrap();
        assert_eq!(
            (view.metering, view.plug.name.as_deref()),
            (Metering::Off, None)
        );

        // What cannot be saved is not done.
        house
            .store
            .is_broken
            .store(true, std::sync::atomic::Ordering::Relaxed);
        let failed = house.registry.change(mac(1), None, named("y")).await;
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(house.view(1).plug.name, None);
        let removed = house.registry.remove(mac(1), None, false).await;
        assert_eq!(removed.unwrap_err().kind(), ErrorKind::Unavailable);
        assert!(house.registry.view(mac(1)).is_some());
        // Switching goes on.
        let on = house
            .registry
            .switch(mac(1), RelayCommand::On, Cause::Person)
            .await;
        assert!(on.unwrap().confirmed);
        house
            .store
            .is_broken
            .store(false, std::sync::atomic::Ordering::Relaxed);

        house.registry.remove(mac(1), None, false).await.unwrap();
        assert_eq!(house.registry.view(mac(1)), None);
        let gone = house
            .registry
            .switch(mac(1), RelayCommand::On, Cause::Person)
            .await;
        assert_eq!(gone.unwrap_err().kind(), ErrorKind::NotFound);
        eventually(3, || house.registry.offered().len() == 1).await;
        house.close().await;
    });
}
