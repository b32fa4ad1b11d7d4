//! Connections against scripted servers on loopback: odd answers, certificates, keys that must not be sent.

pub(super) mod certificates;
mod opening;
pub(super) mod server;
mod wire;

use std::time::Duration;

use super::*;
use crate::address::{Address, BridgeName};
use crate::error::HueError;
use crate::key::AppKey;
use crate::keyring::KeyRing;

/// The configuration of a square bridge.
pub(super) const SQUARE: &str = r#"{"name":"Hue Bridge","swversion":"1943185030","apiversion":"1.43.0","mac":"00:17:88:01:02:03","bridgeid":"001788FFFE010203","modelid":"BSB002"}"#;
pub(super) const SQUARE_ID: &str = "001788fffe010203";
/// The configuration of a round bridge.
pub(super) const ROUND: &str = r#"{"name":"Philips hue","swversion":"01032318","apiversion":"1.13.0","mac":"00:17:88:0a:0b:0c","bridgeid":"001788FFFE0A0B0C","modelid":"BSB001"}"#;
pub(super) const ROUND_ID: &str = "001788fffe0a0b0c";

pub(super) fn network() -> NetworkConfig {
    let timeouts = BridgeTimeouts {
        connect: Duration::from_secs(1),
        reply: Duration::from_millis(800),
        busy: Duration::from_secs(3),
    };
    NetworkConfig {
        timeouts,
        ..NetworkConfig::default()
    }
}

fn key() -> AppKey {
    "KEY0KEY0KEY0KEY0KEY0KEY0KEY0KEY0KEY0KEY0".parse().unwrap()
}

async fn connect(network: &NetworkConfig, address: &Address) -> Result<BridgeConnection, HueError> {
    connect::connect_to(network, address, None, &[], &CertificateTrust::default()).await
}
