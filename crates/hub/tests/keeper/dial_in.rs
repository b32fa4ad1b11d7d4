//! A family whose plugs connect to us works in discovery, command, hub and schedules with nothing but its own file and one row.

use std::net::Ipv4Addr;
use std::time::Duration;

use api::{Cause, ErrorKind, Metering, RelayCommand};
use futures_util::StreamExt;
use jiff::Timestamp;
use plugs::net::{DiscoverEvent, DiscoverOptions, Lan, PlugTarget};
use plugs::{Families, Family, Plug, RelayState, families};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use crate::automation::Home;
use crate::dial_in_family::{FAN, FAN_PORT, Fan, FanFamily};
use crate::twins::in_network;
use crate::world::{House, Wishes, at, eventually, loopback, mac};

const BUDGET: Duration = Duration::from_secs(5);

/// The table with one more row.
fn with_fans() -> Families {
    let fans: &'static dyn Family = &FanFamily;
    Families::new([fans].into_iter().chain(families::all().iter()))
}

fn here() -> Ipv4Addr {
    loopback().address
}

async fn is_listening() -> bool {
    TcpStream::connect((here(), FAN_PORT)).await.is_ok()
}

async fn lan() -> Lan {
    let lan = Lan::with_families(with_fans(), &[loopback()]).await;
    lan.unwrap()
}

#[test]
fn a_family_that_connects_to_us_goes_everywhere() {
    in_network(async {
        let fan = Fan::start(at(1), mac(1), here());
        from_here(&fan).await;
        // The ports close when the tasks that share them have ended.
        sleep(Duration::from_millis(100)).await;
        assert!(!is_listening().await);
        let house = House::open(Wishes {
            families: with_fans(),
            scan: "2s",
            ..Wishes::default()
        })
        .await;
        kept(&house, &fan).await;
        let mut home = Home::around(house).await;
        scheduled(&mut home, &fan).await;
        drop(fan);
        eventually(30, || !home.house.view(1).available).await;
        home.close().await;
    });
}

/// Checks discovery and commands without a hub.
async fn from_here(fan: &Fan) {
    let lan = lan().await;
    assert!(!is_listening().await, "nothing looks for a fan yet");
    let mut events = lan.discover(DiscoverOptions {
        expect: Some(1),
        ..DiscoverOptions::default()
    });
    let Some(DiscoverEvent::Found(found)) = events.next().await else {
        panic!("it is not found")
    };
    assert_eq!(
        (found.family, found.mac, found.address),
        (FAN, mac(1), at(1))
    );
    for target in [
        PlugTarget::from(found.clone()),
        PlugTarget::Remembered(Box::new(found)),
        PlugTarget::Address(at(1)),
    ] {
        let handle = lan.plug(target);
        let on = handle.switch(RelayCommand::On, BUDGET).await.unwrap();
        assert!(on.confirmed && fan.is_on());
        let toggled = handle.switch(RelayCommand::Toggle, BUDGET).await.unwrap();
        assert!(toggled.confirmed && !fan.is_on());
    }
    // A switch that comes between two connections waits for the next one.
    let connections = fan.connections();
    let handle = lan.plug(at(1));
    handle.identify(BUDGET).await.unwrap();
    fan.cut();
    let on = handle.switch(RelayCommand::On, BUDGET).await.unwrap();
    assert!(on.confirmed && fan.is_on());
    eventually(5, || fan.connections() > connections).await;
}

/// Adopts, switches and follows the fan.
async fn kept(house: &House, fan: &Fan) {
    let (view, _) = house.registry.adopt(at(1)).await.unwrap();
    assert_eq!((view.plug.family, view.metering), (FAN, Metering::Off));
    assert_eq!(view.plug.relay, Some(RelayState::On));
    let off = house
        .registry
        .switch(mac(1), RelayCommand::Toggle, Cause::Person);
    assert!(off.await.unwrap().confirmed && !fan.is_on());
    fan.press();
    eventually(2, || house.view(1).plug.relay == Some(RelayState::On)).await;
    fan.cut();
    let connections = fan.connections();
    eventually(5, || fan.connections() > connections).await;
    fan.press();
    eventually(2, || house.view(1).plug.relay == Some(RelayState::Off)).await;
    assert!(house.view(1).available);
}

/// Switches the fan by a schedule.
async fn scheduled(home: &mut Home, fan: &Fan) {
    home.catch_up("on").await;
    eventually(5, || fan.is_on()).await;
}

#[test]
fn a_plug_of_another_family_opens_no_port() {
    in_network(async {
        let lan = lan().await;
        let reco = Plug::new(mac(1), plugs::FamilyId::RECO, at(1), Timestamp::now());
        let handle = lan.plug(PlugTarget::Remembered(Box::new(reco)));
        let silence = handle.switch(RelayCommand::On, Duration::from_millis(300));
        assert_eq!(
            ErrorKind::from(&silence.await.unwrap_err()),
            ErrorKind::NoAnswer
        );
        assert!(!is_listening().await);
        let fan = Plug::new(mac(1), FAN, at(1), Timestamp::now());
        let handle = lan.plug(PlugTarget::Remembered(Box::new(fan)));
        let silence = handle.switch(RelayCommand::On, Duration::from_millis(300));
        assert_eq!(
            ErrorKind::from(&silence.await.unwrap_err()),
            ErrorKind::NoAnswer
        );
        assert!(is_listening().await);
    });
}

#[test]
fn a_taken_port_is_used_once_it_is_free() {
    in_network(async {
        let other = TcpListener::bind((here(), FAN_PORT)).await.unwrap();
        let lan = lan().await;
        let mut reports = lan.reports().await;
        let _fan = Fan::start(at(1), mac(1), here());
        drop(other);
        let report = tokio::time::timeout(Duration::from_secs(20), reports.next()).await;
        assert_eq!(report.unwrap().mac, mac(1));
    });
}

#[test]
fn strangers_neither_hold_the_port_nor_are_they_read_without_end() {
    in_network(async {
        let lan = lan().await;
        let mut reports = lan.reports().await;
        let mut idle = Vec::new();
        for _ in 0..200 {
            idle.push(TcpStream::connect((here(), FAN_PORT)).await.unwrap());
        }
        let mut noisy = TcpStream::connect((here(), FAN_PORT)).await.unwrap();
        let mut end = Vec::new();
        let sent = noisy.write_all(&[b'x'; 1 << 20]).await;
        let read = noisy.read_to_end(&mut end).await;
        assert!(sent.is_err() || read.is_err() || end.len() < 100);
        let _fan = Fan::start(at(1), mac(1), here());
        let report = tokio::time::timeout(Duration::from_secs(5), reports.next()).await;
        assert_eq!(report.unwrap().mac, mac(1));
        drop(idle);
    });
}
