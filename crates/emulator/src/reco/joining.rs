//! Restarts, modes, and joining a home network with the right key or a wrong one.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use super::RecoTwin;
use super::settings::ModuleSettings;
use super::smartlink::SmartLinkReceiver;
use super::wifi::{LinkState, PowerState};
use crate::twin::TwinOutput;
use crate::wskey::KeySetting;

/// Number of confirmations after a join by SmartLink, and their interval.
const CONFIRMATIONS: u32 = 5;
const CONFIRMATION_INTERVAL: Duration = Duration::from_millis(200);
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
        self.wifi.power = PowerState::Restarting(now + self.behaviour.joining.restart.0);
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
            self.wifi.link = LinkState::Joining(at + self.behaviour.joining.association.0);
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
        let taught_by = self.wifi.taught_by.take();
        match (self.lease(), taught_by) {
            (Some(lease), Some(sender)) => {
                for copy in 0..CONFIRMATIONS {
                    self.confirm_smartlink(now + CONFIRMATION_INTERVAL * copy, lease, sender);
                }
            }
            // A wrong key, made of frames in the wrong order: it listens again.
            (None, Some(_)) => {
                self.stored = ModuleSettings::default();
                self.running = ModuleSettings::default();
                self.receiver = Some(SmartLinkReceiver::default());
            }
            (_, None) => {}
        }
        if self.wifi.network().is_some() {
            self.wifi.provisioned = Some(now);
        }
    }

    /// Takes the length of a frame in the air. Name and access point are those of the network that is heard around it.
    pub(super) fn hear_length(&mut self, now: Instant, from: Ipv4Addr, length: usize) {
        let Some(receiver) = self.receiver.as_mut().filter(|_| self.wifi.is_up()) else {
            return;
        };
        let (Some(key), Some(home)) = (receiver.hear(length), self.config.home_networks.first())
        else {
            return;
        };
        let right = home.key_setting(self.behaviour.joining.security);
        let setting = match (right.cipher, key.is_empty()) {
            (_, true) => KeySetting::new("OPEN", "NONE", b""),
            ("NONE", false) => KeySetting::new("WPA2PSK", "AES", &key),
            (cipher, false) => KeySetting::new(right.auth, cipher, &key),
        };
        self.stored.set("WSSSID", home.ssid().as_bytes());
        self.stored.set("WSKEY", &setting.emit());
        self.stored.set("WMODE", b"STA");
        self.receiver = None;
        self.wifi.taught_by = Some(from);
        // It restarts to join.
        self.fall_silent(now, false);
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
