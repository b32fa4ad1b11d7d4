//! From a bridge as people name it to a connection and its key.

use super::certificate::CertificateTrust;
use super::config::NetworkConfig;
use super::connect::connect_to;
use super::connection::BridgeConnection;
use super::discovery::locate;
use crate::address::BridgeName;
use crate::error::{CertificateProblem, HueError, HueNoReplyReason};
use crate::flow::BridgeClient;
use crate::identity::BridgeId;
use crate::key::AppKey;
use crate::keyring::KeyRing;

/// A connection to a bridge with the key for it.
#[derive(Debug)]
pub struct PairedConnection {
    /// The connection to the bridge.
    pub connection: BridgeConnection,
    /// The key.
    pub key: AppKey,
}

impl PairedConnection {
    /// Returns a client for the flows.
    pub fn client(&self) -> BridgeClient<'_, BridgeConnection> {
        self.connection.client(Some(self.key.clone()))
    }
}

/// Connects to a bridge, without a key: identifies it and verifies its certificate.
///
/// A bridge that is named by its id is tried at its last address, then searched for.
///
/// # Errors
///
/// [`HueError`]. [`HueError::Certificate`] with [`CertificateProblem::Unknown`] carries the fingerprint that `trust` can accept.
pub async fn connect(
    network: &NetworkConfig,
    ring: &KeyRing,
    name: &BridgeName,
    trust: &CertificateTrust,
) -> Result<BridgeConnection, HueError> {
    let known = ring.bridges()?;
    let id = match name {
        BridgeName::Address(address) => {
            return connect_to(network, address, None, &known, trust).await;
        }
        BridgeName::Id(id) => id,
    };
    let mut first_error = None;
    if let Some(bridge) = known.iter().find(|bridge| bridge.id == *id) {
        match connect_to(network, &bridge.address, Some(id), &known, trust).await {
            Err(error) if may_have_moved(&error) => first_error = Some(error),
            result => return result,
        }
    }
    match locate(network, id).await {
        Ok(found) => connect_to(network, &found.address, Some(id), &known, trust).await,
        // The error at the last address says more than that the bridge is nowhere else.
        Err(error @ HueError::NoSuchBridge(_)) => Err(first_error.unwrap_or(error)),
        Err(error) => Err(error),
    }
}

/// Connects to a bridge as [`connect`] does, and adds its key: `own`, or the one in the ring. Updates the ring with the bridge's
/// current address and identity.
///
/// # Errors
///
/// As [`connect`], and [`HueError::NotPaired`] if there is no key.
pub async fn open(
    network: &NetworkConfig,
    ring: &KeyRing,
    name: &BridgeName,
    own: Option<AppKey>,
    trust: &CertificateTrust,
) -> Result<PairedConnection, HueError> {
    let connection = connect(network, ring, name, trust).await?;
    let known = connection.paired_bridge(ring)?;
    let key = own.or_else(|| known.as_ref().map(|bridge| bridge.key.clone()));
    let key = key.ok_or_else(|| HueError::NotPaired(connection.label()))?;
    if let Some(bridge) = known {
        remember(ring, &bridge.id, &connection);
    }
    Ok(PairedConnection { connection, key })
}

/// Updates a paired bridge with its current address and identity. A failure is only logged, because the next search finds the bridge
/// again.
pub fn remember(ring: &KeyRing, id: &BridgeId, connection: &BridgeConnection) {
    if let Err(error) = ring.update(id, |bridge| connection.update_bridge(bridge)) {
        tracing::warn!(bridge = %id, %error, "the address of the bridge cannot be saved");
    }
}

/// Tells whether the bridge may be at another address now, so that searching for it makes sense.
fn may_have_moved(error: &HueError) -> bool {
    match error {
        HueError::NoReply { reason, .. } => *reason != HueNoReplyReason::Closed,
        HueError::NotABridge { .. } | HueError::OtherBridge { .. } => true,
        HueError::Certificate { problem, .. } => {
            matches!(problem, CertificateProblem::WrongName { .. })
        }
        _ => false,
    }
}
