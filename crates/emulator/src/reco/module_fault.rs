//! Faults of the Wi-Fi module and of the network to it, which all twins with such a module have.

use std::marker::PhantomData;
use std::time::Duration;

use super::behaviour::{CommandBehaviour, RecoBehaviour};
use super::values;
use crate::catalogue::FaultEffect::{Count, Flag, Share, Text, Time};
use crate::catalogue::{FaultRow, catalogue};

/// The behaviour of a twin that has a Wi-Fi module.
pub(crate) trait HasModule {
    /// Returns the behaviour of its module.
    fn module(&mut self) -> &mut RecoBehaviour;
}

impl HasModule for RecoBehaviour {
    fn module(&mut self) -> &mut RecoBehaviour {
        self
    }
}

/// The rows of the catalogue of such a twin that are about its module.
pub(crate) struct ModuleFaults<B>(PhantomData<B>);

#[rustfmt::skip]
impl<B: HasModule + 'static> ModuleFaults<B> {
    /// The way there and back.
    pub(crate) const WIRE: &'static [FaultRow<B>] = catalogue! {
        "lost=P" Share(None, |b, p| { b.module().wire.lost_in = p; b.module().wire.lost_out = p; }), "each datagram is lost with probability P, each way";
        "lost-in=P" Share(None, |b, p| b.module().wire.lost_in = p), "datagrams to the plug are lost with probability P";
        "lost-out=P" Share(None, |b, p| b.module().wire.lost_out = p), "datagrams from the plug are lost with probability P";
        "doubled[=P]" Share(Some(1.0), |b, p| b.module().wire.doubled = p), "a datagram from the plug arrives twice";
        "delayed=D" Time(|b, d| b.module().wire.delayed = d), "replies (UDP and TCP) come up to D late, each by another time";
        "late=D" Time(|b, d| b.module().wire.late = d), "replies (UDP and TCP) come D late, as over a long way";
        "reordered[=P]" Share(Some(0.5), |b, p| b.module().wire.reordered = p), "a datagram from the plug is overtaken by the next ones";
        "garbage[=P]" Share(Some(1.0), |b, p| b.module().wire.garbage = p), "a datagram of random bytes comes before a reply";
        "deaf-to-broadcast" Flag(|b| b.module().wire.deaf_to_broadcast = true), "only unicast reaches the plug (access points that keep broadcasts back)";
    };

    /// The settings that a lock-down changes.
    pub(crate) const SETTINGS: &'static [FaultRow<B>] = catalogue! {
        "sockb=TEXT" Text(|b, text| { b.module().engine.cloud_socket = socket(text, values::second_socket)?; Ok(()) }), "AT+SOCKB has this value: the module calls a server, TCP,PORT,HOST";
        "netp=TEXT" Text(|b, text| { b.module().engine.client_socket = socket(text, values::socket)?; Ok(()) }), "AT+NETP has this value, TCP,Client,PORT,HOST for a module that calls a server";
        "ap-stays" Flag(|b| b.module().engine.access_point_stays = true), "a plug in station mode keeps its own access point (AT+WMODE is APSTA)";
        "forgets=VERB" Text(|b, text| { b.module().engine.forgets.push(verb(text)?); Ok(()) }), "ASWD, WEBU, WMODE, SOCKB or NETP is answered +ok and not kept; may be given several times";
        "reverts=VERB" Text(|b, text| { b.module().engine.reverts.push(verb(text)?); Ok(()) }), "a new value of VERB is reported until the restart, and is gone after it; may be given several times";
        "silent-after=VERB" Text(|b, text| { b.module().engine.silent_after.push(verb(text)?); Ok(()) }), "never comes back from the restart that applies a new value of VERB; may be given several times";
        "cut-word" Flag(|b| b.module().engine.cut_word = true), "only the first 17 bytes of a new discovery word are kept";
    };

    /// Restarting and joining a network.
    pub(crate) const JOINING: &'static [FaultRow<B>] = catalogue! {
        "comes-and-goes=D" Time(|b, d| b.module().joining.comes_and_goes = Some(d.max(Duration::from_secs(1)))), "is pulled out of its socket after D, and put back after D, again and again";
        "restart=D" Time(|b, d| b.module().joining.restart.0 = d), "a restart takes D instead of 1 s";
        "association=D" Time(|b, d| b.module().joining.association.0 = d), "joining takes D instead of 500 ms";
        "signal=N" Count(0..=100, |b, n| b.module().joining.signal = u8::try_from(n).ok()), "home networks are received with a strength of N percent (AT+WSLQ, AT+WSCAN)";
        "fail-join" Flag(|b| b.module().joining.never_links = true), "the right key does not help: the plug never links";
        "no-lease" Flag(|b| b.module().joining.no_lease = true), "the plug links but gets no address";
        "z-answers" Flag(|b| b.module().engine.restart_answered = true), "AT+Z is answered +ok before the restart";
    };
}

/// Returns one of the settings that a lock-down changes.
fn verb(text: &str) -> Result<&'static str, &'static str> {
    let verbs = ["ASWD", "WEBU", "WMODE", "SOCKB", "NETP"];
    let mut verbs = verbs.into_iter();
    verbs
        .find(|verb| verb.eq_ignore_ascii_case(text))
        .ok_or("give ASWD, WEBU, WMODE, SOCKB or NETP")
}

/// Reads a value of `AT+SOCKB` or `AT+NETP`.
fn socket(
    text: &str,
    check: fn(&[u8], &CommandBehaviour) -> Option<Vec<u8>>,
) -> Result<Option<String>, &'static str> {
    check(text.as_bytes(), &CommandBehaviour::default())
        .and_then(|socket| String::from_utf8(socket).ok())
        .map(Some)
        .ok_or("give the value as AT+SOCKB or AT+NETP takes it")
}
