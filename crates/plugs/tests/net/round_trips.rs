//! The packets of a command in order: probes, connections, and the time at which the command is sent.

use std::time::Instant;

use plugs::exchange::NoReplyReason;
use plugs::net::PlugTarget;
use plugs::{RelayCommand, RelayState};

use crate::scripted::{Happening, Plug};
use crate::{BUDGET, host, lan, ms, silence, sp2};

/// Three round trips instead of four: the connection is opened while the address is probed.
#[tokio::test]
async fn the_connection_is_opened_while_the_plug_is_identified() {
    let plug = Plug {
        // The first probes are lost, so that the connection is there long before the reply.
        ignores: 3,
        ..sp2(100)
    }
    .start();
    let handle = lan(100).await.plug(host(100, 2));
    let switched = handle.switch(RelayCommand::On, BUDGET).await.unwrap();
    assert!(switched.confirmed);
    let happened = plug.happened();
    let first = |wanted| happened.iter().position(|one| *one == wanted).unwrap();
    let connected = first(Happening::Connection);
    assert!(connected < first(Happening::Report), "{happened:?}");
    assert!(
        first(Happening::Report) < first(Happening::Command),
        "{happened:?}"
    );
    assert_eq!(plug.connections(), 1, "{happened:?}");
}

/// The state is read before it is toggled, and not probed again.
#[tokio::test]
async fn a_toggle_asks_for_the_state_once() {
    let plug = sp2(101).start();
    let handle = lan(101).await.plug(host(101, 2));
    let switched = handle.switch(RelayCommand::Toggle, BUDGET).await.unwrap();
    assert_eq!(switched.relay, Some(RelayState::On));
    let happened = plug.happened();
    let command = happened.iter().position(|one| *one == Happening::Command);
    let before = &happened[..command.unwrap()];
    let reports = before.iter().filter(|one| **one == Happening::Report);
    assert_eq!(reports.count(), 1, "{happened:?}");
}

/// A plug has few connections, and another plug's command must not reach it.
#[tokio::test]
async fn another_plug_at_the_address_gets_no_command_and_its_connection_back() {
    let known = sp2(102).start();
    let lan = lan(102).await;
    let before = lan.presence(host(102, 2), BUDGET).await.unwrap();
    drop(known);
    let other = Plug::new(host(102, 2), "ACCF23FFFFFF").start();
    let handle = lan.plug(PlugTarget::Remembered(Box::new(before)));
    let error = handle.switch(RelayCommand::On, BUDGET).await.unwrap_err();
    assert_eq!(silence(&error), Some(NoReplyReason::Replaced), "{error}");
    assert!(other.commands().is_empty() && !other.is_on());
    let start = Instant::now();
    while !other.happened().contains(&Happening::Hangup) {
        assert!(start.elapsed() < BUDGET, "{:?}", other.happened());
        tokio::time::sleep(ms(1)).await;
    }
    assert_eq!(other.connections(), 1);
}

/// A plug that does not reply on UDP, for example because of a firewall on this side, is still switched after a while.
#[tokio::test]
async fn a_plug_that_is_not_heard_gets_its_command_over_one_connection() {
    let plug = Plug {
        scan_reply: None,
        ..sp2(103)
    }
    .start();
    let start = Instant::now();
    let handle = lan(103).await.plug(host(103, 2));
    let switched = handle.switch(RelayCommand::On, ms(2500)).await.unwrap();
    assert!(plug.is_on() && !switched.confirmed && switched.relay.is_none());
    assert!(start.elapsed() >= ms(1000), "{:?}", start.elapsed());
    assert_eq!(plug.connections(), 1, "{:?}", plug.happened());
}

/// Commands to one plug go over one connection, one after the other.
#[tokio::test]
async fn commands_share_a_connection() {
    let plug = sp2(104).start();
    let handle = lan(104).await.plug(host(104, 2));
    let other = handle.clone();
    let (on, off) = tokio::join!(
        handle.switch(RelayCommand::On, BUDGET),
        other.switch(RelayCommand::Off, BUDGET),
    );
    assert!(on.unwrap().confirmed && off.unwrap().confirmed && !plug.is_on());
    assert_eq!(plug.commands().len(), 2);
    assert_eq!(plug.connections(), 1, "{:?}", plug.happened());
}
