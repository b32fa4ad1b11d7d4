//! Restarts, modes, and joining a home network with the right key or a wrong one.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use super::RecoTwin;
use super::settings::ModuleSettings;
use super::wifi::{LinkState, PowerState};
use crate::twin::TwinOutput;
use crate::wskey::KeySetting;

/// Delay between the command and the restart, in which the reply leaves.
const RESTART_DELAY: Duration = Duration::from_millis(100);

impl RecoTwin {
    /// Returns the name of the network that the twin is on.
    #[must_use]
    pub fn network(&self) -> Option<&[u8]> {
        self.wifi.network().map(|(ssid, _)| ssid)
    }

    /// Returns the address on the home network.
    pub(super) fn lease(&self) -> Option<Ipv4Addr> {
        self.wifi
            .network()
            .filter(|_| !self.behaviour.joining.no_lease)?;
        let home = self.config.home_address.filter(|_| self.wifi.moved);
        Some(home.unwrap_or(self.config.listen))
    }

    /// Cuts the power for a moment.
    pub fn restart(&mut self, now: Instant) {
        self.advance(now);
        self.fall_silent(now, false);
    }

    /// Restarts after a delay in which a reply can still leave.
    pub(super) fn order_restart(&mut self, now: Instant, forget: bool) {
        self.wifi
            .ordered
            .get_or_insert((now + RESTART_DELAY, forget));
    }

    pub(super) fn fall_silent(&mut self, now: Instant, forget: bool) {
        self.wifi.ordered = None;
        self.wifi.link = LinkState::Down;
        self.wifi.power = PowerState::Restarting(now + self.behaviour.joining.restart);
        if forget {
            self.stored = ModuleSettings::default();
        }
        self.sessions.clear();
        self.outbox.clear();
        let streams = self.streams.drain(..).map(|stream| stream.id);
        let others = self.web.drain(..).map(|it| it.id);
        for connection in streams.chain(others).chain(self.call.restart()) {
            self.outbox.send(now, TwinOutput::Reset { connection });
        }
        self.outlet.restart(&self.behaviour);
    }

    pub(super) fn advance_wifi(&mut self, now: Instant) {
        if let Some((due, forget)) = self.wifi.ordered
            && due <= now
        {
            self.fall_silent(due, forget);
        }
        if let Some(due) = self.wifi.pulled
            && due <= now
            && let Some(span) = self.behaviour.joining.comes_and_goes
        {
            self.fall_silent(due, false);
            self.wifi.power = PowerState::Restarting(due + span);
            self.wifi.pulled = Some(due + 2 * span);
            self.outlet.power(due, false);
        }
        if let PowerState::Restarting(until) = self.wifi.power
            && until <= now
        {
            self.come_up(until);
        }
        if let LinkState::Joining(due) = self.wifi.link
            && due <= now
        {
            self.try_to_join(due);
        }
    }

    fn come_up(&mut self, at: Instant) {
        self.wifi.power = PowerState::Up;
        self.wifi.moved = true;
        self.outlet.power(at, true);
        let engine = &self.behaviour.engine;
        self.stored.keep(&self.running, &engine.reverts);
        self.wifi.mute = self.stored.differs(&self.running, &engine.silent_after);
        self.running = self.stored.clone();
        if !self.running_mode_is_ap() {
            self.wifi.link = LinkState::Joining(at + self.behaviour.joining.association);
        }
    }

    /// Joins at once, as after a long time in station mode.
    pub(super) fn start_joined(&mut self) {
        if !self.running_mode_is_ap() {
            self.wifi.link = self.matching_network();
        }
    }

    fn try_to_join(&mut self, now: Instant) {
        self.wifi.link = self.matching_network();
        if self.wifi.network().is_some() {
            self.wifi.provisioned = Some(now);
        }
    }

    /// Returns the link that the settings lead to: down when no visible network has this name and admits this key.
    fn matching_network(&self) -> LinkState {
        let joining = &self.behaviour.joining;
        let ssid = self.setting("WSSSID");
        let key = self.setting("WSKEY");
        let Some(setting) = KeySetting::parse(&key) else {
            return LinkState::Down;
        };
        let home = self.config.home_networks.iter().find(|home| {
            home.ssid().as_bytes() == ssid.as_slice() && home.admits(&setting, joining.security)
        });
        match home {
            Some(home) if !joining.never_links => LinkState::Up {
                ssid: home.ssid().as_bytes().to_vec(),
                bssid: home.bssid(),
            },
            _ => LinkState::Down,
        }
    }

    fn running_mode_is_ap(&self) -> bool {
        self.setting("WMODE").as_slice() == b"AP"
    }

    /// Returns the server that the module calls. A host name is not looked up: that of a dead cloud leads nowhere.
    fn server(&self) -> Option<SocketAddrV4> {
        ["SOCKB", "NETP"].into_iter().find_map(|verb| {
            let value = self.setting(verb);
            let text = std::str::from_utf8(&value).ok()?.to_owned();
            let fields: Vec<&str> = text.split(',').collect();
            let (port, host) = match *fields.as_slice() {
                ["TCP", port, host] | ["TCP", "Client", port, host] => (port, host),
                _ => return None,
            };
            let port = port.parse().ok().filter(|&port: &u16| port > 0)?;
            Some(SocketAddrV4::new(host.parse().ok()?, port))
        })
    }

    pub(super) fn advance_call(&mut self, now: Instant) {
        let (Some(to), Some(from)) = (self.server(), self.lease()) else {
            return self.call.stop();
        };
        if self.wifi.is_up() && self.call.is_due(now) {
            self.outbox.send(now, TwinOutput::Connect { from, to });
        }
    }
}
