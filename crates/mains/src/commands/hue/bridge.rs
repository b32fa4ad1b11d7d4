//! Connections to bridges: the network, the saved keys, and the time that is left.

use std::time::Duration;

use hue::net::{
    self, BridgeTimeouts, CertificateTrust, LocalInterface, NetworkConfig, PairedConnection,
};
use hue::{AppKey, BridgeName, HueError, KeyRing, PairedBridge};

use super::keys::GivenKey;
use crate::context::Context;
use crate::error::Failure;
use crate::resolve::interfaces::for_scan;

/// Part of `--timeout` that is reserved for reporting the result.
const REPORT_TIME: Duration = Duration::from_millis(500);

/// Returns the key ring in the state directory.
pub(super) fn key_ring(context: &Context) -> Result<KeyRing, Failure> {
    Ok(KeyRing::new(context.state_directory()?))
}

/// Returns the network settings, with the interfaces to search from; there may be none.
pub(super) fn network(context: &Context) -> Result<NetworkConfig, Failure> {
    let interfaces = for_scan(context)?.into_iter();
    let timeouts = BridgeTimeouts::default();
    Ok(NetworkConfig {
        timeouts: BridgeTimeouts {
            // Distinguishes a bridge that stays overloaded from one that does not reply.
            busy: time_left(context, timeouts.busy),
            ..timeouts
        },
        interfaces: interfaces
            .map(|interface| LocalInterface {
                device: interface.device().to_owned(),
                address: interface.address,
                prefix: interface.prefix,
            })
            .collect(),
        ..NetworkConfig::default()
    })
}

/// Returns `max`, but no more than what is left of `--timeout` when the result still has to be reported.
pub(super) fn time_left(context: &Context, max: Duration) -> Duration {
    max.min(context.budget(Duration::MAX).saturating_sub(REPORT_TIME))
}

/// Connects to a bridge with its key: the given one, else the saved one.
pub(super) async fn open(
    context: &Context,
    name: &BridgeName,
    given: &GivenKey,
) -> Result<PairedConnection, Failure> {
    let key = given.key(&context.ui).await?;
    Ok(open_with_key(context, name, key).await??)
}

/// Connects to a bridge with this key, else the saved one. Returns failures of the bridge apart from local ones.
pub(super) async fn open_with_key(
    context: &Context,
    name: &BridgeName,
    key: Option<AppKey>,
) -> Result<Result<PairedConnection, HueError>, Failure> {
    let (network, ring) = (network(context)?, key_ring(context)?);
    Ok(net::open(&network, &ring, name, key, &CertificateTrust::default()).await)
}

/// Returns the paired bridges that a name can stand for. Several bridges may have had an address, one after the other.
pub(super) fn find_paired<'a>(
    bridges: &'a [PairedBridge],
    name: &BridgeName,
) -> Vec<&'a PairedBridge> {
    let port = |of: &hue::Address| of.port.or(of.scheme.map(hue::Scheme::port));
    let is_named = |bridge: &&PairedBridge| match name {
        BridgeName::Id(id) => bridge.id == *id,
        BridgeName::Address(address) => {
            bridge.address.host == address.host
                && (address.port.is_none() || address.port == port(&bridge.address))
        }
    };
    bridges.iter().filter(is_named).collect()
}
