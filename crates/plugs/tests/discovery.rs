//! Discovery on simulated networks, in virtual time: loss, delay, copies, strangers.
//!
//! `MAINS_TEST_SCALE=20` runs twenty times as many networks as usual.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests"
)]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::rc::Rc;
use std::time::{Duration, Instant};

use hiflying::{Identity, Mac, PORT, Word};
use jiff::Timestamp;
use plugs::discovery::{Discovery, Event, Link, Options, Summary, Transmit};
use plugs::reco::{SCAN_WORD, ScanReply};
use plugs::{FamilyId, Plug, RelayState};
use proptest::prelude::*;

/// A generator of known quality and few lines (SplitMix64), so that a seed means the same network for ever.
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
struct Device {
    mac: Mac,
    address: Ipv4Addr,
    /// Whether it answers the scan of plugs.
    is_plug: bool,
    /// The discovery word that its module answers.
    word: Option<Word>,
    /// The chance that a datagram to it, or from it, gets lost.
    loss: f64,
    /// How long an answer takes, in milliseconds.
    delay: std::ops::Range<u64>,
    /// How many copies of each answer it sends.
    copies: usize,
}

impl Device {
    fn plug(number: u16, loss: f64) -> Self {
        let [high, low] = number.to_be_bytes();
        Self {
            mac: Mac::new([0xAC, 0xCF, 0x23, 0, high, low]),
            address: Ipv4Addr::new(10, 77, high, low),
            is_plug: true,
            word: Some(Word::HF_A11),
            loss,
            delay: 1..30,
            copies: 1,
        }
    }

    fn module(number: u16, loss: f64, word: Word) -> Self {
        Self {
            is_plug: false,
            word: Some(word),
            ..Self::plug(number, loss)
        }
    }

    fn scan_reply(&self) -> Rc<[u8]> {
        let reply = ScanReply {
            address: self.address,
            mac: self.mac,
            serial: "900000621".into(),
            res: "0".into(),
            status: Some(RelayState::Off),
            extra: Some(String::new()),
        };
        reply.emit().into()
    }

    fn identity(&self) -> Rc<[u8]> {
        let identity = Identity {
            address: self.address,
            mac: self.mac,
            module: Some("HF-LPB100".into()),
            extra: None,
        };
        identity.emit().into()
    }
}

fn plugs(count: u16, loss: f64) -> Vec<Device> {
    (1..=count)
        .map(|number| Device::plug(number, loss))
        .collect()
}

const OWN: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 0);

fn options() -> Options {
    Options {
        links: vec![Link {
            address: OWN,
            prefix: 16,
            broadcast: Some(Ipv4Addr::new(10, 77, 255, 255)),
        }],
        ..Options::default()
    }
}

/// Datagrams on their way to us: when they arrive, in which order they were sent, from whom, what.
type Answers = BinaryHeap<Reverse<(Instant, u64, Ipv4Addr, Rc<[u8]>)>>;

struct Run {
    found: BTreeMap<Mac, Plug>,
    /// When each was told first, and last.
    found_after: Vec<Duration>,
    elapsed: Duration,
    summary: Summary,
}

impl Run {
    fn milliseconds(&self) -> u128 {
        self.elapsed.as_millis()
    }
}

struct Peer<'a> {
    device: &'a Device,
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
    fn deliver(&mut self, now: Instant, transmit: &Transmit, broadcast: Option<Ipv4Addr>) {
        let is_broadcast = Some(*transmit.to.ip()) == broadcast;
        for peer in &self.peers {
            let device = peer.device;
            if !is_broadcast && *transmit.to.ip() != device.address {
                continue;
            }
            let knows = |word: &Word| word.matches(&transmit.bytes);
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

fn run(devices: &[Device], options: Options, seed: u64) -> Run {
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
    let mut discovery = Discovery::new(options, now, Timestamp::UNIX_EPOCH);
    let mut found = BTreeMap::new();
    let mut found_after = Vec::new();
    loop {
        while let Some(transmit) = discovery.poll_transmit() {
            assert_eq!(transmit.local_port, PORT);
            network.deliver(now, &transmit, broadcast);
        }
        while let Some(event) = discovery.poll_event() {
            match event {
                Event::Found(plug) => {
                    found_after.push(now - start);
                    assert_eq!(found.insert(plug.mac, plug), None, "found once");
                }
                Event::Updated(plug) => {
                    let before = found.insert(plug.mac, plug);
                    assert!(before.is_some(), "found before it is updated");
                }
                Event::Done(summary) => {
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

/// What many runs on the same network with different seeds came to.
struct Many {
    runs: usize,
    incomplete: usize,
    mean: Duration,
    /// The time in which 99 of 100 runs are done.
    usual: Duration,
    probes: f64,
}

fn many(devices: &[Device], runs: u32) -> Many {
    let scale = std::env::var("MAINS_TEST_SCALE").ok();
    let runs = runs * scale.and_then(|scale| scale.parse().ok()).unwrap_or(1);
    let mut incomplete = 0;
    let mut times = Vec::new();
    let mut probes = 0;
    for seed in 0..runs {
        let run = run(devices, options(), u64::from(seed) + 1);
        if run.found.len() < devices.len() {
            incomplete += 1;
        }
        times.push(run.elapsed);
        probes += run.summary.probes_sent;
    }
    times.sort_unstable();
    let many = Many {
        runs: times.len(),
        incomplete,
        mean: times.iter().sum::<Duration>() / runs,
        usual: times[times.len() * 99 / 100],
        probes: f64::from(probes) / f64::from(runs),
    };
    println!(
        "{} devices, loss {:.0} % each way: {} of {} runs incomplete, {:?} on average, 99 % within {:?}, {:.1} datagrams",
        devices.len(),
        devices[0].loss * 100.0,
        many.incomplete,
        many.runs,
        many.mean,
        many.usual,
        many.probes
    );
    many
}

impl Many {
    /// All devices in at least 99.9 % of the runs.
    fn finds_everything(&self) {
        assert!(
            self.incomplete * 1000 <= self.runs,
            "{} of {} incomplete",
            self.incomplete,
            self.runs
        );
    }
}

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[test]
fn fifty_plugs_without_loss() {
    let many = many(&plugs(50, 0.0), 300);
    assert_eq!(many.incomplete, 0);
    assert!(many.usual < ms(400), "{:?}", many.usual);
    assert!(many.probes <= 15.0, "{}", many.probes);
}

#[test]
fn fifty_plugs_at_twenty_percent_loss() {
    let many = many(&plugs(50, 0.2), 1000);
    many.finds_everything();
    assert!(many.usual < ms(2000), "{:?}", many.usual);
}

#[test]
fn fifty_plugs_at_forty_percent_loss() {
    let many = many(&plugs(50, 0.4), 1000);
    many.finds_everything();
    assert!(many.usual < ms(4000), "{:?}", many.usual);
}

#[test]
fn fifty_plugs_that_answer_one_word_only() {
    let mut devices = plugs(50, 0.4);
    for device in &mut devices {
        device.word = None;
    }
    let many = many(&devices, 1000);
    many.finds_everything();
    assert!(many.usual < ms(4000), "{:?}", many.usual);
}

#[test]
fn few_plugs_at_forty_percent_loss() {
    for count in [1, 2, 3, 5, 10] {
        many(&plugs(count, 0.4), 1000).finds_everything();
    }
}

#[test]
fn two_hundred_plugs() {
    let quiet = many(&plugs(200, 0.0), 50);
    assert_eq!(quiet.incomplete, 0);
    assert!(quiet.usual < ms(400), "{:?}", quiet.usual);
    many(&plugs(200, 0.2), 50).finds_everything();
}

#[test]
fn modules_among_plugs_at_forty_percent_loss() {
    let mut devices = plugs(10, 0.4);
    devices.push(Device::module(11, 0.4, Word::HF_A11));
    devices.push(Device::module(12, 0.4, Word::WIFIKIT));
    many(&devices, 1000).finds_everything();
}

#[test]
fn weak_plugs_among_good_ones() {
    let mut devices = plugs(50, 0.0);
    for device in &mut devices[..10] {
        device.loss = 0.4;
    }
    many(&devices, 300).finds_everything();
}

#[test]
fn one_plug_without_loss() {
    let run = run(&plugs(1, 0.0), options(), 1);
    assert_eq!(run.found.len(), 1);
    assert!(run.elapsed <= ms(600), "{:?}", run.elapsed);
    assert!(run.found_after[0] < ms(30), "told at once");
    assert!(run.summary.unheard.unwrap() < 1e-3);
}

#[test]
fn nobody() {
    let run = run(&[], options(), 1);
    assert_eq!(run.elapsed, ms(4000));
    assert_eq!(run.summary.unheard, None);
    assert!(run.summary.probes_sent < 80, "{:?}", run.summary);
}

#[test]
fn as_long_as_the_user_says() {
    for (devices, expected) in [(plugs(0, 0.0), 10_000), (plugs(2, 0.0), 480)] {
        let wait = Some(ms(10_000));
        let run = run(&devices, Options { wait, ..options() }, 1);
        assert!(
            run.milliseconds().abs_diff(expected) < 100,
            "{:?}",
            run.elapsed
        );
    }
    let wait = Some(ms(100));
    let run = run(&plugs(2, 0.0), Options { wait, ..options() }, 1);
    assert_eq!((run.elapsed, run.found.len()), (ms(100), 2));
}

#[test]
fn as_many_as_the_user_expects() {
    let expect = Some(3);
    let enough = run(
        &plugs(3, 0.0),
        Options {
            expect,
            ..options()
        },
        1,
    );
    assert!(enough.elapsed < ms(30), "{:?}", enough.elapsed);
    assert_eq!(enough.found.len(), 3);

    // A module is told as soon as it is certain that it is no more than that.
    let mut devices = plugs(2, 0.0);
    devices.push(Device::module(3, 0.0, Word::HF_A11));
    let with_module = run(
        &devices,
        Options {
            expect,
            ..options()
        },
        1,
    );
    assert!(with_module.elapsed < ms(700), "{:?}", with_module.elapsed);

    let too_few = run(
        &plugs(2, 0.0),
        Options {
            expect,
            ..options()
        },
        1,
    );
    assert_eq!((too_few.elapsed, too_few.found.len()), (ms(6000), 2));
    assert!(too_few.summary.probes_sent < 100, "{:?}", too_few.summary);
}

#[test]
fn slow_plugs_are_not_lost() {
    for delay in [80..120, 150..160, 20..300, 400..600] {
        let mut devices = plugs(20, 0.0);
        for device in &mut devices {
            device.delay = delay.clone();
        }
        for seed in 0..50 {
            let run = run(&devices, options(), seed);
            assert_eq!(run.found.len(), 20, "{delay:?}");
            let bound = ms(1500 + 3 * delay.end);
            assert!(run.elapsed < bound, "{delay:?}: {:?}", run.elapsed);
        }
    }
}

#[test]
fn one_slow_plug_does_not_hide_behind_quick_ones() {
    let mut devices = plugs(10, 0.0);
    devices[3].delay = 180..200;
    for seed in 0..100 {
        let run = run(&devices, options(), seed);
        assert_eq!(run.found.len(), 10);
        assert!(run.elapsed < ms(2500), "{:?}", run.elapsed);
    }
}

#[test]
fn copies_do_not_feign_a_good_network() {
    let mut devices = plugs(10, 0.4);
    for device in &mut devices {
        device.copies = 10;
        device.delay = 1..120;
    }
    many(&devices, 500).finds_everything();
}

#[test]
fn a_plug_is_a_plug_though_its_module_answers_first() {
    for seed in 0..200 {
        let mut devices = plugs(5, 0.2);
        devices.push(Device::module(9, 0.2, Word::WIFIKIT));
        let run = run(&devices, options(), seed);
        for device in &devices {
            let plug = &run.found[&device.mac];
            let family = if device.is_plug {
                FamilyId::Reco
            } else {
                FamilyId::Module
            };
            assert_eq!(plug.family, family);
            assert_eq!(plug.address, device.address);
            assert_eq!(
                plug.relay,
                device.is_plug.then_some(RelayState::Off),
                "seed {seed}"
            );
        }
    }
}

#[test]
fn the_users_word() {
    let word: Word = "www.usr.cn".parse().unwrap();
    let devices = [Device::module(1, 0.0, word.clone())];
    assert_eq!(run(&devices, options(), 1).found.len(), 0);
    let words = vec![word];
    assert_eq!(
        run(&devices, Options { words, ..options() }, 1).found.len(),
        1
    );
}

#[test]
fn known_addresses_are_asked_directly_until_they_answer() {
    let mut far = Device::plug(3, 0.0);
    far.address = Ipv4Addr::new(192, 168, 5, 3);
    let devices = [Device::plug(1, 0.0), Device::plug(2, 0.0), far.clone()];
    let direct: Vec<(usize, Ipv4Addr)> = devices.iter().map(|device| (0, device.address)).collect();
    let run = run(
        &devices,
        Options {
            direct,
            ..options()
        },
        1,
    );
    assert_eq!(run.found.len(), 3, "also the one that no broadcast reaches");
    assert!(run.elapsed < ms(600), "{:?}", run.elapsed);
}

#[test]
fn a_known_plug_that_is_silent_gets_more_patience() {
    let direct = vec![(0, Ipv4Addr::new(10, 77, 0, 9))];
    let gone = run(
        &plugs(5, 0.0),
        Options {
            direct: direct.clone(),
            ..options()
        },
        1,
    );
    assert_eq!(gone.found.len(), 5);
    assert!(
        gone.elapsed > ms(700) && gone.elapsed < ms(1500),
        "{:?}",
        gone.elapsed
    );

    let mut devices = plugs(5, 0.0);
    devices.push(Device::plug(9, 0.4));
    let incomplete = (0..1000)
        .filter(|&seed| {
            let options = Options {
                direct: direct.clone(),
                ..options()
            };
            run(&devices, options, seed).found.len() < 6
        })
        .count();
    assert!(incomplete <= 1, "{incomplete} of 1000");
}

#[test]
fn only_direct() {
    let options = Options {
        links: vec![Link {
            broadcast: None,
            ..options().links[0]
        }],
        direct: vec![
            (0, Ipv4Addr::new(10, 77, 0, 1)),
            (0, Ipv4Addr::new(10, 77, 0, 2)),
        ],
        ..Options::default()
    };
    let run = run(&plugs(3, 0.0), options, 1);
    assert_eq!(run.found.len(), 2);
    assert!(run.elapsed < ms(700), "{:?}", run.elapsed);
}

/// A discovery of its own, to which datagrams are handed one by one.
struct Desk {
    discovery: Discovery,
    now: Instant,
}

impl Desk {
    fn new(options: Options) -> Self {
        let now = Instant::now();
        Self {
            discovery: Discovery::new(options, now, Timestamp::UNIX_EPOCH),
            now,
        }
    }

    fn hear(&mut self, from: [u8; 4], datagram: &[u8]) -> Vec<Event> {
        let from = SocketAddrV4::new(from.into(), PORT);
        self.discovery
            .handle_datagram(self.now, PORT, from, datagram);
        std::iter::from_fn(|| self.discovery.poll_event()).collect()
    }

    fn pass(&mut self, time: Duration) -> Vec<Event> {
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
fn the_probes_of_a_round() {
    let mut desk = Desk::new(options());
    desk.pass(ms(20));
    let transmits: Vec<Transmit> = std::iter::from_fn(|| desk.discovery.poll_transmit()).collect();
    let to = SocketAddrV4::new(Ipv4Addr::new(10, 77, 255, 255), 48899);
    let expected = [
        &b"YZ-RECOSCAN"[..],
        b"HF-A11ASSISTHREAD",
        b"WIFIKIT-214028-READ",
    ]
    .map(|bytes| Transmit {
        link: 0,
        local_port: 48899,
        to,
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
    let [Event::Found(plug)] = &desk.hear([10, 77, 0, 8], SCAN_REPLY)[..] else {
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
        [Event::Updated(moved)]
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
        matches!(&events[..], [Event::Found(plug)] if plug.family == FamilyId::Module),
        "{events:?}"
    );
    let events = desk.hear([10, 77, 0, 1], SCAN_REPLY);
    assert!(
        matches!(&events[..], [Event::Updated(plug)]
            if plug.family == FamilyId::Reco && plug.model.as_deref() == Some("HF-LPB100")),
        "{events:?}"
    );
}

#[test]
fn watching_goes_on_and_tells_changes() {
    let mut desk = Desk::new(Options {
        watch: true,
        ..options()
    });
    assert_eq!(desk.hear([10, 77, 0, 1], SCAN_REPLY).len(), 1);
    assert_eq!(desk.pass(Duration::from_secs(3600)), []);
    desk.pass(ms(500));
    let off = desk.hear([10, 77, 0, 1], b"10.77.0.1,ACCF23123456,900000621,0,0,");
    assert!(
        matches!(&off[..], [Event::Updated(plug)] if plug.relay == Some(RelayState::Off)),
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
    assert_eq!(found, 65_536);
    let done = desk.pass(Duration::from_secs(7));
    assert!(matches!(&done[..], [Event::Done(_)]), "{}", done.len());
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
        let mut desk = Desk::new(Options { watch, expect, ..options() });
        let mut done = 0;
        for (wait, from, datagram) in datagrams {
            let mut events = desk.pass(ms(wait));
            events.extend(desk.hear(from, &datagram));
            done += events.iter().filter(|event| matches!(event, Event::Done(_))).count();
        }
        let events = desk.pass(Duration::from_secs(10));
        done += events.iter().filter(|event| matches!(event, Event::Done(_))).count();
        prop_assert_eq!(done, usize::from(!watch));
    }
}
