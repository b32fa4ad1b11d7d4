//! Searches on loopback, with ports of their own, answered by sockets that a test scripts.

use std::net::{SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use simple_dns::rdata::{A, PTR, RData, SRV};
use simple_dns::{CLASS, Name, Packet, ResourceRecord};
use socket2::{Domain, Protocol, Socket, Type};

use super::super::tests::certificates::{own, square};
use super::super::tests::server::{ScriptedHttpReply, ScriptedServer};
use super::super::tests::{ROUND, ROUND_ID, SQUARE, SQUARE_ID, network};
use super::*;

const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;
const SEARCH_TIME: Duration = Duration::from_millis(900);

fn on_loopback() -> NetworkConfig {
    NetworkConfig {
        interfaces: vec![LocalInterface {
            device: "lo".to_owned(),
            address: LOOPBACK,
            prefix: 8,
        }],
        ..network()
    }
}

/// DiscoveryPorts that nobody else uses now.
fn ports() -> DiscoveryPorts {
    let free = || {
        let socket = std::net::UdpSocket::bind((LOOPBACK, 0)).unwrap();
        socket.local_addr().unwrap().port()
    };
    DiscoveryPorts {
        mdns: free(),
        ssdp: free(),
    }
}

/// Answers what is sent to a group, to whoever asked or to the group, and counts the questions.
fn responder(
    group: Ipv4Addr,
    port: u16,
    to_group: bool,
    answer: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static,
) -> Arc<AtomicUsize> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.set_reuse_port(true).unwrap();
    socket.bind(&SocketAddrV4::new(group, port).into()).unwrap();
    socket.join_multicast_v4(&group, &LOOPBACK).unwrap();
    socket.set_multicast_if_v4(&LOOPBACK).unwrap();
    let socket = std::net::UdpSocket::from(socket);
    let heard = Arc::new(AtomicUsize::new(0));
    let count = heard.clone();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let answers = answer(&buffer[..length]);
            count.fetch_add(usize::from(!answers.is_empty()), Ordering::SeqCst);
            let group = SocketAddr::from((group, port));
            for datagram in answers {
                socket
                    .send_to(&datagram, if to_group { group } else { from })
                    .unwrap();
            }
        }
    });
    heard
}

fn ssdp(port: u16, server: &ScriptedServer) -> Arc<AtomicUsize> {
    let location = server.at;
    responder(ssdp::GROUP, port, false, move |question| {
        assert!(question.starts_with(b"M-SEARCH * HTTP/1.1\r\n"));
        vec![format!("HTTP/1.1 200 OK\r\nSERVER: Linux UPnP/1.0 IpBridge/1.13.0\r\nLOCATION: http://{location}/description.xml\r\n\r\n").into_bytes()]
    })
}

fn mdns(port: u16, to_group: bool, at: SocketAddr) -> Arc<AtomicUsize> {
    responder(mdns::GROUP, port, to_group, move |question| {
        let question = Packet::parse(question).unwrap();
        if question.questions.is_empty() {
            // An answer that went to the group.
            return Vec::new();
        }
        let IpAddr::V4(host) = at.ip() else {
            unreachable!()
        };
        let name = Name::new_unchecked;
        let record = |owner, data| ResourceRecord::new(name(owner), CLASS::IN, 120, data);
        let (instance, target) = ("Hue Bridge - 010203._hue._tcp.local", "001788010203.local");
        let mut packet = Packet::new_reply(0);
        packet
            .answers
            .push(record("_hue._tcp.local", RData::PTR(PTR(name(instance)))));
        let service = SRV {
            priority: 0,
            weight: 0,
            port: at.port(),
            target: name(target),
        };
        packet
            .additional_records
            .push(record(instance, RData::SRV(service)));
        let address = A {
            address: host.to_bits(),
        };
        packet
            .additional_records
            .push(record(target, RData::A(address)));
        vec![packet.build_bytes_vec_compressed().unwrap()]
    })
}

fn waiting(wait: Duration) -> DiscoveryOptions {
    DiscoveryOptions {
        wait,
        ..DiscoveryOptions::default()
    }
}

async fn search(ports: DiscoveryPorts) -> (Vec<FoundBridge>, usize) {
    let mut told = 0;
    let tell = |_: &FoundBridge| {
        told += 1;
        ControlFlow::Continue(())
    };
    let found = search_local(&on_loopback(), ports, &waiting(SEARCH_TIME), tell)
        .await
        .unwrap();
    (found, told)
}

fn id(found: &FoundBridge) -> &str {
    found.identity.id.as_ref().unwrap().as_str()
}

#[tokio::test]
async fn a_round_bridge_answers_to_ssdp() {
    let ports = ports();
    let server = ScriptedServer::http(|_| ScriptedHttpReply::json(ROUND));
    let heard = ssdp(ports.ssdp, &server);
    let (found, told) = search(ports).await;
    assert_eq!((found.len(), told), (1, 1));
    assert_eq!(
        (id(&found[0]), &found[0].address),
        (ROUND_ID, &server.address("http://"))
    );
    // Two questions, twice in this time.
    assert_eq!(heard.load(Ordering::SeqCst), 4);
    assert_eq!(
        server.requests().len(),
        1,
        "it is asked once which bridge it is"
    );
}

#[tokio::test]
async fn the_newest_bridge_answers_to_mdns() {
    for to_group in [false, true] {
        let ports = ports();
        let server = square(own(SQUARE_ID));
        mdns(ports.mdns, to_group, server.at);
        let (found, _) = search(ports).await;
        assert_eq!(found.len(), 1, "{to_group}");
        assert_eq!(
            (id(&found[0]), &found[0].address),
            (SQUARE_ID, &server.address("https://"))
        );
    }
}

#[tokio::test]
async fn a_bridge_on_two_ways_is_one_and_the_one_with_a_certificate_counts() {
    let ports = ports();
    let (secure, plain) = (
        square(own(SQUARE_ID)),
        ScriptedServer::http(|_| ScriptedHttpReply::json(SQUARE)),
    );
    mdns(ports.mdns, false, secure.at);
    ssdp(ports.ssdp, &plain);
    let (found, told) = search(ports).await;
    assert_eq!((found.len(), told), (1, 1), "{found:?}");
    assert_eq!(found[0].address, secure.address("https://"));
}

#[tokio::test]
async fn a_search_for_one_bridge_stops_when_it_answers() {
    let ports = ports();
    let server = ScriptedServer::http(|_| ScriptedHttpReply::json(ROUND));
    ssdp(ports.ssdp, &server);
    let begun = Instant::now();
    let wait = Duration::from_secs(20);
    let found = search_local(&on_loopback(), ports, &waiting(wait), |_| {
        ControlFlow::Break(())
    })
    .await
    .unwrap();
    assert_eq!(found.len(), 1);
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn forgers_and_others_are_no_bridges() {
    let ports = ports();
    let other = ScriptedServer::http(|_| ScriptedHttpReply::json("[]"));
    ssdp(ports.ssdp, &other);
    // Hundreds of addresses where nothing is.
    responder(mdns::GROUP, ports.mdns, false, |_| {
        let name = Name::new_unchecked;
        let answers = (0..=255).map(|last| {
            let mut packet = Packet::new_reply(0);
            let service = SRV {
                priority: 0,
                weight: 0,
                port: 9,
                target: name("x.local"),
            };
            let owner = || name("x._hue._tcp.local");
            packet.answers.push(ResourceRecord::new(
                owner(),
                CLASS::IN,
                9,
                RData::SRV(service),
            ));
            let address = A {
                address: Ipv4Addr::new(127, 91, 9, last).to_bits(),
            };
            packet.answers.push(ResourceRecord::new(
                name("x.local"),
                CLASS::IN,
                9,
                RData::A(address),
            ));
            packet.build_bytes_vec().unwrap()
        });
        answers.chain([vec![0; 3], vec![0xff; 1400]]).collect()
    });
    let begun = Instant::now();
    let (found, _) = search(ports).await;
    assert!(found.is_empty(), "{found:?}");
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn an_interface_that_is_not_there_is_named() {
    let network = NetworkConfig {
        interfaces: vec![LocalInterface {
            device: "wlan7".to_owned(),
            address: Ipv4Addr::new(192, 0, 2, 1),
            prefix: 24,
        }],
        ..network()
    };
    let error = discover(&network, &DiscoveryOptions::default(), |_| ())
        .await
        .unwrap_err();
    assert!(matches!(error, HueError::Local { .. }), "{error:?}");
    assert!(error.to_string().contains("wlan7"), "{error}");
    // Another that can be used is searched all the same.
    let mut both = network;
    both.interfaces.extend(on_loopback().interfaces);
    let ports = DiscoveryPorts { mdns: 1, ssdp: 1 };
    let options = DiscoveryOptions {
        wait: Duration::ZERO,
        ..DiscoveryOptions::default()
    };
    let found = search_local(&both, ports, &options, |_| ControlFlow::Continue(())).await;
    assert_eq!(found.unwrap(), []);
    let nowhere = NetworkConfig::default();
    let id = SQUARE_ID.parse().unwrap();
    assert!(matches!(
        locate(&nowhere, &id).await,
        Err(HueError::NoSuchBridge(_))
    ));
}
