//! State of power and radio.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use hiflying::Mac;

#[derive(Debug)]
pub(super) struct WifiState {
    pub(super) power: PowerState,
    /// A restart that was ordered; `true` forgets the settings.
    pub(super) ordered: Option<(Instant, bool)>,
    pub(super) link: LinkState,
    /// Time at which the plug is next pulled out of its socket.
    pub(super) pulled: Option<Instant>,
    /// Restarted since the start: the next lease may be another address.
    pub(super) moved: bool,
    /// Came up and is heard of no more, until it restarts with other settings.
    pub(super) mute: bool,
    /// The sender of the lengths of which the plug has made its key.
    pub(super) taught_by: Option<Ipv4Addr>,
    /// Time of the last successful join.
    pub(super) provisioned: Option<Instant>,
}

#[derive(Debug)]
pub(super) enum PowerState {
    Up,
    Restarting(Instant),
}

#[derive(Debug)]
pub(super) enum LinkState {
    Down,
    Joining(Instant),
    Up { ssid: Vec<u8>, bssid: Mac },
}

impl WifiState {
    pub(super) fn new(pulled: Option<Instant>) -> Self {
        Self {
            power: PowerState::Up,
            ordered: None,
            link: LinkState::Down,
            pulled,
            moved: false,
            mute: false,
            taught_by: None,
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
        [power, link, self.pulled, self.ordered.map(|(due, _)| due)]
            .into_iter()
            .flatten()
            .min()
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(self.power, PowerState::Up) && !self.mute
    }

    pub(super) fn provisioned_within(&self, now: Instant, span: Duration) -> bool {
        self.provisioned
            .is_some_and(|at| now.saturating_duration_since(at) <= span)
    }

    /// Returns name and access point of the network that it is on.
    pub(super) fn network(&self) -> Option<(&[u8], Mac)> {
        match &self.link {
            LinkState::Up { ssid, bssid } => Some((ssid, *bssid)),
            LinkState::Down | LinkState::Joining(_) => None,
        }
    }
}
