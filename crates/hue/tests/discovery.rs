//! Discovery on its real ports, in a network namespace of its own, answered by a published mDNS responder and a scripted SSDP
//! socket.
#![expect(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail like tests"
)]

#[allow(
    dead_code,
    reason = "shared with other tests, which use other parts of it"
)]
#[path = "../../mains/tests/cli/needs.rs"]
mod needs;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::time::{Duration, Instant};

use hue::net::{
    BridgeTimeouts, CertificateTrust, DiscoveryOptions, FoundBridge, LocalInterface, NetworkConfig,
    discover, locate, open,
};
use hue::{BridgeId, BridgeName, HueError, HueModel, KeyRing, PairedBridge};
use mdns_sd::{IfKind, ServiceDaemon, ServiceInfo};

const SQUARE: &str = r#"{"name":"Hue Bridge","swversion":"1943185030","apiversion":"1.43.0","mac":"00:17:88:01:02:03","bridgeid":"001788FFFE010203","modelid":"BSB002"}"#;
const ROUND: &str = r#"{"name":"Philips hue","swversion":"01032318","apiversion":"1.13.0","mac":"00:17:88:0a:0b:0c","bridgeid":"001788FFFE0A0B0C","modelid":"BSB001"}"#;

/// A bridge that says which one it is, on port 80.
fn bridge(host: Ipv4Addr, config: &'static str) {
    let listener = TcpListener::bind((host, 80)).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).unwrap();
            let length = config.len();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
            stream
                .write_all(&[head.as_bytes(), config.as_bytes()].concat())
                .unwrap();
        }
    });
}

/// Answers searches as a round bridge does.
fn ssdp(host: Ipv4Addr) {
    let group = Ipv4Addr::new(239, 255, 255, 250);
    let socket = UdpSocket::bind((group, 1900)).unwrap();
    socket
        .join_multicast_v4(&group, &Ipv4Addr::LOCALHOST)
        .unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 1024];
        loop {
            let (length, from) = socket.recv_from(&mut buffer).unwrap();
            assert!(buffer[..length].starts_with(b"M-SEARCH"));
            let answer = format!(
                "HTTP/1.1 200 OK\r\nHOST: 239.255.255.250:1900\r\nEXT:\r\nCACHE-CONTROL: max-age=100\r\nLOCATION: http://{host}:80/description.xml\r\nSERVER: FreeRTOS/7.4.2 UPnP/1.0 IpBridge/1.13.0\r\nhue-bridgeid: 001788FFFE0A0B0C\r\nST: upnp:rootdevice\r\nUSN: uuid:2f402f80-da50-11e1-9b23-0017880a0b0c::upnp:rootdevice\r\n\r\n"
            );
            socket.send_to(answer.as_bytes(), from).unwrap();
        }
    });
}

/// Announces a square bridge as it does.
fn mdns(host: Ipv4Addr) -> ServiceDaemon {
    let daemon = ServiceDaemon::new().unwrap();
    daemon.enable_interface(IfKind::LoopbackV4).unwrap();
    let info = ServiceInfo::new(
        "_hue._tcp.local.",
        "Philips Hue - 010203",
        "001788010203.local.",
        std::net::IpAddr::V4(host),
        443,
        [("bridgeid", "001788fffe010203"), ("modelid", "BSB002")].as_slice(),
    );
    daemon.register(info.unwrap()).unwrap();
    daemon
}

fn network() -> NetworkConfig {
    NetworkConfig {
        interfaces: vec![LocalInterface {
            device: "lo".to_owned(),
            address: Ipv4Addr::LOCALHOST,
            prefix: 8,
        }],
        timeouts: BridgeTimeouts {
            connect: Duration::from_secs(1),
            ..BridgeTimeouts::default()
        },
        ..NetworkConfig::default()
    }
}

fn seen(found: &[FoundBridge]) -> Vec<(String, String)> {
    let seen = found.iter().map(|bridge| {
        let id = bridge.identity.id.as_ref().map(BridgeId::to_string);
        (id.unwrap(), bridge.address.to_string())
    });
    let mut seen: Vec<_> = seen.collect();
    seen.sort();
    seen
}

/// A bridge that was elsewhere when it was paired with is opened by its id, and from then on known where it is.
async fn moved(ring: &KeyRing) {
    let id: BridgeId = "001788fffe0a0b0c".parse().unwrap();
    let entry = PairedBridge {
        id: id.clone(),
        key: "KEY0".parse().unwrap(),
        address: "http://127.0.0.31".parse().unwrap(),
        name: None,
        model: HueModel::Round,
        software: None,
        api: None,
        pin: None,
        root_signed: false,
        paired_at: "2026-11-23T10:00:00Z".parse().unwrap(),
    };
    ring.save(entry).unwrap();
    let name = BridgeName::Id(id.clone());
    let opened = open(&network(), ring, &name, None, &CertificateTrust::default())
        .await
        .unwrap();
    assert_eq!(opened.key.expose(), "KEY0");
    assert_eq!(opened.connection.address().to_string(), "http://127.0.0.30");
    let now = ring.bridge(&id).unwrap().unwrap();
    assert_eq!(
        (now.address, now.name.as_deref()),
        (opened.connection.address(), Some("Philips hue"))
    );
}

#[test]
fn bridges_that_announce_themselves_are_found() {
    if !needs::own_network() {
        return needs::skip("no network namespace can be made here");
    }
    // The addresses are the network's own: mDNS tells of no other.
    let (round, square) = (Ipv4Addr::new(127, 0, 0, 30), Ipv4Addr::LOCALHOST);
    bridge(round, ROUND);
    bridge(square, SQUARE);
    ssdp(round);
    let daemon = mdns(square);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut told = Vec::new();
        let search = DiscoveryOptions {
            // The responder probes for its name before it answers.
            wait: Duration::from_secs(4),
            ..DiscoveryOptions::default()
        };
        let (found, _) = discover(&network(), &search, |bridge| told.push(bridge.clone()))
            .await
            .unwrap();
        let expected = [
            ("001788fffe010203", "127.0.0.1"),
            ("001788fffe0a0b0c", "127.0.0.30"),
        ]
        .map(|(id, address)| (id.to_owned(), address.to_owned()));
        assert_eq!(seen(&found), expected);
        assert_eq!(seen(&told), expected);

        let begun = Instant::now();
        let id = "001788fffe0a0b0c".parse().unwrap();
        let found = locate(&network(), &id).await.unwrap();
        assert_eq!(found.address.to_string(), "127.0.0.30");
        assert!(begun.elapsed() < DiscoveryOptions::default().wait);
        let ring_folder = tempfile::tempdir().unwrap();
        moved(&KeyRing::new(ring_folder.path())).await;
        let nobody = "001788fffeffffff".parse().unwrap();
        assert!(
            matches!(locate(&network(), &nobody).await, Err(HueError::NoSuchBridge(id)) if id == nobody)
        );
    });
    daemon.shutdown().unwrap();
}

#[test]
fn a_port_that_is_taken_does_not_stop_the_search() {
    if !needs::own_network() {
        return needs::skip("no network namespace can be made here");
    }
    let taken = UdpSocket::bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 5353))).unwrap();
    let round = Ipv4Addr::new(127, 0, 0, 30);
    bridge(round, ROUND);
    ssdp(round);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let found = runtime
        .block_on(discover(&network(), &DiscoveryOptions::default(), |_| ()))
        .unwrap();
    assert_eq!(found.0.len(), 1);
    drop(taken);
}
