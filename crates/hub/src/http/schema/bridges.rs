//! Schemas of Hue bridges: their lights, and takeovers of bulbs.

use api::{ErrorDocument, Id};
use utoipa::ToSchema;

/// The id of a Hue bridge.
#[derive(ToSchema)]
#[schema(pattern = "^[0-9a-f]{16}$", examples("001788fffe010203"))]
pub(crate) struct BridgeId(String);

/// A time in UTC.
#[derive(ToSchema)]
#[schema(format = "date-time", examples("2026-11-22T12:00:00Z"))]
pub(crate) struct Time(String);

/// The method by which a bridge takes over a bulb.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Via {
    /// The best method for the model and firmware, with the other method as a fallback.
    Auto,
    /// By the bridge's REST API; the bridge does not report the result.
    Rest,
    /// By port 30000, which only the round bridge with old firmware has.
    Tcp30000,
}

/// The method by which a bulb was taken over.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Way {
    Rest,
    Tcp30000,
    Serial,
    Search,
}

/// The state of a takeover.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TakeoverState {
    Running,
    Done,
    Failed,
}

/// A light that is new to a bridge.
#[derive(ToSchema)]
pub(crate) struct NewLight {
    /// Its number on the bridge.
    id: String,
    name: String,
    #[schema(required)]
    unique_id: Option<String>,
}

/// A step of a takeover.
#[derive(ToSchema)]
pub(crate) struct TakeoverStep {
    at: Time,
    /// The step in one sentence.
    text: String,
}

/// A takeover of a bulb by a bridge.
#[derive(ToSchema)]
pub(crate) struct Takeover {
    id: Id,
    bridge: BridgeId,
    state: TakeoverState,
    started: Time,
    #[schema(required)]
    ended: Option<Time>,
    /// The method, once known.
    #[schema(required)]
    via: Option<Way>,
    /// True if a bulb was captured; null if unknown.
    #[schema(required)]
    captured: Option<bool>,
    new_lights: Vec<NewLight>,
    steps: Vec<TakeoverStep>,
    /// Notes for the user about the result.
    notes: Vec<String>,
    /// The reason why no bulb was taken over.
    #[schema(required)]
    error: Option<ErrorDocument>,
}

/// A light of a bridge.
#[derive(ToSchema)]
pub(crate) struct Light {
    /// Its number on the bridge.
    id: String,
    name: String,
    #[schema(required)]
    unique_id: Option<String>,
    #[schema(required)]
    model: Option<String>,
    /// True if the bridge can reach it.
    #[schema(required)]
    reachable: Option<bool>,
}
