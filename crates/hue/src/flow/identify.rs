//! Makes a light blink, so that people see which one it is.

use serde_json::json;

use super::client::{BridgeClient, find_light};
use crate::error::HueError;
use crate::lights::Light;
use crate::reply::BridgeErrorKind;
use crate::request::{HueRequest, Method};
use crate::transport::HueTransport;

/// Makes a light blink once.
///
/// # Errors
///
/// As [`find_light`]; the bridge's refusal.
pub async fn identify<T: HueTransport>(
    bridge: &BridgeClient<'_, T>,
    name: &str,
) -> Result<Light, HueError> {
    let light = find_light(bridge, name).await?;
    blink(bridge, &light.id).await?;
    Ok(light)
}

/// Makes the light with this number blink once, even if it is off.
pub(super) async fn blink<T: HueTransport>(
    bridge: &BridgeClient<'_, T>,
    id: &str,
) -> Result<(), HueError> {
    let request = HueRequest::keyed(Method::Put, format!("/lights/{id}/state"))
        .with(&json!({ "alert": "select" }));
    match bridge.change(&request).await {
        // A light that is off blinks all the same.
        Err(HueError::Refused { error, .. }) if error.kind() == BridgeErrorKind::LightIsOff => {
            Ok(())
        }
        result => result.map(drop),
    }
}
