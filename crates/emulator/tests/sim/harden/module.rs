//! A module in a simulated world, as a lock-down sees it.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use harden::{HardenModule, OpenedSession};
use hiflying::session::{AtSession, AtSessionConfig, AtSessionEvent, RestartStatus};
use hiflying::settings::WebLogin;
use hiflying::{AtRequest, DiscoveryWord, PORT};
use zeroize::Zeroizing;

use crate::world::{FIRST, SimWorld, StreamEvent, WorldEvent};

/// Time for one request of the web page.
const HTTP_TIMEOUT: Duration = Duration::from_secs(3);

/// A client's view of the module. It dies after a number of calls: nothing reaches the module any more.
pub(super) struct SimModule<'a> {
    pub(super) world: &'a mut SimWorld,
    session: Option<AtSession>,
    calls: usize,
    pub(super) dies_after: usize,
}

impl<'a> SimModule<'a> {
    pub(super) fn new(world: &'a mut SimWorld) -> Self {
        Self {
            world,
            session: None,
            calls: 0,
            dies_after: usize::MAX,
        }
    }

    fn is_dead(&mut self) -> bool {
        self.calls += 1;
        let is_dead = self.calls > self.dies_after;
        if is_dead {
            // What it waits for does not come.
            self.world.wait(Duration::from_secs(1));
        }
        is_dead
    }

    fn flush(world: &mut SimWorld, mut transmit: impl FnMut() -> Option<Zeroizing<Vec<u8>>>) {
        while let Some(bytes) = transmit() {
            world.send(SocketAddrV4::new(FIRST, PORT), &bytes);
        }
    }

    /// Runs the session until an event decides.
    fn drive<T>(&mut self, mut event: impl FnMut(AtSessionEvent) -> Option<T>) -> Option<T> {
        let session = self.session.as_mut()?;
        loop {
            Self::flush(self.world, || session.poll_transmit());
            while let Some(next) = session.poll_event() {
                if let Some(decided) = event(next) {
                    Self::flush(self.world, || session.poll_transmit());
                    return Some(decided);
                }
            }
            match self.world.next(session.poll_timeout()) {
                WorldEvent::Datagram { bytes, .. } => {
                    session.handle_datagram(self.world.now, &bytes);
                }
                WorldEvent::Due => session.handle_timeout(self.world.now),
                WorldEvent::Stream(_) => {}
                WorldEvent::Nothing => return None,
            }
        }
    }

    pub(super) fn leave(&mut self) {
        if let Some(mut session) = self.session.take() {
            session.close(self.world.now);
            Self::flush(self.world, || session.poll_transmit());
        }
    }
}

impl HardenModule for SimModule<'_> {
    async fn open(&mut self, words: &[DiscoveryWord], timeout: Duration) -> Option<OpenedSession> {
        if self.is_dead() {
            return None;
        }
        if self.session.is_some() {
            self.leave();
        }
        // The reply to leaving must not pass for one to the opening.
        self.world.wait(Duration::from_millis(200));
        let config = AtSessionConfig {
            words: words.to_vec(),
            handshake_timeout: timeout,
            tries: 12,
            ..AtSessionConfig::default()
        };
        self.session = Some(AtSession::new(config, self.world.now));
        let opened = self.drive(|event| match event {
            AtSessionEvent::Opened { identity } => Some(Some(identity)),
            AtSessionEvent::Lost => Some(None),
            _ => None,
        });
        let mac = opened.flatten()?.map(|identity| identity.mac);
        Some(OpenedSession { mac })
    }

    async fn send(&mut self, request: AtRequest) -> Option<Zeroizing<Vec<u8>>> {
        if self.is_dead() {
            return None;
        }
        let now = self.world.now;
        let wanted = self.session.as_mut()?.submit(now, request);
        let reply = self.drive(|event| match event {
            AtSessionEvent::Reply { id, raw } if id == wanted => Some(Some(raw)),
            AtSessionEvent::Failed { id, .. } if id == wanted => Some(None),
            _ => None,
        });
        reply.flatten()
    }

    async fn restart(&mut self) -> bool {
        if self.is_dead() {
            return false;
        }
        let Some(session) = self.session.take() else {
            return false;
        };
        let mut watch = session.restart(self.world.now);
        loop {
            Self::flush(self.world, || watch.poll_transmit());
            match watch.status() {
                RestartStatus::Pending => {}
                status => return status == RestartStatus::Gone,
            }
            match self.world.next(watch.poll_timeout()) {
                WorldEvent::Datagram { bytes, .. } => watch.handle_datagram(self.world.now, &bytes),
                _ => watch.handle_timeout(self.world.now),
            }
        }
    }

    async fn close(&mut self) {
        if !self.is_dead() {
            self.leave();
        }
    }

    async fn web_status(&mut self, login: Option<&WebLogin>) -> Option<u16> {
        if self.is_dead() {
            return None;
        }
        let deadline = self.world.now + HTTP_TIMEOUT;
        let login = login.map(|login| {
            let token = format!("{}:{}", login.user, login.password.as_str());
            format!("Authorization: Basic {}\r\n", BASE64_STANDARD.encode(token))
        });
        let request = format!("GET / HTTP/1.1\r\n{}\r\n", login.unwrap_or_default());
        self.world.connect_to(SocketAddrV4::new(FIRST, 80));
        let mut reply = Vec::new();
        loop {
            match self.world.next(Some(deadline)) {
                WorldEvent::Stream(StreamEvent::Open) => self.world.write(request.as_bytes()),
                WorldEvent::Stream(StreamEvent::Bytes(bytes)) => reply.extend(bytes),
                WorldEvent::Datagram { .. } => {}
                _ => break,
            }
        }
        self.world.disconnect();
        String::from_utf8(reply)
            .ok()?
            .split(' ')
            .nth(1)?
            .parse()
            .ok()
    }

    async fn is_heard(&mut self) -> bool {
        if self.is_dead() {
            return false;
        }
        for _ in 0..12 {
            let scan = b"YZ-RECOSCAN";
            self.world.send(SocketAddrV4::new(FIRST, PORT), scan);
            let due = self.world.now + Duration::from_millis(200);
            loop {
                match self.world.next(Some(due)) {
                    WorldEvent::Datagram { bytes, .. }
                        if bytes.iter().filter(|b| **b == b',').count() >= 4 =>
                    {
                        return true;
                    }
                    WorldEvent::Due | WorldEvent::Nothing => break,
                    _ => {}
                }
            }
        }
        false
    }

    async fn search(&mut self, _words: &[DiscoveryWord]) {}

    async fn sleep(&mut self, time: Duration) {
        self.world.wait(time);
    }

    fn address(&self) -> Ipv4Addr {
        FIRST
    }

    fn now(&self) -> Instant {
        self.world.now
    }
}
