//! The network layer with scripted plugs, on real sockets of the loopback interface.
//!
//! Each test has a network of its own, `127.61.<n>.0/24` with us at `.1`, because they all need ports 48899 and 8899.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod asking;
mod connection;
mod finding;
mod interfaces;
mod round_trips;
mod scripted;
mod switching;

use std::net::Ipv4Addr;
use std::time::Duration;

use hiflying::net::Interface;
use plugs::exchange::NoReplyReason;
use plugs::net::{ContactError, Lan};

use crate::scripted::{Answer, Plug, Running};

pub(crate) const BUDGET: Duration = Duration::from_secs(5);
/// Longer than a busy machine takes for a few packets, shorter than the exchange waits for a reply (3 s).
pub(crate) const SOON: Duration = ms(2900);
pub(crate) const MAC: &str = "ACCF23123456";

pub(crate) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub(crate) fn host(network: u8, host: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 61, network, host)
}

pub(crate) fn interface(network: u8) -> Interface {
    Interface {
        name: "lo".into(),
        address: host(network, 1),
        prefix: 24,
        peer: None,
        broadcast: host(network, 255),
        loopback: true,
        up: true,
        index: 1,
    }
}

pub(crate) async fn lan(network: u8) -> Lan {
    Lan::open(&[interface(network)]).await.unwrap()
}

/// An SP-2 at `.2`.
pub(crate) fn sp2(network: u8) -> Plug {
    Plug::new(host(network, 2), MAC)
}

pub(crate) fn answering(network: u8, answers: Vec<Answer>) -> Running {
    Plug {
        answers,
        ..sp2(network)
    }
    .start()
}

/// Returns the reason for a missing reply, if the error is one.
pub(crate) fn silence(error: &ContactError) -> Option<NoReplyReason> {
    match error {
        ContactError::NoAnswer { how, .. } | ContactError::NoCommands { how, .. } => Some(*how),
        _ => None,
    }
}
