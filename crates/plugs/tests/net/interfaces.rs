//! Interfaces that come and go, and ports that another program holds.

use std::net::{Ipv4Addr, UdpSocket};

use hiflying::net::{BindError, Interface};
use plugs::RelayCommand;
use plugs::net::{ContactError, Lan};

use crate::scripted::Plug;
use crate::{BUDGET, host, interface, lan, ms, sp2};

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
    let all_taken = lan.taken();
    let [taken] = &all_taken[..] else {
        panic!("{all_taken:?}")
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
        .plug(host(18, 2))
        .switch(RelayCommand::On, ms(500))
        .await
        .unwrap_err();
    assert!(matches!(&error, ContactError::PortTaken { .. }), "{error}");
    assert_eq!((sp2.commands().len(), sp2.is_on()), (0, false));

    let switched = lan
        .plug(host(18, 3))
        .switch(RelayCommand::On, BUDGET)
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
    let freed = async {
        loop {
            match UdpSocket::bind((host(19, 1), 48899)) {
                Ok(socket) => return socket,
                Err(_) => tokio::time::sleep(ms(5)).await,
            }
        }
    };
    let _holder = tokio::time::timeout(BUDGET, freed).await.unwrap();
    let lan = lan(19).await;
    let error = lan
        .plug(plug.clone())
        .switch(RelayCommand::On, ms(300))
        .await
        .unwrap_err();
    assert!(matches!(&error, ContactError::PortTaken { .. }), "{error}");
    assert_eq!(sp2.commands().len(), 0);
    let error = lan.plug(plug.clone()).meter(BUDGET).await.unwrap_err();
    assert!(
        matches!(&error, ContactError::BadAnswer { .. }),
        "the meter needs no scan: {error}"
    );
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

/// Networks come and go; sockets that are open meanwhile stay open.
#[tokio::test]
async fn a_lan_follows_the_interfaces() {
    let (first, second) = (interface(70), interface(71));
    let lan = Lan::open(std::slice::from_ref(&first)).await.unwrap();
    assert!(!lan.renew(std::slice::from_ref(&first)).await);
    assert!(lan.renew(&[first.clone(), second.clone()]).await);
    assert_eq!((lan.network_count(), lan.taken().len()), (2, 0));
    let plugs = [sp2(70).start(), sp2(71).start()];
    for network in [70, 71] {
        lan.presence(host(network, 2), BUDGET).await.unwrap();
    }
    // Another prefix is another broadcast on the same socket.
    let wider = Interface {
        prefix: 16,
        ..first
    };
    assert!(lan.renew(&[wider, second.clone()]).await);
    assert_eq!((lan.network_count(), lan.taken().len()), (2, 0));
    assert!(lan.renew(&[second]).await);
    assert_eq!(lan.network_count(), 1);
    lan.presence(host(71, 2), BUDGET).await.unwrap();
    assert!(lan.renew(&[]).await);
    assert_eq!((lan.network_count(), lan.scan_once().await), (0, 0));
    drop(plugs);
}

#[tokio::test]
async fn a_port_that_becomes_free_is_taken_over() {
    let holder = UdpSocket::bind((host(72, 1), 48899)).unwrap();
    let lan = lan(72).await;
    assert_eq!(lan.taken().len(), 1);
    assert!(!lan.renew(&[interface(72)]).await);
    drop(holder);
    assert!(lan.renew(&[interface(72)]).await);
    assert!(lan.taken().is_empty());
}
