//! The ways in which an S20, or the network to it, differs from a faithful one: `--fault`.

use std::time::Duration;

use crate::catalogue::{FaultEffect, FaultRow, catalogue, fault_type};
use crate::outbox::WireFaults;
use crate::reco::behaviour::JoinBehaviour;

fault_type! {
    /// One deviation of an S20 with its parameter, as given to `--fault`.
    pub struct OrviboFault: OrviboBehaviour = CATALOGUE;
}

/// The behaviour of a twin: a faithful S20 by default, with one switch for each deviation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OrviboBehaviour {
    pub(crate) wire: WireFaults,
    pub(crate) joining: JoinBehaviour,
    /// The module replies to `AT+Z`.
    pub(crate) restart_answered: bool,
    pub(crate) copies: u32,
    pub(crate) silent_discovery: bool,
    pub(crate) all_one: bool,
    pub(crate) letters_qh: bool,
    pub(crate) odd_state: bool,
    pub(crate) wrong_mac: bool,
    pub(crate) truncated: bool,
    pub(crate) wrong_length: bool,
    /// Time for which a subscription lasts.
    pub(crate) subscription: Duration,
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

impl Default for OrviboBehaviour {
    fn default() -> Self {
        Self {
            wire: WireFaults::default(),
            joining: JoinBehaviour::default(),
            restart_answered: false,
            copies: 1,
            silent_discovery: false,
            all_one: false,
            letters_qh: false,
            odd_state: false,
            wrong_mac: false,
            truncated: false,
            wrong_length: false,
            subscription: Duration::from_secs(180),
            settling: Duration::ZERO,
            ignores_first: false,
            no_echo: false,
            echo_only: false,
            silent_switch: false,
            quiet_when_same: false,
            stuck: false,
            lying: 0.0,
            slow: Duration::ZERO,
            falls_on_restart: false,
            press_interval: None,
            split_table: false,
            no_table: false,
            lying_table: false,
            no_countdown: false,
        }
    }
}

use FaultEffect::{Count, Flag, Share, Time};

#[rustfmt::skip]
static CATALOGUE: &[FaultRow<OrviboBehaviour>] = catalogue! {
    // The way there and back.
    "lost=P" Share(None, |b, p| { b.wire.lost_in = p; b.wire.lost_out = p; }), "each datagram is lost with probability P, each way";
    "lost-in=P" Share(None, |b, p| b.wire.lost_in = p), "datagrams to the plug are lost with probability P";
    "lost-out=P" Share(None, |b, p| b.wire.lost_out = p), "datagrams from the plug are lost with probability P";
    "doubled[=P]" Share(Some(1.0), |b, p| b.wire.doubled = p), "a datagram from the plug arrives twice";
    "delayed=D" Time(|b, d| b.wire.delayed = d), "replies come up to D late, each by another time";
    "late=D" Time(|b, d| b.wire.late = d), "replies come D late, as over a long way";
    "reordered[=P]" Share(Some(0.5), |b, p| b.wire.reordered = p), "a datagram from the plug is overtaken by the next ones";
    "garbage[=P]" Share(Some(1.0), |b, p| b.wire.garbage = p), "a datagram of random bytes comes before a reply";
    "deaf-to-broadcast" Flag(|b| b.wire.deaf_to_broadcast = true), "only unicast reaches the plug (access points that keep broadcasts back)";
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
    "subscription=D" Time(|b, d| b.subscription = d), "a subscription lasts D instead of 180 s (sources say 60 s to 5 min)";
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

    // Restarting and joining.
    "comes-and-goes=D" Time(|b, d| b.joining.comes_and_goes = Some(d.max(Duration::from_secs(1)))), "is pulled out of its socket after D, and put back after D, again and again";
    "restart=D" Time(|b, d| b.joining.restart = d), "a restart takes D instead of 1 s";
    "association=D" Time(|b, d| b.joining.association = d), "joining takes D instead of 500 ms";
    "fail-join" Flag(|b| b.joining.never_links = true), "the right key does not help: the plug never links";
    "no-lease" Flag(|b| b.joining.no_lease = true), "the plug links but gets no address";
    "z-answers" Flag(|b| b.restart_answered = true), "AT+Z is answered +ok before the restart";
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_sound() {
        crate::catalogue::tests::check(CATALOGUE, |_| "text");
    }
}
