//! Discovery over sockets.

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt;
use plugs::net::{DiscoverEvent, DiscoverOptions, DiscoverySummary, Lan};
use plugs::{FamilyId, discovery};

use crate::scripted::{Plug, Running};
use crate::{host, lan, ms, sp2};

/// Emulates a network's broadcast: passes each datagram to all plugs.
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

async fn discover(lan: &Lan, options: DiscoverOptions) -> (Vec<plugs::Plug>, DiscoverySummary) {
    let mut found: Vec<plugs::Plug> = Vec::new();
    let mut events = lan.discover(options);
    while let Some(event) = events.next().await {
        match event {
            DiscoverEvent::Found(plug) => found.push(plug),
            DiscoverEvent::Updated(plug) => {
                let known = found.iter_mut().find(|known| known.mac == plug.mac);
                *known.unwrap() = plug;
            }
            DiscoverEvent::Lost(plug) => panic!("{plug:?} is lost"),
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
    assert!(
        start.elapsed() < discovery::SILENT_SEARCH_TIMEOUT,
        "{:?}",
        start.elapsed()
    );
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
            (host(20, 2), FamilyId::RECO, None, Some("900000621")),
            (host(20, 3), FamilyId::RECO, None, Some("040001212")),
            (host(20, 4), FamilyId::MODULE, Some("HF-LPT230"), None),
        ]
    );
    assert!(summary.unheard.unwrap() < 1e-3, "{summary:?}");
    assert!(summary.probes_sent < 100, "{summary:?}");

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
