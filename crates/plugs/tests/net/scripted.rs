//! Scripted plugs, with the standard library's sockets and literal bytes: no code in common with the client.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The plug's reaction to a command on TCP port 8899.
pub(crate) struct Answer {
    /// The data that it sends, in pieces, each after a delay in milliseconds.
    pub(crate) pieces: Vec<(u64, &'static [u8])>,
    /// Delay in milliseconds after which it moves its relay as commanded; `None`: never.
    pub(crate) moves: Option<u64>,
}

impl Answer {
    pub(crate) fn ok() -> Self {
        Self::says(b"+ok\r\n\r\n")
    }

    pub(crate) fn says(bytes: &'static [u8]) -> Self {
        Self {
            pieces: vec![(0, bytes)],
            moves: Some(0),
        }
    }

    pub(crate) fn moves(self, moves: Option<u64>) -> Self {
        Self { moves, ..self }
    }
}

/// The behaviour of a plug; [`Plug::new`] is an SP-2.
pub(crate) struct Plug {
    pub(crate) address: Ipv4Addr,
    /// The reply to the scan, with `%` standing for the relay; no reply without it.
    pub(crate) scan_reply: Option<String>,
    /// The reply to discovery words.
    pub(crate) identity: Option<Vec<u8>>,
    /// `true` to reply to the source port, as an S20 does, and not to 48899.
    pub(crate) answers_source_port: bool,
    /// Number of datagrams that it ignores first.
    pub(crate) ignores: usize,
    /// The replies to the first command, the second, and so on; the last is repeated. Empty: no TCP at all.
    pub(crate) answers: Vec<Answer>,
}

impl Plug {
    pub(crate) fn new(address: Ipv4Addr, mac: &str) -> Self {
        Self {
            address,
            scan_reply: Some(format!("{address},{mac},900000621,0,%,")),
            identity: None,
            answers_source_port: false,
            ignores: 0,
            answers: vec![Answer::ok()],
        }
    }

    pub(crate) fn start(self) -> Running {
        let shared = Arc::new(Shared::default());
        let udp = UdpSocket::bind((self.address, 48899)).unwrap();
        udp.set_read_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        let mut threads = Vec::new();
        if !self.answers.is_empty() {
            let listener = TcpListener::bind((self.address, 8899)).unwrap();
            listener.set_nonblocking(true).unwrap();
            let shared = Arc::clone(&shared);
            let answers = Arc::new(self.answers);
            threads.push(std::thread::spawn(move || {
                serve(&listener, &answers, &shared);
            }));
        }
        let talker = Talker {
            udp: udp.try_clone().unwrap(),
            scan_reply: self.scan_reply,
            identity: self.identity,
            answers_source_port: self.answers_source_port,
            ignores: AtomicUsize::new(self.ignores),
            shared: Arc::clone(&shared),
        };
        let talker = Arc::new(talker);
        let listening = Arc::clone(&talker);
        threads.push(std::thread::spawn(move || listening.listen()));
        Running {
            shared,
            threads,
            talker,
        }
    }
}

/// An event that a plug observes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Happening {
    Connection,
    /// The client has closed a connection.
    Hangup,
    Command,
    /// It has replied to a probe.
    Report,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    happened: Mutex<Vec<Happening>>,
    /// Times and positions of the relay's moves; the last one in the past counts.
    moves: Mutex<Vec<(Instant, bool)>>,
    commands: Mutex<Vec<Vec<u8>>>,
}

impl Shared {
    fn note(&self, happening: Happening) {
        self.happened.lock().unwrap().push(happening);
    }

    fn is_on(&self) -> bool {
        let now = Instant::now();
        let moves = self.moves.lock().unwrap();
        let mut past = moves.iter().filter(|(at, _)| *at <= now);
        past.next_back().is_some_and(|&(_, on)| on)
    }
}

pub(crate) struct Talker {
    udp: UdpSocket,
    scan_reply: Option<String>,
    identity: Option<Vec<u8>>,
    answers_source_port: bool,
    ignores: AtomicUsize,
    shared: Arc<Shared>,
}

impl Talker {
    fn listen(&self) {
        let mut buffer = [0; 100];
        while !self.shared.stop.load(Ordering::Relaxed) {
            if let Ok((length, from)) = self.udp.recv_from(&mut buffer) {
                self.hear(&buffer[..length], from);
            }
        }
    }

    /// Replies to a datagram, including broadcasts.
    pub(crate) fn hear(&self, datagram: &[u8], mut from: SocketAddr) {
        let less = |count: usize| count.checked_sub(1);
        let ignored = self
            .ignores
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        if ignored.is_ok() {
            return;
        }
        if !self.answers_source_port {
            from.set_port(48899);
        }
        let relay = if self.shared.is_on() { "1" } else { "0" };
        let answer = match datagram {
            b"YZ-RECOSCAN" => {
                let reply = self.scan_reply.as_ref();
                reply.map(|reply| reply.replace('%', relay).into_bytes())
            }
            b"HF-A11ASSISTHREAD" => self.identity.clone(),
            _ => None,
        };
        if let Some(answer) = answer {
            self.shared.note(Happening::Report);
            self.udp.send_to(&answer, from).unwrap();
        }
    }
}

fn serve(listener: &TcpListener, answers: &Arc<Vec<Answer>>, shared: &Arc<Shared>) {
    while !shared.stop.load(Ordering::Relaxed) {
        let Ok((stream, _)) = listener.accept() else {
            std::thread::sleep(Duration::from_micros(200));
            continue;
        };
        shared.note(Happening::Connection);
        let (answers, shared) = (Arc::clone(answers), Arc::clone(shared));
        std::thread::spawn(move || converse(stream, &answers, &shared));
    }
}

/// Replies on one connection, and holds it open as a plug does.
fn converse(mut stream: TcpStream, answers: &[Answer], shared: &Shared) {
    stream.set_nonblocking(false).unwrap();
    let blink = Duration::from_millis(20);
    stream.set_read_timeout(Some(blink)).unwrap();
    let mut buffer = [0; 100];
    while !shared.stop.load(Ordering::Relaxed) {
        // One read is one command: it must come in one segment.
        let length = match stream.read(&mut buffer) {
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            Err(_) => 0,
        };
        if length == 0 {
            shared.note(Happening::Hangup);
            return;
        }
        shared.note(Happening::Command);
        let command = buffer[..length].to_vec();
        let count = {
            let mut commands = shared.commands.lock().unwrap();
            commands.push(command.clone());
            commands.len()
        };
        let answer = &answers[(count - 1).min(answers.len() - 1)];
        let on = command.starts_with(b"AT+YZSWITCH=1,ON,");
        let off = command.starts_with(b"AT+YZSWITCH=1,OFF,");
        if let Some(after) = answer.moves.filter(|_| on || off) {
            let at = Instant::now() + Duration::from_millis(after);
            shared.moves.lock().unwrap().push((at, on));
        }
        for (pause, piece) in &answer.pieces {
            std::thread::sleep(Duration::from_millis(*pause));
            let _ = stream.write_all(piece);
        }
    }
}

pub(crate) struct Running {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    pub(crate) talker: Arc<Talker>,
}

impl Running {
    pub(crate) fn is_on(&self) -> bool {
        self.shared.is_on()
    }

    pub(crate) fn turn(&self, on: bool) {
        self.shared.moves.lock().unwrap().push((Instant::now(), on));
    }

    pub(crate) fn happened(&self) -> Vec<Happening> {
        self.shared.happened.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        let happened = self.happened();
        let connections = happened.iter().filter(|one| **one == Happening::Connection);
        connections.count()
    }

    pub(crate) fn commands(&self) -> Vec<String> {
        let commands = self.shared.commands.lock().unwrap();
        commands
            .iter()
            .map(|command| String::from_utf8_lossy(command).into_owned())
            .collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
