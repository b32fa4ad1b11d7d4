//! Making a light blink, so that a person sees which it is.

use serde_json::json;

use super::{Bridge, light_named};
use crate::call::{Call, Method};
use crate::error::HueError;
use crate::lights::Light;
use crate::reply::Meaning;
use crate::transport::Transport;

/// Makes a light blink once.
///
/// # Errors
///
/// As [`light_named`]; what the bridge refuses.
pub async fn identify<T: Transport>(bridge: &Bridge<'_, T>, name: &str) -> Result<Light, HueError> {
    let light = light_named(bridge, name).await?;
    blink(bridge, &light.id).await?;
    Ok(light)
}

/// Makes the light with this number blink once. That it is off does not matter.
pub(super) async fn blink<T: Transport>(bridge: &Bridge<'_, T>, id: &str) -> Result<(), HueError> {
    let call =
        Call::keyed(Method::Put, format!("/lights/{id}/state")).with(&json!({ "alert": "select" }));
    match bridge.change(&call).await {
        Err(HueError::Refused { error, .. }) if error.meaning() == Meaning::LightIsOff => Ok(()),
        result => result.map(drop),
    }
}
