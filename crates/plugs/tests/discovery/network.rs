//! A simulated network in virtual time: devices, loss, delays, copies.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::rc::Rc;
use std::time::{Duration, Instant};

use hiflying::{DiscoveryWord, Mac, ModuleIdentity, PORT};
use jiff::Timestamp;
use plugs::Plug;
use plugs::discovery::{
    DiscoverEvent, Discovery, DiscoverySummary, DiscoveryTransmit, SearchLink, SearchPlan,
};
use plugs::reco::SCAN_WORD;

/// A random generator of known quality and few lines (SplitMix64), so that a seed always means the same network.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn chance(&mut self, chance: f64) -> bool {
        ((self.next() >> 11) as f64) < chance * (1_u64 << 53) as f64
    }

    fn between(&mut self, range: &std::ops::Range<u64>) -> Duration {
        let width = (range.end - range.start).max(1);
        Duration::from_micros(range.start * 1000 + self.next() % (width * 1000))
    }
}

/// A device on the simulated network.
#[derive(Clone)]
pub(crate) struct ScriptedDevice {
    pub(crate) mac: Mac,
    pub(crate) address: Ipv4Addr,
    /// `true` if it replies to the scan of plugs.
    pub(crate) is_plug: bool,
    /// The discovery word to which its module replies.
    pub(crate) word: Option<DiscoveryWord>,
    /// The probability that a datagram to it, or from it, gets lost.
    pub(crate) loss: f64,
    /// The delay of a reply, in milliseconds.
    pub(crate) delay: std::ops::Range<u64>,
    /// The number of copies of each reply that it sends.
    pub(crate) copies: usize,
}

impl ScriptedDevice {
    pub(crate) fn plug(number: u16, loss: f64) -> Self {
        let [high, low] = number.to_be_bytes();
        Self {
            mac: Mac::new([0xAC, 0xCF, 0x23, 0, high, low]),
            address: Ipv4Addr::new(10, 77, high, low),
            is_plug: true,
            word: Some(DiscoveryWord::HF_A11),
            loss,
            delay: 1..30,
            copies: 1,
        }
    }

    pub(crate) fn module(number: u16, loss: f64, word: DiscoveryWord) -> Self {
        Self {
            is_plug: false,
            word: Some(word),
            ..Self::plug(number, loss)
        }
    }

    fn scan_reply(&self) -> Rc<[u8]> {
        let (address, mac) = (self.address, self.mac.compact());
        format!("{address},{mac},900000621,0,0,")
            .into_bytes()
            .into()
    }

    fn identity(&self) -> Rc<[u8]> {
        let identity = ModuleIdentity {
            address: self.address,
            mac: self.mac,
            module: Some("HF-LPB100".into()),
            extra: None,
        };
        identity.emit().into()
    }
}

pub(crate) fn plugs(count: u16, loss: f64) -> Vec<ScriptedDevice> {
    (1..=count)
        .map(|number| ScriptedDevice::plug(number, loss))
        .collect()
}

pub(crate) const OWN: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 0);

pub(crate) fn options() -> SearchPlan {
    SearchPlan {
        links: vec![SearchLink {
            address: OWN,
            prefix: 16,
            broadcast: Some(Ipv4Addr::new(10, 77, 255, 255)),
        }],
        ..SearchPlan::default()
    }
}

/// Datagrams on their way to us: time of arrival, order of sending, sender, content.
type Answers = BinaryHeap<Reverse<(Instant, u64, Ipv4Addr, Rc<[u8]>)>>;

pub(crate) struct Run {
    pub(crate) found: BTreeMap<Mac, Plug>,
    /// Time until the first report of each device, in order.
    pub(crate) found_after: Vec<Duration>,
    pub(crate) elapsed: Duration,
    pub(crate) summary: DiscoverySummary,
}

impl Run {
    pub(crate) fn milliseconds(&self) -> u128 {
        self.elapsed.as_millis()
    }
}

struct Peer<'a> {
    device: &'a ScriptedDevice,
    scan_reply: Rc<[u8]>,
    identity: Rc<[u8]>,
}

struct Network<'a> {
    peers: Vec<Peer<'a>>,
    random: Random,
    answers: Answers,
    sent: u64,
}

impl Network<'_> {
    fn deliver(&mut self, now: Instant, transmit: &DiscoveryTransmit, broadcast: Option<Ipv4Addr>) {
        let is_broadcast = Some(*transmit.to.ip()) == broadcast;
        for peer in &self.peers {
            let device = peer.device;
            if !is_broadcast && *transmit.to.ip() != device.address {
                continue;
            }
            let knows = |word: &DiscoveryWord| word.matches(&transmit.bytes);
            let answer = if device.is_plug && *transmit.bytes == *SCAN_WORD {
                &peer.scan_reply
            } else if device.word.as_ref().is_some_and(knows) {
                &peer.identity
            } else {
                continue;
            };
            if self.random.chance(device.loss) {
                continue;
            }
            for _ in 0..device.copies {
                if !self.random.chance(device.loss) {
                    self.sent += 1;
                    let arrives = now + self.random.between(&device.delay);
                    self.answers.push(Reverse((
                        arrives,
                        self.sent,
                        device.address,
                        Rc::clone(answer),
                    )));
                }
            }
        }
    }
}

pub(crate) fn run(devices: &[ScriptedDevice], options: SearchPlan, seed: u64) -> Run {
    let start = Instant::now();
    let mut now = start;
    let broadcast = options.links.iter().find_map(|link| link.broadcast);
    let mut network = Network {
        peers: devices
            .iter()
            .map(|device| Peer {
                device,
                scan_reply: device.scan_reply(),
                identity: device.identity(),
            })
            .collect(),
        random: Random(seed),
        answers: Answers::new(),
        sent: 0,
    };
    let mut discovery = Discovery::new(plugs::families::all(), options, now, Timestamp::UNIX_EPOCH);
    let mut found = BTreeMap::new();
    let mut found_after = Vec::new();
    loop {
        while let Some(transmit) = discovery.poll_transmit() {
            // No device of these networks listens on the port of another family.
            if transmit.local_port == PORT {
                network.deliver(now, &transmit, broadcast);
            }
        }
        while let Some(event) = discovery.poll_event() {
            match event {
                DiscoverEvent::Found(plug) => {
                    found_after.push(now - start);
                    assert_eq!(found.insert(plug.mac, plug), None, "found once");
                }
                DiscoverEvent::Updated(plug) => {
                    let before = found.insert(plug.mac, plug);
                    assert!(before.is_some(), "found before it is updated");
                }
                DiscoverEvent::Lost(plug) => panic!("{plug:?} is lost"),
                DiscoverEvent::Done(summary) => {
                    assert_eq!(discovery.poll_timeout(), None);
                    let elapsed = now - start;
                    return Run {
                        found,
                        found_after,
                        elapsed,
                        summary,
                    };
                }
            }
        }
        let timer = discovery.poll_timeout().expect("not done");
        match network.answers.peek() {
            Some(Reverse((at, ..))) if *at <= timer => {
                now = *at;
                if let Some(Reverse((_, _, from, bytes))) = network.answers.pop() {
                    discovery.handle_datagram(now, PORT, SocketAddrV4::new(from, PORT), &bytes);
                }
            }
            _ => {
                now = timer.max(now);
                discovery.handle_timeout(now);
            }
        }
    }
}
