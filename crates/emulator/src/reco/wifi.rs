//! The radio: restarts, modes, and joining a home network with the right key or the wrong one.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use hiflying::Mac;

use super::RecoTwin;
use super::settings::ModuleSettings;
use crate::twin::Transmit;
use crate::wskey::KeySetting;

/// Between the command and the restart: long enough for the reply to leave, where there is one.
const LAST_BREATH: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct WifiState {
    power: PowerState,
    /// A restart that was asked for, and whether it forgets the settings.
    ordered: Option<(Instant, bool)>,
    link: LinkState,
    /// Restarted since the beginning: the next lease may be another address.
    moved: bool,
    /// When SmartLink or a join last provisioned it.
    provisioned: Option<Instant>,
}

#[derive(Debug)]
enum PowerState {
    Up,
    Restarting(Instant),
}

#[derive(Debug)]
enum LinkState {
    Down,
    Joining(Instant),
    Up { ssid: Vec<u8>, bssid: Mac },
}

impl WifiState {
    pub(super) fn new() -> Self {
        Self {
            power: PowerState::Up,
            ordered: None,
            link: LinkState::Down,
            moved: false,
            provisioned: None,
        }
    }

    pub(super) fn timeout(&self) -> Option<Instant> {
        let power = match self.power {
            PowerState::Up => None,
            PowerState::Restarting(until) => Some(until),
        };
        let link = match self.link {
            LinkState::Joining(due) => Some(due),
            LinkState::Down | LinkState::Up { .. } => None,
        };
        [power, link, self.ordered.map(|(due, _)| due)]
            .into_iter()
            .flatten()
            .min()
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(self.power, PowerState::Up)
    }

    pub(super) fn provisioned_within(&self, now: Instant, span: Duration) -> bool {
        self.provisioned
            .is_some_and(|at| now.saturating_duration_since(at) <= span)
    }

    /// The network that it is on: name and access point.
    pub(super) fn network(&self) -> Option<(&[u8], Mac)> {
        match &self.link {
            LinkState::Up { ssid, bssid } => Some((ssid, *bssid)),
            LinkState::Down | LinkState::Joining(_) => None,
        }
    }
}

impl RecoTwin {
    /// The name of the network that the twin is on.
    #[must_use]
    pub fn network(&self) -> Option<&[u8]> {
        self.wifi.network().map(|(ssid, _)| ssid)
    }

    /// The address on the home network.
    pub(super) fn lease(&self) -> Option<Ipv4Addr> {
        self.wifi
            .network()
            .filter(|_| !self.behaviour.joining.no_lease)?;
        let home = self.config.home_address.filter(|_| self.wifi.moved);
        Some(home.unwrap_or(self.config.listen))
    }

    /// Cuts the power for a moment, as a hand at the socket would.
    pub fn restart(&mut self, now: Instant) {
        self.advance(now);
        self.fall_silent(now, false);
    }

    /// Restarts soon, so that a reply can still leave.
    pub(super) fn order_restart(&mut self, now: Instant, forget: bool) {
        self.wifi.ordered.get_or_insert((now + LAST_BREATH, forget));
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
        let visitors = self.web.drain(..).map(|visitor| visitor.id);
        for connection in self.streams.drain().into_iter().chain(visitors) {
            self.outbox.send(now, Transmit::Reset { connection });
        }
        self.outlet.restart(&self.behaviour);
    }

    pub(super) fn advance_wifi(&mut self, now: Instant) {
        if let Some((due, forget)) = self.wifi.ordered
            && due <= now
        {
            self.fall_silent(due, forget);
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
        self.running = self.stored.clone();
        if !self.running_mode_is_ap() {
            self.wifi.link = LinkState::Joining(at + self.behaviour.joining.association);
        }
    }

    /// As after a long time in station mode: joined, without the pauses of a restart.
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

    /// The link that the settings lead to: none when no visible network has this name and admits this key.
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
}
