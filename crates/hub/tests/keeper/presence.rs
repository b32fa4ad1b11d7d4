//! Plugs come and go, change addresses and have their buttons pressed, and the hub restarts.

use std::time::{Duration, Instant};

use api::{Cause, ErrorKind, Event, MeterEvent, PlugSettings, PowerOn, RelayCommand, RequestError};
use plugs::RelayState::{Off, On};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use crate::twins::{Plugs, in_network};
use crate::world::{House, Wishes, at, connections, eventually, loopback, mac, plug};

fn is_availability(event: &Event, number: u16, available: bool) -> bool {
    matches!(event, Event::Availability(view)
        if view.plug.mac == mac(number) && view.available == available)
}

/// The bounds of the contract, with the default intervals.
#[test]
fn gone_within_30_s_back_within_15_s_followed_within_60_s() {
    in_network(async {
        let staying = Plugs::start(vec![plug(1, &[])]).await;
        let leaving = Plugs::start(vec![plug(2, &[])]).await;
        let moving = Plugs::start(vec![plug(3, &[])]).await;
        let mut house = House::open(Wishes {
            scan: "5s",
            metering: "10s",
            ..Wishes::default()
        })
        .await;
        house.adopt([1, 2, 3]).await;
        eventually(11, || {
            house
                .registry
                .views()
                .iter()
                .all(|view| view.reading.is_some())
        })
        .await;

        leaving.stop().await;
        moving.stop().await;
        let start = Instant::now();
        let mut moved = plug(3, &[]);
        moved.listen = at(33);
        let _moved = Plugs::start(vec![moved]).await;
        let to = |number: u16| {
            move |event: &Event| {
                matches!(event, Event::Plug(view)
                if view.plug.mac == mac(3) && view.plug.address == at(number))
            }
        };
        house.event(60, to(33)).await;
        assert!(house.view(3).available, "it was never gone");
        let on = house
            .registry
            .switch(mac(3), RelayCommand::On, Cause::Person)
            .await;
        assert!(on.unwrap().confirmed);
        eventually(2, || house.store.record(mac(3)).unwrap().address == at(33)).await;

        house
            .event(30, |event| is_availability(event, 2, false))
            .await;
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "{:?}",
            start.elapsed()
        );
        assert_eq!(house.registry.stats().available, 2);
        let order = house
            .registry
            .switch(mac(2), RelayCommand::On, Cause::Person)
            .await;
        assert_eq!(order.unwrap_err().kind(), ErrorKind::NoAnswer);
        assert!(!connections().contains_key(&at(2)));

        tokio::time::sleep(Duration::from_secs(20)).await;
        let _back = Plugs::start(vec![plug(2, &[])]).await;
        let after = house
            .event(15, |event| is_availability(event, 2, true))
            .await;
        assert!(after < Duration::from_secs(15), "{after:?}");
        let metered = house.event(
            11,
            |event| matches!(event, Event::Reading(MeterEvent { reading, .. }) if reading.plug == mac(2)),
        );
        metered.await;
        // Once each, and nothing about those that stayed.
        let mut later = house.take_events();
        later.retain(|event| matches!(event.event, Event::Availability(_)));
        assert!(later.is_empty(), "{later:?}");
        assert!(house.view(1).available);
        house.close().await;
        staying.stop().await;
    });
}

/// Switches the plug as another program, or its button, does: without the hub.
async fn press(number: u16, relay: &str) {
    let mut stream = TcpStream::connect((at(number), 8899)).await.unwrap();
    let order = format!("AT+YZSWITCH=1,{relay},202611221200\r\n");
    stream.write_all(order.as_bytes()).await.unwrap();
    let mut answer = [0; 16];
    assert!(stream.read(&mut answer).await.unwrap() > 0);
}

#[test]
fn a_press_of_the_button_is_seen_within_one_scan_interval() {
    in_network(async {
        let _plugs = Plugs::start(vec![plug(1, &[])]).await;
        let mut house = House::open(Wishes {
            scan: "2s",
            metering: "10s",
            ..Wishes::default()
        })
        .await;
        house.adopt([1]).await;
        for (word, relay) in [("ON", On), ("OFF", Off)] {
            press(1, word).await;
            let seen = house.event(
                5,
                |event| matches!(event, Event::Plug(view) if view.plug.relay == Some(relay)),
            );
            let took = seen.await;
            assert!(took < Duration::from_millis(3500), "{took:?}");
            let moved = house.registry.moved(mac(1)).unwrap();
            assert_eq!((moved.relay, moved.cause), (relay, Cause::Person));
        }
        // The position is kept for the next start, too.
        eventually(3, || house.store.record(mac(1)).unwrap().relay == Some(Off)).await;
        // Toggling goes by how the relay stands, not by what is remembered of it.
        press(1, "ON").await;
        let toggled = house
            .registry
            .switch(mac(1), RelayCommand::Toggle, Cause::Person);
        assert_eq!(toggled.await.unwrap().relay, Some(Off));
        house.close().await;
    });
}

fn power_on(policy: PowerOn) -> impl FnOnce(&PlugSettings) -> Result<PlugSettings, RequestError> {
    move |settings| {
        Ok(PlugSettings {
            power_on: Some(policy),
            ..settings.clone()
        })
    }
}

#[test]
fn after_an_outage_relays_are_as_their_owner_wants() {
    in_network(async {
        let home = || Plugs::start((1..=4).map(|number| plug(number, &[])).collect());
        let plugs = home().await;
        let house = House::open(Wishes::default()).await;
        house.adopt(1..=4).await;
        for (number, policy) in [(1, PowerOn::On), (2, PowerOn::Last), (3, PowerOn::Last)] {
            let change = house.registry.change(mac(number), None, power_on(policy));
            change.await.unwrap();
        }
        for number in [2, 4] {
            let on = house
                .registry
                .switch(mac(number), RelayCommand::On, Cause::Person);
            assert!(on.await.unwrap().confirmed);
        }
        plugs.stop().await;
        eventually(20, || house.registry.stats().available == 0).await;
        // The twins come back with their relays off, as plugs may do.
        let _plugs = home().await;
        let relays = || -> Vec<_> {
            let views = house.registry.views();
            views.iter().map(|view| view.plug.relay.unwrap()).collect()
        };
        eventually(10, || relays() == [On, On, Off, Off]).await;
        for number in [1, 2] {
            assert_eq!(
                house.registry.moved(mac(number)).unwrap().cause,
                Cause::PowerOn
            );
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(relays(), [On, On, Off, Off]);

        // A new hub leaves everything as it is,
        let store = house.close().await;
        let house = House::open_again(store, Wishes::default()).await;
        eventually(5, || house.registry.stats().available == 4).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(house.registry.stats().switches, 0);
        // but for what was moved by the outage that it shared with the plugs.
        let store = house.close().await;
        for number in [1, 2, 3, 4] {
            press(number, "OFF").await;
        }
        let house = House::open_again(store, Wishes::default()).await;
        eventually(10, || house.registry.stats().switches == 2).await;
        house.close().await;
    });
}

#[test]
fn who_wants_every_plug_gets_every_plug_but_those_that_were_forgotten() {
    in_network(async {
        let _plugs = Plugs::start((1..=30).map(|number| plug(number, &[])).collect()).await;
        let wishes = || Wishes {
            adopt: true,
            names: vec![(mac(1), "one"), (mac(2), "ONE"), (mac(3), "")],
            ..Wishes::default()
        };
        let house = House::open(wishes()).await;
        eventually(10, || house.registry.views().len() == 30).await;
        let named = |number| house.view(number).plug.name.clone();
        let one = [named(1), named(2)];
        // Only one of two can have it; and what is no name is left out.
        assert_eq!(one.iter().flatten().count(), 1);
        assert_eq!(named(3), None);
        assert_eq!(house.registry.offered(), []);
        house.registry.remove(mac(7), None, true).await.unwrap();
        assert_eq!(*house.store.purged.lock().unwrap(), [mac(7)]);
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(house.registry.views().len(), 29);
        let found = house
            .registry
            .discover(Duration::from_secs(1))
            .await
            .unwrap();
        let strangers: Vec<_> = found.iter().filter(|found| !found.adopted).collect();
        assert_eq!((found.len(), strangers.len()), (30, 1));
        assert_eq!(strangers[0].plug.mac, mac(7));
        house.adopt([7]).await;
        assert_eq!(house.registry.views().len(), 30);
        let store = house.close().await;
        assert_eq!(store.plugs.lock().unwrap().len(), 30);
    });
}

/// Two devices that reply with one MAC are told of, once.
#[test]
fn one_mac_at_two_addresses_is_told() {
    in_network(async {
        let _plugs = Plugs::start(vec![plug(1, &[])]).await;
        let mut house = House::open(Wishes::default()).await;
        house.adopt([1]).await;
        let double = UdpSocket::bind((at(2), 0)).await.unwrap();
        let mac_text = format!("{:x}", mac(1)).to_uppercase();
        let report = format!("{},{mac_text},,,1", at(2));
        let reporting = async {
            loop {
                let hub = (loopback().address, 48899);
                double.send_to(report.as_bytes(), hub).await.unwrap();
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
        };
        let told = |event: &Event| {
            matches!(event, Event::Problem(problem)
            if !problem.solved && problem.part == "address" && problem.plug == Some(mac(1)))
        };
        tokio::select! {
            () = reporting => {}
            _ = house.event(20, told) => {}
        }
        let duplicates = house.registry.duplicates();
        assert_eq!(duplicates.len(), 1);
        assert_eq!(duplicates[0].0, mac(1));
        assert_eq!(duplicates[0].1.len(), 2);
        house.close().await;
    });
}

/// A stranger who makes up plugs does not keep the real one out, and gets a few adopted at most.
#[test]
fn made_up_plugs_do_not_fill_a_hub_that_adopts() {
    in_network(async {
        let house = House::open(Wishes {
            adopt: true,
            ..Wishes::default()
        });
        let house = house.await;
        let stranger = UdpSocket::bind((at(250), 0)).await.unwrap();
        let flood = async || {
            for number in 0..2_000_u16 {
                let [high, low] = number.to_be_bytes();
                let report = format!("{},ACCF24{high:02X}00{low:02X},,,1", at(250));
                stranger
                    .send_to(report.as_bytes(), (loopback().address, 48899))
                    .await
                    .unwrap();
                tokio::task::yield_now().await;
            }
        };
        flood().await;
        let _plugs = Plugs::start(vec![plug(1, &[])]).await;
        flood().await;
        eventually(20, || house.registry.view(mac(1)).is_some()).await;
        let adopted = house.registry.views().len();
        assert!(adopted <= 4, "{adopted}");
        house.close().await;
    });
}

#[test]
fn one_scan_is_enough_to_take_in_a_houseful() {
    in_network(async {
        const COUNT: u16 = 200;
        let plugs = (1..=COUNT).map(|number| plug(number, &[])).collect();
        let _plugs = Plugs::start(plugs).await;
        let wishes = Wishes {
            adopt: true,
            metering: "1m",
            scan: "1h",
            ..Wishes::default()
        };
        let house = House::open(wishes).await;
        eventually(60, || house.registry.views().len() == usize::from(COUNT)).await;
        house.close().await;
    });
}

#[test]
fn a_replaced_plug_hands_everything_on() {
    in_network(async {
        let mut old = plug(1, &[]);
        (old.relay_on, old.energy_wh) = (true, 1000);
        let mut new = plug(2, &[]);
        new.energy_wh = 7;
        let _plugs = Plugs::start(vec![old, new]).await;
        let mut house = House::open(Wishes::default()).await;
        house.adopt([1]).await;
        let edit = |_: &PlugSettings| {
            Ok(PlugSettings {
                name: Some("boiler".into()),
                room: Some("cellar".into()),
                metering: None,
                power_on: Some(PowerOn::Last),
                often_unplugged: true,
            })
        };
        house.registry.change(mac(1), None, edit).await.unwrap();
        eventually(3, || house.view(1).energy_total_wh >= Some(1000)).await;
        let total = house.view(1).energy_total_wh;

        let myself = house
            .registry
            .replace(mac(1), mac(1), &[], false)
            .await
            .unwrap_err();
        assert_eq!(myself.kind(), ErrorKind::Usage);
        let nobody = house
            .registry
            .replace(mac(1), mac(9), &[], false)
            .await
            .unwrap_err();
        assert_eq!(
            (nobody.kind(), nobody.field()),
            (ErrorKind::NotFound, Some("by"))
        );
        eventually(3, || !house.registry.offered().is_empty()).await;
        let view = house
            .registry
            .replace(mac(1), mac(2), &[], false)
            .await
            .unwrap();
        assert_eq!(view.plug.mac, mac(2));
        assert_eq!(view.plug.name.as_deref(), Some("boiler"));
        assert_eq!(view.room.as_deref(), Some("cellar"));
        assert_eq!(
            (view.power_on, view.energy_total_wh),
            (Some(PowerOn::Last), total)
        );
        assert_eq!(house.registry.view(mac(1)), None);
        house
            .event(
                1,
                |event| matches!(event, Event::PlugRemoved(gone) if *gone == mac(1)),
            )
            .await;
        eventually(3, || house.view(2).reading.is_some()).await;
        let reading = house.view(2).reading.clone().unwrap();
        assert_eq!(
            (reading.energy_wh, house.view(2).energy_total_wh),
            (Some(7), total)
        );
        assert_eq!(house.store.plugs.lock().unwrap().len(), 1);
        house.close().await;
    });
}

/// A kill five hundred milliseconds after the last change loses nothing that the next start needs.
#[test]
fn the_next_start_knows_where_plugs_are_and_how_they_stood() {
    in_network(async {
        let plugs = Plugs::start(vec![plug(1, &[])]).await;
        let house = House::open(Wishes::default()).await;
        house.adopt([1]).await;
        let on = house
            .registry
            .switch(mac(1), RelayCommand::On, Cause::Person)
            .await;
        assert!(on.unwrap().confirmed);
        eventually(2, || house.store.record(mac(1)).unwrap().relay == Some(On)).await;
        let store = house.close().await;
        plugs.stop().await;
        let mut house = House::open_again(store, Wishes::default()).await;
        let view = house.view(1);
        assert!(!view.available);
        assert_eq!((view.plug.address, view.plug.relay), (at(1), Some(On)));
        // Not heard since the start: told once.
        house
            .event(20, |event| is_availability(event, 1, false))
            .await;
        house.close().await;
    });
}

/// A power cut of a second: the plug is never missed, but it has lost its connection.
#[test]
fn a_short_outage_is_not_taken_for_a_press_of_the_button() {
    in_network(async {
        let home = || Plugs::start(vec![plug(1, &[]), plug(2, &[])]);
        let plugs = home().await;
        let house = House::open(Wishes::default()).await;
        house.adopt([1, 2]).await;
        for number in [1, 2] {
            let change = house
                .registry
                .change(mac(number), None, power_on(PowerOn::Last));
            change.await.unwrap();
            let on = house
                .registry
                .switch(mac(number), RelayCommand::On, Cause::Person);
            assert!(on.await.unwrap().confirmed);
        }
        eventually(3, || connections().len() == 2).await;
        press(1, "OFF").await;
        eventually(3, || house.view(1).plug.relay == Some(Off)).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(house.view(1).plug.relay, Some(Off), "a person pressed it");
        assert_eq!(house.registry.moved(mac(1)).unwrap().cause, Cause::Person);

        plugs.stop().await;
        let _plugs = home().await;
        eventually(5, || {
            house.registry.moved(mac(2)).unwrap().cause == Cause::PowerOn
        })
        .await;
        eventually(5, || house.view(2).plug.relay == Some(On)).await;
        assert_eq!(house.view(1).plug.relay, Some(Off));
        assert!(house.registry.views().iter().all(|view| view.available));
        house.close().await;
    });
}

/// Another program holds the port on which plugs are heard, and releases it.
#[test]
fn a_port_that_was_taken_is_had_when_it_is_free() {
    in_network(async {
        let _plugs = Plugs::start(vec![plug(1, &[])]).await;
        let holder = std::net::UdpSocket::bind("127.71.0.1:48899").unwrap();
        let house = House::open(Wishes::default()).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(house.registry.offered().is_empty());
        drop(holder);
        eventually(14, || !house.registry.offered().is_empty()).await;
        house.adopt([1]).await;
        let on = house
            .registry
            .switch(mac(1), RelayCommand::On, Cause::Person)
            .await;
        assert!(on.unwrap().confirmed);
        house.close().await;
    });
}
