//! Hue bridges: their lights, and takeovers of bulbs.

use api::{ErrorDocument, Id};
use utoipa::ToSchema;

/// A Hue bridge.
#[derive(ToSchema)]
#[schema(pattern = "^[0-9a-f]{16}$", examples("001788fffe010203"))]
pub(crate) struct BridgeId(String);

/// A time in UTC.
#[derive(ToSchema)]
#[schema(format = "date-time", examples("2026-11-22T12:00:00Z"))]
pub(crate) struct Time(String);

/// How a bridge is made to take over a bulb.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Via {
    /// What its model and firmware can do, with the other way as a fall-back.
    Auto,
    /// By a call; the bridge does not say what came of it.
    Rest,
    /// On port 30000, which only the round bridge with old firmware has.
    Tcp30000,
}

/// How a bulb was taken over.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Way {
    Rest,
    Tcp30000,
    Serial,
    Search,
}

/// How far a takeover is.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TakeoverState {
    Running,
    Done,
    Failed,
}

/// A light that a bridge did not have before.
#[derive(ToSchema)]
pub(crate) struct NewLight {
    /// Its number at the bridge.
    id: String,
    name: String,
    #[schema(required)]
    unique_id: Option<String>,
}

/// Something that happened on the way.
#[derive(ToSchema)]
pub(crate) struct TakeoverStep {
    at: Time,
    /// In one sentence.
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
    /// Once that is known.
    #[schema(required)]
    via: Option<Way>,
    /// Whether a bulb was captured; null where nobody can tell.
    #[schema(required)]
    captured: Option<bool>,
    new_lights: Vec<NewLight>,
    steps: Vec<TakeoverStep>,
    /// What the person should know in the end.
    notes: Vec<String>,
    /// Why no bulb was taken over.
    #[schema(required)]
    error: Option<ErrorDocument>,
}

/// A light of a bridge.
#[derive(ToSchema)]
pub(crate) struct Light {
    /// Its number at the bridge.
    id: String,
    name: String,
    #[schema(required)]
    unique_id: Option<String>,
    #[schema(required)]
    model: Option<String>,
    /// Whether the bridge can reach it.
    #[schema(required)]
    reachable: Option<bool>,
}
