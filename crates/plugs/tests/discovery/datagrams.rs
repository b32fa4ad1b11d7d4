//! Handling of single datagrams by a discovery, in any order and from any sender.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use hiflying::PORT;
use jiff::Timestamp;
use plugs::discovery::{DiscoverEvent, Discovery, DiscoveryTransmit, SearchPlan};
use plugs::{FamilyId, Plug, RelayState};
use proptest::prelude::*;

use crate::ms;
use crate::network::{OWN, options};

/// A separate discovery, to which datagrams are passed one by one.
struct Desk {
    discovery: Discovery,
    now: Instant,
}

impl Desk {
    fn new(options: SearchPlan) -> Self {
        let now = Instant::now();
        Self {
            discovery: Discovery::new(plugs::families::all(), options, now, Timestamp::UNIX_EPOCH),
            now,
        }
    }

    fn hear(&mut self, from: [u8; 4], datagram: &[u8]) -> Vec<DiscoverEvent> {
        let from = SocketAddrV4::new(from.into(), PORT);
        self.discovery
            .handle_datagram(self.now, PORT, from, datagram);
        std::iter::from_fn(|| self.discovery.poll_event()).collect()
    }

    fn pass(&mut self, time: Duration) -> Vec<DiscoverEvent> {
        let end = self.now + time;
        while let Some(next) = self.discovery.poll_timeout().filter(|&next| next <= end) {
            self.now = next;
            self.discovery.handle_timeout(next);
        }
        self.now = end;
        std::iter::from_fn(|| self.discovery.poll_event()).collect()
    }
}

const SCAN_REPLY: &[u8] = b"10.77.0.1,ACCF23123456,900000621,0,1,";

#[test]
fn a_watching_discovery_reports_who_falls_silent_and_who_is_back() {
    let mut desk = Desk::new(SearchPlan {
        watch: true,
        ..options()
    });
    desk.hear([10, 77, 0, 1], SCAN_REPLY);
    for _ in 0..20 {
        assert_eq!(desk.pass(Duration::from_secs(5)), []);
        desk.hear([10, 77, 0, 1], SCAN_REPLY);
    }
    while desk.discovery.poll_transmit().is_some() {}
    assert_eq!(desk.pass(Duration::from_secs(10)), []);
    let transmits = std::iter::from_fn(|| desk.discovery.poll_transmit());
    let mut direct = transmits.map(|transmit| *transmit.to.ip());
    assert!(
        direct.any(|to| to == Ipv4Addr::new(10, 77, 0, 1)),
        "it is also probed directly"
    );
    let lost = desk.pass(Duration::from_secs(10));
    assert!(matches!(&lost[..], [DiscoverEvent::Lost(_)]), "{lost:?}");
    assert_eq!(desk.pass(Duration::from_secs(60)), [], "it is lost once");
    let back = desk.hear([10, 77, 0, 1], SCAN_REPLY);
    assert!(matches!(&back[..], [DiscoverEvent::Updated(_)]), "{back:?}");
}

#[test]
fn the_probes_of_a_round() {
    let mut desk = Desk::new(options());
    desk.pass(ms(40));
    let transmits: Vec<DiscoveryTransmit> =
        std::iter::from_fn(|| desk.discovery.poll_transmit()).collect();
    let expected = [
        (48899, &b"YZ-RECOSCAN"[..]),
        (10_000, b"hd\x00\x06qa"),
        (48899, b"HF-A11ASSISTHREAD"),
        (48899, b"WIFIKIT-214028-READ"),
    ]
    .map(|(port, bytes)| DiscoveryTransmit {
        link: 0,
        local_port: port,
        to: SocketAddrV4::new(Ipv4Addr::new(10, 77, 255, 255), port),
        bytes: bytes.into(),
    });
    assert_eq!(transmits, expected);
}

#[test]
fn echoes_and_strangers_are_no_plugs() {
    let mut desk = Desk::new(options());
    assert_eq!(desk.hear(OWN.octets(), SCAN_REPLY), [], "from ourselves");
    assert_eq!(desk.hear([10, 77, 0, 1], b"YZ-RECOSCAN"), []);
    assert_eq!(desk.hear([10, 77, 0, 1], b"+ok"), []);
    let from = SocketAddrV4::new([10, 77, 0, 1].into(), PORT);
    desk.discovery
        .handle_datagram(desk.now, 10_000, from, SCAN_REPLY);
    assert_eq!(
        desk.discovery.poll_event(),
        None,
        "to another family's port"
    );
}

#[test]
fn the_sender_is_trusted_and_the_latest_address_wins() {
    let mut desk = Desk::new(options());
    let [DiscoverEvent::Found(plug)] = &desk.hear([10, 77, 0, 8], SCAN_REPLY)[..] else {
        unreachable!("one event")
    };
    assert_eq!(plug.address, Ipv4Addr::new(10, 77, 0, 8));
    assert_eq!(
        desk.hear([10, 77, 0, 8], SCAN_REPLY),
        [],
        "nothing new about it"
    );
    let moved = Plug {
        address: Ipv4Addr::new(10, 77, 0, 9),
        ..plug.clone()
    };
    assert_eq!(
        desk.hear([10, 77, 0, 9], SCAN_REPLY),
        [DiscoverEvent::Updated(moved)]
    );
}

#[test]
fn a_module_is_held_back_for_a_moment() {
    let identity = b"10.77.0.1,ACCF23123456,HF-LPB100";
    let mut desk = Desk::new(options());
    assert_eq!(desk.hear([10, 77, 0, 1], identity), []);
    assert_eq!(desk.pass(ms(900)), []);
    let events = desk.pass(ms(200));
    assert!(
        matches!(&events[..], [DiscoverEvent::Found(plug)] if plug.family == FamilyId::MODULE),
        "{events:?}"
    );
    let events = desk.hear([10, 77, 0, 1], SCAN_REPLY);
    assert!(
        matches!(&events[..], [DiscoverEvent::Updated(plug)]
            if plug.family == FamilyId::RECO && plug.model.is_none()),
        "{events:?}"
    );
}

#[test]
fn watching_goes_on_and_tells_changes() {
    let mut desk = Desk::new(SearchPlan {
        watch: true,
        ..options()
    });
    assert_eq!(desk.hear([10, 77, 0, 1], SCAN_REPLY).len(), 1);
    for _ in 0..360 {
        assert_eq!(desk.pass(Duration::from_secs(10)), []);
        assert_eq!(desk.hear([10, 77, 0, 1], SCAN_REPLY), []);
    }
    desk.pass(ms(500));
    let off = desk.hear([10, 77, 0, 1], b"10.77.0.1,ACCF23123456,900000621,0,0,");
    assert!(
        matches!(&off[..], [DiscoverEvent::Updated(plug)] if plug.relay == Some(RelayState::Off)),
        "{off:?}"
    );
    let probes = std::iter::from_fn(|| desk.discovery.poll_transmit()).count();
    assert!((3 * 3600..5 * 3600).contains(&probes), "{probes}");
}

#[test]
fn a_stranger_cannot_fill_the_memory() {
    let mut desk = Desk::new(options());
    let mut found = 0;
    for number in 0..70_000_u32 {
        let [_, a, b, c] = number.to_be_bytes();
        let datagram = format!("10.77.0.1,AC00{:02X}{a:02X}{b:02X}{c:02X},,,1", 0);
        found += desk.hear([10, 77, 0, 1], datagram.as_bytes()).len();
    }
    assert_eq!(found, 16_384);
    let done = desk.pass(Duration::from_secs(7));
    assert!(
        matches!(&done[..], [DiscoverEvent::Done(_)]),
        "{}",
        done.len()
    );
}

proptest! {
    #[test]
    fn any_datagrams_at_any_time(
        datagrams in prop::collection::vec(
            (0..400u64, any::<[u8; 4]>(), prop_oneof![
                any::<Vec<u8>>(),
                "[0-9.]{0,12}(,[0-9A-F]{12}(,[ -~]{0,8}){0,6})?".prop_map(String::into_bytes),
                Just(SCAN_REPLY.to_vec()),
                Just(b"10.77.0.1,ACCF23123456,HF-LPB100".to_vec()),
            ]),
            0..60,
        ),
        watch: bool,
        expect in prop::option::of(0..4usize),
    ) {
        let mut desk = Desk::new(SearchPlan { watch, expect, ..options() });
        let mut done = 0;
        for (wait, from, datagram) in datagrams {
            let mut events = desk.pass(ms(wait));
            events.extend(desk.hear(from, &datagram));
            done += events.iter().filter(|event| matches!(event, DiscoverEvent::Done(_))).count();
        }
        let events = desk.pass(Duration::from_secs(10));
        done += events.iter().filter(|event| matches!(event, DiscoverEvent::Done(_))).count();
        prop_assert_eq!(done, usize::from(!watch));
    }
}
