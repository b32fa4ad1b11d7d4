//! A module on the local network.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use hiflying::net::UdpConsole;
use hiflying::settings::WebLogin;
use hiflying::{AtRequest, AtSessionConfig, DiscoveryWord};
use plugs::net::{DiscoverEvent, DiscoverOptions, Lan};
use plugs::{FamilyId, Plug};
use zeroize::Zeroizing;

use crate::module::{HardenModule, OpenedSession};
use crate::web;

/// Time for a reply to the scan of the maker's application.
const PRESENCE_TIMEOUT: Duration = Duration::from_secs(3);
/// Time for a search for the module at other addresses.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(3);
/// Time for the reply to `AT+Q`, before another session is opened.
const LEAVE_DELAY: Duration = Duration::from_millis(200);
/// Tries of each command: a lock-down is a chain of a hundred, and one that fails costs a restart.
const COMMAND_RETRIES: u32 = 12;

/// The module of a plug, reached over the sockets of a [`Lan`].
#[derive(Debug)]
pub struct LanModule {
    lan: Lan,
    plug: Plug,
    console: Option<UdpConsole>,
}

impl LanModule {
    /// Makes it; nothing is sent yet.
    pub fn new(lan: Lan, plug: Plug) -> Self {
        Self {
            lan,
            plug,
            console: None,
        }
    }
}

impl HardenModule for LanModule {
    async fn open(&mut self, words: &[DiscoveryWord], timeout: Duration) -> Option<OpenedSession> {
        if !self.lan.may_command() {
            return None;
        }
        if self.console.is_some() {
            self.close().await;
            // The reply to leaving must not pass for one to the opening.
            self.sleep(LEAVE_DELAY).await;
        }
        let port = self.lan.port_towards(self.plug.address)?;
        let config = AtSessionConfig {
            words: words.to_vec(),
            handshake_timeout: timeout,
            tries: COMMAND_RETRIES,
            ..AtSessionConfig::default()
        };
        let opened = UdpConsole::open(port, self.plug.address, config).await;
        let opened = opened.inspect_err(|error| tracing::debug!(%error, "no session"));
        let console = self.console.insert(opened.ok()?);
        let mac = console.identity().map(|identity| identity.mac);
        Some(OpenedSession { mac })
    }

    async fn send(&mut self, request: AtRequest) -> Option<Zeroizing<Vec<u8>>> {
        let console = self.console.as_mut().filter(|_| self.lan.may_command())?;
        let reply = console.send(request).await;
        reply
            .inspect_err(|error| tracing::debug!(%error, "no reply"))
            .ok()
    }

    async fn restart(&mut self) -> bool {
        match self.console.take().filter(|_| self.lan.may_command()) {
            Some(console) => console.restart().await.unwrap_or(false),
            None => false,
        }
    }

    async fn close(&mut self) {
        if let Some(console) = self.console.take() {
            console.close().await;
        }
    }

    async fn web_status(&mut self, login: Option<&WebLogin>) -> Option<u16> {
        if !self.lan.may_command() {
            return None;
        }
        let address = self.plug.address;
        let login = login.map(|login| (login.user.as_str(), login.password.as_str()));
        let connect = self.lan.connect(address, web::PORT);
        Some(web::status(address, connect, login).await?.as_u16())
    }

    async fn is_heard(&mut self) -> bool {
        // A plain module replies to its word alone.
        if self.plug.family == FamilyId::MODULE {
            return false;
        }
        let presence = self.lan.presence(self.plug.address, PRESENCE_TIMEOUT).await;
        presence.is_ok_and(|plug| plug.mac == self.plug.mac && plug.family == self.plug.family)
    }

    async fn search(&mut self, words: &[DiscoveryWord]) {
        let mut events = self.lan.discover(DiscoverOptions {
            wait: Some(SEARCH_TIMEOUT),
            words: words.to_vec(),
            ..DiscoverOptions::default()
        });
        while let Some(event) = events.next().await {
            if let DiscoverEvent::Found(plug) | DiscoverEvent::Updated(plug) = event
                && plug.mac == self.plug.mac
            {
                self.plug.address = plug.address;
                return;
            }
        }
    }

    async fn sleep(&mut self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    fn address(&self) -> Ipv4Addr {
        self.plug.address
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}
