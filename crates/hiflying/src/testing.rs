//! A scripted module and a network in virtual time, for the tests of sessions and joins.
//!
//! Written apart from the emulator, so that the two do not share a misunderstanding.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use crate::machine::SessionMachine;

/// First datagram of a network list, with its LF-first line ends as seen on a real module.
pub(crate) const LIST_HEADER: &[u8] = b"+ok=\n\rCh,SSID,BSSID,Security,Indicator\n\r";

pub(crate) const IDENTITY: &[u8] = b"10.10.100.254,ACCF235676D6,HF-LPB100";

pub(crate) fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Reply of a module to the `+ok` that opens its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConfirmReply {
    Silence,
    Ok,
    Error,
}

/// A module whose behaviour is set field by field.
#[derive(Debug)]
pub(crate) struct ScriptedModule {
    pub(crate) word: &'static [u8],
    /// True if commands need the word and `+ok` first.
    pub(crate) handshake: bool,
    pub(crate) to_confirm: ConfirmReply,
    /// Line ends that are understood.
    pub(crate) terminators: Vec<&'static str>,
    /// End of a reply.
    pub(crate) tail: &'static str,
    /// Delay of a reply, by verb.
    pub(crate) slow: HashMap<&'static str, Duration>,
    /// Fixed replies by line, before any other; an empty list means silence.
    pub(crate) replies: HashMap<String, Vec<Vec<u8>>>,
    /// Reply to a line with a fixed reply from its second time on.
    pub(crate) later_reply: Option<(String, Vec<u8>)>,
    /// True if `AT+Z` gets its `+ok`.
    pub(crate) answers_restart: bool,
    pub(crate) restart_takes: Duration,
    /// Number of `AT+Z` that are ignored.
    pub(crate) ignores_restarts: u32,
    /// The network that can be joined, and the value of `WSKEY` that fits.
    pub(crate) home: (Vec<u8>, Vec<u8>),
    pub(crate) link_takes: Duration,
    pub(crate) gives_lease: bool,
    /// The value of `WSLK` while it is linked to the network of this name.
    pub(crate) linked: fn(&[u8]) -> Vec<u8>,
    /// True if it can be reached in station mode, because the client is on the same network.
    pub(crate) on_our_network: bool,
    /// Cuts names and keys at the first comma that could be a separator.
    pub(crate) mangles_commas: bool,
    our_network: Vec<u8>,
    pub(crate) ping: &'static str,
    pub(crate) settings: BTreeMap<&'static str, Vec<u8>>,
    offered: bool,
    open: bool,
    running_mode: Vec<u8>,
    up_since: Option<Instant>,
    down_until: Option<Instant>,
    pub(crate) log: Vec<String>,
    pub(crate) restarts: u32,
}

impl Default for ScriptedModule {
    fn default() -> Self {
        let settings = [
            ("WMODE", "AP"),
            ("WSSSID", "factory"),
            ("WSKEY", "OPEN,NONE"),
            ("WANN", "DHCP,0.0.0.0,0.0.0.0,0.0.0.0"),
            ("MID", "HF-LPB100"),
            ("WSMAC", "ACCF235676D6"),
            ("VER", "1.0.06a-14 (2015-09-08 10:20 1M)"),
        ];
        Self {
            word: b"HF-A11ASSISTHREAD",
            handshake: true,
            to_confirm: ConfirmReply::Silence,
            terminators: vec!["\r", "\n", "\r\n"],
            tail: "\r\n\r\n",
            slow: HashMap::new(),
            replies: HashMap::new(),
            later_reply: None,
            answers_restart: false,
            restart_takes: Duration::from_secs(3),
            ignores_restarts: 0,
            home: (b"home".to_vec(), b"WPA2PSK,AES,secret12".to_vec()),
            link_takes: Duration::from_secs(2),
            gives_lease: true,
            linked: |ssid| [ssid, b"(D0C7C0CCA010)"].concat(),
            on_our_network: false,
            mangles_commas: false,
            our_network: b"factory".to_vec(),
            ping: "+ok=Success",
            settings: settings
                .map(|(verb, value)| (verb, value.as_bytes().to_vec()))
                .into(),
            offered: false,
            open: false,
            running_mode: b"AP".to_vec(),
            up_since: None,
            down_until: None,
            log: Vec::new(),
            restarts: 0,
        }
    }
}

impl ScriptedModule {
    pub(crate) fn with(change: impl FnOnce(&mut Self)) -> Self {
        let mut module = Self::default();
        change(&mut module);
        module.running_mode = module.settings["WMODE"].clone();
        module
    }

    pub(crate) fn setting(&self, verb: &str) -> String {
        String::from_utf8_lossy(&self.settings[verb]).into_owned()
    }

    pub(crate) fn mode(&self) -> String {
        String::from_utf8_lossy(&self.running_mode).into_owned()
    }

    /// Forgets the session, as after a minute of idleness or a power cut.
    pub(crate) fn forget_session(&mut self) {
        self.offered = false;
        self.open = false;
    }

    pub(crate) fn handle(&mut self, now: Instant, datagram: &[u8]) -> Vec<(Duration, Vec<u8>)> {
        let left = self.running_mode == b"STA" && !self.on_our_network;
        if left || self.down_until.is_some_and(|until| now < until) {
            return Vec::new();
        }
        self.log
            .push(String::from_utf8_lossy(datagram).into_owned());
        if datagram == self.word {
            self.offered = true;
            return vec![(Duration::ZERO, IDENTITY.to_vec())];
        }
        if datagram == b"+ok" {
            return self.confirm();
        }
        let text = String::from_utf8_lossy(datagram).into_owned();
        let Some(end) = text.find(['\r', '\n']) else {
            return Vec::new();
        };
        if !self.terminators.contains(&&text[end..]) || (self.handshake && !self.open) {
            return Vec::new();
        }
        let raw_end = datagram
            .iter()
            .position(|byte| matches!(byte, b'\r' | b'\n'))
            .unwrap();
        self.execute(now, &text[..end], &datagram[..raw_end])
    }

    fn confirm(&mut self) -> Vec<(Duration, Vec<u8>)> {
        let already = self.open;
        self.open |= self.offered;
        if !self.open {
            return Vec::new();
        }
        match self.to_confirm {
            ConfirmReply::Ok => self.reply("+ok"),
            ConfirmReply::Error if already => self.reply("+ERR=-1"),
            _ => Vec::new(),
        }
    }

    fn reply(&self, text: impl AsRef<[u8]>) -> Vec<(Duration, Vec<u8>)> {
        vec![(
            Duration::ZERO,
            [text.as_ref(), self.tail.as_bytes()].concat(),
        )]
    }

    fn execute(&mut self, now: Instant, line: &str, raw: &[u8]) -> Vec<(Duration, Vec<u8>)> {
        if let Some(fixed) = self.replies.get_mut(line) {
            let replies = fixed.iter().map(|reply| (Duration::ZERO, reply.clone()));
            let replies = replies.collect();
            if let Some((_, other)) = self.later_reply.take_if(|(which, _)| which == line) {
                *fixed = vec![other];
            }
            return replies;
        }
        let Some(body) = line.strip_prefix("AT+") else {
            return self.reply("+ERR=-1");
        };
        let verb = body.split('=').next().unwrap_or_default();
        let value = raw
            .iter()
            .position(|&byte| byte == b'=')
            .map(|at| raw[at + 1..].to_vec());
        let mut replies = match (verb, value) {
            ("", None) => self.reply("+ok"),
            ("Q", None) => {
                self.forget_session();
                self.reply("+ok")
            }
            ("Z", None) => self.restart(now),
            ("WSLK", None) => self.reply([b"+ok=".to_vec(), self.link(now)].concat()),
            ("WANN", None) if self.is_linked(now) && self.gives_lease => {
                self.reply("+ok=DHCP,192.168.1.123,255.255.255.0,192.168.1.1")
            }
            ("PING", Some(_)) => self.reply(self.ping),
            (verb, None) => match self.settings.get(verb) {
                Some(value) => self.reply([b"+ok=".to_vec(), value.clone()].concat()),
                None => self.reply("+ERR=-2"),
            },
            (verb, Some(value)) => match self.settings.get_mut(verb) {
                Some(setting) => {
                    let commas = if verb == "WSKEY" { 3 } else { 1 };
                    let cut = value
                        .split(|&byte| byte == b',')
                        .take(commas)
                        .collect::<Vec<_>>()
                        .join(&b',');
                    *setting = if self.mangles_commas { cut } else { value };
                    self.reply("+ok")
                }
                None => self.reply("+ERR=-2"),
            },
        };
        let slow = self.slow.get(verb).copied().unwrap_or_default();
        replies.iter_mut().for_each(|(wait, _)| *wait += slow);
        replies
    }

    fn restart(&mut self, now: Instant) -> Vec<(Duration, Vec<u8>)> {
        if self.ignores_restarts > 0 {
            self.ignores_restarts -= 1;
        } else {
            self.restarts += 1;
            self.forget_session();
            self.on_our_network &= self.settings["WSSSID"] == self.our_network;
            self.running_mode = self.settings["WMODE"].clone();
            self.down_until = Some(now + self.restart_takes);
            self.up_since = self.down_until;
        }
        if self.answers_restart {
            self.reply("+ok")
        } else {
            Vec::new()
        }
    }

    fn is_linked(&self, now: Instant) -> bool {
        let fits = self.settings["WSSSID"] == self.home.0 && self.settings["WSKEY"] == self.home.1;
        let up = self.up_since.is_some_and(|up| now >= up + self.link_takes);
        fits && up && self.running_mode != b"AP"
    }

    fn link(&self, now: Instant) -> Vec<u8> {
        if !self.is_linked(now) {
            return b"Disconnected".to_vec();
        }
        (self.linked)(&self.home.0)
    }
}

/// Faults of the network, each way.
#[derive(Debug, Clone, Default)]
pub(crate) struct NetworkFaults {
    pub(crate) loss: f64,
    pub(crate) doubling: f64,
    /// Added at random up to this; more than the gap between two datagrams puts them out of order.
    pub(crate) jitter: Duration,
    pub(crate) split: bool,
}

/// A machine, a module and the network between them.
pub(crate) struct ModuleBench<M> {
    pub(crate) machine: M,
    pub(crate) module: ScriptedModule,
    pub(crate) now: Instant,
    pub(crate) start: Instant,
    /// Datagrams that the machine has sent, in order.
    pub(crate) sent: Vec<Vec<u8>>,
    faults: NetworkFaults,
    random: fastrand::Rng,
    wire: BTreeMap<(Instant, u64), (bool, Vec<u8>)>,
    serial: u64,
}

/// One way through the network.
const LATENCY: Duration = Duration::from_micros(500);

impl<M: SessionMachine> ModuleBench<M> {
    pub(crate) fn new(
        module: ScriptedModule,
        faults: NetworkFaults,
        seed: u64,
        machine: impl FnOnce(Instant) -> M,
    ) -> Self {
        let now = Instant::now();
        Self {
            machine: machine(now),
            module,
            now,
            start: now,
            sent: Vec::new(),
            faults,
            random: fastrand::Rng::with_seed(seed),
            wire: BTreeMap::new(),
            serial: 0,
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    /// Runs until `done` returns true or no event is left; returns whether it was done.
    pub(crate) fn run(&mut self, mut done: impl FnMut(&mut M) -> bool) -> bool {
        for _ in 0..200_000 {
            self.flush();
            if done(&mut self.machine) {
                self.flush();
                return true;
            }
            self.flush();
            if self.step(None).is_none() {
                return false;
            }
        }
        panic!("no end after 200000 steps");
    }

    /// Lets time pass without looking at events.
    pub(crate) fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        self.flush();
        while self.step(Some(until)).is_some() {
            self.flush();
        }
        self.now = until;
    }

    /// Goes to the next timer or arrival, if there is one and not after `until`.
    fn step(&mut self, until: Option<Instant>) -> Option<()> {
        let timer = self.machine.poll_timeout();
        let arrival = self.wire.keys().next().copied();
        let at = timer.into_iter().chain(arrival.map(|(at, _)| at)).min()?;
        if until.is_some_and(|until| at > until) {
            return None;
        }
        self.now = self.now.max(at);
        match arrival {
            Some(key) if timer.is_none_or(|timer| key.0 <= timer) => {
                let (to_module, bytes) = self.wire.remove(&key)?;
                if to_module {
                    self.deliver(&bytes);
                } else {
                    self.machine.handle_datagram(self.now, &bytes);
                }
            }
            _ => self.machine.handle_timeout(self.now),
        }
        Some(())
    }

    fn flush(&mut self) {
        while let Some(bytes) = self.machine.poll_transmit() {
            self.sent.push(bytes.to_vec());
            self.send(true, Duration::ZERO, bytes.to_vec());
        }
    }

    fn deliver(&mut self, bytes: &[u8]) {
        for (wait, reply) in self.module.handle(self.now, bytes) {
            if self.faults.split && reply.len() > 3 {
                let middle = reply.len() / 2;
                self.send(false, wait, reply[..middle].to_vec());
                self.send(false, wait + ms(1), reply[middle..].to_vec());
            } else {
                self.send(false, wait, reply);
            }
        }
    }

    fn send(&mut self, to_module: bool, wait: Duration, bytes: Vec<u8>) {
        if self.random.f64() < self.faults.loss {
            return;
        }
        let copies = if self.random.f64() < self.faults.doubling {
            2
        } else {
            1
        };
        for _ in 0..copies {
            let jitter = self.faults.jitter.mul_f64(self.random.f64());
            self.serial += 1;
            self.wire.insert(
                (self.now + LATENCY + wait + jitter, self.serial),
                (to_module, bytes.clone()),
            );
        }
    }
}
