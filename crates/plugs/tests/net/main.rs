//! The network layer against plugs written by hand, on real sockets of the loopback interface.
//!
//! Each test has a network of its own, `127.61.<n>.0/24` with us at `.1`, because they all need ports 48899 and 8899.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod link;
mod scripted;

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use hiflying::net::{BindError, Interface};
use plugs::exchange::Silence;
use plugs::net::{ContactError, DiscoverEvent, DiscoverOptions, Lan, Summary};
use plugs::{FamilyId, Minutes, RelayState};
use scripted::{Answer, Plug, Running};

const BUDGET: Duration = Duration::from_secs(5);
const MAC: &str = "ACCF23123456";

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn host(network: u8, host: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 61, network, host)
}

fn interface(network: u8) -> Interface {
    Interface {
        name: "lo".into(),
        address: host(network, 1),
        prefix: 24,
        broadcast: host(network, 255),
        loopback: true,
        up: true,
        index: 1,
    }
}

async fn lan(network: u8) -> Lan {
    Lan::open(&[interface(network)]).await.unwrap()
}

/// An SP-2 at `.2`.
fn sp2(network: u8) -> Plug {
    Plug::new(host(network, 2), MAC)
}

fn answering(network: u8, answers: Vec<Answer>) -> Running {
    Plug {
        answers,
        ..sp2(network)
    }
    .start()
}

#[tokio::test]
async fn switched_and_confirmed_at_once() {
    let plug = sp2(1).start();
    let lan = lan(1).await;
    let switched = lan
        .switch(host(1, 2), RelayState::On, BUDGET)
        .await
        .unwrap();
    assert!(switched.confirmed);
    assert_eq!(switched.relay, Some(RelayState::On));
    assert_eq!(switched.plug.mac.compact(), MAC);
    assert_eq!(switched.plug.serial.as_deref(), Some("900000621"));
    assert!(switched.elapsed < ms(150), "{:?}", switched.elapsed);
    assert!(plug.is_on());
    let [command] = &plug.commands()[..] else {
        panic!("{:?}", plug.commands())
    };
    assert_eq!(command.len(), "AT+YZSWITCH=1,ON,201704031153\r\n".len());

    let again = lan
        .switch(&switched.plug, RelayState::Off, BUDGET)
        .await
        .unwrap();
    assert!(again.confirmed && !plug.is_on());
    assert!(plug.commands()[1].starts_with("AT+YZSWITCH=1,OFF,2"));
}

#[tokio::test]
async fn on_one_runtime_a_switch_takes_a_few_milliseconds() {
    let _plug = sp2(2).start();
    let lan = lan(2).await;
    let mut times = Vec::new();
    for _ in 0..20 {
        let switched = lan
            .switch(host(2, 2), RelayState::On, BUDGET)
            .await
            .unwrap();
        times.push(switched.elapsed);
    }
    times.sort_unstable();
    assert!(
        times[0] < ms(10),
        "no flat sleep on the happy path: {times:?}"
    );
}

#[tokio::test]
async fn a_stuck_relay_is_not_confirmed() {
    let plug = answering(3, vec![Answer::ok().moves(None)]);
    let switched = lan(3)
        .await
        .switch(host(3, 2), RelayState::On, BUDGET)
        .await
        .unwrap();
    assert!(!switched.confirmed);
    assert_eq!(switched.relay, Some(RelayState::Off));
    assert!(switched.elapsed >= ms(4400), "{:?}", switched.elapsed);
    assert_eq!(plug.commands().len(), 2, "repeated once");
}

#[tokio::test]
async fn a_slow_relay_is_waited_for() {
    let _plug = answering(4, vec![Answer::ok().moves(Some(2000))]);
    let switched = lan(4)
        .await
        .switch(host(4, 2), RelayState::On, BUDGET)
        .await
        .unwrap();
    assert!(switched.confirmed);
    assert!(
        (1900..2400).contains(&switched.elapsed.as_millis()),
        "{:?}",
        switched.elapsed
    );
}

#[tokio::test]
async fn an_order_that_was_lost_in_the_plug_is_repeated() {
    let plug = answering(5, vec![Answer::ok().moves(None), Answer::ok()]);
    let switched = lan(5)
        .await
        .switch(host(5, 2), RelayState::On, BUDGET)
        .await
        .unwrap();
    assert!(switched.confirmed);
    assert_eq!(plug.commands().len(), 2);
}

#[tokio::test]
async fn a_lost_answer_does_not_matter_when_the_relay_moved() {
    let silent = Answer {
        pieces: vec![],
        moves: Some(100),
    };
    let plug = answering(6, vec![silent]);
    let switched = lan(6)
        .await
        .switch(host(6, 2), RelayState::On, BUDGET)
        .await
        .unwrap();
    assert!(switched.confirmed);
    assert!(switched.elapsed < ms(1500), "{:?}", switched.elapsed);
    assert_eq!(plug.commands().len(), 1);
}

#[tokio::test]
async fn a_plug_that_takes_orders_and_is_silent() {
    let silent = Answer {
        pieces: vec![],
        moves: None,
    };
    let _plug = answering(7, vec![silent]);
    let start = Instant::now();
    let error = lan(7)
        .await
        .switch(host(7, 2), RelayState::On, ms(1500))
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            ContactError::NoAnswer {
                how: Silence::NoReply,
                ..
            }
        ),
        "{error}"
    );
    assert!(start.elapsed() < ms(2000), "{:?}", start.elapsed());
}

#[tokio::test]
async fn answers_of_every_kind() {
    let accepted: [&[u8]; 5] = [
        b"+ok\r\n+error\r\n",
        b"+OK\r\n",
        b"+ok\r\n\r\n+error\r\n\r\n",
        b"+ok",
        b"\r\n+ok=\r\n\r\n",
    ];
    for answer in accepted {
        let _plug = answering(8, vec![Answer::says(answer)]);
        let switched = lan(8)
            .await
            .switch(host(8, 2), RelayState::On, BUDGET)
            .await
            .unwrap();
        assert!(switched.confirmed, "{}", answer.escape_ascii());
        assert!(switched.elapsed < ms(600), "{:?}", switched.elapsed);
    }
    let split = Answer {
        pieces: vec![(5, b"+"), (30, b"ok\r"), (5, b"\n\r\n")],
        moves: Some(0),
    };
    let _plug = answering(8, vec![split]);
    assert!(
        lan(8)
            .await
            .switch(host(8, 2), RelayState::On, BUDGET)
            .await
            .unwrap()
            .confirmed
    );
}

#[tokio::test]
async fn refused_and_babbled() {
    let _plug = answering(
        9,
        vec![
            Answer::says(b"+ERROR\r\n\r\n"),
            Answer::says(b"%&/()\r\n\r\n"),
        ],
    );
    let lan = lan(9).await;
    let error = lan
        .switch(host(9, 2), RelayState::On, BUDGET)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the plug at 127.61.9.2 refused to switch on: it answered '+ERROR'"
    );
    let error = lan
        .switch(host(9, 2), RelayState::On, BUDGET)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, ContactError::BadAnswer { reply, .. } if reply == "%&/()"),
        "{error}"
    );
}

#[tokio::test]
async fn meter_version_and_delay() {
    let plug = answering(
        10,
        vec![
            Answer::says(b"+ok=8,23678,4999,74,0,22015,0\r\n\r\n"),
            Answer::says(b"+ok=1.0.06a-14 (2014-10-29 21:46 1M)\r\n\r\n"),
            Answer::ok(),
            Answer::says(b"+ok=8,23678\r\n\r\n"),
        ],
    );
    let lan = lan(10).await;
    let reading = lan.meter(host(10, 2), BUDGET).await.unwrap();
    assert_eq!(reading.plug.compact(), MAC);
    assert_eq!(
        (reading.voltage_v, reading.power_w),
        (Some(236.78), Some(7.4))
    );
    let version = lan.version(host(10, 2), BUDGET).await.unwrap();
    assert_eq!(version, "1.0.06a-14 (2014-10-29 21:46 1M)");
    let minutes = Minutes::new(30).unwrap();
    lan.delay(host(10, 2), RelayState::Off, minutes, BUDGET)
        .await
        .unwrap();
    assert!(plug.commands()[2].starts_with("AT+YZDELAY=1,OFF,30,2"));
    let error = lan.meter(host(10, 2), BUDGET).await.unwrap_err();
    assert!(matches!(error, ContactError::BadAnswer { .. }), "{error}");
}

#[tokio::test]
async fn nobody_there() {
    let lan = lan(11).await;
    let error = lan.presence(host(11, 2), ms(300)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "127.61.11.2 does not answer: nothing came back in time"
    );
    let error = lan
        .switch(host(11, 2), RelayState::On, ms(300))
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            ContactError::NoAnswer {
                how: Silence::NoReply,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn a_plug_that_refuses_tcp() {
    let _plug = answering(12, vec![]);
    let start = Instant::now();
    let error = lan(12)
        .await
        .switch(host(12, 2), RelayState::On, BUDGET)
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            ContactError::NoAnswer {
                how: Silence::Refused,
                ..
            }
        ),
        "{error}"
    );
    assert!(start.elapsed() < ms(1500), "{:?}", start.elapsed());
}

#[tokio::test]
async fn lost_datagrams() {
    let _plug = Plug {
        ignores: 4,
        ..sp2(13)
    }
    .start();
    let found = lan(13).await.presence(host(13, 2), BUDGET).await.unwrap();
    assert_eq!(found.family, FamilyId::Reco);
}

#[tokio::test]
async fn modules_of_unknown_trade() {
    let mut identity = b"127.61.14.2,ACCF235676D6,HF-LPB100".to_vec();
    identity.resize(60, 0);
    let module = Plug {
        scan_reply: None,
        identity: Some(identity),
        answers: vec![],
        ..sp2(14)
    };
    let _module = module.start();
    let lan = lan(14).await;
    let found = lan.presence(host(14, 2), BUDGET).await.unwrap();
    assert_eq!(
        (found.family, found.model.as_deref()),
        (FamilyId::Module, Some("HF-LPB100"))
    );
    let error = lan
        .switch(host(14, 2), RelayState::On, BUDGET)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the device at 127.61.14.2 is a 'module', which cannot switch on"
    );
    assert!(matches!(error, ContactError::Unsupported { .. }));
}

#[tokio::test]
async fn toggling() {
    let plug = sp2(15).start();
    let lan = lan(15).await;
    plug.turn(true);
    let switched = lan.toggle(host(15, 2), BUDGET).await.unwrap();
    assert_eq!(
        (switched.relay, switched.confirmed),
        (Some(RelayState::Off), true)
    );
    let switched = lan.toggle(&switched.plug, Duration::MAX).await.unwrap();
    assert_eq!(
        (switched.relay, switched.confirmed),
        (Some(RelayState::On), true)
    );
    assert!(plug.is_on());
}

#[tokio::test]
async fn several_plugs_at_the_same_time() {
    let plugs: Vec<Running> = (2..12)
        .map(|number| {
            let slow = Answer::ok().moves(Some(u64::from(number) * 20));
            let mac = format!("ACCF231234{number:02X}");
            Plug {
                answers: vec![slow],
                ..Plug::new(host(16, number), &mac)
            }
            .start()
        })
        .collect();
    let lan = lan(16).await;
    let start = Instant::now();
    let orders = (2..12).map(|number| lan.switch(host(16, number), RelayState::On, BUDGET));
    for switched in futures_util::future::join_all(orders).await {
        assert!(switched.unwrap().confirmed);
    }
    assert!(start.elapsed() < ms(1000), "{:?}", start.elapsed());
    assert!(plugs.iter().all(Running::is_on));
}

#[tokio::test]
async fn another_plug_at_that_address() {
    let known = sp2(17).start();
    let lan = lan(17).await;
    let before = lan.presence(host(17, 2), BUDGET).await.unwrap();
    drop(known);
    let _other = Plug::new(host(17, 2), "ACCF23FFFFFF").start();
    let switched = lan.switch(&before, RelayState::On, BUDGET).await.unwrap();
    assert!(!switched.confirmed);
    assert_eq!(switched.relay, None, "another plug's relay says nothing");
    let error = lan.toggle(&before, BUDGET).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "127.61.17.2 does not answer: another plug has this address now"
    );
}

#[tokio::test]
async fn where_the_port_is_taken_nothing_is_switched_blindly() {
    let holder = UdpSocket::bind((host(18, 1), 48899)).unwrap();
    let sp2 = sp2(18).start();
    let other = Plug {
        answers_source_port: true,
        ..Plug::new(host(18, 3), "ACCF23000003")
    };
    let other = other.start();
    let lan = lan(18).await;
    let [taken] = lan.taken() else {
        panic!("{:?}", lan.taken())
    };
    assert!(
        matches!(
            **taken,
            BindError::Taken {
                holder: Some(_),
                port: 48899,
                ..
            }
        ),
        "{taken}"
    );

    let error = lan
        .switch(host(18, 2), RelayState::On, ms(500))
        .await
        .unwrap_err();
    assert!(matches!(&error, ContactError::PortTaken { .. }), "{error}");
    assert_eq!((sp2.commands().len(), sp2.is_on()), (0, false));

    let switched = lan
        .switch(host(18, 3), RelayState::On, BUDGET)
        .await
        .unwrap();
    assert!(switched.confirmed && other.is_on());
    drop(holder);
}

#[tokio::test]
async fn a_known_plug_whose_state_cannot_be_read_is_not_switched() {
    let sp2 = sp2(19).start();
    let plug = lan(19).await.presence(host(19, 2), BUDGET).await.unwrap();
    // The socket closes when the runtime gets round to its reader.
    tokio::time::sleep(ms(50)).await;
    let _holder = UdpSocket::bind((host(19, 1), 48899)).unwrap();
    let lan = lan(19).await;
    let error = lan
        .switch(&plug, RelayState::On, ms(300))
        .await
        .unwrap_err();
    assert!(matches!(&error, ContactError::PortTaken { .. }), "{error}");
    assert_eq!(sp2.commands().len(), 0);
    let error = lan.meter(&plug, BUDGET).await.unwrap_err();
    assert!(
        matches!(&error, ContactError::BadAnswer { .. }),
        "the meter needs no scan: {error}"
    );
}

/// Stands for a network's broadcast: hands each datagram to all plugs.
fn broadcast(network: u8, plugs: &[Running]) {
    let socket = UdpSocket::bind((host(network, 255), 48899)).unwrap();
    let talkers: Vec<_> = plugs.iter().map(|plug| Arc::clone(&plug.talker)).collect();
    std::thread::spawn(move || {
        let mut buffer = [0; 100];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            for talker in &talkers {
                talker.hear(&buffer[..length], from);
            }
        }
    });
}

async fn discover(lan: &Lan, options: DiscoverOptions) -> (Vec<plugs::Plug>, Summary) {
    let mut found: Vec<plugs::Plug> = Vec::new();
    let mut events = lan.discover(options);
    while let Some(event) = events.next().await {
        match event {
            DiscoverEvent::Found(plug) => found.push(plug),
            DiscoverEvent::Updated(plug) => {
                let known = found.iter_mut().find(|known| known.mac == plug.mac);
                *known.unwrap() = plug;
            }
            DiscoverEvent::Done(summary) => {
                found.sort_by_key(|plug| plug.mac);
                return (found, summary);
            }
        }
    }
    panic!("it ended without a summary")
}

#[tokio::test]
async fn discovery_of_plugs_and_modules() {
    let sp2 = Plug {
        identity: Some(b"127.61.20.2,ACCF23123456,HF-LPB100".to_vec()),
        ..sp2(20)
    };
    let five_fields = Plug {
        scan_reply: Some("127.61.20.3,ACCF23123457,040001212,1,%".into()),
        answers_source_port: true,
        ..Plug::new(host(20, 3), "")
    };
    let module = Plug {
        scan_reply: None,
        identity: Some(b"127.61.20.4,ACCF23123458,HF-LPT230\0\0\0".to_vec()),
        ..Plug::new(host(20, 4), "")
    };
    let plugs = [sp2.start(), five_fields.start(), module.start()];
    broadcast(20, &plugs);
    let lan = lan(20).await;
    let start = Instant::now();
    let (found, summary) = discover(&lan, DiscoverOptions::default()).await;
    assert!(start.elapsed() < ms(1500), "{:?}", start.elapsed());
    let shown: Vec<_> = found
        .iter()
        .map(|plug| {
            (
                plug.address,
                plug.family,
                plug.model.as_deref(),
                plug.serial.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            (
                host(20, 2),
                FamilyId::Reco,
                Some("HF-LPB100"),
                Some("900000621")
            ),
            (host(20, 3), FamilyId::Reco, None, Some("040001212")),
            (host(20, 4), FamilyId::Module, Some("HF-LPT230"), None),
        ]
    );
    assert!(summary.unheard.unwrap() < 1e-3, "{summary:?}");
    assert!(summary.probes_sent < 40, "{summary:?}");

    let options = DiscoverOptions {
        expect: Some(3),
        ..DiscoverOptions::default()
    };
    assert_eq!(discover(&lan, options).await.0.len(), 3);
}

#[tokio::test]
async fn discovery_at_known_addresses() {
    let _plug = sp2(21).start();
    let lan = lan(21).await;
    let options = DiscoverOptions {
        known: vec![host(21, 2)],
        wait: Some(ms(500)),
        ..DiscoverOptions::default()
    };
    assert_eq!(discover(&lan, options).await.0.len(), 1);
    let options = DiscoverOptions {
        wait: Some(ms(200)),
        ..DiscoverOptions::default()
    };
    let (found, summary) = discover(&lan, options).await;
    assert_eq!((found.len(), summary.unheard), (0, None));
}

#[tokio::test]
async fn towards_an_address() {
    let _plug = sp2(22).start();
    let lan = Lan::towards(host(22, 2), &[interface(21), interface(22)])
        .await
        .unwrap();
    assert!(lan.presence(host(22, 2), BUDGET).await.is_ok());
    assert!(lan.taken().is_empty());
}

#[tokio::test]
async fn no_interface_to_open() {
    let foreign = Interface {
        address: Ipv4Addr::new(192, 0, 2, 1),
        ..interface(23)
    };
    let error = Lan::open(std::slice::from_ref(&foreign)).await.unwrap_err();
    assert!(matches!(error, BindError::Io { .. }), "{error}");
    assert!(Lan::open(&[foreign, interface(23)]).await.is_ok());
}

/// Networks come and go; what is open meanwhile stays open.
#[tokio::test]
async fn a_lan_follows_the_interfaces() {
    let (first, second) = (interface(70), interface(71));
    let lan = Lan::open(std::slice::from_ref(&first)).await.unwrap();
    assert!(lan.renewed(std::slice::from_ref(&first)).await.is_none());
    let both = lan.renewed(&[first.clone(), second.clone()]).await.unwrap();
    assert_eq!((both.networks(), both.taken().len()), (2, 0));
    drop(lan);
    let plugs = [sp2(70).start(), sp2(71).start()];
    for network in [70, 71] {
        both.presence(host(network, 2), BUDGET).await.unwrap();
    }
    // Another prefix is another broadcast on the same socket.
    let wider = Interface {
        prefix: 16,
        ..first
    };
    let wider = both.renewed(&[wider, second.clone()]).await.unwrap();
    assert_eq!((wider.networks(), wider.taken().len()), (2, 0));
    let one = wider.renewed(&[second]).await.unwrap();
    drop((both, wider));
    assert_eq!(one.networks(), 1);
    one.presence(host(71, 2), BUDGET).await.unwrap();
    let none = one.renewed(&[]).await.unwrap();
    assert_eq!((none.networks(), none.scan_once().await), (0, 0));
    drop(plugs);
}

#[tokio::test]
async fn a_port_that_becomes_free_is_taken_over() {
    let holder = UdpSocket::bind((host(72, 1), 48899)).unwrap();
    let lan = lan(72).await;
    assert_eq!(lan.taken().len(), 1);
    assert!(lan.renewed(&[interface(72)]).await.is_none());
    drop(holder);
    let renewed = lan.renewed(&[interface(72)]).await.unwrap();
    assert!(renewed.taken().is_empty());
}
