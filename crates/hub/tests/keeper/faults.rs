//! Plugs with faults in one house: they hang, send unintelligible or false replies, close connections and lose datagrams. Each is
//! handled, and none disturbs another.

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use api::{Cause, ErrorKind, RelayCommand};
use futures_util::future::join_all;
use plugs::{Reading, RelayState};

use crate::twins::{Plugs, in_network};
use crate::world::{House, Wishes, at, connections, eventually, mac, plug};

/// The expected behaviour of a plug.
struct Case {
    faults: &'static [&'static str],
    /// `true` if it can be metered.
    meters: bool,
    switch: Switch,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Switch {
    Confirmed,
    NotMoved,
    Fails(ErrorKind),
}

const fn fine(faults: &'static [&'static str]) -> Case {
    Case {
        faults,
        meters: true,
        switch: Switch::Confirmed,
    }
}

const fn dead(faults: &'static [&'static str], kind: ErrorKind) -> Case {
    Case {
        faults,
        meters: false,
        switch: Switch::Fails(kind),
    }
}

const CASES: &[Case] = &[
    fine(&[]),
    fine(&["split"]),
    fine(&["delayed=300ms"]),
    fine(&["close-after-reply"]),
    fine(&["tcp-idle=500ms"]),
    fine(&["second-line"]),
    fine(&["silent-switch"]),
    fine(&["slow-relay=1500ms"]),
    fine(&["lost=25%"]),
    fine(&["garbage", "doubled", "copies=10"]),
    fine(&["wrong-address=192.0.2.7"]),
    fine(&["empty-meter"]),
    fine(&["spike=0.5"]),
    fine(&["counter-reset-every=2s"]),
    fine(&["clients=1"]),
    fine(&["banner"]),
    fine(&["banner", "echo"]),
    fine(&["prompt"]),
    fine(&["odd-field"]),
    fine(&["no-terminator"]),
    fine(&["lf-only", "five-fields"]),
    fine(&["deaf-to-broadcast"]),
    Case {
        faults: &["stuck-relay"],
        meters: true,
        switch: Switch::NotMoved,
    },
    Case {
        faults: &["meter-refused"],
        meters: false,
        switch: Switch::Confirmed,
    },
    dead(&["half-open"], ErrorKind::NoAnswer),
    dead(&["busy"], ErrorKind::NoAnswer),
    dead(&["reset"], ErrorKind::NoAnswer),
    dead(&["babble"], ErrorKind::BadAnswer),
    dead(&["busy-tcp"], ErrorKind::Refused),
];

fn numbered() -> impl Iterator<Item = (u16, &'static Case)> {
    (1..).zip(CASES)
}

#[test]
fn each_is_dealt_with_and_none_disturbs_another() {
    in_network(async {
        let configs = numbered().map(|(number, case)| plug(number, case.faults));
        let _plugs = Plugs::start(configs.collect()).await;
        let mut house = House::open(Wishes {
            adopt: true,
            ..Wishes::default()
        })
        .await;
        eventually(20, || house.registry.views().len() == CASES.len() - 1).await;
        // One cannot be found by a broadcast, and is told.
        let deaf = numbered().find(|(_, case)| case.faults == ["deaf-to-broadcast"]);
        house.registry.adopt(at(deaf.unwrap().0)).await.unwrap();
        tokio::time::sleep(Duration::from_secs(8)).await;
        house.take_samples();
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(10) {
            tokio::time::sleep(Duration::from_millis(100)).await;
            for (address, count) in connections() {
                assert!(count <= 1, "{count} connections to {address}");
            }
        }
        let mut readings: HashMap<_, Vec<Reading>> = HashMap::new();
        for sample in house.take_samples() {
            let of_plug = readings.entry(sample.reading.plug).or_default();
            of_plug.push(sample.reading);
        }
        for (number, case) in numbered() {
            let faults = case.faults;
            let view = house.view(number);
            assert!(view.available, "{faults:?}");
            assert_eq!(view.plug.address, at(number), "{faults:?}");
            let of_plug = readings.remove(&mac(number)).unwrap_or_default();
            if case.meters {
                assert!(
                    (5..=12).contains(&of_plug.len()),
                    "{faults:?}: {}",
                    of_plug.len()
                );
            } else {
                assert!(of_plug.is_empty(), "{faults:?}: {of_plug:?}");
            }
            for reading in &of_plug {
                let most = reading.power_w.unwrap_or_default();
                assert!((0.0..=4000.0).contains(&most), "{faults:?}: {reading:?}");
            }
        }
        switch_all(&house).await;
        house.close().await;
    });
}

async fn switch_all(house: &House) {
    let orders = numbered().map(|(number, case)| async move {
        let start = Instant::now();
        let result = house
            .registry
            .switch(mac(number), RelayCommand::On, Cause::Person);
        let result = result.await;
        (number, case, result, start.elapsed())
    });
    for (number, case, result, took) in join_all(orders).await {
        let faults = case.faults;
        assert!(took < Duration::from_secs(10), "{faults:?}: {took:?}");
        let shown = house.view(number).plug.relay;
        let found = match &result {
            Ok(switched) if switched.confirmed => {
                assert_eq!(shown, Some(RelayState::On), "{faults:?}");
                assert_eq!(switched.relay, shown, "{faults:?}");
                Switch::Confirmed
            }
            Ok(switched) => {
                assert_eq!(switched.relay, Some(RelayState::Off), "{faults:?}");
                Switch::NotMoved
            }
            Err(error) => Switch::Fails(error.kind()),
        };
        assert_eq!(found, case.switch, "{faults:?}: {result:?}");
    }
}

/// The counter falls back and the power spikes, but neither affects the lifetime total.
#[test]
fn the_lifetime_total_survives_a_lying_meter() {
    in_network(async {
        let mut heater = plug(1, &["counter-reset-every=3s", "spike=0.2"]);
        heater.load = emulator::Load::Constant(3600.0);
        heater.relay_on = true;
        heater.energy_wh = 5000;
        let _plugs = Plugs::start(vec![heater]).await;
        let mut house = House::open(Wishes::default()).await;
        house.adopt([1]).await;
        tokio::time::sleep(Duration::from_secs(12)).await;
        let totals: Vec<u64> = house
            .take_samples()
            .into_iter()
            .filter_map(|sample| Some(sample.energy?.total_wh))
            .collect();
        assert!(totals.len() >= 5, "{totals:?}");
        assert!(totals.is_sorted(), "{totals:?}");
        // 3.6 kW is one watt-hour a second.
        let rise = totals.last().unwrap() - totals[0];
        assert!((4..=20).contains(&rise), "{totals:?}");
        house.close().await;
    });
}

/// A command does not wait for a meter that hangs.
#[test]
fn a_hanging_meter_does_not_hold_up_an_order() {
    in_network(async {
        let _plugs = Plugs::start(vec![plug(1, &["half-open"])]).await;
        let house = House::open(Wishes::default()).await;
        house.adopt([1]).await;
        eventually(5, || connections() == BTreeMap::from([(at(1), 1)])).await;
        let start = Instant::now();
        let version = house.registry.version(mac(1)).await;
        assert_eq!(version.unwrap_err().kind(), ErrorKind::NoAnswer);
        assert!(
            start.elapsed() < Duration::from_secs(7),
            "{:?}",
            start.elapsed()
        );
        house.close().await;
        assert_eq!(connections(), BTreeMap::new());
    });
}

/// Another device that replies from a plug's address must not get its commands.
#[test]
fn an_order_never_reaches_another_plug() {
    in_network(async {
        let first = Plugs::start(vec![plug(1, &[])]).await;
        let house = House::open(Wishes::default()).await;
        house.adopt([1]).await;
        first.stop().await;
        // A new one gets the old one's lease.
        let mut other = plug(2, &[]);
        other.listen = at(1);
        let _other = Plugs::start(vec![other]).await;
        eventually(5, || !house.registry.offered().is_empty()).await;
        let refused = house
            .registry
            .switch(mac(1), RelayCommand::On, Cause::Person)
            .await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::NoAnswer);
        assert!(refused.message().contains("another"), "{refused}");
        let stranger = house.registry.adopt(at(1)).await.unwrap().0;
        assert_eq!(
            (stranger.plug.mac, stranger.plug.relay),
            (mac(2), Some(RelayState::Off))
        );
        house.close().await;
    });
}

/// The plug that is at an address now, and the one that was there.
#[test]
fn two_plugs_swap_their_addresses() {
    in_network(async {
        let plugs = Plugs::start(vec![plug(1, &[]), plug(2, &[])]).await;
        let house = House::open(Wishes::default()).await;
        house.adopt([1, 2]).await;
        plugs.stop().await;
        let moved = |number: u16, to: u16| {
            let mut config = plug(number, &[]);
            config.listen = at(to);
            config
        };
        let _plugs = Plugs::start(vec![moved(1, 2), moved(2, 1)]).await;
        let address = |number| -> Ipv4Addr { house.view(number).plug.address };
        eventually(10, || (address(1), address(2)) == (at(2), at(1))).await;
        let on = house
            .registry
            .switch(mac(1), RelayCommand::On, Cause::Person)
            .await;
        assert!(on.unwrap().confirmed);
        let relays = (house.view(1).plug.relay, house.view(2).plug.relay);
        assert_eq!(relays, (Some(RelayState::On), Some(RelayState::Off)));
        house.close().await;
    });
}
