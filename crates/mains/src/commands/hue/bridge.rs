//! From what was typed to a bridge that can be called: the network, the keys that are kept, and the connection.

use std::time::Duration;

use hue::net::{self, Bounds, Lan, Opened, Trust};
use hue::{AppKey, BridgeName, HueError, KeyRing};

use super::keys::Given;
use crate::context::Context;
use crate::error::Failure;
use crate::resolve::interfaces::for_scan;

/// So much of `--timeout` is left for saying what came of it.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The keys in the state directory.
pub(super) fn key_ring(context: &Context) -> Result<KeyRing, Failure> {
    Ok(KeyRing::new(context.state_directory()?))
}

/// The network with the interfaces that a search starts from; there may be none.
pub(super) fn lan(context: &Context) -> Result<Lan, Failure> {
    let interfaces = for_scan(context)?.into_iter();
    let usual = Bounds::default();
    Ok(Lan {
        // So that a bridge that stays overloaded is told from one that is silent.
        bounds: Bounds {
            busy: patience(context, usual.busy),
            ..usual
        },
        interfaces: interfaces
            .map(|interface| (interface.name, interface.address))
            .collect(),
        ..Lan::default()
    })
}

/// Returns the time that is left for one step, but never more than `usual`: a little less than `--timeout`, so that the step
/// can still say itself why it came to nothing.
pub(super) fn patience(context: &Context, usual: Duration) -> Duration {
    usual.min(context.budget(Duration::MAX).saturating_sub(LAST_WORDS))
}

/// Reaches a bridge and finds the key for it: the one that was given, else the one that is kept.
pub(super) async fn open(
    context: &Context,
    name: &BridgeName,
    given: &Given,
) -> Result<Opened, Failure> {
    open_with(context, name, given.key(&context.ui).await?).await
}

/// As [`open`], with this key before the one that is kept.
pub(super) async fn open_with(
    context: &Context,
    name: &BridgeName,
    own: Option<AppKey>,
) -> Result<Opened, Failure> {
    Ok(open_quietly(context, name, own).await??)
}

/// As [`open_with`], with what the bridge is to blame for apart.
pub(super) async fn open_quietly(
    context: &Context,
    name: &BridgeName,
    own: Option<AppKey>,
) -> Result<Result<Opened, HueError>, Failure> {
    let (lan, ring) = (lan(context)?, key_ring(context)?);
    Ok(net::open(&lan, &ring, name, own, &Trust::default()).await)
}
