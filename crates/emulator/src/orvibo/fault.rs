//! The ways in which an S20, or the network to it, differs from a faithful one: `--fault`.

use std::time::Duration;

use crate::catalogue::{Catalogue, FaultEffect, TimeOr, catalogue, fault_type};
use crate::reco::behaviour::RecoBehaviour;
use crate::reco::module_fault::{HasModule, ModuleFaults};

fault_type! {
    /// One deviation of an S20 with its parameter, as given to `--fault`.
    pub struct OrviboFault: OrviboBehaviour = CATALOGUE;
}

/// The behaviour of a twin: a faithful S20 by default, with one switch for each deviation.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct OrviboBehaviour {
    /// The Wi-Fi module, and the network to it.
    pub(crate) module: RecoBehaviour,
    pub(crate) copies: u32,
    pub(crate) silent_discovery: bool,
    pub(crate) all_one: bool,
    pub(crate) letters_qh: bool,
    pub(crate) odd_state: bool,
    pub(crate) wrong_mac: bool,
    pub(crate) truncated: bool,
    pub(crate) wrong_length: bool,
    /// Time for which a subscription lasts.
    pub(crate) subscription: TimeOr<180_000>,
    /// Time after a subscription in which commands are ignored.
    pub(crate) settling: Duration,
    pub(crate) ignores_first: bool,
    pub(crate) no_echo: bool,
    pub(crate) echo_only: bool,
    pub(crate) silent_switch: bool,
    pub(crate) quiet_when_same: bool,
    pub(crate) stuck: bool,
    pub(crate) lying: f64,
    pub(crate) slow: Duration,
    pub(crate) falls_on_restart: bool,
    pub(crate) press_interval: Option<Duration>,
    pub(crate) split_table: bool,
    pub(crate) no_table: bool,
    pub(crate) lying_table: bool,
    pub(crate) no_countdown: bool,
}

impl HasModule for OrviboBehaviour {
    fn module(&mut self) -> &mut RecoBehaviour {
        &mut self.module
    }
}

use FaultEffect::{Count, Flag, Share, Time};

#[rustfmt::skip]
static CATALOGUE: &Catalogue<OrviboBehaviour> = &[ModuleFaults::WIRE, ModuleFaults::SETTINGS, ModuleFaults::JOINING, catalogue! {
    // The way there and back.
    "truncated" Flag(|b| b.truncated = true), "replies lack their last three bytes, and state the full length";
    "wrong-length" Flag(|b| b.wrong_length = true), "replies state one byte more than they have";
    "wrong-mac" Flag(|b| b.wrong_mac = true), "replies to commands carry the MAC of another plug";

    // Discovery.
    "copies=N" Count(1..=20, |b, n| b.copies = n), "discovery replies come N times (a real S20 sends ten)";
    "discovery-silent" Flag(|b| b.silent_discovery = true), "discovery gets no reply";
    "all-one" Flag(|b| b.all_one = true), "is an AllOne, which has no relay: discovery replies of 41 bytes, no commands";
    "qh" Flag(|b| b.letters_qh = true), "a discovery of one MAC is answered with qh instead of qg";
    "odd-state" Flag(|b| b.odd_state = true), "the relay in discovery replies is neither on nor off";

    // Subscriptions and the button.
    "subscription=D" Time(|b, d| b.subscription.0 = d), "a subscription lasts D instead of 180 s (sources say 60 s to 5 min)";
    "settling=D" Time(|b, d| b.settling = d), "commands within D after a subscription are ignored";
    "press=D" Time(|b, d| b.press_interval = Some(d.max(Duration::from_millis(100)))), "the button is pressed after D, again and again";

    // The relay.
    "first-ignored" Flag(|b| b.ignores_first = true), "the first switch after a subscription is ignored";
    "no-echo" Flag(|b| b.no_echo = true), "a switch is not acknowledged, only reported";
    "echo-only" Flag(|b| b.echo_only = true), "a switch is acknowledged and never reported";
    "silent-switch" Flag(|b| b.silent_switch = true), "switches, and neither acknowledges nor reports it";
    "quiet-when-same" Flag(|b| b.quiet_when_same = true), "a switch to where the relay is gets no answer at all";
    "stuck-relay" Flag(|b| b.stuck = true), "acknowledges and never switches";
    "lying-relay[=P]" Share(Some(1.0), |b, p| b.lying = p), "acknowledges and does not switch, with probability P";
    "slow-relay=D" Time(|b, d| b.slow = d), "the relay moves D after the command";
    "falls-off" Flag(|b| b.falls_on_restart = true), "the relay is off after a restart";

    // The name, the firmware, and the timer.
    "split-table" Flag(|b| b.split_table = true), "table 4 comes in two datagrams";
    "no-table" Flag(|b| b.no_table = true), "table 4 gets no answer";
    "lying-table" Flag(|b| b.lying_table = true), "the record in table 4 states more bytes than there are";
    "no-countdown" Flag(|b| b.no_countdown = true), "a countdown gets no answer, and is not started";
}];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_sound() {
        crate::catalogue::tests::check(CATALOGUE, |name| match name {
            "sockb" => "TCP,8816,cloud.example",
            "netp" => "TCP,Client,8816,cloud.example",
            _ => "ASWD",
        });
    }
}
