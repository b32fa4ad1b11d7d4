//! Guests: parts of the program that work on the hub's handle, and that the hub does not know, e.g. the pages and MQTT.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use tokio_util::sync::CancellationToken;

use crate::hub::Hub;

/// A part of the program that runs beside the API on the hub's handle. Whoever runs the hub chooses its guests.
#[async_trait]
pub trait Guest: Debug + Send + Sync {
    /// Returns the paths that it serves, in addition to those of the API and behind the same access control.
    fn router(&self, hub: &Hub) -> Router {
        let _ = hub;
        Router::new()
    }

    /// Works until cancelled. Its end ends nothing else.
    async fn run(self: Arc<Self>, hub: Hub, cancel: CancellationToken) {
        let _ = (hub, cancel);
    }
}
